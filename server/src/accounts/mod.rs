//! Accounts: who may look at the pages and who may settle what is open there.
//!
//! `role` says what an account may do and where, `password` hashes, `login` is what a browser holds between requests,
//! `token` what a program holds, `throttle` slows down guessing.
//! Names never go into a log line: an account's number does.

mod login;
mod own;
mod password;
mod role;
pub mod second;
mod throttle;
mod token;

use std::net::IpAddr;

use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

pub use login::{Login, Token, sign_in_with_link, sign_out, signed_in, still_signed_in, touch, wrote};
pub use own::{OwnLogin, change_password, check_password, logins, sign_out_everywhere};
pub use role::{Role, Roles, Teams};
pub(crate) use throttle::place;
pub use throttle::{Attempt, Throttle};
pub use token::{ApiToken, LONGEST_DAYS, Scope, Wish, bearer, issue, presented, revoke, tokens};

use crate::base::Base;
use crate::error::{Error, Result};
use crate::ledger::Entry;
use crate::log::db::{self, Conn, args};
use crate::log::{self, Audited, By};

const MAX_NAME: usize = 64;
/// Whoever operates the server, in the audit trail.
pub(crate) const OPERATOR: &str = "wayside account";
/// For how long an account's address is remembered.
const KNOWN_MS: u64 = 90 * 24 * 60 * 60 * 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its number in this database.
    pub n: i64,
    pub name: String,
    pub roles: Roles,
    pub disabled: bool,
    /// Whether signing in wants a second factor.
    pub second_factor: bool,
}

impl Account {
    /// How many columns [`COLUMNS`] are.
    const WIDTH: usize = 6;

    /// Reads its roles where they are told team by team.
    fn with_roles(mut self, conn: &Conn) -> Result<Account> {
        let Roles::Of(teams) = &mut self.roles else { return Ok(self) };
        let sql =
            "SELECT team.id, account_role.role FROM account_role JOIN team ON team.n = account_role.team
             WHERE account_role.account = ?";
        let of = conn.all(sql, args![self.n], |row| Ok((row.get(0)?, known(&row.get::<String>(1)?))))?;
        *teams = of.into_iter().collect();
        Ok(self)
    }
}

const COLUMNS: &str = "account.n, account.name, account.role, account.disabled_at, account.by_team,
    (SELECT count(*) FROM second_factor AS s WHERE s.account = account.n AND s.confirmed_at IS NOT NULL)";

/// The tables take no other role; one of a newer version may look and no more.
fn known(role: &str) -> Role {
    Role::parse(role).unwrap_or(Role::Viewer)
}

/// An account as its row says; whoever needs its roles asks for them [with theirs](Account::with_roles).
fn read_account(row: &db::Row) -> Result<Account> {
    let roles = match row.get(4)? {
        true => Roles::Of(Default::default()),
        false => Roles::Everywhere(known(&row.get::<String>(2)?)),
    };
    let disabled = row.get::<Option<u64>>(3)?.is_some();
    let second_factor = row.get::<u64>(5)? > 0;
    Ok(Account { n: row.get(0)?, name: row.get(1)?, roles, disabled, second_factor })
}

fn by_name(conn: &Conn, name: &str) -> Result<Option<Account>> {
    conn.one(
        &format!("SELECT {COLUMNS} FROM account WHERE lower(name) = lower(?)"),
        args![name],
        read_account,
    )
}

/// The account of this name. Blocks.
pub fn named(base: &Base, name: &str) -> Result<Option<Account>> {
    base.log.read(|conn| by_name(conn, name.trim()))
}

/// Adds an account, which only whoever operates the server does. Its name stands as author in what it settles. Blocks.
pub fn add(base: &Base, name: &str, role: Role, password: &str) -> Result<()> {
    let name = name.trim().to_owned();
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        let message = format!("An account's name is 1 to {MAX_NAME} bytes of text.");
        return Err(Error::Said(Code::OutOfRange, message));
    }
    let hash = password::hash(password, &name)?;
    let now = base.clock.now_ms();
    base.log.write(move |txn| {
        if by_name(txn.conn, &name)?.is_some() {
            return Err(Code::AccountExists.into());
        }
        txn.conn.execute(
            "INSERT INTO account (name, role, password, created_at) VALUES (?, ?, ?, ?)",
            args![&name, role.as_str(), &hash, now],
        )?;
        let account = by_name(txn.conn, &name)?.ok_or(Error::Internal("an account"))?;
        let reason = format!("account {}: {}", account.n, role.as_str());
        log::audit(txn.conn, &Audited { reason, ..By::from(OPERATOR).does("account_add", now) })
    })
}

/// All accounts, by name. Blocks.
pub fn list(base: &Base) -> Result<Vec<Account>> {
    base.log.read(|conn| {
        let sql = format!("SELECT {COLUMNS} FROM account ORDER BY lower(name), name");
        let accounts = conn.all(&sql, &[], read_account)?;
        accounts.into_iter().map(|account| account.with_roles(conn)).collect()
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
        let reason = format!("account {}", account.n);
        log::audit(txn.conn, &Audited { reason, ..By::from(OPERATOR).does("account_disable", now) })?;
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

/// Gives an account a role: in a team, or in every team, those that come later too, and over the server itself. `None`
/// takes it away. Who had a role in every team and is given one in a team has it there alone. Blocks.
pub fn set_role(
    base: &Base,
    by: impl Into<By>,
    name: &str,
    team: Option<RecordId>,
    role: Option<Role>,
) -> Result<()> {
    let name = name.trim().to_owned();
    let act = by.into().does("set_role", base.clock.now_ms());
    base.log.write(move |txn| {
        let account = by_name(txn.conn, &name)?.ok_or(Code::AccountUnknown)?;
        match (team, role) {
            (None, Some(role)) => {
                let sql = "UPDATE account SET by_team = 0, role = ? WHERE n = ?";
                txn.conn.execute(sql, args![role.as_str(), account.n])?;
                txn.conn.execute("DELETE FROM account_role WHERE account = ?", args![account.n])?;
            }
            (team, role) => {
                let sql = "UPDATE account SET by_team = 1, role = ? WHERE n = ?";
                txn.conn.execute(sql, args![Role::Viewer.as_str(), account.n])?;
                let team = match team {
                    Some(team) => Some(log::team_by_id(txn.conn, team)?.ok_or(Code::TeamUnknown)?.n),
                    None => None,
                };
                let sql = "DELETE FROM account_role WHERE account = ?1 AND (team = ?2 OR ?3 = 1)";
                txn.conn
                    .execute(sql, args![account.n, team.unwrap_or_default(), u64::from(team.is_none())])?;
                if let (Some(team), Some(role)) = (team, role) {
                    let sql = "INSERT INTO account_role (account, team, role) VALUES (?, ?, ?)";
                    txn.conn.execute(sql, args![account.n, team, role.as_str()])?;
                }
            }
        }
        let place = team.map_or_else(|| "every team".to_owned(), |team| format!("team {team}"));
        let role = role.map_or("none", Role::as_str);
        let reason = format!("account {}: {role} in {place}", account.n);
        log::audit(txn.conn, &Audited { reason, ..act.clone() })
    })
}

/// What somebody signs in with.
#[derive(Clone, Default)]
pub struct Credentials {
    pub name: String,
    pub password: String,
    /// Of the second factor; empty where the account has none.
    pub code: String,
    /// From where.
    pub address: Option<IpAddr>,
}

/// Signs in. Whether the name exists, is disabled, has another password or wants another code takes the same time and gives
/// the same answer. Blocks for as long as a hash takes.
pub fn sign_in(base: &Base, throttle: &Throttle, shown: &Credentials) -> Result<(Token, Account)> {
    let name = shown.name.trim();
    let now = base.clock.now_ms();
    let sql = format!("SELECT {COLUMNS}, account.password FROM account WHERE lower(name) = lower(?)");
    let (found, known) = base.log.read(|conn| {
        let found: Option<(Account, String)> =
            conn.one(&sql, args![name], |row| Ok((read_account(row)?, row.get(Account::WIDTH)?)))?;
        let place = shown.address.zip(found.as_ref()).map(|(at, (account, _))| place_of(base, account.n, at));
        let known = place.map(|place| is_known(conn, &place, now)).transpose()?.unwrap_or_default();
        Ok((found, known))
    })?;
    let attempt = Attempt { name, address: shown.address, known };
    throttle.begin(&attempt, now)?;
    let stored = found.as_ref().map(|(_, stored)| stored.as_str());
    let matches = password::verify(&shown.password, stored);
    let number = found.as_ref().map(|(account, _)| account.n);
    let account = found.map(|(account, _)| account).filter(|account| matches && !account.disabled);
    let begun = login::begin(base, account.as_ref(), &shown.code, shown.address)
        .and_then(|token| Ok((token, account.ok_or(Code::SignInWrong)?)));
    if begun.is_ok() {
        throttle.succeeded(&attempt);
        tracing::info!(account = number, "signed in");
    } else {
        tracing::info!(account = number, "sign-in refused");
    }
    begun
}

/// From where an account comes, so that nobody can read where that is.
fn place_of(base: &Base, account: i64, address: IpAddr) -> [u8; 32] {
    let place = throttle::place(address);
    second::keyed(&base.identity, &[b"wayside-address-1", &account.to_be_bytes(), &place])
}

fn is_known(conn: &Conn, place: &[u8; 32], now: u64) -> Result<bool> {
    let since = now.saturating_sub(KNOWN_MS);
    conn.exists("SELECT 1 FROM known_address WHERE address = ? AND last_at > ?", args![place, since])
}
