// A home diary, or the average of a 24-hour monitor: entered when the person comes back.

import { get, post } from "./api.js";
import { button, fill, h, once, say } from "./dom.js";
import { errors, field, segments } from "./form.js";
import { isFull } from "./pad-rules.js";
import { t } from "./phrases.js";
import { date, inDays } from "./words.js";

const TIMES = [[t("Morning"), "08:00"], [t("Morning, again"), "08:01"], [t("Evening"), "20:00"], [t("Evening, again"), "20:01"]];
const DAYS = 4;

/** The next day of a date. */
function after(day, n) {
  const at = new Date(`${day}T12:00:00Z`);
  at.setUTCDate(at.getUTCDate() + n);
  return at.toISOString().slice(0, 10);
}

/** Two small fields; a full systolic goes on to the diastolic by itself. */
function reading(name, words, changed) {
  const error = h("p", { class: "error", id: `${name}-error` });
  const sure = h("input", { type: "checkbox" });
  const doubt = h("label", { class: "doubt" }, sure, t("It is right: keep it"));
  doubt.hidden = true;
  let level = null;
  const box = (part, label) => h("input", {
    type: "text", inputmode: "numeric", autocomplete: "off", id: `${name}-${part}`, maxlength: 3,
    "aria-label": `${words}, ${label}`, "aria-describedby": `${name}-error`,
    oninput: ({ target }) => {
      target.value = target.value.replace(/[^0-9]/g, "");
      sure.checked = false;
      if (part === "systolic" && isFull(part, target.value)) lower.focus();
      changed();
    },
    onblur: () => check(),
  });
  const upper = box("systolic", t("upper"));
  const lower = box("diastolic", t("lower"));
  lower.addEventListener("keydown", (event) => {
    if (event.key === "Backspace" && lower.value === "") upper.focus();
  });
  const values = () => ({ systolic: Number(upper.value), diastolic: Number(lower.value) });
  async function check() {
    const half = (upper.value === "") !== (lower.value === "");
    if (upper.value === "" && lower.value === "") return show(null, "");
    if (half) return show("block", t("Both numbers, or neither."));
    const { findings } = await post("/api/check/reading", values());
    const first = findings.find((one) => one.level === "block") ?? findings[0];
    return show(first?.level ?? null, first?.message ?? "");
  }
  function show(found, message) {
    level = found;
    error.textContent = message;
    node.classList.toggle("wrong", found !== null);
    doubt.hidden = found !== "confirm";
  }
  const node = h("div", { class: "diary-reading field" }, h("span", {}, words),
    h("div", { class: "over" }, upper, h("span", { "aria-hidden": "true" }, "/"), lower), error, doubt);
  return {
    node, check, upper,
    isEmpty: () => upper.value === "" && lower.value === "",
    isOpen: () => level === "block" || (level === "confirm" && !sure.checked),
    value: () => ({ ...values(), ...(level === "confirm" ? { confirmed_unusual: true } : {}) }),
  };
}

/** `of` and `follow_up` say which monitor came back with it: the check that lent it, and what was open there. */
export async function diary({ id, session, person, of, follow_up: followUp }, app) {
  const before = id ? await get(`/api/contacts/${id}`) : null;
  const whom = before?.person?.id ?? person ?? null;
  const who = whom ? await get(`/api/people/${whom}`) : null;
  const place = app.state.session ?? session ?? before?.session;
  const days = [];
  const list = h("div", { class: "diary" });
  const first = field("first", t("First day"), { value: inDays(-7) });
  first.control.type = "date";
  const add = () => {
    const n = days.length;
    const readings = TIMES.map(([words], at) => reading(`d${n}-${at}`, words, () => {}));
    const title = h("h2", {});
    days.push({ readings, title });
    list.append(h("section", { class: "card" }, title, h("div", { class: "diary-day" }, readings.map((one) => one.node))));
    name();
  };
  const name = () => days.forEach(({ title }, n) => {
    title.textContent = first.value() ? t("Day {n}: {date}", { n: n + 1, date: date(after(first.value(), n)) }) : t("Day {n}", { n: n + 1 });
  });
  first.control.addEventListener("change", name);
  for (let n = 0; n < DAYS; n += 1) add();
  const average = reading("average", t("Average"), () => {});
  const body = h("div", { class: "diary-body" });
  const kind = segments("kind", t("What came back?"), [
    { code: "diary", label: t("Diary of days") }, { code: "hbpm", label: t("Home average only") }, { code: "abpm", label: t("24-hour average") },
  ], "diary", (code) => draw(code));
  const draw = (code) => fill(body, code === "diary"
    ? [first.node, list, button("plain", t("Another day"), () => {
      add();
      days.at(-1).readings[0].upper.focus();
    })] : h("section", { class: "card" }, average.node));
  draw("diary");

  const entries = () => {
    if (kind.value() !== "diary") {
      return average.isEmpty() ? [] : [{ ...average.value(), setting: kind.value() }];
    }
    return days.flatMap(({ readings }, n) => readings.map((one, at) => (one.isEmpty() ? null : {
      ...one.value(), setting: "hbpm", position: "sitting",
      taken_at: new Date(`${after(first.value(), n)}T${TIMES[at][1]}`).toISOString(),
    })).filter(Boolean));
  };
  const save = async (event) => {
    event.preventDefault();
    await once(event.currentTarget, async () => {
      const all = kind.value() === "diary" ? days.flatMap(({ readings }) => readings) : [average];
      await Promise.all(all.map((one) => one.check()));
      const open = all.find((one) => one.isOpen());
      if (open) {
        open.upper.focus();
        say(t("A reading is not right yet."));
        return;
      }
      const readings = entries();
      if (readings.length === 0) {
        all[0].upper.focus();
        app.failed(new Error(t("Type the readings first.")));
        return;
      }
      try {
        const made = await post("/api/diary", {
          session: place, person: whom, readings, into: before && !hasClinic(before) ? id : null,
          of: of ?? (before && hasClinic(before) ? id : null), follow_up: followUp,
        });
        await app.go("contact", { id: made.id }, { replace: true });
      } catch (error) {
        if (!errors({}, error)) app.failed(error);
      }
    });
  };
  return {
    title: t("Home diary"),
    back: id ? ["contact", { id, seen: true }] : ["session", { id: place }],
    node: h("form", { class: "narrow form", novalidate: true, onsubmit: save },
      h("div", { class: "who" }, h("h1", {}, t("Home diary")), h("p", { class: "quiet" }, who?.name ?? t("No details"))),
      kind.node, body,
      h("button", { type: "submit", class: "button main wide tall" }, t("Save what is typed"))),
  };
}

/** Readings taken by staff: beside them a diary would not count. */
function hasClinic(known) {
  return known.readings.some((one) => one.setting === "clinic");
}
