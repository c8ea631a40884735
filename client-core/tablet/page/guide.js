// The next step of a measurement: the program says what it is, this draws it.

import { button, h, icon, notice } from "./dom.js";
import { field } from "./form.js";
import { t } from "./phrases.js";

export const ARMS = { left: t("left arm"), right: t("right arm") };
export const POSITIONS = { sitting: t("sitting"), standing: t("standing"), lying: t("lying") };

/** When the wait of a step began that does not say itself: by check and step, as long as the page is open. */
const began = new Map();

/** Minutes and seconds until the step may be done. It never stops anybody: it only counts. */
export function countdown(step, id) {
  let until = step.not_before ? Date.parse(step.not_before) : null;
  if (until === null && step.wait_seconds) {
    const key = `${id} ${step.code}`;
    if (!began.has(key)) began.set(key, Date.now());
    until = began.get(key) + step.wait_seconds * 1000;
  }
  // Of a step whose time is another tablet's there may be nonsense: nobody waits for longer than it says.
  if (!until || until - Date.now() > 1000 * (step.wait_seconds ?? 0) + 1000) return { node: null, stop() {} };
  const node = h("p", { class: "countdown" });
  const draw = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    node.classList.toggle("over", left <= 0);
    node.replaceChildren(icon(left > 0 ? "clock" : "done"),
      left > 0 ? t("Wait {time} more", { time: `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` }) : t("The wait is over"));
    if (left <= 0) clearInterval(timer);
  };
  const timer = setInterval(draw, 500);
  draw();
  return { node, stop: () => clearInterval(timer) };
}

const BANDS = ["under_18", "18-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80-89", "90-99"];

/** Age bands as buttons: what stands in for a date of birth. */
function bands(save) {
  return h("div", { class: "buttons" }, BANDS.map((band) => button("plain",
    band === "under_18" ? t("Under 18") : t("{from} to {to}", { from: band.slice(0, 2), to: band.slice(3) }), save({ set: { age_band: band } }))));
}

/** Questions that one tap answers. */
export function answers(step, save) {
  switch (step.code) {
    case "ask_pregnant":
      return h("div", { class: "buttons" }, button("plain grow", t("Yes"), save({ set: { pregnant: true } })),
        button("plain grow", t("No"), save({ set: { pregnant: false } })));
    case "ask_pulse_rhythm":
    case "recheck_pulse":
      return h("div", { class: "buttons" },
        step.choices.map(({ code, label }) => button("plain grow", label, save({ set: { [step.path]: code } }))),
        step.code === "recheck_pulse" ? button("plain", t("Atrial fibrillation is known"),
          save({ set: { "prior_diagnosis/af": true } })) : null);
    default:
      return null;
  }
}

/** Symptoms: as many as there are, then on. */
function symptoms(step, save) {
  const chosen = new Set();
  const none = step.choices.at(-1).code;
  const toggle = (code) => ({ currentTarget }) => {
    const on = !chosen.has(code);
    if (on) chosen.add(code);
    else chosen.delete(code);
    currentTarget.setAttribute("aria-pressed", String(on));
  };
  return [
    h("div", { class: "toggles" }, step.choices.filter(({ code }) => code !== none).map(({ code, label }) => h("button", {
      type: "button", class: "toggle", "aria-pressed": "false", onclick: toggle(code),
    }, label))),
    h("div", { class: "buttons" },
      button("main", t("Save these"), (event) => (chosen.size === 0 ? undefined : save({
        set: Object.fromEntries([...chosen].map((code) => [`${step.path}/${code}`, true])),
      })(event))),
      button("plain", step.choices.at(-1).label, save({ set: { [`${step.path}/${none}`]: true } }))),
  ];
}

const SKIP = {
  ask_age: t("They would rather not say"), ask_pregnant: t("They would rather not say"), ask_symptoms: t("They would rather not say"),
  ask_pulse_rhythm: t("Cannot be felt or refused"), recheck_pulse: t("Not felt again"), offer_monitoring: t("Monitoring is declined"),
  arrange: t("They do not want this"), give_advice: t("They do not want advice"), enter_home_readings: t("There are no more readings"),
};

/**
 * The card. `save(change)` gives a listener that saves; `known` is the check. Readings have their button below, where
 * it always is.
 */
export function stepCard(known, app, save) {
  const { step } = known;
  if (step.code === "done" || step.interrupts) return { node: null, stop() {} };
  const wait = countdown(step, known.id);
  const open = (screen, params) => () => app.go(screen, { id: known.id, ...params });
  const inside = {
    ask_age: () => (known.person
      ? button("main", t("Add the date of birth or age"), open("person", { session: known.session, id: known.person.id, contact: known.id }))
      : bands(save)),
    ask_symptoms: () => symptoms(step, save),
    enter_home_readings: () => button("main", t("Enter the diary"), open("diary")),
    offer_monitoring: () => h("div", { class: "buttons" },
      known.person ? button("main", t("Lend a monitor"), open("lend")) : null,
      button("plain", t("Refer for monitoring"), open("refer", { reason: "24-hour or home monitoring" }))),
    arrange: () => arrange(known, open),
    give_advice: () => button("main", t("They have been told"), save({ saw: saw(known) })),
  };
  const content = inside[step.code]?.() ?? answers(step, save);
  const skip = step.skip && SKIP[step.code]
    ? button("quiet", SKIP[step.code], save({ declined: [step.skip] })) : null;
  return {
    node: h("section", { class: "card step", "data-step": step.code }, h("h2", {}, t("Next")),
      h("p", { class: "step-text" }, step.text), wait.node,
      step.notes.length > 0 ? h("ul", { class: "step-notes" }, step.notes.map((note) => h("li", {}, note))) : null,
      content, skip),
    stop: wait.stop,
  };
}

/** What stood on the screen when advice was given. */
export function saw(known) {
  const { result } = known;
  return { category: result.category?.code, actions: result.todo.map(({ code }) => code), rules: result.rules };
}

/** Urgent: a call. Otherwise: how they get there. */
function arrange(known, open) {
  const { urgency } = known.result;
  if (known.told_due) {
    return h("div", { class: "buttons" }, known.told_due.map(({ code, label }) => button("main", t("Phone: {whom}", { whom: label }),
      open("call", { to: code, urgency }))));
  }
  return button("main", t("Refer"), open("refer", { to: "gp" }));
}

/** Reading where: which number, arm, position. */
export function nextReading(step) {
  return step?.reading ?? null;
}

/** A step that is a reading. */
export function isReading(step) {
  return ["take_reading", "take_standing", "take_lying"].includes(step?.code);
}

/** What a reading's button says. */
export function readingLabel(step, readings) {
  if (readings.length === 0) return t("Take a reading");
  if (!isReading(step)) return t("Another reading");
  const { arm, position } = step.reading;
  const where = [ARMS[arm], position === "sitting" ? null : POSITIONS[position]].filter(Boolean);
  return where.length > 0 ? t("Take another reading: {where}", { where: where.join(", ") }) : t("Take another reading");
}

/** A line for the one thing that staff must type: with whom they spoke. */
export function spokeTo() {
  return field("spoke_to", t("With whom did you speak?"), { hint: t("Name or role, as in duty doctor") });
}

/** Nobody at base can see it: phone. */
export function phoneNow(known, app) {
  if (!known.phone_now) return null;
  return notice("bad", t("Nobody at base can see this yet. Phone now."),
    button("main", t("Write down the call"), () => app.go("call", { id: known.id, urgency: known.result.urgency })));
}
