// A person's details: new, or put right.

import { get, post } from "./api.js";
import { button, fill, h, once, say } from "./dom.js";
import { errors, field, segments, select } from "./form.js";
import { grouped, slashed } from "./pad-rules.js";
import { t } from "./phrases.js";

const YES_NO = [{ code: "yes", label: t("Yes") }, { code: "no", label: t("No") }];
const REGISTERED = [...YES_NO, { code: "refused", label: t("Was refused") }, { code: "unknown", label: t("Not known") }];

/** One form. With `id` it puts right what is known of somebody, on what this screen showed. */
export async function form({ session, id, contact }, app) {
  const known = id ? await get(`/api/people/${id}`) : null;
  const was = known?.form ?? {};
  const declined = (name) => ({ can_decline: true, declined: was.declined?.includes(name) });
  const checks = { onblur: ({ target }) => check(target.id) };
  const opened = new Date().toISOString();

  const fields = {
    given: field("given", t("Given name"), { value: was.given, ...checks, ...declined("given") }),
    family: field("family", t("Family name"), { value: was.family, ...checks, ...declined("family") }),
    date_of_birth: field("date_of_birth", t("Date of birth"), {
      value: was.date_of_birth, mode: "numeric", width: "w-date", hint: t("Day, month and year, as in 03/02/1968"),
      oninput: ({ target }) => {
        if (target.selectionStart === target.value.length) target.value = slashed(target.value);
      },
      ...checks, ...declined("date_of_birth"),
    }),
    age_years: field("age_years", t("Age in years"), {
      value: was.age_years, mode: "numeric", width: "w-age", hint: t("An estimate will do"), ...checks,
    }),
    nhs_number: field("nhs_number", t("NHS number"), {
      value: was.nhs_number, mode: "numeric", width: "w-nhs", hint: t("Optional. 10 digits, as in 999 000 0018"),
      oninput: ({ target }) => {
        if (/^[0-9 ]*$/.test(target.value) && target.selectionStart === target.value.length) {
          target.value = grouped(target.value.replaceAll(" ", ""));
        }
        if (target.value.replace(/[^0-9a-z]/gi, "").length >= 10) check("nhs_number");
        else fields.nhs_number.clear();
      },
      ...checks, ...declined("nhs_number"),
    }),
    ethnic_category: select("ethnic_category", t("Ethnic category"), app.lists.ethnic_categories, was.ethnic_category,
      { hint: t("In the person’s own words: ask, never guess") }),
    phone: field("phone", t("Phone"), { value: was.phone, mode: "tel", width: "w-nhs", ...checks, ...declined("phone") }),
    address: field("address", t("Address"), { value: was.address, hint: t("With commas between the lines") }),
    postcode: field("postcode", t("Postcode"), { value: was.postcode, width: "w-date", ...checks, ...declined("postcode") }),
    registered: select("registered", t("Registered with a GP practice?"), REGISTERED, was.registered),
    practice: field("practice", t("The practice’s code"), { value: was.practice, width: "w-date", hint: t("A letter and 5 digits"), ...checks }),
    nhs_number_absent_reason: select("nhs_number_absent_reason", t("Why there is no NHS number"), app.lists.nhs_number_absent,
      was.nhs_number_absent_reason),
    language: field("language", t("Language"), { value: was.language, width: "w-date", hint: t("Its code, as in bn, pa or ur") }),
    interpreter: select("interpreter", t("Is an interpreter needed?"), YES_NO, was.interpreter),
  };
  const sex = segments("sex", t("Sex"), app.lists.sexes.slice(0, 3), was.sex);
  const asRest = ["address", "postcode", "registered", "practice", "nhs_number_absent_reason", "language", "interpreter"];

  const typed = () => ({
    ...Object.fromEntries(Object.entries(fields).map(([name, control]) => [name, control.value()])),
    sex: sex.value() || was.sex || "",
    [kind.value() === "age" ? "date_of_birth" : "age_years"]: "",
    declined: Object.keys(fields).filter((name) => fields[name].declined()),
    confirmed: Object.keys(fields).filter((name) => fields[name].confirmed()),
  });

  const asked = new Map();
  /** What the rules say of one field, as soon as it has been left. */
  async function check(name) {
    const control = fields[name];
    const mine = (asked.get(name) ?? 0) + 1;
    asked.set(name, mine);
    if (control.value() === "") return control.clear();
    const { findings } = await post("/api/check/person", { [name]: control.value() }).catch(() => ({ findings: [] }));
    if (asked.get(name) === mine) control.finding(findings.find(({ path }) => path === name));
  }

  const birth = h("div", {});
  const kind = segments("birth", t("How the age is known"), [
    { code: "date", label: t("Date of birth") }, { code: "age", label: t("Age only") },
  ], was.age_years ? "age" : "date", (code) => draw(code));
  const draw = (code) => fill(birth, code === "age" ? fields.age_years.node : fields.date_of_birth.node);
  draw(kind.value());

  const rest = h("details", { class: "card", open: asRest.some((name) => was[name]) },
    h("summary", {}, t("Address, GP practice, language")),
    h("div", { class: "form" }, asRest.map((name) => fields[name].node)));
  const page = h("form", { class: "narrow form", novalidate: true, onsubmit: (event) => save(event) },
    h("h1", {}, id ? t("Details") : t("New person")),
    h("div", { class: "pair" }, fields.given.node, fields.family.node),
    h("div", { class: "birth" }, kind.node, birth),
    h("fieldset", { class: "field" }, h("legend", { class: "label" }, t("Sex")), sex.node),
    fields.nhs_number.node, fields.ethnic_category.node, fields.phone.node, rest,
    h("div", { class: "foot" },
      h("button", { type: "submit", class: "button main wide tall" }, contact || id ? t("Save") : t("Next: blood pressure"))));
  const node = h("div", {}, page);

  /** Shows everything that is found; whether it can be saved. */
  const found = (findings) => {
    const open = findings.filter(({ path, level }) => level === "block" || (level === "confirm" && !fields[path].confirmed()));
    for (const name of Object.keys(fields)) fields[name].finding(findings.find(({ path }) => path === name));
    if (open.length === 0) return true;
    if (asRest.includes(open[0].path)) rest.open = true;
    fields[open[0].path].control.focus();
    say(open.map(({ message }) => message).join(" "));
    return false;
  };
  const keep = async (notSame = []) => {
    try {
      const saved = await post(id ? `/api/people/${id}` : "/api/people", {
        ...typed(), session, base: known?.heads, was: known?.form, not_same_as: notSame,
      });
      if (contact) await app.go("contact", { id: contact }, { replace: true });
      else if (id) await app.go("timeline", { id, session }, { replace: true });
      else await app.go("pressure", { session, person: saved.id, started_at: opened }, { replace: true });
    } catch (error) {
      fill(node, page);
      if (!errors(fields, error)) app.failed(error);
    }
  };
  const save = async (event) => {
    event.preventDefault();
    await once(event.currentTarget, async () => {
      try {
        const { findings, alike } = await post("/api/check/person", { ...typed(), whole: true });
        if (!found(findings)) return;
        if (id || alike.length === 0) return await keep();
        fill(node, likely(alike));
        node.querySelector("h1").focus();
      } catch (error) {
        app.failed(error);
      }
    });
  };

  /** Before somebody is saved twice. The form stays as it was typed. */
  const likely = (alike) => h("div", { class: "narrow" },
    h("h1", { tabindex: "-1" }, alike.length === 1 ? t("Is this the same person?") : t("Is one of these the same person?")),
    h("p", {}, t("You typed: {name}, {born}.", { name: [fields.given.value(), fields.family.value()].join(" "),
      born: fields.date_of_birth.value() || fields.age_years.value() || t("no date of birth") })),
    h("ul", { class: "people" }, alike.map((one) => h("li", { class: "card alike" },
      h("div", {}, h("h2", {}, one.name), h("p", { class: "quiet" }, one.about)),
      h("p", {}, h("strong", {}, one.likely)),
      h("ul", { class: "reasons" }, one.reasons.map((reason) => h("li", {}, reason))),
      button("main", t("Use this person"), () => app.go("pressure", { session, person: one.id, started_at: opened }, { replace: true }),
        { "aria-label": t("Use this person: {name}", { name: one.name }) })))),
    h("div", { class: "buttons" },
      button("plain tall", alike.length === 1 ? t("Not the same person") : t("None of these"),
        (event) => once(event.currentTarget, () => keep(alike.map((one) => one.id)))),
      button("plain tall", t("Not sure: save, and a coordinator looks"), (event) => once(event.currentTarget, () => keep())),
      button("quiet", t("Back to what I typed"), () => {
        fill(node, page);
        fields.given.control.focus();
      })));

  return {
    title: id ? t("Details") : t("New person"),
    back: contact ? ["contact", { id: contact }] : ["session", { id: session }],
    focus: id ? undefined : fields.given.control,
    node,
  };
}
