// Building the page. Text from records is only ever appended as text: there is no way in here to have
// it read as markup.

/** An element with attributes (`onclick` and the like are listeners) and children. */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (name === "checked") element.checked = true;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...kept(children));
  return element;
}

/** Puts other children in. */
export function fill(element, ...children) {
  element.replaceChildren(...kept(children));
  return element;
}

function kept(children) {
  return children.flat(9).filter((child) => child !== undefined && child !== null && child !== false && child !== "");
}

const PATHS = {
  back: "M15 5l-7 7 7 7",
  plus: "M12 5v14M5 12h14",
  search: "M10.500 4a6.500 6.500 0 1 0 0 13a6.500 6.500 0 1 0 0-13M15.500 15.500L20 20",
  person: "M12 4a4 4 0 1 0 0 8a4 4 0 1 0 0-8M4.500 20c1-4 4-5.500 7.500-5.500s6.500 1.500 7.500 5.500",
  none: "M12 4a4 4 0 1 0 0 8a4 4 0 1 0 0-8M4.500 20c1-4 4-5.500 7.500-5.500M16 16l5 5M21 16l-5 5",
  done: "M5 12.500l4.500 4.500L19 7.500",
  up: "M12 19V6M6.500 11L12 5.500L17.500 11",
  away: "M4 4l16 16M8.500 8.700A9 9 0 0 0 5.500 11M13 7.100a9 9 0 0 1 5.500 3.900M9 14.500a4.500 4.500 0 0 1 5 0M12 18.500v.01",
  silent: "M4 7h16v7H4zM8 18h8M12 14v4M7.500 10.500h.01",
  warn: "M12 4L2.500 20h19zM12 10v4.500M12 17.400v.01",
  clock: "M12 4a8 8 0 1 0 0 16a8 8 0 1 0 0-16M12 8v4.500l3 2",
  pause: "M9 6v12M15 6v12",
  phone: "M6 4h3l1.500 4.500L8.500 10a11 11 0 0 0 5.500 5.500l1.500-2L20 15v3.500c0 1-.8 1.500-1.700 1.500C11 19.500 4.500 13 4 5.700C4 4.800 5 4 6 4z",
  erase: "M9 5h11v14H9l-6-7zM12 9.500l5 5M17 9.500l-5 5",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  turn: "M19 8a7.500 7.500 0 1 0 .5 6M19.500 3.500V8.500h-5",
};

/** A small drawing beside words that say the same. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  path.setAttribute("d", PATHS[name] ?? "");
  svg.append(path);
  return svg;
}

/** A button. `look`: "main", "plain", "quiet", "danger" or several. */
export function button(look, label, onclick, props) {
  return h("button", { type: "button", class: `button ${look}`, onclick, ...props }, label);
}

/** Runs what a button does once, however often it is tapped meanwhile. */
export async function once(element, work) {
  if (element.getAttribute("aria-disabled") === "true") return;
  element.setAttribute("aria-disabled", "true");
  try {
    await work();
  } finally {
    element.removeAttribute("aria-disabled");
  }
}

/** A box with a bold first line, for what staff must notice. */
export function notice(tone, title, ...rest) {
  return h("section", { class: `notice ${tone}` }, icon(tone === "calm" ? "clock" : "warn"),
    h("div", {}, h("strong", {}, title), ...rest));
}

export function tag(tone, words, name) {
  return h("span", { class: `tag ${tone}` }, name ? icon(name) : null, words);
}

/** Says something to people who use a screen reader. */
export function say(words) {
  document.getElementById("said").textContent = words;
}
