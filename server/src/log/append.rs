//! What happens to a batch inside the commit, after the lock.
//!
//! Each change was judged before, outside the writer. The judgement stands if its record has not moved
//! since; otherwise the change is judged again here. An actor's owner, what is known and what is in
//! quarantine are read again in any case.

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeSet, HashMap, VecDeque};

use wayside_protocol::error::Code;
use wayside_protocol::record::{Hash, Kind, RecordId};
use wayside_protocol::sync::frame::{Entry as LogEntry, Verdict, What};
use wayside_protocol::sync::{PublicKey, SetSum};

use super::batch::{Accepted, Batch, ListRef};
use super::db::args;
use super::entries::{self, Made, enter_one};
use super::quota::{self, Quotas, Room};
use super::{Standing, Team, Txn, is_held_back, known, quarantine_code, record_changes, sum_at, team_by_id};
use crate::admission::{
    Judge, Judged, Judgement, Offer, Offered, Reason, SignedList, final_quarantine, is_final,
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
    /// The tablet's number and the nonce of its request, which must still be its last one at any node. `None` where no
    /// other can have come, or it does not matter.
    pub turn: Option<(i64, [u8; 16])>,
    /// How much of it quarantine takes; `None` where it is none of a tablet's sending.
    pub quotas: Option<Quotas>,
}

/// Stores a batch and says what became of each change, offer by offer. `judged` goes with the offers;
/// what it does not cover is judged here.
pub fn append(
    txn: &mut Txn,
    source: &Source,
    offers: &[Offer],
    judged: &[Vec<Judged>],
) -> Result<Vec<Vec<Verdict>>> {
    let mut rest = judged;
    let mut answers = Vec::with_capacity(offers.len());
    for run in offers.chunk_by(|one, next| one.team == next.team) {
        let (judged, later) = rest.split_at(run.len().min(rest.len()));
        rest = later;
        answers.extend(append_to(txn, source, run, judged, true)?.unwrap_or_default());
    }
    Ok(answers)
}

/// The same for offers of one team, unless a record is not as it was when its changes were judged: then nothing is
/// stored.
pub fn append_unmoved(
    txn: &mut Txn,
    source: &Source,
    offers: &[Offer],
    judged: &[Vec<Judged>],
) -> Result<Option<Vec<Vec<Verdict>>>> {
    append_to(txn, source, offers, judged, false)
}

fn append_to(
    txn: &mut Txn,
    source: &Source,
    offers: &[Offer],
    judged: &[Vec<Judged>],
    anyway: bool,
) -> Result<Option<Vec<Vec<Verdict>>>> {
    let Some(team) = offers.first().map(|offer| offer.team) else { return Ok(Some(Vec::new())) };
    if let Some((tablet, nonce)) = source.turn {
        // Whoever takes the turn now waits until this is committed, and then sees it.
        let sql = "SELECT 1 FROM turn WHERE tablet = ? AND nonce = ? FOR SHARE";
        if !txn.conn.exists(sql, args![tablet, nonce])? {
            return Err(Code::LinkCut.into());
        }
    }
    let mut appender = Appender::begin(txn, source, team)?;
    // Decided here, after the lock, whatever it was when the request came.
    appender.held_back = is_held_back(appender.txn.conn, &source.tablet, appender.team.n)?;
    appender.read_ahead(offers, judged)?;
    if !anyway && !appender.held_back && !appender.unmoved(offers, judged)? {
        return Ok(None);
    }
    let mut answers = Vec::with_capacity(offers.len());
    for (index, offer) in offers.iter().enumerate() {
        let mut verdicts = Vec::with_capacity(offer.changes.len());
        for (at, change) in offer.changes.iter().enumerate() {
            let list = offer.lists.get(change.list).ok_or(Error::Internal("an offer's list"))?;
            let judged = judged.get(index).and_then(|judged| judged.get(at));
            verdicts.push(appender.place(change, list, judged)?);
        }
        answers.push(verdicts);
    }
    appender.end()?;
    Ok(Some(answers))
}

/// Judges a change that is in quarantine as if it came only now: see [`readmit`](super::readmit()).
pub(super) fn judge_again(txn: &mut Txn, server: PublicKey, team: RecordId, held: &Held) -> Result<Verdict> {
    let source = Source {
        tablet: held.tablet.clone(),
        server,
        received_at: held.received_at,
        turn: None,
        quotas: None,
    };
    let mut appender = Appender::begin(txn, &source, team)?;
    appender.forget_waiting(&held.change)?;
    let judgement = appender.judge(&held.change, &held.author)?;
    let verdict = appender.settle(&held.entry(), judgement, false)?;
    appender.end()?;
    Ok(verdict)
}

struct Appender<'a, 't> {
    txn: &'a mut Txn<'t>,
    source: &'a Source,
    /// Reads inside the transaction.
    judge: Judge,
    records: HashMap<RecordId, Found>,
    /// What is accepted and not written yet. Whoever reads the log or writes beside it writes this first.
    batch: Batch,
    team: Team,
    /// Its head before.
    before: u64,
    sum: SetSum,
    /// Whether any record of the team was ever archived or erased.
    entries: bool,
    /// Who sends this was revoked, or taken out of the team: nothing of it is accepted.
    held_back: bool,
    /// What quarantine still takes, once something is to go there.
    room: Option<Room>,
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

impl Found {
    fn of(standing: Standing, team: &Team) -> Found {
        let Standing { bound, changes, quarantined, waiting, archived, erased, .. } = standing;
        let archived = archived && bound.is_some_and(|(bound, _)| bound == team.n);
        Found { changes, trusted: true, quarantined, waiting, archived, erased }
    }
}

/// A change with all that is stored beside it.
struct Entry<'a> {
    change: &'a Offered,
    tablet: &'a str,
    author: &'a PublicKey,
    list: ListRef,
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
        Entry { change, tablet, author, list: ListRef::Stored(*list), received_at: *received_at }
    }
}

impl<'a, 't> Appender<'a, 't> {
    fn begin(txn: &'a mut Txn<'t>, source: &'a Source, team: RecordId) -> Result<Self> {
        let team = team_by_id(txn.conn, team)?.ok_or(Code::TeamNotAllowed)?;
        let sum = sum_at(txn.conn, team.n, team.head)?;
        let (before, entries) = (team.head, entries::has_entries(txn.conn, team.n, 0)?);
        let (judge, records, batch) = (Judge::new(source.server), HashMap::new(), Batch::default());
        let (held_back, room) = (false, None);
        Ok(Appender { txn, source, judge, records, batch, team, before, sum, entries, held_back, room })
    }

    /// Looks up together what is asked of each change of a batch.
    fn read_ahead(&mut self, offers: &[Offer], judged: &[Vec<Judged>]) -> Result<()> {
        let changes = || offers.iter().flat_map(|offer| &offer.changes);
        let mut records: BTreeSet<RecordId> = changes().map(|change| change.record).collect();
        if self.entries {
            records
                .extend(changes().flat_map(|change| entries::named(&change.raw)).map(|(_, record)| record));
        }
        let records: Vec<RecordId> = records.into_iter().collect();
        for (record, standing) in Standing::of_all(self.txn.conn, self.team.n, &records)? {
            self.records.insert(record, Found::of(standing, &self.team));
        }
        let actors = judged.iter().flatten().filter_map(|judged| match &judged.judgement {
            Judgement::Fits { actor, .. } => Some(actor.as_slice()),
            _ => None,
        });
        let lists = offers.iter().flat_map(|offer| &offer.lists);
        self.batch.read_ahead(self.txn.conn, &self.team, actors, lists)
    }

    /// Whether every record is as it was when its changes were judged.
    fn unmoved(&mut self, offers: &[Offer], judged: &[Vec<Judged>]) -> Result<bool> {
        let changes = offers.iter().flat_map(|offer| &offer.changes);
        for (change, judged) in changes.zip(judged.iter().flatten()) {
            if self.found(change.record)?.changes != judged.base {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes what was gathered, so that it can be read and stands before what is written now.
    fn flush(&mut self) -> Result<()> {
        self.batch.flush(self.txn.conn, &self.team)
    }

    fn judge(&mut self, change: &Offered, author: &PublicKey) -> Result<Judgement> {
        self.flush()?;
        Ok(self.judge.judge(self.txn.conn, &self.team, change, author)?.judgement)
    }

    fn end(mut self) -> Result<()> {
        self.flush()?;
        let Appender { txn, team, before, .. } = self;
        if team.head != before {
            txn.conn.execute("UPDATE team SET head = ? WHERE n = ?", args![team.head, team.n])?;
            txn.moved(team.id, team.head);
        }
        Ok(())
    }

    fn place(&mut self, change: &Offered, list: &SignedList, before: Option<&Judged>) -> Result<Verdict> {
        let Offered { record, hash, .. } = change;
        let held_back = self.held_back;
        let found = self.found(*record)?;
        if found.erased {
            return Ok(Verdict::Erased);
        }
        if held_back {
            return self.hold_back(change, list);
        }
        let trusted = before.filter(|judged| {
            // Known to the judge but not to the log: the batch came apart, so ask again.
            found.trusted && found.changes == judged.base && judged.judgement != Judgement::Known
        });
        let quarantined = found.quarantined;
        // What was judged on this very record was not in the log.
        if trusted.is_none() {
            self.flush()?;
            if let Some(seq) = known(self.txn.conn, self.team.n, *record, hash)? {
                return Ok(Verdict::Known { seq });
            }
        }
        if quarantined && let Some(code) = final_quarantine(self.txn.conn, self.team.n, *record, hash)? {
            // The judge may not have known, and taken it for what the next one builds on.
            self.distrust(*record)?;
            return Ok(Verdict::Quarantined { code });
        }
        let judgement = match trusted {
            Some(judged) => judged.judgement.clone(),
            None => {
                self.distrust(*record)?;
                self.judge(change, &list.author)?
            }
        };
        let entry = Entry {
            change,
            tablet: &self.source.tablet,
            author: &list.author,
            list: self.batch.list(self.txn.conn, &self.team, list)?,
            received_at: self.source.received_at,
        };
        self.settle(&entry, judgement, trusted.is_some())
    }

    /// Keeps a change apart without judging it, unless base has it already, one way or another.
    fn hold_back(&mut self, change: &Offered, list: &SignedList) -> Result<Verdict> {
        let Offered { record, hash, .. } = change;
        let (quarantined, waiting) = {
            let found = self.found(*record)?;
            (found.quarantined, found.waiting)
        };
        self.flush()?;
        if let Some(seq) = known(self.txn.conn, self.team.n, *record, hash)? {
            return Ok(Verdict::Known { seq });
        }
        if quarantined
            && let Some(code) = quarantine_code(self.txn.conn, self.team.n, *record, hash)?
            && !Code::parse(&code).is_some_and(Code::retry)
        {
            return Ok(Verdict::Quarantined { code });
        }
        if waiting && self.waits(change)? {
            return Ok(Verdict::Waiting);
        }
        let entry = Entry {
            change,
            tablet: &self.source.tablet,
            author: &list.author,
            list: self.batch.list(self.txn.conn, &self.team, list)?,
            received_at: self.source.received_at,
        };
        self.quarantine(&entry, &Code::FromRevokedTablet.into())
    }

    fn found(&mut self, record: RecordId) -> Result<&mut Found> {
        Ok(match self.records.entry(record) {
            Occupied(entry) => entry.into_mut(),
            Vacant(entry) => {
                let standing = Standing::of(self.txn.conn, self.team.n, record)?;
                entry.insert(Found::of(standing, &self.team))
            }
        })
    }

    /// A record that differs once from what was judged differs for the rest of the batch.
    fn distrust(&mut self, record: RecordId) -> Result<()> {
        self.found(record)?.trusted = false;
        Ok(())
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
                let refused = if self.names_erased(entry.change, kind)? {
                    Some(Code::PersonErased)
                } else {
                    let takes = self.batch.takes_actor(self.txn.conn, &actor, entry.author)?;
                    (!takes).then_some(Code::ActorOwned)
                };
                if let Some(code) = refused {
                    self.distrust(*record)?;
                    self.judge.forget(&self.team, *record);
                    return self.quarantine(entry, &code.into());
                }
                if trusted {
                    self.judge.forget(&self.team, *record);
                }
                let seq = self.accept(entry, actor, actor_seq, kind)?;
                self.release(*record, *hash, true)?;
                Ok(Verdict::Accepted { seq })
            }
        }
    }

    fn accept(&mut self, entry: &Entry, actor: Vec<u8>, actor_seq: u64, kind: Kind) -> Result<u64> {
        let Offered { record, hash, raw, .. } = entry.change;
        self.forget_waiting(entry.change)?;
        self.activate(entry)?;
        self.team.head += 1;
        self.sum.add(*record, hash);
        let (seq, record, hash, raw) = (self.team.head, *record, *hash, raw.clone());
        let (list, received_at, sum) = (entry.list, entry.received_at, self.sum);
        let accepted = Accepted { seq, record, hash, actor, actor_seq, raw, list, received_at, sum };
        self.batch.push(accepted, kind);
        Ok(seq)
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
            self.flush()?;
            let raws = record_changes(conn, self.team.n, record)?;
            wanted.extend(raws.iter().flat_map(|raw| entries::named(raw)));
            wanted.push(("", record));
        }
        let made = Made { at: entry.received_at, by: entry.tablet };
        for (_, record) in wanted {
            if !self.found(record)?.archived {
                continue;
            }
            self.flush()?;
            let entry = LogEntry { what: What::Activate, record, seq: 0 };
            if enter_one(conn, &mut self.team, &mut self.sum, entry, made)? {
                self.found(record)?.archived = false;
            }
        }
        Ok(())
    }

    /// Whether a contact is with somebody who was erased: no tablet decides that they come back.
    fn names_erased(&mut self, change: &Offered, kind: Kind) -> Result<bool> {
        if !self.entries || kind != Kind::Contact {
            return Ok(false);
        }
        for (name, record) in entries::named(&change.raw) {
            if name == "person" && self.found(record)?.erased {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Keeps a change whole with its reason; what waits for it goes the same way. Where there is no room for it the tablet
    /// keeps it: it has no verdict that is final, and goes again.
    fn quarantine(&mut self, entry: &Entry, reason: &Reason) -> Result<Verdict> {
        let bytes = entry.change.raw.len() as u64;
        if !quota::takes(&mut self.room, self.txn.conn, self.team.n, self.source, bytes)? {
            // An old program takes any verdict for one on which it may wipe itself.
            return match self.held_back {
                true => Err(Error::Later(Code::HoldFull, quota::AGAIN_S)),
                false => Ok(Verdict::Quarantined { code: Code::WaitingFull.as_str().to_owned() }),
            };
        }
        self.keep(entry, reason)?;
        // What a retry can help may still arrive, and what is held back be admitted.
        if is_final(reason.code) {
            self.release(entry.change.record, entry.change.hash, false)?;
        }
        Ok(Verdict::Quarantined { code: reason.code.as_str().to_owned() })
    }

    fn keep(&mut self, entry: &Entry, reason: &Reason) -> Result<()> {
        let Offered { record, hash, raw, .. } = entry.change;
        self.forget_waiting(entry.change)?;
        self.found(*record)?.quarantined = true;
        self.flush()?;
        let list = self.batch.number(entry.list)?;
        self.txn.conn.execute(
            "INSERT INTO quarantine
                     (team, record, hash, raw, code, path, message, tablet, author, list, received_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            args![
                self.team.n,
                record,
                hash,
                raw,
                reason.code.as_str(),
                &reason.path,
                &reason.message,
                entry.tablet,
                entry.author,
                list,
                entry.received_at
            ],
        )?;
        Ok(())
    }

    fn wait(&mut self, entry: &Entry, missing: &[Hash]) -> Result<Verdict> {
        let Offered { record, hash, raw, .. } = entry.change;
        let conn = self.txn.conn;
        if self.waits(entry.change)? {
            return Ok(Verdict::Waiting);
        }
        let (of_team, of_tablet, of_record): (u64, u64, u64) = conn.only(
            "SELECT (SELECT count(*) FROM waiting WHERE team = ?1),
                        (SELECT count(*) FROM waiting WHERE tablet = ?2),
                        (SELECT count(*) FROM waiting WHERE team = ?1 AND record = ?3)",
            args![self.team.n, entry.tablet, record],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        if of_team >= MAX_WAITING_TEAM || of_tablet >= MAX_WAITING_TABLET || of_record >= MAX_WAITING_RECORD {
            return self.quarantine(entry, &Code::WaitingFull.into());
        }
        // It may have been turned away before, when too many waited.
        self.forget_waiting(entry.change)?;
        self.flush()?;
        let list = self.batch.number(entry.list)?;
        self.found(*record)?.waiting = true;
        let n = conn.only(
            "INSERT INTO waiting (team, record, hash, raw, tablet, author, list, received_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING n",
            args![self.team.n, record, hash, raw, entry.tablet, entry.author, list, entry.received_at],
            |row| row.get::<i64>(0),
        )?;
        for dep in missing {
            conn.execute(
                "INSERT INTO waiting_for (team, record, missing, waiting) VALUES (?, ?, ?, ?)",
                args![self.team.n, record, dep, n],
            )?;
        }
        Ok(Verdict::Waiting)
    }

    fn waits(&self, change: &Offered) -> Result<bool> {
        let sql = "SELECT 1 FROM waiting WHERE team = ? AND record = ? AND hash = ?";
        self.txn.conn.exists(sql, args![self.team.n, change.record, change.hash])
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
                self.txn.conn.execute(sql, args![self.team.n, change.record, change.hash])?;
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
                    self.judge(change, entry.author)?
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
                        if !self.batch.takes_actor(self.txn.conn, &actor, entry.author)? {
                            return Err(Error::Internal("another's actor was judged to fit"));
                        }
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
        self.txn.conn.all(
            "SELECT waiting FROM waiting_for WHERE team = ? AND record = ? AND missing = ? ORDER BY waiting",
            args![self.team.n, record, missing],
            |row| row.get(0),
        )
    }

    fn waiting(&self, record: RecordId, n: i64) -> Result<Option<Held>> {
        let sql = "SELECT hash, raw, tablet, author, list, received_at FROM waiting WHERE n = ?";
        self.txn.conn.one(sql, args![n], |row| {
            Ok(Held {
                change: Offered { record, hash: row.get(0)?, raw: row.get(1)?, list: 0 },
                tablet: row.get(2)?,
                author: row.get(3)?,
                list: row.get(4)?,
                received_at: row.get(5)?,
            })
        })
    }
}
