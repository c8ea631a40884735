//! Looking up what has left the tablets: online, with a reason, and audited.

use serde_json::{Map, Value};
use wayside_protocol::clinical::identity::Postcode;
use wayside_protocol::record::{RecordId, canonical};
use wayside_protocol::sync::frame::{Found, LookUp, MAX_FOUND, What, Wish};

use crate::api::name_of;
use crate::base::Base;
use crate::error::Result;
use crate::log::{self, Audited, Made, Tablet};
use crate::views::{Belongings, Views};

/// Who looks for less than this looks for everybody.
const LEAST_QUERY: usize = 3;

/// Answers a wish of a tablet, `from` an address if it is known. What is fetched is active when this returns, and whoever asked is in the audit trail before they are
/// shown anything. Blocks.
pub fn answer(base: &Base, (tablet, from): (&Tablet, &str), asked: &LookUp, now: u64) -> Result<Found> {
    let mut views = Views::open(base.data())?;
    views.catch_up(&base.log)?;
    let team = asked.team;
    let audited = Audited {
        at: now,
        who: format!("{} {}", tablet.id, asked.staff),
        address: from.to_owned(),
        act: "look_up".into(),
        reason: asked.reason.clone(),
        ..Audited::default()
    };
    let (persons, more) = match &asked.wish {
        Wish::Search { query } => {
            base.log.write(move |txn| log::audit(txn.conn, &audited))?;
            if query.trim().chars().count() < LEAST_QUERY {
                (Vec::new(), true)
            } else {
                let mut persons = views.archived_persons(team, query, MAX_FOUND + 1)?;
                let more = persons.len() > MAX_FOUND;
                persons.truncate(MAX_FOUND);
                (persons, more)
            }
        }
        Wish::Fetch { records } => {
            let wanted = views.belongings(team, records)?;
            let persons: Vec<RecordId> = wanted.persons.iter().copied().collect();
            fetch(base, tablet, team, wanted, audited)?;
            // One for all that were merged.
            let mut standing = Vec::new();
            for person in persons {
                standing.push(views.standing(person)?);
            }
            standing.dedup();
            (standing, false)
        }
    };
    let records = persons.into_iter().map(|person| Ok((person, summary(&views, team, person)?)));
    Ok(Found { team, records: records.collect::<Result<_>>()?, more })
}

/// Activates people with all that belongs to them.
fn fetch(base: &Base, tablet: &Tablet, team: RecordId, wanted: Belongings, audited: Audited) -> Result<()> {
    let (by, at) = (tablet.id.clone(), audited.at);
    base.log.write_for(team, move |txn| {
        for person in &wanted.persons {
            let audited = Audited { act: "fetch".into(), record: Some(*person), ..audited.clone() };
            log::audit(txn.conn, &audited)?;
        }
        let Belongings { persons, contacts, sessions } = &wanted;
        let all: Vec<RecordId> = sessions.iter().chain(persons).chain(contacts).copied().collect();
        log::enter(txn, team, What::Activate, &all, Made { at, by: &by })?;
        Ok(())
    })
}

/// Enough to tell whether this is who stands before one, and no more.
fn summary(views: &Views, team: RecordId, standing: RecordId) -> Result<String> {
    let person = Value::Object(views.person_fields(team, standing)?.unwrap_or_default());
    let text = |path: &str| person.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let birth = text("/date_of_birth").or_else(|| {
        let years = person.get("age_years")?.as_i64()?;
        Some(format!("{years} years in {}", text("/age_as_of")?.get(..4)?))
    });
    let last_four = |number: String| number.get(number.len().saturating_sub(4)..).map(str::to_owned);
    let area = |postcode: String| {
        let postcode = Postcode::parse(&postcode);
        let letters = postcode.outward()?.chars().take_while(char::is_ascii_alphabetic);
        Some(letters.collect::<String>())
    };
    let known = [
        ("name", name_of(&person)),
        ("birth", birth),
        ("nhs_number", text("/nhs_number/value").and_then(last_four)),
        ("sex", text("/sex")),
        ("postcode_area", text("/address/postcode").and_then(area)),
        ("last_seen", views.last_seen(standing)?.get(..10).map(str::to_owned)),
    ];
    let known: Map<String, Value> = known
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))))
        .collect();
    Ok(canonical(&Value::Object(known)))
}
