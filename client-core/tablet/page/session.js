// Today: who is next, who was here, and the counts.

import { get, post } from "./api.js";
import { button, fill, h, icon, notice, once, say, tag } from "./dom.js";
import { halfDone } from "./due.js";
import { t } from "./phrases.js";
import { clock, count } from "./words.js";

export async function session({ id }, app) {
  let data = await get(`/api/sessions/${id}`);
  if (app.state.session !== id) await app.refreshState();
  const list = h("ol", { class: "today" });
  const notices = h("div", { class: "notices" });
  const title = h("h2", {});
  const others = h("div", {});
  const tasks = h("div", {});
  const counters = tallies(id, app);

  const draw = () => {
    counters.show(data.tallies);
    fill(title, t("Today"), " ", h("span", { class: "quiet" }, count(data.contacts.length, "{n} check", "{n} checks")));
    fill(notices, ...notes(data, app));
    fill(others, halfDone(data.half_done, app));
    fill(tasks, followUp(data.due, app));
    const held = document.activeElement?.closest(".today [data-id]");
    const resuming = document.activeElement?.classList.contains("resume");
    fill(list, data.contacts.map((contact) => row(contact, app)));
    if (held) {
      const again = [...list.querySelectorAll("[data-id]")].find((other) => other.dataset.id === held.dataset.id);
      (resuming ? again?.querySelector(".resume") : again?.querySelector("button"))?.focus();
    }
    if (data.contacts.length === 0) fill(list, h("li", { class: "empty" }, t("Nobody yet. Begin with a new check.")));
  };
  draw();

  const next = (screen, params) => () => app.go(screen, { session: id, ...params });
  const opened = () => new Date().toISOString();
  return {
    title: t("Today"),
    node: h("div", { class: "wide-screen" },
      h("section", { class: "begin" },
        h("div", { class: "head" }, h("h1", {}, t("New check")), button("quiet", t("Change site"), () => app.go("start"))),
        h("div", { class: "choices three" },
          start("plus", t("New person"), t("Name, date of birth and more"), next("person", {})),
          start("search", t("Known person"), t("Seen by us before"), next("find", {})),
          start("none", t("No details"), t("Straight to the reading"), () => app.go("pressure",
            { session: id, person: null, started_at: opened() }))),
        tasks, counters.node),
      h("section", { class: "seen" }, notices, others, title, list)),
    async refresh() {
      data = await get(`/api/sessions/${id}`);
      draw();
    },
    leave: counters.send,
  };
}

function start(drawing, label, hint, onclick) {
  return h("button", { type: "button", class: "start", onclick },
    icon(drawing), h("span", {}, h("strong", {}, label), h("small", {}, hint)));
}

/** Nothing to follow up takes no room. */
function followUp({ overdue, today, open }, app) {
  if (open === 0) return null;
  const late = [overdue > 0 ? t("{n} overdue", { n: overdue }) : null, today > 0 ? t("{n} for today", { n: today }) : null].filter(Boolean);
  return h("button", { type: "button", class: "row due-row", onclick: () => app.go("due") },
    h("span", { class: "name" }, h("strong", {}, t("To follow up")), h("span", { class: "quiet" }, late.join(", ") || t("{n} to come", { n: open }))),
    overdue > 0 ? tag("high", String(overdue), "clock") : tag("plain", String(open), "clock"));
}

function notes(data, app) {
  const see = (label) => button("plain", label, () => app.go("unsettled", {}));
  return [
    data.phone_now > 0 ? notice("bad",
      count(data.phone_now, "{n} urgent result: nobody at base can see it yet. Phone now.",
        "{n} urgent results: nobody at base can see them yet. Phone now."))
      : null,
    data.conflicts > 0 ? notice("warn", count(data.conflicts, "{n} record disagrees", "{n} records disagree"),
      h("p", {}, t("Two people wrote different things. Both are kept.")), see(t("Look and settle"))) : null,
    data.refused > 0 ? notice("warn", t("{n} refused by base", { n: data.refused }),
      h("p", {}, t("Kept here and at base, with the reason.")), see(t("See why"))) : null,
  ];
}

function row(contact, app) {
  const name = contact.name ?? t("No details");
  const { ended } = contact;
  const resume = async (event) => once(event.currentTarget, async () => {
    try {
      await post(`/api/contacts/${contact.id}`, { base: contact.heads, resume: true });
      await app.go("contact", { id: contact.id });
    } catch (error) {
      app.failed(error);
    }
  });
  return h("li", { class: ended === "parked" ? "parked" : "", "data-id": contact.id },
    h("button", { type: "button", class: "row", onclick: () => app.go("contact", { id: contact.id }) },
      h("span", { class: "name" }, h("strong", { class: contact.name ? "" : "quiet" }, name),
        h("span", { class: "quiet" }, clock(contact.started_at), contact.reading ? ` · ${contact.reading}` : "")),
      h("span", { class: "tags" },
        contact.category ? tag(contact.category.tone, contact.category.words) : tag("none", t("No reading")),
        ended === "parked" ? tag("plain", t("Parked"), "pause") : null,
        ended === null ? tag("plain", t("Open")) : null,
        ended === "left_early" ? tag("plain", t("Left early")) : null,
        contact.conflicts > 0 ? tag("warn", t("Disagrees"), "warn") : null,
        contact.refused > 0 ? tag("warn", t("Refused"), "warn") : null,
        contact.waiting ? tag("wait", t("Not at base yet"), "up") : null)),
    ended === "parked" ? button("main resume", t("Resume"), resume, { "aria-label": t("Resume {name}", { name }) }) : null);
}

/** Counts. Taps that come quickly one after the other become one entry: three seconds after the last. */
function tallies(id, app) {
  const waiting = new Map();
  let sums = {};
  let timer = null;
  const cells = new Map();

  const draw = () => {
    for (const { code } of app.lists.tallies) {
      cells.get(code).textContent = (sums[code] ?? 0) + (waiting.get(code) ?? 0);
    }
    undo.hidden = waiting.size === 0;
  };
  const send = async (leaving = false) => {
    clearTimeout(timer);
    const all = [...waiting].filter(([, n]) => n !== 0);
    waiting.clear();
    for (const [name, n] of all) sums[name] = (sums[name] ?? 0) + n;
    draw();
    for (const [name, n] of all) {
      try {
        await post(`/api/sessions/${id}/tallies`, { name, n }, { keepalive: leaving === true });
      } catch (error) {
        sums[name] -= n;
        waiting.set(name, (waiting.get(name) ?? 0) + n);
        draw();
        app.failed(error);
      }
    }
  };
  const add = (code, label) => () => {
    waiting.set(code, (waiting.get(code) ?? 0) + 1);
    clearTimeout(timer);
    timer = setTimeout(send, 3000);
    draw();
    say(`${label}: ${cells.get(code).textContent}`);
  };
  const undo = button("quiet", t("Undo"), () => {
    clearTimeout(timer);
    waiting.clear();
    draw();
  }, { hidden: true });
  const node = h("section", { class: "tallies" }, h("div", { class: "head" }, h("h2", {}, t("Counts")), undo),
    h("div", { class: "tally-grid" }, app.lists.tallies.map(({ code, label }) => {
      const n = h("strong", { class: "n" }, "0");
      cells.set(code, n);
      return h("button", { type: "button", class: "tally", onclick: add(code, label), "aria-label": t("Add one: {what}", { what: label }) },
        n, h("span", {}, label), icon("plus"));
    })));
  return {
    node, send,
    show(next) {
      sums = { ...next };
      draw();
    },
  };
}
