//! What people do with records: begin them, edit them, and say what happened to an entry.
//!
//! Everything a call does is one transaction, and every record it touches gets at most one change.

mod entries;
mod line;
mod order;
mod update;

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use serde_json::{Map, Value};
use wayside_protocol::{
    error::{Code, Invalid},
    record::{
        Author, Authored, Flattener, Hash, Kind, MAX_SUPERSEDES, Message, Record, RecordError, RecordId,
        Rules, Scalar, Write, check_change, chunk, entry_id, missing,
        schema::{self, At},
        short_hash, value_at,
    },
    sync::frame::MAX_PAYLOAD,
};

pub use line::Recorded;

use crate::{
    error::{Error, Result},
    store::{
        records::{self, Row, Stored},
        unsettled,
    },
    tablet::{Identity, Inner, Tablet},
};

/// Who records, for which team, and how strictly what they type is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Staff id, as asserted on this tablet.
    pub staff: String,
    /// Only needed on a tablet of several teams, and only for what is new.
    pub team: Option<RecordId>,
    /// [`Rules::Unchecked`] counts only with the feature `unchecked`; otherwise it is [`Rules::Entry`].
    pub checks: Rules,
}

impl Default for By {
    fn default() -> Self {
        By::staff("unknown")
    }
}

impl By {
    pub fn staff(staff: &str) -> By {
        By { staff: staff.to_owned(), team: None, checks: Rules::Entry }
    }
}

/// One saved form.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Edit {
    /// The heads that the screen showed, from [`crate::Shown::heads`]; `None` for the current ones. What came in
    /// since then stays beside this edit as a conflict instead of being overwritten unseen.
    pub base: Option<Vec<Hash>>,
    /// Paths and their new values; null clears.
    pub set: Vec<(String, Value)>,
}

impl Edit {
    pub fn set(path: &str, value: impl Into<Value>) -> Edit {
        Edit { base: None, set: vec![(path.to_owned(), value.into())] }
    }

    pub fn and(mut self, path: &str, value: impl Into<Value>) -> Edit {
        self.set.push((path.to_owned(), value.into()));
        self
    }

    pub fn on(mut self, heads: &[Hash]) -> Edit {
        self.base = Some(heads.to_vec());
        self
    }
}

impl Tablet {
    /// A new record; a session that is there already is completed instead, since its id says which it is.
    pub fn create(&self, kind: Kind, fields: Value, by: &By) -> Result<RecordId> {
        self.write(by, |pen| {
            let fields = object(fields, "")?;
            match kind {
                Kind::Session => pen.session(fields).map(|found| found.session),
                Kind::Contact => {
                    let session = fields.get("session").and_then(Value::as_str);
                    let team = pen.team_beside(session.and_then(|id| id.parse().ok()))?;
                    pen.create(kind, team, fields)
                }
                Kind::Site | Kind::Person => pen.create(kind, pen.team_beside(None)?, fields),
                Kind::Team => Err(Error::Failed(Code::RecordRefused)),
            }
        })
    }

    /// Saves a form, as one change. Returns the record's heads after it.
    ///
    /// Where every change of a record is in quarantine, this makes it anew from what they said and `edit.set`:
    /// the way to put right what the server refused.
    pub fn edit(&self, id: RecordId, edit: Edit, by: &By) -> Result<Vec<Hash>> {
        self.write(by, |pen| {
            let mut open = pen.open(id)?;
            if open.record.heads().is_empty() {
                return pen.resubmit(&open, edit.set);
            }
            let writes = pen.setting(open.kind()?, edit.set)?;
            pen.edit(&mut open, edit.base.as_deref(), &writes)
        })
    }

    fn write<T>(&self, by: &By, f: impl FnOnce(&Pen) -> Result<T>) -> Result<T> {
        let tablet = &*self.0;
        let unchecked = cfg!(feature = "unchecked") && by.checks == Rules::Unchecked;
        let rules = if unchecked { Rules::Unchecked } else { Rules::Entry };
        let done = tablet.store.write(|conn| {
            let me = &*tablet.identity(conn)?;
            let message = Message {
                at: tablet.env.now_text(),
                by: by.staff.clone(),
                offset: tablet.env.clock.offset_minutes(),
                tablet: me.id.clone(),
                supersedes: Vec::new(),
                reason: String::new(),
            };
            // The server would refuse a change that does not say who made it.
            if Message::parse(&message.to_text()).is_none() {
                let message = "A staff id is at most 256 characters long.";
                return Err(Invalid::new(Code::TooLarge, "staff", message).into());
            }
            f(&Pen { tablet, me, conn, message: &message, rules, team: by.team })
        })?;
        tablet.recorded.send_modify(|recorded| *recorded += 1);
        Ok(done)
    }
}

/// Whether somebody who writes this says anew whatever was refused at these paths: each field again; and, since an entry that
/// was refused is typed again as a new one, and both would count, of each kind of entry as many.
fn say_anew(kind: Kind, writes: &[Write], paths: &[String]) -> bool {
    let entries = |path: &str| match schema::at(kind, path) {
        At::Entry(_) | At::TallyEntry => path.rsplit_once('/').map(|(map, _)| map.to_owned()),
        _ => None,
    };
    let mut typed: BTreeMap<String, usize> = BTreeMap::new();
    for map in writes.iter().filter_map(|write| entries(&write.path)) {
        *typed.entry(map).or_default() += 1;
    }
    !paths.is_empty()
        && paths.iter().all(|path| match entries(path) {
            Some(map) => match typed.get_mut(&map) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    true
                }
                _ => false,
            },
            None => writes.iter().any(|write| write.path == *path),
        })
}

fn object(value: Value, path: &str) -> Result<Map<String, Value>> {
    match value {
        Value::Object(object) => Ok(object),
        _ => {
            let what = if path.is_empty() { "This" } else { path };
            Err(Invalid::new(Code::WrongType, path, format!("{what} must be a JSON object.")).into())
        }
    }
}

/// A record with its working document.
struct Open {
    row: Row,
    changes: Vec<Stored>,
    record: Record,
}

impl Open {
    /// The kind, where it is one that people may write here.
    fn kind(&self) -> Result<Kind> {
        match self.row.kind() {
            Some(Kind::Team) => Err(Error::Failed(Code::RecordRefused)),
            Some(kind) => Ok(kind),
            None => Err(Error::Failed(Code::WrongKind)),
        }
    }
}

/// What one call writes with: inside its transaction, in somebody's name.
struct Pen<'a> {
    tablet: &'a Inner,
    me: &'a Identity,
    conn: &'a Connection,
    message: &'a Message,
    rules: Rules,
    team: Option<RecordId>,
}

impl Pen<'_> {
    fn new_entry_id(&self) -> String {
        entry_id(self.tablet.env.bytes())
    }

    fn new_record_id(&self) -> RecordId {
        let now = u64::try_from(self.tablet.env.clock.now_ms()).unwrap_or(0);
        RecordId::fresh(now, &self.tablet.env.bytes())
    }

    fn setting(&self, kind: Kind, set: Vec<(String, Value)>) -> Result<Vec<Write>> {
        let mut writes = Vec::new();
        for (path, value) in set {
            writes.extend(self.flattening(kind, |flattener| flattener.set(&path, value))?);
        }
        Ok(writes)
    }

    fn flattening(
        &self,
        kind: Kind,
        f: impl FnOnce(&mut Flattener) -> Result<Vec<Write>, Invalid>,
    ) -> Result<Vec<Write>> {
        let mut new_id = || self.new_entry_id();
        Ok(f(&mut Flattener { kind, rules: self.rules, new_id: &mut new_id })?)
    }

    /// The team of something new: the one named, else that of what it belongs to, else the only one.
    fn team_beside(&self, other: Option<RecordId>) -> Result<Option<RecordId>> {
        if self.team.is_none()
            && let Some(other) = other
            && let Some(row) = records::find(self.conn, other)?
            && row.team.is_some()
        {
            return Ok(row.team);
        }
        self.tablet.team_for(self.conn, self.team)
    }

    fn open(&self, id: RecordId) -> Result<Open> {
        let row = records::held(self.conn, id)?;
        let changes = records::changes(self.conn, row.no)?;
        let record = records::load(id, &changes)?;
        Ok(Open { row, changes, record })
    }

    /// Somebody who can write the next change of a record: this run's actor, or one of its own where that actor's
    /// next number is taken by a change in quarantine.
    fn author<'m>(&self, no: i64, message: &'m Message) -> Result<Author<'m>> {
        let fresh = self.tablet.env.bytes();
        let tainted = records::is_tainted(self.conn, no, &self.me.actor)?;
        Ok(Author { actor: if tainted { fresh } else { self.me.actor }, fresh, message })
    }

    /// The message of a change which puts right what base refused of a record: it names those changes in quarantine of which
    /// it says everything anew, so that base never takes them up again beside it. A change of which it says only some is not
    /// named: the rest of it would be lost.
    fn message(&self, no: i64, says_anew: impl Fn(&[String]) -> bool) -> Result<Message> {
        let mut message = self.message.clone();
        let quarantined = unsettled::quarantined(self.conn, no)?;
        let mut gone: BTreeSet<Hash> = BTreeSet::new();
        for (at, change) in quarantined.iter().enumerate() {
            if gone.contains(&change.hash) || message.supersedes.len() >= MAX_SUPERSEDES {
                continue;
            }
            let (mut with_it, mut paths) = (BTreeSet::from([change.hash]), change.paths());
            for later in &quarantined[at + 1..] {
                // Goes with what it builds on.
                if later.deps.iter().any(|dep| with_it.contains(dep)) && with_it.insert(later.hash) {
                    paths.extend(later.paths());
                }
            }
            if says_anew(&paths) {
                message.supersedes.push(short_hash(&change.hash));
                gone.extend(with_it);
            }
        }
        Ok(message)
    }

    fn create(&self, kind: Kind, team: Option<RecordId>, fields: Map<String, Value>) -> Result<RecordId> {
        let id = self.new_record_id();
        let writes = self.flattening(kind, |flattener| flattener.object(fields))?;
        self.begin(id, kind, team, &writes)?;
        Ok(id)
    }

    /// A record's beginning; where all that was recorded of it before is in quarantine, in place of that.
    fn begin(&self, id: RecordId, kind: Kind, team: Option<RecordId>, writes: &[Write]) -> Result<Vec<Hash>> {
        if self.rules != Rules::Unchecked
            && let Some(name) = missing(kind, |name| {
                matches!(name, "id" | "kind" | "schema") || writes.iter().any(|write| write.path == name)
            })
        {
            return Err(Invalid::new(Code::MissingField, name, format!("{name} is missing.")).into());
        }
        let writes = self.in_order(None, writes);
        let no = records::make(self.conn, id, team)?.no;
        let message = self.message(no, |paths| !paths.is_empty())?;
        let (record, authored) = Record::begin(id, kind, &writes, &self.author(no, &message)?)?;
        self.keep(no, id, None, team, &[], &record, &authored)?;
        Ok(record.heads())
    }

    /// One change on what the screen showed, which the record takes in.
    fn edit(&self, open: &mut Open, base: Option<&[Hash]>, writes: &[Write]) -> Result<Vec<Hash>> {
        let kind = open.kind()?;
        for write in writes {
            let once = matches!(schema::at(kind, &write.path), At::Entry(_) | At::TallyEntry);
            if once && self.rules != Rules::Unchecked && open.record.has(&write.path) {
                let message = Code::EntryWrittenOnce.message();
                return Err(Invalid::new(Code::EntryWrittenOnce, &write.path, message).into());
            }
        }
        let base = base.map(|base| self.standing(open, base)).transpose()?.filter(|base| !base.is_empty());
        let deps = base.clone().unwrap_or_else(|| open.record.heads());
        let writes = self.in_order(Some(&open.record), writes);
        let message = self.message(open.row.no, |paths| say_anew(kind, &writes, paths))?;
        let author = self.author(open.row.no, &message)?;
        if let Some(authored) = open.record.edit(base.as_deref(), &writes, &author)? {
            let Row { no, id, team, .. } = open.row;
            self.keep(no, id, Some(kind), team, &deps, &open.record, &authored)?;
        }
        Ok(open.record.heads())
    }

    fn in_order(&self, record: Option<&Record>, writes: &[Write]) -> Vec<Write> {
        if self.rules == Rules::Unchecked {
            writes.to_vec()
        } else {
            order::in_order(record, writes.to_vec())
        }
    }

    /// The heads that a screen showed, as far as they still stand: instead of a change that has gone into
    /// quarantine since, what it was built on.
    fn standing(&self, open: &Open, base: &[Hash]) -> Result<Vec<Hash>> {
        let live: Vec<&Stored> = records::live(&open.changes).collect();
        let mut left = base.to_vec();
        let mut standing = Vec::new();
        // What a change builds on is older than it: this ends.
        while let Some(head) = left.pop() {
            if live.iter().any(|change| change.hash == head) {
                standing.push(head);
            } else if let Some(gone) = open.changes.iter().find(|change| change.hash == head) {
                left.extend(&gone.deps);
            } else {
                return Err(RecordError::UnknownHeads.into());
            }
        }
        standing.sort_unstable();
        standing.dedup();
        Ok(standing)
    }

    /// Checks a change as the server will, and stores it.
    #[expect(clippy::too_many_arguments, reason = "the two callers are right above")]
    fn keep(
        &self,
        no: i64,
        id: RecordId,
        kind: Option<Kind>,
        team: Option<RecordId>,
        deps: &[Hash],
        record: &Record,
        authored: &Authored,
    ) -> Result<()> {
        let parsed = chunk::parse(&authored.raw);
        let deps = parsed.as_ref().map_or(deps, |chunk| &chunk.deps);
        if self.rules == Rules::Unchecked {
            // Even that must fit into a frame.
            if authored.raw.len() > MAX_PAYLOAD - 4096 {
                return Err(Error::Failed(Code::TooLarge));
            }
        } else {
            let chunk = parsed.as_ref().map_err(|code| match code {
                Code::ChangeTooLarge => Error::Failed(Code::TooLarge),
                code => Error::Failed(*code),
            })?;
            // What the change itself writes was not there before it.
            let writes: Vec<&str> = chunk.keys().collect();
            let there = |path: &str| record.has(path) && !writes.contains(&path);
            check_change(id, kind, chunk, &self.me.public, there)?;
        }
        records::insert_own(self.conn, no, team, deps, authored)?;
        records::refresh_with(self.conn, no, record)
    }

    /// A record whose every change is in quarantine, made anew from what they said.
    fn resubmit(&self, open: &Open, set: Vec<(String, Value)>) -> Result<Vec<Hash>> {
        let kind = open.kind()?;
        let mut values: Vec<(String, Value)> = Vec::new();
        let mut put = |path: String, value: Value| {
            values.retain(|(other, _)| *other != path);
            values.push((path, value));
        };
        for change in unsettled::quarantined(self.conn, open.row.no)? {
            for (path, value) in crate::read::values(&change.raw) {
                put(path, value);
            }
        }
        for (path, value) in set {
            for write in self.flattening(kind, |flattener| flattener.set(&path, value))? {
                put(write.path, write.value.to_json());
            }
        }
        let mut writes = Vec::new();
        for (path, value) in values {
            let value = value_at(kind, &path, value, self.rules)?;
            if value != Scalar::Null {
                writes.push(Write { path, value });
            }
        }
        self.begin(open.row.id, kind, open.row.team, &writes)
    }
}
