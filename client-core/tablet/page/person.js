// Who it is: found among those already known, or new.

import { get, post } from "./api.js";
import { button, fill, h, icon, once, say, tag } from "./dom.js";
import { errors, field, segments, select } from "./form.js";
import { count, grouped, slashed } from "./words.js";

/** Somebody who was here before: from two characters, fifteen at a time. Today's people stand first. */
export async function find({ session }, app) {
  const results = h("div", { class: "results" });
  let asked = 0;
  let timer = null;
  const box = h("input", {
    type: "text", id: "search", autocomplete: "off", spellcheck: "false", "aria-describedby": "search-hint",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => look(0), 120);
    },
  });

  async function look(page) {
    const mine = ++asked;
    const text = box.value.trim();
    const short = [...text].length < 2;
    let found;
    try {
      found = await get(`/api/people?session=${session}&page=${page}&q=${encodeURIComponent(short ? "" : text)}`);
    } catch (error) {
      app.failed(error);
      return;
    }
    if (mine !== asked) return;
    const { people, total, per_page: per } = found;
    const title = short ? "Today’s people" : `${count(total, "person", "people")} found`;
    const from = page * per + 1;
    fill(results, h("h2", {}, title),
      people.length === 0 ? h("p", { class: "quiet" }, short ? "Nobody with a name yet today." : "Nobody like that is known on this tablet.") : null,
      h("ul", { class: "people" }, people.map((person) => h("li", {}, h("button", {
        type: "button", class: "row", onclick: () => app.go("pressure", { session, person: person.id, started_at: new Date().toISOString() }),
      }, h("span", { class: "name" }, h("strong", {}, person.name), h("span", { class: "quiet" }, person.about)),
      person.today ? h("span", { class: "tags" }, tag("plain", "Here today")) : null)))),
      total > per ? h("div", { class: "pages" },
        page > 0 ? button("plain", "Previous", () => look(page - 1)) : null,
        h("span", { class: "quiet" }, `${from} to ${from + people.length - 1} of ${total}`),
        from + people.length - 1 < total ? button("plain", "Next 15", () => look(page + 1)) : null) : null,
      short ? null : button("plain", "Not there: new person", () => app.go("person", { session }, { replace: true })));
    if (!short) say(title);
  }

  await look(0);
  return {
    title: "Known person",
    back: ["session", { id: session }],
    focus: box,
    node: h("div", { class: "narrow" }, h("h1", {}, "Known person"),
      h("div", { class: "search" }, h("label", { for: "search" }, "Name, date of birth, NHS number or phone"),
        h("p", { class: "hint", id: "search-hint" }, "Two characters are enough to begin with."),
        h("div", { class: "with-icon" }, icon("search"), box)),
      results),
    leave: () => clearTimeout(timer),
  };
}

/** One form. With `id` it puts right what is known of somebody, on what this screen showed. */
export async function form({ session, id, contact }, app) {
  const known = id ? await get(`/api/people/${id}`) : null;
  const was = known?.form ?? {};
  const declined = (name) => ({ can_decline: true, declined: was.declined?.includes(name) });
  const opened = new Date().toISOString();

  const fields = {
    given: field("given", "Given name", { value: was.given, ...declined("given") }),
    family: field("family", "Family name", { value: was.family, ...declined("family") }),
    date_of_birth: field("date_of_birth", "Date of birth", {
      value: was.date_of_birth, mode: "numeric", width: "w-date", hint: "Day, month and year, as in 03/02/1968",
      oninput: ({ target }) => {
        if (target.selectionStart === target.value.length) target.value = slashed(target.value);
      },
      ...declined("date_of_birth"),
    }),
    age_years: field("age_years", "Age in years", { value: was.age_years, mode: "numeric", width: "w-age", hint: "An estimate will do" }),
    nhs_number: field("nhs_number", "NHS number", {
      value: was.nhs_number, mode: "numeric", width: "w-nhs", hint: "Optional. 10 digits, as in 999 000 0018",
      oninput: ({ target }) => {
        if (/^[0-9 ]*$/.test(target.value) && target.selectionStart === target.value.length) {
          target.value = grouped(target.value.replaceAll(" ", ""));
        }
        check(target.value, false);
      },
      onblur: ({ target }) => check(target.value, true),
      ...declined("nhs_number"),
    }),
    ethnic_category: select("ethnic_category", "Ethnic category", app.lists.ethnic_categories, was.ethnic_category,
      { hint: "In the person’s own words: ask, never guess" }),
    phone: field("phone", "Phone", { value: was.phone, mode: "tel", width: "w-nhs", ...declined("phone") }),
  };

  let asked = 0;
  async function check(text, finished) {
    const mine = ++asked;
    const control = fields.nhs_number;
    const digits = text.replace(/[^0-9a-z]/gi, "");
    control.note("");
    if (digits === "" || (digits.length < 10 && !finished)) return control.wrong("");
    try {
      const said = await post("/api/check/nhs-number", { value: text });
      if (mine !== asked) return;
      control.wrong("");
      control.note(said.warning ?? `${said.shown}: the digits fit together`, said.warning ? "" : "good");
    } catch (error) {
      if (mine === asked) control.wrong(error.path === "nhs_number" ? error.message : "");
    }
  }

  const birth = h("div", {});
  const kind = segments("birth", "How the age is known", [
    { code: "date", label: "Date of birth" }, { code: "age", label: "Age only" },
  ], was.age_years ? "age" : "date", (code) => draw(code));
  const draw = (code) => fill(birth, code === "age" ? fields.age_years.node : fields.date_of_birth.node);
  draw(kind.value());

  const save = async (event) => {
    event.preventDefault();
    await once(event.currentTarget, async () => {
      const values = Object.fromEntries(Object.entries(fields).map(([name, control]) => [name, control.value()]));
      values[kind.value() === "age" ? "date_of_birth" : "age_years"] = "";
      values.declined = Object.keys(fields).filter((name) => fields[name].declined());
      try {
        const saved = await post(id ? `/api/people/${id}` : "/api/people", {
          ...values, session, base: known?.heads, was: known?.form,
        });
        if (contact) await app.go("contact", { id: contact }, { replace: true });
        else await app.go("pressure", { session, person: saved.id, started_at: opened }, { replace: true });
      } catch (error) {
        if (!errors(fields, error)) app.failed(error);
      }
    });
  };

  return {
    title: id ? "Details" : "New person",
    back: contact ? ["contact", { id: contact }] : ["session", { id: session }],
    focus: id ? undefined : fields.given.control,
    node: h("form", { class: "narrow form", novalidate: true, onsubmit: save },
      h("h1", {}, id ? "Details" : "New person"),
      h("div", { class: "pair" }, fields.given.node, fields.family.node),
      h("div", { class: "birth" }, kind.node, birth),
      fields.nhs_number.node, fields.ethnic_category.node, fields.phone.node,
      h("div", { class: "foot" },
        h("button", { type: "submit", class: "button main wide tall" }, contact ? "Save" : "Next: blood pressure"))),
  };
}
