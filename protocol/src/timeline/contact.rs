//! What a contact adds to the story.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::Value;

use super::{Event, EventKind, Seen, Standing, Teller, entries, word};
use crate::clinical::follow_up::{TaskKind, tasks};
use crate::clinical::hindsight::hindsight;
use crate::clinical::text::Text;
use crate::clinical::{Derived, derive};

pub(super) fn events(seen: &Seen<'_>, person: Option<&Value>) -> Vec<Event> {
    let contact = seen.contact.record;
    let teller = Teller::of(&seen.contact);
    let derived = derive(contact, person);
    let mut events = vec![met(seen, &teller)];
    events.extend(red_flags(contact, &teller));
    events.extend(readings(contact, &teller, &derived));
    events.extend(measurements(contact, &teller));
    events.extend(result(contact, &teller, &derived));
    events.extend(advice(contact, &teller));
    events.extend(to_be_done(contact, &teller));
    events.extend(loan(contact, &teller));
    events.extend(calls(contact, &teller));
    events.extend(entries(contact, "notes").map(|(id, note)| {
        let text = Text::new("timeline-note").words("text", word(note, "text").unwrap_or_default());
        teller.entry("notes", id, note, "at", EventKind::Note).saying(EventKind::Note, text)
    }));
    events.extend(ended(contact, &teller));
    events.extend(teller.in_error(contact));
    events
}

/// Where and why.
fn met(seen: &Seen<'_>, teller: &Teller<'_>) -> Event {
    let contact = seen.contact.record;
    let mut event = teller.field("started_at", EventKind::Seen);
    event.path = String::new();
    event.text = match seen.site.and_then(|site| word(site, "name")) {
        Some(site) => Text::new("timeline-seen-at").words("site", site),
        None => Text::new("timeline-seen"),
    };
    if let Some(date) = seen.session.and_then(|session| word(session, "date")) {
        event.notes.push(Text::new("timeline-session").words("date", date));
    }
    if let Some(reason) = word(contact, "reason") {
        event.notes.push(Text::new("timeline-reason").coded("reason", "reason", reason));
    }
    let open = contact.get("conflicts").and_then(Value::as_array).map_or(0, Vec::len);
    if open > 0 {
        event
            .notes
            .push(Text::new("timeline-to-settle").number("open", i64::try_from(open).unwrap_or(i64::MAX)));
    }
    event
}

fn red_flags(contact: &Value, teller: &Teller<'_>) -> Option<Event> {
    let asked: Vec<(&str, &Value)> = entries(contact, "bp/red_flags").collect();
    let (id, first) = asked.first()?;
    let mut event = teller.entry("bp/red_flags", id, first, "asked_at", EventKind::RedFlags);
    event.path = "bp/red_flags".to_owned();
    let there: Vec<String> = asked
        .iter()
        .filter(|(_, flag)| {
            flag.get("present") == Some(&Value::Bool(true)) && flag.get("struck_out").is_none()
        })
        .filter_map(|(_, flag)| word(flag, "flag"))
        .map(|flag| format!("red-flag-{flag}"))
        .collect();
    event.text = if there.is_empty() {
        Text::new("timeline-no-red-flags")
    } else {
        Text::new("timeline-red-flags").texts("flags", there)
    };
    Some(event)
}

fn readings(contact: &Value, teller: &Teller<'_>, derived: &Derived) -> Vec<Event> {
    entries(contact, "bp/readings")
        .map(|(id, reading)| {
            let home = matches!(word(reading, "setting"), Some("hbpm" | "abpm"));
            let kind = if home { EventKind::HomeReading } else { EventKind::Reading };
            let mut event = teller.entry("bp/readings", id, reading, "taken_at", kind);
            event.text = Text::new(if home { "timeline-home-reading" } else { "timeline-reading" })
                .words("pair", pair(reading));
            let mut notes = Vec::new();
            if let Some(pulse) = reading.get("pulse").and_then(Value::as_i64) {
                notes.push(Text::new("timeline-pulse").number("pulse", pulse));
            }
            for (member, prefix) in [("arm", "arm"), ("position", "position")] {
                if let Some(code) = word(reading, member) {
                    notes.push(Text::new("timeline-detail").coded("detail", prefix, code));
                }
            }
            if derived.chosen_reading.as_deref() == Some(id) {
                notes.push(Text::new("timeline-counts"));
            }
            if let Some(original) = word(reading, "corrects") {
                let was = contact.pointer(&format!("/bp/readings/{original}")).map(pair).unwrap_or_default();
                notes.push(Text::new("timeline-corrects").words("was", was));
                // A correction is made when it is made, whenever the reading was taken.
                if let Some(at) = &event.recorded_at {
                    event.at.clone_from(at);
                }
                event.by =
                    teller.by_path.get(event.path.as_str()).map(|change| change.by.clone()).or(event.by);
            }
            if let Some(reason) = word(reading, "reason") {
                notes.push(Text::new("timeline-because").words("reason", reason));
            }
            for by in reading.get("corrected_by").and_then(Value::as_array).into_iter().flatten() {
                let to = by.as_str().and_then(|by| contact.pointer(&format!("/bp/readings/{by}"))).map(pair);
                notes.push(Text::new("timeline-corrected").words("to", to.unwrap_or_default()));
            }
            // What happened to it comes last.
            notes.append(&mut event.notes);
            event.notes = notes;
            event
        })
        .collect()
}

fn pair(reading: &Value) -> String {
    let number = |name: &str| reading.get(name).map(Value::to_string).unwrap_or_default();
    format!("{}/{}", number("systolic"), number("diastolic"))
}

fn measurements(contact: &Value, teller: &Teller<'_>) -> Vec<Event> {
    entries(contact, "measurements")
        .map(|(id, measured)| {
            let mut event = teller.entry("measurements", id, measured, "taken_at", EventKind::Measurement);
            event.text = Text::new("timeline-measurement")
                .coded("what", "measurement", word(measured, "what").unwrap_or_default())
                .words("value", measured.get("value").map(Value::to_string).unwrap_or_default())
                .words("unit", word(measured, "unit").unwrap_or_default());
            event
        })
        .collect()
}

/// What the contact comes to today, once there is a reading.
fn result(contact: &Value, teller: &Teller<'_>, derived: &Derived) -> Option<Event> {
    let category = derived.category?;
    let mut event = teller.untold("bp");
    event.kind = EventKind::Result;
    let clinic = entries(contact, "bp/readings").filter(|(_, reading)| {
        !matches!(word(reading, "setting"), Some("hbpm" | "abpm")) && reading.get("corrects").is_none()
    });
    if let Some(last) = clinic.filter_map(|(_, reading)| word(reading, "taken_at")).max() {
        last.clone_into(&mut event.at);
    }
    let pair = derived.systolic.zip(derived.diastolic).map(|(high, low)| format!("{high}/{low}"));
    event.text = Text::new("timeline-result")
        .texts("category", [format!("category-{category}")])
        .words("pair", pair.unwrap_or_default());
    let days: BTreeSet<&str> = entries(contact, "bp/readings")
        .filter(|(_, reading)| word(reading, "setting") == Some("hbpm"))
        .filter_map(|(_, reading)| word(reading, "taken_at")?.get(..10))
        .collect();
    if days.len() > 1 && derived.chosen_reading.is_none() {
        let days = i64::try_from(days.len()).unwrap_or(i64::MAX);
        event.notes.push(Text::new("timeline-mean-of-days").number("days", days));
    }
    event.notes.extend(derived.actions.iter().map(|action| Text::new(format!("action-{action}"))));
    event.notes.extend(derived.disputed.iter().map(|disputed| disputed.text.clone()));
    event.notes.extend(hindsight(contact, derived).map(|differs| differs.text));
    Some(event)
}

/// What was said, with what staff saw when they said it.
fn advice(contact: &Value, teller: &Teller<'_>) -> Vec<Event> {
    entries(contact, "advice")
        .map(|(id, advice)| {
            let mut event = teller.entry("advice", id, advice, "given_at", EventKind::Advice);
            event.text = Text::new("timeline-advice").coded(
                "what",
                "action",
                word(advice, "code").unwrap_or_default(),
            );
            if let Some(category) = word(advice, "category") {
                let rules = advice.get("rules").and_then(Value::as_str).unwrap_or_default();
                let shown = Text::new("timeline-shown-then").coded("category", "category", category);
                event.notes.insert(0, shown.words("rules", rules));
            }
            event
        })
        .collect()
}

/// Referrals and follow-ups, and what became of them.
fn to_be_done(contact: &Value, teller: &Teller<'_>) -> Vec<Event> {
    let tasks = tasks(contact, Date::MIN);
    let what_of = |kind: TaskKind, id: &str| {
        let task = tasks.iter().find(|task| task.kind == kind && task.entry == id);
        task.map(|task| task.what.clone()).unwrap_or_default()
    };
    let mut events = Vec::new();
    for (id, referral) in entries(contact, "referrals") {
        let mut event = teller.entry("referrals", id, referral, "made_at", EventKind::Referral);
        event.text =
            Text::new("timeline-referral").coded("to", "referral-to", &what_of(TaskKind::Referral, id));
        if let Some(urgency) = word(referral, "urgency") {
            event.notes.insert(0, Text::new("timeline-detail").coded("detail", "urgency", urgency));
        }
        if let Some(reason) = word(referral, "reason") {
            event.notes.insert(0, Text::new("timeline-because").words("reason", reason));
        }
        events.push(event);
    }
    for (id, follow_up) in entries(contact, "follow_ups") {
        let mut event = teller.entry("follow_ups", id, follow_up, "at", EventKind::FollowUp);
        if let Some(at) = event.recorded_at.clone() {
            event.at = at;
        }
        event.text =
            Text::new("timeline-follow-up").coded("what", "follow-up", &what_of(TaskKind::FollowUp, id));
        if let Some(due) = word(follow_up, "due_on") {
            event.notes.insert(0, Text::new("timeline-due-on").words("date", due));
        }
        events.push(event);
    }
    for (map, names, kind, of, prefix) in [
        ("referral_events", "referral", EventKind::ReferralEvent, TaskKind::Referral, "referral-to"),
        ("follow_up_events", "follow_up", EventKind::FollowUpEvent, TaskKind::FollowUp, "follow-up"),
    ] {
        for (id, happened) in entries(contact, map) {
            let mut event = teller.entry(map, id, happened, "at", kind);
            let what = what_of(of, word(happened, names).unwrap_or_default());
            event.text = Text::new("timeline-happened").coded("what", prefix, &what).coded(
                "status",
                "status",
                word(happened, "status").unwrap_or_default(),
            );
            for (member, id) in [
                ("outcome", "timeline-outcome"),
                ("reason_missed", "timeline-because"),
                ("due_on", "timeline-due-on"),
            ] {
                let argument = match member {
                    "outcome" => "outcome",
                    "due_on" => "date",
                    _ => "reason",
                };
                if let Some(said) = word(happened, member) {
                    event.notes.insert(0, Text::new(id).words(argument, said));
                }
            }
            events.push(event);
        }
    }
    events
}

/// A monitor that went home with the person, and came back.
fn loan(contact: &Value, teller: &Teller<'_>) -> Vec<Event> {
    let Some(loan) = contact.get("monitor_loan").filter(|loan| loan.is_object()) else { return Vec::new() };
    let mut lent = teller.field("monitor_loan", EventKind::Loan);
    if let Some(at) = word(loan, "lent_at") {
        at.clone_into(&mut lent.at);
    }
    lent.text = Text::new("timeline-lent").words("device", word(loan, "device").unwrap_or_default());
    let mut events = vec![lent];
    if let Some(at) = word(loan, "returned_at") {
        let back = teller.history.iter().find(|change| {
            change.set.iter().any(|set| {
                set.path.starts_with("amendments/")
                    && word(&set.after, "entry") == Some("monitor_loan")
                    && set.after.pointer("/set/returned_at").is_some()
            })
        });
        let mut event = back
            .map_or_else(|| teller.untold("monitor_loan"), |change| teller.made_by(change, "monitor_loan"));
        at.clone_into(&mut event.at);
        events.push(event.saying(EventKind::Loan, Text::new("timeline-returned")));
    }
    events
}

fn calls(contact: &Value, teller: &Teller<'_>) -> Vec<Event> {
    entries(contact, "calls")
        .map(|(id, call)| {
            let mut event = teller.entry("calls", id, call, "at", EventKind::Call);
            event.text = Text::new("timeline-call").coded(
                "outcome",
                "call",
                word(call, "outcome").unwrap_or_default(),
            );
            if let Some(about) = word(call, "about") {
                event.notes.insert(0, Text::new("timeline-about").words("about", about));
            }
            if let Some(spoke_to) = word(call, "spoke_to") {
                event.notes.insert(0, Text::new("timeline-spoke-to").words("name", spoke_to));
            }
            event
        })
        .collect()
}

fn ended(contact: &Value, teller: &Teller<'_>) -> Option<Event> {
    let ended = contact.get("ended").filter(|ended| ended.is_object())?;
    let mut event = teller.field("ended", EventKind::Ended);
    if let Some(at) = word(ended, "at") {
        at.clone_into(&mut event.at);
    }
    event.standing = Standing::Counts;
    event.text = Text::new("timeline-ended").coded("how", "ended", word(ended, "how").unwrap_or_default());
    Some(event)
}
