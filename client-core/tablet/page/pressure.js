// Taking a reading, and correcting one.

import { get, post } from "./api.js";
import { interrupted } from "./contact.js";
import { button, h, notice, once } from "./dom.js";
import { errors, field, segments } from "./form.js";
import { POSITIONS, countdown, isReading } from "./guide.js";
import { pad } from "./pad.js";
import { t } from "./phrases.js";

// As long as the page is open: most people sit the same way round all day.
let usual = "left";

/** Which arm; the one that the guide wants where it says so, else the usual one. */
function arms(wanted) {
  let arm = wanted ?? usual;
  const node = segments("arm", t("Arm"), [{ code: "left", label: t("Left arm") }, { code: "right", label: t("Right arm") }], arm,
    (code) => {
      arm = code;
      if (!wanted) usual = code;
    });
  return { node: node.node, value: () => arm };
}

/** The guide's questions in one line each. One that is not answered here is asked again later. */
function questions(asks) {
  const set = {};
  const rows = asks.map((ask) => {
    const options = ask.code === "ask_pregnant" ? [{ code: true, label: t("Yes") }, { code: false, label: t("No") }] : ask.choices;
    const words = { ask_pregnant: t("Pregnant?"), ask_pulse_rhythm: t("Pulse, felt first"), ask_age: t("Age") }[ask.code];
    return h("div", { class: "ask" }, h("span", { id: `ask-${ask.code}` }, words),
      h("div", { class: "toggles", role: "group", "aria-labelledby": `ask-${ask.code}` }, options.map(({ code, label }) => h("button", {
        type: "button", class: "toggle", "aria-pressed": "false",
        onclick: ({ currentTarget }) => {
          const on = currentTarget.getAttribute("aria-pressed") !== "true";
          for (const other of currentTarget.parentElement.children) other.setAttribute("aria-pressed", "false");
          currentTarget.setAttribute("aria-pressed", String(on));
          if (on) set[ask.path] = code;
          else delete set[ask.path];
        },
      }, label))));
  });
  return { node: rows.length > 0 ? h("div", { class: "asks" }, rows) : null, set };
}

/** What is open for somebody who comes back. */
function waiting(open, params, app) {
  if (!open || open.length === 0) return null;
  return h("div", { class: "open-before" }, open.map((one) => notice("calm", one.text,
    button("plain", one.label, () => app.go(one.screen, { ...one.params, session: params.session, person: params.person })))));
}

/** Sends a reading; asks where a value is unusual, and shows what is wrong where it was typed. */
function sender(app, send, saved) {
  let made = null;
  let busy = false;
  const save = async (values, confirmed) => {
    if (busy) return;
    busy = true;
    try {
      await saved(await send({ ...values, ...(confirmed ? { confirmed_unusual: true } : {}) }));
    } catch (error) {
      const at = error.path.split("/").pop();
      if (error.code === "confirm_unusual") {
        const { findings } = await post("/api/check/reading", values);
        made.ask(findings.map((finding) => finding.message), () => {}, () => save(values, true));
      } else if (!made.wrong(at, error.message)) {
        app.failed(error);
      }
    } finally {
      busy = false;
    }
  };
  return (from) => {
    made = pad((values) => save(values, false), from);
    return made;
  };
}

/** A first reading of somebody (`person`, or null for no details), or one more of a check (`contact`). */
export async function pressure(params, app) {
  const { session, person, started_at } = params;
  const known = params.contact ? await get(`/api/contacts/${params.contact}`) : null;
  const [who, before] = await Promise.all([
    known ? known.person : person ? get(`/api/people/${person}`) : null,
    known ? { ask: [], open: [] } : get(`/api/guide?${new URLSearchParams({ ...(person && { person }), ...(session && { session }) })}`),
  ]);
  let id = params.contact ?? null;
  let base = known?.heads;
  const next = isReading(known?.step) ? known.step.reading : null;
  const arm = arms(next?.arm ?? null);
  const asks = questions(before.ask);
  const wait = known ? countdown(known.step, id) : { node: null, stop() {} };

  const send = (change) => (id
    ? post(`/api/contacts/${id}`, { base, set: asks.set, ...change })
    : post("/api/contacts", { session, person, started_at, set: asks.set, ...change }));
  const show = async (contact) => {
    id = contact.id;
    base = contact.heads;
    await app.go(interrupted(contact) ?? "contact", { id }, { replace: true });
  };
  const numbers = sender(app, (values) => send({ reading: { ...values, arm: arm.value(), position: next?.position } }), show)(null);
  const end = (change, to) => async (event) => once(event.currentTarget, async () => {
    try {
      const contact = await send(change);
      if (to) await app.go("session", { id: session ?? contact.session }, { replace: true });
      else await show(contact);
    } catch (error) {
      app.failed(error);
    }
  });

  const live = known?.readings.filter((reading) => reading.state === "live").length ?? 0;
  const parked = { ended: "parked" };
  return {
    title: t("Blood pressure"),
    back: known ? ["contact", { id }] : ["session", { id: session }],
    node: h("div", { class: "pressure" },
      h("div", { class: "who" }, h("div", {}, h("h1", {}, who?.name ?? t("No details")),
        h("p", { class: "quiet" }, who?.about ?? t("Somebody who gave no details"),
          live > 0 ? ` · ${t("reading {n}", { n: live + 1 })}` : "",
          next && next.position !== "sitting" ? ` · ${POSITIONS[next.position]}` : "")),
      person ? button("quiet", t("History"), () => app.go("timeline", { id: person, session })) : null),
      h("div", { class: "before" }, waiting(before.open, params, app), asks.node, wait.node, arm.node),
      numbers.node,
      h("div", { class: "ways-out" },
        button("plain", t("Park"), end(parked, true)),
        known ? button("plain", t("Back to the result"), () => app.back())
          : button("plain", t("No reading, just talked"), end({ ended: "completed" }, true)),
        known ? null : button("plain", t("Left early"), end({ ended: "left_early" }, true)))),
    leave: () => {
      wait.stop();
      numbers.stop();
    },
  };
}

const REASONS = [
  { code: "Typed wrong", label: t("Typed wrong") }, { code: "Misread", label: t("Misread") }, { code: "", label: t("Other") },
];

/** Corrects one reading, or strikes it out. Both stay to be seen, with the reason. */
export async function correct({ id, reading }, app) {
  const known = await get(`/api/contacts/${id}`);
  const was = known.readings.find((other) => other.id === reading);
  const other = field("reason", t("Why?"), {});
  other.node.hidden = true;
  const why = segments("why", t("Why it is corrected"), REASONS, "Typed wrong", (code) => { other.node.hidden = code !== ""; });
  const reason = () => why.value() || other.value();
  const saved = (contact) => app.go(interrupted(contact) ?? "contact", { id }, { replace: true });
  const numbers = sender(app, (values) => {
    if (reason() === "") return Promise.reject(Object.assign(new Error(t("Say why, in a word or two.")), { path: "reason" }));
    // An emptied field is taken out of the reading.
    return post(`/api/contacts/${id}/correct`, { base: known.heads, reading, set: { pulse: null, ...values }, reason: reason() });
  }, saved)(was);
  const strike = async (event) => once(event.currentTarget, async () => {
    try {
      await post(`/api/contacts/${id}/strike`, { entry: `bp/readings/${reading}`, reason: reason() });
      await app.go("contact", { id }, { replace: true });
    } catch (error) {
      if (!errors({ reason: other }, error)) app.failed(error);
    }
  });
  return {
    title: t("Correct a reading"),
    back: ["contact", { id }],
    node: h("div", { class: "pressure" },
      h("div", { class: "who" }, h("h1", {}, t("Correct a reading")),
        h("p", { class: "quiet" }, `${known.person?.name ?? t("No details")} · ${t("was {reading}", { reading: `${was.systolic}/${was.diastolic}` })}`)),
      h("div", {}, why.node, other.node), numbers.node,
      h("div", { class: "ways-out" }, button("plain", t("Strike this reading out"), strike))),
    leave: numbers.stop,
  };
}
