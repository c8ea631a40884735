// Fields of forms: a label, a hint, the error beside it, and where it makes sense "asked, declined".

import { h } from "./dom.js";
import { t } from "./phrases.js";

function framed(id, label, control, { hint, declined = false, can_decline = false, beside } = {}) {
  const error = h("p", { class: "error", id: `${id}-error` });
  const note = h("p", { class: "note", id: `${id}-note`, role: "status" });
  const sure = h("input", { type: "checkbox", id: `${id}-sure` });
  const doubt = h("div", { class: "doubt" }, h("label", {}, sure, t("It is right: keep it")));
  doubt.hidden = true;
  const box = can_decline
    ? h("input", { type: "checkbox", id: `${id}-declined`, checked: declined,
      "aria-label": t("{what}: asked, declined", { what: label }) })
    : null;
  const node = h("div", { class: "field" },
    h("div", { class: "field-head" }, h("label", { for: id }, label),
      box ? h("label", { class: "declined" }, box, t("Asked, declined")) : null),
    hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null,
    error, h("div", { class: "beside" }, control, beside), note, doubt);
  control.setAttribute("aria-describedby", `${hint ? `${id}-hint ` : ""}${id}-error ${id}-note`);
  const show = (message) => {
    error.textContent = message;
    node.classList.toggle("wrong", message !== "");
    if (message) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  };
  const grey = () => {
    control.disabled = box?.checked === true;
    if (control.disabled) show("");
  };
  control.addEventListener("input", () => { sure.checked = false; });
  box?.addEventListener("change", grey);
  if (box) grey();
  return {
    node, control,
    /** Declined fields keep what was typed on the screen, but it is not sent. */
    value: () => (box?.checked ? "" : control.value.trim()),
    declined: () => box?.checked === true,
    wrong: show,
    /** Whether somebody said of an unusual value that it is right. */
    confirmed: () => !doubt.hidden && sure.checked,
    /** What the rules say of the value: cannot be saved, is unusual, or is fine and means something. */
    finding(found) {
      const { level = "fine", message = "", shown = "" } = found ?? {};
      show(level === "block" ? message : "");
      node.classList.toggle("unsure", level === "confirm");
      doubt.hidden = level !== "confirm";
      note.textContent = level === "block" ? "" : [level === "fine" ? shown : "", message].filter(Boolean).join(": ");
      note.className = level === "confirm" ? "note unsure" : message ? "note" : "note good";
    },
    /** As it was before anybody looked. A value that is typed again is confirmed again. */
    clear() {
      sure.checked = false;
      this.finding(undefined);
    },
    note(words, tone = "") {
      note.textContent = words;
      note.className = `note ${tone}`;
    },
  };
}

/** A field for text. Nothing that is typed is kept by the browser. */
export function field(id, label, { value = "", mode, lines, oninput, onblur, width, ...rest } = {}) {
  const common = {
    id, name: id, value, autocomplete: "off", autocapitalize: mode ? "off" : "words", spellcheck: "false",
    class: width, oninput, onblur,
  };
  const control = lines
    ? h("textarea", { ...common, rows: lines, autocapitalize: "off" })
    : h("input", { ...common, type: "text", inputmode: mode });
  return framed(id, label, control, rest);
}

/** A choice from a list of `{code, label, group}`. */
export function select(id, label, options, value = "", rest = {}) {
  const groups = new Map();
  for (const option of options) {
    const list = groups.get(option.group) ?? [];
    list.push(h("option", { value: option.code }, option.label));
    groups.set(option.group, list);
  }
  const children = [...groups].map(([group, list]) => (group ? h("optgroup", { label: group }, list) : list));
  const control = h("select", { id, name: id },
    options.some(({ code }) => code === value) ? null : h("option", { value: "" }, t("Choose…")), children);
  control.value = value;
  return framed(id, label, control, rest);
}

/** Buttons of which one is pressed. `options` are `{code, label}`. */
export function segments(name, label, options, value, changed) {
  const node = h("div", { class: "segments", role: "radiogroup", "aria-label": label });
  const buttons = options.map(({ code, label: words }) => h("label", { class: "segment" },
    h("input", { type: "radio", name, value: code, checked: code === value, onchange: () => changed?.(code) }),
    h("span", {}, words)));
  node.append(...buttons);
  return { node, value: () => node.querySelector("input:checked")?.value ?? "" };
}

/** Puts an error beside the field that it means, and the cursor there. False where no field is meant. */
export function errors(fields, error) {
  for (const control of Object.values(fields)) control.wrong?.("");
  const several = error.path === "" ? [] : [[error.path, error.message]];
  for (const [path, message] of [...several, ...(error.others ?? [])]) fields[path]?.wrong?.(message);
  const first = fields[error.path];
  if (!first?.control) return false;
  first.control.focus();
  return true;
}
