//! The contact itself, and what follows from it: Encounter, ServiceRequest for referrals, Task for follow-ups.

use jiff::civil::Date;
use serde_json::{Map, Value, json};
use wayside_protocol::clinical::Urgency;
use wayside_protocol::clinical::follow_up::{self, TaskKind, TaskState};
use wayside_protocol::clinical::health_check::CheckType;

use super::people::profile;
use super::values::{clean, instant, note, places, plain, reading_path, text};
use super::{Resource, Seen, Type, identifier, refer};

/// The contact. `FLD`: where it took place, in the field.
pub fn encounter(seen: &Seen<'_>) -> Resource {
    let contact = seen.contact;
    let ended = contact.get("ended").filter(|ended| ended.is_object());
    // Without a word on its end nobody knows whether it still goes on.
    let status = match (seen.is_in_error(), ended.and_then(|ended| text(ended, "/how"))) {
        (true, _) => "entered-in-error",
        (_, Some("parked")) => "in-progress",
        (_, Some(_)) => "finished",
        (_, None) => "unknown",
    };
    let mut fields = profile("UKCore-Encounter");
    fields.insert("identifier".into(), json!([identifier(seen.id())]));
    fields.insert("status".into(), status.into());
    let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    fields.insert("class".into(), json!({"system": system, "code": "FLD", "display": "field"}));
    let check =
        text(contact, "/check_type").and_then(CheckType::parse).map_or("Outreach contact", CheckType::label);
    fields.insert("type".into(), json!([{"text": check}]));
    fields.insert("subject".into(), seen.subject());
    let mut period = Map::new();
    period.extend(text(contact, "/started_at").and_then(instant).map(|at| ("start".to_owned(), at.into())));
    let end = ended.and_then(|ended| text(ended, "/at"));
    // Two clocks may have written the two times: a period never ends before it begins.
    let end = end.filter(|end| text(contact, "/started_at").is_some_and(|start| start <= *end));
    period.extend(end.and_then(instant).map(|at| ("end".to_owned(), at.into())));
    if !period.is_empty() {
        fields.insert("period".into(), period.into());
    }
    if let Some(reason) = text(contact, "/reason") {
        fields.insert("reasonCode".into(), json!([{"text": reason.replace('_', " ")}]));
    }
    if let Some(session) = text(contact, "/session") {
        fields.insert("location".into(), json!([{"location": refer(Type::Location, session)}]));
    }
    fields.extend(seen.organization().map(|team| ("serviceProvider".to_owned(), team)));
    Resource::of_record(Type::Encounter, seen.id(), fields)
}

/// Referrals, with the reading that led to them where one counts.
pub(super) fn requests(seen: &Seen<'_>, made: &[Resource]) -> Vec<Resource> {
    let tasks = follow_up::tasks(seen.contact, Date::MIN);
    let chosen =
        text(seen.contact, "/derived/chosen_reading").and_then(|id| place_of(seen, id)).map(reading_path);
    let reading =
        made.iter().find(|made| made.ty == Type::Observation && Some(&made.path) == chosen.as_ref());
    let mut requests = Vec::new();
    for place in places(seen.contact, "referrals") {
        let Some(entry) = place.live.first().map(|(_, entry)| *entry).or(place.struck) else { continue };
        let task = tasks.iter().find(|task| task.kind == TaskKind::Referral && task.entry == place.root);
        let status = match task.map(|task| task.state) {
            None => "entered-in-error",
            Some(TaskState::Done) => "completed",
            Some(TaskState::Declined) => "revoked",
            Some(_) => "active",
        };
        let to = entry.get("to").map(|to| text(to, "/name").map_or_else(|| plain(to), str::to_owned));
        let to = to.and_then(|to| clean(&to.replace('_', " "))).unwrap_or_else(|| "not said".to_owned());
        let reason = text(entry, "/reason").and_then(clean);
        let said = reason
            .map_or_else(|| format!("Referral to {to}"), |reason| format!("Referral to {to}: {reason}"));
        let mut fields = profile("UKCore-ServiceRequest");
        fields.insert("status".into(), status.into());
        fields.insert("intent".into(), "order".into());
        fields.insert("priority".into(), priority(text(entry, "/urgency").and_then(Urgency::parse)).into());
        fields.insert("code".into(), json!({"text": said}));
        fields.insert("performer".into(), json!([{"display": to}]));
        fields.insert("subject".into(), seen.subject());
        fields.insert("encounter".into(), seen.encounter());
        let made_at = text(entry, "/made_at").or(text(seen.contact, "/started_at")).and_then(instant);
        fields.extend(made_at.map(|at| ("authoredOn".to_owned(), at.into())));
        fields.extend(seen.organization().map(|team| ("requester".to_owned(), team)));
        fields.extend(reading.map(|reading| ("reasonReference".to_owned(), json!([reading.reference()]))));
        let told = task.and_then(|task| task.last.as_ref()).and_then(|last| last.outcome.as_deref());
        fields.extend(told.and_then(clean).map(|told| ("note".to_owned(), note(&told))));
        let path = format!("referrals/{}", place.root);
        requests.push(Resource::of_place(Type::ServiceRequest, seen.id(), &path, fields));
    }
    requests
}

/// The original of a reading.
fn place_of<'a>(seen: &Seen<'a>, id: &str) -> Option<&'a str> {
    let places = places(seen.contact, "bp/readings");
    let place = places.into_iter().find(|place| place.live.iter().any(|(live, _)| *live == id))?;
    Some(place.root)
}

/// FHIR has four, we have five (D).
fn priority(urgency: Option<Urgency>) -> &'static str {
    match urgency {
        Some(Urgency::Emergency) => "stat",
        Some(Urgency::SameDay) => "asap",
        Some(Urgency::Within7Days) => "urgent",
        Some(Urgency::Within3Weeks | Urgency::Routine) | None => "routine",
    }
}

/// Follow-ups as they stand, whatever today is: what is due or overdue whoever reads it can see from its day.
pub(super) fn tasks(seen: &Seen<'_>) -> Vec<Resource> {
    let tasks = follow_up::tasks(seen.contact, Date::MIN);
    let mut sent = Vec::new();
    for place in places(seen.contact, "follow_ups") {
        let Some(entry) = place.live.first().map(|(_, entry)| *entry).or(place.struck) else { continue };
        let task = tasks.iter().find(|task| task.kind == TaskKind::FollowUp && task.entry == place.root);
        let status = match task.map(|task| task.state) {
            None => "entered-in-error",
            Some(TaskState::Done) => "completed",
            Some(TaskState::Declined) => "rejected",
            Some(TaskState::NotReached | TaskState::Received) => "in-progress",
            Some(TaskState::Open | TaskState::Due | TaskState::Overdue) => "requested",
        };
        let what = text(entry, "/type").and_then(clean).unwrap_or_else(|| "follow up".to_owned());
        let mut fields = Map::from_iter([
            ("status".to_owned(), Value::from(status)),
            ("intent".to_owned(), "plan".into()),
            ("code".to_owned(), json!({"text": what.replace('_', " ")})),
            ("for".to_owned(), seen.subject()),
            ("encounter".to_owned(), seen.encounter()),
        ]);
        fields.extend(
            text(seen.contact, "/started_at")
                .and_then(instant)
                .map(|at| ("authoredOn".to_owned(), at.into())),
        );
        fields.extend(seen.organization().map(|team| ("requester".to_owned(), team)));
        let due = task.and_then(|task| task.due_on).map(|day| day.to_string());
        let due = due.or_else(|| text(entry, "/due_on").map(str::to_owned));
        fields.extend(due.map(|due| ("restriction".to_owned(), json!({"period": {"end": due}}))));
        if let Some(task) = task {
            fields.insert("businessStatus".into(), json!({"text": task.state.label()}));
            let missed = clean(&task.reasons_missed.join("; "));
            fields.extend(missed.map(|why| ("note".to_owned(), note(&format!("Not reached: {why}")))));
        }
        fields.extend(
            entry
                .get("for")
                .and_then(|why| clean(&plain(why)))
                .map(|why| ("description".to_owned(), why.into())),
        );
        let path = format!("follow_ups/{}", place.root);
        sent.push(Resource::of_place(Type::Task, seen.id(), &path, fields));
    }
    sent
}
