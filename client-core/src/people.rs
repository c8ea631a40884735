//! Finding people: by what somebody types, and before a new person is saved.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;
use wayside_protocol::{
    clinical::{
        NhsNumber,
        identity::{PersonFinding, Postcode, check_person, check_phone, parse_date},
        text::Text,
    },
    matching::{
        Likeness, PersonFacts,
        find::{Query, Typed},
        score,
    },
    record::RecordId,
};

use crate::{
    error::Result,
    read::{Page, to_json},
    store::{
        index::WORD,
        records::{self, Row},
    },
    tablet::Tablet,
};

/// A search shows no more than this: whoever sees so many types another word.
const MOST_FOUND: usize = 200;
/// Beyond this it is quicker to read everybody's name than one after the other.
const MOST_ONE_BY_ONE: usize = 500;
/// So many records that share a key with a new person are compared with them.
const MOST_COMPARED: usize = 500;

/// A person in one line, as a screen shows them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PersonSummary {
    pub id: RecordId,
    /// Given name first; empty where none was given.
    pub name: String,
    /// 3 February 1968, or an age; empty where neither is known.
    pub birth: String,
    /// 3 3 4.
    pub nhs_number: String,
    /// In groups.
    pub phone: String,
    pub postcode: String,
    pub sex: String,
}

/// Somebody who may be the same person.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Likely {
    #[serde(flatten)]
    pub person: PersonSummary,
    pub likeness: Likeness,
    /// In bits: each more doubles the odds.
    pub weight: f64,
    /// The strongest first, for and against.
    pub reasons: Vec<Text>,
    /// The same in English.
    pub words: Vec<String>,
}

impl Tablet {
    /// Persons, then sites and teams, in which every word of `text` is found, the best first: a name, in any
    /// order, also misspelt or without its accents, a date of birth as people write it, an NHS number or a
    /// telephone number or part of one. Of people who were found to be one the one that stands for all is shown.
    /// Fewer than two characters find nothing.
    pub fn search(&self, text: &str, page: Page) -> Result<Vec<Value>> {
        let query = Query::of(text);
        if query.is_too_short() {
            return Ok(Vec::new());
        }
        self.0.store.read(|conn| {
            let mut found = persons(conn, &query)?;
            found.extend(places(conn, &query)?);
            page.of(found).map(|id| to_json(conn, &records::get(conn, id)?)).collect()
        })
    }

    /// The persons that [`Tablet::search`] finds, each in one line.
    pub fn find_people(&self, text: &str, page: Page) -> Result<Vec<PersonSummary>> {
        let query = Query::of(text);
        if query.is_too_short() {
            return Ok(Vec::new());
        }
        self.0.store.read(|conn| page.of(persons(conn, &query)?).map(|id| summary_of(conn, id)).collect())
    }

    /// Who may be the same as a person that is about to be saved (or, if it has an `id`, is here already), the
    /// likeliest first. Nobody is merged by this, and nobody said to be another person is named again.
    pub fn likely_duplicates(&self, person: &Value) -> Result<Vec<Likely>> {
        let texts = self.texts("en-GB");
        self.0.store.read(|conn| {
            let mut likely = likely(conn, person)?;
            for one in &mut likely {
                one.words = one.reasons.iter().map(|reason| texts.say(reason)).collect();
            }
            Ok(likely)
        })
    }

    /// Checks what identifies a person as it was typed: what it is stored as, what to show, what cannot be
    /// saved, and what can once somebody has confirmed it.
    pub fn check_person(&self, person: &Value) -> Vec<PersonFinding> {
        check_person(person, self.today())
    }
}

impl Page {
    /// This part of what was found.
    fn of(self, mut found: Vec<RecordId>) -> impl Iterator<Item = RecordId> {
        found.truncate(MOST_FOUND);
        let skip = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let take = self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        found.into_iter().skip(skip).take(take)
    }
}

/// Standing persons in which every word is found, the best first.
fn persons(conn: &Connection, query: &Query) -> Result<Vec<RecordId>> {
    let mut scores: Option<HashMap<i64, f64>> = None;
    for number in &query.numbers {
        let sql = "SELECT record FROM search WHERE rank = 0 AND instr(text, ?) > 0";
        let mut statement = conn.prepare_cached(sql)?;
        let found = statement.query_map([number], |row| Ok((row.get(0)?, 1.0)))?;
        narrow(&mut scores, found.collect::<rusqlite::Result<_>>()?);
    }
    if !query.words.is_empty() {
        let vocabulary = vocabulary(conn)?;
        for word in &query.words {
            let typed = Typed::of(word);
            let mut found: HashMap<i64, f64> = HashMap::new();
            for stored in &vocabulary {
                let Some(alike) = typed.alike(stored) else { continue };
                let mut statement = conn.prepare_cached("SELECT record FROM find_key WHERE key = ?")?;
                let mut rows = statement.query([format!("{WORD}{stored}")])?;
                while let Some(row) = rows.next()? {
                    let best = found.entry(row.get(0)?).or_default();
                    *best = best.max(alike);
                }
            }
            narrow(&mut scores, found);
        }
    }
    // Whoever stands for a record is found by its name, too.
    let mut best: HashMap<[u8; 16], (f64, String)> = HashMap::new();
    let mut rank = |score: f64, standing: [u8; 16], name: String| {
        let best = best.entry(standing).or_insert((score, name));
        best.0 = best.0.max(score);
    };
    let scores = scores.unwrap_or_default();
    let standing = "SELECT s.id, s.name, p.record FROM person p JOIN person s ON s.id = p.standing";
    if scores.len() > MOST_ONE_BY_ONE {
        let mut statement = conn.prepare_cached(standing)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(score) = scores.get(&row.get(2)?) {
                rank(*score, row.get(0)?, row.get(1)?);
            }
        }
    } else {
        let mut statement = conn.prepare_cached(&format!("{standing} WHERE p.record = ?"))?;
        for (record, score) in &scores {
            let found = statement.query_row([record], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            if let Some((standing, name)) = found {
                rank(*score, standing, name);
            }
        }
    }
    let mut ranked: Vec<(f64, String, RecordId)> =
        best.into_iter().map(|(id, (score, name))| (score, name, RecordId::from_bytes(id))).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (&a.1, a.2).cmp(&(&b.1, b.2))));
    Ok(ranked.into_iter().map(|(_, _, id)| id).collect())
}

/// Keeps those that were found by this word as well, and adds up how well.
fn narrow(scores: &mut Option<HashMap<i64, f64>>, found: HashMap<i64, f64>) {
    *scores = Some(match scores.take() {
        None => found,
        Some(before) => found
            .into_iter()
            .filter_map(|(record, alike)| Some((record, before.get(&record)? + alike)))
            .collect(),
    });
}

/// Every part of a name that anybody here has, once: far fewer than people.
fn vocabulary(conn: &Connection) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT substr(key, 6) FROM find_key WHERE key >= 'word ' AND key < 'word!'";
    let mut statement = conn.prepare_cached(sql)?;
    let words = statement.query_map([], |row| row.get(0))?;
    Ok(words.collect::<rusqlite::Result<_>>()?)
}

/// Sites, then teams, whose names hold every word.
fn places(conn: &Connection, query: &Query) -> Result<Vec<RecordId>> {
    let words: Vec<&String> = query.words.iter().chain(&query.numbers).collect();
    let holds = vec!["instr(s.text, ?) > 0"; words.len()].join(" AND ");
    let sql = format!(
        "SELECT r.id FROM search s JOIN record r ON r.no = s.record
         WHERE s.rank > 0 AND {holds} ORDER BY s.rank, s.text LIMIT {MOST_FOUND}"
    );
    let mut statement = conn.prepare(&sql)?;
    let found =
        statement.query_map(rusqlite::params_from_iter(words), |row| row.get(0).map(RecordId::from_bytes))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn likely(conn: &Connection, person: &Value) -> Result<Vec<Likely>> {
    let facts = PersonFacts::of(person);
    let own: Option<RecordId> = person.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let own_standing = own.map(|id| standing(conn, id)).transpose()?;
    let mut shared: BTreeMap<i64, usize> = BTreeMap::new();
    for key in facts.keys() {
        let mut statement = conn.prepare_cached("SELECT record FROM find_key WHERE key = ?")?;
        let mut rows = statement.query([key])?;
        while let Some(row) = rows.next()? {
            *shared.entry(row.get(0)?).or_default() += 1;
        }
    }
    let mut candidates: Vec<(i64, usize)> = shared.into_iter().collect();
    candidates.sort_by_key(|(no, keys)| (std::cmp::Reverse(*keys), *no));
    candidates.truncate(MOST_COMPARED);

    let mut found: BTreeMap<RecordId, Likely> = BTreeMap::new();
    for (no, _) in candidates {
        let sql = format!("SELECT {} FROM record r WHERE r.no = ?", Row::COLUMNS);
        let row = conn.prepare_cached(&sql)?.query_row([no], Row::read)?;
        let Some(view) = &row.view else { continue };
        let other = Value::Object(view.fields.clone());
        let stands = standing(conn, row.id)?;
        let in_error = other.get("entered_in_error").is_some();
        if in_error
            || own_standing == Some(stands)
            || own.is_some_and(|own| told_apart(own, person, row.id, &other))
        {
            continue;
        }
        let compared = score(&facts, &PersonFacts::of(&other));
        let better = found.get(&stands).is_none_or(|known| known.weight < compared.weight);
        if compared.likely > Likeness::None && better {
            let shown = if stands == row.id { other } else { shown(conn, stands)? };
            let likely = Likely {
                person: summary(stands, &shown),
                likeness: compared.likely,
                weight: compared.weight,
                reasons: compared.reasons,
                words: Vec::new(),
            };
            found.insert(stands, likely);
        }
    }
    let mut found: Vec<Likely> = found.into_values().collect();
    found.sort_by(|a, b| {
        (b.likeness, b.weight).partial_cmp(&(a.likeness, a.weight)).unwrap_or(std::cmp::Ordering::Equal)
    });
    Ok(found)
}

/// Whether somebody who has seen both said that they are two people.
fn told_apart(a: RecordId, person: &Value, b: RecordId, other: &Value) -> bool {
    let names = |record: &Value, id: RecordId| {
        let said = record.get("not_same_as").and_then(Value::as_object).into_iter().flatten();
        let id = id.to_string();
        said.into_iter().any(|(_, entry)| entry.get("struck_out").is_none() && entry["person"] == id.as_str())
    };
    names(person, b) || names(other, a)
}

/// Who stands for a person; the person itself where it is not here.
pub fn standing(conn: &Connection, person: RecordId) -> Result<RecordId> {
    let sql = "SELECT standing FROM person WHERE id = ?";
    let found = conn.prepare_cached(sql)?.query_row([person.as_bytes()], |row| row.get(0)).optional()?;
    Ok(found.map_or(person, RecordId::from_bytes))
}

/// Everybody who was found to be one with this person, whoever stands for them first.
pub fn together(conn: &Connection, person: RecordId) -> Result<BTreeSet<RecordId>> {
    let sql = "SELECT id FROM person WHERE standing = (SELECT standing FROM person WHERE id = ?)";
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement.query_map([person.as_bytes()], |row| row.get(0).map(RecordId::from_bytes))?;
    let mut found: BTreeSet<RecordId> = found.collect::<rusqlite::Result<_>>()?;
    found.insert(person);
    Ok(found)
}

/// The contacts of everybody who was found to be one with this person.
pub fn contacts_of_person(conn: &Connection, person: RecordId) -> Result<Vec<RecordId>> {
    let mut found = Vec::new();
    for person in together(conn, person)? {
        let sql =
            "SELECT r.id FROM contact c JOIN record r ON r.no = c.record WHERE c.person = ? ORDER BY r.id";
        let mut statement = conn.prepare_cached(sql)?;
        let contacts =
            statement.query_map([person.as_bytes()], |row| row.get(0).map(RecordId::from_bytes))?;
        for contact in contacts {
            found.push(contact?);
        }
    }
    Ok(found)
}

/// A person's name as written; empty where there is none.
pub fn name(conn: &Connection, person: RecordId) -> Result<String> {
    Ok(summary(person, &shown(conn, person)?).name)
}

/// The fields of a record; null where it is not here.
fn shown(conn: &Connection, id: RecordId) -> Result<Value> {
    Ok(records::find(conn, id)?
        .and_then(|row| row.view)
        .map_or(Value::Null, |view| Value::Object(view.fields)))
}

pub fn summary_of(conn: &Connection, person: RecordId) -> Result<PersonSummary> {
    Ok(summary(person, &shown(conn, person)?))
}

fn summary(id: RecordId, person: &Value) -> PersonSummary {
    let word = |pointer: &str| person.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let birth = match (parse_date(word("/date_of_birth")), person.get("age_years").and_then(Value::as_i64)) {
        (Some(date), _) => date.strftime("%-d %B %Y").to_string(),
        (None, Some(years)) => years.to_string(),
        (None, None) => String::new(),
    };
    let number = word("/nhs_number/value");
    let postcode = word("/address/postcode");
    PersonSummary {
        id,
        name: format!("{} {}", word("/name/given"), word("/name/family")).trim().to_owned(),
        birth,
        nhs_number: NhsNumber::parse(number).map_or(number.to_owned(), |number| number.to_string()),
        phone: check_phone(word("/phone")).shown,
        postcode: if postcode.is_empty() { String::new() } else { Postcode::parse(postcode).normalised },
        sex: word("/sex").to_owned(),
    }
}
