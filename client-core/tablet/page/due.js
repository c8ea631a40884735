// What is due: somebody to phone, a diary that comes back, a referral nobody has answered; and checks left half done.

import { get } from "./api.js";
import { button, h, tag } from "./dom.js";
import { t } from "./phrases.js";
import { clock, count, date } from "./words.js";

const TONES = { overdue: "very_high", due: "high", not_reached: "warn", open: "plain", received: "done" };

export async function due(_, app) {
  const { items } = await get("/api/due");
  const group = (title, states) => {
    const some = items.filter(({ state }) => states.includes(state));
    return some.length === 0 ? null : [h("h2", {}, `${title} `, h("span", { class: "quiet" }, some.length)),
      h("ul", { class: "people" }, some.map((one) => line(one, app)))];
  };
  return {
    title: t("To follow up"),
    back: app.state.session ? ["session", { id: app.state.session }] : ["start", {}],
    node: h("div", { class: "narrow" }, h("h1", {}, t("To follow up")),
      items.length === 0 ? h("p", { class: "quiet" }, t("Nothing is open.")) : null,
      group(t("Overdue"), ["overdue"]), group(t("Due today"), ["due"]), group(t("Tried, not reached"), ["not_reached"]),
      group(t("To come"), ["open"]), group(t("Received there"), ["received"])),
    refresh: () => app.go("due", {}, { replace: true }),
  };
}

function line(one, app) {
  const entry = one.kind === "referral" ? { referral: one.entry } : { follow_up: one.entry };
  const act = (label, screen, params, look = "plain") => button(look, label, () => app.go(screen, { id: one.contact, ...params }),
    { "aria-label": `${label}: ${one.name}` });
  return h("li", { class: "card" },
    h("div", { class: "who" }, h("div", {}, h("strong", {}, one.name), h("p", { class: "quiet" }, [one.about, one.phone].filter(Boolean).join(" · "))),
      h("div", { class: "tags" }, tag(TONES[one.state] ?? "plain", one.state_label))),
    h("p", {}, [one.label, one.reason].filter(Boolean).join(": "),
      h("span", { class: "quiet" }, [one.due_on ? ` · ${t("due {date}", { date: date(one.due_on) })}` : "",
        one.attempts > 0 ? ` · ${count(one.attempts, "tried {n} time", "tried {n} times")}` : ""].join(""))),
    h("div", { class: "buttons" },
      one.what === "hbpm_diary" ? button("main", t("Enter the diary"), () => app.go("diary", {
        person: one.person, session: app.state.session, of: one.contact, follow_up: one.entry,
      }), { "aria-label": t("Enter the diary: {name}", { name: one.name }) }) : act(t("What became of it"), "outcome", entry, "main"),
      act(t("Phone"), "call", { to: one.kind === "referral" ? "" : "person" }),
      one.what === "hbpm_diary" ? act(t("What became of it"), "outcome", entry) : null,
      act(t("Open the check"), "contact", {})));
}

/** The checks that somebody broke off or parked, on whatever day. */
export function halfDone(items, app) {
  if (items.length === 0) return null;
  return h("section", { class: "half-done" }, h("h2", {}, t("Half done"), " ", h("span", { class: "quiet" }, items.length)),
    h("ul", { class: "people" }, items.map((one) => h("li", {}, h("button", {
      type: "button", class: "row", onclick: () => app.go("contact", { id: one.id }),
    }, h("span", { class: "name" }, h("strong", {}, one.name), h("span", { class: "quiet" }, `${one.where} · ${clock(one.started_at)}`)),
    h("span", { class: "tags" }, tag("plain", one.step, "pause")))))));
}
