//! Tokens of programs: what a program signs in with in the name of an account, for as long as that account may.

use data_encoding::BASE64URL_NOPAD;
use wayside_protocol::error::Code;

use super::login::{Held, Login, Token, position};
use super::{Account, COLUMNS, by_name, read_account};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::ledger::{Entry, hex};
use crate::log::db::{Conn, args};
use crate::log::{self, Audited, By};

/// How every token begins, so that whoever finds one, a scanner of files too, knows it for what it is.
const PREFIX: &str = "way_";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// No token works longer: whoever still needs it makes another.
pub const LONGEST_DAYS: u32 = 366;
const MAX_NAME: usize = 64;
/// Last use is noted no more often than this.
const NOTED_MS: u64 = 60 * 1000;

/// What a token may be used for. None includes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Reads the JSON API.
    Read,
    /// Writes by the JSON API, as its account may.
    Write,
    /// Reads what leaves as FHIR.
    Fhir,
    /// Fetches files with names in them.
    Extract,
    /// Fetches files without.
    ExtractPseudonymous,
    /// Follows the stream of urgent contacts.
    Urgent,
}

impl Scope {
    pub const ALL: [Scope; 6] =
        [Scope::Read, Scope::Write, Scope::Fhir, Scope::Extract, Scope::ExtractPseudonymous, Scope::Urgent];

    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Fhir => "fhir",
            Scope::Extract => "extract",
            Scope::ExtractPseudonymous => "extract_pseudonymous",
            Scope::Urgent => "urgent",
        }
    }

    pub fn parse(text: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    /// Scopes as a token's row holds them. One of a newer version allows nothing here.
    fn list(text: &str) -> Vec<Scope> {
        text.split(' ').filter_map(Scope::parse).collect()
    }
}

/// A token, without what only its holder knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    pub n: i64,
    /// The account in whose name it works.
    pub account: String,
    /// What people call it.
    pub name: String,
    pub scopes: Vec<Scope>,
    /// Milliseconds since 1970, like every time here.
    pub created_at: u64,
    pub expires_at: u64,
    pub used_at: Option<u64>,
    pub revoked_at: Option<u64>,
}

impl ApiToken {
    pub fn works(&self, now: u64) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// What to make a token of.
#[derive(Debug, Clone)]
pub struct Wish {
    pub account: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub days: u32,
}

/// Makes a token and returns its text, which is told this once and kept nowhere. `by` made it. Blocks.
pub fn issue(base: &Base, by: impl Into<By>, wish: &Wish) -> Result<String> {
    let name = wish.name.trim().to_owned();
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        let message = format!("A token's name is 1 to {MAX_NAME} bytes of text.");
        return Err(Error::Said(Code::OutOfRange, message));
    }
    if wish.scopes.is_empty() {
        let all = Scope::ALL.map(Scope::as_str).join(", ");
        return Err(Error::Said(Code::MissingField, format!("Say what it may be used for: {all}.")));
    }
    if wish.days == 0 || wish.days > LONGEST_DAYS {
        let message = format!("A token works for 1 to {LONGEST_DAYS} days.");
        return Err(Error::Said(Code::OutOfRange, message));
    }
    let (token, now, account) = (Token::fresh(), base.clock.now_ms(), wish.account.trim().to_owned());
    let (digest, expires_at) = (token.digest(), now + u64::from(wish.days) * DAY_MS);
    let mut scopes = wish.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    let scopes = scopes.into_iter().map(Scope::as_str).collect::<Vec<_>>().join(" ");
    let act = by.into().does("token_add", now);
    base.log.write(move |txn| {
        let account = by_name(txn.conn, &account)?.ok_or(Code::AccountUnknown)?;
        if account.disabled {
            return Err(Code::AccountDisabled.into());
        }
        let n: i64 = txn.conn.only(
            "INSERT INTO api_token (digest, account, name, scopes, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?) RETURNING n",
            args![digest, account.n, &name, &scopes, now, expires_at],
            |row| row.get(0),
        )?;
        let reason = format!("token {n} of account {}: {scopes}", account.n);
        log::audit(txn.conn, &Audited { reason, ..act.clone() })
    })?;
    Ok(format!("{PREFIX}{}", token.to_text()))
}

/// Every token, those that work no longer too, the newest first. Blocks.
pub fn tokens(base: &Base) -> Result<Vec<ApiToken>> {
    let sql = "SELECT api_token.n, account.name, api_token.name, scopes, api_token.created_at, expires_at,
            used_at, revoked_at
         FROM api_token JOIN account ON account.n = api_token.account ORDER BY api_token.n DESC";
    base.log.read(|conn| {
        conn.all(sql, &[], |row| {
            Ok(ApiToken {
                n: row.get(0)?,
                account: row.get(1)?,
                name: row.get(2)?,
                scopes: Scope::list(&row.get::<String>(3)?),
                created_at: row.get(4)?,
                expires_at: row.get(5)?,
                used_at: row.get(6)?,
                revoked_at: row.get(7)?,
            })
        })
    })
}

/// Ends a token at once, and in whatever backup is restored. Blocks.
pub fn revoke(base: &Base, by: impl Into<By>, n: i64) -> Result<()> {
    let (now, ledger) = (base.clock.now_ms(), base.ledger.clone());
    let act = Audited { reason: format!("token {n}"), ..by.into().does("token_revoke", now) };
    base.log.write(move |txn| {
        let digest: [u8; 32] = txn
            .conn
            .one(
                "UPDATE api_token SET revoked_at = ? WHERE n = ? AND revoked_at IS NULL RETURNING digest",
                args![now, n],
                |row| row.get(0),
            )?
            .ok_or(Code::TokenUnknown)?;
        log::audit(txn.conn, &act)?;
        ledger.note(txn.conn, &Entry::TokenRevoked { digest: hex(&digest) }, now)
    })
}

/// The token of a request's `Authorization`, `None` for anything else.
pub fn bearer(header: &str) -> Option<Token> {
    let (scheme, text) = header.split_once(' ')?;
    let text = text.trim().strip_prefix(PREFIX).filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(Token::of)
}

/// In whose name a token works, if it works.
pub fn presented(conn: &Conn, token: &Token, now: u64) -> Result<Option<Login>> {
    find(conn, &token.digest(), now)
}

pub(super) fn find(conn: &Conn, digest: &[u8; 32], now: u64) -> Result<Option<Login>> {
    let sql = format!(
        "SELECT {COLUMNS}, api_token.scopes, api_token.used_at, team.id, team.epoch, api_token.wrote_seq
         FROM api_token JOIN account ON account.n = api_token.account
             LEFT JOIN team ON team.id = api_token.wrote_team AND team.epoch = api_token.wrote_epoch
         WHERE api_token.digest = ? AND api_token.revoked_at IS NULL AND api_token.expires_at > ?
             AND account.disabled_at IS NULL"
    );
    let found = conn.one(&sql, args![digest, now], |row| {
        let scopes = Scope::list(&row.get::<String>(Account::WIDTH)?);
        let used_at = row.get::<Option<u64>>(Account::WIDTH + 1)?.unwrap_or_default();
        let wrote = position(row, Account::WIDTH + 2)?;
        Ok((read_account(row)?, scopes, used_at, wrote))
    })?;
    let Some((account, scopes, used_at, wrote)) = found else { return Ok(None) };
    let account = account.with_roles(conn)?;
    Ok(Some(Login { account, held: Held::Token(*digest), used_at, wrote, scopes: Some(scopes) }))
}

/// Notes that a token was used. May be lost.
pub(super) fn touch(base: &Base, digest: [u8; 32], used_at: u64) {
    let now = base.clock.now_ms();
    if now < used_at + NOTED_MS {
        return;
    }
    base.log.post(move |txn| {
        txn.conn.execute("UPDATE api_token SET used_at = ? WHERE digest = ?", args![now, digest])?;
        Ok(())
    });
}
