//! One readable story of a person: everything that was recorded of them and of whoever turned out to be them,
//! over all contacts, oldest first.
//!
//! Data with texts, so that every screen, page and language tells the same story. What was struck out or
//! corrected stays in it, with its reason. The order is that of the times that people wrote down: they are
//! read, not trusted, and nothing depends on them.

mod contact;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::clinical::text::Text;
use crate::record::Change;

/// A record with its history: what [`crate::record::View::whole`] and [`crate::record::Record::history`] give.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    pub record: &'a Value,
    pub history: &'a [Change],
}

/// A contact with where it took place, as far as that is known here.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub contact: Told<'a>,
    pub session: Option<&'a Value>,
    pub site: Option<&'a Value>,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Registered,
    Seen,
    RedFlags,
    Reading,
    HomeReading,
    Measurement,
    /// What the readings come to, by the rules of today.
    Result,
    Advice,
    Referral,
    ReferralEvent,
    Loan,
    FollowUp,
    FollowUpEvent,
    Call,
    Note,
    Consent,
    Merged,
    EnteredInError,
    Ended,
}

/// Whether an entry still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Counts,
    Corrected,
    StruckOut,
}

/// One line of the story.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// When it happened, as somebody wrote it down; else when it was recorded. RFC 3339 in UTC.
    pub at: String,
    pub kind: EventKind,
    /// The record's id.
    pub record: String,
    /// The field or entry in it; empty for the record as a whole.
    pub path: String,
    pub text: Text,
    /// Details, reasons, what stands beside it.
    pub notes: Vec<Text>,
    pub standing: Standing,
    /// Staff id of who did it.
    pub by: Option<String>,
    /// The tablet on which it was recorded, and when.
    pub tablet: Option<String>,
    pub recorded_at: Option<String>,
}

/// The story of the persons of one component and of all their contacts. The first person is the one that
/// stands for all.
pub fn timeline(persons: &[Told<'_>], contacts: &[Seen<'_>]) -> Vec<Event> {
    let mut events: Vec<Event> = persons.iter().flat_map(person).collect();
    for seen in contacts {
        let id = seen.contact.record.get("person");
        let own = persons.iter().find(|person| person.record.get("id") == id).or(persons.first());
        events.extend(contact::events(seen, own.map(|person| person.record)));
    }
    // In which order things of one second are told: as somebody would tell them.
    events.sort_by(|a, b| (&a.at, a.kind, &a.record, &a.path).cmp(&(&b.at, b.kind, &b.record, &b.path)));
    events
}

fn person(told: &Told<'_>) -> Vec<Event> {
    let teller = Teller::of(told);
    let mut events: Vec<Event> = teller
        .beginning()
        .map(|event| event.saying(EventKind::Registered, Text::new("timeline-registered")))
        .into_iter()
        .collect();
    for (id, consent) in entries(told.record, "consents") {
        let given = consent.get("given") != Some(&Value::Bool(false));
        let text = Text::new(if given { "timeline-consent" } else { "timeline-no-consent" });
        let mut event = teller.entry("consents", id, consent, "at", EventKind::Consent);
        event.text = text.coded("purpose", "consent", word(consent, "purpose").unwrap_or_default());
        if let Some(at) = word(consent, "withdrawn_at") {
            event.notes.push(Text::new("timeline-consent-withdrawn").words("at", at));
        }
        events.push(event);
    }
    // Each time that somebody merged it or took it apart: the field itself only says how it stands.
    for change in told.history {
        for set in change.set.iter().filter(|set| set.path == "merged_into") {
            let merged = !set.after.is_null();
            let text = Text::new(if merged { "timeline-merged" } else { "timeline-unmerged" });
            events.push(teller.made_by(change, "merged_into").saying(EventKind::Merged, text));
        }
    }
    events.extend(teller.in_error(told.record));
    events
}

/// Tells of one record: knows which change set which path.
struct Teller<'a> {
    record: String,
    history: &'a [Change],
    /// The first change that set a path: entries are set once.
    by_path: BTreeMap<&'a str, &'a Change>,
    begun: String,
}

impl<'a> Teller<'a> {
    fn of(told: &Told<'a>) -> Teller<'a> {
        let mut by_path = BTreeMap::new();
        for change in told.history {
            for set in &change.set {
                by_path.entry(set.path.as_str()).or_insert(change);
            }
        }
        let created = told.record.pointer("/created/at").and_then(Value::as_str);
        Teller {
            record: word(told.record, "id").unwrap_or_default().to_owned(),
            history: told.history,
            by_path,
            begun: word(told.record, "started_at").or(created).unwrap_or_default().to_owned(),
        }
    }

    fn beginning(&self) -> Option<Event> {
        Some(self.made_by(self.history.first()?, ""))
    }

    /// An event of a change, at the time of the change.
    fn made_by(&self, change: &Change, path: &str) -> Event {
        Event {
            at: change.at.clone(),
            by: Some(change.by.clone()),
            tablet: Some(change.tablet.clone()),
            recorded_at: Some(change.at.clone()),
            ..self.untold(path)
        }
    }

    fn untold(&self, path: &str) -> Event {
        Event {
            at: self.begun.clone(),
            kind: EventKind::Note,
            record: self.record.clone(),
            path: path.to_owned(),
            text: Text::new(""),
            notes: Vec::new(),
            standing: Standing::Counts,
            by: None,
            tablet: None,
            recorded_at: None,
        }
    }

    /// An event of a field, at the time at which the contact began.
    fn field(&self, path: &str, kind: EventKind) -> Event {
        let event =
            self.by_path.get(path).map_or_else(|| self.untold(path), |change| self.made_by(change, path));
        Event { at: self.begun.clone(), kind, ..event }
    }

    /// An event of an entry, at the time that the entry itself names.
    fn entry(&self, map: &str, id: &str, entry: &Value, time: &str, kind: EventKind) -> Event {
        let path = format!("{map}/{id}");
        let mut event = self.field(&path, kind);
        if let Some(at) = word(entry, time) {
            event.at = at.to_owned();
        }
        if let Some(by) = word(entry, "by") {
            event.by = Some(by.to_owned());
        }
        if let Some(struck) = entry.get("struck_out").filter(|struck| struck.is_object()) {
            event.standing = Standing::StruckOut;
            let reason = word(struck, "reason").unwrap_or_default();
            event.notes.push(Text::new("timeline-struck-out").words("reason", reason));
        } else if entry.get("corrected_by").is_some() {
            event.standing = Standing::Corrected;
        }
        event
    }

    fn in_error(&self, record: &Value) -> Option<Event> {
        let said = record.get("entered_in_error").filter(|said| said.is_object())?;
        let mut event = self.field("entered_in_error", EventKind::EnteredInError);
        event.at = word(said, "at").map(str::to_owned).or(event.recorded_at.clone()).unwrap_or(event.at);
        event.text =
            Text::new("timeline-entered-in-error").words("reason", word(said, "reason").unwrap_or_default());
        Some(event)
    }
}

impl Event {
    fn saying(self, kind: EventKind, text: Text) -> Event {
        Event { kind, text, ..self }
    }
}

fn word<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// All entries of a map, what was struck out or corrected too.
fn entries<'a>(record: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let map = record.pointer(&format!("/{pointer}")).and_then(Value::as_object);
    map.into_iter().flatten().filter(|(_, entry)| entry.is_object()).map(|(id, entry)| (id.as_str(), entry))
}
