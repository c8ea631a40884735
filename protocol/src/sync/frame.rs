//! The frames of the sync protocol, version 1.
//!
//! A body is a sequence of frames. A frame is: type (1 byte), encoding (1 byte: 0 plain, 1 zstd),
//! for zstd the plain length (varint), length (varint), payload. Frames of an unknown type are
//! skipped, and so are bytes at the end of a known payload: a newer side may add to either.

mod unlock;

use super::{
    fingerprint::Fingerprint,
    signing::{ListItem, PublicKey, SignatureBytes},
    wire::{Malformed, Reader, Writer},
};
use crate::record::{Hash, RecordId};

pub use unlock::Unlock;

pub const PROTOCOL_VERSION: u8 = 1;

/// No body is larger than this, in either direction.
pub const MAX_BODY: usize = 4 << 20;
/// No frame's plain payload is larger than this.
pub const MAX_PAYLOAD: usize = 1 << 20;
/// No body's payloads are larger than this together, once plain.
const MAX_PLAIN: usize = 16 << 20;
const MAX_FRAMES: usize = 1024;
/// A signed list holds at most this many changes, and at least one.
pub const MAX_LIST: usize = 1024;
/// A frame holds at most this many lists: each costs its reader a signature.
pub const MAX_LISTS: usize = 512;
/// A place names at most this many ranges beyond its cursor.
pub const MAX_HELD: usize = 1024;

/// Payloads below this are not worth compressing.
const COMPRESS_FROM: usize = 160;
/// Levels above this cost a tablet more time than they save a bad link.
const ZSTD_LEVEL: i32 = 12;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Hello(Hello),
    Changes(Changes),
    Verdicts(Verdicts),
    State(State),
    Enrol(Enrol),
    Enrolled(Enrolled),
    Refusal(Refusal),
    Unlock(Unlock),
    /// Ends a request: the signature over everything before it.
    Seal(SignatureBytes),
}

/// Who asks, and what they hold. First in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    pub version: u8,
    /// Bits for what this side can do beyond version 1; none yet.
    pub capabilities: u64,
    pub tablet: PublicKey,
    pub nonce: [u8; 16],
    /// The server's time as the tablet estimates it, milliseconds since 1970.
    pub time_ms: u64,
    pub teams: Vec<Place>,
}

/// A tablet's place in a team's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub team: RecordId,
    /// The log's epoch; zeros before the first sync.
    pub epoch: [u8; 8],
    /// The last sequence number up to which everything is held.
    pub cursor: u64,
    pub fingerprint: Fingerprint,
    /// Sequence numbers held beyond the cursor, as inclusive ranges, ascending: the tablet's own changes.
    pub held: Vec<(u64, u64)>,
}

/// Changes of one team: from a tablet what it offers, from the server what the log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    pub team: RecordId,
    /// Authors other than the sender, with the server's certificate for each.
    pub authors: Vec<(PublicKey, SignatureBytes)>,
    pub lists: Vec<List>,
}

/// A list as its author signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// 0 is the frame's sender, n is `authors[n - 1]`.
    pub author: usize,
    pub signature: SignatureBytes,
    pub items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A change itself; `seq` is its number in the log, 0 where it has none.
    Body { record: RecordId, seq: u64, raw: Vec<u8> },
    /// A change that stands in the signed list but not in this frame.
    Absent { record: RecordId, hash: Hash },
}

/// One verdict for each change offered in one frame, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    pub team: RecordId,
    /// Which of the request's change frames, counted from 0.
    pub frame: u64,
    pub verdicts: Vec<Verdict>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// In the log under this number, durable.
    Accepted { seq: u64 },
    /// Was in the log already.
    Known { seq: u64 },
    /// Kept whole with a reason (a stable code), not part of the record.
    Quarantined { code: String },
    /// Kept until what it depends on arrives.
    Waiting,
    /// Of a record that was erased: not kept.
    Erased,
}

/// Where the log stands; last in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Milliseconds since 1970.
    pub server_time_ms: u64,
    pub teams: Vec<TeamState>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamState {
    pub team: RecordId,
    pub epoch: [u8; 8],
    /// With this answer everything up to here has been sent.
    pub cursor: u64,
    /// The fingerprint of the log at `cursor`.
    pub fingerprint: Fingerprint,
    /// Whether the log goes on beyond `cursor`.
    pub more: bool,
}

/// Asks to be enrolled with a one-time secret. Sealed with the key that is being enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrol {
    pub version: u8,
    pub secret: [u8; 16],
    pub tablet: PublicKey,
    /// What people call this tablet.
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The server's identity key.
    pub server: PublicKey,
    pub certificate: SignatureBytes,
    pub server_time_ms: u64,
    pub team: RecordId,
    pub team_name: String,
}

/// The request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable code of `protocol::error`, perhaps of a newer version.
    pub code: String,
    pub message: String,
    pub server_time_ms: u64,
}

const HELLO: u8 = 1;
const CHANGES: u8 = 2;
const VERDICTS: u8 = 3;
const STATE: u8 = 4;
const ENROL: u8 = 5;
const ENROLLED: u8 = 6;
const REFUSAL: u8 = 7;
const SEAL: u8 = 8;

impl Frame {
    /// Appends this frame to a body.
    pub fn encode(&self, body: &mut Vec<u8>) {
        let mut payload = Writer::default();
        let ty = match self {
            Frame::Hello(frame) => frame.write(&mut payload),
            Frame::Changes(frame) => frame.write(&mut payload),
            Frame::Verdicts(frame) => frame.write(&mut payload),
            Frame::State(frame) => frame.write(&mut payload),
            Frame::Enrol(frame) => frame.write(&mut payload),
            Frame::Enrolled(frame) => frame.write(&mut payload),
            Frame::Refusal(frame) => frame.write(&mut payload),
            Frame::Unlock(frame) => frame.write(&mut payload),
            Frame::Seal(signature) => {
                payload.raw(signature);
                SEAL
            }
        };
        let plain = payload.0;
        let mut out = Writer(std::mem::take(body));
        out.u8(ty);
        let compressed = (plain.len() >= COMPRESS_FROM)
            .then(|| zstd::bulk::compress(&plain, ZSTD_LEVEL).ok())
            .flatten()
            .filter(|compressed| compressed.len() < plain.len());
        match compressed {
            Some(compressed) => {
                out.u8(1);
                out.varint(plain.len() as u64);
                out.bytes(&compressed);
            }
            None => {
                out.u8(0);
                out.bytes(&plain);
            }
        }
        *body = out.0;
    }
}

/// The frames of a body. Whatever is declared is checked against what has arrived, and against the
/// caps, before anything is allocated for it.
pub fn decode(body: &[u8]) -> Result<Vec<Frame>, Malformed> {
    if body.len() > MAX_BODY {
        return Err(Malformed);
    }
    let mut reader = Reader::new(body);
    let mut frames = Vec::new();
    let mut budget = MAX_PLAIN;
    while !reader.is_empty() {
        if frames.len() >= MAX_FRAMES {
            return Err(Malformed);
        }
        let ty = reader.u8()?;
        let unpacked;
        let payload = match reader.u8()? {
            0 => reader.bytes()?,
            1 => {
                let length = usize::try_from(reader.varint()?).map_err(|_| Malformed)?;
                let compressed = reader.bytes()?;
                if length > MAX_PAYLOAD || length > budget {
                    return Err(Malformed);
                }
                unpacked = zstd::bulk::decompress(compressed, length).map_err(|_| Malformed)?;
                if unpacked.len() != length {
                    return Err(Malformed);
                }
                unpacked.as_slice()
            }
            _ => return Err(Malformed),
        };
        if payload.len() > MAX_PAYLOAD {
            return Err(Malformed);
        }
        budget = budget.checked_sub(payload.len()).ok_or(Malformed)?;
        frames.extend(read(ty, &mut Reader::new(payload))?);
    }
    Ok(frames)
}

/// Splits a sealed request into what was signed and the signature. The seal is the last frame.
pub fn unseal(body: &[u8]) -> Result<(&[u8], SignatureBytes), Malformed> {
    const LENGTH: usize = 3 + 64;
    let split = body.len().checked_sub(LENGTH).ok_or(Malformed)?;
    let (signed, seal) = body.split_at(split);
    match seal {
        [SEAL, 0, 64, signature @ ..] => Ok((signed, signature.try_into().map_err(|_| Malformed)?)),
        _ => Err(Malformed),
    }
}

fn read(ty: u8, r: &mut Reader) -> Result<Option<Frame>, Malformed> {
    Ok(Some(match ty {
        HELLO => Frame::Hello(Hello::read(r)?),
        CHANGES => Frame::Changes(Changes::read(r)?),
        VERDICTS => Frame::Verdicts(Verdicts::read(r)?),
        STATE => Frame::State(State::read(r)?),
        ENROL => Frame::Enrol(Enrol::read(r)?),
        ENROLLED => Frame::Enrolled(Enrolled::read(r)?),
        REFUSAL => Frame::Refusal(Refusal::read(r)?),
        unlock::UNLOCK => Frame::Unlock(Unlock::read(r)?),
        SEAL => Frame::Seal(r.array()?),
        _ => return Ok(None),
    }))
}

fn record(r: &mut Reader) -> Result<RecordId, Malformed> {
    Ok(RecordId::from_bytes(r.array()?))
}

impl Hello {
    fn write(&self, w: &mut Writer) -> u8 {
        w.u8(self.version);
        w.varint(self.capabilities);
        w.raw(&self.tablet);
        w.raw(&self.nonce);
        w.varint(self.time_ms);
        w.varint(self.teams.len() as u64);
        for place in &self.teams {
            w.raw(place.team.as_bytes());
            w.raw(&place.epoch);
            w.varint(place.cursor);
            w.raw(&place.fingerprint);
            w.varint(place.held.len() as u64);
            for (from, to) in &place.held {
                w.varint(*from);
                w.varint(to - from);
            }
        }
        HELLO
    }

    fn read(r: &mut Reader) -> Result<Hello, Malformed> {
        let version = r.u8()?;
        let capabilities = r.varint()?;
        let tablet = r.array()?;
        let nonce = r.array()?;
        let time_ms = r.varint()?;
        let teams = (0..r.count(42)?).map(|_| {
            let (team, epoch, cursor, fingerprint) = (record(r)?, r.array()?, r.varint()?, r.array()?);
            let ranges = r.count(2)?;
            let mut held = Vec::new();
            let mut after = cursor;
            for _ in 0..ranges {
                let from = r.varint()?;
                let to = from.checked_add(r.varint()?).ok_or(Malformed)?;
                if from <= after || held.len() >= MAX_HELD {
                    return Err(Malformed);
                }
                after = to;
                held.push((from, to));
            }
            Ok(Place { team, epoch, cursor, fingerprint, held })
        });
        let teams = teams.collect::<Result<_, _>>()?;
        Ok(Hello { version, capabilities, tablet, nonce, time_ms, teams })
    }
}

impl Changes {
    fn write(&self, w: &mut Writer) -> u8 {
        w.raw(self.team.as_bytes());
        w.varint(self.authors.len() as u64);
        for (key, certificate) in &self.authors {
            w.raw(key);
            w.raw(certificate);
        }
        w.varint(self.lists.len() as u64);
        for list in &self.lists {
            w.varint(list.author as u64);
            w.raw(&list.signature);
            w.varint(list.items.len() as u64);
            for item in &list.items {
                match item {
                    Item::Body { record, seq, raw } => {
                        w.u8(0);
                        w.raw(record.as_bytes());
                        w.varint(*seq);
                        w.bytes(raw);
                    }
                    Item::Absent { record, hash } => {
                        w.u8(1);
                        w.raw(record.as_bytes());
                        w.raw(hash);
                    }
                }
            }
        }
        CHANGES
    }

    fn read(r: &mut Reader) -> Result<Changes, Malformed> {
        let team = record(r)?;
        let authors = (0..r.count(96)?).map(|_| Ok((r.array()?, r.array()?)));
        let authors = authors.collect::<Result<Vec<_>, Malformed>>()?;
        let mut lists = Vec::new();
        let count = r.count(66)?;
        if count > MAX_LISTS {
            return Err(Malformed);
        }
        for _ in 0..count {
            let author = usize::try_from(r.varint()?).map_err(|_| Malformed)?;
            let signature = r.array()?;
            let count = r.count(19)?;
            if author > authors.len() || count == 0 || count > MAX_LIST {
                return Err(Malformed);
            }
            let items = (0..count).map(|_| match r.u8()? {
                0 => Ok(Item::Body { record: record(r)?, seq: r.varint()?, raw: r.bytes()?.to_vec() }),
                1 => Ok(Item::Absent { record: record(r)?, hash: r.array()? }),
                _ => Err(Malformed),
            });
            let items = items.collect::<Result<_, _>>()?;
            lists.push(List { author, signature, items });
        }
        Ok(Changes { team, authors, lists })
    }

    /// How many changes stand in this frame with their bytes.
    pub fn bodies(&self) -> usize {
        let items = self.lists.iter().flat_map(|list| &list.items);
        items.filter(|item| matches!(item, Item::Body { .. })).count()
    }
}

impl List {
    /// The list as it was signed. `hash` gives a change's hash from its bytes; it is called for
    /// every body, so that bytes altered on the way never match the signature.
    pub fn signed_items(&self, hash: impl Fn(&[u8]) -> Hash) -> Vec<ListItem> {
        let items = self.items.iter().map(|item| match item {
            Item::Body { record, raw, .. } => (*record, hash(raw)),
            Item::Absent { record, hash } => (*record, *hash),
        });
        items.collect()
    }
}

impl Verdicts {
    fn write(&self, w: &mut Writer) -> u8 {
        w.raw(self.team.as_bytes());
        w.varint(self.frame);
        w.varint(self.verdicts.len() as u64);
        // Numbers of one batch mostly follow each other: the step from the one before.
        let mut last = 0u64;
        for verdict in &self.verdicts {
            match verdict {
                Verdict::Accepted { seq } | Verdict::Known { seq } => {
                    w.u8(if matches!(verdict, Verdict::Accepted { .. }) { 0 } else { 1 });
                    w.varint(seq.wrapping_sub(last));
                    last = *seq;
                }
                Verdict::Quarantined { code } => {
                    w.u8(2);
                    w.text(code);
                }
                Verdict::Waiting => w.u8(3),
                Verdict::Erased => w.u8(4),
            }
        }
        VERDICTS
    }

    fn read(r: &mut Reader) -> Result<Verdicts, Malformed> {
        let team = record(r)?;
        let frame = r.varint()?;
        let mut last = 0u64;
        let verdicts = (0..r.count(1)?).map(|_| {
            let kind = r.u8()?;
            Ok(match kind {
                0 | 1 => {
                    last = last.wrapping_add(r.varint()?);
                    if kind == 0 { Verdict::Accepted { seq: last } } else { Verdict::Known { seq: last } }
                }
                2 => Verdict::Quarantined { code: r.text()? },
                3 => Verdict::Waiting,
                4 => Verdict::Erased,
                _ => return Err(Malformed),
            })
        });
        Ok(Verdicts { team, frame, verdicts: verdicts.collect::<Result<_, _>>()? })
    }
}

impl State {
    fn write(&self, w: &mut Writer) -> u8 {
        w.varint(self.server_time_ms);
        w.varint(self.teams.len() as u64);
        for team in &self.teams {
            w.raw(team.team.as_bytes());
            w.raw(&team.epoch);
            w.varint(team.cursor);
            w.raw(&team.fingerprint);
            w.u8(u8::from(team.more));
        }
        STATE
    }

    fn read(r: &mut Reader) -> Result<State, Malformed> {
        let server_time_ms = r.varint()?;
        let teams = (0..r.count(42)?).map(|_| {
            Ok(TeamState {
                team: record(r)?,
                epoch: r.array()?,
                cursor: r.varint()?,
                fingerprint: r.array()?,
                more: r.u8()? != 0,
            })
        });
        Ok(State { server_time_ms, teams: teams.collect::<Result<_, _>>()? })
    }
}

impl Enrol {
    fn write(&self, w: &mut Writer) -> u8 {
        w.u8(self.version);
        w.raw(&self.secret);
        w.raw(&self.tablet);
        w.text(&self.name);
        ENROL
    }

    fn read(r: &mut Reader) -> Result<Enrol, Malformed> {
        Ok(Enrol { version: r.u8()?, secret: r.array()?, tablet: r.array()?, name: r.text()? })
    }
}

impl Enrolled {
    fn write(&self, w: &mut Writer) -> u8 {
        w.raw(&self.server);
        w.raw(&self.certificate);
        w.varint(self.server_time_ms);
        w.raw(self.team.as_bytes());
        w.text(&self.team_name);
        ENROLLED
    }

    fn read(r: &mut Reader) -> Result<Enrolled, Malformed> {
        Ok(Enrolled {
            server: r.array()?,
            certificate: r.array()?,
            server_time_ms: r.varint()?,
            team: record(r)?,
            team_name: r.text()?,
        })
    }
}

impl Refusal {
    fn write(&self, w: &mut Writer) -> u8 {
        w.text(&self.code);
        w.text(&self.message);
        w.varint(self.server_time_ms);
        REFUSAL
    }

    fn read(r: &mut Reader) -> Result<Refusal, Malformed> {
        Ok(Refusal { code: r.text()?, message: r.text()?, server_time_ms: r.varint()? })
    }
}
