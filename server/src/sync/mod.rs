//! The sync endpoint: one request of frames, one answer of frames.
//!
//! Nothing here is asynchronous: the router reads a whole body and calls [`exchange`] or [`enrol`] where
//! blocking is allowed.

mod enrol;
mod pull;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::Connection;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::staff::unlock_secret;
use wayside_protocol::sync::frame::{
    self, Changes, Frame, Hello, PROTOCOL_VERSION, Refusal, State, Unlock, Verdict, Verdicts,
};
use wayside_protocol::sync::{CLOCK_WINDOW_MS, PublicKey, verify_request};

pub use enrol::enrol;

use crate::admission::{Judge, Judged, Offer};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::log::{self, Source, Tablet, Team};

/// So often a batch is judged outside the writer. Where its records move every time, the writer judges
/// what has moved itself, while everybody else waits.
const ATTEMPTS: u32 = 3;

/// A refusal as a body of its own.
pub fn refusal(error: &Error, server_time_ms: u64) -> Vec<u8> {
    let mut body = Vec::new();
    let (code, message) = (error.code().as_str().to_owned(), error.to_string());
    Frame::Refusal(Refusal { code, message, server_time_ms }).encode(&mut body);
    body
}

/// One whole exchange: what the tablet pushed is durable when this returns. Blocks.
pub fn exchange(base: &Base, body: &[u8]) -> Result<Vec<u8>> {
    let now = base.clock.now_ms();
    let (hello, pushed, asks_unlock) = open(base, body)?;
    let (tablet, teams) = base.log.read(|conn| {
        let tablet = log::tablet_by_key(conn, &hello.tablet)?.ok_or(Code::TabletUnknown)?;
        let teams = log::teams_of(conn, tablet.n)?;
        Ok((tablet, teams))
    })?;
    // A tablet that is refused for it learns our time and asks again.
    if hello.time_ms.abs_diff(now) > CLOCK_WINDOW_MS {
        return Err(Code::Clock.into());
    }
    let named = hello.teams.iter().map(|place| place.team).chain(pushed.iter().map(|frame| frame.team));
    for team in named {
        if !teams.iter().any(|own| own.id == team) {
            return Err(Code::TeamNotAllowed.into());
        }
    }
    let places: HashSet<RecordId> = hello.teams.iter().map(|place| place.team).collect();
    if places.len() < hello.teams.len() {
        return Err(Code::FrameMalformed.into());
    }

    let skew = i64::try_from(i128::from(hello.time_ms) - i128::from(now)).unwrap_or_default();
    let verdicts = push(base, &tablet, &teams, pushed, now, skew)?;
    let held = numbers(&verdicts);
    let mut frames: Vec<Frame> = verdicts.into_iter().map(Frame::Verdicts).collect();
    let states = base.log.read(|conn| pull::pull(conn, &base.identity, &hello, &held, &mut frames))?;
    if asks_unlock {
        let secret = unlock_secret(base.identity.key().as_bytes(), &hello.tablet);
        frames.push(Frame::Unlock(Unlock { secret: Some(secret) }));
    }
    frames.push(Frame::State(State { server_time_ms: base.clock.now_ms(), teams: states }));

    let mut answer = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut answer));
    Ok(answer)
}

/// Takes a request apart and verifies its seal: the hello, what is pushed, whether it asks for the tablet's
/// secret for unlock codes.
fn open(base: &Base, body: &[u8]) -> Result<(Hello, Vec<Changes>, bool)> {
    let (signed, signature) = frame::unseal(body)?;
    let mut frames = frame::decode(signed)?.into_iter();
    let Some(Frame::Hello(hello)) = frames.next() else { return Err(Code::FrameMalformed.into()) };
    if hello.version != PROTOCOL_VERSION {
        return Err(Code::VersionUnsupported.into());
    }
    if !verify_request(&hello.tablet, base.identity.public(), signed, &signature) {
        return Err(Code::SignatureInvalid.into());
    }
    let (mut changes, mut asks_unlock) = (Vec::new(), false);
    for frame in frames {
        match frame {
            Frame::Changes(frame) => changes.push(frame),
            Frame::Unlock(Unlock { secret: None }) => asks_unlock = true,
            _ => return Err(Error::Refused(Code::FrameMalformed)),
        }
    }
    Ok((hello, changes, asks_unlock))
}

/// Admits what was pushed: verified and judged here, stored by the writer in one piece.
fn push(
    base: &Base,
    tablet: &Tablet,
    teams: &[Team],
    pushed: Vec<Changes>,
    now: u64,
    skew: i64,
) -> Result<Vec<Verdicts>> {
    let n = tablet.n;
    if pushed.is_empty() {
        // Nobody waits for a disk only to hear that nothing is new.
        base.log.post(move |txn| log::seen(txn, n, now, skew));
        return Ok(Vec::new());
    }
    let server = *base.identity.public();
    let offers = pushed
        .into_iter()
        .map(|frame| Offer::verify(frame, &tablet.public_key, &server))
        .collect::<Result<Vec<_>>>()?;
    let named: Vec<RecordId> = offers.iter().map(|offer| offer.team).collect();
    let offers = Arc::new(offers);
    let mut verdicts = None;
    for attempt in 1..=ATTEMPTS {
        let judged = base.log.read(|conn| judge(conn, server, teams, &offers))?;
        let source = Source { tablet: tablet.id.clone(), server, received_at: now };
        let offers = offers.clone();
        verdicts = base.log.write(move |txn| {
            if attempt < ATTEMPTS && !log::unmoved(txn.conn, &offers, &judged)? {
                return Ok(None);
            }
            log::seen(txn, n, now, skew)?;
            log::append(txn, &source, &offers, &judged).map(Some)
        })?;
        if verdicts.is_some() {
            break;
        }
    }
    let verdicts = verdicts.ok_or(Error::Internal("a batch without verdicts"))?;
    let frames = named.into_iter().zip(verdicts).zip(0..);
    Ok(frames.map(|((team, verdicts), frame)| Verdicts { team, frame, verdicts }).collect())
}

/// Judges a whole batch, each change after those before it.
fn judge(conn: &Connection, server: PublicKey, teams: &[Team], offers: &[Offer]) -> Result<Vec<Vec<Judged>>> {
    let mut judge = Judge::new(server);
    let offers = offers.iter().map(|offer| {
        let team = teams.iter().find(|team| team.id == offer.team).ok_or(Code::TeamNotAllowed)?;
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
