// What the person takes along: large, plain, in their language, on the screen or on paper.

import { get, post } from "./api.js";
import { button, h } from "./dom.js";
import { select } from "./form.js";
import { languageName, t } from "./phrases.js";
import { date } from "./words.js";

export async function card({ id, language = "" }, app) {
  const [known, shown] = await Promise.all([
    get(`/api/contacts/${id}`), get(`/api/contacts/${id}/card?language=${encodeURIComponent(language)}`),
  ]);
  const choice = select("language", t("Language of the card"), shown.languages.map((one) => ({ code: one.code, label: languageName(one) })), shown.language);
  choice.control.addEventListener("change", () => app.go("card", { id, language: choice.control.value }, { replace: true }));
  const print = async () => {
    // That the card was handed out, and in which language, belongs to the advice.
    if (known.ended === null && known.result.todo.length > 0) {
      const { category, todo, rules } = known.result;
      await post(`/api/contacts/${id}`, { base: known.heads, saw: {
        category: category?.code, actions: todo.map(({ code }) => code), rules, language: shown.language,
      } }).catch(app.failed);
    }
    window.print();
  };
  return {
    title: t("Result card"),
    back: ["contact", { id, seen: true }],
    node: h("div", { class: "narrow" },
      h("div", { class: "card-tools" }, h("h1", {}, t("Result card")), shown.languages.length > 1 ? choice.node : null),
      h("article", { class: "result-card", lang: shown.language, dir: shown.dir },
        h("p", { class: "card-title" }, shown.title),
        shown.pair ? h("p", { class: "figures", dir: "ltr" }, shown.pair) : null,
        shown.figures ? h("p", { class: "aloud" }, shown.figures) : null,
        h("p", { class: "meaning" }, shown.meaning),
        shown.next.length > 0 ? h("ul", {}, shown.next.map((line) => h("li", {}, line))) : null,
        shown.warning ? h("p", { class: "card-warning" }, shown.warning) : null,
        h("p", { class: "card-foot", dir: "ltr", lang: "en-GB" }, [known.person?.name, known.where, date((shown.seen_at ?? "").slice(0, 10))]
          .filter(Boolean).join(" · "))),
      h("div", { class: "buttons card-tools" }, button("main tall grow", t("Print"), print),
        button("plain tall", t("Back to the check"), () => app.go("contact", { id, seen: true })))),
  };
}
