//! Following the log: each record that a batch touched is loaded again and its rows are written anew.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use wayside_protocol::clinical::follow_up::{is_handled, tasks};
use wayside_protocol::clinical::{derive, needs_attention};
use wayside_protocol::record::{Kind, RecordId, View};
use wayside_protocol::sync::frame::What;

use super::{Views, people, reach};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::log::{self, Heads, Log};

/// Log rows in one transaction of the views.
const BATCH: usize = 1000;
/// What is kept of the file, in kilobytes: a batch touches many of the pages that the one before touched.
const CACHE: i64 = 16 << 10;
/// Pages of the write-ahead log between two checkpoints: each batch writes a thousand or two.
const CHECKPOINT: i64 = 8000;
/// How often to look for what another process appended.
const POLL: Duration = Duration::from_secs(1);

/// Follows the log until `stop`: at once after a commit of this process, within a second after one of
/// another.
pub async fn follow(base: Arc<Base>, mut stop: oneshot::Receiver<()>) {
    let mut heads = base.log.watch();
    let mut views = None;
    base.followed.now_at(Some(Heads::new()));
    loop {
        let following = base.clone();
        let kept = views.take();
        // Kept across rounds; opened again after a failure.
        let round = tokio::task::spawn_blocking(move || {
            let mut views = kept.map_or_else(|| Views::to_follow(following.data()), Ok)?;
            views.catch_up(&following.log)?;
            // Only now: a page that is told must find what it is told of.
            following.followed.now_at(Some(views.heads()?));
            following.now_viewed(following.log.read(|conn| views.seen_with(conn))?);
            Ok::<_, Error>(views)
        });
        match round.await.unwrap_or(Err(Error::Internal("a panic in the views"))) {
            Ok(kept) => views = Some(kept),
            Err(error) => tracing::error!(code = %error.code(), detail = error.detail(), "views lag behind"),
        }
        tokio::select! {
            _ = &mut stop => return base.followed.now_at(None),
            _ = heads.changed() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

impl Views {
    /// The connection of the one who writes for long.
    fn to_follow(data: &Path) -> Result<Views> {
        let views = Views::open(data)?;
        views.conn.pragma_update(None, "cache_size", -CACHE)?;
        views.conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
        Ok(views)
    }

    /// How far they have come in each team.
    fn heads(&self) -> Result<Heads> {
        let mut statement = self.conn.prepare_cached("SELECT team, seq FROM cursor")?;
        let rows = statement.query_map([], |row| Ok((RecordId::from_bytes(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How far they have come in one team, if they have begun with it.
    pub fn head(&self, team: RecordId) -> Result<Option<u64>> {
        Ok(self.heads()?.get(&team).copied())
    }

    /// Follows the log to where it ends now. Blocks.
    pub fn catch_up(&mut self, log: &Log) -> Result<()> {
        while log.read(|conn| self.step(conn))? {}
        Ok(())
    }

    /// One batch of one team that is behind; false when none is.
    fn step(&mut self, log: &Connection) -> Result<bool> {
        let teams = log::teams(log)?;
        for team in &teams {
            if cursor(&self.conn, team)? == Some(team.head) {
                continue;
            }
            let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Again, now that nobody else can move it. Another follower may have read a later snapshot.
            let from = match cursor(&transaction, team)? {
                Some(seq) if seq >= team.head => continue,
                Some(seq) => seq,
                None => {
                    people::forget(&transaction, team.id.as_bytes())?;
                    for sql in [
                        "DELETE FROM task WHERE contact IN (SELECT id FROM contact WHERE team = ?)",
                        "DELETE FROM record WHERE team = ?",
                        "DELETE FROM contact WHERE team = ?",
                        "DELETE FROM reach WHERE team = ?",
                    ] {
                        transaction.execute(sql, [team.id.as_bytes()])?;
                    }
                    0
                }
            };
            let (seq, records) = log::touched(log, team.n, from, BATCH)?;
            write(&transaction, log, team, &records)?;
            transaction
                .prepare_cached(
                    "INSERT INTO cursor (team, epoch, seq) VALUES (?, ?, ?)
                     ON CONFLICT (team) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq",
                )?
                .execute((team.id.as_bytes(), team.epoch, seq))?;
            transaction.commit()?;
            return Ok(true);
        }
        Ok(false)
    }
}

/// How far the views of a team have come; `None` in another epoch, or before the first batch.
fn cursor(conn: &Connection, team: &log::Team) -> Result<Option<u64>> {
    let mut statement = conn.prepare_cached("SELECT seq FROM cursor WHERE team = ? AND epoch = ?")?;
    Ok(statement.query_row((team.id.as_bytes(), team.epoch), |row| row.get(0)).optional()?)
}

fn write(
    views: &Transaction,
    log: &Connection,
    team: &log::Team,
    records: &BTreeSet<RecordId>,
) -> Result<()> {
    let mut persons: BTreeMap<RecordId, Value> = BTreeMap::new();
    // Those that are at hand, and those that are written again because of their persons.
    let mut contacts: BTreeMap<RecordId, Option<View>> = BTreeMap::new();
    let any = log::has_entries(log, team.n, 0)?;
    let mut off_tablets = BTreeMap::new();
    for id in records.iter().filter(|_| any) {
        off_tablets.extend(log::off_tablets(log, team.n, *id)?.map(|entry| (*id, entry.what)));
    }
    let gone = |id: &RecordId| off_tablets.get(id) == Some(&What::Erase);
    for id in records.iter().filter(|id| gone(id)) {
        let theirs = contacts_of(views, team, *id)?;
        contacts.extend(theirs.into_iter().filter(|contact| !gone(contact)).map(|contact| (contact, None)));
        forget(views, team, *id)?;
    }
    for id in records.iter().filter(|id| !gone(id)) {
        let raws = log::record_changes(log, team.n, *id)?;
        let Some(view) = read(*id, &raws) else {
            tracing::error!(record = %id, "an accepted record cannot be read back");
            continue;
        };
        write_record(views, team, *id, &view, off_tablets.contains_key(id))?;
        match view.kind {
            Some(Kind::Contact) => {
                contacts.insert(*id, Some(view));
            }
            Some(Kind::Person) => {
                for contact in contacts_of(views, team, *id)? {
                    contacts.entry(contact).or_default();
                }
                persons.insert(*id, view.whole());
            }
            _ => {}
        }
    }
    people::write(views, team.id.as_bytes(), &persons)?;
    // Contacts last of all: what is derived of them needs their persons.
    for (id, view) in contacts {
        let View { fields, conflicts, .. } = match view {
            Some(view) => view,
            None => stored(views, id)?,
        };
        match person_id(&fields).and_then(|person| persons.get(&person)) {
            Some(person) => write_contact(views, team, id, fields, conflicts, Some(person))?,
            None => {
                let person = person_of(views, team.id.as_bytes(), &fields)?;
                write_contact(views, team, id, fields, conflicts, person.as_ref())?;
            }
        }
    }
    Ok(())
}

/// What an accepted record shows. Nothing here is hostile any more, but no record may stop the others.
fn read(id: RecordId, raws: &[Vec<u8>]) -> Option<View> {
    let view = catch_unwind(AssertUnwindSafe(|| View::of_changes(id, raws)));
    view.ok()?.ok().map(|(view, _)| view)
}

/// Forgets a record that was erased.
fn forget(views: &Transaction, team: &log::Team, id: RecordId) -> Result<()> {
    people::forget_one(views, team.id.as_bytes(), id)?;
    for sql in [
        "DELETE FROM task WHERE contact = ?",
        "DELETE FROM reach WHERE contact = ?",
        "DELETE FROM contact WHERE id = ?",
        "DELETE FROM record WHERE id = ?",
    ] {
        views.prepare_cached(sql)?.execute([id.as_bytes()])?;
    }
    Ok(())
}

fn write_record(
    views: &Transaction,
    team: &log::Team,
    id: RecordId,
    view: &View,
    archived: bool,
) -> Result<()> {
    let unwritable = |_| Error::Internal("a view as JSON");
    let fields = serde_json::to_string(&view.fields).map_err(unwritable)?;
    let conflicts = serde_json::to_string(&view.conflicts).map_err(unwritable)?;
    let mut search = String::new();
    for (name, value) in &view.fields {
        if !matches!(name.as_str(), "id" | "kind" | "schema" | "created") {
            words(value, &mut search);
        }
    }
    for conflict in &view.conflicts {
        for concurrent in conflict.get("values").and_then(Value::as_array).into_iter().flatten() {
            concurrent.get("value").into_iter().for_each(|value| words(value, &mut search));
        }
    }
    let kind = view.fields.get("kind").and_then(Value::as_str).unwrap_or_default();
    let created =
        view.fields.get("created").and_then(|created| created.get("at")?.as_str()).unwrap_or_default();
    views
        .prepare_cached(
            "INSERT OR REPLACE INTO record
                 (id, team, kind, fields, conflicts, conflict_count, search, created, archived)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute((
            id.as_bytes(),
            team.id.as_bytes(),
            kind,
            fields,
            conflicts,
            view.conflicts.len(),
            search,
            created,
            archived,
        ))?;
    Ok(())
}

/// Appends every text and number of a value, in lower case, each on its own.
fn words(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            out.push_str(&text.to_lowercase());
            out.push('\n');
        }
        Value::Number(number) => {
            out.push_str(&number.to_string());
            out.push('\n');
        }
        Value::Array(values) => values.iter().for_each(|value| words(value, out)),
        Value::Object(members) => members.values().for_each(|value| words(value, out)),
        Value::Null | Value::Bool(_) => {}
    }
}

fn contacts_of(views: &Transaction, team: &log::Team, person: RecordId) -> Result<Vec<RecordId>> {
    // The plus keeps SQLite from going through all contacts of the team.
    let mut statement = views.prepare_cached("SELECT id FROM contact WHERE person = ? AND +team = ?")?;
    let rows = statement
        .query_map((person.as_bytes(), team.id.as_bytes()), |row| Ok(RecordId::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The person that a contact names.
fn person_id(contact: &Map<String, Value>) -> Option<RecordId> {
    contact.get("person")?.as_str()?.parse().ok()
}

/// The fields of a contact's person with what is disputed of them, if that is a person of the same team. A
/// reference to another team's record shows nothing of it.
pub(super) fn person_of(
    conn: &Connection,
    team: &[u8; 16],
    contact: &Map<String, Value>,
) -> Result<Option<Value>> {
    let Some(person) = person_id(contact) else { return Ok(None) };
    let mut statement = conn.prepare_cached(
        "SELECT fields, conflicts FROM record WHERE id = ? AND team = ? AND kind = 'person'",
    )?;
    let found: Option<(String, String)> =
        statement.query_row((person.as_bytes(), team), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((fields, conflicts)) = found else { return Ok(None) };
    let person = View { kind: Some(Kind::Person), fields: parse(&fields)?, conflicts: parse(&conflicts)? };
    Ok(Some(person.whole()))
}

/// JSON that stands in a view.
pub(super) fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| Error::Internal("JSON in the views"))
}

/// A contact as it was written before.
fn stored(views: &Transaction, id: RecordId) -> Result<View> {
    let (fields, conflicts): (String, String) = views
        .prepare_cached("SELECT fields, conflicts FROM record WHERE id = ?")?
        .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(View { kind: Some(Kind::Contact), fields: parse(&fields)?, conflicts: parse(&conflicts)? })
}

fn write_contact(
    views: &Transaction,
    team: &log::Team,
    id: RecordId,
    mut contact: Map<String, Value>,
    conflicts: Vec<Value>,
    person: Option<&Value>,
) -> Result<()> {
    // With its conflicts, as `View::derive_contact` has it: while values disagree, the more urgent one counts.
    contact.insert("conflicts".into(), Value::Array(conflicts));
    let contact = Value::Object(contact);
    let derived = derive(&contact, person);
    let text = |name: &str| contact.get(name).and_then(Value::as_str);
    let actions: Vec<&str> = derived.actions.iter().map(|action| action.as_str()).collect();
    let attention = match needs_attention(&derived) {
        false => 0,
        true if is_handled(&contact, &derived) => 2,
        true => 1,
    };
    views
        .prepare_cached(
            "INSERT OR REPLACE INTO contact
                 (id, team, session, person, started_at, category, actions, urgency, rank, why, attention)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute((
            id.as_bytes(),
            team.id.as_bytes(),
            text("session"),
            text("person").and_then(|id| id.parse::<RecordId>().ok()).map(|id| *id.as_bytes()),
            text("started_at").unwrap_or_default(),
            derived.category.map(|category| category.as_str()),
            Value::from(actions).to_string(),
            derived.urgency.as_str(),
            derived.urgency as i64,
            &derived.why,
            attention,
        ))?;
    reach::write(views, team.id.as_bytes(), id, &contact, person, &derived)?;
    write_tasks(views, id, &contact)
}

fn write_tasks(views: &Transaction, id: RecordId, contact: &Value) -> Result<()> {
    views.prepare_cached("DELETE FROM task WHERE contact = ?")?.execute([id.as_bytes()])?;
    // On the first of all days nothing is due: what is open then depends on the events alone.
    for task in tasks(contact, Date::MIN) {
        let due_on = task.due_on.map(|due| due.to_string());
        views
            .prepare_cached("INSERT INTO task (contact, kind, entry, due_on, open) VALUES (?, ?, ?, ?, ?)")?
            .execute((id.as_bytes(), task.kind.as_str(), &task.entry, due_on, task.state.is_open()))?;
    }
    Ok(())
}
