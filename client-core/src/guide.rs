//! Guided measurement and health check: what to do next with a contact, and which ones are half done.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rusqlite::Connection;
use serde_json::{Value, json};
use wayside_protocol::{
    clinical::{
        Urgency,
        card::{ResultCard, result_card},
        derive,
        guide::{Step, next_step},
        health_summary::{self, HealthCheck},
        hindsight::{Hindsight, hindsight},
        text::Text,
    },
    error::Code,
    record::{Hash, Kind, RecordId},
};

use crate::{
    error::{Error, Result},
    people,
    read::Page,
    store::{
        index,
        records::{self, Row},
    },
    tablet::Tablet,
    write::{By, Edit},
};

/// A contact that was parked, or broken off before the guide was done with it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct HalfDone {
    pub id: RecordId,
    /// Whoever stands for the person; `None` for somebody who gave no details.
    pub person: Option<RecordId>,
    /// As written; empty where nothing was.
    pub name: String,
    pub session: Option<RecordId>,
    /// The site's name.
    pub site: String,
    /// RFC 3339 in UTC.
    pub started_at: String,
    pub parked: bool,
    /// The code of the next step, as in [`wayside_protocol::clinical::guide::StepCode`].
    pub step: String,
}

/// The card for the person seen, and whether staff must telephone because nobody at base knows yet.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Card {
    #[serde(flatten)]
    pub card: ResultCard,
    /// For staff: a result that calls for somebody today has not reached base.
    pub nobody_at_base: Option<Text>,
}

impl Tablet {
    /// What to do next with a contact, by the settings that its team has today.
    pub fn next_step(&self, contact: RecordId) -> Result<Step> {
        Ok(self.guide(contact)?.0)
    }

    /// As [`Tablet::next_step`], with the heads that its screen shows: the base for saving the answer.
    pub fn guide(&self, contact: RecordId) -> Result<(Step, Vec<Hash>)> {
        self.0.store.read(|conn| {
            let (row, contact, person) = with_person(conn, contact)?;
            let settings = index::guide_settings(conn, row.team)?;
            Ok((next_step(&contact, person.as_ref(), &settings), row.heads))
        })
    }

    /// Contacts for which a step is left: those that were parked first, then the last begun first. Whoever ends
    /// a contact says so in `ended`; else it stays here until every step is done or was declined.
    pub fn half_done(&self, page: Page) -> Result<Vec<HalfDone>> {
        let sql = "SELECT r.id, c.person, c.session, c.started_at, c.parked, c.step
            FROM contact c JOIN record r ON r.no = c.record
            WHERE c.step <> 'done' ORDER BY c.parked DESC, c.started_at DESC, c.record DESC LIMIT ? OFFSET ?";
        let (limit, offset) = page.bounds();
        self.0.store.read(|conn| {
            let mut statement = conn.prepare_cached(sql)?;
            let id = |bytes: Option<[u8; 16]>| bytes.map(RecordId::from_bytes);
            let found = statement.query_map((limit, offset), |row| {
                Ok(HalfDone {
                    id: RecordId::from_bytes(row.get(0)?),
                    person: id(row.get(1)?),
                    name: String::new(),
                    session: id(row.get(2)?),
                    site: String::new(),
                    started_at: row.get(3)?,
                    parked: row.get(4)?,
                    step: row.get(5)?,
                })
            })?;
            let mut found = found.collect::<rusqlite::Result<Vec<_>>>()?;
            for half_done in &mut found {
                if let Some(person) = half_done.person {
                    let person = people::standing(conn, person)?;
                    half_done.person = Some(person);
                    half_done.name = people::name(conn, person)?;
                }
                if let Some(session) = half_done.session {
                    half_done.site = place(conn, session)?.site_name();
                }
            }
            Ok(found)
        })
    }

    /// Leaves a contact between two steps.
    pub fn park(&self, contact: RecordId, by: &By) -> Result<Vec<Hash>> {
        self.must_be(contact, Kind::Contact)?;
        self.edit(contact, Edit::set("ended", json!({"at": self.0.env.now_text(), "how": "parked"})), by)
    }

    /// Takes a parked contact up again.
    pub fn resume(&self, contact: RecordId, by: &By) -> Result<Vec<Hash>> {
        self.must_be(contact, Kind::Contact)?;
        self.edit(contact, Edit::set("ended", Value::Null), by)
    }

    /// Ends a contact: `completed`, or `left_early` where the person went before it was done.
    pub fn finish(&self, contact: RecordId, left_early: bool, by: &By) -> Result<Vec<Hash>> {
        self.must_be(contact, Kind::Contact)?;
        let how = if left_early { "left_early" } else { "completed" };
        self.edit(contact, Edit::set("ended", json!({"at": self.0.env.now_text(), "how": how})), by)
    }

    /// What a contact comes to as a health check, and how complete it is.
    pub fn health_check(&self, contact: RecordId) -> Result<HealthCheck> {
        let today = self.today();
        self.0.store.read(|conn| {
            let id = contact;
            let (_, contact, person) = with_person(conn, contact)?;
            let mut earlier = Vec::new();
            if let Some(person) = person.as_ref().and_then(|person| person.get("id")?.as_str()?.parse().ok())
            {
                for other in people::contacts_of_person(conn, person)? {
                    if other != id {
                        earlier.extend(
                            records::find(conn, other)?.and_then(|row| row.view).map(|view| view.whole()),
                        );
                    }
                }
            }
            Ok(health_summary::health_check(
                &contact,
                person.as_ref(),
                health_summary::last_check(&earlier),
                today,
            ))
        })
    }

    /// The card for the person who was seen.
    pub fn result_card(&self, contact: RecordId) -> Result<Card> {
        self.0.store.read(|conn| {
            let (row, contact, person) = with_person(conn, contact)?;
            let derived = derive(&contact, person.as_ref());
            let sql = "SELECT EXISTS (SELECT 1 FROM change
                WHERE record = ? AND state <> 'accepted' AND state <> 'quarantined')";
            let waits: bool = conn.prepare_cached(sql)?.query_row([row.no], |row| row.get(0))?;
            let alone = derived.urgency >= Urgency::SameDay && waits;
            Ok(Card {
                card: result_card(&contact, &derived),
                nobody_at_base: alone.then(|| Text::new("card-nobody-at-base")),
            })
        })
    }

    /// Where advice that was given says something else than the rules say of the contact now.
    pub fn hindsight(&self, contact: RecordId) -> Result<Option<Hindsight>> {
        self.0.store.read(|conn| {
            let (_, contact, person) = with_person(conn, contact)?;
            Ok(hindsight(&contact, &derive(&contact, person.as_ref())))
        })
    }

    fn must_be(&self, id: RecordId, kind: Kind) -> Result<()> {
        let row = self.0.store.read(|conn| records::held(conn, id))?;
        if row.kind() == Some(kind) { Ok(()) } else { Err(Error::Failed(Code::WrongKind)) }
    }

    /// The date here and now.
    pub(crate) fn today(&self) -> Date {
        let clock = &self.0.env.clock;
        let local = clock.now_ms().saturating_add(i64::from(clock.offset_minutes()) * 60_000);
        Timestamp::from_millisecond(local).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC).date()
    }
}

/// A contact and its person, with their conflicts, as the rules read them.
pub fn with_person(conn: &Connection, id: RecordId) -> Result<(Row, Value, Option<Value>)> {
    let row = records::get(conn, id)?;
    let view = row.view.as_ref().filter(|view| view.kind == Some(Kind::Contact));
    let view = view.ok_or(Error::Failed(Code::WrongKind))?;
    let (contact, person) = (view.whole(), index::person_of(conn, view)?);
    Ok((row, contact, person))
}

/// A session with its site, as far as they are here.
pub struct Place {
    pub session: Option<Value>,
    pub site: Option<Value>,
}

pub fn place(conn: &Connection, session: RecordId) -> Result<Place> {
    let shown = |id| -> Result<Option<Value>> {
        Ok(records::find(conn, id)?.and_then(|row| row.view).map(|view| Value::Object(view.fields)))
    };
    let session = shown(session)?;
    let site = session.as_ref().and_then(|session| session.get("site")?.as_str()?.parse().ok());
    let site = site.map(shown).transpose()?.flatten();
    Ok(Place { session, site })
}

impl Place {
    pub fn site_name(&self) -> String {
        let name = self.site.as_ref().and_then(|site| site.get("name")?.as_str());
        name.unwrap_or_default().to_owned()
    }
}
