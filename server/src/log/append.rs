//! What happens to a batch inside the commit, after the lock.
//!
//! Each change was judged before, outside the writer. The judgement stands if its record has not moved
//! since; otherwise the change is judged again here. An actor's owner, what is known and what is in
//! quarantine are read again in any case.

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, HashMap, VecDeque};

use rusqlite::{Connection, OptionalExtension};
use wayside_protocol::error::Code;
use wayside_protocol::record::{Hash, Kind, RecordId};
use wayside_protocol::sync::frame::{Entry as LogEntry, Verdict, What};
use wayside_protocol::sync::{PublicKey, SetSum};

use super::entries::{self, Made, enter_one};
use super::{Standing, Team, Txn, known, record_changes, sum_at, team_by_id};
use crate::admission::{
    Judge, Judged, Judgement, Offer, Offered, Reason, SignedList, final_quarantine, owner,
};
use crate::error::{Error, Result};

/// Changes that wait for others, of one team and of one tablet.
const MAX_WAITING_TEAM: u64 = 10_000;
const MAX_WAITING_TABLET: u64 = 1_000;
/// And of one record: when what they wait for arrives, they are all judged inside one commit.
const MAX_WAITING_RECORD: u64 = 64;

/// Where changes come from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The id of who sent them.
    pub tablet: String,
    /// Our own identity, which alone may write teams.
    pub server: PublicKey,
    pub received_at: u64,
}

/// Stores a batch and says what became of each change, offer by offer. `judged` goes with the offers;
/// what it does not cover is judged here.
pub fn append(
    txn: &mut Txn,
    source: &Source,
    offers: &[Offer],
    judged: &[Vec<Judged>],
) -> Result<Vec<Vec<Verdict>>> {
    let mut judge = Judge::new(source.server);
    let mut records = HashMap::new();
    let mut actors = HashMap::new();
    let mut answers = Vec::with_capacity(offers.len());
    for (index, offer) in offers.iter().enumerate() {
        let mut appender =
            Appender::begin(&mut *txn, source, offer.team, &mut judge, &mut records, &mut actors)?;
        let mut verdicts = Vec::with_capacity(offer.changes.len());
        for (at, change) in offer.changes.iter().enumerate() {
            let list = offer.lists.get(change.list).ok_or(Error::Internal("an offer's list"))?;
            let judged = judged.get(index).and_then(|judged| judged.get(at));
            verdicts.push(appender.place(change, list, judged)?);
        }
        appender.end()?;
        answers.push(verdicts);
    }
    Ok(answers)
}

/// Judges a change that is in quarantine as if it came only now: see [`readmit`](super::readmit()).
pub(super) fn judge_again(txn: &mut Txn, server: PublicKey, team: RecordId, held: &Held) -> Result<Verdict> {
    let source = Source { tablet: held.tablet.clone(), server, received_at: held.received_at };
    let (mut judge, mut records, mut actors) = (Judge::new(server), HashMap::new(), HashMap::new());
    let mut appender = Appender::begin(txn, &source, team, &mut judge, &mut records, &mut actors)?;
    appender.found(held.change.record)?;
    appender.forget_waiting(&held.change)?;
    let conn = appender.txn.conn;
    let judgement = appender.judge.judge(conn, &appender.team, &held.change, &held.author)?.judgement;
    let verdict = appender.settle(&held.entry(), judgement, false)?;
    appender.end()?;
    Ok(verdict)
}

/// Whether every record is as it was when its changes were judged.
pub fn unmoved(conn: &Connection, offers: &[Offer], judged: &[Vec<Judged>]) -> Result<bool> {
    let changes = offers.iter().flat_map(|offer| &offer.changes);
    let bases: BTreeMap<RecordId, u64> =
        changes.zip(judged.iter().flatten()).map(|(change, judged)| (change.record, judged.base)).collect();
    for (record, base) in bases {
        if changes_of(conn, record)? != base {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How many changes a record has in the log.
fn changes_of(conn: &Connection, record: RecordId) -> Result<u64> {
    let mut statement = conn.prepare_cached("SELECT changes FROM record WHERE record = ?")?;
    let changes: Option<u64> = statement.query_row([record.as_bytes()], |row| row.get(0)).optional()?;
    Ok(changes.unwrap_or(0))
}

struct Appender<'a, 't> {
    txn: &'a mut Txn<'t>,
    source: &'a Source,
    /// Reads inside the transaction.
    judge: &'a mut Judge,
    /// By team and record.
    records: &'a mut HashMap<(i64, RecordId), Found>,
    /// Owners and numbers of actors that came before in this batch.
    actors: &'a mut HashMap<Vec<u8>, (i64, PublicKey)>,
    team: Team,
    /// Its head before.
    before: u64,
    sum: SetSum,
    /// Whether any record of the team was ever archived or erased.
    entries: bool,
    /// Numbers of the offer's lists that are stored already.
    lists: HashMap<usize, i64>,
}

/// A record as this commit found it, and what has become of that since.
struct Found {
    /// Its changes in the log, before this batch.
    changes: u64,
    /// Whether judgements from outside still hold.
    trusted: bool,
    /// Whether any change of it is in quarantine, or waits: as good as never, and then nobody need look.
    quarantined: bool,
    waiting: bool,
    /// Whether it is off the tablets, or gone for good.
    archived: bool,
    erased: bool,
}

/// A change with all that is stored beside it.
struct Entry<'a> {
    change: &'a Offered,
    tablet: &'a str,
    author: &'a PublicKey,
    list: i64,
    received_at: u64,
}

/// A change that waits or is in quarantine, as it is stored.
pub(super) struct Held {
    pub change: Offered,
    pub tablet: String,
    pub author: PublicKey,
    pub list: i64,
    pub received_at: u64,
}

impl Held {
    fn entry(&self) -> Entry<'_> {
        let Held { change, tablet, author, list, received_at } = self;
        Entry { change, tablet, author, list: *list, received_at: *received_at }
    }
}

impl<'a, 't> Appender<'a, 't> {
    fn begin(
        txn: &'a mut Txn<'t>,
        source: &'a Source,
        team: RecordId,
        judge: &'a mut Judge,
        records: &'a mut HashMap<(i64, RecordId), Found>,
        actors: &'a mut HashMap<Vec<u8>, (i64, PublicKey)>,
    ) -> Result<Self> {
        let team = team_by_id(txn.conn, team)?.ok_or(Code::TeamNotAllowed)?;
        let sum = sum_at(txn.conn, team.n, team.head)?;
        let (before, entries) = (team.head, entries::has_entries(txn.conn, team.n, 0)?);
        Ok(Appender {
            txn,
            source,
            judge,
            records,
            actors,
            team,
            before,
            sum,
            entries,
            lists: HashMap::new(),
        })
    }

    fn end(self) -> Result<()> {
        let Appender { txn, team, before, .. } = self;
        if team.head != before {
            txn.conn.prepare_cached("UPDATE team SET head = ? WHERE n = ?")?.execute((team.head, team.n))?;
            txn.moved(team.id, team.head);
        }
        Ok(())
    }

    fn place(&mut self, change: &Offered, list: &SignedList, before: Option<&Judged>) -> Result<Verdict> {
        let Offered { record, hash, .. } = change;
        let found = self.found(*record)?;
        if found.erased {
            return Ok(Verdict::Erased);
        }
        let trusted = before.filter(|judged| {
            // Known to the judge but not to the log: the batch came apart, so ask again.
            found.trusted && found.changes == judged.base && judged.judgement != Judgement::Known
        });
        let quarantined = found.quarantined;
        // What was judged on this very record was not in the log.
        if trusted.is_none()
            && let Some(seq) = known(self.txn.conn, self.team.n, *record, hash)?
        {
            return Ok(Verdict::Known { seq });
        }
        if quarantined && let Some(code) = final_quarantine(self.txn.conn, self.team.n, *record, hash)? {
            return Ok(Verdict::Quarantined { code });
        }
        let judgement = match trusted {
            Some(judged) => judged.judgement.clone(),
            None => {
                self.distrust(*record)?;
                self.judge.judge(self.txn.conn, &self.team, change, &list.author)?.judgement
            }
        };
        let entry = Entry {
            change,
            tablet: &self.source.tablet,
            author: &list.author,
            list: self.list(change.list, list)?,
            received_at: self.source.received_at,
        };
        self.settle(&entry, judgement, trusted.is_some())
    }

    fn found(&mut self, record: RecordId) -> Result<&mut Found> {
        Ok(match self.records.entry((self.team.n, record)) {
            Occupied(entry) => entry.into_mut(),
            Vacant(entry) => {
                let Standing { changes, quarantined, waiting, archived, erased, .. } =
                    Standing::of(self.txn.conn, self.team.n, record)?;
                entry.insert(Found { changes, trusted: true, quarantined, waiting, archived, erased })
            }
        })
    }

    /// A record that differs once from what was judged differs for the rest of the batch.
    fn distrust(&mut self, record: RecordId) -> Result<()> {
        self.found(record)?.trusted = false;
        Ok(())
    }

    /// The number of an actor that belongs to `author`, or to nobody yet; `None` when it is another's.
    fn actor(&mut self, actor: Vec<u8>, author: &PublicKey) -> Result<Option<i64>> {
        let (n, owner) = match self.actors.entry(actor) {
            Occupied(entry) => *entry.get(),
            Vacant(entry) => {
                let owned = match owner(self.txn.conn, entry.key())? {
                    Some(owned) => owned,
                    None => {
                        let sql = "INSERT INTO actor (actor, author) VALUES (?, ?)";
                        (self.txn.conn.prepare_cached(sql)?.insert((entry.key(), author))?, *author)
                    }
                };
                *entry.insert(owned)
            }
        };
        Ok((owner == *author).then_some(n))
    }

    fn settle(&mut self, entry: &Entry, judgement: Judgement, trusted: bool) -> Result<Verdict> {
        let Offered { record, hash, .. } = entry.change;
        match judgement {
            Judgement::Known => Err(Error::Internal("known to the judge, unknown to the log")),
            Judgement::InQuarantine(code) => Ok(Verdict::Quarantined { code }),
            Judgement::Quarantine(reason) => self.quarantine(entry, &reason),
            Judgement::Waits(missing) => {
                for dep in &missing {
                    if final_quarantine(self.txn.conn, self.team.n, *record, dep)?.is_some() {
                        self.distrust(*record)?;
                        return self.quarantine(entry, &Code::DependsOnQuarantined.into());
                    }
                }
                self.wait(entry, &missing)
            }
            Judgement::Fits { actor, actor_seq, kind } => {
                let actor = if self.names_erased(entry.change, kind)? {
                    Err(Code::PersonErased)
                } else {
                    self.actor(actor, entry.author)?.ok_or(Code::ActorOwned)
                };
                let actor = match actor {
                    Ok(actor) => actor,
                    Err(code) => {
                        self.distrust(*record)?;
                        self.judge.forget(&self.team, *record);
                        return self.quarantine(entry, &code.into());
                    }
                };
                if trusted {
                    self.judge.forget(&self.team, *record);
                }
                let seq = self.accept(entry, actor, actor_seq, kind)?;
                self.release(*record, *hash, true)?;
                Ok(Verdict::Accepted { seq })
            }
        }
    }

    fn accept(&mut self, entry: &Entry, actor: i64, actor_seq: u64, kind: Kind) -> Result<u64> {
        let Offered { record, hash, raw, .. } = entry.change;
        let conn = self.txn.conn;
        self.forget_waiting(entry.change)?;
        self.activate(entry)?;
        self.team.head += 1;
        self.sum.add(*record, hash);
        conn.prepare_cached(
            "INSERT INTO log (team, seq, record, hash, actor, actor_seq, raw, list, received_at, sum, count)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute((
            self.team.n,
            self.team.head,
            record.as_bytes(),
            hash,
            actor,
            actor_seq,
            raw,
            entry.list,
            entry.received_at,
            self.sum.sum,
            self.sum.count,
        ))?;
        conn.prepare_cached(
            "INSERT INTO record (record, team, kind, changes, bytes) VALUES (?, ?, ?, 1, ?)
             ON CONFLICT (record) DO UPDATE SET changes = changes + 1, bytes = bytes + excluded.bytes",
        )?
        .execute((record.as_bytes(), self.team.n, kind.as_str(), raw.len()))?;
        Ok(self.team.head)
    }

    /// Brings back to the tablets what a change is of, and what that names: a call to make is nothing without the
    /// person's number.
    fn activate(&mut self, entry: &Entry) -> Result<()> {
        if !self.entries {
            return Ok(());
        }
        let (conn, record) = (self.txn.conn, entry.change.record);
        let mut wanted: Vec<_> = entries::named(&entry.change.raw);
        if self.found(record)?.archived {
            let raws = record_changes(conn, self.team.n, record)?;
            wanted.extend(raws.iter().flat_map(|raw| entries::named(raw)));
            wanted.push(("", record));
        }
        let made = Made { at: entry.received_at, by: entry.tablet };
        for (_, record) in wanted {
            let entry = LogEntry { what: What::Activate, record, seq: 0 };
            if enter_one(conn, &mut self.team, &mut self.sum, entry, made)? {
                self.found(record)?.archived = false;
            }
        }
        Ok(())
    }

    /// Whether a contact is with somebody who was erased: no tablet decides that they come back.
    fn names_erased(&self, change: &Offered, kind: Kind) -> Result<bool> {
        if !self.entries || kind != Kind::Contact {
            return Ok(false);
        }
        for (name, record) in entries::named(&change.raw) {
            if name == "person" && entries::is_erased(self.txn.conn, record)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Keeps a change whole with its reason; what waits for it goes the same way.
    fn quarantine(&mut self, entry: &Entry, reason: &Reason) -> Result<Verdict> {
        self.keep(entry, reason)?;
        // What a retry can help may still arrive.
        if !reason.code.retry() {
            self.release(entry.change.record, entry.change.hash, false)?;
        }
        Ok(Verdict::Quarantined { code: reason.code.as_str().to_owned() })
    }

    fn keep(&mut self, entry: &Entry, reason: &Reason) -> Result<()> {
        let Offered { record, hash, raw, .. } = entry.change;
        self.forget_waiting(entry.change)?;
        self.found(*record)?.quarantined = true;
        self.txn
            .conn
            .prepare_cached(
                "INSERT INTO quarantine
                     (team, record, hash, raw, code, path, message, tablet, author, list, received_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute((
                self.team.n,
                record.as_bytes(),
                hash,
                raw,
                reason.code.as_str(),
                &reason.path,
                &reason.message,
                entry.tablet,
                entry.author,
                entry.list,
                entry.received_at,
            ))?;
        Ok(())
    }

    fn wait(&mut self, entry: &Entry, missing: &[Hash]) -> Result<Verdict> {
        let Offered { record, hash, raw, .. } = entry.change;
        let conn = self.txn.conn;
        if self.waits(entry.change)? {
            return Ok(Verdict::Waiting);
        }
        let (of_team, of_tablet, of_record): (u64, u64, u64) = conn
            .prepare_cached(
                "SELECT (SELECT count(*) FROM waiting WHERE team = ?1),
                        (SELECT count(*) FROM waiting WHERE tablet = ?2),
                        (SELECT count(*) FROM waiting WHERE team = ?1 AND record = ?3)",
            )?
            .query_row((self.team.n, entry.tablet, record.as_bytes()), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        if of_team >= MAX_WAITING_TEAM || of_tablet >= MAX_WAITING_TABLET || of_record >= MAX_WAITING_RECORD {
            return self.quarantine(entry, &Code::WaitingFull.into());
        }
        // It may have been turned away before, when too many waited.
        self.forget_waiting(entry.change)?;
        self.found(*record)?.waiting = true;
        let n = conn
            .prepare_cached(
                "INSERT INTO waiting (team, record, hash, raw, tablet, author, list, received_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .insert((
                self.team.n,
                record.as_bytes(),
                hash,
                raw,
                entry.tablet,
                entry.author,
                entry.list,
                entry.received_at,
            ))?;
        for dep in missing {
            conn.prepare_cached(
                "INSERT INTO waiting_for (team, record, missing, waiting) VALUES (?, ?, ?, ?)",
            )?
            .execute((self.team.n, record.as_bytes(), dep, n))?;
        }
        Ok(Verdict::Waiting)
    }

    fn waits(&self, change: &Offered) -> Result<bool> {
        let mut statement = self
            .txn
            .conn
            .prepare_cached("SELECT 1 FROM waiting WHERE team = ? AND record = ? AND hash = ?")?;
        Ok(statement.exists((self.team.n, change.record.as_bytes(), change.hash))?)
    }

    /// Takes a change off the places from which it moves on: those who wait, and a quarantine that was
    /// only for the time being.
    fn forget_waiting(&mut self, change: &Offered) -> Result<()> {
        let Found { waiting, quarantined, .. } = *self.found(change.record)?;
        for (any, sql) in [
            (waiting, "DELETE FROM waiting WHERE team = ? AND record = ? AND hash = ?"),
            (quarantined, "DELETE FROM quarantine WHERE team = ? AND record = ? AND hash = ?"),
        ] {
            if any {
                let row = (self.team.n, change.record.as_bytes(), change.hash);
                self.txn.conn.prepare_cached(sql)?.execute(row)?;
            }
        }
        Ok(())
    }

    /// Looks again at what waited for a change that is settled now, and at what waited for those.
    fn release(&mut self, record: RecordId, hash: Hash, accepted: bool) -> Result<()> {
        if !self.found(record)?.waiting {
            return Ok(());
        }
        let mut settled = VecDeque::from([(hash, accepted)]);
        while let Some((hash, accepted)) = settled.pop_front() {
            for n in self.waiting_for(record, &hash)? {
                let Some(waiting) = self.waiting(record, n)? else { continue };
                let (change, entry) = (&waiting.change, waiting.entry());
                self.distrust(record)?;
                let judgement = if accepted {
                    self.judge.judge(self.txn.conn, &self.team, change, entry.author)?.judgement
                } else {
                    Judgement::Quarantine(Code::DependsOnQuarantined.into())
                };
                match judgement {
                    Judgement::Waits(_) => {}
                    Judgement::Fits { kind, .. } if self.names_erased(change, kind)? => {
                        self.judge.forget(&self.team, record);
                        self.keep(&entry, &Code::PersonErased.into())?;
                        settled.push_back((change.hash, false));
                    }
                    Judgement::Fits { actor, actor_seq, kind } => {
                        let actor = self.actor(actor, entry.author)?;
                        let actor = actor.ok_or(Error::Internal("another's actor was judged to fit"))?;
                        self.accept(&entry, actor, actor_seq, kind)?;
                        settled.push_back((change.hash, true));
                    }
                    Judgement::Quarantine(reason) => {
                        self.keep(&entry, &reason)?;
                        settled.push_back((change.hash, false));
                    }
                    Judgement::Known | Judgement::InQuarantine(_) => self.forget_waiting(change)?,
                }
            }
        }
        Ok(())
    }

    fn waiting_for(&self, record: RecordId, missing: &Hash) -> Result<Vec<i64>> {
        let mut statement = self.txn.conn.prepare_cached(
            "SELECT waiting FROM waiting_for WHERE team = ? AND record = ? AND missing = ? ORDER BY waiting",
        )?;
        let rows = statement.query_map((self.team.n, record.as_bytes(), missing), |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn waiting(&self, record: RecordId, n: i64) -> Result<Option<Held>> {
        let mut statement = self
            .txn
            .conn
            .prepare_cached("SELECT hash, raw, tablet, author, list, received_at FROM waiting WHERE n = ?")?;
        let row = statement.query_row([n], |row| {
            Ok(Held {
                change: Offered { record, hash: row.get(0)?, raw: row.get(1)?, list: 0 },
                tablet: row.get(2)?,
                author: row.get(3)?,
                list: row.get(4)?,
                received_at: row.get(5)?,
            })
        });
        Ok(row.optional()?)
    }

    /// The number of a signed list, stored whole with the first of its changes that is kept.
    fn list(&mut self, index: usize, list: &SignedList) -> Result<i64> {
        if let Some(n) = self.lists.get(&index) {
            return Ok(*n);
        }
        let conn = self.txn.conn;
        let stored: Option<i64> = conn
            .prepare_cached("SELECT n FROM signed_list WHERE team = ? AND signature = ?")?
            .query_row((self.team.n, list.signature), |row| row.get(0))
            .optional()?;
        let n = match stored {
            Some(n) => n,
            None => {
                let items: Vec<u8> = list
                    .items
                    .iter()
                    .flat_map(|(record, hash)| record.as_bytes().iter().chain(hash))
                    .copied()
                    .collect();
                conn.prepare_cached(
                    "INSERT INTO signed_list (team, author, signature, items) VALUES (?, ?, ?, ?)",
                )?
                .insert((self.team.n, list.author, list.signature, items))?
            }
        };
        self.lists.insert(index, n);
        Ok(n)
    }
}
