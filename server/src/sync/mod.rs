//! The sync endpoints: one request of frames, one answer of frames.
//!
//! `stream` reads a request as it arrives and hands each whole frame to an [`Exchange`], which commits it. `live` holds a
//! request until there is news. Everything else blocks, and is called where blocking is allowed.

mod answer;
mod enrol;
mod live;
mod look_up;
mod nonces;
mod pull;
mod refused;
mod renew;
mod repair;
mod resume;
mod stream;
#[cfg(test)]
mod streamed_tests;
#[cfg(test)]
pub(crate) mod tests;
mod turns;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::staff::unlock_secret;
use wayside_protocol::sync::frame::{
    self, Ask, Changes, Frame, Head, Hello, Incoming, Item, LookUp, PROTOCOL_VERSION, Place, Refusal,
    STREAMED_VERSION, State, TeamState, Terms, Unlock, Verdict, Verdicts,
};
use wayside_protocol::sync::{
    CLOCK_WINDOW_MS, Duty, NewKey, Order, Position, PublicKey, capability, combined, verify_request,
};

pub(crate) use answer::Answer;
pub use enrol::enrol;
pub(crate) use live::live;
pub(crate) use nonces::Nonces;
pub(crate) use refused::Refused;
pub(crate) use repair::Sets;
pub(crate) use stream::{Gate, Reading, receive};
pub(crate) use turns::Turns;
#[cfg(test)]
pub(crate) use turns::take_shared;

use crate::admission::{Judge, Judged, Offer};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::limits::{Inside, Limit};
use crate::log::db::Conn;
use crate::log::{self, Source, Tablet, Team, Visit};
use repair::Repair;

/// So often a batch is judged outside the writer. Where its records move every time, the writer judges
/// what has moved itself, while everybody else waits.
const ATTEMPTS: u32 = 3;

/// The largest credit: a body of it lands within a minute on the links that we build for.
pub const MOST_CREDIT: u64 = 1 << 20;

/// A refusal as a body of its own.
pub fn refusal(error: &Error, server_time_ms: u64) -> Vec<u8> {
    let mut body = Vec::new();
    let (code, message) = (error.code().as_str().to_owned(), error.to_string());
    Frame::Refusal(Refusal { code, message, server_time_ms }).encode(&mut body);
    body
}

/// A request whose head has been read: who asks, and that they may. Everything here blocks.
pub struct Exchange {
    tablet: Tablet,
    teams: Vec<Team>,
    /// Teams that it was taken out of: all of them, where it was revoked.
    left: Vec<Team>,
    hello: Hello,
    ask: Option<Ask>,
    repair: Repair,
    look_up: Option<LookUp>,
    /// The key that it wants to go by.
    new_key: Option<NewKey>,
    /// Whether it asks for the tablet's secret for unlock codes.
    asks_unlock: bool,
    now: u64,
    skew_ms: i64,
    /// How many changes the tablet still holds back, where it says so.
    waiting: Option<u64>,
    verdicts: Vec<Verdicts>,
    /// Changes frames of this request and of the one that it asks about.
    frames: u64,
    /// By which it is known that this is still the tablet's last request, where other nodes may have a later one.
    turn: Option<(i64, [u8; 16])>,
    /// The address that it comes from, if that is known.
    from: String,
    /// Its place among this tablet's requests.
    _inside: Inside<i64>,
}

impl Exchange {
    /// Opens a request by its head; `from` is the address that it comes from, empty where that is not known. With it come the
    /// changes frames that an old tablet's seal covers too.
    pub fn open(base: &Base, head: Head, from: &str) -> Result<(Exchange, Vec<Changes>)> {
        let mut asks = None;
        let opened = Exchange::open_for(base, head, from, &mut asks);
        opened.inspect_err(|error| base.refused_tablet(asks.as_deref(), from, error.code()))
    }

    /// `asks` becomes the tablet's id once it has proven its key.
    fn open_for(
        base: &Base,
        head: Head,
        from: &str,
        asks: &mut Option<String>,
    ) -> Result<(Exchange, Vec<Changes>)> {
        let now = base.clock.now_ms();
        let mut frames = head.frames.into_iter();
        let Some(Frame::Hello(hello)) = frames.next() else { return Err(Code::FrameMalformed.into()) };
        if !matches!(hello.version, PROTOCOL_VERSION | STREAMED_VERSION) {
            return Err(Code::VersionUnsupported.into());
        }
        if !verify_request(&hello.tablet, base.identity.public(), &head.signed, &head.seal) {
            return Err(Code::SignatureInvalid.into());
        }
        let (mut ask, mut repair, mut changes) = (None, Repair::default(), Vec::new());
        let (mut asks_unlock, mut look_up, mut new_key) = (false, None, None);
        for frame in frames {
            match frame {
                Frame::Changes(frame) if hello.version == PROTOCOL_VERSION => changes.push(frame),
                Frame::Ask(frame) if hello.version == STREAMED_VERSION && ask.is_none() => ask = Some(frame),
                Frame::Unlock(Unlock { secret: None }) => asks_unlock = true,
                Frame::LookUp(frame) if hello.version == STREAMED_VERSION && look_up.is_none() => {
                    look_up = Some(frame);
                }
                Frame::NewKey(frame) if hello.version == STREAMED_VERSION && new_key.is_none() => {
                    new_key = Some(frame);
                }
                frame if hello.version == STREAMED_VERSION => repair.take(frame)?,
                _ => return Err(Code::FrameMalformed.into()),
            }
        }
        let (tablet, teams, left) = base.log.read(|conn| standing(conn, &hello.tablet))?;
        *asks = Some(tablet.id.clone());
        let inside = base.limits.admit_tablet(tablet.n)?;
        // One whose answer was lost asks again with the key that is replaced already.
        if tablet.replaced_by.is_some() && new_key.is_none() {
            return Err(Code::KeyReplaced.into());
        }
        if new_key.is_some() && !(hello.teams.is_empty() && look_up.is_none()) {
            return Err(Code::FrameMalformed.into());
        }
        // A tablet that is refused for it learns our time and asks again.
        if hello.time_ms.abs_diff(now) > CLOCK_WINDOW_MS {
            return Err(Code::Clock.into());
        }
        let places: HashSet<RecordId> = hello.teams.iter().map(|place| place.team).collect();
        if places.len() < hello.teams.len() {
            return Err(Code::FrameMalformed.into());
        }
        let asked = ask.iter().flat_map(|ask| &ask.sent).map(|sent| sent.team);
        let named = hello.teams.iter().map(|place| place.team).chain(asked);
        let named = named.chain(repair.teams()).chain(changes.iter().map(|frame| frame.team)).collect();
        let skew_ms = i64::try_from(i128::from(hello.time_ms) - i128::from(now)).unwrap_or_default();
        let says = hello.capabilities & capability::WAITING != 0;
        let waiting = ask.as_ref().filter(|_| says).map(|ask| ask.waiting);
        let mut exchange = Exchange {
            tablet,
            teams,
            left,
            hello,
            ask,
            repair,
            look_up,
            new_key,
            asks_unlock,
            now,
            skew_ms,
            waiting,
            verdicts: Vec::new(),
            frames: 0,
            turn: None,
            from: from.to_owned(),
            _inside: inside,
        };
        exchange.allow(named)?;
        exchange.allow_look_up()?;
        exchange.repair.leave_out(exchange.left.iter().map(|team| team.id).collect());
        if !base.nonces.is_new_to(&base.log, exchange.tablet.n, exchange.hello.nonce, now)? {
            return Err(Code::Replayed.into());
        }
        exchange.note_visit(base);
        // What a revoked tablet shows of itself counts for nothing.
        if !exchange.tablet.revoked {
            exchange.repair.inspect(base, &exchange.tablet, &exchange.hello, &exchange.teams, now)?;
        }
        Ok((exchange, changes))
    }

    fn note_visit(&self, base: &Base) {
        let capabilities = self.hello.capabilities;
        let visit = Visit { at: self.now, skew_ms: self.skew_ms, waiting: self.waiting, capabilities };
        base.log.seen(self.tablet.n, visit);
    }

    /// For [`Turns::take`].
    fn turn(&self) -> (i64, [u8; 16], Option<[u8; 16]>) {
        (self.tablet.n, self.hello.nonce, self.ask.as_ref().and_then(|ask| ask.given_up))
    }

    /// Takes the turn at all other nodes, too. What it pushes without having it is not stored.
    pub fn take_turn(&mut self, base: &Base) -> Result<()> {
        if base.log.is_shared() {
            let (tablet, nonce, given_up) = self.turn();
            turns::take_shared(&base.log, tablet, nonce, given_up)?;
            self.turn = Some((tablet, nonce));
        }
        Ok(())
    }

    /// Looks up what the tablet asks about, once nothing of its earlier requests is under way any more.
    pub fn recall(&mut self, base: &Base) -> Result<()> {
        let Some(ask) = &self.ask else { return Ok(()) };
        self.frames = ask.sent.len() as u64;
        let teams: Vec<Team> = self.all_teams().cloned().collect();
        self.verdicts = base.log.read(|conn| resume::verdicts(conn, &teams, &ask.sent))?;
        Ok(())
    }

    fn allow(&self, teams: Vec<RecordId>) -> Result<()> {
        let allowed = teams.iter().all(|team| self.all_teams().any(|own| own.id == *team));
        if allowed { Ok(()) } else { Err(Code::TeamNotAllowed.into()) }
    }

    /// What is looked up leaves the server: only for who belongs to the team.
    fn allow_look_up(&self) -> Result<()> {
        let foreign = |asked: &LookUp| self.teams.iter().all(|own| own.id != asked.team);
        if self.look_up.as_ref().is_some_and(foreign) { Err(Code::TeamNotAllowed.into()) } else { Ok(()) }
    }

    /// Those that it was taken out of, too: what it holds of them is handed over.
    fn all_teams(&self) -> impl Iterator<Item = &Team> {
        self.teams.iter().chain(&self.left)
    }

    /// What it has to do once it has handed over everything, of teams that it names: whether this log has lost something of
    /// theirs is seen by their places.
    fn duties(&self) -> Vec<Duty> {
        if self.tablet.revoked {
            let names_all = self.ask.as_ref().is_none_or(|ask| ask.rest.is_none());
            return Vec::from_iter(names_all.then_some(Duty::Wipe));
        }
        let named = |team: &&Team| self.hello.teams.iter().any(|place| place.team == team.id);
        self.left.iter().filter(named).map(|team| Duty::Leave(team.id)).collect()
    }

    /// Admits frames of the request, in their order: what is in them is durable when this returns.
    pub fn push(&mut self, base: &Base, frames: Vec<Changes>) -> Result<()> {
        let pushed = self.admit(base, frames);
        pushed.inspect_err(|error| self.is_refused(base, error.code()))
    }

    /// Has the audit trail tell of it.
    fn is_refused(&self, base: &Base, code: Code) {
        base.refused_tablet(Some(&self.tablet.id), &self.from, code);
    }

    fn admit(&mut self, base: &Base, frames: Vec<Changes>) -> Result<()> {
        if (self.look_up.is_some() || self.new_key.is_some()) && !frames.is_empty() {
            return Err(Code::FrameMalformed.into());
        }
        self.allow(frames.iter().map(|frame| frame.team).collect())?;
        // Noted with the commit that stores them: a link that is cut behind it leaves the number right.
        let items = frames.iter().flat_map(|frame| &frame.lists).flat_map(|list| &list.items);
        let brought = items.filter(|item| matches!(item, Item::Body { .. })).count() as u64;
        self.waiting = self.waiting.map(|waiting| waiting.saturating_sub(brought));
        self.note_visit(base);
        let first = self.frames;
        self.frames += frames.len() as u64;
        let source = Source {
            tablet: self.tablet.id.clone(),
            server: *base.identity.public(),
            received_at: self.now,
            turn: self.turn,
            quotas: Some(base.limits.settings().held),
        };
        let left = self.left.iter().map(|team| team.id).collect();
        let pushed = push(base, &self.tablet, &self.teams, &left, frames, &source)?;
        let known = |frame: &&Verdicts| frame.verdicts.iter().any(|v| matches!(v, Verdict::Known { .. }));
        pushed.iter().filter(known).for_each(|_| base.count_frame_again());
        base.metrics.pushed(&pushed);
        let all = pushed.iter().flat_map(|frame| &frame.verdicts);
        all.filter(|verdict| stays(verdict)).for_each(|_| base.limits.met(Limit::Waiting));
        let numbered =
            pushed.into_iter().map(|verdicts| Verdicts { frame: first + verdicts.frame, ..verdicts });
        self.verdicts.extend(numbered);
        Ok(())
    }

    /// The answer, once the whole request is here. `credit` is what the next one may hold.
    pub fn answer(mut self, base: &Base, credit: u64) -> Result<Answer> {
        // It may have been revoked since it came.
        let hello = &self.hello;
        if let Some(wish) = &self.new_key {
            return renew::answer(base, &self.hello, wish, self.now);
        }
        (self.tablet, self.teams, self.left) = base.log.read(|conn| standing(conn, &hello.tablet))?;
        self.allow_look_up()?;
        if self.tablet.revoked {
            self.is_refused(base, Code::TabletRevoked);
        }
        self.repair.leave_out(self.left.iter().map(|team| team.id).collect());
        let (mut duties, obeys) = (self.duties(), self.hello.capabilities & capability::ORDERS != 0);
        if self.verdicts.iter().flat_map(|frame| &frame.verdicts).any(stays) {
            // Something of what it holds is nowhere else.
            duties.clear();
        }
        let pushes_only = self.hello.version < base.oldest_version();
        // One that has just been upgraded goes as in version 1, too, until an answer's terms tell it what base can.
        let knows_terms = self.hello.capabilities & capability::STREAMED != 0;
        let knows_refusals_only = self.hello.version == PROTOCOL_VERSION && !knows_terms;
        if pushes_only && knows_refusals_only && self.verdicts.is_empty() {
            // The only word for it that a tablet of this age knows. It is said when there is nothing to send, so
            // that everything that is recorded there still arrives.
            return Err(Code::VersionUnsupported.into());
        }
        let offered = numbers(&self.verdicts);
        let mut frames: Vec<Frame> =
            std::mem::take(&mut self.verdicts).into_iter().map(Frame::Verdicts).collect();
        if let Some(asked) = &self.look_up {
            frames.push(Frame::Found(look_up::answer(base, (&self.tablet, &self.from), asked, self.now)?));
        }
        let (states, rest_same, positions, too_old) = base.log.read(|conn| {
            let too_old = self.too_old(conn)?;
            let mut states: Vec<TeamState> = if pushes_only {
                self.hello.teams.iter().map(Place::unmoved).collect()
            } else {
                let wishes = pull::Wishes::of(&self.hello, self.ask.as_ref());
                self.repair.answer(base, conn, &wishes, &mut frames)?;
                pull::pull(conn, &base.identity, &self.hello, &self.repair, &wishes, &offered, &mut frames)?
            };
            let (rest_same, rest) = self.rest(conn)?;
            let positions = self.positions(conn, &states, rest_same && !pushes_only)?;
            states.extend(rest);
            Ok((states, rest_same, positions.filter(|_| too_old == 0), too_old))
        })?;
        if knows_refusals_only && frames.is_empty() && self.tablet.revoked {
            return Err(Code::TabletRevoked.into());
        }
        if knows_refusals_only && frames.is_empty() && too_old == states.len() && too_old > 0 {
            return Err(Code::VersionUnsupported.into());
        }
        if let Some(positions) = positions {
            let place = |team: RecordId| self.hello.teams.iter().find(|place| place.team == team);
            let stays = |state: &TeamState| {
                place(state.team)
                    .is_some_and(|place| (place.epoch, place.cursor) == (state.epoch, state.cursor))
            };
            let moved = !offered.is_empty() || !states.iter().all(stays);
            let receipt = self.repair.receipt(base, &self.tablet, positions, moved, self.now)?;
            frames.extend(receipt.map(Frame::Receipt));
        }
        if obeys {
            let key = base.identity.key();
            let sign = |duty| Order::sign(key, &self.hello.tablet, &self.hello.nonce, duty);
            frames.extend(duties.iter().map(|duty| Frame::Order(sign(*duty))));
        }
        if duties.contains(&Duty::Wipe) && obeys && self.waiting == Some(0) {
            let (n, now) = (self.tablet.n, self.now);
            base.log.post(move |txn| log::note_ordered(txn.conn, n, now));
        }
        if self.asks_unlock && !self.tablet.revoked {
            let secret = unlock_secret(base.identity.key().as_bytes(), &self.hello.tablet);
            frames.push(Frame::Unlock(Unlock { secret: Some(secret) }));
        }
        if knows_terms {
            let notice = match duties.first().filter(|_| !obeys) {
                Some(Duty::Wipe) => Code::TabletRevoked.as_str(),
                Some(Duty::Leave(_)) => Code::TeamLeft.as_str(),
                None if pushes_only || too_old > 0 => Code::UpgradeNeeded.as_str(),
                None if self.repair.copied => Code::TabletCopied.as_str(),
                None => "",
            };
            let (capabilities, notice) = (capability::OURS, notice.to_owned());
            frames.push(Frame::Terms(Terms { capabilities, credit, rest_same, notice }));
        }
        frames.push(Frame::State(State { server_time_ms: base.clock.now_ms(), teams: states }));
        Ok(Answer::of(frames, self.hello.capabilities))
    }

    /// How many of its places have entries beyond them that the tablet does not know.
    fn too_old(&self, conn: &Conn) -> Result<usize> {
        let mut count = 0;
        for place in &self.hello.teams {
            let team = log::team_by_id(conn, place.team)?.ok_or(Code::TeamNotAllowed)?;
            count += usize::from(pull::is_too_old(conn, &self.hello, place, &team)?);
        }
        Ok(count)
    }

    /// Where the tablet stands when it holds everything: what its receipt is for.
    fn positions(&self, conn: &Conn, states: &[TeamState], rest_same: bool) -> Result<Option<Vec<Position>>> {
        let able = repair::shows(&self.hello);
        // Who is to leave a team does not end here.
        let leaves = self.tablet.revoked || !self.duties().is_empty();
        // One that names no place shows no receipt, and has nothing new.
        if !able || leaves || states.is_empty() || !(rest_same || states.len() == self.teams.len()) {
            return Ok(None);
        }
        repair::positions(conn, states, &self.teams, self.now)
    }

    /// Whether the tablet's teams that it does not name stand at the ends of their logs; where these are, if it has them
    /// elsewhere or in another number.
    fn rest(&self, conn: &Conn) -> Result<(bool, Vec<TeamState>)> {
        let Some(rest) = self.ask.as_ref().and_then(|ask| ask.rest) else { return Ok((false, Vec::new())) };
        let named = |team: &&Team| self.hello.teams.iter().any(|place| place.team == team.id);
        let states = self.teams.iter().filter(|team| !named(team)).map(|team| {
            // The state of the log now: the teams were read when the request began.
            let Team { n, id: team, epoch, head: cursor, .. } =
                log::team_by_id(conn, team.id)?.ok_or(Code::TeamNotAllowed)?;
            let fingerprint = log::sum_at(conn, n, cursor)?.fingerprint();
            Ok(TeamState { team, epoch, cursor, fingerprint, more: false })
        });
        let states = states.collect::<Result<Vec<_>>>()?;
        let places = states.iter().map(|state| (state.team, state.epoch, state.cursor, state.fingerprint));
        let same = states.len() as u64 == rest.teams && combined(places) == rest.fingerprint;
        Ok((same, if same { Vec::new() } else { states }))
    }
}

/// One whole exchange: what the tablet pushed is durable when this returns. Blocks.
pub fn exchange(base: &Base, body: &[u8]) -> Result<Vec<u8>> {
    exchanged(base, body, "").map(Answer::whole)
}

fn exchanged(base: &Base, body: &[u8], from: &str) -> Result<Answer> {
    let mut incoming = Incoming::default();
    incoming.push(body)?;
    let streamed = matches!(incoming.peek()?, Some(Frame::Hello(hello)) if hello.version == STREAMED_VERSION);
    let (head, rest) = if streamed {
        let head = incoming.next_head()?.ok_or(Code::FrameMalformed)?;
        (head, whole_changes(&mut incoming)?)
    } else {
        let (signed, seal) = frame::unseal(body)?;
        (Head { frames: frame::decode(signed)?, signed: signed.to_vec(), seal }, Vec::new())
    };
    let (mut exchange, changes) = Exchange::open(base, head, from)?;
    if streamed && !incoming.is_empty() {
        return Err(Code::FrameMalformed.into());
    }
    exchange.recall(base)?;
    exchange.push(base, if streamed { rest } else { changes })?;
    exchange.answer(base, MOST_CREDIT)
}

/// The changes frames that have arrived whole.
fn whole_changes(incoming: &mut Incoming) -> Result<Vec<Changes>> {
    let mut changes = Vec::new();
    while let Some(frame) = incoming.next_frame()? {
        match frame {
            Frame::Changes(frame) => changes.push(frame),
            _ => return Err(Code::FrameMalformed.into()),
        }
    }
    Ok(changes)
}

/// Admits what was pushed: verified and judged here, stored by the writer team by team.
fn push(
    base: &Base,
    tablet: &Tablet,
    teams: &[Team],
    left: &HashSet<RecordId>,
    pushed: Vec<Changes>,
    source: &Source,
) -> Result<Vec<Verdicts>> {
    // By team, with the places of their frames.
    let mut offers: BTreeMap<RecordId, (Vec<u64>, Vec<Offer>)> = BTreeMap::new();
    for (frame, pushed) in (0..).zip(pushed) {
        let offer = Offer::verify(pushed, &tablet.public_key, &source.server)?;
        let of_team = offers.entry(offer.team).or_default();
        of_team.0.push(frame);
        of_team.1.push(offer);
    }
    let mut answers = Vec::new();
    for (team, (frames, offers)) in offers {
        let verdicts = if left.contains(&team) {
            hold_back(base, source, team, offers)?
        } else {
            push_team(base, source, teams, team, offers)?
        };
        answers.extend(frames.into_iter().zip(verdicts).map(|(frame, verdicts)| Verdicts {
            team,
            frame,
            verdicts,
        }));
    }
    answers.sort_by_key(|verdicts| verdicts.frame);
    Ok(answers)
}

/// Whether a change was not kept, and stays on the tablet for now.
fn stays(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Quarantined { code } if code == Code::WaitingFull.as_str())
}

/// Stores what a tablet sends of a team that it was taken out of: nobody judges it before an administrator does.
fn hold_back(base: &Base, source: &Source, team: RecordId, offers: Vec<Offer>) -> Result<Vec<Vec<Verdict>>> {
    let source = source.clone();
    base.log.write_for(team, move |txn| log::append(txn, &source, &offers, &[]))
}

/// Who asks, and which teams they belong to and were taken out of.
fn standing(conn: &Conn, key: &PublicKey) -> Result<(Tablet, Vec<Team>, Vec<Team>)> {
    let tablet = log::tablet_by_key(conn, key)?.ok_or(Code::TabletUnknown)?;
    let (teams, left) = (log::teams_of(conn, tablet.n)?, log::left_by(conn, tablet.n)?);
    Ok((tablet, teams, left))
}

fn push_team(
    base: &Base,
    source: &Source,
    teams: &[Team],
    team: RecordId,
    offers: Vec<Offer>,
) -> Result<Vec<Vec<Verdict>>> {
    let offers = Arc::new(offers);
    for attempt in 1..=ATTEMPTS {
        let judge = if attempt == 1 { Judge::on_trust(source.server) } else { Judge::new(source.server) };
        let judged = base.log.read(|conn| judge_all(judge, conn, teams, &offers))?;
        let (source, offers) = (source.clone(), offers.clone());
        let verdicts = base.log.write_for(team, move |txn| {
            if attempt < ATTEMPTS {
                log::append_unmoved(txn, &source, &offers, &judged)
            } else {
                log::append(txn, &source, &offers, &judged).map(Some)
            }
        })?;
        if let Some(verdicts) = verdicts {
            return Ok(verdicts);
        }
    }
    Err(Error::Internal("a batch without verdicts"))
}

/// Judges a whole batch, each change after those before it.
fn judge_all(mut judge: Judge, conn: &Conn, teams: &[Team], offers: &[Offer]) -> Result<Vec<Vec<Judged>>> {
    let team_of = |offer: &Offer| {
        teams.iter().find(|team| team.id == offer.team).ok_or(Error::Refused(Code::TeamNotAllowed))
    };
    if let Some(offer) = offers.first().filter(|_| conn.is_postgres()) {
        // They are all of one team.
        judge.read_ahead(conn, team_of(offer)?, offers)?;
    }
    let offers = offers.iter().map(|offer| {
        let team = team_of(offer)?;
        let judged = offer.changes.iter().map(|change| {
            let list = offer.lists.get(change.list).ok_or(Error::Internal("an offer's list"))?;
            judge.judge(conn, team, change, &list.author)
        });
        judged.collect()
    });
    offers.collect()
}

/// What the tablet need not be sent, since it has just offered it.
fn numbers(verdicts: &[Verdicts]) -> HashMap<RecordId, HashSet<u64>> {
    let mut held: HashMap<RecordId, HashSet<u64>> = HashMap::new();
    for frame in verdicts {
        let numbers = frame.verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::Accepted { seq } | Verdict::Known { seq } => Some(*seq),
            _ => None,
        });
        held.entry(frame.team).or_default().extend(numbers);
    }
    held
}
