// What typing does, apart from the page so that it can be tested: what a key of the number pad does to what has been
// typed, when a field is full and the next one's turn has come, and how numbers and dates fall into groups.

export const FIELDS = ["systolic", "diastolic", "pulse"];

export function blank() {
  return { at: 0, fresh: false, systolic: "", diastolic: "", pulse: "" };
}

/**
 * Whether a field moves on by itself. Systolic (50 to 300): three digits when it starts with 1, 2 or 3, else
 * two. Diastolic (20 to 200): three when it starts with 1; 20 may still become 200; else two. Pulse is the
 * last: nothing comes after it.
 */
export function isFull(field, digits) {
  if (field === "pulse" || digits === "") return false;
  const three = field === "systolic" ? "123".includes(digits[0]) : digits[0] === "1" || digits.startsWith("20");
  return digits.length >= (three ? 3 : 2);
}

/** What one key ("0" to "9", "back", "next") makes of what is there. Never changes `state` itself. */
export function press(state, key) {
  const field = FIELDS[state.at];
  const typed = state[field];
  if (key === "back") {
    if (typed !== "") return { ...state, fresh: false, [field]: typed.slice(0, -1) };
    if (state.at === 0) return state;
    const before = FIELDS[state.at - 1];
    return { ...state, fresh: false, at: state.at - 1, [before]: state[before].slice(0, -1) };
  }
  if (key === "next") return select(state, Math.min(state.at + 1, FIELDS.length - 1));
  // The first digit in a field that was chosen again replaces what it held.
  const kept = state.fresh ? "" : typed;
  if ((kept === "" && key === "0") || kept.length >= 3) return state;
  const next = { ...state, fresh: false, [field]: kept + key };
  return isFull(field, next[field]) ? select(next, state.at + 1) : next;
}

/** A field chosen by tapping on it, or reached because the one before it is full. */
export function select(state, at) {
  return { ...state, at, fresh: state[FIELDS[at]] !== "" };
}

/** The values as numbers, without those that are empty. */
export function values(state) {
  return Object.fromEntries(FIELDS.filter((name) => state[name] !== "").map((name) => [name, Number(state[name])]));
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
