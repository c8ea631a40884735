// One story of one person, over all checks.

import { get } from "./api.js";
import { button, h, notice, tag } from "./dom.js";
import { t } from "./phrases.js";
import { date, dayTime } from "./words.js";

const STANDING = { corrected: t("Corrected"), struck_out: t("Struck out") };

export async function timeline({ id, contact, session }, app) {
  const story = await get(`/api/people/${id}/timeline`);
  const place = app.state.session ?? session;
  const days = new Map();
  for (const event of story.events) {
    const day = event.at.slice(0, 10);
    days.set(day, [...(days.get(day) ?? []), event]);
  }
  return {
    title: t("History of {name}", { name: story.name }),
    back: contact ? ["contact", { id: contact, seen: true }] : ["session", { id: place }],
    node: h("div", { class: "narrow" },
      h("div", { class: "who" }, h("div", {}, h("h1", {}, story.name), h("p", { class: "quiet" }, story.about)),
        button("quiet", t("Details"), () => app.go("person", { session: place, id, contact }))),
      story.open.map((one) => notice("calm", one.text,
        button("plain", one.label, () => app.go(one.screen, { ...one.params, session: place, person: id })))),
      place && !contact ? button("main tall", t("New check"), () => app.go("pressure",
        { session: place, person: id, started_at: new Date().toISOString() })) : null,
      story.events.length === 0 ? h("p", { class: "quiet" }, t("Nothing was recorded yet.")) : null,
      [...days].map(([day, events]) => h("section", { class: "card story" }, h("h2", {}, date(day)),
        h("ol", {}, events.map((event) => line(event, app, contact)))))),
  };
}

/** Dates in a message as people write them. */
function dated(text) {
  return text.replace(/\b\d{4}-\d{2}-\d{2}\b/g, (found) => date(found));
}

function line(event, app, here) {
  const gone = event.standing !== "counts";
  const link = event.kind === "seen" && event.record !== here
    ? button("quiet", t("Open"), () => app.go("contact", { id: event.record, seen: true }), { "aria-label": t("Open the check of {when}", { when: dayTime(event.at) }) }) : null;
  return h("li", { class: `event-${event.kind}` },
    h("div", { class: "who" }, h(gone ? "del" : "strong", {}, dated(event.text)),
      h("div", { class: "tags" }, gone ? tag("plain", STANDING[event.standing] ?? event.standing) : null, link)),
    event.notes.map((note) => h("p", {}, dated(note))),
    h("p", { class: "quiet" }, [dayTime(event.at), event.by, event.tablet].filter(Boolean).join(" · ")));
}
