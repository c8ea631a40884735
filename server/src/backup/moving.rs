//! A log that moves: from one machine's file to a database that nodes share, and back.
//!
//! The old place is sealed first, so that nothing comes to it that the copy lacks; it stays sealed when all is done.
//! The ledger goes along, before the log: a log that knows more than its ledger is refused.

use std::io::ErrorKind;
use std::path::PathBuf;

use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::sync::Fingerprint;

use super::{LOG, rejoin, sum_is_right};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::keys;
use crate::ledger::Ledger;
use crate::log::{self, Conn, Place};

/// Where a log and its ledger lie.
pub enum Where {
    /// `DIR/log.db` and `DIR/keys/ledger.db`.
    Dir(PathBuf),
    Shared(Box<Shared>),
}

impl Where {
    /// A directory, or the address of a database, which then needs a second one for the ledger.
    pub fn parse(log: &str, ledger: Option<&str>) -> Result<Where> {
        match (Place::is_one(log), ledger) {
            (true, Some(ledger)) => {
                Ok(Where::Shared(Box::new(Shared { log: Place::typed(log)?, ledger: Place::typed(ledger)? })))
            }
            (false, None) => Ok(Where::Dir(log.into())),
            (true, None) => Err(Error::Said(
                Code::BadArguments,
                "A shared log needs the address of its ledger, too.".into(),
            )),
            (false, Some(_)) => Err(Error::Said(
                Code::BadArguments,
                "The ledger of a data directory is in it: name none.".into(),
            )),
        }
    }

    fn log(&self) -> Result<Conn> {
        match self {
            Where::Dir(dir) => log::open_file(&dir.join(LOG)),
            Where::Shared(shared) => log::open_place(&shared.log),
        }
    }

    fn ledger(&self) -> Result<Ledger> {
        match self {
            Where::Dir(dir) => Ledger::open(dir),
            Where::Shared(shared) => Ledger::open_shared(&shared.ledger),
        }
    }

    fn holds_a_log(&self) -> bool {
        match self {
            Where::Dir(dir) => dir.join(LOG).is_file() && Ledger::exists(dir),
            Where::Shared(_) => true,
        }
    }
}

/// Two databases.
pub struct Shared {
    pub log: Place,
    pub ledger: Place,
}

/// Moves a whole log with its ledger to an empty place, proves the copy whole, and leaves the old place sealed. One that
/// broke off left nothing behind, but the seal: run it again, or take the seal off ([`unseal`]). `told` hears how many
/// rows were written. Returns where each team's log ends. Blocks.
pub fn move_log(from: &Where, to: &Where, now_ms: u64, told: &mut dyn FnMut(u64)) -> Result<Vec<Standing>> {
    if !from.holds_a_log() {
        return Err(Error::File("data directory", ErrorKind::NotFound.into()));
    }
    if let Where::Dir(dir) = to {
        // Tablets know the server by its key: it is copied by hand, like every secret.
        keys::present(dir, false)?;
    }
    let (source, ledger) = (from.log()?, from.ledger()?);
    if log::keeper(&source)?.is_none() {
        return Err(Error::File("data directory", ErrorKind::NotFound.into()));
    }
    source.alone(|source| log::seal(source, now_ms))?;
    match to {
        Where::Dir(dir) => ledger.copy_beside_keys(dir)?,
        Where::Shared(shared) => ledger.copy_to(&shared.ledger)?,
    }
    let target = to.log()?;
    source.at_one_moment(|source| {
        target.alone(|target| {
            log::copy_all(source, target, told)?;
            let standing = standing(source)?;
            if standing != proven(target)? {
                return Err(Code::BackupDamaged.into());
            }
            Ok(standing)
        })
    })
}

/// Where a team's log ends: epoch, number and fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub team: RecordId,
    pub epoch: [u8; 8],
    pub head: u64,
    pub fingerprint: Fingerprint,
}

fn standing(conn: &Conn) -> Result<Vec<Standing>> {
    let teams = log::teams(conn)?.into_iter().map(|team| {
        let fingerprint = log::sum_at(conn, team.n, team.head)?.fingerprint();
        Ok(Standing { team: team.id, epoch: team.epoch, head: team.head, fingerprint })
    });
    teams.collect()
}

/// The same, where every team's log is without a gap and its sums are right, computed anew from its changes.
fn proven(conn: &Conn) -> Result<Vec<Standing>> {
    for team in log::teams(conn)? {
        if !sum_is_right(conn, &team)? {
            return Err(Code::BackupDamaged.into());
        }
    }
    standing(conn)
}

/// Opens a log again that was sealed when it was copied. Each team gets a new epoch, in case that the copy was served
/// meanwhile: tablets then look for what is missing. Blocks.
pub fn unseal(base: &Base) -> Result<()> {
    let (ledger, now) = (base.ledger.clone(), base.clock.now_ms());
    base.log.write_sealed(move |txn| {
        log::unseal(txn.conn)?;
        for team in log::teams(txn.conn)? {
            rejoin::draw_epoch(txn.conn, &ledger, &team, now)?;
        }
        Ok(())
    })
}

/// Proves that a copy of this log, restored from a dump into a scratch database, is whole and a beginning of it, and
/// notes it as a restore point. Returns how many changes and entries it lacks. Blocks.
pub fn check_copy(base: &Base, scratch: &Place) -> Result<u64> {
    let copy = Conn::reader(scratch)?;
    let now = base.clock.now_ms();
    let found = copy.at_one_moment(proven)?;
    let (heads, behind) = base.log.read(|conn| {
        let (mut heads, mut behind) = (Vec::new(), 0);
        for copied in &found {
            let live = log::team_by_id(conn, copied.team)?.ok_or(Code::BackupDamaged)?;
            if (live.epoch, live.head.min(copied.head)) != (copied.epoch, copied.head)
                || log::sum_at(conn, live.n, copied.head)?.fingerprint() != copied.fingerprint
            {
                return Err(Code::BackupDamaged.into());
            }
            behind += live.head - copied.head;
            heads.push((live.n, copied.head));
        }
        Ok((heads, behind))
    })?;
    base.log.write(move |txn| log::add_restore_point(txn.conn, now, &heads))?;
    Ok(behind)
}
