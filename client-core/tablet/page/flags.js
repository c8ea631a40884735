// Very high: the questions that cannot wait, and the screen that nobody may overlook.

import { get, post } from "./api.js";
import { button, h, icon, notice, once } from "./dom.js";

/** Every question once, none answered beforehand. The first yes ends them. */
export async function flags({ id }, app) {
  let known = await get(`/api/contacts/${id}`);
  const answers = new Map();
  const rest = h("p", { class: "quiet", role: "status" });
  const unseen = h("div", {}, notice("bad", "Nobody at base can see this yet. Phone now."));
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
    rest.textContent = left > 0 ? `${left} to answer` : "";
    if (present) await save();
  };
  const finish = async (event) => {
    const open = app.lists.red_flags.filter(({ code }) => !answers.has(code));
    for (const { code } of open) node.querySelector(`[data-flag="${code}"]`)?.classList.add("missing");
    if (open.length > 0) {
      rest.textContent = `Answer every question: ${open.length} to go`;
      node.querySelector(".missing input")?.focus();
      return;
    }
    await once(event.currentTarget, save);
  };

  const node = h("div", { class: "narrow flags" },
    h("h1", {}, "Very high. Ask these now"),
    h("p", {}, `${known.person?.name ?? "No details"}: ${known.latest ?? ""}. Ask each question before measuring again.`),
    unseen, h("p", {}, "Do they have any of these now, or did they today?"),
    app.lists.red_flags.map(({ code, label, ask }) => h("fieldset", { class: "question", "data-flag": code },
      h("legend", {}, label, ask ? h("small", {}, ask) : null),
      h("div", { class: "yes-no" }, [["No", false], ["Yes", true]].map(([words, present]) =>
        h("label", { class: present ? "segment yes" : "segment" },
          h("input", { type: "radio", name: code, onchange: answer(code, present) }), h("span", {}, words)))))),
    rest, button("main wide tall", "None of these: go on", finish),
    button("plain", "They will not answer", (event) => once(event.currentTarget, refuse)));
  return {
    title: "Ask now",
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
  const unseen = h("p", { class: "big" }, "Nobody at base can see this yet.");
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
    ? ["Maternity emergency now", "Phone the maternity unit’s emergency line, or 999."]
    : ["Call 999 now", "Stay with them. Do not measure again first."];
  return {
    title,
    node: h("section", { class: "call" }, icon("phone"), h("h1", {}, title), h("p", { class: "big" }, what),
      h("dl", {},
        h("dt", {}, "Who"), h("dd", {}, known.person ? `${known.person.name}, ${known.person.about}` : "No details"),
        present.length > 0 ? [h("dt", {}, "What"), h("dd", {}, present.map((flag) => flag.label).join(", "))] : null,
        known.latest ? [h("dt", {}, "Blood pressure"), h("dd", {}, known.latest)] : null,
        h("dt", {}, "Where"), h("dd", {}, known.where)),
      unseen, h("div", { class: "buttons" }, button("light wide tall", "999 has been called", called),
        button("outline wide", "They refuse an ambulance", refused),
        button("outline wide", "To the check", () => app.go("contact", { id, seen: true }, { replace: true })),
        present.length > 0 ? button("outline wide", "Tapped by mistake", mistake) : null)),
    async refresh() {
      unseen.hidden = !(await get(`/api/contacts/${id}`)).waiting;
    },
  };
}
