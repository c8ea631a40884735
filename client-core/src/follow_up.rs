//! What is still to be done: referrals, follow-ups and calls, and whom to refer to.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::Connection;
use serde_json::{Value, json};
use wayside_protocol::{
    clinical::{
        derive,
        follow_up::{Suggestion, Task, suggestions, tasks},
    },
    record::RecordId,
};

use crate::{
    error::Result,
    guide::{place, with_person},
    people::{self, PersonSummary},
    store::records::{self, Row},
    tablet::Tablet,
    write::By,
};

/// One thing to do, for whom, and where they were seen.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Due {
    pub contact: RecordId,
    /// Whoever stands for the person; `None` for somebody who gave no details.
    pub person: Option<PersonSummary>,
    /// The site's name.
    pub site: String,
    /// RFC 3339 in UTC: when they were seen.
    pub seen_at: String,
    #[serde(flatten)]
    pub task: Task,
}

/// A service to refer to, from the team's record.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Service {
    /// The entry's id.
    pub id: String,
    pub name: String,
    /// `gp`, `pharmacy`, `stop_smoking`, `social_prescribing`, `housing`, ...
    pub kind: String,
    pub phone: String,
    pub hours: Value,
    pub area: Value,
}

impl Tablet {
    /// The directory of services of this tablet's teams, by kind and name.
    pub fn services(&self) -> Result<Vec<Service>> {
        self.0.store.read(|conn| {
            let sql =
                format!("SELECT {} FROM record r WHERE r.kind = 'team' AND r.view IS NOT NULL", Row::COLUMNS);
            let mut statement = conn.prepare_cached(&sql)?;
            let teams = statement.query_map([], Row::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut services: Vec<Service> = Vec::new();
            for view in teams.into_iter().filter_map(|team| team.view) {
                let entries = view.fields.get("services").and_then(Value::as_object).into_iter().flatten();
                let offered = entries.into_iter().filter(|(_, service)| {
                    service.get("struck_out").is_none() && service.get("active") != Some(&Value::Bool(false))
                });
                services.extend(offered.map(|(id, service)| {
                    let word =
                        |name: &str| service.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                    Service {
                        id: id.clone(),
                        name: word("name"),
                        kind: word("kind"),
                        phone: word("phone"),
                        hours: service.get("hours").cloned().unwrap_or_default(),
                        area: service.get("area").cloned().unwrap_or_default(),
                    }
                }));
            }
            services.sort_by(|a, b| (&a.kind, &a.name, &a.id).cmp(&(&b.kind, &b.name, &b.id)));
            Ok(services)
        })
    }

    /// Referrals and follow-ups that are open on a day, what is overdue longest first.
    pub fn due(&self, on: Date) -> Result<Vec<Due>> {
        let sql = format!(
            "SELECT {} FROM contact c JOIN record r ON r.no = c.record WHERE c.open = 1",
            Row::COLUMNS
        );
        self.0.store.read(|conn| {
            let mut statement = conn.prepare_cached(&sql)?;
            let rows = statement.query_map([], Row::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
            due(conn, rows, on)
        })
    }

    /// What is open for one person, and for everybody who was found to be one with them.
    pub fn due_of(&self, person: RecordId, on: Date) -> Result<Vec<Due>> {
        self.0.store.read(|conn| {
            let mut rows = Vec::new();
            for contact in people::contacts_of_person(conn, person)? {
                rows.extend(records::find(conn, contact)?);
            }
            due(conn, rows, on)
        })
    }

    /// All referrals and follow-ups of a contact as they stand on a day, those that are done too.
    pub fn tasks(&self, contact: RecordId, on: Date) -> Result<Vec<Task>> {
        self.0.store.read(|conn| Ok(tasks(&with_person(conn, contact)?.1, on)))
    }

    /// The referrals and follow-ups that a contact's result asks for and that it does not have yet.
    pub fn suggestions(&self, contact: RecordId) -> Result<Vec<Suggestion>> {
        let today = self.today();
        self.0.store.read(|conn| {
            let (_, contact, person) = with_person(conn, contact)?;
            Ok(suggestions(&contact, &derive(&contact, person.as_ref()), today))
        })
    }

    /// Notes what became of a follow-up: `done`, `rearranged` (with `due_on`), `not_reached` or `declined`.
    pub fn follow_up_event(
        &self,
        contact: RecordId,
        follow_up: &str,
        status: &str,
        reason_missed: Option<&str>,
        due_on: Option<Date>,
        by: &By,
    ) -> Result<String> {
        let event = json!({
            "follow_up": follow_up, "status": status, "reason_missed": reason_missed,
            "due_on": due_on.map(|date| date.to_string()),
        });
        self.add(contact, "follow_up_events", without_null(event), by)
    }

    /// Notes what became of a referral: `sent`, `received`, `attended`, `did_not_attend`, `declined`, `closed`.
    pub fn referral_event(
        &self,
        contact: RecordId,
        referral: &str,
        status: &str,
        outcome: Option<&str>,
        by: &By,
    ) -> Result<String> {
        let event = json!({"referral": referral, "status": status, "outcome": outcome});
        self.add(contact, "referral_events", without_null(event), by)
    }

    /// Notes a telephone call: `tried`, `no_answer` or `reached`, and who was spoken to.
    pub fn call(
        &self,
        contact: RecordId,
        outcome: &str,
        spoke_to: Option<&str>,
        about: Option<&str>,
        by: &By,
    ) -> Result<String> {
        let call = json!({"outcome": outcome, "spoke_to": spoke_to, "about": about});
        self.add(contact, "calls", without_null(call), by)
    }
}

/// The open tasks of some contacts.
fn due(conn: &Connection, rows: Vec<Row>, on: Date) -> Result<Vec<Due>> {
    let mut due = Vec::new();
    let mut sites: BTreeMap<RecordId, String> = BTreeMap::new();
    for view in rows.into_iter().filter_map(|row| row.view) {
        let contact = view.whole();
        let id =
            |name: &str| contact.get(name).and_then(Value::as_str).and_then(|id| id.parse::<RecordId>().ok());
        let Some(own) = id("id") else { continue };
        let person = match id("person") {
            Some(person) => Some(people::summary_of(conn, people::standing(conn, person)?)?),
            None => None,
        };
        let site = match id("session") {
            // Hundreds were seen at one pop-up.
            Some(session) => match sites.get(&session) {
                Some(site) => String::clone(site),
                None => sites.entry(session).or_insert(place(conn, session)?.site_name()).clone(),
            },
            None => String::new(),
        };
        let seen_at = contact.get("started_at").and_then(Value::as_str).unwrap_or_default();
        due.extend(tasks(&contact, on).into_iter().filter(|task| task.state.is_open()).map(|task| Due {
            contact: own,
            person: person.clone(),
            site: site.clone(),
            seen_at: seen_at.to_owned(),
            task,
        }));
    }
    due.sort_by(|a, b| {
        let key = |due: &Due| (due.task.due_on.is_none(), due.task.due_on, due.contact);
        key(a).cmp(&key(b)).then_with(|| a.task.entry.cmp(&b.task.entry))
    });
    Ok(due)
}

fn without_null(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.retain(|_, value| !value.is_null());
    }
    value
}
