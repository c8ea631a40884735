//! Accounts: who may look at the pages and who may settle what is open there.
//!
//! `password` hashes, `login` is what a browser holds between requests, `throttle` slows down guessing.
//! Names never go into a log line: an account's number does.

mod login;
mod password;
mod throttle;

use wayside_protocol::error::Code;

pub use login::{Login, Token, sign_in_with_link, sign_out, signed_in, still_signed_in, touch, wrote};
pub use throttle::Throttle;

use crate::base::Base;
use crate::error::{Error, Result};
use crate::ledger::Entry;
use crate::log::db::{self, Conn, args};

const MAX_NAME: usize = 64;

/// What somebody may do. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads everything.
    Viewer,
    /// Settles conflicts, too.
    Coordinator,
    /// Everything.
    Administrator,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Coordinator, Role::Administrator];

    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Coordinator => "coordinator",
            Role::Administrator => "administrator",
        }
    }

    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its number in this database.
    pub n: i64,
    pub name: String,
    pub role: Role,
    pub disabled: bool,
}

const COLUMNS: &str = "account.n, account.name, account.role, account.disabled_at";

fn account(row: &db::Row) -> Result<Account> {
    // The table takes no other role; one of a newer version may look and no more.
    let role = Role::parse(&row.get::<String>(2)?).unwrap_or(Role::Viewer);
    let disabled = row.get::<Option<u64>>(3)?.is_some();
    Ok(Account { n: row.get(0)?, name: row.get(1)?, role, disabled })
}

fn by_name(conn: &Conn, name: &str) -> Result<Option<Account>> {
    conn.one(&format!("SELECT {COLUMNS} FROM account WHERE lower(name) = lower(?)"), args![name], account)
}

/// Adds an account. Its name stands as author in what it settles. Blocks.
pub fn add(base: &Base, name: &str, role: Role, password: &str) -> Result<()> {
    let name = name.trim().to_owned();
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        let message = format!("An account's name is 1 to {MAX_NAME} bytes of text.");
        return Err(Error::Said(Code::OutOfRange, message));
    }
    let hash = password::hash(password)?;
    let now = base.clock.now_ms();
    base.log.write(move |txn| {
        if by_name(txn.conn, &name)?.is_some() {
            return Err(Code::AccountExists.into());
        }
        txn.conn.execute(
            "INSERT INTO account (name, role, password, created_at) VALUES (?, ?, ?, ?)",
            args![&name, role.as_str(), &hash, now],
        )?;
        Ok(())
    })
}

/// All accounts, by name. Blocks.
pub fn list(base: &Base) -> Result<Vec<Account>> {
    base.log.read(|conn| {
        conn.all(&format!("SELECT {COLUMNS} FROM account ORDER BY lower(name), name"), &[], account)
    })
}

/// Ends all that an account holds: it is signed out everywhere and stays out. Blocks.
pub fn disable(base: &Base, name: &str) -> Result<()> {
    let (name, now) = (name.trim().to_owned(), base.clock.now_ms());
    let ledger = base.ledger.clone();
    base.log.write(move |txn| {
        let account = by_name(txn.conn, &name)?.ok_or(Code::AccountUnknown)?;
        txn.conn.execute(
            "UPDATE account SET disabled_at = ? WHERE n = ? AND disabled_at IS NULL",
            args![now, account.n],
        )?;
        for sql in ["DELETE FROM login WHERE account = ?", "DELETE FROM sign_in_link WHERE account = ?"] {
            txn.conn.execute(sql, args![account.n])?;
        }
        ledger.note(txn.conn, &Entry::AccountDisabled { name: account.name }, now)
    })
}

/// Makes a link that signs in once, within ten minutes. `url` is where the pages are. Blocks.
pub fn sign_in_link(base: &Base, name: &str, url: &str) -> Result<String> {
    let name = name.trim().to_owned();
    let (code, now) = (Token::fresh(), base.clock.now_ms());
    let digest = code.digest();
    base.log.write(move |txn| {
        let account = by_name(txn.conn, &name)?.ok_or(Code::AccountUnknown)?;
        if account.disabled {
            return Err(Code::AccountDisabled.into());
        }
        login::store_link(txn.conn, &digest, account.n, now)
    })?;
    Ok(format!("{}/sign-in/once?code={}", url.trim_end_matches('/'), code.to_text()))
}

/// Signs in with name and password. Whether the name exists, is disabled or has another password takes
/// the same time and gives the same answer. Blocks for as long as a hash takes.
pub fn sign_in(base: &Base, throttle: &Throttle, name: &str, password: &str) -> Result<Token> {
    let name = name.trim();
    let now = base.clock.now_ms();
    throttle.begin(name, now)?;
    let found: Option<(Account, String)> = base.log.read(|conn| {
        conn.one(
            &format!("SELECT {COLUMNS}, account.password FROM account WHERE lower(name) = lower(?)"),
            args![name],
            |row| Ok((account(row)?, row.get(4)?)),
        )
    })?;
    let stored = found.as_ref().map(|(_, stored)| stored.as_str());
    let matches = password::verify(password, stored);
    match found {
        Some((account, _)) if matches && !account.disabled => {
            throttle.succeeded(name);
            let token = login::begin(base, account.n)?;
            tracing::info!(account = account.n, "signed in");
            Ok(token)
        }
        found => {
            tracing::info!(account = found.map(|(account, _)| account.n), "sign-in refused");
            Err(Code::SignInWrong.into())
        }
    }
}
