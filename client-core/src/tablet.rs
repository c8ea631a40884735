//! The tablet as programs see it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use ed25519_dalek::SigningKey;
use rusqlite::Connection;
use tokio::sync::watch;
use wayside_protocol::{
    clinical::text::Texts,
    error::Code,
    record::{Actor, RecordId, tablet_id},
    sync::{CLOCK_WINDOW_MS, PublicKey},
};

use crate::{
    env::Env,
    error::{Error, Result},
    key::Key,
    store::{Store, archive, index, meta, unsettled},
    sync::Notice,
};

/// A tablet's records and its link to base. Cheap to clone, shared between threads. Calls block for a moment, but
/// for [`Tablet::enrol`] and [`Tablet::sync`]; one that records returns when what it recorded is on disk.
#[derive(Clone)]
pub struct Tablet(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub store: Store,
    pub env: Env,
    /// As it was when it was last looked at.
    identity: RwLock<Arc<Identity>>,
    pub dir: PathBuf,
    pub syncing: AtomicBool,
    /// The time in the head of the last request of this run.
    asked_at: AtomicU64,
    /// Counts what was recorded in this run.
    pub recorded: watch::Sender<u64>,
    /// What is left to do once base has had it wiped.
    pub when_wiped: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// By language, read when first asked for.
    pub texts: Mutex<BTreeMap<String, Arc<Texts>>>,
}

/// Who this tablet is.
pub(crate) struct Identity {
    pub key: SigningKey,
    pub public: PublicKey,
    pub id: String,
    /// Who makes changes in this run: random, never stored, so that a copy of this database forks nothing. Another key has
    /// another one: an actor belongs to whoever signed for it first.
    pub actor: Actor,
    /// How often records had been deleted here. What has an id of its own, as a session, may be begun anew: by the same actor
    /// that would be a fork of what base still has.
    deletions: u64,
}

impl Identity {
    /// With an actor that nobody was before.
    fn new(conn: &Connection, env: &Env) -> Result<Arc<Identity>> {
        let key = meta::identity(conn, env)?;
        let public = key.verifying_key().to_bytes();
        let (actor, deletions) = (env.bytes(), meta::deletions(conn)?);
        Ok(Arc::new(Identity { id: tablet_id(&public), key, public, actor, deletions }))
    }
}

/// A team that this tablet is enrolled in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Team {
    pub id: RecordId,
    pub name: String,
}

/// Records by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    pub site: u64,
    pub session: u64,
    pub person: u64,
    pub contact: u64,
    pub team: u64,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Status {
    /// Changes that the server has not accepted yet: nobody at base can see them.
    pub waiting: u64,
    /// Changes that the server refused; they are kept here and there, with the reason.
    pub quarantined: u64,
    /// Records with conflicts to settle.
    pub conflicts: u64,
    pub last_synced_at: Option<String>,
    /// As of the last sync everything was at base, and nothing was recorded since.
    pub in_sync: bool,
    pub records: Counts,
    pub enrolled: bool,
    pub teams: Vec<Team>,
    /// This tablet's id.
    pub tablet: String,
    /// What people call it.
    pub name: Option<String>,
    /// How far this device's clock is ahead of the server's, in milliseconds; `None` before enrolment.
    pub clock_skew_ms: Option<i64>,
    pub syncing: bool,
    /// Records that base has archived: hidden, and kept here until its backups have them.
    pub archived: u64,
    /// What staff should know, the newest first: restores, copies, erasures, a program that is too old.
    pub notices: Vec<Notice>,
}

impl Tablet {
    /// Opens the tablet in a directory, or makes it.
    pub fn open(dir: &Path, key: &Key) -> Result<Tablet> {
        Tablet::open_with(dir, key, Env::system())
    }

    pub fn open_with(dir: &Path, key: &Key, env: Env) -> Result<Tablet> {
        let store = Store::open(dir, key)?;
        let identity = store.write(|conn| {
            index::bring_up_to_date(conn)?;
            Identity::new(conn, &env)
        })?;
        Ok(Tablet(Arc::new(Inner {
            store,
            identity: RwLock::new(identity),
            env,
            dir: dir.to_owned(),
            syncing: AtomicBool::new(false),
            asked_at: AtomicU64::new(0),
            recorded: watch::channel(0).0,
            when_wiped: Mutex::default(),
            texts: Mutex::default(),
        })))
    }

    /// This tablet's id, derived from its public key: another one after [`Tablet::renew_key`].
    pub fn id(&self) -> String {
        self.0.known().id.clone()
    }

    /// The directory of its database: a front end may keep what is only this tablet's own beside it, as settings of
    /// its screen. Nothing that is in records belongs there, for only the database is encrypted.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// The teams that this tablet is enrolled in.
    pub fn teams(&self) -> Result<Vec<Team>> {
        self.0.store.read(teams)
    }

    pub fn status(&self) -> Result<Status> {
        let syncing = self.0.syncing.load(Ordering::Acquire);
        self.0.store.read(|conn| {
            let open = unsettled::counts(conn)?;
            let settled = meta::get::<i64>(conn, meta::SETTLED)? == Some(1);
            Ok(Status {
                waiting: open.waiting,
                quarantined: open.quarantined,
                conflicts: open.conflicts,
                last_synced_at: meta::get(conn, meta::LAST_SYNCED_AT)?,
                in_sync: settled && open.waiting == 0 && open.quarantined == 0,
                records: counts(conn)?,
                enrolled: meta::server(conn)?.is_some(),
                teams: teams(conn)?,
                tablet: self.0.identity(conn)?.id.clone(),
                name: meta::get(conn, meta::NAME)?,
                clock_skew_ms: meta::get::<i64>(conn, meta::CLOCK_OFFSET)?.map(|offset| -offset),
                syncing,
                archived: archive::retained(conn)?,
                notices: Notice::standing(conn, self.0.env.clock.now_ms())?,
            })
        })
    }
}

fn teams(conn: &Connection) -> Result<Vec<Team>> {
    Ok(meta::teams(conn)?.into_iter().map(|(id, name)| Team { id, name }).collect())
}

/// The hidden ones are few: subtracted, so that the views of all others need not be read.
const COUNTS: &str =
    "SELECT kind, count(*) - (SELECT count(*) FROM record h WHERE h.hidden = 1 AND h.kind = r.kind)
    FROM record r GROUP BY kind";

fn counts(conn: &Connection) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut statement = conn.prepare_cached(COUNTS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, count): (String, u64) = (row.get(0)?, row.get(1)?);
        match kind.as_str() {
            "site" => counts.site = count,
            "session" => counts.session = count,
            "person" => counts.person = count,
            "contact" => counts.contact = count,
            "team" => counts.team = count,
            _ => {}
        }
    }
    Ok(counts)
}

impl Inner {
    fn known(&self) -> Arc<Identity> {
        self.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who this tablet is now: another process may have given it another key, or deleted records.
    pub fn identity(&self, conn: &Connection) -> Result<Arc<Identity>> {
        let known = self.known();
        let same_key = meta::get(conn, meta::SEED)? == Some(known.key.to_bytes());
        if same_key && meta::deletions(conn)? == known.deletions {
            return Ok(known);
        }
        let now = Identity::new(conn, &self.env)?;
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = now.clone();
        Ok(now)
    }

    /// What time it is at the server as estimated here, for the head of a request, in milliseconds since 1970. Later than in
    /// any before it in this run: base sees by it which was long on its way. Unless a clock was put back by so much that base
    /// would not believe it.
    pub fn asks_at(&self, conn: &Connection) -> Result<u64> {
        let offset: i64 = meta::get(conn, meta::CLOCK_OFFSET)?.unwrap_or(0);
        let time = u64::try_from(self.env.clock.now_ms().saturating_add(offset)).unwrap_or(0);
        let after = |last: u64| {
            let ahead = last.checked_sub(time).is_some_and(|ahead| ahead < CLOCK_WINDOW_MS / 2);
            if ahead { last + 1 } else { time }
        };
        let last = self.asked_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(after(last)));
        Ok(last.map_or(time, after))
    }

    /// The team that something new belongs to: the one named, else the only one, else none yet.
    pub fn team_for(&self, conn: &Connection, named: Option<RecordId>) -> Result<Option<RecordId>> {
        let teams = meta::teams(conn)?;
        match (named, teams.as_slice()) {
            (Some(team), teams) if teams.iter().any(|(id, _)| *id == team) => Ok(Some(team)),
            (Some(_), _) => Err(Error::Failed(Code::TeamNotAllowed)),
            (None, []) => Ok(None),
            (None, [(team, _)]) => Ok(Some(*team)),
            (None, _) => Err(Error::Failed(Code::TeamAmbiguous)),
        }
    }
}
