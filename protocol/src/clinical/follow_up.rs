//! What is still to be done after a contact: referrals, follow-ups and calls, from their events and a date.
//!
//! Entries are written once and events name them, so several people on several tablets may act on one of
//! them. What has ended stays ended, whichever event is dated later: no clock decides that. Only among
//! events that leave a task open does their time count.
//!
//! When a referral is due follows from its urgency (section 2 of the clinical pack). That a practice which
//! has received a referral no longer makes it overdue, what counts as handled, and the days of the defaults
//! are D. Repeats at 3, 6 and 12 months: the needs of the pack, section 11.

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::derive::Derived;
use super::disputed::is_in_error;
use super::entries::{Entry, is_declined, slots, timestamp};
use super::readings::utc_date;
use super::text::Text;
use super::{Action, Category, Urgency};

spelt! {
    TaskKind {
        FollowUp = "follow_up", "Follow-up";
        Referral = "referral", "Referral";
    }
}

spelt! {
    /// How a task stands on a day.
    TaskState {
        Open = "open", "To come";
        Due = "due", "Due today";
        Overdue = "overdue", "Overdue";
        NotReached = "not_reached", "Tried, not reached";
        Received = "received", "Received there";
        Done = "done", "Done";
        Declined = "declined", "Declined";
    }
}

impl TaskState {
    /// Whether somebody of the team must still do something.
    pub const fn is_open(self) -> bool {
        matches!(self, TaskState::Open | TaskState::Due | TaskState::Overdue | TaskState::NotReached)
    }
}

/// One referral or follow-up of a contact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Task {
    pub kind: TaskKind,
    /// The entry's id, in `follow_ups` or `referrals`.
    pub entry: String,
    /// The type of a follow-up, or to whom a referral goes.
    pub what: String,
    pub state: TaskState,
    /// Of a referral.
    pub urgency: Option<Urgency>,
    /// `for` of a follow-up, `reason` of a referral.
    pub reason: Option<String>,
    pub due_on: Option<Date>,
    /// The day from which it stands so: when it was made, due, tried or done.
    pub since: Option<Date>,
    /// How often somebody tried and did not reach the person, or the person did not come.
    pub attempts: usize,
    /// Why, each in the words that were written down.
    pub reasons_missed: Vec<String>,
    /// What ended it, or happened last.
    pub last: Option<TaskEvent>,
}

/// One event of a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskEvent {
    pub entry: String,
    pub status: String,
    pub at: Option<String>,
    pub by: Option<String>,
    pub outcome: Option<String>,
}

/// One try to reach somebody by telephone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    pub entry: String,
    /// `tried`, `no_answer` or `reached`.
    pub outcome: String,
    pub at: Option<String>,
    pub by: Option<String>,
    pub spoke_to: Option<String>,
    pub about: Option<String>,
}

/// Referrals and follow-ups of a contact as they stand on a day, in the order in which they are due.
pub fn tasks(contact: &Value, today: Date) -> Vec<Task> {
    if is_in_error(contact) {
        return Vec::new();
    }
    let begun = day(contact.get("started_at"));
    let mut tasks: Vec<Task> = Vec::new();
    for entry in live(contact.get("follow_ups")) {
        let due_on = entry.1.get("due_on").and_then(Value::as_str).and_then(|day| day.parse().ok());
        let events = Events::of(contact, "follow_up_events", "follow_up", entry.0);
        let task = Task {
            due_on: events.moved_to().or(due_on),
            what: said(entry.1.get("type")).unwrap_or_default(),
            reason: said(entry.1.get("for")),
            ..Task::new(TaskKind::FollowUp, entry.0, begun)
        };
        tasks.push(task.after(&events, today));
    }
    for entry in live(contact.get("referrals")) {
        let made = day(entry.1.get("made_at")).or(begun);
        let urgency = entry.1.get("urgency").and_then(Value::as_str).and_then(Urgency::parse);
        let task = Task {
            urgency,
            due_on: made.zip(urgency).and_then(|(made, urgency)| within(made, urgency)),
            what: said(entry.1.get("to")).unwrap_or_default(),
            reason: said(entry.1.get("reason")),
            ..Task::new(TaskKind::Referral, entry.0, made)
        };
        tasks.push(task.after(&Events::of(contact, "referral_events", "referral", entry.0), today));
    }
    tasks.sort_by(|a, b| {
        (a.due_on.is_none(), a.due_on, &a.entry).cmp(&(b.due_on.is_none(), b.due_on, &b.entry))
    });
    tasks
}

/// The calls of a contact, in the order of their times.
pub fn calls(contact: &Value) -> Vec<Call> {
    let mut calls: Vec<Call> = live(contact.get("calls"))
        .map(|(id, call)| Call {
            entry: id.to_owned(),
            outcome: said(call.get("outcome")).unwrap_or_default(),
            at: said(call.get("at")),
            by: said(call.get("by")),
            spoke_to: said(call.get("spoke_to")),
            about: said(call.get("about")),
        })
        .collect();
    calls.sort_by(|a, b| (&a.at, &a.entry).cmp(&(&b.at, &b.entry)));
    calls
}

/// So much may the clocks of a tablet and of base differ before a reading counts as later than a call.
const SAME_TIME: SignedDuration = SignedDuration::from_secs(60);

/// Whether everything that a contact urgently calls for is in somebody's hands: a referral at least as
/// urgent that was received or has ended in an appointment, or a call in which somebody was reached. A raised
/// reading is also handled by monitoring that was arranged. A call is about what had been measured by then: a
/// reading that was taken after it opens the check again (D).
pub fn is_handled(contact: &Value, derived: &Derived) -> bool {
    let taken = live(contact.pointer("/bp/readings"));
    let newest = taken.filter_map(|(_, reading)| timestamp(reading.get("taken_at"))).max();
    let in_time = |call: &Call| {
        let at = call.at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
        at.zip(newest).is_none_or(|(at, newest)| newest.duration_since(at) <= SAME_TIME)
    };
    let reached = calls(contact).iter().any(|call| call.outcome == "reached" && in_time(call));
    let tasks = tasks(contact, Date::MAX);
    let received = |urgency: Urgency| {
        tasks.iter().any(|task| {
            let there = matches!(task.state, TaskState::Received | TaskState::Done);
            there && task.urgency.is_some_and(|of| of >= urgency)
        })
    };
    derived.actions.iter().all(|action| {
        let urgency = action.urgency();
        urgency == Urgency::Routine
            || reached
            || received(urgency)
            || (*action == Action::ElseGpWithin3Weeks && monitoring_arranged(contact))
    })
}

/// Whether somebody measures at home or over 24 hours.
pub(super) fn monitoring_arranged(contact: &Value) -> bool {
    let follow_up = live(contact.get("follow_ups")).any(|(_, entry)| {
        entry.get("type").and_then(Value::as_str).is_some_and(|kind| MONITORING.contains(&kind))
    });
    follow_up || contact.get("monitor_loan").is_some_and(|loan| !loan.is_null())
}

/// Types of follow-up that stand for home or 24-hour monitoring.
const MONITORING: &[&str] = &["hbpm_diary", "hbpm", "abpm", "home_monitor"];

/// A referral or follow-up that a result asks for and the contact does not have yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suggestion {
    pub kind: TaskKind,
    /// The type of a follow-up; to whom a referral goes: `gp`, `maternity`, `999`.
    pub what: &'static str,
    pub urgency: Option<Urgency>,
    pub due_on: Option<Date>,
    pub text: Text,
}

/// What the result of a contact asks for by default, counted from `today`.
pub fn suggestions(contact: &Value, derived: &Derived, today: Date) -> Vec<Suggestion> {
    let follow_up = |what, span: Span| Suggestion {
        kind: TaskKind::FollowUp,
        what,
        urgency: None,
        due_on: today.checked_add(span).ok(),
        text: Text::new(format!("follow-up-{what}")),
    };
    let referral = |what, urgency: Urgency| Suggestion {
        kind: TaskKind::Referral,
        what,
        urgency: Some(urgency),
        due_on: within(today, urgency),
        text: Text::new(format!("referral-{what}")).texts("urgency", [format!("urgency-{urgency}")]),
    };
    let no_monitoring = is_declined(contact, "monitoring") || is_declined(contact, "monitor_loan");
    let mut wanted: Vec<Suggestion> = Vec::new();
    for action in &derived.actions {
        wanted.extend(match action {
            // Ideally 7 days (NG136 1.2.7).
            Action::OfferAbpmHbpm if !no_monitoring => {
                Some(follow_up("hbpm_diary", Span::new().days(7))).filter(|_| !monitoring_arranged(contact))
            }
            Action::ElseGpWithin3Weeks if !no_monitoring => None,
            Action::Emergency999Ae => Some(referral("999", Urgency::Emergency)),
            Action::MaternitySameDay | Action::MaternityEmergencyNow => {
                Some(referral("maternity", action.urgency()))
            }
            // How much sooner than 5 years has no source: a year is D.
            Action::AdviceRecheckSooner => Some(follow_up("repeat_bp", Span::new().years(1))),
            Action::AdviceRecheck5y => Some(follow_up("repeat_bp", Span::new().years(5))),
            action if action.urgency() > Urgency::Routine => Some(referral("gp", action.urgency())),
            _ => None,
        });
    }
    // NG136 1.5.1: where the practice finds no organ damage, within 7 days.
    if derived.category == Some(Category::VeryHigh) && derived.urgency == Urgency::SameDay {
        wanted.push(follow_up("repeat_bp", Span::new().days(7)));
    }
    let there = tasks(contact, today);
    let has = |wanted: &Suggestion| {
        there.iter().any(|task| {
            task.kind == wanted.kind
                && match wanted.kind {
                    TaskKind::FollowUp => task.what == wanted.what,
                    TaskKind::Referral => task.urgency >= wanted.urgency,
                }
        })
    };
    wanted.retain(|suggestion| !has(suggestion));
    // One referral is enough: the most urgent to each.
    wanted.sort_by_key(|wanted| (wanted.kind, wanted.what, std::cmp::Reverse(wanted.urgency)));
    wanted.dedup_by_key(|wanted| (wanted.kind, wanted.what));
    wanted.sort_by_key(|wanted| wanted.due_on);
    wanted
}

/// The days 3, 6 and 12 months after one, for a series of repeats; the last day of a month that is shorter.
pub fn repeats(from: Date) -> [Date; 3] {
    [3, 6, 12].map(|months| from.checked_add(Span::new().months(months)).unwrap_or(Date::MAX))
}

/// By when somebody must have seen the person.
fn within(from: Date, urgency: Urgency) -> Option<Date> {
    let days = match urgency {
        Urgency::Emergency | Urgency::SameDay => 0,
        Urgency::Within7Days => 7,
        Urgency::Within3Weeks => 21,
        Urgency::Routine => return None,
    };
    from.checked_add(Span::new().days(days)).ok()
}

impl Task {
    fn new(kind: TaskKind, entry: &str, since: Option<Date>) -> Task {
        Task {
            kind,
            entry: entry.to_owned(),
            what: String::new(),
            state: TaskState::Open,
            urgency: None,
            reason: None,
            due_on: None,
            since,
            attempts: 0,
            reasons_missed: Vec::new(),
            last: None,
        }
    }

    /// How it stands after what happened to it.
    fn after(mut self, events: &Events<'_>, today: Date) -> Task {
        const MISSED: &[&str] = &["not_reached", "did_not_attend"];
        let missed = || events.0.iter().filter(|(_, event)| MISSED.contains(&status(event)));
        self.attempts = missed().count();
        self.reasons_missed = missed()
            .filter_map(|(_, event)| said(event.get("reason_missed").or(event.get("outcome"))))
            .collect();
        let ended = events.last_of(&["done", "attended", "closed"]).map(|event| (event, TaskState::Done));
        let ended = ended.or_else(|| Some((events.last_of(&["declined"])?, TaskState::Declined)));
        let stands = ended.or_else(|| {
            let last = events.0.last().copied()?;
            match status(last.1) {
                "received" => Some((last, TaskState::Received)),
                of if MISSED.contains(&of) => Some((last, TaskState::NotReached)),
                _ => None,
            }
        });
        let last = stands.map(|(event, _)| event).or_else(|| events.0.last().copied());
        self.last = last.map(TaskEvent::of);
        if let Some((event, state)) = stands {
            self.state = state;
            self.since = day(event.1.get("at")).or(self.since);
        } else if let Some(due) = self.due_on.filter(|due| *due <= today) {
            self.state = if due == today { TaskState::Due } else { TaskState::Overdue };
            self.since = Some(due);
        }
        self
    }
}

impl TaskEvent {
    fn of((id, event): Entry<'_>) -> TaskEvent {
        TaskEvent {
            entry: id.to_owned(),
            status: status(event).to_owned(),
            at: said(event.get("at")),
            by: said(event.get("by")),
            outcome: said(event.get("outcome").or(event.get("reason_missed"))),
        }
    }
}

/// The live events of one task, in the order of their times.
struct Events<'a>(Vec<Entry<'a>>);

impl<'a> Events<'a> {
    fn of(contact: &'a Value, map: &str, names: &str, task: &str) -> Events<'a> {
        let mut events: Vec<Entry<'a>> = live(contact.get(map))
            .filter(|(_, event)| event.get(names).is_some_and(|named| named == task))
            .collect();
        events.sort_by_key(|(id, event)| (timestamp(event.get("at")), *id));
        Events(events)
    }

    fn last_of(&self, wanted: &[&str]) -> Option<Entry<'a>> {
        self.0.iter().rfind(|(_, event)| wanted.contains(&status(event))).copied()
    }

    /// The day to which it was moved last.
    fn moved_to(&self) -> Option<Date> {
        let (_, event) = self.last_of(&["rearranged"])?;
        event.get("due_on").and_then(Value::as_str)?.parse().ok()
    }
}

fn status(event: &Value) -> &str {
    event.get("status").and_then(Value::as_str).unwrap_or_default()
}

/// Entries that were not struck out.
fn live(map: Option<&Value>) -> impl Iterator<Item = Entry<'_>> {
    slots(map).into_iter().flat_map(|slot| slot.alternatives)
}

fn day(time: Option<&Value>) -> Option<Date> {
    timestamp(time).map(utc_date)
}

/// A text, or whatever else stands there, in one line.
fn said(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        // A service by its name.
        Value::Object(members) => members.get("name").and_then(Value::as_str).map(str::to_owned),
        other => Some(other.to_string()),
    }
}
