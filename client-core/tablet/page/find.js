// Who it is: found among those already known.

import { get } from "./api.js";
import { button, fill, h, icon, say, tag } from "./dom.js";
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
    const title = short ? "Today’s people" : `${count(total, "person", "people")} found`;
    const from = page * per + 1;
    fill(results, h("h2", {}, title),
      people.length === 0 ? h("p", { class: "quiet" }, short ? "Nobody with a name yet today." : "Nobody like that is known on this tablet.") : null,
      h("ul", { class: "people" }, people.map((person) => h("li", {}, h("button", {
        type: "button", class: "row", "data-id": person.id, onclick: () => app.go("pressure", { session, person: person.id, started_at: new Date().toISOString() }),
      }, h("span", { class: "name" }, h("strong", {}, person.name), h("span", { class: "quiet" }, person.about)),
      person.today ? h("span", { class: "tags" }, tag("plain", "Here today")) : null)))),
      total > per ? h("div", { class: "pages" },
        page > 0 ? button("plain", "Previous", () => look(page - 1)) : null,
        h("span", { class: "quiet" }, `${from} to ${from + people.length - 1} of ${total}`),
        from + people.length - 1 < total ? button("plain", "Next 15", () => look(page + 1)) : null) : null,
      short ? null : button("plain", "Not there: new person", () => app.go("person", { session }, { replace: true })));
    if (held) [...results.querySelectorAll("[data-id]")].find((row) => row.dataset.id === held)?.focus();
    if (!short && !quietly) say(title);
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
    // Somebody may have come in by a sync.
    refresh: () => look(shown, true),
    leave: () => clearTimeout(timer),
  };
}
