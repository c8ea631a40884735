// The number pad: three fields, twelve keys, and what is wrong beside the field it is about.

import { post } from "./api.js";
import { fill, h, icon, say } from "./dom.js";
import { FIELDS, blank, press, select, values } from "./pad-rules.js";
import { t } from "./phrases.js";

const NAMES = { systolic: t("Systolic"), diastolic: t("Diastolic"), pulse: t("Pulse") };
const HINTS = { systolic: t("upper"), diastolic: t("lower"), pulse: t("optional") };

/** A pad that calls `done(values)`. It begins with `from` where a reading is corrected. */
export function pad(done, from) {
  let state = blank();
  for (const name of FIELDS) state[name] = String(from?.[name] ?? "");
  if (from) state = select(state, 0);
  const cells = new Map();
  const message = h("div", { class: "pad-message", role: "alert" });
  let problems = {};

  const draw = () => {
    FIELDS.forEach((name, at) => {
      const { cell, digits } = cells.get(name);
      digits.textContent = state[name];
      cell.classList.toggle("now", at === state.at);
      cell.classList.toggle("fresh", at === state.at && state.fresh);
      cell.classList.toggle("wrong", name in problems);
      cell.setAttribute("aria-label", [`${NAMES[name]}: ${state[name] || t("empty")}`, at === state.at ? t("being typed") : null].filter(Boolean).join(", "));
      if (at === state.at) cell.setAttribute("aria-current", "true");
      else cell.removeAttribute("aria-current");
    });
    const shown = FIELDS.filter((name) => name in problems).map((name) => h("p", {}, problems[name]));
    if (message.dataset.asks !== "yes") fill(message, shown);
  };

  const key = (name) => {
    const before = state;
    state = press(state, name);
    if (state === before) return;
    // What was said about a field is about what it held then.
    const typed = FIELDS[before.at];
    delete problems[typed];
    delete problems[FIELDS[state.at]];
    clearQuestion();
    draw();
    if (state.at !== before.at) {
      say(`${NAMES[FIELDS[state.at]]}`);
      if (name !== "back") check(typed);
    }
  };

  /** Says at once what cannot be right about a field that is finished. */
  async function check(name) {
    if (state[name] === "") return;
    const was = state;
    const { findings } = await post("/api/check/reading", values(state)).catch(() => ({ findings: [] }));
    const blocked = findings.filter((finding) => finding.level === "block" && was[finding.path] === state[finding.path]);
    for (const finding of blocked) problems[finding.path] = finding.message;
    const at = FIELDS.indexOf(blocked[0]?.path);
    // Back to the wrong field, unless somebody is typing the next one already.
    if (at >= 0 && at < state.at && state[FIELDS[state.at]] === "") state = select(state, at);
    draw();
  }

  function wrong(path, text) {
    const at = FIELDS.indexOf(path);
    if (at < 0) return false;
    problems[path] = text;
    state = select(state, at);
    draw();
    return true;
  }

  function clearQuestion() {
    if (message.dataset.asks === "yes") {
      message.dataset.asks = "no";
      fill(message);
    }
  }

  const finish = () => {
    problems = {};
    for (const name of ["systolic", "diastolic"]) {
      if (state[name] === "") return wrong(name, t("{what} is missing.", { what: NAMES[name] }));
    }
    draw();
    return done(values(state));
  };

  const keyButton = (name, label, face = label) =>
    h("button", { type: "button", class: `key key-${name}`, onclick: () => key(name), "aria-label": label }, face);
  const doneButton = h("button", { type: "button", class: "key key-done", onclick: () => finish() }, t("Done"));
  const node = h("div", { class: "pad" },
    h("div", { class: "values", role: "group", "aria-label": t("Blood pressure") }, FIELDS.map((name, at) => {
      const digits = h("span", { class: "digits" });
      const cell = h("button", { type: "button", class: `value ${name}`, onclick: () => { state = select(state, at); draw(); } },
        h("span", { class: "value-name" }, NAMES[name], h("small", {}, HINTS[name])), digits);
      cells.set(name, { cell, digits });
      return cell;
    })),
    message,
    h("div", { class: "keys" }, [..."123456789"].map((n) => keyButton(n, n)),
      keyButton("back", t("Delete"), icon("erase")), keyButton("0", "0"), keyButton("next", t("Next"))),
    doneButton);

  const typed = (event) => {
    // Behind the lock somebody types a PIN.
    if (node.closest("[hidden]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
    const { key: name } = event;
    const own = node.contains(event.target) && !event.target.classList.contains("key-done");
    if (/^[0-9]$/.test(name)) key(name);
    else if (name === "Backspace") key("back");
    // On a key of the pad, Enter is that key.
    else if (name === "Enter" && !own && event.target === document.querySelector("main h1")) finish();
    else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", typed);
  draw();

  return {
    node, wrong, finish,
    /** Asks about an unusual value: again, or is it right? */
    ask(texts, again, right) {
      message.dataset.asks = "yes";
      const choose = (work) => () => {
        clearQuestion();
        work();
      };
      const yes = h("button", { type: "button", class: "button plain", onclick: choose(right) }, t("Yes, it is right"));
      const no = h("button", { type: "button", class: "button main", onclick: choose(() => {
        state = blank();
        problems = {};
        draw();
        again();
      }) }, t("Measure again"));
      fill(message, texts.map((text) => h("p", {}, text)), h("div", { class: "buttons" }, no, yes));
      no.focus();
    },
    stop: () => document.removeEventListener("keydown", typed),
  };
}
