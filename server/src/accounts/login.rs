//! Who is signed in: a random cookie in the browser, its digest here.

use std::net::IpAddr;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::token::{self, Scope};
use super::{Account, COLUMNS, KNOWN_MS, place_of, read_account, second};
use crate::base::Base;
use crate::error::Result;
use crate::log::db::{Conn, Row, args};
use crate::log::{self, Audited, By, Position};

/// Signed out after this long without a request.
pub(super) const IDLE_MS: u64 = 30 * 60 * 1000;
/// Signed out after this long in any case.
pub(super) const WHOLE_MS: u64 = 12 * 60 * 60 * 1000;
/// How long a link can be used.
const LINK_MS: u64 = 10 * 60 * 1000;
/// Last use is noted no more often than this.
const NOTED_MS: u64 = 60 * 1000;

/// 32 random bytes that only their holder knows: a login's cookie, or the code of a one-time link.
pub struct Token([u8; 32]);

impl Token {
    pub fn fresh() -> Token {
        Token(rand::random())
    }

    pub(super) fn of(bytes: [u8; 32]) -> Token {
        Token(bytes)
    }

    pub fn parse(text: &str) -> Option<Token> {
        BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(Token)
    }

    pub fn to_text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    /// What is stored. No salt is needed for 256 random bits.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

/// An account that is signed in, somebody with a browser or a program with a token.
#[derive(Debug, Clone)]
pub struct Login {
    pub account: Account,
    /// What a program's token was made for: it may do nothing else. `None` for somebody with a browser.
    pub scopes: Option<Vec<Scope>>,
    pub(super) held: Held,
    pub(super) used_at: u64,
    /// The last that it wrote. Whoever shows less to it shows too little. `None` where a restore took that away.
    pub wrote: Option<Position>,
}

/// What its holder showed, by its digest.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held {
    Cookie([u8; 32]),
    Token([u8; 32]),
}

/// Begins a login of who showed their password, with the code of the second factor; remembers from where, and forgets logins
/// that have run out. Who showed another waits for the writer as well: how long that takes says nothing of the password.
/// Blocks.
pub(super) fn begin(
    base: &Base,
    account: Option<&Account>,
    code: &str,
    address: Option<IpAddr>,
) -> Result<Token> {
    let (token, now) = (Token::fresh(), base.clock.now_ms());
    let digest = token.digest();
    let (identity, code) = (base.identity.clone(), code.to_owned());
    let known = account.map(|account| {
        let place = address.map(|address| place_of(base, account.n, address));
        (account.n, place, signs_in(account.n, &account.name, address, now))
    });
    base.log.write(move |txn| {
        let (account, place, act) = known.as_ref().ok_or(Code::SignInWrong)?;
        if !second::take(txn.conn, &identity, *account, &code, now)? {
            return Err(Code::SignInWrong.into());
        }
        if let Some(place) = place {
            remember(txn.conn, *account, place, now)?;
        }
        store(txn.conn, &digest, *account, now)?;
        log::audit(txn.conn, act)
    })?;
    Ok(token)
}

fn signs_in(account: i64, name: &str, address: Option<IpAddr>, now: u64) -> Audited {
    let address = address.map(|address| address.to_canonical().to_string()).unwrap_or_default();
    By { who: name.to_owned(), account: Some(account), address }.does("sign_in", now)
}

fn remember(conn: &Conn, account: i64, place: &[u8; 32], now: u64) -> Result<()> {
    let old = now.saturating_sub(KNOWN_MS);
    conn.execute("DELETE FROM known_address WHERE last_at <= ?", args![old])?;
    conn.execute(
        "INSERT INTO known_address (account, address, last_at) VALUES (?, ?, ?)
         ON CONFLICT (account, address) DO UPDATE SET last_at = excluded.last_at",
        args![account, place, now],
    )?;
    Ok(())
}

fn store(conn: &Conn, digest: &[u8; 32], account: i64, now: u64) -> Result<()> {
    let (whole, idle) = (now.saturating_sub(WHOLE_MS), now.saturating_sub(IDLE_MS));
    conn.execute("DELETE FROM login WHERE began_at <= ? OR used_at <= ?", args![whole, idle])?;
    // Disabled just now? Then nothing is stored.
    let stored = conn.execute(
        "INSERT INTO login (token, account, began_at, used_at)
             SELECT ?1, n, ?2, ?2 FROM account WHERE n = ?3 AND disabled_at IS NULL",
        args![digest, now, account],
    )?;
    if stored == 1 { Ok(()) } else { Err(Code::SignInWrong.into()) }
}

pub(super) fn store_link(conn: &Conn, digest: &[u8; 32], account: i64, now: u64) -> Result<()> {
    conn.execute("DELETE FROM sign_in_link WHERE expires_at <= ?", args![now])?;
    conn.execute(
        "INSERT INTO sign_in_link (code, account, expires_at) VALUES (?, ?, ?)",
        args![digest, account, now + LINK_MS],
    )?;
    Ok(())
}

/// Takes the code of a link: it works once. Blocks.
pub fn sign_in_with_link(base: &Base, code: &Token, address: Option<IpAddr>) -> Result<Token> {
    let (token, now) = (Token::fresh(), base.clock.now_ms());
    let (code, digest) = (code.digest(), token.digest());
    base.log.write(move |txn| {
        let account: Option<(i64, u64)> = txn.conn.one(
            "DELETE FROM sign_in_link WHERE code = ? RETURNING account, expires_at",
            args![code],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (account, _) = account.filter(|(_, expires_at)| now < *expires_at).ok_or(Code::LinkInvalid)?;
        store(txn.conn, &digest, account, now)?;
        let name: String =
            txn.conn.only("SELECT name FROM account WHERE n = ?", args![account], |row| row.get(0))?;
        log::audit(txn.conn, &signs_in(account, &name, address, now))
    })?;
    Ok(token)
}

/// Whose login a token is, if it still runs.
pub fn signed_in(conn: &Conn, token: &Token, now: u64) -> Result<Option<Login>> {
    find(conn, &token.digest(), now)
}

fn find(conn: &Conn, digest: &[u8; 32], now: u64) -> Result<Option<Login>> {
    let sql = format!(
        "SELECT {COLUMNS}, login.began_at, login.used_at, team.id, team.epoch, login.wrote_seq
         FROM login JOIN account ON account.n = login.account
             LEFT JOIN team ON team.id = login.wrote_team AND team.epoch = login.wrote_epoch
         WHERE login.token = ? AND account.disabled_at IS NULL"
    );
    let found = conn.one(&sql, args![digest], |row| {
        let (began_at, used_at): (u64, u64) = (row.get(Account::WIDTH)?, row.get(Account::WIDTH + 1)?);
        Ok((read_account(row)?, began_at, used_at, position(row, Account::WIDTH + 2)?))
    })?;
    let running =
        found.filter(|(_, began_at, used_at, _)| now < began_at + WHOLE_MS && now < used_at + IDLE_MS);
    let Some((account, _, used_at, wrote)) = running else { return Ok(None) };
    let account = account.with_roles(conn)?;
    Ok(Some(Login { account, scopes: None, held: Held::Cookie(*digest), used_at, wrote }))
}

/// A place in the log from three columns, if its team still is in that epoch.
pub(super) fn position(row: &Row, at: usize) -> Result<Option<Position>> {
    Ok(match row.get::<Option<RecordId>>(at)? {
        Some(team) => Some(Position { team, epoch: row.get(at + 1)?, seq: row.get(at + 2)? }),
        None => None,
    })
}

/// Notes what an account wrote, at each of its logins and tokens, in the transaction that writes it: whichever server answers next
/// shows it. Nothing for who has no account, as a command line.
pub fn wrote(conn: &Conn, name: &str, position: &Position) -> Result<()> {
    for table in ["login", "api_token"] {
        let sql = format!(
            "UPDATE {table} SET wrote_team = ?, wrote_epoch = ?, wrote_seq = ?
             WHERE account = (SELECT n FROM account WHERE name = ?)"
        );
        conn.execute(&sql, args![position.team, position.epoch, position.seq, name])?;
    }
    Ok(())
}

/// The same login as it stands now, if it still runs: what its account may do can have changed.
pub fn still_signed_in(conn: &Conn, login: &Login, now: u64) -> Result<Option<Login>> {
    match &login.held {
        Held::Cookie(digest) => find(conn, digest, now),
        Held::Token(digest) => token::find(conn, digest, now),
    }
}

/// Notes that somebody is still there. May be lost; then they sign in again a minute earlier.
pub fn touch(base: &Base, login: &Login) {
    let digest = match login.held {
        Held::Cookie(digest) => digest,
        Held::Token(digest) => return token::touch(base, digest, login.used_at),
    };
    let now = base.clock.now_ms();
    if now < login.used_at + NOTED_MS {
        return;
    }
    base.log.post(move |txn| {
        txn.conn
            .execute("UPDATE login SET used_at = ?1 WHERE token = ?2 AND used_at < ?1", args![now, digest])?;
        Ok(())
    });
}

/// Ends one login; a token is ended by who made it. Blocks.
pub fn sign_out(base: &Base, by: &By, login: &Login) -> Result<()> {
    let Held::Cookie(digest) = login.held else { return Ok(()) };
    let act = by.does("sign_out", base.clock.now_ms());
    base.log.write(move |txn| {
        txn.conn.execute("DELETE FROM login WHERE token = ?", args![digest])?;
        log::audit(txn.conn, &act)
    })
}
