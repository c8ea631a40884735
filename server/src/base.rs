//! A data directory, opened: the log, the keys, and what an administrator does with them.
//!
//! Everything here works beside a running `serve` on the same directory, and without one.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Actor, Author, Kind, Message, Record, RecordId, Scalar, Write, tablet_id};
use wayside_protocol::sync::frame::PROTOCOL_VERSION;
use wayside_protocol::sync::{EnrolmentCode, sign_list};

use crate::admission::{Offer, Offered, SignedList};
use crate::backup;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::health::Metrics;
use crate::keys::{self, Identity, Tls};
use crate::ledger::{Entry, Ledger};
use crate::limits::Limits;
use crate::log::{self, Audited, Log, Noted, Place, Source, Verified};
use crate::random::random;
use crate::sync::{Nonces, Refused, Sets, Turns};
use crate::views::Followed;

/// What stands as author in changes that the server makes on its own.
const SERVER: &str = "server";
const MAX_TEAM_NAME: usize = 200;
/// After so many rows the ledger notes where the audit trail ends.
const TRAIL_NOTED: u64 = 256;

pub struct Base {
    data: PathBuf,
    pub log: Arc<Log>,
    pub identity: Identity,
    pub ledger: Arc<Ledger>,
    pub clock: Clock,
    /// Fresh and random for this run of the process, never stored.
    actor: Actor,
    /// What pages that are open compare themselves with, told when the views have caught up.
    viewed: watch::Sender<String>,
    /// Requests of tablets that were here before.
    pub(crate) nonces: Nonces,
    pub(crate) turns: Turns,
    /// What anybody may ask of this server, and how often it said no.
    pub limits: Limits,
    /// What this process counts.
    pub(crate) metrics: Arc<Metrics>,
    /// Tablets that were refused a moment ago, as the audit trail tells of them.
    pub(crate) refused: Refused,
    /// Of comparisons under way.
    pub(crate) sets: Sets,
    /// Tablets that speak an older version of the sync protocol only send.
    oldest_version: AtomicU8,
    /// Whether administrators need a second factor.
    second_factor: AtomicBool,
    frames_again: AtomicU64,
    /// In which stretch of so many rows the audit trail ended when this process added to it last.
    trail_part: AtomicU64,
    /// Raised when requests that wait for news should end.
    closing: watch::Sender<bool>,
    /// How far the views have followed the log, if somebody follows it here.
    pub(crate) followed: Followed,
}

/// Where log and ledger lie, if not in the data directory.
#[derive(Clone, Default)]
pub struct Places {
    pub(crate) log: Option<Place>,
    pub(crate) ledger: Option<Place>,
}

impl Places {
    /// From addresses as [`Place::parse`] takes them. Several nodes share both or neither.
    pub fn parse(log: Option<&str>, ledger: Option<&str>) -> Result<Places> {
        if log.is_some() != ledger.is_some() {
            let says =
                "A shared log needs a shared ledger, in a database of its own: give both --log and --ledger.";
            return Err(Error::Said(Code::BadArguments, says.into()));
        }
        Ok(Places { log: log.map(Place::parse).transpose()?, ledger: ledger.map(Place::parse).transpose()? })
    }

    /// Whether other nodes may be over the same log.
    pub fn are_shared(&self) -> bool {
        self.log.is_some()
    }
}

/// Says no address: there is a password in it.
impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.are_shared() { "shared" } else { "embedded" })
    }
}

/// Where `serve` listened last, kept in `DIR/address.json` for enrolment codes.
#[derive(Serialize, Deserialize)]
struct Address {
    url: String,
    /// The pin of the certificate shown there, in hexadecimal.
    pin: String,
    /// Where the pages were served on this machine without TLS, if they were.
    #[serde(default)]
    pages: Option<String>,
}

impl Base {
    /// Opens a data directory with its own log; an empty or missing one becomes a new server.
    pub fn open(data: &Path, clock: Clock) -> Result<Base> {
        Base::open_at(data, &Places::default(), clock)
    }

    /// Opens a data directory as one of the nodes over a shared log, or with its own. Blocks.
    pub fn open_at(data: &Path, places: &Places, clock: Clock) -> Result<Base> {
        Base::open_log(data, places, clock, false)
    }

    /// Opens it after the log was set back by its database's own tools: does again what the ledger knows and the log does
    /// not, and draws each team a new epoch, so that tablets give back what is missing. Blocks.
    pub fn open_restored(data: &Path, places: &Places, clock: Clock) -> Result<Base> {
        Base::open_log(data, places, clock, true)
    }

    fn open_log(data: &Path, places: &Places, clock: Clock, restored: bool) -> Result<Base> {
        // Records of people lie here: for the server's own account alone.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data)
            .map_err(|error| Error::File("data directory", error))?;
        let log = match &places.log {
            Some(place) => Log::open_shared(place)?,
            None => Log::open(data)?,
        };
        if log.read(log::keeper)?.is_some() {
            // New ones would not fit: tablets know this server by its key, and a restore might undo an erasure.
            keys::present(data, places.ledger.is_none())?;
        }
        let identity = Identity::open(data)?;
        let ledger = match &places.ledger {
            Some(place) => Ledger::open_shared(place)?,
            None => Ledger::open(data)?,
        };
        let ledger = Arc::new(ledger);
        let was_set_back = backup::join(&log, &identity, &ledger, restored, clock.now_ms())?;
        let trail_part = log.read(log::audit_head)?.place / TRAIL_NOTED;
        let base = Base {
            data: data.to_owned(),
            identity,
            ledger,
            log: Arc::new(log),
            clock,
            actor: random(),
            viewed: watch::channel(String::new()).0,
            nonces: Nonces::default(),
            turns: Turns::default(),
            limits: Limits::default(),
            metrics: Arc::default(),
            refused: Refused::default(),
            sets: Sets::default(),
            oldest_version: AtomicU8::new(PROTOCOL_VERSION),
            second_factor: AtomicBool::new(false),
            frames_again: AtomicU64::new(0),
            trail_part: AtomicU64::new(trail_part),
            closing: watch::channel(false).0,
            followed: Followed::default(),
        };
        if was_set_back {
            let head = base.log.read(log::audit_head)?;
            base.ledger.note_trail(&Noted { head, restored: true }, base.clock.now_ms())?;
            // Erasures were done again.
            base.scrub()?;
        }
        Ok(base)
    }

    /// From now on, tablets that speak an older version of the sync protocol than this may send what they recorded, are
    /// sent nothing, and are told to be updated.
    pub fn require_version(&self, version: u8) {
        self.oldest_version.store(version, Ordering::Relaxed);
    }

    /// From now on an administrator who has no second factor may do nothing but set one up.
    pub fn require_second_factor(&self) {
        self.second_factor.store(true, Ordering::Relaxed);
    }

    pub(crate) fn second_factor_needed(&self) -> bool {
        self.second_factor.load(Ordering::Relaxed)
    }

    pub(crate) fn oldest_version(&self) -> u8 {
        self.oldest_version.load(Ordering::Relaxed)
    }

    /// Frames in which a tablet sent what the log had already, in this run: what cut links cost.
    pub fn frames_sent_again(&self) -> u64 {
        self.frames_again.load(Ordering::Relaxed)
    }

    pub(crate) fn count_frame_again(&self) {
        self.frames_again.fetch_add(1, Ordering::Relaxed);
    }

    /// Turns true when the server is about to end.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Writes log and views anew, so that nothing stays in them of what was deleted. Others wait for it. Blocks.
    pub(crate) fn scrub(&self) -> Result<()> {
        ["log.db", "views.db"]
            .into_iter()
            .map(|name| self.data.join(name))
            .filter(|path| path.is_file())
            .try_for_each(|path| log::scrub(&path))
    }

    /// Appends to the audit trail; durable when it returns. Now and then the ledger notes where the trail ends. Blocks.
    pub fn audit(&self, acts: Vec<Audited>) -> Result<()> {
        let head = self.log.write(move |txn| log::audit_all(txn.conn, &acts))?;
        // Acts that write their own rows come in between: counted by where the trail ends.
        let part = head.place / TRAIL_NOTED;
        if self.trail_part.swap(part, Ordering::Relaxed) != part {
            self.ledger.note_trail(&Noted { head, restored: false }, self.clock.now_ms())?;
        }
        Ok(())
    }

    /// Has the ledger note where the audit trail ends now, if that is not where it ended when it did so last. Blocks.
    pub fn note_trail(&self) -> Result<()> {
        self.tell_refused();
        let head = self.log.read(log::audit_head)?;
        let known = self.ledger.trail()?.last().is_some_and(|noted| noted.head == head);
        if known || head.place == 0 {
            return Ok(());
        }
        self.ledger.note_trail(&Noted { head, restored: false }, self.clock.now_ms())
    }

    /// Proves the audit trail against itself and against what the ledger noted of it. Blocks.
    pub fn verify_audit(&self) -> Result<Verified> {
        let noted = self.ledger.trail()?;
        self.log.read(|conn| log::verify_audit(conn, &noted))
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Changes once the views show something new. Says that, not what.
    pub fn viewed(&self) -> watch::Receiver<String> {
        self.viewed.subscribe()
    }

    pub(crate) fn now_viewed(&self, position: String) {
        self.viewed.send_if_modified(|held| {
            let moved = *held != position;
            *held = position;
            moved
        });
    }

    /// Adds a team and returns its id, which is also the id of its record.
    pub fn team_add(&self, name: &str) -> Result<RecordId> {
        let name = name.trim().to_owned();
        if name.is_empty() || name.len() > MAX_TEAM_NAME {
            let message = format!("A team's name is 1 to {MAX_TEAM_NAME} bytes long.");
            return Err(Error::Said(Code::OutOfRange, message));
        }
        let now = self.clock.now_ms();
        let id = RecordId::fresh(now, &random());
        let epoch = random();
        let offer = self.team_record(id, &name, now)?;
        let (source, ledger) = (self.source(now), self.ledger.clone());
        self.log.write(move |txn| {
            log::add_team(txn, id, &name, epoch, now)?;
            log::append(txn, &source, std::slice::from_ref(&offer), &[])?;
            ledger.note(txn.conn, &Entry::Team { team: id, name: name.clone() }, now)
        })?;
        Ok(id)
    }

    /// Begins the record of a team that has none.
    pub(crate) fn begin_team_record(&self, id: RecordId, name: &str) -> Result<()> {
        let now = self.clock.now_ms();
        let (offer, source) = (self.team_record(id, name, now)?, self.source(now));
        self.log.write_for(id, move |txn| log::append(txn, &source, std::slice::from_ref(&offer), &[]))?;
        Ok(())
    }

    fn team_record(&self, id: RecordId, name: &str, now: u64) -> Result<Offer> {
        let writes = [Write { path: "name".into(), value: Scalar::Text(name.to_owned()) }];
        self.author(id, id, Kind::Team, &writes, now)
    }

    /// A record's beginning by the server's own hand, signed as a list of one.
    fn author(&self, team: RecordId, id: RecordId, kind: Kind, writes: &[Write], now: u64) -> Result<Offer> {
        let message = Message {
            at: Timestamp::from_second(i64::try_from(now / 1000).unwrap_or_default())
                .unwrap_or_default()
                .to_string(),
            by: SERVER.into(),
            offset: 0,
            tablet: tablet_id(self.identity.public()),
            supersedes: Vec::new(),
            reason: String::new(),
        };
        let author = Author { actor: self.actor, fresh: random(), message: &message };
        let (_, authored) =
            Record::begin(id, kind, writes, &author).map_err(|_| Error::Internal("a record's beginning"))?;
        let items = vec![(id, authored.hash)];
        let signature = sign_list(self.identity.key(), team, &items);
        let list = SignedList { author: *self.identity.public(), signature, items };
        let change = Offered { record: id, hash: authored.hash, raw: authored.raw, list: 0 };
        Ok(Offer { team, lists: vec![list], changes: vec![change] })
    }

    fn source(&self, received_at: u64) -> Source {
        let server = *self.identity.public();
        Source { tablet: tablet_id(&server), server, received_at, turn: None, quotas: None }
    }

    /// Makes a one-time code for a tablet of this team. Without a URL it is the one where `serve`
    /// listened last.
    pub fn enrol_code(&self, team: &str, url: Option<&str>) -> Result<EnrolmentCode> {
        let team = self.log.read(|conn| log::team_by_name(conn, team.trim()))?.ok_or(Code::TeamUnknown)?;
        self.make_enrol_code(&team, url, None)
    }

    /// The same, with a row of the audit trail in the transaction that makes it.
    pub(crate) fn make_enrol_code(
        &self,
        team: &log::Team,
        url: Option<&str>,
        act: Option<Audited>,
    ) -> Result<EnrolmentCode> {
        let address = self.address()?;
        let url = match (url, &address) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(address)) => address.url.clone(),
            (None, None) => {
                let message = "This server has not listened anywhere yet: start it, or give --url.";
                return Err(Error::Said(Code::MissingField, message.into()));
            }
        };
        let pin = match address {
            Some(address) => data_encoding::HEXLOWER
                .decode(address.pin.as_bytes())
                .ok()
                .and_then(|pin| pin.try_into().ok())
                .ok_or(Error::Internal("address file"))?,
            None => Tls::open(&self.data, None, None)?.pin,
        };
        let secret: [u8; 16] = random();
        let now = self.clock.now_ms();
        let team = team.id;
        self.log.write(move |txn| {
            log::make_code(txn, team, &secret, now)?;
            act.as_ref().map_or(Ok(()), |act| log::audit(txn.conn, act))
        })?;
        Ok(EnrolmentCode { url, pin, secret })
    }

    fn address(&self) -> Result<Option<Address>> {
        match fs::read(self.data.join("address.json")) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|_| Error::Internal("address file"))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::File("address file", error)),
        }
    }

    /// Where people found the pages last.
    pub fn pages_url(&self) -> Result<String> {
        let message = "This server has not listened anywhere yet: start it, or give --base.";
        let address = self.address()?.ok_or_else(|| Error::Said(Code::MissingField, message.into()))?;
        Ok(address.pages.unwrap_or(address.url))
    }

    /// Remembers where tablets reach this server, and people its pages.
    pub(crate) fn listens(&self, url: &str, pin: &[u8; 32], pages: Option<String>) -> Result<()> {
        let pin = data_encoding::HEXLOWER.encode(pin);
        let address = Address { url: url.to_owned(), pin, pages };
        let text = serde_json::to_vec(&address).map_err(|_| Error::Internal("address file"))?;
        // It may be the first thing that a full disk does not take.
        if fs::read(self.data.join("address.json")).is_ok_and(|held| held == text) {
            return Ok(());
        }
        let draft = self.data.join(format!("address.{:016x}", random::<u64>()));
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, self.data.join("address.json")))
            .map_err(|error| Error::File("address file", error))
    }
}

/// Rests so long, or until the server is about to end: then true.
pub(crate) async fn ends_within(closing: &mut watch::Receiver<bool>, rest: Duration) -> bool {
    timeout(rest, closing.wait_for(|closing| *closing)).await.is_ok()
}
