//! The story of a person over all their records and contacts, in words.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use wayside_protocol::clinical::text::Texts;
use wayside_protocol::record::{self, RecordId};
use wayside_protocol::timeline::{self, Event, Seen};

use super::Names;
use super::changes;
use super::records::{load, referred};
use crate::error::Result;
use crate::log::db::Conn;
use crate::views::Views;

/// One line of the story.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Told {
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub event: Event,
    /// `text` and `notes` in English.
    pub words: String,
    pub details: Vec<String>,
    pub by_name: Option<String>,
    pub tablet_name: Option<String>,
}

/// A record with its history.
struct Whole {
    record: Value,
    history: Vec<record::Change>,
}

impl Whole {
    fn told(&self) -> timeline::Told<'_> {
        timeline::Told { record: &self.record, history: &self.history }
    }
}

/// The story of the person for whom `standing` stands; `checks` are theirs.
pub(super) fn of(
    log: &Conn,
    views: &Views,
    standing: RecordId,
    checks: &[Value],
    names: &Names,
) -> Result<Vec<Told>> {
    let mut persons = Vec::new();
    for (id, _) in views.merged(standing)? {
        persons.extend(whole(log, id)?);
    }
    let mut contacts = Vec::new();
    for check in checks {
        let id = check.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let Some(contact) = id.map(|id| whole(log, id)).transpose()?.flatten() else { continue };
        let session = referred(views, check, "session")?;
        let site = session.as_ref().map(|session| referred(views, session, "site")).transpose()?.flatten();
        contacts.push((contact, session, site));
    }
    let persons: Vec<_> = persons.iter().map(Whole::told).collect();
    let seen: Vec<Seen<'_>> = contacts
        .iter()
        .map(|(contact, session, site)| Seen {
            contact: contact.told(),
            session: session.as_ref(),
            site: site.as_ref(),
        })
        .collect();
    let texts = Texts::english();
    let told = timeline::timeline(&persons, &seen).into_iter().map(|event| Told {
        words: texts.say(&event.text),
        details: event.notes.iter().map(|note| texts.say(note)).collect(),
        by_name: event.by.as_deref().map(|by| names.staff(by)),
        tablet_name: event.tablet.as_deref().map(|tablet| names.tablet(tablet)),
        event,
    });
    Ok(told.collect())
}

fn whole(log: &Conn, id: RecordId) -> Result<Option<Whole>> {
    let Some((team, _)) = changes::team_of(log, id)? else { return Ok(None) };
    let stored = changes::stored(log, team, id)?;
    let record = load(id, stored.iter().map(|change| &change.raw))?;
    Ok(Some(Whole { record: record.view().whole(), history: record.history() }))
}
