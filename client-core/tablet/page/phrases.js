// The page in the language that was chosen on this tablet. An English phrase is its own key: `phrases.json` lists them
// all, and what nobody translated stays English. Every other module waits until the language is known.

import { get, takeToken, translateWith } from "./api.js";

const ENGLISH = { text: "normal", contrast: "normal", language: "en-GB", dir: "ltr", languages: [], phrases: {} };

/** Text size, contrast and language, as chosen on this tablet. */
export const look = takeToken() ? await get("/api/display").catch(() => ENGLISH) : ENGLISH;

/** A phrase with `{name}` filled in. */
export function t(phrase, values = {}) {
  const said = look.phrases[phrase] ?? phrase;
  return said.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** For dates and numbers; English ones where the browser does not know the language. */
export const LOCALES = [look.language, "en-GB"];

/** What a language is called: in its own words where its file says so. */
export function languageName({ code, label }) {
  if (label) return label;
  try {
    return new Intl.DisplayNames([code, "en-GB"], { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** Size, contrast, language and direction of the whole page. */
export function apply() {
  const { text, contrast } = look;
  Object.assign(document.documentElement.dataset, { text, contrast });
}

/** Members of answers in which the program speaks for itself: never what somebody recorded. */
const SPOKEN = new Set(["label", "state_label", "type_label", "message", "ask", "group", "role"]);

function translated(value) {
  if (Array.isArray(value)) return value.map(translated);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) =>
    [name, typeof inner === "string" && SPOKEN.has(name) ? t(inner) : translated(inner)]));
}

apply();
Object.assign(document.documentElement, { lang: look.language, dir: look.dir });
if (Object.keys(look.phrases).length > 0) translateWith(translated);
