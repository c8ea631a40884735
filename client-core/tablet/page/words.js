// Times, dates and numbers as people here write them.

import { LOCALES, t } from "./phrases.js";

const TIME = new Intl.DateTimeFormat(LOCALES, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(LOCALES, { weekday: "short", day: "numeric", month: "long", timeZone: "UTC" });
const DATE = new Intl.DateTimeFormat(LOCALES, { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

/** `14:05`, on the clock of this tablet; empty for what is no time. */
export function clock(iso) {
  return shown(TIME, new Date(iso ?? ""));
}

const DAY_TIME = new Intl.DateTimeFormat(LOCALES, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** `18 Nov, 08:05`, on the clock of this tablet. */
export function dayTime(iso) {
  return shown(DAY_TIME, new Date(iso ?? ""));
}

/** Today's date here as `YYYY-MM-DD`, some days on. */
export function inDays(days) {
  const at = new Date();
  at.setDate(at.getDate() + days);
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((n) => String(n).padStart(2, "0")).join("-");
}

/** `Sunday 22 November`, of a date without a time. */
export function day(date) {
  return shown(DAY, new Date(`${date}T00:00:00Z`));
}

/** `3 February 1968`. */
export function date(text) {
  return shown(DATE, new Date(`${text}T00:00:00Z`));
}

function shown(format, at) {
  return Number.isNaN(at.getTime()) ? "" : format.format(at);
}

/** `1 reading`, `2 readings`: one of two phrases with `{n}`. */
export function count(n, one, many) {
  return t(n === 1 ? one : many, { n });
}
