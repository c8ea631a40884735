// Very high: the questions that cannot wait, and the screen that nobody may overlook.

import { get, post } from "./api.js";
import { button, h, icon, notice, once } from "./dom.js";
import { t } from "./phrases.js";

/** Every question once, none answered beforehand. The first yes ends them. */
export async function flags({ id }, app) {
  let known = await get(`/api/contacts/${id}`);
  const answers = new Map();
  const rest = h("p", { class: "quiet", role: "status" });
  const unseen = h("div", {}, notice("bad", t("Nobody at base can see this yet. Phone now.")));
  unseen.hidden = !known.phone_now;

  const save = async () => {
    const red_flags = [...answers].map(([flag, present]) => ({ flag, present }));
    try {
      known = await post(`/api/contacts/${id}`, { base: known.heads, red_flags });
      await app.go(known.emergency ? "emergency" : "contact", { id }, { replace: true });
    } catch (error) {
      app.failed(error);
    }
  };
  const refuse = async () => {
    try {
      await post(`/api/contacts/${id}`, { base: known.heads, declined: ["bp/red_flags"] });
      await app.go("contact", { id }, { replace: true });
    } catch (error) {
      app.failed(error);
    }
  };
  const answer = (flag, present) => async () => {
    answers.set(flag, present);
    node.querySelector(`[data-flag="${flag}"]`)?.classList.remove("missing");
    const left = app.lists.red_flags.length - answers.size;
    rest.textContent = left > 0 ? t("{n} to answer", { n: left }) : "";
    if (present) await save();
  };
  const finish = async (event) => {
    const open = app.lists.red_flags.filter(({ code }) => !answers.has(code));
    for (const { code } of open) node.querySelector(`[data-flag="${code}"]`)?.classList.add("missing");
    if (open.length > 0) {
      rest.textContent = t("Answer every question: {n} to go", { n: open.length });
      node.querySelector(".missing input")?.focus();
      return;
    }
    await once(event.currentTarget, save);
  };

  const node = h("div", { class: "narrow flags" },
    h("h1", {}, t("Very high. Ask these now")),
    h("p", {}, t("{name}: {reading}. Ask each question before measuring again.",
      { name: known.person?.name ?? t("No details"), reading: known.latest ?? "" })),
    unseen, h("p", {}, t("Do they have any of these now, or did they today?")),
    app.lists.red_flags.map(({ code, label, ask }) => h("fieldset", { class: "question", "data-flag": code },
      h("legend", {}, label, ask ? h("small", {}, ask) : null),
      h("div", { class: "yes-no" }, [[t("No"), false], [t("Yes"), true]].map(([words, present]) =>
        h("label", { class: present ? "segment yes" : "segment" },
          h("input", { type: "radio", name: code, onchange: answer(code, present) }), h("span", {}, words)))))),
    rest, button("main wide tall", t("None of these: go on"), finish),
    button("plain", t("They will not answer"), (event) => once(event.currentTarget, refuse)));
  return {
    title: t("Ask now"),
    back: ["contact", { id }],
    node,
    // Only whether base can see it. The answers are given on what this screen showed: its heads stay.
    async refresh() {
      const { phone_now } = await get(`/api/contacts/${id}`);
      unseen.hidden = !phone_now;
    },
  };
}

/** Nothing else on the screen. */
export async function emergency({ id }, app) {
  const known = await get(`/api/contacts/${id}`);
  const unseen = h("p", { class: "big" }, t("Nobody at base can see this yet."));
  unseen.hidden = !known.waiting;
  const present = known.red_flags.filter((flag) => flag.present && !flag.struck_out);
  const act = (work) => async (event) => once(event.currentTarget, async () => {
    try {
      await work();
    } catch (error) {
      app.failed(error);
    }
  });
  const called = act(async () => {
    await post(`/api/contacts/${id}`, { base: known.heads, called_999: true });
    await app.go("contact", { id, seen: true }, { replace: true });
  });
  const refused = act(async () => {
    await post(`/api/contacts/${id}`, { base: known.heads, declined: ["referrals"] });
    await app.go("contact", { id, seen: true }, { replace: true });
  });
  const mistake = act(async () => {
    for (const flag of present) {
      await post(`/api/contacts/${id}/strike`, { entry: `bp/red_flags/${flag.id}`, reason: "Tapped by mistake" });
    }
    await app.go("flags", { id }, { replace: true });
  });
  const [title, what] = known.emergency === "maternity"
    ? [t("Maternity emergency now"), t("Phone the maternity unit’s emergency line, or 999.")]
    : [t("Call 999 now"), t("Stay with them. Do not measure again first.")];
  return {
    title,
    node: h("section", { class: "call" }, icon("phone"), h("h1", {}, title), h("p", { class: "big" }, what),
      h("dl", {},
        h("dt", {}, t("Who")), h("dd", {}, known.person ? `${known.person.name}, ${known.person.about}` : t("No details")),
        present.length > 0 ? [h("dt", {}, t("What")), h("dd", {}, present.map((flag) => flag.label).join(", "))] : null,
        known.latest ? [h("dt", {}, t("Blood pressure")), h("dd", {}, known.latest)] : null,
        h("dt", {}, t("Where")), h("dd", {}, known.where)),
      unseen, h("div", { class: "buttons" }, button("light wide tall", t("999 has been called"), called),
        button("outline wide", t("They refuse an ambulance"), refused),
        button("outline wide", t("To the check"), () => app.go("contact", { id, seen: true }, { replace: true })),
        present.length > 0 ? button("outline wide", t("Tapped by mistake"), mistake) : null)),
    async refresh() {
      unseen.hidden = !(await get(`/api/contacts/${id}`)).waiting;
    },
  };
}
