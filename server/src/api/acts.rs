//! What a coordinator does to a record beside settling: says what became of something, strikes out,
//! corrects, merges. Each is one change of one record through [`author::edit`].
//!
//! What only adds an entry needs no heads: it replaces nothing, and two coordinators who say the same leave
//! two entries that agree. What replaces something is authored on the heads that the page showed.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use wayside_protocol::error::Code;
use wayside_protocol::record::schema::{self, AMENDMENTS, At, READINGS_PATH};
use wayside_protocol::record::{Corrections, Hash, Kind, RecordId, Rules, Write, path};

use super::author::{self, Opened, new_entry};
use super::diary::{self, DiaryDay};
use super::settle::Settle;
use super::{Readers, merging};
use crate::accounts::Role;
use crate::base::Base;
use crate::error::{Error, Result};

/// One thing to do, as forms and programs send it. Texts may be empty where they are not needed; ids and
/// codes are those that the record shows.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// What became of a follow-up: `done`, `not_reached` (with why), `rearranged` (with the new date) or
    /// `declined`.
    FollowUpEvent {
        follow_up: String,
        status: String,
        #[serde(default)]
        reason_missed: String,
        #[serde(default)]
        due_on: String,
    },
    /// A follow-up that was not planned before.
    FollowUp {
        #[serde(rename = "type")]
        what: String,
        due_on: String,
        #[serde(default, rename = "for")]
        whom: String,
    },
    /// A referral that was not made before: to a service of the directory by its name, or to whoever `other`
    /// says; how soon, as an urgency's code; how, as in `letter`.
    Referral {
        #[serde(default)]
        to: String,
        #[serde(default)]
        other: String,
        urgency: String,
        #[serde(default)]
        how: String,
        #[serde(default)]
        reason: String,
    },
    /// What became of a referral: `sent`, `received`, `attended`, `did_not_attend`, `declined` or `closed`.
    ReferralEvent {
        referral: String,
        status: String,
        #[serde(default)]
        outcome: String,
    },
    /// A telephone call: `tried`, `no_answer` or `reached`, then with whom spoken.
    Call {
        outcome: String,
        #[serde(default)]
        spoke_to: String,
        #[serde(default)]
        about: String,
    },
    /// The monitor that was lent is back.
    ReturnLoan,
    /// A day of a home diary.
    DiaryDay(DiaryDay),
    /// An entry that no longer counts. It stays, with the reason. Also how anything said by mistake is undone.
    StrikeOut {
        path: String,
        reason: String,
    },
    /// A reading that was typed wrongly.
    Correct {
        reading: String,
        systolic: Value,
        diastolic: Value,
        #[serde(default)]
        pulse: Value,
        reason: String,
        /// Says that an unusual value is right: `true`, or what a ticked box sends.
        #[serde(default)]
        confirmed_unusual: Value,
    },
    EnteredInError {
        reason: String,
    },
    /// Takes that back.
    NotInError,
    /// This person and another one are the same.
    Merge {
        with: RecordId,
    },
    /// They are not: takes back that this record was merged into `from`.
    Unmerge {
        from: RecordId,
    },
    /// Two who look alike are two people: the pair is not shown again.
    NotSame {
        other: RecordId,
    },
}

/// An act with what the page stood on.
#[derive(Debug, Clone, Deserialize)]
pub struct Acted {
    /// In hexadecimal: an array, or as forms send them, with spaces between.
    #[serde(default)]
    heads: Value,
    /// Which list to go back to, of a form that stands there.
    #[serde(default)]
    pub back: String,
    #[serde(flatten)]
    act: Act,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The record that has it: the one asked for, but for a diary.
    pub record: RecordId,
    /// The path of the entry that one click takes back: of a call, or of what became of something. After striking one
    /// out, that one's.
    pub entry: Option<String>,
}

impl Done {
    const fn to(record: RecordId) -> Done {
        Done { record, entry: None }
    }
}

impl Act {
    /// Where its entry goes, of what one click can take back.
    const fn adds_to(&self) -> Option<&'static str> {
        match self {
            Act::Call { .. } => Some("calls"),
            Act::FollowUpEvent { .. } => Some("follow_up_events"),
            Act::ReferralEvent { .. } => Some("referral_events"),
            _ => None,
        }
    }
}

impl Acted {
    /// Does it. Blocks.
    pub fn carry_out(self, base: &Base, readers: &Readers, id: RecordId, by: &str) -> Result<Done> {
        let heads = self.heads()?;
        if let Act::Merge { with: other } | Act::Unmerge { from: other } | Act::NotSame { other } = &self.act
        {
            readers.may(base, *other, Role::Coordinator)?;
        }
        match self.act {
            Act::Merge { with } => return merging::merge(base, id, with, by).map(|()| Done::to(id)),
            Act::Unmerge { from } => return merging::unmerge(base, id, from, by).map(|()| Done::to(id)),
            Act::NotSame { other } => return merging::not_same(base, id, other, by).map(|()| Done::to(id)),
            Act::DiaryDay(typed) => return diary::enter(base, readers, id, by, typed).map(Done::to),
            Act::StrikeOut { .. } | Act::Correct { .. } | Act::EnteredInError { .. } | Act::NotInError
                if heads.is_none() =>
            {
                return Err(Code::HeadsUnknown.into());
            }
            _ => {}
        }
        let (act, entry) = (self.act, new_entry());
        let made = match &act {
            Act::StrikeOut { path, .. } => Some(path.clone()),
            act => act.adds_to().map(|map| path::join(map, &entry)),
        };
        author::edit(base, id, by, heads, move |opened| writes(opened, &act, &entry))?;
        Ok(Done { record: id, entry: made })
    }

    fn heads(&self) -> Result<Option<Vec<Hash>>> {
        let texts: Vec<&str> = match &self.heads {
            Value::String(text) => text.split_whitespace().collect(),
            Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if texts.is_empty() { Ok(None) } else { Settle::heads(texts.into_iter()).map(Some) }
    }
}

/// `entry` is the id of what it adds.
fn writes(opened: &Opened, act: &Act, entry: &str) -> Result<Vec<Write>> {
    match act {
        Act::FollowUpEvent { follow_up, status, reason_missed, due_on } => {
            there(opened, "follow_ups", follow_up)?;
            let mut event = json!({"follow_up": follow_up, "status": status});
            match status.as_str() {
                "not_reached" => put(&mut event, "reason_missed", reason_missed),
                "rearranged" => put(&mut event, "due_on", needed(due_on, "Enter the new date.")?),
                _ => {}
            }
            add(opened, "follow_up_events", entry, event)
        }
        Act::FollowUp { what, due_on, whom } => {
            let mut entry = json!({"type": needed(what, "Say what is to be done.")?});
            put(&mut entry, "due_on", needed(due_on, "Enter the date.")?);
            put(&mut entry, "for", whom);
            contact(opened)?;
            opened.write(&path::join("follow_ups", &new_entry()), entry, Rules::Entry)
        }
        Act::Referral { to, other, urgency, how, reason } => {
            contact(opened)?;
            let to = if other.trim().is_empty() { to } else { other };
            let to = needed(to, "Say to whom.")?;
            let urgency = needed(urgency, "Say how soon.")?;
            let mut entry = json!({"to": to, "urgency": urgency, "made_at": opened.at, "by": opened.by});
            put(&mut entry, "how", how);
            put(&mut entry, "reason", reason);
            opened.write(&path::join("referrals", &new_entry()), entry, Rules::Entry)
        }
        Act::ReferralEvent { referral, status, outcome } => {
            there(opened, "referrals", referral)?;
            let mut event = json!({"referral": referral, "status": status});
            put(&mut event, "outcome", outcome);
            add(opened, "referral_events", entry, event)
        }
        Act::Call { outcome, spoke_to, about } => {
            contact(opened)?;
            let mut call = json!({"outcome": outcome});
            if outcome == "reached" {
                put(&mut call, "spoke_to", needed(spoke_to, "Say with whom you spoke.")?);
            }
            put(&mut call, "about", about);
            add(opened, "calls", entry, call)
        }
        Act::ReturnLoan => return_loan(opened),
        Act::StrikeOut { path, reason } => strike_out(opened, path, reason),
        Act::Correct { .. } => correct(opened, act),
        Act::EnteredInError { reason } => {
            let reason = needed(reason, "Say why.")?;
            let value = json!({"at": opened.at, "by": opened.by, "reason": reason});
            opened.write("entered_in_error", value, Rules::Entry)
        }
        Act::NotInError => opened.write("entered_in_error", Value::Null, Rules::Entry),
        Act::Merge { .. } | Act::Unmerge { .. } | Act::NotSame { .. } | Act::DiaryDay(_) => {
            Err(Code::WrongKind.into())
        }
    }
}

/// An entry that says when it was made and by whom.
fn add(opened: &Opened, map: &str, id: &str, mut entry: Value) -> Result<Vec<Write>> {
    put(&mut entry, "at", opened.at);
    put(&mut entry, "by", opened.by);
    opened.write(&path::join(map, id), entry, Rules::Entry)
}

fn put(entry: &mut Value, name: &str, text: &str) {
    if let (Value::Object(members), text) = (entry, text.trim())
        && !text.is_empty()
    {
        members.insert(name.to_owned(), json!(text));
    }
}

/// A text that must be there.
pub(super) fn needed<'a>(text: &'a str, says: &str) -> Result<&'a str> {
    let text = text.trim();
    if text.is_empty() { Err(Error::Said(Code::MissingField, says.to_owned())) } else { Ok(text) }
}

pub(super) fn contact(opened: &Opened) -> Result<()> {
    if opened.kind == Kind::Contact { Ok(()) } else { Err(Code::WrongKind.into()) }
}

/// Whether the contact has this entry.
fn there(opened: &Opened, map: &str, id: &str) -> Result<()> {
    contact(opened)?;
    if !id.contains('/') && opened.record.has(&path::join(map, id)) {
        Ok(())
    } else {
        Err(Code::EntryNotFound.into())
    }
}

fn return_loan(opened: &Opened) -> Result<Vec<Write>> {
    contact(opened)?;
    let loan = opened.record.view().fields.remove("monitor_loan").unwrap_or_default();
    if !loan.is_object() {
        return Err(Code::EntryNotFound.into());
    }
    if loan.get("returned_at").is_some_and(|at| !at.is_null()) {
        return Err(Code::ChangedMeanwhile.into());
    }
    let amendment = json!({"entry": "monitor_loan", "set": {"returned_at": opened.at}});
    opened.write(&path::join(AMENDMENTS, &new_entry()), amendment, Rules::Entry)
}

fn strike_out(opened: &Opened, entry: &str, reason: &str) -> Result<Vec<Write>> {
    let reason = needed(reason, "Say why it is struck out.")?;
    if !matches!(schema::at(opened.kind, entry), At::Entry(_)) || !opened.record.has(entry) {
        return Err(Code::EntryNotFound.into());
    }
    if entry.starts_with(AMENDMENTS) || is_struck(opened, entry) {
        return Err(Code::ChangedMeanwhile.into());
    }
    let struck = json!({"reason": reason, "at": opened.at, "by": opened.by});
    let amendment = json!({"entry": entry, "set": {"struck_out": struck}});
    opened.write(&path::join(AMENDMENTS, &new_entry()), amendment, Rules::Entry)
}

fn is_struck(opened: &Opened, entry: &str) -> bool {
    let fields = Value::Object(opened.record.view().fields);
    fields.pointer(&format!("/{entry}/struck_out")).is_some_and(|struck| !struck.is_null())
}

fn correct(opened: &Opened, act: &Act) -> Result<Vec<Write>> {
    let Act::Correct { reading, systolic, diastolic, pulse, reason, confirmed_unusual } = act else {
        return Err(Error::Internal("a correction"));
    };
    there(opened, READINGS_PATH, reading)?;
    let fields = Value::Object(opened.record.view().fields);
    let readings = fields.pointer("/bp/readings").and_then(Value::as_object).ok_or(Code::EntryNotFound)?;
    let chains = Corrections::of(readings.iter().map(|(id, value)| (id.as_str(), value)));
    let live = chains.leaves(chains.root(reading), readings.keys().map(String::as_str));
    let [live] = live.as_slice() else {
        let says = "Two corrections of this reading disagree: settle them first.";
        return Err(Error::Said(Code::ChangedMeanwhile, says.to_owned()));
    };
    let mut value: Map<String, Value> =
        readings.get(*live).and_then(Value::as_object).cloned().ok_or(Code::EntryNotFound)?;
    if value.contains_key("struck_out") {
        return Err(Code::ChangedMeanwhile.into());
    }
    for name in schema::FOLDED_IN.iter().chain(&["supersedes", "confirmed_unusual"]) {
        value.remove(*name);
    }
    let pressure = |name: &str, typed: &Value| {
        let missing = || Error::Said(Code::MissingField, format!("Enter the {name} pressure."));
        whole(name, typed)?.ok_or_else(missing)
    };
    value.insert("systolic".into(), json!(pressure("systolic", systolic)?));
    value.insert("diastolic".into(), json!(pressure("diastolic", diastolic)?));
    match whole("pulse", pulse)? {
        Some(pulse) => value.insert("pulse".into(), json!(pulse)),
        None => value.remove("pulse"),
    };
    if ticked(confirmed_unusual) {
        value.insert("confirmed_unusual".into(), json!(true));
    }
    value.insert("corrects".into(), json!(live));
    value.insert("reason".into(), json!(needed(reason, "Say what was wrong.")?));
    opened.write(&path::join(READINGS_PATH, &new_entry()), Value::Object(value), Rules::Entry)
}

/// `true`, or what a form's choice sends for it.
pub(super) fn ticked(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || value == "true"
}

/// A whole number, as typed or as JSON.
fn whole(name: &str, typed: &Value) -> Result<Option<i64>> {
    let wrong = || Error::Said(Code::WrongType, format!("The {name} must be a whole number."));
    match typed {
        Value::Null => Ok(None),
        Value::Number(number) => number.as_i64().map(Some).ok_or_else(wrong),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => text.trim().parse().map(Some).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}
