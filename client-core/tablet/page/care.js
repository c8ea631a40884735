// What happens after the measurement: refer, phone, lend a monitor, come back to it, and what became of it.

import { get, post } from "./api.js";
import { button, h, once } from "./dom.js";
import { errors, field, segments, select } from "./form.js";
import { t } from "./phrases.js";
import { inDays } from "./words.js";

/** A form about one check: its fields, and what they set. `made(values)` gives the change. */
function about(known, app, title, { fields, lead, rest, save = t("Save"), made }) {
  const submit = async (event) => {
    event.preventDefault();
    await once(event.currentTarget, async () => {
      try {
        const change = made();
        if (change === null) return;
        await post(`/api/contacts/${known.id}`, { base: known.heads, ...change });
        await app.go("contact", { id: known.id, seen: true }, { replace: true });
      } catch (error) {
        if (!errors(fields, error)) app.failed(error);
      }
    });
  };
  return {
    title,
    back: ["contact", { id: known.id, seen: true }],
    node: h("form", { class: "narrow form", novalidate: true, onsubmit: submit },
      h("div", { class: "who" }, h("h1", {}, title), h("p", { class: "quiet" }, known.person?.name ?? t("No details"))),
      lead, Object.values(fields).map((one) => one.node), rest,
      h("button", { type: "submit", class: "button main wide tall" }, save)),
  };
}

const labelled = (words, control) => ({
  ...control, node: h("fieldset", { class: "field" }, h("legend", { class: "label" }, words), control.node),
});

/** A day, by the tablet's own calendar. */
function dayField(id, label, value, rest = {}) {
  const made = field(id, label, { value, ...rest });
  made.control.type = "date";
  return made;
}

const URGENCIES = [
  { code: "routine", label: t("Routine") }, { code: "within_3_weeks", label: t("Within 3 weeks") },
  { code: "within_7_days", label: t("Within 7 days") }, { code: "same_day", label: t("Today") },
  { code: "emergency", label: t("Emergency, now") },
];

const HOW = [
  { code: "letter", label: t("A letter to take along") }, { code: "phone", label: t("By phone") },
  { code: "secure e-mail", label: t("By secure e-mail") }, { code: "self", label: t("They go themselves") },
];

/** To the practice, or to a service of the team's directory. */
export async function refer({ id, to = "", reason = "" }, app) {
  const [known, { services, always }] = await Promise.all([get(`/api/contacts/${id}`), get("/api/services")]);
  const options = [...always.map((one) => ({ ...one, group: t("Always") })),
    ...services.map((one) => ({ code: one.name, label: one.name, group: one.kind }))];
  const details = h("p", { class: "note", role: "status" });
  const say = () => {
    const service = services.find(({ name }) => name === fields.to.control.value);
    details.textContent = service ? [service.phone, service.hours, service.area].filter((one) => typeof one === "string").join(" · ") : "";
  };
  const fields = {
    to: select("to", t("To whom?"), options, to),
    urgency: select("urgency", t("How soon?"), URGENCIES, known.result.urgency),
    how: select("how", t("How?"), HOW, "letter"),
    reason: field("reason", t("Why?"), { value: reason || (known.result.category?.words ?? "") }),
  };
  fields.to.control.addEventListener("change", say);
  fields.to.node.append(details);
  say();
  return about(known, app, t("Refer"), {
    fields, save: t("Save this referral"),
    made() {
      if (fields.to.value() === "") {
        fields.to.wrong(t("Choose to whom."));
        fields.to.control.focus();
        return null;
      }
      return { set: { referrals: [{
        to: fields.to.value(), urgency: fields.urgency.value(), how: fields.how.value(), reason: fields.reason.value() || null,
      }] } };
    },
  });
}

const OUTCOMES = [
  { code: "reached", label: t("Spoke to somebody") }, { code: "no_answer", label: t("No answer") }, { code: "tried", label: t("Could not get through") },
];

/** A call: whom, whether somebody answered, and who. To somebody who sees the person it is a referral as well. */
export async function call({ id, to = "", urgency = "routine" }, app) {
  const [known, { always }] = await Promise.all([get(`/api/contacts/${id}`), get("/api/services")]);
  // `name` is kept with the record: in English, as base reads it.
  const whoms = [...always, { code: "999", label: "999", name: "999" }, { code: "person", label: t("The person"), name: "The person" }];
  const outcome = segments("outcome", t("What happened?"), OUTCOMES, "reached", (code) => { spoke.node.hidden = code !== "reached"; });
  const spoke = field("spoke_to", t("With whom did you speak?"), { hint: t("Name or role, as in duty doctor") });
  const fields = {
    to: select("to", t("Whom did you phone?"), whoms, to),
    outcome: labelled(t("What happened?"), outcome),
    spoke_to: spoke,
    about: field("about", t("About what?"), { value: known.result.systolic ? `Blood pressure ${known.result.systolic}/${known.result.diastolic}` : "" }),
  };
  return about(known, app, t("Write down a call"), {
    fields, save: t("Save this call"),
    made() {
      const whom = fields.to.value();
      const reached = outcome.value() === "reached";
      if (whom === "") {
        fields.to.wrong(t("Choose whom."));
        fields.to.control.focus();
        return null;
      }
      if (reached && spoke.value() === "") {
        spoke.wrong(t("Say with whom you spoke: a name, or what they are."));
        spoke.control.focus();
        return null;
      }
      const label = whoms.find(({ code }) => code === whom).name;
      const set = { calls: [{
        outcome: outcome.value(), spoke_to: reached ? `${label}: ${spoke.value()}` : label, about: fields.about.value() || null,
      }] };
      const urgent = ["same_day", "emergency"].includes(urgency);
      if (reached && urgent && whom !== "person") {
        set.referrals = [{ to: whom, urgency, how: "phone", reason: known.result.category?.recorded ?? "urgent result" }];
      }
      return { set };
    },
  });
}

/** A monitor to take home, and the day on which its diary comes back. */
export async function lend({ id }, app) {
  const [known, { devices }] = await Promise.all([get(`/api/contacts/${id}`), get("/api/services")]);
  const fields = {
    device: devices.length > 0 ? select("device", t("Which monitor?"), devices, devices[0].code)
      : field("device", t("Which monitor?"), { hint: t("Its number, as on its label") }),
    due_on: dayField("due_on", t("Back with the diary on"), inDays(8)),
  };
  return about(known, app, t("Lend a monitor"), {
    fields, save: t("Lend it"),
    lead: h("p", {}, t("Two readings sitting, a minute apart, morning and evening, for at least 4 days, better 7.")),
    made() {
      if (fields.device.value() === "") {
        fields.device.wrong(t("Say which monitor."));
        fields.device.control.focus();
        return null;
      }
      return { set: {
        monitor_loan: { device: fields.device.value() },
        follow_ups: [{ type: "hbpm_diary", due_on: fields.due_on.value() || null }],
      } };
    },
  });
}

const TYPES = [
  { code: "repeat_bp", label: t("Measure again") }, { code: "call", label: t("Phone them") },
  { code: "register_gp", label: t("Help to register with a GP") }, { code: "abpm", label: t("24-hour monitoring") },
];
const LATER = [[t("In a week"), 7], [t("In 3 weeks"), 21], [t("In 3 months"), 91], [t("In 6 months"), 182], [t("In 12 months"), 365]];

/** Something to come back to, on a day. */
export async function follow({ id }, app) {
  const known = await get(`/api/contacts/${id}`);
  const fields = {
    type: select("type", t("What for?"), TYPES, "repeat_bp"),
    due_on: dayField("due_on", t("When?"), inDays(21)),
  };
  return about(known, app, t("Come back to this"), {
    fields, save: t("Save"),
    rest: h("div", { class: "buttons" }, LATER.map(([label, days]) => button("plain", label,
      () => { fields.due_on.control.value = inDays(days); }))),
    made: () => ({ set: { follow_ups: [{ type: fields.type.value(), due_on: fields.due_on.value() || null }] } }),
  });
}

const OF_REFERRAL = [
  { code: "sent", label: t("Sent") }, { code: "received", label: t("They have it") }, { code: "attended", label: t("They went") },
  { code: "did_not_attend", label: t("They did not go") }, { code: "declined", label: t("Declined") }, { code: "closed", label: t("Closed") },
];
const OF_FOLLOW_UP = [
  { code: "done", label: t("Done") }, { code: "not_reached", label: t("Not reached") },
  { code: "rearranged", label: t("Another day") }, { code: "declined", label: t("Declined") },
];
// What is kept with the record, in English as base reads it, and how it is called here.
const MISSED = [
  ["No answer", t("No answer")], ["Number does not work", t("Number does not work")], ["Work or caring", t("Work or caring")],
  ["Transport", t("Transport")], ["Language", t("Language")], ["Unwell", t("Unwell")], ["Forgot", t("Forgot")],
];

/** What became of a referral or of something to come back to. */
export async function outcome({ id, referral, follow_up: followUp, status = "" }, app) {
  const known = await get(`/api/contacts/${id}`);
  const entry = referral ? known.arranged.referrals.find((one) => one.id === referral)
    : known.arranged.follow_ups.find((one) => one.id === followUp);
  const kinds = referral ? OF_REFERRAL : OF_FOLLOW_UP;
  const again = dayField("due_on", t("On which day?"), inDays(7));
  const words = field("words", referral ? t("What came of it?") : t("Why?"), { hint: referral ? t("Optional") : t("What kept them, in their words") });
  const offers = h("div", { class: "toggles" }, MISSED.map(([why, label]) => h("button", {
    type: "button", class: "toggle", onclick: () => { words.control.value = why; },
  }, label)));
  const show = (code) => {
    again.node.hidden = code !== "rearranged";
    words.node.hidden = !referral && !["not_reached", "declined"].includes(code);
    offers.hidden = code !== "not_reached";
  };
  const choice = segments("status", t("What became of it?"), kinds, status || kinds[0].code, show);
  show(choice.value());
  const fields = { status: labelled(t("What became of it?"), choice), again, words };
  return about(known, app, entry ? (referral ? entry.to : entry.label) : t("Not there any more"), {
    fields, rest: offers,
    made() {
      const code = choice.value();
      const said = words.node.hidden ? null : words.value() || null;
      if (code === "not_reached" && said === null) {
        words.wrong(t("Say why, in a word or two."));
        words.control.focus();
        return null;
      }
      if (referral) return { set: { referral_events: [{ referral, status: code, outcome: said }] } };
      const due = code === "rearranged" ? again.value() || null : null;
      return { set: { follow_up_events: [{ follow_up: followUp, status: code, reason_missed: said, due_on: due }] } };
    },
  });
}

/** A check that should not be there. It stays, and says why. */
export async function mistake({ id }, app) {
  const known = await get(`/api/contacts/${id}`);
  const reason = field("reason", t("Why should this check not be here?"), { hint: t("As in: recorded for the wrong person") });
  return about(known, app, t("Entered in error"), {
    fields: { reason }, save: t("Mark it as entered in error"),
    lead: h("p", {}, t("It stays to be seen, with the reason, and counts for nothing any more.")),
    made() {
      if (reason.value() === "") {
        reason.wrong(t("Say why, in a word or two."));
        reason.control.focus();
        return null;
      }
      return { entered_in_error: reason.value() };
    },
  });
}
