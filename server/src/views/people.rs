//! Who stands for whom, and who may be the same: kept up to date person by person.
//!
//! Both are functions of the persons that are there, whatever the order in which they came. So is the rule
//! that a key which very many share counts no more: whoever brings it over that number, or back under it,
//! has everybody under it compared again.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, Transaction};
use serde_json::Value;
use wayside_protocol::matching::{Likeness, PersonFacts, merged, score};
use wayside_protocol::record::RecordId;

use super::derive::Person;
use super::find;
use super::write::parse;
use crate::error::Result;

/// A key that more people share than this says nothing about two of them: a common name, the first of
/// January. It bounds what one new person costs.
const MOST_OF_A_KEY: i64 = 50;
const EVERYBODY: i64 = i64::MAX;

/// Writes who these persons of one team are by now, given as from `View::whole`. Their rows in `record` are there
/// already.
pub(super) fn write(
    views: &Transaction,
    known: &mut Known,
    team: &[u8; 16],
    persons: &BTreeMap<RecordId, Person>,
) -> Result<()> {
    let mut keys = BTreeMap::new();
    for (id, Person { whole, facts, keys: own, found_by, .. }) in persons {
        place(views, team, *id, named(whole.get("merged_into")))?;
        decided(views, *id, whole)?;
        find::write(views, *id, found_by)?;
        keys.insert(*id, own.as_slice());
        known.facts.insert(*id, facts.clone());
    }
    rekey(views, known, &keys)?;
    known.shrink();
    Ok(())
}

/// What is known of persons without reading their rows again: most of those with whom one is compared were compared
/// with somebody a moment before.
#[derive(Default)]
pub(super) struct Known {
    facts: HashMap<RecordId, PersonFacts>,
    /// As SQLite counts what others wrote.
    version: i64,
}

impl Known {
    /// Persons in memory: some 25 MB.
    const MOST: usize = 50_000;

    /// Drops everything where somebody else has written meanwhile.
    pub fn of_version(&mut self, version: i64) {
        if self.version != version {
            self.facts.clear();
        }
        self.version = version;
    }

    pub fn forget_all(&mut self) {
        self.facts.clear();
    }

    fn shrink(&mut self) {
        if self.facts.len() > Known::MOST {
            self.facts.clear();
        }
    }

    fn know(&mut self, views: &Connection, id: RecordId) -> Result<()> {
        if let Entry::Vacant(unknown) = self.facts.entry(id) {
            unknown.insert(facts_of(views, id)?);
        }
        Ok(())
    }
}

/// Forgets the persons of a team, before they are derived again.
pub(super) fn forget(views: &Transaction, known: &mut Known, team: &[u8; 16]) -> Result<()> {
    let mut statement = views.prepare_cached("SELECT id FROM person WHERE team = ?")?;
    let ids = ids(statement.query_map([team], |row| row.get(0))?)?;
    known.forget_all();
    rekey(views, known, &ids.iter().map(|id| (*id, [].as_slice())).collect())?;
    ids.iter().try_for_each(|id| find::forget(views, *id))?;
    views.execute("DELETE FROM not_same WHERE holder IN (SELECT id FROM person WHERE team = ?)", [team])?;
    views.execute("DELETE FROM person WHERE team = ?", [team])?;
    Ok(())
}

/// Forgets one person.
pub(super) fn forget_one(
    views: &Transaction,
    known: &mut Known,
    team: &[u8; 16],
    id: RecordId,
) -> Result<()> {
    let mut together = views.prepare_cached(
        "SELECT id FROM person WHERE standing = (SELECT standing FROM person WHERE id = ?1) AND id <> ?1",
    )?;
    let together = ids(together.query_map([id.as_bytes()], |row| row.get(0))?)?;
    known.facts.remove(&id);
    rekey(views, known, &BTreeMap::from([(id, [].as_slice())]))?;
    find::forget(views, id)?;
    for sql in ["DELETE FROM not_same WHERE holder = ?", "DELETE FROM person WHERE id = ?"] {
        views.prepare_cached(sql)?.execute([id.as_bytes()])?;
    }
    stand(views, team, together.into_iter().collect())
}

/// The record that stands for a person of this team; itself where none of that id is here.
pub(super) fn standing(conn: &Connection, id: RecordId) -> Result<RecordId> {
    let mut statement = conn.prepare_cached("SELECT standing FROM person WHERE id = ?")?;
    let found = statement.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    Ok(found.map_or(id, RecordId::from_bytes))
}

fn named(value: Option<&Value>) -> Option<RecordId> {
    value?.as_str()?.parse().ok()
}

fn ids(rows: impl Iterator<Item = rusqlite::Result<[u8; 16]>>) -> Result<Vec<RecordId>> {
    Ok(rows.map(|row| row.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?)
}

/// Puts a person where `merged_into` says, and finds anew who stands for everybody that it touches.
fn place(views: &Transaction, team: &[u8; 16], id: RecordId, into: Option<RecordId>) -> Result<()> {
    let mut before = views.prepare_cached("SELECT merged_into FROM person WHERE id = ?")?;
    let before: Option<Option<[u8; 16]>> = before.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    if before == Some(into.map(|into| *into.as_bytes())) {
        return Ok(());
    }
    let row = (id.as_bytes(), team, into.map(|into| *into.as_bytes()), id.as_bytes());
    let insert = || -> Result<()> {
        let sql = "INSERT OR REPLACE INTO person (id, team, merged_into, standing) VALUES (?, ?, ?, ?)";
        views.prepare_cached(sql)?.execute(row)?;
        Ok(())
    };
    if before.is_none() && into.is_none() && beside(views, team, id)?.is_empty() {
        // As most do, it stands for itself alone.
        return insert();
    }
    let mut together = views.prepare_cached(
        "SELECT id FROM person WHERE standing = (SELECT standing FROM person WHERE id = ?)",
    )?;
    let mut touched = BTreeSet::from([id]);
    touched.extend(ids(together.query_map([id.as_bytes()], |row| row.get(0))?)?);
    insert()?;
    stand(views, team, touched)
}

/// Finds anew who stands for these and for everybody with them.
fn stand(views: &Transaction, team: &[u8; 16], mut touched: BTreeSet<RecordId>) -> Result<()> {
    while let Some(next) = touched.pop_first() {
        let mut problem = None;
        let component = merged::component(next, |id| {
            beside(views, team, id).unwrap_or_else(|error| {
                problem = Some(error);
                Vec::new()
            })
        });
        if let Some(problem) = problem {
            return Err(problem);
        }
        let mut known = Vec::new();
        for member in &component {
            touched.remove(member);
            if is_of(views, team, *member)? {
                known.push(*member);
            }
        }
        let Some(lowest) = known.first().copied() else { continue };
        for member in known {
            views
                .prepare_cached("UPDATE person SET standing = ? WHERE id = ?")?
                .execute((lowest.as_bytes(), member.as_bytes()))?;
        }
    }
    Ok(())
}

fn is_of(views: &Connection, team: &[u8; 16], id: RecordId) -> Result<bool> {
    let mut statement =
        views.prepare_cached("SELECT EXISTS (SELECT 1 FROM person WHERE id = ? AND team = ?)")?;
    Ok(statement.query_row((id.as_bytes(), team), |row| row.get(0))?)
}

/// Whom a person of this team was merged into, and who was merged into that id.
fn beside(views: &Connection, team: &[u8; 16], id: RecordId) -> Result<Vec<RecordId>> {
    let mut statement = views.prepare_cached(
        "SELECT merged_into FROM person WHERE id = ?1 AND team = ?2 AND merged_into IS NOT NULL
         UNION SELECT id FROM person WHERE merged_into = ?1 AND team = ?2",
    )?;
    ids(statement.query_map((id.as_bytes(), team), |row| row.get(0))?)
}

/// Whom coordinators found to be somebody else.
fn decided(views: &Transaction, id: RecordId, person: &Value) -> Result<()> {
    views.prepare_cached("DELETE FROM not_same WHERE holder = ?")?.execute([id.as_bytes()])?;
    let entries = person.get("not_same_as").and_then(Value::as_object).into_iter().flatten();
    for (entry, said) in entries.filter(|(_, said)| said.get("struck_out").is_none_or(Value::is_null)) {
        let Some(other) = named(said.get("person")) else { continue };
        views.prepare_cached("INSERT INTO not_same (holder, entry, other) VALUES (?, ?, ?)")?.execute((
            id.as_bytes(),
            entry,
            other.as_bytes(),
        ))?;
    }
    Ok(())
}

/// Gives persons their keys of today, and compares whoever that concerns.
fn rekey(views: &Transaction, known: &mut Known, changed: &BTreeMap<RecordId, &[String]>) -> Result<()> {
    // By key: how many more come under it than leave it.
    let mut moves: BTreeMap<String, i64> = BTreeMap::new();
    // Whoever had no key yet is in no pair.
    let mut concerned: BTreeSet<RecordId> = BTreeSet::new();
    let mut old = views.prepare_cached("SELECT key FROM person_key WHERE person = ?")?;
    for (id, keys) in changed {
        for key in old.query_map([id.as_bytes()], |row| row.get(0))? {
            *moves.entry(key?).or_default() -= 1;
            concerned.insert(*id);
        }
        if concerned.contains(id) {
            views.prepare_cached("DELETE FROM person_key WHERE person = ?")?.execute([id.as_bytes()])?;
        }
        for key in *keys {
            *moves.entry(key.clone()).or_default() += 1;
            views
                .prepare_cached("INSERT INTO person_key (key, person) VALUES (?, ?)")?
                .execute((key, id.as_bytes()))?;
        }
    }
    let mut sharing = Sharing { views, by_key: HashMap::new() };
    for (key, more) in &moves {
        let enough = MOST_OF_A_KEY + more.abs() + 1;
        let under = under(views, key, enough)?;
        let now = under.len() as i64;
        if says_little(now) != says_little(now - more) {
            concerned.extend(self::under(views, key, EVERYBODY)?);
        }
        sharing.note(key.clone(), under);
    }
    for id in &concerned {
        for sql in ["DELETE FROM pair WHERE a = ?", "DELETE FROM pair WHERE b = ?"] {
            views.prepare_cached(sql)?.execute([id.as_bytes()])?;
        }
    }
    concerned.extend(changed.keys());
    let mut compared = BTreeSet::new();
    for id in concerned {
        compared.insert(id);
        let keys = match changed.get(&id) {
            Some(keys) => keys.to_vec(),
            None => old.query_map([id.as_bytes()], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?,
        };
        let mut candidates = BTreeSet::new();
        for key in keys {
            candidates.extend(sharing.of(key)?.iter().filter(|other| !compared.contains(other)));
        }
        for other in candidates {
            compare(views, known, id, other)?;
        }
    }
    Ok(())
}
/// Who shares a key with whom, read once for everybody who is compared.
struct Sharing<'a> {
    views: &'a Connection,
    /// Nobody where it is very many.
    by_key: HashMap<String, Vec<RecordId>>,
}

impl Sharing<'_> {
    fn note(&mut self, key: String, under: Vec<RecordId>) -> &[RecordId] {
        let few = if says_little(under.len() as i64) { Vec::new() } else { under };
        self.by_key.entry(key).or_insert(few)
    }

    fn of(&mut self, key: String) -> Result<&[RecordId]> {
        if !self.by_key.contains_key(&key) {
            let under = under(self.views, &key, MOST_OF_A_KEY + 1)?;
            return Ok(self.note(key, under));
        }
        Ok(self.by_key.get(&key).map_or(&[], Vec::as_slice))
    }
}

/// Whether a key that so many share says nothing about two of them.
fn says_little(sharing: i64) -> bool {
    sharing > MOST_OF_A_KEY
}

/// At least so many who come under a key, as far as there are.
fn under(views: &Connection, key: &str, enough: i64) -> Result<Vec<RecordId>> {
    // Not as a parameter: SQLite would plan the query again for each. In few different texts, which are all kept.
    let limit = u64::try_from(enough).unwrap_or_default().next_power_of_two().min(i64::MAX as u64);
    let sql = format!("SELECT person FROM person_key WHERE key = ? LIMIT {limit}");
    let mut statement = views.prepare_cached(&sql)?;
    ids(statement.query_map([key], |row| row.get(0))?)
}

/// Notes two as a pair where they may be one.
fn compare(views: &Transaction, known: &mut Known, id: RecordId, other: RecordId) -> Result<()> {
    known.know(views, id)?;
    known.know(views, other)?;
    let (Some(one), Some(two)) = (known.facts.get(&id), known.facts.get(&other)) else { return Ok(()) };
    let found = score(one, two);
    let likely = match found.likely {
        Likeness::None => return Ok(()),
        Likeness::Possible => 1,
        Likeness::Likely => 2,
    };
    let reasons: Vec<&str> = found.reasons.iter().map(|reason| reason.id.as_str()).collect();
    let (a, b) = (id.min(other), id.max(other));
    views
        .prepare_cached("INSERT INTO pair (a, b, weight, likely, reasons) VALUES (?, ?, ?, ?, ?)")?
        .execute((a.as_bytes(), b.as_bytes(), found.weight, likely, Value::from(reasons).to_string()))?;
    Ok(())
}

fn facts_of(views: &Connection, id: RecordId) -> Result<PersonFacts> {
    let mut statement = views.prepare_cached("SELECT fields FROM record WHERE id = ?")?;
    let fields: Option<String> = statement.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    Ok(match fields {
        Some(fields) => PersonFacts::of(&parse(&fields)?),
        None => PersonFacts::default(),
    })
}
