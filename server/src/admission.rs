//! What the server accepts from a tablet.
//!
//! Signatures first: a list whose signature does not hold refuses the whole request, since nobody can
//! say whose changes these are; nothing is lost, the tablet keeps them. Everything after that is about
//! one change, and what fails goes to quarantine alone.
//!
//! [`Judge`] does the slow part outside the writer. What it found holds inside the commit as long as
//! the record has not moved since; `log::append` checks that after the lock and judges again where it
//! has.

use std::collections::{BTreeSet, HashMap, HashSet};

use wayside_protocol::error::Code;
use wayside_protocol::record::admit::{Fit, History, Scratch, apply_checked_on, is_plain_beginning};
use wayside_protocol::record::chunk::{self, Chunk};
use wayside_protocol::record::{Hash, Kind, RecordId, change_hash, check_change};
use wayside_protocol::sync::frame::{Changes, Item};
use wayside_protocol::sync::{ListItem, PublicKey, SignatureBytes, verify_certificate, verify_list};

use crate::error::Result;
use crate::log;
use crate::log::db::{Conn, Value, args};

/// A record's raw changes together. A contact is a few kilobytes.
const MAX_RECORD_BYTES: u64 = 1 << 20;

/// A list as its author signed it, the signature verified.
#[derive(Debug, Clone)]
pub struct SignedList {
    pub author: PublicKey,
    pub signature: SignatureBytes,
    pub items: Vec<ListItem>,
}

/// One change that is offered.
#[derive(Debug, Clone)]
pub struct Offered {
    pub record: RecordId,
    pub hash: Hash,
    pub raw: Vec<u8>,
    /// The index of its list in the offer.
    pub list: usize,
}

/// The changes of one frame, of one team.
#[derive(Debug, Clone)]
pub struct Offer {
    pub team: RecordId,
    pub lists: Vec<SignedList>,
    pub changes: Vec<Offered>,
}

impl Offer {
    /// Takes a frame apart and verifies every list. `server` is our own identity, whose certificates
    /// vouch for authors other than the sender.
    pub fn verify(frame: Changes, sender: &PublicKey, server: &PublicKey) -> Result<Offer> {
        let mut offer = Offer { team: frame.team, lists: Vec::new(), changes: Vec::new() };
        let authors = frame.authors.iter().map(|(key, certificate)| {
            (key == server || verify_certificate(server, key, certificate)).then_some(*key)
        });
        let authors: Vec<Option<PublicKey>> = authors.collect();
        for list in frame.lists {
            let author = match list.author.checked_sub(1) {
                None => Some(*sender),
                Some(index) => authors.get(index).copied().flatten(),
            };
            let author = author.ok_or(Code::SignatureInvalid)?;
            let items = list.signed_items(change_hash);
            if !verify_list(&author, frame.team, &items, &list.signature) {
                return Err(Code::SignatureInvalid.into());
            }
            let index = offer.lists.len();
            for (item, (record, hash)) in list.items.into_iter().zip(&items) {
                if let Item::Body { raw, .. } = item {
                    offer.changes.push(Offered { record: *record, hash: *hash, raw, list: index });
                }
            }
            offer.lists.push(SignedList { author, signature: list.signature, items });
        }
        Ok(offer)
    }
}

/// Why a change goes to quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    pub code: Code,
    /// The field it is about; may be empty.
    pub path: String,
    pub message: String,
}

impl From<Code> for Reason {
    fn from(code: Code) -> Self {
        Reason { code, path: String::new(), message: code.message().to_owned() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// In the log, or earlier in this batch.
    Known,
    /// Was put in quarantine before, for this code.
    InQuarantine(String),
    Quarantine(Reason),
    /// Depends on these, which are not here.
    Waits(Vec<Hash>),
    Fits {
        actor: Vec<u8>,
        actor_seq: u64,
        kind: Kind,
    },
}

/// A judgement, and how many changes the record had in the log when it was made.
#[derive(Debug, Clone)]
pub struct Judged {
    pub judgement: Judgement,
    pub base: u64,
}

/// Judges the changes of one batch in their order, each on what the log holds and on those before it.
pub struct Judge {
    server: PublicKey,
    /// Whether a record that begins is taken for a new one, unseen.
    takes_on_trust: bool,
    /// By team and record: what one team offers says nothing of another's.
    records: HashMap<(i64, RecordId), State>,
    /// Put in quarantine in this batch.
    refused: HashSet<(i64, RecordId, Hash)>,
    owners: HashMap<Vec<u8>, Option<PublicKey>>,
}

/// A record as far as this batch has got.
#[derive(Default)]
struct State {
    /// The team it is bound to.
    team: Option<i64>,
    kind: Option<Kind>,
    base: u64,
    /// Whether any of its changes is in quarantine.
    quarantined: bool,
    raws: Vec<Vec<u8>>,
    bytes: u64,
    /// Of the first so many of `raws`: most records get one change, and then nobody asks.
    history: History,
    read: usize,
    scratch: Scratch,
}

impl Judge {
    pub fn new(server: PublicKey) -> Judge {
        Judge {
            server,
            takes_on_trust: false,
            records: HashMap::new(),
            refused: HashSet::new(),
            owners: HashMap::new(),
        }
    }

    /// One that does not look whether a record that begins is there already: most are new, and what it finds is held
    /// against the log before it counts. Only where `log::unmoved` is asked.
    pub fn on_trust(server: PublicKey) -> Judge {
        Judge { takes_on_trust: true, ..Judge::new(server) }
    }

    /// Reads together what will be asked of each change of a batch, where each question costs a round trip.
    pub fn read_ahead(&mut self, conn: &Conn, team: &log::Team, offers: &[Offer]) -> Result<()> {
        let (mut records, mut actors) = (BTreeSet::new(), BTreeSet::new());
        let mut begun = HashSet::new();
        for change in offers.iter().flat_map(|offer| &offer.changes) {
            let Ok(chunk) = chunk::parse(&change.raw) else { continue };
            actors.insert(chunk.actor);
            if chunk.deps.is_empty() && self.takes_on_trust {
                begun.insert(change.record);
            } else if !begun.contains(&change.record) {
                records.insert(change.record);
            }
        }
        for actor in &actors {
            self.owners.insert(actor.to_vec(), None);
        }
        for (actor, _, owner) in owners(conn, actors.into_iter())? {
            self.owners.insert(actor, Some(owner));
        }
        let records: Vec<RecordId> = records.into_iter().collect();
        let standings = log::Standing::of_all(conn, team.n, &records)?;
        let readable = |standing: &log::Standing| {
            !standing.erased && standing.bound.as_ref().is_some_and(|(bound, _)| *bound == team.n)
        };
        let known: Vec<RecordId> =
            standings.iter().filter(|(_, standing)| readable(standing)).map(|(record, _)| *record).collect();
        let mut raws = log::changes_of_all(conn, team.n, &known)?;
        for (record, standing) in standings {
            let state = State::of(standing, raws.remove(&record).unwrap_or_default());
            self.records.insert((team.n, record), state);
        }
        Ok(())
    }

    /// Forgets what was read of a record, because the log went on without this judge.
    pub fn forget(&mut self, team: &log::Team, record: RecordId) {
        self.records.remove(&(team.n, record));
    }

    pub fn judge(
        &mut self,
        conn: &Conn,
        team: &log::Team,
        change: &Offered,
        author: &PublicKey,
    ) -> Result<Judged> {
        let key = (team.n, change.record);
        let chunk = chunk::parse(&change.raw);
        let begins = chunk.as_ref().is_ok_and(|chunk| chunk.deps.is_empty());
        let mut state = match self.records.remove(&key) {
            Some(state) => state,
            None if begins && self.takes_on_trust => State::default(),
            None => State::load(conn, team.n, change.record)?,
        };
        let base = state.base;
        let judgement = self.judge_on(&mut state, conn, team, change, chunk, author);
        self.records.insert(key, state);
        let judgement = judgement?;
        if matches!(&judgement, Judgement::Quarantine(reason) if !reason.code.retry()) {
            self.refused.insert((team.n, change.record, change.hash));
        }
        Ok(Judged { judgement, base })
    }

    fn judge_on(
        &mut self,
        state: &mut State,
        conn: &Conn,
        team: &log::Team,
        change: &Offered,
        chunk: std::result::Result<Chunk, Code>,
        author: &PublicKey,
    ) -> Result<Judgement> {
        let Offered { record, hash, raw, .. } = change;
        state.read_history();
        if state.history.contains(hash) {
            return Ok(Judgement::Known);
        }
        if state.quarantined
            && let Some(code) = final_quarantine(conn, team.n, *record, hash)?
        {
            return Ok(Judgement::InQuarantine(code));
        }
        let refuse = |code: Code| Ok(Judgement::Quarantine(code.into()));
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(code) => return refuse(code),
        };
        if state.team.is_some_and(|bound| bound != team.n) {
            return refuse(Code::RecordElsewhere);
        }
        if *author != self.server && (*record == team.id || is_team_record(state, &chunk)) {
            return refuse(Code::RecordRefused);
        }
        for dep in chunk.deps.iter().filter(|dep| !state.history.contains(dep)) {
            let refused = self.refused.contains(&(team.n, *record, *dep));
            if refused || state.quarantined && final_quarantine(conn, team.n, *record, dep)?.is_some() {
                return refuse(Code::DependsOnQuarantined);
            }
        }
        if self.owner(conn, chunk.actor)?.is_some_and(|owner| owner != *author) {
            return refuse(Code::ActorOwned);
        }
        match state.history.fit(&chunk) {
            Fit::Fits => {}
            Fit::Known => return Ok(Judgement::Known),
            Fit::Waits(missing) => return Ok(Judgement::Waits(missing)),
            Fit::Refused(code) => return refuse(code),
        }
        let kind = match check_change(*record, state.kind, &chunk, author, |path| state.history.has_set(path))
        {
            Ok(kind) => kind,
            Err(invalid) => {
                let (code, path, message) = (invalid.code, invalid.path, invalid.message);
                return Ok(Judgement::Quarantine(Reason { code, path, message }));
            }
        };
        if state.bytes + raw.len() as u64 > MAX_RECORD_BYTES {
            return refuse(Code::RecordTooLarge);
        }
        if !(state.raws.is_empty() && is_plain_beginning(&state.history, &chunk, raw)) {
            let accepted: Vec<&[u8]> = state.raws.iter().map(Vec::as_slice).collect();
            match apply_checked_on(&mut state.scratch, &accepted, raw) {
                Ok(()) => {}
                // What is accepted does not load: that is our trouble, and no reason to refuse what came.
                // It is offered again, and holds up nothing else.
                Err(Code::Internal) => {
                    tracing::error!(record = %record, "an accepted record does not load");
                    return refuse(Code::ServerFailed);
                }
                Err(code) => return refuse(code),
            }
        }
        state.take(team.n, kind, raw);
        Ok(Judgement::Fits { actor: chunk.actor.to_vec(), actor_seq: chunk.seq, kind })
    }

    /// Who owned an actor when it was first met in this batch; the commit asks again.
    fn owner(&mut self, conn: &Conn, actor: &[u8]) -> Result<Option<PublicKey>> {
        if let Some(owner) = self.owners.get(actor) {
            return Ok(*owner);
        }
        let owner = owner(conn, actor)?.map(|(_, owner)| owner);
        self.owners.insert(actor.to_vec(), owner);
        Ok(owner)
    }
}

impl State {
    fn load(conn: &Conn, team: i64, record: RecordId) -> Result<State> {
        let standing = log::Standing::of(conn, team, record)?;
        let here = standing.bound.as_ref().is_some_and(|(bound, _)| *bound == team);
        let raws =
            if here && !standing.erased { log::record_changes(conn, team, record)? } else { Vec::new() };
        Ok(State::of(standing, raws))
    }

    fn of(standing: log::Standing, raws: Vec<Vec<u8>>) -> State {
        let (team, kind) = standing.bound.unzip();
        State {
            team,
            kind: kind.as_deref().and_then(Kind::parse),
            base: standing.changes,
            quarantined: standing.quarantined,
            bytes: standing.bytes,
            raws,
            ..State::default()
        }
    }

    fn read_history(&mut self) {
        for raw in self.raws.iter().skip(self.read) {
            // One that a later rule would not take stays accepted; what builds on it then waits,
            // which somebody can see and mend.
            if let Ok(chunk) = chunk::parse(raw) {
                self.history.insert(&chunk);
            }
        }
        self.read = self.raws.len();
    }

    /// What fits is part of the record for those that come after it in the batch.
    fn take(&mut self, team: i64, kind: Kind, raw: &[u8]) {
        self.team = Some(team);
        self.kind = Some(kind);
        self.raws.push(raw.to_vec());
        self.bytes += raw.len() as u64;
    }
}

/// Coordinators write teams; tablets read them.
fn is_team_record(state: &State, chunk: &Chunk) -> bool {
    let beginning = |(key, value): (&str, chunk::Scalar)| {
        key == "kind" && value == chunk::Scalar::Str(Kind::Team.as_str())
    };
    state.kind == Some(Kind::Team) || chunk.writes().any(beginning)
}

/// Why a change is in quarantine for good. A code that a retry can help keeps nobody out, and neither does what became of
/// it when a tablet sent it that was revoked.
pub fn final_quarantine(conn: &Conn, team: i64, record: RecordId, hash: &Hash) -> Result<Option<String>> {
    let code = log::quarantine_code(conn, team, record, hash)?;
    Ok(code.filter(|code| Code::parse(code).is_none_or(is_final)))
}

/// Whether a change that is refused with this code is refused whoever sends it, and all that builds on it.
pub fn is_final(code: Code) -> bool {
    !code.retry() && !matches!(code, Code::FromRevokedTablet | Code::RefusedAtBase)
}

/// Who owns which of these actors, and their numbers; nothing of one that nobody owns.
pub fn owners<'a>(
    conn: &Conn,
    actors: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<(Vec<u8>, i64, PublicKey)>> {
    let keys: Vec<Value> = actors.map(Value::Bytes).collect();
    let sql = "SELECT actor.actor, actor.n, actor.author FROM asked JOIN actor ON actor.actor = asked.key";
    conn.all_of(sql, &[], &keys, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

/// Who owns an actor, and its number.
pub fn owner(conn: &Conn, actor: &[u8]) -> Result<Option<(i64, PublicKey)>> {
    conn.one("SELECT n, author FROM actor WHERE actor = ?", args![actor], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
}
