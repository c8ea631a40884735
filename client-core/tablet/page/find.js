// Who it is: found among those already known.

import { get } from "./api.js";
import { button, fill, h, icon, say, tag } from "./dom.js";
import { t } from "./phrases.js";
import { count } from "./words.js";

/** Somebody who was here before: from two characters, fifteen at a time. Today's people stand first. */
export async function find({ session }, app) {
  const results = h("div", { class: "results" });
  let asked = 0;
  let shown = 0;
  let timer = null;
  const box = h("input", {
    type: "text", id: "search", autocomplete: "off", spellcheck: "false", "aria-describedby": "search-hint",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => look(0), 120);
    },
  });

  async function look(page, quietly = false) {
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
    shown = page;
    const held = document.activeElement?.closest(".results [data-id]")?.dataset.id;
    const title = short ? t("Today’s people") : count(total, "{n} person found", "{n} people found");
    const from = page * per + 1;
    fill(results, h("h2", {}, title),
      people.length === 0 ? h("p", { class: "quiet" }, short ? t("Nobody with a name yet today.") : t("Nobody like that is known on this tablet.")) : null,
      h("ul", { class: "people" }, people.map((person) => h("li", {}, h("button", {
        type: "button", class: "row", "data-id": person.id, onclick: () => app.go("pressure", { session, person: person.id, started_at: new Date().toISOString() }),
      }, h("span", { class: "name" }, h("strong", {}, person.name), h("span", { class: "quiet" }, person.about)),
      person.today ? h("span", { class: "tags" }, tag("plain", t("Here today"))) : null)))),
      total > per ? h("div", { class: "pages" },
        page > 0 ? button("plain", t("Previous"), () => look(page - 1)) : null,
        h("span", { class: "quiet" }, t("{from} to {to} of {all}", { from, to: from + people.length - 1, all: total })),
        from + people.length - 1 < total ? button("plain", t("Next 15"), () => look(page + 1)) : null) : null,
      short ? null : button("plain", t("Not there: new person"), () => app.go("person", { session }, { replace: true })));
    if (held) [...results.querySelectorAll("[data-id]")].find((row) => row.dataset.id === held)?.focus();
    if (!short && !quietly) say(title);
  }

  await look(0);
  return {
    title: t("Known person"),
    back: ["session", { id: session }],
    focus: box,
    node: h("div", { class: "narrow" }, h("h1", {}, t("Known person")),
      h("div", { class: "search" }, h("label", { for: "search" }, t("Name, date of birth, NHS number or phone")),
        h("p", { class: "hint", id: "search-hint" }, t("Two characters are enough to begin with.")),
        h("div", { class: "with-icon" }, icon("search"), box)),
      results),
    // Somebody may have come in by a sync.
    refresh: () => look(shown, true),
    leave: () => clearTimeout(timer),
  };
}
