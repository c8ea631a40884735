//! Healing: what a tablet and the log do not both hold, and who was set back to an older copy of itself.
//!
//! A comparison keeps nothing here between its turns: its set is that of the log up to a head, which never changes
//! within an epoch, and is only remembered to be quick.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::sync::frame::{
    Frame, Hello, Place, Reconcile, STREAMED_VERSION, TeamState, Want, What,
};
use wayside_protocol::sync::reconcile::{Brief, Pairs, brief, pair_id};
use wayside_protocol::sync::{CLOCK_WINDOW_MS, Position, Receipt, Token, capability};

use super::pull::{self, Wishes};
use crate::backup;
use crate::base::Base;
use crate::error::Result;
use crate::log::db::{Conn, args};
use crate::log::{self, Tablet, Team};

/// Sets that are remembered together hold at most this many pairs, some 64 bytes each.
const MOST_PAIRS: usize = 1 << 20;
/// A comparison may be with a set that lacks so many of the latest changes: they are pulled, and after a restore
/// hundreds of tablets share one set.
const STALE: u64 = 256;

/// What a request asks beside its changes.
#[derive(Default)]
pub struct Repair {
    asks: Vec<Reconcile>,
    wants: Vec<Want>,
    shown: Option<Receipt>,
    token: Option<Token>,
    /// That of the last receipt, when this exchange began.
    given: Option<Token>,
    /// The token shown is that of the last receipt.
    current: bool,
    /// The tablet was set back to an older copy of itself, or there are two of it.
    pub copied: bool,
    /// When the tablet asked, as it estimates the server's time.
    asked_ms: u64,
    /// It has asked and been given a token since: this was long on its way.
    overtaken: bool,
    /// Teams that the tablet was taken out of: it is sent nothing of them, not even what it lacks.
    left: Vec<RecordId>,
}

impl Repair {
    /// Takes a frame of a request's head, if it is about this.
    pub fn take(&mut self, frame: Frame) -> Result<()> {
        match frame {
            Frame::Reconcile(ask) if !self.concerns(ask.team) => self.asks.push(ask),
            Frame::Want(want) if !self.concerns(want.team) => self.wants.push(want),
            Frame::Receipt(receipt) if self.shown.is_none() => self.shown = Some(receipt),
            Frame::Token(token) if self.token.is_none() => self.token = Some(token),
            _ => return Err(Code::FrameMalformed.into()),
        }
        Ok(())
    }

    /// The teams that are being compared.
    pub fn teams(&self) -> impl Iterator<Item = RecordId> {
        self.asks.iter().map(|ask| ask.team).chain(self.wants.iter().map(|want| want.team))
    }

    /// Of these teams nothing is compared any more.
    pub fn leave_out(&mut self, left: Vec<RecordId>) {
        self.asks.retain(|ask| !left.contains(&ask.team));
        self.wants.retain(|want| !left.contains(&want.team));
        self.left = left;
    }

    fn concerns(&self, team: RecordId) -> bool {
        self.teams().any(|named| named == team)
    }

    /// What a tablet is told of a team that is compared, or must be, instead of being sent what follows its place.
    pub fn instead(
        &self,
        conn: &Conn,
        hello: &Hello,
        place: &Place,
        team: &Team,
    ) -> Result<Option<TeamState>> {
        let elsewhere = place.epoch != [0; 8] && place.epoch != team.epoch || place.cursor > team.head;
        if self.left.contains(&team.id) {
            // One that obeys hands over everything where this log may have lost something, from the beginning: it wipes
            // itself afterwards.
            let lost = elsewhere
                || place.held.last().is_some_and(|(_, to)| *to > team.head)
                || place.epoch == team.epoch
                    && log::sum_at(conn, team.n, place.cursor)?.fingerprint() != place.fingerprint;
            let again = lost && hello.capabilities & capability::ORDERS != 0;
            let state = place.unmoved();
            return Ok(Some(if again { TeamState { epoch: team.epoch, cursor: 0, ..state } } else { state }));
        }
        let strange = elsewhere && hello.capabilities & capability::REPAIR != 0;
        if !strange && !self.concerns(team.id) {
            return Ok(None);
        }
        let cursor = place.cursor.min(team.head);
        let fingerprint = log::sum_at(conn, team.n, cursor)?.fingerprint();
        Ok(Some(TeamState { team: team.id, epoch: team.epoch, cursor, fingerprint, more: true }))
    }

    /// Looks at what the tablet shows. Its token says whether it is the tablet that was here last. If the log does
    /// not hold what its receipt says, the log was replaced by an older copy: an alarm, and a new epoch for every
    /// team.
    pub fn inspect(
        &mut self,
        base: &Base,
        tablet: &Tablet,
        hello: &Hello,
        teams: &[Team],
        now: u64,
    ) -> Result<()> {
        if !shows(hello) {
            return Ok(());
        }
        let (server, key) = (base.identity.public(), &tablet.public_key);
        let receipt = self.shown.take().filter(|receipt| receipt.verify(server, key));
        let positions = receipt.map_or(Vec::new(), |receipt| receipt.positions);
        let (contradicted, tokens) =
            base.log.read(|conn| Ok((contradicts(conn, &positions, teams)?, tokens(conn, tablet.n)?)))?;
        if !contradicted {
            self.given = tokens.given;
            self.asked_ms = hello.time_ms;
            self.current = tokens.given.is_some() && self.token == tokens.given;
            // Nothing is known of the token of a tablet that was given none since the log was set back. One whose place is
            // beyond the log shows that this was set back: a quiet one shows no receipt before it is compared.
            // Nor does one accuse a tablet with a token that was given after the last one known here: base was set back.
            let set_back =
                follows(self.token, tokens.given) || hello.teams.iter().any(|place| beyond(place, teams));
            self.overtaken = !self.current && !set_back && is_overtaken(self.asked_ms, tokens.given);
            let strange = self.token != tokens.shown && !set_back && !self.overtaken;
            self.copied = tokens.given.is_some() && !self.current && strange;
            return Ok(());
        }
        let ledger = base.ledger.clone();
        let ids: Vec<RecordId> = teams.iter().map(|team| team.id).collect();
        base.log.write(move |txn| {
            txn.conn.lock_all()?;
            let all = log::teams(txn.conn)?;
            let own: Vec<Team> = all.iter().filter(|team| ids.contains(&team.id)).cloned().collect();
            // Another tablet may have been first.
            if contradicts(txn.conn, &positions, &own)? {
                log::alarm(txn.conn, Code::LogReplaced, None, now)?;
                for team in &all {
                    backup::draw_epoch(txn.conn, &ledger, team, now)?;
                }
            }
            Ok(())
        })
    }

    /// Appends the answers to what was asked.
    pub fn answer(&self, base: &Base, conn: &Conn, wishes: &Wishes, frames: &mut Vec<Frame>) -> Result<()> {
        for ask in &self.asks {
            let team = log::team_by_id(conn, ask.team)?.ok_or(Code::TeamNotAllowed)?;
            if ask.epoch != team.epoch || ask.head > team.head {
                // The state says how things are now.
                continue;
            }
            let set = base.sets.of(conn, &team, ask.head)?;
            let Reconcile { team, epoch, .. } = *ask;
            let message = set.pairs.answer(&ask.message)?;
            frames.push(Frame::Reconcile(Reconcile { team, epoch, head: set.head, message }));
        }
        for want in &self.wants {
            let team = log::team_by_id(conn, want.team)?.ok_or(Code::TeamNotAllowed)?;
            if want.epoch == team.epoch && want.head <= team.head {
                let numbers = base.sets.of(conn, &team, want.head)?.numbers(&want.briefs);
                pull::send(conn, &base.identity, &team, &numbers, wishes, frames)?;
            }
        }
        Ok(())
    }

    /// The receipt of a sync that ends with these positions, its token noted before it is given. None for a tablet
    /// that has its receipt and stands where it stood, nor for one that came again before this or meanwhile: what it was
    /// given then counts; nor while nothing can be noted.
    pub fn receipt(
        &self,
        base: &Base,
        tablet: &Tablet,
        positions: Vec<Position>,
        moved: bool,
        now: u64,
    ) -> Result<Option<Receipt>> {
        if self.overtaken || self.current && !moved {
            return Ok(None);
        }
        let (token, before) = (next(self.token, self.given, self.asked_ms), self.token);
        let (n, id, copied, given) = (tablet.n, tablet.id.clone(), self.copied, self.given);
        let noted = base.log.write(move |txn| {
            let noted = txn.conn.execute(
                "UPDATE tablet SET token_shown = ?, token_given = ? WHERE n = ? AND token_given IS NOT DISTINCT FROM ?",
                args![before, token, n, given],
            )?;
            if copied && noted > 0 {
                log::alarm(txn.conn, Code::TabletCopied, Some(&id), now)?;
            }
            Ok(noted > 0)
        });
        let noted = match noted {
            // A disk that takes nothing takes no token either. What the tablet was sent is right without a receipt.
            Err(error) if error.code().is_of_storage() => false,
            noted => noted?,
        };
        Ok(noted.then(|| Receipt::sign(base.identity.key(), &tablet.public_key, token, positions)))
    }
}

/// Whether a tablet can show what it was given. One that goes again as in version 1, as after a request that was damaged on
/// its way, cannot: its token stands, and it is given no other.
pub fn shows(hello: &Hello) -> bool {
    hello.version >= STREAMED_VERSION && hello.capabilities & capability::REPAIR != 0
}

/// Whether the log, in the epoch that a receipt names, is shorter than it says or another. Receipts of other epochs
/// are of before a restore.
fn contradicts(conn: &Conn, positions: &[Position], teams: &[Team]) -> Result<bool> {
    for position in positions {
        let team = teams.iter().find(|team| team.id == position.team && team.epoch == position.epoch);
        let Some(team) = team else { continue };
        if position.seq > team.head
            || log::sum_at(conn, team.n, position.seq)?.fingerprint() != position.fingerprint
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a tablet has pulled further than its team's log goes, in the same epoch.
fn beyond(place: &Place, teams: &[Team]) -> bool {
    let team = teams.iter().find(|team| team.id == place.team && team.epoch == place.epoch);
    team.is_some_and(|team| place.cursor > team.head)
}

/// What a tablet showed last and what it was given then. It shows either next time: the answer may have been lost.
struct Tokens {
    shown: Option<Token>,
    given: Option<Token>,
}

fn tokens(conn: &Conn, tablet: i64) -> Result<Tokens> {
    conn.only("SELECT token_shown, token_given FROM tablet WHERE n = ?", args![tablet], |row| {
        Ok(Tokens { shown: row.get(0)?, given: row.get(1)? })
    })
}

/// Marks a token that counts: after it how many were given before, and then when it was asked for, the low bits of
/// milliseconds. With the mark before, chance stood there. Older servers gave chance alone.
const TIMED: u8 = 2;
const COUNTED: u8 = 1;

fn count(token: Token) -> Option<u32> {
    let [mark, a, b, c, ..] = token;
    matches!(mark, COUNTED | TIMED).then_some(u32::from_be_bytes([0, a, b, c]))
}

/// One that follows those that the tablet showed and was given.
fn next(shown: Option<Token>, given: Option<Token>, asked_ms: u64) -> Token {
    let last = [shown, given].into_iter().flatten().filter_map(count).max();
    let [_, a, b, c] = last.map_or(0, |last| last.wrapping_add(1)).to_be_bytes();
    let [d, e, f, g] = low_bits(asked_ms).to_be_bytes();
    [TIMED, a, b, c, d, e, f, g]
}

fn low_bits(ms: u64) -> u32 {
    let [.., d, e, f, g] = ms.to_be_bytes();
    u32::from_be_bytes([d, e, f, g])
}

/// Whether a tablet asked before it asked for the last token that it was given. A request that is older than the window of
/// clocks is refused; where the times differ by more, a clock was set.
fn is_overtaken(asked_ms: u64, given: Option<Token>) -> bool {
    let Some([TIMED, _, _, _, time @ ..]) = given else { return false };
    let before = u32::from_be_bytes(time).wrapping_sub(low_bits(asked_ms));
    before > 0 && u64::from(before) <= 2 * CLOCK_WINDOW_MS
}

/// Whether the token that a tablet shows was given after the last one that is known of it.
fn follows(shown: Option<Token>, given: Option<Token>) -> bool {
    let shown = shown.and_then(count);
    shown.is_some() && shown > given.and_then(count)
}

/// The positions of a tablet that holds all of its teams' logs as these states and the ends of the others say;
/// `None` while there is more to pull.
pub fn positions(
    conn: &Conn,
    states: &[TeamState],
    teams: &[Team],
    now: u64,
) -> Result<Option<Vec<Position>>> {
    if states.iter().any(|state| state.more) {
        return Ok(None);
    }
    let positions = teams.iter().map(|team| {
        let team = log::team_by_id(conn, team.id)?.ok_or(Code::TeamNotAllowed)?;
        let watermark = log::watermark(conn, team.n, now)?;
        let (epoch, seq, fingerprint) = match states.iter().find(|state| state.team == team.id) {
            Some(state) => (state.epoch, state.cursor, state.fingerprint),
            None => (team.epoch, team.head, log::sum_at(conn, team.n, team.head)?.fingerprint()),
        };
        Ok(Position { team: team.id, epoch, seq, fingerprint, watermark })
    });
    positions.collect::<Result<_>>().map(Some)
}

/// Everything active in a team's log up to a head, ready to be compared.
struct Set {
    team: RecordId,
    epoch: [u8; 8],
    head: u64,
    pairs: Pairs,
    /// By the beginnings of their ids, the numbers of the changes.
    numbers: Vec<(Brief, u64)>,
}

impl Set {
    fn read(conn: &Conn, team: &Team, head: u64) -> Result<Set> {
        let (mut pairs, mut numbers) = (Vec::new(), Vec::new());
        let off = log::latest(&log::entries(conn, team.n, 0, head)?);
        log::each_pair(conn, team.n, head, |seq, record, hash| {
            if off.get(&record).is_none_or(|entry| entry.what == What::Activate) {
                numbers.push((brief(&pair_id(record, &hash)), seq));
                pairs.push((record, hash));
            }
            Ok(true)
        })?;
        numbers.sort_unstable();
        Ok(Set { team: team.id, epoch: team.epoch, head, pairs: Pairs::new(pairs), numbers })
    }

    fn numbers(&self, briefs: &[Brief]) -> BTreeSet<u64> {
        let of = |brief: &Brief| {
            let from = self.numbers.partition_point(|(held, _)| held < brief);
            let rest = self.numbers.get(from..).unwrap_or_default();
            rest.iter().take_while(|(held, _)| held == brief).map(|(_, seq)| *seq).collect::<Vec<_>>()
        };
        briefs.iter().flat_map(of).collect()
    }
}

/// The sets of comparisons under way, the latest last.
#[derive(Default)]
pub struct Sets(Mutex<VecDeque<Arc<Set>>>);

impl Sets {
    /// The set of a team's log up to `head`; at 0 one that is about as long as the log.
    fn of(&self, conn: &Conn, team: &Team, head: u64) -> Result<Arc<Set>> {
        let fits = |set: &Set| match head {
            0 => team.head - set.head.min(team.head) <= STALE,
            head => set.head == head,
        };
        let of_team = |set: &Arc<Set>| set.team == team.id && set.epoch == team.epoch && fits(set);
        let held = self.held().iter().rev().find(|set| of_team(set)).cloned();
        // One that is only about as long must not offer what is gone since.
        if let Some(set) = held
            && (head != 0 || !log::has_entries(conn, team.n, set.head)?)
        {
            return Ok(set);
        }
        let set = Arc::new(Set::read(conn, team, if head == 0 { team.head } else { head })?);
        let mut held = self.held();
        held.push_back(set.clone());
        while held.len() > 1 && held.iter().map(|set| set.numbers.len()).sum::<usize>() > MOST_PAIRS {
            held.pop_front();
        }
        Ok(set)
    }

    fn held(&self) -> MutexGuard<'_, VecDeque<Arc<Set>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "repair_tests.rs"]
mod tests;
