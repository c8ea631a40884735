//! Who is signed in: a random cookie in the browser, its digest here.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::{Account, COLUMNS, account};
use crate::base::Base;
use crate::error::Result;
use crate::log::Position;
use crate::log::db::{Conn, args};

/// Signed out after this long without a request.
const IDLE_MS: u64 = 30 * 60 * 1000;
/// Signed out after this long in any case.
const WHOLE_MS: u64 = 12 * 60 * 60 * 1000;
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

/// An account that is signed in.
#[derive(Debug, Clone)]
pub struct Login {
    pub account: Account,
    digest: [u8; 32],
    used_at: u64,
    /// The last that it wrote. Whoever shows less to it shows too little. `None` where a restore took that away.
    pub wrote: Option<Position>,
}

/// Begins a login and forgets those that have run out. Blocks.
pub fn begin(base: &Base, account: i64) -> Result<Token> {
    let (token, now) = (Token::fresh(), base.clock.now_ms());
    let digest = token.digest();
    base.log.write(move |txn| store(txn.conn, &digest, account, now))?;
    Ok(token)
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
pub fn sign_in_with_link(base: &Base, code: &Token) -> Result<Token> {
    let (token, now) = (Token::fresh(), base.clock.now_ms());
    let (code, digest) = (code.digest(), token.digest());
    base.log.write(move |txn| {
        let account: Option<(i64, u64)> = txn.conn.one(
            "DELETE FROM sign_in_link WHERE code = ? RETURNING account, expires_at",
            args![code],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (account, _) = account.filter(|(_, expires_at)| now < *expires_at).ok_or(Code::LinkInvalid)?;
        store(txn.conn, &digest, account, now)
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
        let wrote = match row.get::<Option<RecordId>>(6)? {
            Some(team) => Some(Position { team, epoch: row.get(7)?, seq: row.get(8)? }),
            None => None,
        };
        let login = Login { account: account(row)?, digest: *digest, used_at: row.get(5)?, wrote };
        Ok((login, row.get::<u64>(4)?))
    })?;
    let running =
        found.filter(|(login, began_at)| now < began_at + WHOLE_MS && now < login.used_at + IDLE_MS);
    Ok(running.map(|(login, _)| login))
}

/// Notes what an account wrote, at each of its logins, in the transaction that writes it: whichever server answers next
/// shows it. Nothing for who has no account, as a command line.
pub fn wrote(conn: &Conn, name: &str, position: &Position) -> Result<()> {
    let sql = "UPDATE login SET wrote_team = ?, wrote_epoch = ?, wrote_seq = ?
         WHERE account = (SELECT n FROM account WHERE name = ?)";
    conn.execute(sql, args![position.team, position.epoch, position.seq, name])?;
    Ok(())
}

/// Whether a login still runs.
pub fn still_signed_in(conn: &Conn, login: &Login, now: u64) -> Result<bool> {
    Ok(find(conn, &login.digest, now)?.is_some())
}

/// Notes that somebody is still there. May be lost; then they sign in again a minute earlier.
pub fn touch(base: &Base, login: &Login) {
    let (digest, now) = (login.digest, base.clock.now_ms());
    if now < login.used_at + NOTED_MS {
        return;
    }
    base.log.post(move |txn| {
        txn.conn
            .execute("UPDATE login SET used_at = ?1 WHERE token = ?2 AND used_at < ?1", args![now, digest])?;
        Ok(())
    });
}

/// Ends one login. Blocks.
pub fn sign_out(base: &Base, login: &Login) -> Result<()> {
    let digest = login.digest;
    base.log.write(move |txn| {
        txn.conn.execute("DELETE FROM login WHERE token = ?", args![digest])?;
        Ok(())
    })
}
