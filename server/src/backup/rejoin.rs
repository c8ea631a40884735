//! A log meets the ledger that it belongs to: what the log does not know of it is done again, and where the log was
//! set back every team gets a new epoch, so that tablets look for what is missing.

use std::sync::Arc;

use wayside_protocol::error::Code;
use wayside_protocol::record::tablet_id;
use wayside_protocol::sync::{PublicKey, sign_certificate};

use crate::error::{Error, Result};
use crate::keys::Identity;
use crate::ledger::{Entry, Ledger, bytes, hex};
use crate::log::db::{Conn, args};
use crate::log::{self, Keeper, Log, Team};
use crate::random::random;

/// Whether a log and its ledger belong together.
enum Bond {
    /// The log knows the whole ledger.
    Current,
    /// The log was set back, or is new beside a ledger that is not.
    Behind,
    /// Neither has met the other.
    First,
}

fn bond(conn: &Conn, identity: &PublicKey, ledger: &Ledger) -> Result<Bond> {
    let position = ledger.position()?;
    let Some(keeper) = log::keeper(conn)? else {
        return Ok(if position == 0 { Bond::First } else { Bond::Behind });
    };
    if keeper.identity != *identity {
        return Err(Code::IdentityMissing.into());
    }
    if keeper.ledger != ledger.id || keeper.position > position {
        return Err(Code::LedgerMissing.into());
    }
    Ok(if keeper.position == position { Bond::Current } else { Bond::Behind })
}

/// Joins a log that is opened to its ledger. One that was set back raises an alarm, and this is true: `restored` says that
/// somebody did so and means it, otherwise it is the ledger that tells. Blocks.
pub fn join(
    log: &Log,
    identity: &Identity,
    ledger: &Arc<Ledger>,
    restored: bool,
    now_ms: u64,
) -> Result<bool> {
    if matches!(log.read(|conn| bond(conn, identity.public(), ledger))?, Bond::Current) && !restored {
        return Ok(false);
    }
    let (identity, ledger) = (identity.clone(), ledger.clone());
    // Looked at again inside: another process may be in the middle of adding to both.
    log.write(move |txn| {
        txn.conn.lock_all()?;
        txn.conn.lock("keeper")?;
        join_alone(txn.conn, &identity, &ledger, restored, now_ms)
    })
}

fn join_alone(
    conn: &Conn,
    identity: &Identity,
    ledger: &Ledger,
    restored: bool,
    now_ms: u64,
) -> Result<bool> {
    match bond(conn, identity.public(), ledger)? {
        Bond::Current if !restored => Ok(false),
        Bond::First => {
            adopt(conn, ledger, now_ms)?;
            let (identity, position) = (*identity.public(), ledger.position()?);
            log::set_keeper(conn, &Keeper { identity, ledger: ledger.id, position })?;
            Ok(false)
        }
        Bond::Current | Bond::Behind => {
            adopt(conn, ledger, now_ms)?;
            let code = if restored { Code::ServerRestored } else { Code::LogReplaced };
            log::alarm(conn, code, None, now_ms)?;
            rejoin(conn, identity, ledger, now_ms)?;
            Ok(true)
        }
    }
}

/// Writes into the ledger what a log holds that never met one.
fn adopt(conn: &Conn, ledger: &Ledger, now_ms: u64) -> Result<()> {
    if log::keeper(conn)?.is_some() {
        return Ok(());
    }
    let mut held: Vec<Entry> =
        log::teams(conn)?.into_iter().map(|Team { id: team, name, .. }| Entry::Team { team, name }).collect();
    conn.each(
        "SELECT enrol_code.secret, tablet.public_key, tablet.name, team.id FROM enrol_code
         JOIN tablet ON tablet.id = enrol_code.used_by JOIN team ON team.n = enrol_code.team",
        &[],
        |row| {
            held.push(Entry::Enrolled {
                code: hex(&row.get::<[u8; 32]>(0)?),
                tablet: hex(&row.get::<PublicKey>(1)?),
                name: row.get(2)?,
                team: row.get(3)?,
            });
            Ok(true)
        },
    )?;
    let names = conn.all("SELECT name FROM account WHERE disabled_at IS NOT NULL", &[], |row| row.get(0))?;
    held.extend(names.into_iter().map(|name| Entry::AccountDisabled { name }));
    held.iter().try_for_each(|entry| ledger.append(entry, now_ms).map(drop))
}

/// Does again what a log that was set back does not know of its ledger, and draws every team a new epoch. What only
/// the older copy still holds open (logins, links) is closed.
pub fn rejoin(conn: &Conn, identity: &Identity, ledger: &Ledger, now_ms: u64) -> Result<()> {
    let position = log::keeper(conn)?.map_or(0, |keeper| keeper.position);
    for entry in ledger.after(position)? {
        replay(conn, identity, &entry, now_ms)?;
    }
    for sql in ["DELETE FROM login", "DELETE FROM sign_in_link"] {
        conn.execute(sql, &[])?;
    }
    let keeper = Keeper { identity: *identity.public(), ledger: ledger.id, position };
    log::set_keeper(conn, &keeper)?;
    for team in log::teams(conn)? {
        draw_epoch(conn, ledger, &team, now_ms)?;
    }
    log::know_ledger(conn, ledger.position()?)
}

/// Gives a team's log a new epoch, in the ledger first. Returns it.
pub fn draw_epoch(conn: &Conn, ledger: &Ledger, team: &Team, now_ms: u64) -> Result<[u8; 8]> {
    let epoch: [u8; 8] = random();
    log::set_epoch(conn, team.n, epoch)?;
    ledger.note(conn, &Entry::Epoch { team: team.id, epoch: hex(&epoch) }, now_ms)?;
    Ok(epoch)
}

fn replay(conn: &Conn, identity: &Identity, entry: &Entry, now_ms: u64) -> Result<()> {
    match entry {
        Entry::Team { team, name } => {
            // Its record comes back from the tablets, signed by this server. The epoch is drawn below.
            conn.execute(
                "INSERT INTO team (id, name, epoch, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                args![team, name, [0; 8], now_ms],
            )?;
        }
        Entry::Enrolled { code, tablet, name, team } => {
            let (code, key): ([u8; 32], PublicKey) = (bytes(code)?, bytes(tablet)?);
            let team = log::team_by_id(conn, *team)?.ok_or(Error::Refused(Code::LedgerMissing))?;
            let (id, certificate) = (tablet_id(&key), sign_certificate(identity.key(), &key));
            log::join_tablet(conn, &log::Joining { id: &id, key, name, certificate, team: team.n }, now_ms)?;
            conn.execute(
                "INSERT INTO enrol_code (secret, team, created_at, expires_at, used_by, used_at)
                 VALUES (?1, ?2, ?3, ?3, ?4, ?3)
                 ON CONFLICT (secret) DO UPDATE SET used_by = excluded.used_by, used_at = excluded.used_at",
                args![code, team.n, now_ms, id],
            )?;
        }
        Entry::AccountDisabled { name } => {
            conn.execute(
                "UPDATE account SET disabled_at = ? WHERE lower(name) = lower(?) AND disabled_at IS NULL",
                args![now_ms, name],
            )?;
        }
        Entry::TokenRevoked { digest } => {
            let sql = "UPDATE api_token SET revoked_at = ? WHERE digest = ? AND revoked_at IS NULL";
            conn.execute(sql, args![now_ms, bytes::<32>(digest)?])?;
        }
        Entry::Renewed { tablet, key } => {
            let (old, new): (PublicKey, PublicKey) = (bytes(tablet)?, bytes(key)?);
            log::renew(conn, &old, &new, sign_certificate(identity.key(), &new), now_ms)?;
        }
        Entry::TeamLeft { tablet, team, .. } => log::take_out(conn, &bytes(tablet)?, *team, now_ms)?,
        Entry::Revoked { tablet } => log::revoke(conn, &bytes(tablet)?, now_ms)?,
        Entry::Erased { record } => log::erase_again(conn, *record, now_ms)?,
        // Drawn anew.
        Entry::Epoch { .. } => {}
    }
    Ok(())
}
