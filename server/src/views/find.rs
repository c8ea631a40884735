//! By what people are found: words of their names and their numbers, as `matching::find` has them.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, Transaction};
use serde_json::Value;
use wayside_protocol::matching::find::{Query, Typed, numbers_of, words_of};
use wayside_protocol::record::RecordId;

use super::Views;
use crate::error::Result;

/// What stands before a number from its end: its last digits are what people read out.
const FROM_THE_END: char = '<';
/// Digits of a date, which nobody looks for from its end.
const DATE: usize = 8;

/// By what a person, as from `View::whole`, is found.
pub(super) fn keys(person: &Value) -> BTreeSet<String> {
    let numbers = numbers_of(person);
    let ends: Vec<String> =
        numbers.iter().filter(|number| number.len() != DATE).map(|number| from_the_end(number)).collect();
    words_of(person).into_iter().chain(numbers).chain(ends).collect()
}

pub(super) fn forget(views: &Transaction, id: RecordId) -> Result<()> {
    write(views, id, &BTreeSet::new())
}

fn from_the_end(number: &str) -> String {
    std::iter::once(FROM_THE_END).chain(number.chars().rev()).collect()
}

fn is_word(key: &str) -> bool {
    !key.starts_with(|c: char| c.is_ascii_digit() || c == FROM_THE_END)
}

/// Writes by what somebody is found from now on.
pub(super) fn write(views: &Transaction, id: RecordId, keys: &BTreeSet<String>) -> Result<()> {
    let mut before = views.prepare_cached("SELECT key FROM find_key WHERE person = ?")?;
    let before: BTreeSet<String> =
        before.query_map([id.as_bytes()], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for key in before.difference(keys) {
        views
            .prepare_cached("DELETE FROM find_key WHERE key = ? AND person = ?")?
            .execute((key, id.as_bytes()))?;
        if is_word(key) {
            // Nothing may be left of the name of somebody who was erased.
            let last = "DELETE FROM find_word WHERE word = ? AND people = 1";
            if views.prepare_cached(last)?.execute([key])? == 0 {
                let fewer = "UPDATE find_word SET people = people - 1 WHERE word = ?";
                views.prepare_cached(fewer)?.execute([key])?;
            }
        }
    }
    for key in keys.difference(&before) {
        views
            .prepare_cached("INSERT INTO find_key (key, person) VALUES (?, ?)")?
            .execute((key, id.as_bytes()))?;
        if is_word(key) {
            let more = "INSERT INTO find_word (word, people) VALUES (?, 1)
                ON CONFLICT (word) DO UPDATE SET people = people + 1";
            views.prepare_cached(more)?.execute([key])?;
        }
    }
    Ok(())
}

impl Views {
    /// Standing persons in whom every word is found, the best first, those made last before others; no more than
    /// `most`, and whether there are more.
    pub fn find_people(&self, query: &Query, most: usize) -> Result<(Vec<RecordId>, bool)> {
        let mut scores: Option<HashMap<[u8; 16], f64>> = None;
        for number in &query.numbers {
            let found = with_number(&self.conn, number)?;
            narrow(&mut scores, found);
        }
        if !query.words.is_empty() {
            let vocabulary = vocabulary(&self.conn)?;
            for word in &query.words {
                narrow(&mut scores, with_word(&self.conn, &Typed::of(word), &vocabulary)?);
            }
        }
        let mut ranked: Vec<([u8; 16], f64)> = scores.unwrap_or_default().into_iter().collect();
        // Ids begin with the time at which they were made.
        ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
        let mut found = Vec::new();
        for (id, _) in ranked {
            // Whoever stands for a record is found by its name, too.
            let standing = self.standing(RecordId::from_bytes(id))?;
            if found.contains(&standing) {
                continue;
            }
            if found.len() == most {
                return Ok((found, true));
            }
            found.push(standing);
        }
        Ok((found, false))
    }
}

/// Keeps those that were found by this word as well, and adds up how well.
fn narrow(scores: &mut Option<HashMap<[u8; 16], f64>>, found: HashMap<[u8; 16], f64>) {
    *scores = Some(match scores.take() {
        None => found,
        Some(before) => {
            found.into_iter().filter_map(|(id, alike)| Some((id, before.get(&id)? + alike))).collect()
        }
    });
}

/// Whose number begins or ends so.
fn with_number(conn: &Connection, number: &str) -> Result<HashMap<[u8; 16], f64>> {
    let mut statement = conn.prepare_cached("SELECT person FROM find_key WHERE key >= ?1 AND key < ?2")?;
    let mut found = HashMap::new();
    for from in [number.to_owned(), from_the_end(number)] {
        // A colon comes after the last digit.
        let rows = statement.query_map((&from, format!("{from}:")), |row| Ok((row.get(0)?, 1.0)))?;
        for row in rows {
            let (person, alike) = row?;
            found.insert(person, alike);
        }
    }
    Ok(found)
}

fn with_word(conn: &Connection, typed: &Typed, vocabulary: &[String]) -> Result<HashMap<[u8; 16], f64>> {
    let mut found: HashMap<[u8; 16], f64> = HashMap::new();
    let mut statement = conn.prepare_cached("SELECT person FROM find_key WHERE key = ?")?;
    for stored in vocabulary {
        let Some(alike) = typed.alike(stored) else { continue };
        let mut rows = statement.query([stored])?;
        while let Some(row) = rows.next()? {
            let best = found.entry(row.get(0)?).or_default();
            *best = best.max(alike);
        }
    }
    Ok(found)
}

/// Every word of a name that anybody here has, once: far fewer than people.
fn vocabulary(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT word FROM find_word")?;
    let words = statement.query_map([], |row| row.get(0))?;
    Ok(words.collect::<rusqlite::Result<_>>()?)
}
