//! What a tablet remembers from one sync to the next: what its server can do, how fast the link was, and which frames
//! were on their way when it was cut.

use rusqlite::Connection;
use wayside_protocol::{
    record::{Hash, RecordId},
    sync::{
        SignatureBytes, capability,
        frame::MAX_SENT,
        wire::{Malformed, Reader, Writer},
    },
};

use crate::{error::Result, store::meta};

/// A frame should land within this.
const FRAME_MS: u64 = 1500;
/// And a body, whose verdicts come only when all of it has arrived.
const BODY_MS: u64 = 12_000;
/// A link of 200 kbit/s: what we build for, and what is taken for granted until something was measured. Smaller first
/// frames would compress worse; a cut within the first one costs no more than a second and a half of such a link.
const RATE: u64 = 25_000;
/// At the least, a frame is some 4 kB on the wire; at the most 256 kB.
const LEAST_RATE: u64 = 2_700;
const MOST_RATE: u64 = 171_000;
/// About how many bytes of changes come to one on the wire.
const PLAIN_PER_WIRE: u64 = 7;
/// Leaves room below the cap on a payload.
const MOST_FRAME: usize = 768 << 10;
/// Whoever pulls a list later in smaller frames is sent the hashes of what is not in each: some 40 bytes a change that do
/// not compress. So a list is no larger than a frame on the link that we build for.
const MOST_LIST: usize = 256 << 10;
/// Before a server has said.
const CREDIT: u64 = 256 << 10;
/// What is sent or received in a blink says nothing about the link.
const MEASURABLE: usize = 8 << 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// What the server said that it can do beyond version 1.
    pub server_can: u64,
    /// What the body of a request may hold, as the server said last.
    pub credit: u64,
    /// Bytes a second.
    pub up: u64,
    pub down: u64,
    pub sent: Unanswered,
}

/// Frames that were sent and not answered for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unanswered {
    /// Of the request that held them; zeros where there are none.
    pub nonce: [u8; 16],
    pub frames: Vec<SentFrame>,
}

/// A frame with one signed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentFrame {
    pub team: RecordId,
    /// The first bytes of the list's signature.
    pub list: [u8; 16],
    /// All that the list names, in its order.
    pub items: Vec<SentItem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentItem {
    pub record: RecordId,
    pub hash: Hash,
    /// The frame had its body.
    pub offered: bool,
}

impl SentFrame {
    pub fn new(
        team: RecordId,
        signature: &SignatureBytes,
        items: impl Iterator<Item = ((RecordId, Hash), bool)>,
    ) -> SentFrame {
        let mut list = [0; 16];
        list.copy_from_slice(&signature[..16]);
        let items = items.map(|((record, hash), offered)| SentItem { record, hash, offered });
        SentFrame { team, list, items: items.collect() }
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory { server_can: 0, credit: CREDIT, up: RATE, down: RATE, sent: Unanswered::default() }
    }
}

impl Memory {
    pub fn load(conn: &Connection) -> Result<Memory> {
        let number = |name, or: u64| -> Result<u64> { Ok(meta::get(conn, name)?.unwrap_or(or)) };
        let sent: Option<Vec<u8>> = meta::get(conn, meta::SENT)?;
        Ok(Memory {
            server_can: number(meta::SERVER_CAN, 0)?,
            credit: number(meta::CREDIT, CREDIT)?,
            up: number(meta::RATE_UP, RATE)?.clamp(LEAST_RATE, MOST_RATE),
            down: number(meta::RATE_DOWN, RATE)?.clamp(LEAST_RATE, MOST_RATE),
            // What cannot be read is sent again.
            sent: sent.and_then(|bytes| read(&bytes).ok()).unwrap_or_default(),
        })
    }

    /// Writes what changed, if anything did.
    pub fn keep(&self, conn: &Connection, before: &Memory) -> Result<()> {
        for (name, now, before) in [
            (meta::SERVER_CAN, self.server_can, before.server_can),
            (meta::CREDIT, self.credit, before.credit),
            (meta::RATE_UP, self.up, before.up),
            (meta::RATE_DOWN, self.down, before.down),
        ] {
            if now != before {
                meta::set(conn, name, i64::try_from(now).unwrap_or(i64::MAX))?;
            }
        }
        if self.sent != before.sent {
            meta::set(conn, meta::SENT, write(&self.sent))?;
        }
        Ok(())
    }

    pub fn streamed(&self) -> bool {
        self.server_can & capability::STREAMED != 0
    }

    /// Bytes of changes in one frame that is sent, which is one signed list.
    pub fn frame_up(&self) -> usize {
        frame(self.up).min(MOST_LIST)
    }

    /// And in one that the server should send.
    pub fn frame_down(&self) -> usize {
        frame(self.down)
    }

    /// Bytes of the body of one request. Of an old server, which takes a body whole or not at all, one frame's worth.
    pub fn body(&self) -> usize {
        let ms = if self.streamed() { BODY_MS } else { FRAME_MS };
        usize::try_from((self.up * ms / 1000).min(self.credit)).unwrap_or(usize::MAX)
    }

    /// Bytes of changes that may come to so much.
    pub fn budget(&self) -> usize {
        self.body().saturating_mul(PLAIN_PER_WIRE as usize)
    }

    /// So many bytes went up within so long.
    pub fn went_up(&mut self, bytes: usize, ms: u64) {
        self.up = measured(self.up, bytes, ms);
    }

    pub fn came_down(&mut self, bytes: usize, ms: u64) {
        self.down = measured(self.down, bytes, ms);
    }

    /// The link was cut: smaller frames get through a bad one.
    pub fn was_cut(&mut self) {
        self.up = (self.up / 2).max(LEAST_RATE);
        self.down = (self.down / 2).max(LEAST_RATE);
    }
}

fn frame(rate: u64) -> usize {
    let bytes = rate * FRAME_MS / 1000 * PLAIN_PER_WIRE;
    usize::try_from(bytes).unwrap_or(MOST_FRAME).min(MOST_FRAME)
}

/// One good moment says less than a bad one; and what is about the same is not written again.
fn measured(before: u64, bytes: usize, ms: u64) -> u64 {
    if bytes < MEASURABLE {
        return before;
    }
    let rate = (bytes as u64 * 1000 / ms.max(1)).min(before * 4).clamp(LEAST_RATE, MOST_RATE);
    if rate.abs_diff(before) * 4 > before || rate == MOST_RATE { rate } else { before }
}

/// How many frames an older program finds in it. It wrote only what was offered of each.
const NONE_OF_OLD: u64 = 0;

fn write(sent: &Unanswered) -> Vec<u8> {
    let mut w = Writer::default();
    w.varint(NONE_OF_OLD);
    w.varint(sent.frames.len() as u64);
    for frame in &sent.frames {
        w.raw(frame.team.as_bytes());
        w.raw(&frame.list);
        w.varint(frame.items.len() as u64);
        for item in &frame.items {
            w.raw(item.record.as_bytes());
            w.raw(&item.hash);
            w.u8(item.offered.into());
        }
    }
    w.raw(&sent.nonce);
    w.0
}

fn read(bytes: &[u8]) -> Result<Unanswered, Malformed> {
    let mut r = Reader::new(bytes);
    if r.varint()? != NONE_OF_OLD {
        return Err(Malformed);
    }
    let frames = (0..r.count(33)?.min(MAX_SENT)).map(|_| {
        let (team, list) = (RecordId::from_bytes(r.array()?), r.array()?);
        let items = (0..r.count(49)?).map(|_| {
            let (record, hash) = (RecordId::from_bytes(r.array()?), r.array()?);
            Ok(SentItem { record, hash, offered: r.u8()? != 0 })
        });
        Ok(SentFrame { team, list, items: items.collect::<Result<_, Malformed>>()? })
    });
    let frames = frames.collect::<Result<_, _>>()?;
    Ok(Unanswered { nonce: r.array()?, frames })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_follow_the_link() {
        let mut memory = Memory { server_can: capability::STREAMED, ..Memory::default() };
        assert_eq!((memory.frame_up(), memory.frame_down()), (MOST_LIST, 262_500), "some 37 kB on the wire");
        memory.went_up(100, 10_000);
        assert_eq!(memory.up, RATE, "too little to tell");
        memory.went_up(40_000, 1_500);
        assert_eq!(memory.up, RATE, "about the same");
        for _ in 0..3 {
            memory.went_up(300_000, 100);
        }
        assert_eq!((memory.up, memory.frame_up()), (MOST_RATE, MOST_LIST));
        for _ in 0..10 {
            memory.was_cut();
        }
        assert_eq!((memory.frame_up(), memory.frame_down()), (28_350, 28_350), "some 4 kB on the wire");
        memory.credit = 10_000;
        assert_eq!(memory.body(), 10_000, "never more than the server wants");
    }

    #[test]
    fn what_was_sent_survives_and_damage_is_no_harm() {
        let item = |n: u8| ((RecordId::from_bytes([n; 16]), [n; 32]), n == 7);
        let team = RecordId::from_bytes([9; 16]);
        let frame = |n| SentFrame::new(team, &[n; 64], [item(n), item(7)].into_iter());
        let sent = Unanswered { nonce: [8; 16], frames: vec![frame(1), frame(2)] };
        let bytes = write(&sent);
        assert_eq!(read(&bytes), Ok(sent));
        assert!((1..bytes.len()).all(|cut| read(&bytes[..cut]).is_err()));
        assert!(read(&bytes[1..]).is_err(), "an older program wrote it");
    }
}
