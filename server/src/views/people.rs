//! Who stands for whom, and who may be the same: kept up to date person by person.
//!
//! Both are functions of the persons that are there, whatever the order in which they came. So is the rule
//! that a key which very many share counts no more: whoever brings it over that number, or back under it,
//! has everybody under it compared again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, Transaction};
use serde_json::Value;
use wayside_protocol::matching::{Likeness, PersonFacts, merged, score};
use wayside_protocol::record::RecordId;

use super::follow::parse;
use crate::error::Result;

/// A key that more people share than this says nothing about two of them: a common name, the first of
/// January. It bounds what one new person costs.
const MOST_OF_A_KEY: i64 = 50;

/// Writes who these persons of one team are by now, given as from `View::whole`. Their rows in `record` are there
/// already.
pub(super) fn write(views: &Transaction, team: &[u8; 16], persons: &BTreeMap<RecordId, Value>) -> Result<()> {
    let (mut keys, mut facts) = (BTreeMap::new(), HashMap::new());
    for (id, person) in persons {
        place(views, team, *id, named(person.get("merged_into")))?;
        decided(views, *id, person)?;
        let known = PersonFacts::of(person);
        // Who was entered in error is nobody's duplicate.
        let there = person.get("entered_in_error").is_none();
        keys.insert(*id, if there { known.keys() } else { Vec::new() });
        facts.insert(*id, known);
    }
    rekey(views, &keys, facts)
}

/// Forgets the persons of a team, before they are derived again.
pub(super) fn forget(views: &Transaction, team: &[u8; 16]) -> Result<()> {
    let mut statement = views.prepare_cached("SELECT id FROM person WHERE team = ?")?;
    let ids = ids(statement.query_map([team], |row| row.get(0))?)?;
    rekey(views, &ids.iter().map(|id| (*id, Vec::new())).collect(), HashMap::new())?;
    views.execute("DELETE FROM not_same WHERE holder IN (SELECT id FROM person WHERE team = ?)", [team])?;
    views.execute("DELETE FROM person WHERE team = ?", [team])?;
    Ok(())
}

/// Forgets one person.
pub(super) fn forget_one(views: &Transaction, team: &[u8; 16], id: RecordId) -> Result<()> {
    let mut together = views.prepare_cached(
        "SELECT id FROM person WHERE standing = (SELECT standing FROM person WHERE id = ?1) AND id <> ?1",
    )?;
    let together = ids(together.query_map([id.as_bytes()], |row| row.get(0))?)?;
    rekey(views, &BTreeMap::from([(id, Vec::new())]), HashMap::new())?;
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

/// Gives persons their keys of today, and compares whoever that concerns. `facts` are of persons that are at hand.
fn rekey(
    views: &Transaction,
    changed: &BTreeMap<RecordId, Vec<String>>,
    facts: HashMap<RecordId, PersonFacts>,
) -> Result<()> {
    // By key: how many more come under it than leave it.
    let mut moves: BTreeMap<String, i64> = BTreeMap::new();
    let mut known: BTreeSet<RecordId> = BTreeSet::new();
    let mut old = views.prepare_cached("SELECT key FROM person_key WHERE person = ?")?;
    for (id, keys) in changed {
        for key in old.query_map([id.as_bytes()], |row| row.get(0))? {
            *moves.entry(key?).or_default() -= 1;
            known.insert(*id);
        }
        if known.contains(id) {
            views.prepare_cached("DELETE FROM person_key WHERE person = ?")?.execute([id.as_bytes()])?;
        }
        for key in keys {
            *moves.entry(key.clone()).or_default() += 1;
            views
                .prepare_cached("INSERT INTO person_key (key, person) VALUES (?, ?)")?
                .execute((key, id.as_bytes()))?;
        }
    }
    // Whoever had no key yet is in no pair.
    let mut concerned = known;
    for (key, more) in &moves {
        let enough = MOST_OF_A_KEY + (*more).max(0) + 1;
        let now = under(views, key, enough)?.len() as i64;
        if (now > MOST_OF_A_KEY) != (now - more > MOST_OF_A_KEY) {
            concerned.extend(under(views, key, i64::MAX)?);
        }
    }
    for id in &concerned {
        for sql in ["DELETE FROM pair WHERE a = ?", "DELETE FROM pair WHERE b = ?"] {
            views.prepare_cached(sql)?.execute([id.as_bytes()])?;
        }
    }
    concerned.extend(changed.keys());
    let mut comparing = Comparing { views, facts, compared: BTreeSet::new() };
    concerned.into_iter().try_for_each(|id| comparing.with_all(id))
}

/// So many at the most who come under a key.
fn under(views: &Connection, key: &str, most: i64) -> Result<Vec<RecordId>> {
    // Not as a parameter: SQLite would plan the query again for each.
    let sql = format!("SELECT person FROM person_key WHERE key = ? LIMIT {most}");
    let mut statement = views.prepare_cached(&sql)?;
    ids(statement.query_map([key], |row| row.get(0))?)
}

/// Finds the pairs of persons who are in none.
struct Comparing<'a> {
    views: &'a Connection,
    facts: HashMap<RecordId, PersonFacts>,
    /// Their pairs have been found.
    compared: BTreeSet<RecordId>,
}

impl Comparing<'_> {
    fn with_all(&mut self, id: RecordId) -> Result<()> {
        self.compared.insert(id);
        let mut candidates = BTreeSet::new();
        let mut own = self.views.prepare_cached("SELECT key FROM person_key WHERE person = ?")?;
        for key in own.query_map([id.as_bytes()], |row| row.get::<_, String>(0))? {
            let sharing = under(self.views, &key?, MOST_OF_A_KEY + 1)?;
            if sharing.len() as i64 <= MOST_OF_A_KEY {
                candidates.extend(sharing);
            }
        }
        candidates.retain(|other| !self.compared.contains(other));
        for other in candidates {
            self.with(id, other)?;
        }
        Ok(())
    }

    fn with(&mut self, id: RecordId, other: RecordId) -> Result<()> {
        self.know(id)?;
        self.know(other)?;
        let (Some(one), Some(two)) = (self.facts.get(&id), self.facts.get(&other)) else { return Ok(()) };
        let found = score(one, two);
        let likely = match found.likely {
            Likeness::None => return Ok(()),
            Likeness::Possible => 1,
            Likeness::Likely => 2,
        };
        let reasons: Vec<&str> = found.reasons.iter().map(|reason| reason.id.as_str()).collect();
        let (a, b) = (id.min(other), id.max(other));
        self.views
            .prepare_cached("INSERT INTO pair (a, b, weight, likely, reasons) VALUES (?, ?, ?, ?, ?)")?
            .execute((a.as_bytes(), b.as_bytes(), found.weight, likely, Value::from(reasons).to_string()))?;
        Ok(())
    }

    fn know(&mut self, id: RecordId) -> Result<()> {
        if !self.facts.contains_key(&id) {
            self.facts.insert(id, facts_of(self.views, id)?);
        }
        Ok(())
    }
}

fn facts_of(views: &Connection, id: RecordId) -> Result<PersonFacts> {
    let mut statement = views.prepare_cached("SELECT fields FROM record WHERE id = ?")?;
    let fields: Option<String> = statement.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    Ok(match fields {
        Some(fields) => PersonFacts::of(&parse(&fields)?),
        None => PersonFacts::default(),
    })
}
