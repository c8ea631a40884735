// How this page looks on this tablet: text, contrast, language; and what it is.

import { get, post } from "./api.js";
import { button, h } from "./dom.js";
import { segments, select } from "./form.js";
import { apply, languageName, look, t } from "./phrases.js";

const SIZES = [
  { code: "normal", label: t("Normal") }, { code: "large", label: t("Large") }, { code: "largest", label: t("Very large") },
];
const CONTRASTS = [{ code: "normal", label: t("Normal") }, { code: "high", label: t("High") }];

/** The choices, each of which counts at once; `done()` when somebody has chosen. */
export async function display(app, done) {
  // A language's file may have been put there since the page was opened.
  const { languages } = await get("/api/display");
  const keep = async () => {
    const chosen = { text: text.value(), contrast: contrast.value(), language: language.value() };
    try {
      await post("/api/display", chosen);
      // In another language every word on the page is another one.
      if (chosen.language !== look.language) return location.reload();
      Object.assign(look, chosen);
      apply();
    } catch (error) {
      app.failed(error);
    }
    return undefined;
  };
  const text = segments("text", t("Text"), SIZES, look.text, keep);
  const contrast = segments("contrast", t("Contrast"), CONTRASTS, look.contrast, keep);
  const known = languages.map((one) => ({ code: one.code, label: languageName(one) }));
  const language = select("page-language", t("Language of this page"), known, look.language,
    { hint: t("Only languages whose file was put on this tablet.") });
  language.control.addEventListener("change", keep);
  const framed = (words, control) => h("fieldset", { class: "field" }, h("legend", { class: "label" }, words), control.node);
  return h("div", { class: "narrow form" }, h("h1", { tabindex: "-1" }, t("Text and contrast")),
    framed(t("Text"), text), framed(t("Contrast"), contrast), known.length > 1 ? language.node : null,
    button("main tall", t("Done"), done),
    h("section", { class: "card" }, h("h2", {}, t("About this page")),
      h("p", {}, t("Wayside’s own front end, for Windows and Linux tablets, and the living example for everybody who builds one. Front ends for Android and iOS are integrators’ work on the bindings.")),
      h("p", { class: "quiet" }, t("It works without a signal: everything comes from the program on this tablet."))));
}
