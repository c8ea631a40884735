// A health check: its type, what is there and what is missing, and a form for the rest.

import { get, post } from "./api.js";
import { button, fill, h, notice, once, say, tag } from "./dom.js";
import { errors, field, segments, select } from "./form.js";
import { t } from "./phrases.js";

/** Which field of the form answers which item of the check, and the word that declines it. */
const ITEMS = {
  height: "measurements/height", weight: "measurements/weight", waist: "measurements/waist",
  total_cholesterol: "measurements/total_cholesterol", hba1c: "measurements/hba1c", smoking: "lifestyle/smoking",
  alcohol: "lifestyle/audit_c", activity: "lifestyle/gppaq", family_history: "lifestyle/family_history",
  risk_score: "lifestyle/risk_score",
};
const HOLDS = { cholesterol: "total_cholesterol" };

export async function health({ id }, app) {
  let known = await get(`/api/contacts/${id}/health`);
  const node = h("div", { class: "narrow" });
  let fields;

  const save = async (change) => {
    await post(`/api/contacts/${id}`, { base: known.heads, ...change });
    known = await get(`/api/contacts/${id}/health`);
  };
  const tap = (change) => async (event) => once(event.currentTarget, async () => {
    try {
      // What is typed below goes with it: nothing is lost by a tap.
      await save(merged(changes(), change));
      draw();
    } catch (error) {
      if (!errors(fields, error)) app.failed(error);
    }
  });
  const submit = async (event) => {
    event.preventDefault();
    await once(event.currentTarget, async () => {
      const ok = await checked();
      if (!ok) return;
      try {
        await save(changes());
        draw();
        say(known.progress);
        window.scrollTo(0, 0);
      } catch (error) {
        if (!errors(fields, error)) app.failed(error);
      }
    });
  };

  /** The limits, before anything is saved: a wrong figure stops it, an odd one is asked about. */
  async function checked() {
    let open = null;
    for (const { code } of known.lists.measured) {
      const control = fields[code];
      if (control.value() === "") {
        control.clear();
        continue;
      }
      const { findings } = await post("/api/check/measurement", { what: code, value: control.value() });
      control.finding(findings[0] ?? { level: "fine" });
      if (findings[0] && !(findings[0].level === "confirm" && control.confirmed())) open ??= control;
    }
    open?.control.focus();
    return open === null;
  }

  /** Only what differs from what is there. */
  function changes() {
    const { form } = known;
    const set = {};
    const declined = [];
    const measurements = known.lists.measured.map(({ code, unit }) => {
      const typed = fields[code].value().replace(",", ".");
      if (typed === "" || Number(typed) === form[code]) return null;
      return { what: code, value: Number(typed), unit, ...(fields[code].confirmed() ? { confirmed_unusual: true } : {}) };
    }).filter(Boolean);
    if (measurements.length > 0) set.measurements = measurements;
    if (fields.smoking.value() && fields.smoking.value() !== form.smoking) set["lifestyle/smoking"] = fields.smoking.value();
    const audit = Object.fromEntries(["q1", "q2", "q3"].map((q) => [q, fields[q].value()]).filter(([, v]) => v !== "")
      .map(([q, v]) => [q, Number(v)]));
    if (Object.keys(audit).length > 0 && ["q1", "q2", "q3"].some((q) => audit[q] !== form.audit_c?.[q])) set["lifestyle/audit_c"] = audit;
    const active = Object.fromEntries(["work", "exercise", "cycling"].map((name) => [name, fields[name].value()]).filter(([, v]) => v !== ""));
    if (["work", "exercise", "cycling"].some((name) => (active[name] ?? "") !== (form.gppaq?.[name] ?? ""))) set["lifestyle/gppaq"] = active;
    const family = fields.family_history.value();
    if (family && family !== form.family_history) {
      set["lifestyle/family_history/chd_under_60"] = family === "yes";
      set["lifestyle/family_history/none"] = family === "no";
    }
    const score = fields.risk_score.value().replace(",", ".");
    if (score !== "" && Number(score) !== form.risk_score?.value) {
      set["lifestyle/risk_score"] = { name: "Cardiovascular risk", value: Number(score), source: fields.risk_source.value() || null };
    }
    for (const [name, word] of Object.entries(ITEMS)) {
      if (fields[name]?.declined() && !known.declined?.includes(word)) declined.push(word);
    }
    return { set, declined };
  }

  const draw = () => {
    fields = form(known);
    const type = select("check_type", t("Which check?"), known.lists.types, known.check_type ?? "bp_only");
    type.control.addEventListener("change", (event) => tap({ set: { check_type: type.value() } })(event));
    const section = (title, ...names) => h("section", { class: "card" }, h("h2", {}, title),
      h("div", { class: "form" }, names.map((name) => fields[name].node)));
    fill(node, h("div", { class: "who" }, h("div", {}, h("h1", {}, t("Health check")),
      h("p", { class: "quiet" }, known.person?.name ?? t("No details")))),
    type.node,
    notice(known.eligibility.yes ? "calm" : "warn", known.eligibility.words),
    h("details", { class: "card", open: known.diagnoses.some(({ on }) => on) },
      h("summary", {}, t("Diagnosed already?")),
      h("div", { class: "toggles" }, known.diagnoses.map(({ code, label, on }) => h("button", {
        type: "button", class: "toggle", "aria-pressed": String(on), onclick: tap({ set: { [`prior_diagnosis/${code}`]: !on } }),
      }, label)))),
    progress(known, app, tap),
    known.results.length > 0 ? h("section", { class: "card" }, h("h2", {}, t("What it comes to")),
      h("ul", { class: "results-list" }, known.results.map((words) => h("li", {}, words)))) : null,
    h("form", { class: "form", novalidate: true, onsubmit: submit },
      section(t("Body"), "height", "weight", "waist"),
      section(t("Smoking and alcohol"), "smoking", "alcohol"),
      section(t("Activity"), "activity"),
      section(t("Family"), "family_history"),
      section(t("Blood, and a risk score from elsewhere"), "total_cholesterol", "hdl", "hba1c", "risk_score", "risk_source"),
      h("div", { class: "foot buttons" },
        h("button", { type: "submit", class: "button main tall grow" }, t("Save")),
        button("plain tall", t("Back to the check"), () => app.go("contact", { id, seen: true })))));
  };
  draw();
  return { title: t("Health check"), back: ["contact", { id, seen: true }], node };
}

function merged(typed, change) {
  return { set: { ...typed.set, ...change.set }, declined: typed.declined };
}

/** What of the check stands on another screen. */
const ELSEWHERE = { age: "person", sex: "person", ethnicity: "person", blood_pressure: "pressure" };

function progress(known, app, tap) {
  const item = ({ code, label, answer }) => {
    if (answer === "answered") return tag("done", label, "done");
    if (answer === "declined") return tag("plain", t("{what}: declined", { what: label }));
    const missing = (onclick) => h("button", { type: "button", class: "tag warn", onclick }, t("{what}: missing", { what: label }));
    const name = HOLDS[code] ?? code;
    if (name in ITEMS) return missing(jump(name));
    if (ELSEWHERE[code] === "person" && known.person) {
      return missing(() => app.go("person", { id: known.person.id, contact: known.id }));
    }
    if (ELSEWHERE[code] === "pressure") return missing(() => app.go("pressure", { contact: known.id }));
    if (code === "dementia_information") {
      return button("plain", t("Information on dementia was given"), tap({ set: { advice: [{ code: "DEMENTIA_INFORMATION" }] } }));
    }
    return tag("warn", t("{what}: missing", { what: label }));
  };
  return h("section", { class: "card progress" },
    h("h2", {}, t("There: {progress}", { progress: known.progress })),
    h("ul", { class: "items" }, known.items.map((one) => h("li", {}, item(one)))));
}

/** To the field; the address stays as it is. */
function jump(name) {
  return () => {
    const to = document.getElementById(name) ?? document.getElementById(`${name}-group`);
    to?.scrollIntoView({ block: "center" });
    (to?.matches("input, select") ? to : to?.querySelector("input, select"))?.focus({ preventScroll: true });
  };
}

/** All fields with what is there; groups of questions carry one "asked, declined". */
function form(known) {
  const { form: was, lists } = known;
  const declines = (name) => ({ can_decline: name in ITEMS, declined: known.declined?.includes(ITEMS[name]) });
  const fields = {};
  for (const { code, label, unit } of lists.measured) {
    fields[code] = field(code, label, { value: was[code] ?? "", mode: "decimal", width: "w-age", beside: h("span", { class: "unit" }, unit), ...declines(code) });
  }
  fields.smoking = select("smoking", t("Smoking"), lists.smoking, was.smoking ?? "", declines("smoking"));
  for (const [n, q] of ["q1", "q2", "q3"].entries()) {
    fields[q] = select(q, lists.audit[n].label, lists.audit[n].options, was.audit_c?.[q] === undefined ? "" : String(was.audit_c[q]));
  }
  fields.work = select("work", t("Work"), lists.work, was.gppaq?.work ?? "");
  fields.exercise = select("exercise", t("Exercise in the last week"), lists.hours, was.gppaq?.exercise ?? "");
  fields.cycling = select("cycling", t("Cycling in the last week"), lists.hours, was.gppaq?.cycling ?? "");
  fields.alcohol = group("alcohol", t("Alcohol"), [fields.q1, fields.q2, fields.q3], known.declined?.includes(ITEMS.alcohol));
  fields.activity = group("activity", t("Physical activity"), [fields.work, fields.exercise, fields.cycling], known.declined?.includes(ITEMS.activity));
  const family = segments("family", t("Family history"), [{ code: "no", label: t("No") }, { code: "yes", label: t("Yes") }], was.family_history ?? "");
  fields.family_history = { ...group("family_history", t("Heart disease in a parent, brother or sister under 60"),
    [family], known.declined?.includes(ITEMS.family_history)), value: family.value };
  fields.risk_score = field("risk_score", t("Cardiovascular risk score"), {
    value: was.risk_score?.value ?? "", mode: "decimal", width: "w-age", hint: t("Typed in from elsewhere, never computed here"),
    beside: h("span", { class: "unit" }, "%"), ...declines("risk_score"),
  });
  fields.risk_source = field("risk_source", t("Where the score comes from"), { value: was.risk_score?.source ?? "" });
  return fields;
}

/** Several questions under one name, which may be declined together. */
function group(name, words, controls, declined) {
  const box = h("input", { type: "checkbox", id: `${name}-declined`, checked: declined, "aria-label": t("{what}: asked, declined", { what: words }) });
  const node = h("fieldset", { class: "field group", id: `${name}-group` },
    h("legend", { class: "label" }, words),
    h("label", { class: "declined" }, box, t("Asked, declined")), controls.map((control) => control.node));
  const grey = () => {
    for (const control of node.querySelectorAll("select, input[type=radio]")) control.disabled = box.checked;
  };
  box.addEventListener("change", grey);
  grey();
  return { node, declined: () => box.checked };
}
