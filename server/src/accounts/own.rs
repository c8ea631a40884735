//! What everybody does with their own account: its logins, its password.

use wayside_protocol::error::Code;

use super::login::{Held, IDLE_MS, Login, WHOLE_MS};
use super::throttle::{Attempt, Throttle};
use super::{Account, password};
use crate::base::Base;
use crate::error::Result;
use crate::log::db::{Conn, args};
use crate::log::{self, By};

/// One place where an account is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLogin {
    /// Milliseconds since 1970.
    pub began_at: u64,
    pub used_at: u64,
    /// Whoever asks.
    pub this: bool,
}

/// Where an account is signed in now, the last used first. Blocks.
pub fn logins(base: &Base, login: &Login) -> Result<Vec<OwnLogin>> {
    let now = base.clock.now_ms();
    let (whole, idle) = (now.saturating_sub(WHOLE_MS), now.saturating_sub(IDLE_MS));
    let sql = "SELECT token, began_at, used_at FROM login WHERE account = ? AND began_at > ? AND used_at > ?
         ORDER BY used_at DESC, token";
    base.log.read(|conn| {
        conn.all(sql, args![login.account.n, whole, idle], |row| {
            let token: [u8; 32] = row.get(0)?;
            let this = matches!(login.held, Held::Cookie(own) if own == token);
            Ok(OwnLogin { began_at: row.get(1)?, used_at: row.get(2)?, this })
        })
    })
}

/// Ends every login of an account, and every link that would begin one. Tokens of programs stay. Blocks.
pub fn sign_out_everywhere(base: &Base, by: &By, account: &Account) -> Result<()> {
    let (n, act) = (account.n, by.does("sign_out_everywhere", base.clock.now_ms()));
    base.log.write(move |txn| {
        end_logins(txn.conn, n, None)?;
        log::audit(txn.conn, &act)
    })
}

/// Gives an account another password, by who knows the one it has. Every other login of it ends. Guessing is slowed down
/// as at the door. Blocks for as long as two hashes take.
pub fn change_password(
    base: &Base,
    throttle: &Throttle,
    by: &By,
    login: &Login,
    (current, new): (&str, &str),
) -> Result<()> {
    let (account, now) = (&login.account, base.clock.now_ms());
    check_password(base, throttle, account, current, now)?;
    let hash = password::hash(new, &account.name)?;
    let (n, act) = (account.n, by.does("change_password", now));
    let held = match login.held {
        Held::Cookie(digest) => Some(digest),
        Held::Token(_) => None,
    };
    base.log.write(move |txn| {
        txn.conn.execute("UPDATE account SET password = ? WHERE n = ?", args![&hash, n])?;
        end_logins(txn.conn, n, held)?;
        log::audit(txn.conn, &act)
    })
}

/// Whether somebody who is signed in knows the password of their account. Blocks for as long as a hash takes.
pub fn check_password(
    base: &Base,
    throttle: &Throttle,
    account: &Account,
    shown: &str,
    now: u64,
) -> Result<()> {
    // Not counted with who is at the door: who is in already has a bucket of their own.
    let name = format!("{} (signed in)", account.name);
    let attempt = Attempt { name: &name, address: None, known: false };
    throttle.begin(&attempt, now)?;
    let sql = "SELECT password FROM account WHERE n = ?";
    let stored: Option<String> = base.log.read(|conn| conn.one(sql, args![account.n], |row| row.get(0)))?;
    if !password::verify(shown, stored.as_deref()) {
        return Err(Code::SignInWrong.into());
    }
    throttle.succeeded(&attempt);
    Ok(())
}

/// But for one of them.
fn end_logins(conn: &Conn, account: i64, but: Option<[u8; 32]>) -> Result<()> {
    let but = but.map_or_else(Vec::new, |digest| digest.to_vec());
    conn.execute("DELETE FROM login WHERE account = ? AND token <> ?", args![account, but])?;
    conn.execute("DELETE FROM sign_in_link WHERE account = ?", args![account])?;
    Ok(())
}
