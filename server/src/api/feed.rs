//! What changed since somebody last asked: where it begins and ends, how it is sent in as much memory as a few records
//! take, and the feed of FHIR, one resource a line.
//!
//! That feed ends where the views stood when it began. What changes while it runs comes with the next one; so does, once
//! more, whatever changed between two. Places are those of the logs, so that any server gives and understands the same.

use std::fmt;
use std::io;
use std::sync::Arc;

use axum::body::Body;
use data_encoding::BASE64URL_NOPAD;
use futures_util::stream;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, RecordId};

use super::Names;
use super::fhir::Gathering;
use super::records::read;
use crate::error::{Error, Result};
use crate::fhir::{self, Type};
use crate::views::{Position, Views};
use crate::web::Web;

/// Where an answer says from where to ask next, and whether there is more already.
pub const NEXT: &str = "wayside-next";
pub const MORE: &str = "wayside-more";
/// Records read in one snapshot.
const BATCH: usize = 200;
/// Pieces that wait for a slow reader.
const AHEAD: usize = 4;
/// Feeds at once: each has a thread.
static FEEDS: Semaphore = Semaphore::const_new(4);

/// Where a feed ended: for each team the epoch and number in its log. Opaque outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place(Vec<Position>);

const VERSION: u8 = 1;
const POSITION: usize = 16 + 8 + 8;

impl Place {
    /// Empty is where everything begins.
    pub fn parse(text: &str) -> Result<Place> {
        if text.is_empty() {
            return Ok(Place::default());
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Code::CursorInvalid)?;
        let positions = match bytes.split_first() {
            Some((&VERSION, positions)) if positions.len() % POSITION == 0 => positions,
            _ => return Err(Code::CursorInvalid.into()),
        };
        let read = |bytes: &[u8]| {
            let (team, rest) = bytes.split_first_chunk()?;
            let (epoch, seq) = rest.split_first_chunk()?;
            let seq = u64::from_be_bytes(seq.try_into().ok()?);
            // SQLite's numbers have a sign.
            let seq = seq.min(i64::MAX.cast_unsigned());
            Some(Position { team: RecordId::from_bytes(*team), epoch: *epoch, seq })
        };
        Ok(Place(positions.chunks_exact(POSITION).filter_map(read).collect()))
    }

    /// From where a team's log is to be read; from its beginning in another epoch.
    fn of(&self, team: &Position) -> u64 {
        let known = self.0.iter().find(|known| (known.team, known.epoch) == (team.team, team.epoch));
        known.map_or(0, |known| known.seq)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        for position in &self.0 {
            bytes.extend(position.team.as_bytes());
            bytes.extend(position.epoch);
            bytes.extend(position.seq.to_be_bytes());
        }
        f.write_str(&BASE64URL_NOPAD.encode(&bytes))
    }
}

/// A place inside a team's log: a number, and a record among those of one number.
type At = (u64, Option<RecordId>);

/// What somebody asks for: what changed since they asked last.
pub struct Stretch {
    /// For each team after which number, and where it ends.
    pub parts: Vec<(u64, Position)>,
    /// From where to ask next.
    pub next: Place,
    /// Whether there is more already.
    pub more: bool,
}

/// Finds where it begins and ends, after so many records if not at the head.
pub fn stretch(views: &Views, after: &Place, limit: Option<u64>) -> Result<Stretch> {
    let mut left = limit.map(|limit| limit.max(1));
    let (mut parts, mut more) = (Vec::new(), false);
    for head in views.positions()? {
        let from = after.of(&head);
        // A place beyond the head of this server, which has yet to follow the log so far.
        let mut until = head.seq.max(from);
        if let Some(count) = &mut left {
            let last = if *count == 0 { Some(from) } else { views.nth_changed(head.team, from, *count)? };
            match last {
                // All of one number go together.
                Some(last) => {
                    more |= views.nth_changed(head.team, last, 1)?.is_some();
                    (until, *count) = (last, 0);
                }
                None => *count -= views.count_changed(head.team, from)?.min(*count),
            }
        }
        parts.push((from, Position { seq: until, ..head }));
    }
    let next = Place(parts.iter().map(|(_, until)| *until).collect());
    Ok(Stretch { parts, next, more })
}

/// What a reader takes piece by piece, each when it wants it. Whoever writes waits meanwhile.
pub struct Pieces {
    sender: mpsc::Sender<io::Result<Vec<u8>>>,
    _permit: SemaphorePermit<'static>,
}

impl Pieces {
    /// The end that is written to, and the body that is read. [`Error::Busy`] while too many are under way.
    pub fn new() -> Result<(Pieces, Body)> {
        let permit = FEEDS.try_acquire().map_err(|_| Error::Busy(5))?;
        let (sender, mut pieces) = mpsc::channel(AHEAD);
        let body = Body::from_stream(stream::poll_fn(move |context| pieces.poll_recv(context)));
        Ok((Pieces { sender, _permit: permit }, body))
    }

    /// Cuts the answer off, so that nobody takes it for whole. Blocks.
    pub fn cut(&self, error: &Error) {
        tracing::error!(code = %error.code(), detail = error.detail(), "export cut off");
        let _ = self.sender.blocking_send(Err(io::Error::other(error.code().as_str())));
    }

    /// Blocks until the reader wants more.
    fn send(&self, bytes: Vec<u8>) -> io::Result<()> {
        self.sender.blocking_send(Ok(bytes)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes.to_vec())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One answer, before it is read.
pub struct Feed {
    ty: Type,
    stretch: Stretch,
}

/// Finds where the feed begins and ends.
pub fn begin(views: &Views, ty: Type, after: Place, limit: Option<u64>) -> Result<Feed> {
    Ok(Feed { ty, stretch: stretch(views, &after, limit)? })
}

impl Feed {
    /// From where to ask next, and whether there is more already.
    pub fn next(&self) -> (String, bool) {
        (self.stretch.next.to_string(), self.stretch.more)
    }

    /// A body that is read from the views as it is taken.
    pub fn into_body(self, web: Arc<Web>) -> Result<Body> {
        let (pieces, body) = Pieces::new()?;
        tokio::task::spawn_blocking(move || self.write(&web, &pieces));
        Ok(body)
    }

    /// Ends early where the reader has gone.
    fn write(&self, web: &Web, pieces: &Pieces) {
        for (from, until) in &self.stretch.parts {
            let mut at = (*from, None);
            loop {
                match self.batch(web, at, until) {
                    Ok(None) => break,
                    Ok(Some((last, lines))) => {
                        at = last;
                        if !lines.is_empty() && pieces.send(lines).is_err() {
                            return;
                        }
                    }
                    Err(error) => return pieces.cut(&error),
                }
            }
        }
    }

    /// The lines of the next records, and the last of them; `None` at the end.
    fn batch(&self, web: &Web, at: At, until: &Position) -> Result<Option<(At, Vec<u8>)>> {
        read(&web.base, &web.readers, |log, views| {
            let stands = views.positions()?.into_iter().find(|stands| stands.team == until.team);
            if stands.is_none_or(|stands| stands.epoch != until.epoch || stands.seq < until.seq)
                && at.0 < until.seq
            {
                // Derived again or restored meanwhile: what is still to come may not be there yet.
                return Err(Code::ServerFailed.into());
            }
            let changed = views.changed(until.team, at, until.seq, BATCH)?;
            let Some(last) = changed.last() else { return Ok(None) };
            let names = match self.ty {
                Type::Provenance => Names::read(&web.base, log, views)?,
                _ => Names::default(),
            };
            let mut gathering =
                Gathering { log, views, names: &names, done: Default::default(), latest: String::new() };
            let mut lines = Vec::new();
            for changed in &changed {
                if changed.gone {
                    fhir::deletions(self.ty, &changed.id.to_string())
                        .iter()
                        .try_for_each(|gone| line(&mut lines, gone))?;
                    continue;
                }
                let kind = changed.kind.filter(|kind| goes_with(self.ty, *kind));
                for made in kind
                    .map(|kind| gathering.of_type(self.ty, changed.id, kind))
                    .transpose()?
                    .iter()
                    .flatten()
                {
                    line(&mut lines, &made.json)?;
                }
            }
            Ok(Some(((last.seq, Some(last.id)), lines)))
        })
    }
}

/// Whether records of this kind come to resources of this type: the others are not even read.
fn goes_with(ty: Type, kind: Kind) -> bool {
    match ty {
        Type::Organization => kind == Kind::Team,
        Type::Location => matches!(kind, Kind::Site | Kind::Session),
        Type::Patient | Type::Provenance => matches!(kind, Kind::Person | Kind::Contact),
        Type::Consent => kind == Kind::Person,
        Type::Encounter | Type::Observation | Type::ServiceRequest | Type::Task => kind == Kind::Contact,
        Type::Composition => false,
    }
}

fn line(lines: &mut Vec<u8>, json: &serde_json::Value) -> Result<()> {
    serde_json::to_writer(&mut *lines, json).map_err(|_| Error::Internal("JSON of a resource"))?;
    lines.push(b'\n');
    Ok(())
}
