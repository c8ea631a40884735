// The frame around the screens: opening, going from one to the next, the sync chip.

import { get, listen, post, takeToken } from "./api.js";
import { button, fill, h, icon, notice, once, say } from "./dom.js";
import { t } from "./phrases.js";
import { day } from "./words.js";
import * as card from "./card.js";
import * as care from "./care.js";
import * as contact from "./contact.js";
import * as diary from "./diary.js";
import { display } from "./display.js";
import * as due from "./due.js";
import * as find from "./find.js";
import * as flags from "./flags.js";
import * as health from "./health.js";
import * as person from "./person.js";
import * as pressure from "./pressure.js";
import * as session from "./session.js";
import * as settle from "./settle.js";
import { autoLock, unlockScreen } from "./staff.js";
import * as start from "./start.js";
import * as timeline from "./timeline.js";

const SCREENS = {
  start: start.start,
  site: start.site,
  enrol: start.enrol,
  session: session.session,
  find: find.find,
  person: person.form,
  pressure: pressure.pressure,
  correct: pressure.correct,
  contact: contact.contact,
  flags: flags.flags,
  emergency: flags.emergency,
  call: care.call,
  refer: care.refer,
  lend: care.lend,
  follow: care.follow,
  outcome: care.outcome,
  mistake: care.mistake,
  diary: diary.diary,
  health: health.health,
  card: card.card,
  due: due.due,
  timeline: timeline.timeline,
  unsettled: settle.list,
  settle: settle.record,
};

/** What every screen may use. `state` is what the program last said of itself. */
const app = { state: null, lists: null, go, back, failed, refreshState, here: null };

let current = { leave: null, refresh: null, back: null };
let turn = 0;
/** The newest revision that the program has told of. */
let seen = null;
let refreshing = Promise.resolve();

/** Shows a screen. `replace` where going back to the present one would do something twice. */
async function go(screen, params = {}, { replace = false } = {}) {
  const entry = { screen, params };
  if (replace) history.replaceState(entry, "");
  else history.pushState(entry, "");
  await show(entry);
}

function back() {
  const to = current.back ?? ["session", { id: app.state.session }];
  return go(...to);
}

async function show({ screen, params }) {
  const mine = ++turn;
  const asOf = seen;
  await current.leave?.();
  fill(document.getElementById("alerts"));
  let made;
  try {
    // Tapped while nobody was signed in: once somebody is.
    await unlocked;
    made = await (SCREENS[screen] ?? SCREENS.start)(params, app);
  } catch (error) {
    if (error.code === "locked") return;
    made = { title: t("This cannot be shown"), back: ["start", {}], node: notice("bad", error.message) };
  }
  // Somebody has tapped on: the newer screen stands.
  if (mine !== turn || made === null) return;
  current = made;
  app.here = screen;
  document.body.dataset.screen = screen;
  document.title = `${made.title} – Wayside`;
  bar();
  fill(document.getElementById("main"), made.node);
  window.scrollTo(0, 0);
  const focus = made.focus ?? document.querySelector("main h1");
  if (focus) {
    if (focus.tagName === "H1") focus.tabIndex = -1;
    focus.focus({ preventScroll: true });
  }
  // Something changed after this screen had read what it shows, and before it could be told.
  if (seen !== asOf) await refreshed();
}

/** Reads again what the screen shows: one after the other, so that an older answer never comes last. */
function refreshed() {
  refreshing = refreshing.then(() => (isLocked ? null : current.refresh?.())).catch(failed);
  return refreshing;
}

/** Says above the screen what did not work. What was typed stays. */
function failed(error) {
  if (error.code === "locked") return;
  const at = document.getElementById("alerts");
  fill(at, notice("bad", error.message));
  at.scrollIntoView({ block: "nearest" });
}

async function refreshState() {
  app.state = await get("/api/state");
  bar();
}

function bar() {
  const { state } = app;
  const site = state.site;
  const home = current.back
    ? button("quiet round", icon("back"), back, { "aria-label": t("Back") })
    : h("img", { src: "/page/icon.svg", alt: "", class: "mark" });
  fill(document.getElementById("bar"), home,
    h("div", { class: "where" }, h("strong", {}, site ? site.name : "Wayside"),
      h("span", {}, site ? day(state.date) : state.tablet)),
    state.sign_in.listed && state.sign_in.name ? button("plain lock-button", [icon("lock"), h("span", {}, state.sign_in.name)], () => lock(),
      { "aria-label": t("Lock: {name} is signed in", { name: state.sign_in.name }) }) : null,
    button("plain round text-button", h("span", { "aria-hidden": "true" }, "Aa"), () => settings().catch(failed), { "aria-label": t("Text and contrast") }),
    state.signal === null ? null : signalSwitch(state.signal), chip(state.sync));
}

/** What staff should know of restores, copies, old programs: one sentence each, until somebody puts it away. */
function notices() {
  const put = (code) => async (event) => once(event.currentTarget, () => post("/api/notices/put-away", { code }).catch(failed));
  fill(document.getElementById("notices"), app.state.notices.map(({ code, message }) => notice("calm", message,
    button("plain", t("Understood"), put(code)))));
}

/** Resolved as long as somebody may use the page. */
let unlocked = Promise.resolve();
let isLocked = false;

/** Locks the program, too: nothing is shown to whoever comes next. */
async function lock() {
  if (isLocked || !app.state.sign_in.listed) return;
  await post("/api/staff/lock").catch(failed);
  locked();
}

/** Puts one part of the page over all others, which stay as they are; the function that takes it away again. */
function cover(over) {
  const parts = ["bar", "alerts", "notices", "main", "settings", "lock"].map((id) => document.getElementById(id));
  const behind = parts.filter((part) => part !== over && !part.hidden);
  const scrolled = window.scrollY;
  const held = document.activeElement;
  for (const part of behind) part.hidden = true;
  over.hidden = false;
  window.scrollTo(0, 0);
  return () => {
    fill(over);
    over.hidden = true;
    for (const part of behind) part.hidden = false;
    window.scrollTo(0, scrolled);
    if (held?.isConnected) held.focus({ preventScroll: true });
  };
}

/** Puts the lock over the screen. What is typed there stays there, for whoever signs in next. */
function locked() {
  if (isLocked) return;
  isLocked = true;
  const over = document.getElementById("lock");
  unlocked = new Promise((resolve) => {
    const uncover = cover(over);
    const open = async () => {
      await refreshState();
      isLocked = false;
      uncover();
      resolve();
      await refreshed();
    };
    unlockScreen(over, open).catch((error) => fill(over, notice("bad", error.message)));
  });
}

/** Text, contrast and language, over whatever is being typed. */
async function settings() {
  const over = document.getElementById("settings");
  if (!over.hidden) return;
  const node = await display(app, () => uncover());
  const uncover = cover(over);
  fill(over, node);
  over.querySelector("h1").focus();
}

const LOOKS = {
  at_base: "done", waiting: "up", syncing: "turn", no_signal: "away", no_answer: "silent", attention: "warn",
  not_enrolled: "silent",
};

function chip(sync) {
  const tap = async () => {
    if (sync.state === "not_enrolled") return go("enrol");
    say(t("Syncing"));
    try {
      await post("/api/sync");
    } catch (error) {
      failed(error);
    }
  };
  return h("button", { type: "button", id: "chip", class: `chip ${sync.state}`, onclick: tap,
    title: sync.state === "not_enrolled" ? t("Enrol this tablet") : t("Sync now") },
  icon(LOOKS[sync.state]), h("span", {}, h("strong", {}, sync.text), sync.detail ? h("small", {}, sync.detail) : null));
}

function signalSwitch(on) {
  const tap = () => post("/api/signal", { on: !on }).catch(failed);
  return h("button", { type: "button", class: "switch", role: "switch", "aria-checked": String(!on), onclick: tap },
    h("span", { class: "track" }, h("span", { class: "knob" })), t("No signal"));
}

/** The program has something new to say: the chip, and perhaps what the screen shows. */
async function heard(event) {
  if (event === null) {
    fill(document.getElementById("alerts"), notice("bad",
      t("The Wayside program on this tablet does not answer."), h("p", {}, t("Start it again. What was saved is safe."))));
    // Nobody knows any more what is at base.
    app.state.sync = { state: "attention", text: t("Not known: the program has stopped"), detail: "" };
    bar();
    seen = null;
    return;
  }
  if (event.wiped) {
    // Base has had this tablet wiped: nothing stays on the screen either, but the program's word for it.
    location.reload();
    return;
  }
  if (event.locked) locked();
  if (seen === null) fill(document.getElementById("alerts"));
  const before = app.state;
  app.state = { ...before, sync: event.sync, signal: event.signal, notices: event.notices };
  if (JSON.stringify(before.notices) !== JSON.stringify(event.notices)) notices();
  if (JSON.stringify([before.sync, before.signal]) !== JSON.stringify([event.sync, event.signal])) {
    const at = document.activeElement;
    const kept = at?.closest("#bar") ? [...document.querySelectorAll("#bar button")].indexOf(at) : -1;
    bar();
    if (kept >= 0) document.querySelectorAll("#bar button")[kept]?.focus();
    // Each step of a sync aloud would talk over everything else.
    if (before.sync.state !== event.sync.state) say(event.sync.text);
  }
  if (seen !== event.revision) {
    seen = event.revision;
    await refreshed();
  }
}

async function open() {
  if (!takeToken()) {
    fill(document.getElementById("main"), notice("calm", t("Open this page from Wayside on this tablet."),
      h("p", {}, t("The address that Wayside prints when it starts lets you in."))));
    return;
  }
  try {
    [app.state, app.lists] = await Promise.all([get("/api/state"), get("/api/lists")]);
  } catch (error) {
    fill(document.getElementById("main"), notice("bad", error.message));
    return;
  }
  document.addEventListener("wayside-locked", locked);
  autoLock(() => app.state.sign_in.lock_minutes, lock);
  if (app.state.sign_in.locked) {
    bar();
    locked();
    await unlocked;
  }
  window.addEventListener("popstate", (event) => event.state && show(event.state));
  window.addEventListener("pagehide", () => current.leave?.(true));
  const { session: id } = app.state;
  const entry = history.state ?? (id ? { screen: "session", params: { id } } : { screen: "start", params: {} });
  history.replaceState(entry, "");
  notices();
  await show(entry);
  listen((event) => heard(event).catch(failed));
}

open();
