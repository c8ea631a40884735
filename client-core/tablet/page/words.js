// Times, dates and numbers as people here write them.

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "long", timeZone: "UTC" });
const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

/** `14:05`, on the clock of this tablet; empty for what is no time. */
export function clock(iso) {
  return shown(TIME, new Date(iso ?? ""));
}

const DAY_TIME = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

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

/** `1 reading`, `2 readings`. */
export function count(n, one, many = `${one}s`) {
  return `${n} ${n === 1 ? one : many}`;
}

/** Digits in groups of 3 3 4, as far as they are typed. */
export function grouped(digits) {
  return [digits.slice(0, 3), digits.slice(3, 6), digits.slice(6)].filter(Boolean).join(" ");
}

/** A date as it is typed: the slashes come by themselves. Slashes typed elsewhere stay where they are. */
export function slashed(text) {
  const elsewhere = [...text].some((c, i) => (c === "/" && i !== 2 && i !== 5) || !"0123456789/".includes(c));
  if (elsewhere) return text;
  const digits = text.replaceAll("/", "").slice(0, 8);
  return [digits.slice(0, 2), digits.slice(2, 4), digits.slice(4)].filter(Boolean).join("/");
}
