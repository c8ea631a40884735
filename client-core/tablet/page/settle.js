// Where two people wrote different things, or base refused something: look, and settle.

import { get, post } from "./api.js";
import { button, h, notice, once } from "./dom.js";
import { field } from "./form.js";
import { t } from "./phrases.js";
import { clock, count } from "./words.js";

export async function list(_, app) {
  const { disagree, refused } = await get("/api/unsettled");
  return {
    title: t("To settle"),
    back: app.state.session ? ["session", { id: app.state.session }] : ["start", {}],
    node: h("div", { class: "narrow" }, h("h1", {}, t("To settle")),
      disagree.length + refused.length === 0 ? h("p", { class: "quiet" }, t("Nothing: everything agrees.")) : null,
      disagree.length > 0 ? h("h2", {}, t("Records that disagree")) : null,
      h("ul", { class: "people" }, disagree.map((one) => h("li", {}, h("button", {
        type: "button", class: "row", onclick: () => app.go("settle", { id: one.id }),
      }, h("span", { class: "name" }, h("strong", {}, one.title), h("span", { class: "quiet" }, one.fields.join(", "))))))),
      refused.length > 0 ? h("h2", {}, t("Refused by base")) : null,
      refused.map((one) => h("section", { class: "card" }, h("h3", {}, one.title),
        one.reasons.map((reason) => h("p", {}, reason)),
        h("p", { class: "quiet" }, t("It is kept here and at base. A coordinator sees it, too.")),
        one.contact ? button("plain", t("Open the check"), () => app.go("contact", { id: one.id })) : null))),
  };
}

/** One record: each field that disagrees with its values side by side. */
export async function record({ id }, app) {
  const known = await get(`/api/unsettled/${id}`);
  const settle = (path, value) => async (event) => once(event.currentTarget, async () => {
    try {
      await post(`/api/unsettled/${id}`, { base: known.heads, path, value });
      const left = known.conflicts.length > 1;
      await app.go(left ? "settle" : "unsettled", left ? { id } : {}, { replace: true });
    } catch (error) {
      app.failed(error);
    }
  });
  return {
    title: known.title,
    back: ["unsettled", {}],
    node: h("div", { class: "narrow" }, h("h1", {}, known.title),
      known.conflicts.length === 0 ? notice("calm", t("Nothing disagrees here any more."))
        : h("p", {}, count(known.conflicts.length, "{n} field with more than one value. Both are kept until you choose.",
          "{n} fields with more than one value. All are kept until you choose.")),
      known.conflicts.map((conflict) => {
        const other = conflict.text ? field(`other-${conflict.path}`, t("Or neither: type what is right"), {}) : null;
        return h("section", { class: "card" }, h("h2", {}, conflict.label),
          h("div", { class: "sides" }, conflict.values.map(({ value, shown, by, at }) => h("div", { class: "side" },
            h("strong", { class: "side-value" }, shown),
            h("span", { class: "quiet" }, [by ? t("by {name}", { name: by }) : null, clock(at)].filter(Boolean).join(", ")),
            conflict.can_settle ? button("main", t("This is right"), settle(conflict.path, value)) : null))),
          other ? [other.node, button("plain", t("Use what I typed"),
            (event) => (other.value() === "" ? other.wrong(t("Type something first.")) : settle(conflict.path, other.value())(event)))] : null,
          conflict.can_settle ? null : h("p", { class: "quiet" }, t("A coordinator settles this one.")));
      })),
  };
}
