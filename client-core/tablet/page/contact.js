// One check: what the reading means, what to do next, and every reading to look back at.

import { get, post } from "./api.js";
import { button, fill, h, notice, once, say, tag } from "./dom.js";
import { clock } from "./words.js";

const ENDED = { completed: "Finished", left_early: "Left early", parked: "Parked" };

export async function contact({ id, seen = false }, app) {
  let known = await get(`/api/contacts/${id}`);
  const node = h("div", { class: "check" });

  const save = async (change, then) => {
    try {
      known = await post(`/api/contacts/${id}`, { base: known.heads, ...change });
      if (then) await then();
      else draw();
    } catch (error) {
      app.failed(error);
    }
  };
  const tap = (change, then) => async (event) => once(event.currentTarget, () => save(change, then));
  const today = () => app.go("session", { id: known.session }, { replace: true });

  const draw = () => {
    const { ended, result } = known;
    fill(node, head(known, app), warnings(known, app),
      h("div", { class: "columns" },
        h("div", {}, verdict(known),
          known.told_due ? told(known.told_due, tap) : null,
          ended === null ? asked(known, tap) : null),
        h("div", {}, readings(known, app))),
      h("div", { class: "ways-out sticky" },
        ended === null ? [
          button(result.another_reading_due || known.readings.length === 0 ? "main tall grow" : "plain tall",
            known.readings.length === 0 ? "Take a reading" : result.another_reading_due ? "Take another reading" : "Another reading",
            () => app.go("pressure", { contact: id, session: known.session })),
          button(result.another_reading_due || known.readings.length === 0 ? "plain tall" : "main tall grow",
            "Finish", tap({ ended: "completed" }, today)),
          button("plain tall", "Park", tap({ ended: "parked" }, today)),
          button("plain tall", "Left early", tap({ ended: "left_early" }, today)),
        ] : [
          button("main tall grow", "Back to today", today),
          button("plain tall", ended === "parked" ? "Resume" : "Open again", tap({ resume: true })),
        ]));
  };
  draw();
  if (known.emergency && !known.told_emergency && !seen) {
    await app.go("emergency", { id }, { replace: true });
    return null;
  }
  if (known.result.category) say(known.result.category.words);
  return {
    title: known.person?.name ?? "No details",
    back: ["session", { id: known.session }],
    node,
    async refresh() {
      known = await get(`/api/contacts/${id}`);
      const held = document.activeElement?.closest("main button")?.textContent;
      draw();
      if (held) [...node.querySelectorAll("button")].find((other) => other.textContent === held)?.focus();
    },
  };
}

function head(known, app) {
  const { person } = known;
  return h("div", { class: "who" },
    h("div", {}, h("h1", {}, person?.name ?? "No details"),
      h("p", { class: "quiet" }, person?.about ?? "Somebody who gave no details", ` · ${clock(known.started_at)}`)),
    h("div", { class: "tags" }, known.ended ? tag("plain", ENDED[known.ended] ?? known.ended) : null,
      known.waiting ? tag("wait", "Not at base yet", "up") : tag("done", "At base", "done"),
      person ? button("quiet", "Details", () => app.go("person", { session: known.session, id: person.id, contact: known.id })) : null));
}

function warnings(known, app) {
  return [
    known.phone_now ? notice("bad", "Nobody at base can see this yet. Phone now.") : null,
    known.flags_due && known.ended === null ? notice("bad", "The red-flag questions have not been asked.",
      button("main", "Ask them now", () => app.go("flags", { id: known.id }))) : null,
    ...known.refused.map((why) => notice("warn", "Refused by base", h("p", {}, why))),
    known.conflicts > 0 || known.person?.conflicts > 0 ? notice("warn", "Two people wrote different things here.",
      button("plain", "Look and settle", () => app.go("settle", { id: known.conflicts > 0 ? known.id : known.person.id }))) : null,
  ];
}

/** The category in words and colour, then what to do, then why. */
function verdict({ result, ended }) {
  const { category, todo } = result;
  return h("section", { class: `verdict ${category?.tone ?? "none"}` },
    h("p", { class: "category" }, category?.words ?? "No reading"),
    result.systolic ? h("p", { class: "pair" }, `${result.systolic}/${result.diastolic}`, h("small", {}, " mmHg")) : null,
    result.another_reading_due ? h("p", { class: "due" }, "Take another reading, after a minute’s rest.") : null,
    todo.length > 0 ? h("ul", { class: "todo" }, todo.map((step) => h("li", { class: step.urgency },
      h("strong", {}, step.title), h("span", {}, step.how)))) : null,
    h("p", { class: "why" }, `${result.why}.`,
      todo.length > 0 && !ended ? " Finish also keeps that this advice was given." : ""));
}

/** Who was told, and that it was now: kept in the record. */
function told({ title, choices }, tap) {
  return h("section", { class: "card" }, h("h2", {}, title),
    h("div", { class: "buttons" }, choices.map(({ code, label }) => button("plain", label, tap({ told: code })))));
}

/** What changes the advice besides the numbers. */
function asked(known, tap) {
  return h("details", { class: "card", open: known.asked.some((question) => question.on) },
    h("summary", {}, "Anything else that matters?"),
    h("div", { class: "toggles" }, known.asked.map(({ code, label, on }) => h("button", {
      type: "button", class: "toggle", "aria-pressed": String(on), onclick: tap({ asked: code, on: !on }),
    }, label))));
}

function readings(known, app) {
  if (known.readings.length === 0) return h("p", { class: "quiet" }, "No reading was taken.");
  return h("section", { class: "card" }, h("h2", {}, "Readings"),
    h("ol", { class: "readings" }, known.readings.map((reading) => h("li", { class: reading.state },
      h("div", {},
        h(reading.state === "live" ? "strong" : "del", { class: "pair" }, `${reading.systolic}/${reading.diastolic}`),
        h("span", { class: "quiet" }, [
          reading.pulse ? `pulse ${reading.pulse}` : null, reading.arm ? `${reading.arm} arm` : null, clock(reading.taken_at),
        ].filter(Boolean).join(" · "))),
      h("div", { class: "tags" },
        reading.chosen ? tag("plain", "This one counts") : null,
        reading.state === "corrected" ? tag("plain", "Corrected") : null,
        reading.state === "struck_out" ? tag("plain", "Struck out") : null,
        reading.corrects ? tag("plain", "Correction") : null,
        reading.confirmed_unusual ? tag("plain", "Unusual, confirmed") : null,
        reading.state === "live" ? button("quiet", "Correct", () => app.go("correct", { id: known.id, reading: reading.id }),
          { "aria-label": `Correct ${reading.systolic}/${reading.diastolic}` }) : null),
      reading.reason ? h("p", { class: "quiet" }, reading.reason) : null))),
    known.told.length > 0 ? h("ul", { class: "told" }, known.told.map((one) => h("li", { class: "quiet" },
      `${one.label}, ${clock(one.at)}`))) : null);
}
