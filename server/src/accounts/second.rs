//! The second factor: six digits of an app (TOTP, RFC 6238), or a recovery code in their place.
//!
//! The secret of an app is derived from a salt in the log and the server's identity key: a stolen backup holds no half of
//! it that is of use.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use totp_rs::{Builder, Totp};
use wayside_protocol::error::Code;

use super::Account;
use crate::base::Base;
use crate::error::{Error, Result};
use crate::keys::Identity;
use crate::log::db::{Conn, args};
use crate::log::{self, Audited, By};

/// Seconds for which an app shows one code; the one before and the one after are taken, too.
const STEP_S: u64 = 30;
const RECOVERY_CODES: usize = 10;
/// Bytes of a recovery code: more than anybody can try.
const RECOVERY_BYTES: usize = 10;

/// What an app needs to know, told once while it is set up.
pub struct Setup {
    /// For typing, in base32.
    pub secret: String,
    /// For a picture: `otpauth://`.
    pub url: String,
}

/// Begins to set one up, for an account that has none. Nothing asks for it until it was [confirmed](confirm). Blocks.
pub fn begin(base: &Base, by: &By, account: &Account, service: &str) -> Result<Setup> {
    let (n, salt) = (account.n, rand::random::<[u8; 32]>());
    let act = by.does("second_factor_begin", base.clock.now_ms());
    base.log.write(move |txn| {
        let sql = "DELETE FROM second_factor WHERE account = ? AND confirmed_at IS NULL";
        txn.conn.execute(sql, args![n])?;
        let sql = "INSERT INTO second_factor (account, salt) VALUES (?, ?) ON CONFLICT DO NOTHING";
        match txn.conn.execute(sql, args![n, salt])? {
            1 => log::audit(txn.conn, &act),
            _ => Err(Code::ChangedMeanwhile.into()),
        }
    })?;
    let secret = BASE32_NOPAD.encode(&secret(&base.identity, n, &salt));
    let (service, name) = (escaped(service), escaped(&account.name));
    let url = format!("otpauth://totp/{service}:{name}?secret={secret}&issuer={service}");
    Ok(Setup { secret, url })
}

/// Takes the first code of an app: from now on signing in wants one. Returns the recovery codes, told this once. Blocks.
pub fn confirm(base: &Base, by: &By, account: &Account, code: &str) -> Result<Vec<String>> {
    let (n, now, identity, code) = (account.n, base.clock.now_ms(), base.identity.clone(), code.to_owned());
    let made: Vec<[u8; RECOVERY_BYTES]> = (0..RECOVERY_CODES).map(|_| rand::random()).collect();
    let digests: Vec<[u8; 32]> = made.iter().map(digest).collect();
    let act = by.does("second_factor_add", now);
    base.log.write(move |txn| {
        let sql = "SELECT salt FROM second_factor WHERE account = ? AND confirmed_at IS NULL";
        let salt: [u8; 32] = txn.conn.one(sql, args![n], |row| row.get(0))?.ok_or(Code::ChangedMeanwhile)?;
        let step = matches(&identity, n, &salt, &code, now)?.ok_or(Code::CodeWrong)?;
        let sql = "UPDATE second_factor SET confirmed_at = ?, last_step = ? WHERE account = ?";
        txn.conn.execute(sql, args![now, step, n])?;
        txn.conn.execute("DELETE FROM recovery_code WHERE account = ?", args![n])?;
        for digest in &digests {
            let sql = "INSERT INTO recovery_code (account, digest) VALUES (?, ?)";
            txn.conn.execute(sql, args![n, digest])?;
        }
        log::audit(txn.conn, &act)
    })?;
    Ok(made.iter().map(shown).collect())
}

/// Takes it away from an account, which then signs in with its password alone. `by` did it: whoever has it, or a command
/// line where the app and every recovery code were lost. Blocks.
pub fn remove(base: &Base, by: impl Into<By>, account: &Account) -> Result<()> {
    let (n, by) = (account.n, by.into());
    let reason = format!("account {n}");
    let act = Audited { reason, ..by.does("second_factor_remove", base.clock.now_ms()) };
    base.log.write(move |txn| {
        for table in ["second_factor", "recovery_code"] {
            txn.conn.execute(&format!("DELETE FROM {table} WHERE account = ?"), args![n])?;
        }
        log::audit(txn.conn, &act)
    })
}

/// How many recovery codes are left. Blocks.
pub fn codes_left(base: &Base, account: i64) -> Result<u64> {
    let sql = "SELECT count(*) FROM recovery_code WHERE account = ?";
    base.log.read(|conn| conn.only(sql, args![account], |row| row.get(0)))
}

/// Whether a code may be taken for an account, and if so, takes it: neither a code of an app nor a recovery code works
/// twice. An account without a second factor needs none. Inside the transaction that lets somebody in.
pub(super) fn take(conn: &Conn, identity: &Identity, account: i64, code: &str, now: u64) -> Result<bool> {
    let sql = "SELECT salt, last_step FROM second_factor WHERE account = ? AND confirmed_at IS NOT NULL";
    let found: Option<([u8; 32], u64)> =
        conn.one(sql, args![account], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((salt, last)) = found else { return Ok(true) };
    if let Some(step) = matches(identity, account, &salt, code, now)?.filter(|step| *step > last) {
        let sql = "UPDATE second_factor SET last_step = ?1 WHERE account = ?2 AND last_step < ?1";
        return Ok(conn.execute(sql, args![step, account])? == 1);
    }
    let Some(bytes) = parse(code) else { return Ok(false) };
    let sql = "DELETE FROM recovery_code WHERE account = ? AND digest = ?";
    Ok(conn.execute(sql, args![account, digest(&bytes)])? == 1)
}

fn secret(identity: &Identity, account: i64, salt: &[u8; 32]) -> [u8; 20] {
    let mac = keyed(identity, &[b"wayside-totp-1", &account.to_be_bytes(), salt]);
    let mut secret = [0; 20];
    secret.copy_from_slice(&mac[..20]);
    secret
}

/// HMAC-SHA256 under the server's identity key.
pub(super) fn keyed(identity: &Identity, parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length: this never fails.
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(identity.key().as_bytes()) else {
        return [0; 32];
    };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// The step of which this is the code, near now.
fn matches(identity: &Identity, n: i64, salt: &[u8; 32], code: &str, now_ms: u64) -> Result<Option<u64>> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    Ok(totp(secret(identity, n, salt))?.check(&code, now_ms / 1000))
}

fn totp(secret: [u8; 20]) -> Result<Totp> {
    let made = Builder::new().with_secret(secret).with_step_duration(STEP_S).build();
    made.map_err(|_| Error::Internal("a second factor"))
}

fn digest(code: &[u8; RECOVERY_BYTES]) -> [u8; 32] {
    Sha256::digest(code).into()
}

/// In groups of four, as people copy them.
fn shown(bytes: &[u8; RECOVERY_BYTES]) -> String {
    let text = BASE32_NOPAD.encode(bytes).to_lowercase();
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

fn parse(code: &str) -> Option<[u8; RECOVERY_BYTES]> {
    let text: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    BASE32_NOPAD.decode(text.to_uppercase().as_bytes()).ok()?.try_into().ok()
}

/// As in an address.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the last six digits of its eight.
    #[test]
    fn codes_are_those_of_the_standard() {
        let totp = totp(*b"12345678901234567890").unwrap();
        for (at, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(totp.generate(at).to_string(), code);
            assert_eq!(totp.check(code, at + 30), Some(at / 30));
            assert_eq!(totp.check(code, at + 90), None);
        }
    }

    #[test]
    fn recovery_codes_are_read_as_people_copy_them() {
        let bytes = rand::random();
        let text = shown(&bytes);
        assert_eq!(text.len(), 19);
        assert_eq!(parse(&text.to_uppercase().replace('-', " ")), Some(bytes));
        assert_eq!(parse(""), None);
        assert_eq!(parse(&text[1..]), None);
    }
}
