// One check: what the reading means, what to do next, and every reading to look back at.

import { get, post } from "./api.js";
import { button, fill, h, notice, once, say, tag } from "./dom.js";
import { ARMS, POSITIONS, isReading, phoneNow, readingLabel, saw, stepCard } from "./guide.js";
import { t } from "./phrases.js";
import { clock, date, dayTime } from "./words.js";

const ENDED = { completed: t("Finished"), left_early: t("Left early"), parked: t("Parked") };

export async function contact({ id, seen = false }, app) {
  let known = await get(`/api/contacts/${id}`);
  let guide = { stop() {} };
  const node = h("div", { class: "check" });

  const save = async (change, then) => {
    try {
      known = await post(`/api/contacts/${id}`, { base: known.heads, ...change });
      if (then) await then();
      else if (interrupted(known)) await app.go(interrupted(known), { id }, { replace: true });
      else draw();
    } catch (error) {
      app.failed(error);
    }
  };
  const tap = (change, then) => async (event) => once(event.currentTarget, () => save(change, then));
  const today = () => app.go("session", { id: known.session }, { replace: true });

  const draw = () => {
    const { ended, result, step } = known;
    guide.stop();
    guide = ended === null || ended === "parked" ? stepCard(known, app, tap) : { node: null, stop() {} };
    const reading = result.another_reading_due || isReading(step) || known.readings.length === 0;
    fill(node, head(known, app), warnings(known, app),
      h("div", { class: "columns" },
        h("div", {}, verdict(known), guide.node, ended === null ? asked(known, tap) : null),
        h("div", {}, readings(known, app), arranged(known, app), more(known, app))),
      h("div", { class: "ways-out sticky" },
        ended === null ? [
          button(reading ? "main tall grow" : "plain tall", readingLabel(step, known.readings),
            () => app.go("pressure", { contact: id, session: known.session })),
          button(reading ? "plain tall" : "main tall grow", t("Finish"), tap({ ended: "completed", saw: saw(known) }, today)),
          button("plain tall", t("Park"), tap({ ended: "parked" }, today)),
          button("plain tall", t("Left early"), tap({ ended: "left_early" }, today)),
        ] : [
          button("main tall grow", t("Back to today"), today),
          button("plain tall", ended === "parked" ? t("Resume") : t("Open again"), tap({ resume: true })),
        ]));
  };
  draw();
  if (known.emergency && !known.told_emergency && !known.emergency_refused && !seen) {
    await app.go("emergency", { id }, { replace: true });
    return null;
  }
  if (known.result.category) say(known.result.category.words);
  return {
    title: known.person?.name ?? t("No details"),
    back: ["session", { id: known.session }],
    node,
    async refresh() {
      known = await get(`/api/contacts/${id}`);
      const held = document.activeElement?.closest("main button")?.textContent;
      draw();
      if (held) [...node.querySelectorAll("button")].find((other) => other.textContent === held)?.focus();
    },
    leave: () => guide.stop(),
  };
}

/** The screen that comes before everything else, if one does. */
export function interrupted(known) {
  if (known.emergency && !known.told_emergency && !known.emergency_refused) return "emergency";
  return known.flags_due && known.ended === null ? "flags" : null;
}

function head(known, app) {
  const { person } = known;
  return h("div", { class: "who" },
    h("div", {}, h("h1", {}, person?.name ?? t("No details")),
      h("p", { class: "quiet" }, person?.about ?? t("Somebody who gave no details"), ` · ${clock(known.started_at)}`)),
    h("div", { class: "tags" }, known.ended ? tag("plain", ENDED[known.ended] ?? known.ended) : null,
      known.waiting ? tag("wait", t("Not at base yet"), "up") : tag("done", t("At base"), "done"),
      person ? button("quiet", t("Details"), () => app.go("person", { session: known.session, id: person.id, contact: known.id })) : null,
      person ? button("quiet", t("History"), () => app.go("timeline", { id: person.id, contact: known.id })) : null));
}

function warnings(known, app) {
  return [
    known.in_error ? notice("warn", t("This check was entered in error."), h("p", {}, known.in_error)) : null,
    phoneNow(known, app),
    known.flags_due && known.ended === null ? notice("bad", t("The red-flag questions have not been asked."),
      button("main", t("Ask them now"), () => app.go("flags", { id: known.id }))) : null,
    ...known.refused.map((why) => notice("warn", t("Refused by base"), h("p", {}, why))),
    known.conflicts > 0 || known.person?.conflicts > 0 ? notice("warn", t("Two people wrote different things here."),
      button("plain", t("Look and settle"), () => app.go("settle", { id: known.conflicts > 0 ? known.id : known.person.id }))) : null,
  ];
}

/** The category in words and colour, then what to do, then why. */
function verdict({ result, ended }) {
  const { category, todo } = result;
  return h("section", { class: `verdict ${category?.tone ?? "none"}` },
    h("p", { class: "category" }, category?.words ?? t("No reading")),
    result.systolic ? h("p", { class: "pair" }, `${result.systolic}/${result.diastolic}`, h("small", {}, " mmHg")) : null,
    result.another_reading_due ? h("p", { class: "due" }, t("Take another reading, after a minute’s rest.")) : null,
    todo.length > 0 ? h("ul", { class: "todo" }, todo.map((step) => h("li", { class: step.urgency },
      h("strong", {}, step.title), step.how ? h("span", {}, step.how) : null))) : null,
    result.disputed ? h("p", { class: "then" }, result.disputed) : null,
    result.then ? h("p", { class: "then" }, result.then) : null,
    h("p", { class: "why" }, `${result.why}.`,
      todo.length > 0 && !ended ? ` ${t("Finish also keeps that this advice was given.")}` : ""));
}

/** What changes the advice besides the numbers. */
function asked(known, tap) {
  return h("details", { class: "card", open: known.asked.some((question) => question.on) },
    h("summary", {}, t("Anything else that matters?")),
    h("div", { class: "toggles" }, known.asked.map(({ label, on, set }) => h("button", {
      type: "button", class: "toggle", "aria-pressed": String(on), onclick: tap({ set }),
    }, label))));
}

function readings(known, app) {
  if (known.readings.length === 0) return h("p", { class: "quiet" }, t("No reading was taken."));
  return h("section", { class: "card" }, h("h2", {}, t("Readings")),
    h("ol", { class: "readings" }, known.readings.map((reading) => h("li", { class: reading.state },
      h("div", {},
        h(reading.state === "live" ? "strong" : "del", { class: "pair" }, `${reading.systolic}/${reading.diastolic}`),
        h("span", { class: "quiet" }, [
          reading.pulse ? t("pulse {n}", { n: reading.pulse }) : null,
          reading.arm ? ARMS[reading.arm] ?? reading.arm : null,
          reading.position && reading.position !== "sitting" ? POSITIONS[reading.position] : null,
          reading.setting === "clinic" ? clock(reading.taken_at) : dayTime(reading.taken_at),
        ].filter(Boolean).join(" · "))),
      h("div", { class: "tags" },
        reading.chosen ? tag("plain", t("This one counts")) : null,
        reading.state === "corrected" ? tag("plain", t("Corrected")) : null,
        reading.state === "struck_out" ? tag("plain", t("Struck out")) : null,
        reading.corrects ? tag("plain", t("Correction")) : null,
        reading.confirmed_unusual ? tag("plain", t("Unusual, confirmed")) : null,
        reading.state === "live" ? button("quiet", t("Correct"), () => app.go("correct", { id: known.id, reading: reading.id }),
          { "aria-label": t("Correct {reading}", { reading: `${reading.systolic}/${reading.diastolic}` }) }) : null),
      reading.reason ? h("p", { class: "quiet" }, reading.reason) : null))));
}

/** What was arranged, and what became of it. */
function arranged(known, app) {
  const { referrals, calls, follow_ups: followUps, loan } = known.arranged;
  if (referrals.length + calls.length + followUps.length === 0 && !loan) return null;
  const events = (list) => list.map((event) => h("p", { class: "quiet" },
    [event.label, event.words, clock(event.at), event.by].filter(Boolean).join(" · ")));
  const what = (one) => app.go("outcome", { id: known.id, ...one });
  return h("section", { class: "card" }, h("h2", {}, t("Arranged")), h("ul", { class: "arranged" },
    referrals.map((one) => h("li", {}, h("div", {}, h("strong", {}, `${one.to}: ${one.urgency_words}`),
      h("p", { class: "quiet" }, [one.reason, one.how, clock(one.at)].filter(Boolean).join(" · ")), events(one.events)),
    button("quiet", t("What became of it"), () => what({ referral: one.id }), { "aria-label": t("What became of: {what}", { what: one.to }) }))),
    followUps.map((one) => h("li", {}, h("div", {}, h("strong", {}, one.label),
      one.due_on ? h("p", { class: "quiet" }, t("due {date}", { date: date(one.due_on) })) : null, events(one.events)),
    button("quiet", t("What became of it"), () => what({ follow_up: one.id }), { "aria-label": t("What became of: {what}", { what: one.label }) }))),
    loan ? h("li", {}, h("div", {}, h("strong", {}, t("Monitor lent")), h("p", { class: "quiet" },
      [loan.device, clock(loan.lent_at), loan.returned_at ? t("returned") : null].filter(Boolean).join(" · ")))) : null,
    calls.map((one) => h("li", {}, h("div", {}, h("strong", {}, t("Call: {outcome}", { outcome: t(one.outcome) })),
      h("p", { class: "quiet" }, [one.spoke_to, one.about, clock(one.at), one.by].filter(Boolean).join(" · ")))))));
}

/** Everything else, one tap away. */
function more(known, app) {
  const { id } = known;
  const to = (label, screen, params) => button("plain", label, () => app.go(screen, { id, ...params }));
  return h("section", { class: "card" }, h("h2", {}, t("More")), h("div", { class: "buttons" },
    to(t("Health check"), "health"),
    to(t("Result card"), "card"),
    to(t("Refer"), "refer"),
    to(t("Write down a call"), "call", { urgency: known.result.urgency }),
    known.person ? to(t("Lend a monitor"), "lend") : null,
    to(t("Enter a diary"), "diary"),
    to(t("Come back to this"), "follow"),
    known.in_error ? null : to(t("Entered in error"), "mistake")));
}
