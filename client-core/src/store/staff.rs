//! What this tablet alone knows of the team's staff: tries, open challenges, PINs chosen here.

use rusqlite::{Connection, OptionalExtension};
use wayside_protocol::{
    error::Code,
    staff::{Challenge, PinVerifier},
};

use crate::error::{Error, Result};

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Pin,
    Unlock,
}

impl What {
    const fn as_str(self) -> &'static str {
        match self {
            What::Pin => "pin",
            What::Unlock => "unlock",
        }
    }
}

/// Wrong tries of one member, and the lock that they brought on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tries {
    pub wrong: u32,
    /// What was left of the lock when the device had been up for `uptime_ms`; 0 without one.
    pub locked_ms: u64,
    pub uptime_ms: u64,
}

pub fn tries(conn: &Connection, staff: &str, what: What) -> Result<Tries> {
    let sql = "SELECT wrong, locked_ms, uptime_ms FROM staff_tries WHERE staff = ? AND what = ?";
    let found = conn.prepare_cached(sql)?.query_row((staff, what.as_str()), |row| {
        Ok(Tries { wrong: row.get(0)?, locked_ms: row.get(1)?, uptime_ms: row.get(2)? })
    });
    Ok(found.optional()?.unwrap_or_default())
}

pub fn set_tries(conn: &Connection, staff: &str, what: What, tries: &Tries) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO staff_tries (staff, what, wrong, locked_ms, uptime_ms) VALUES (?, ?, ?, ?, ?)";
    let Tries { wrong, locked_ms, uptime_ms } = tries;
    conn.prepare_cached(sql)?.execute((staff, what.as_str(), wrong, locked_ms, uptime_ms))?;
    Ok(())
}

pub fn forget_tries(conn: &Connection, staff: &str, what: What) -> Result<()> {
    conn.execute("DELETE FROM staff_tries WHERE staff = ? AND what = ?", (staff, what.as_str()))?;
    Ok(())
}

pub fn challenge(conn: &Connection, staff: &str) -> Result<Option<Challenge>> {
    let mut statement = conn.prepare_cached("SELECT challenge FROM staff_challenge WHERE staff = ?")?;
    let found: Option<String> = statement.query_row([staff], |row| row.get(0)).optional()?;
    Ok(found.and_then(|text| Challenge::parse(&text)))
}

pub fn set_challenge(conn: &Connection, staff: &str, challenge: &Challenge) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO staff_challenge (staff, challenge) VALUES (?, ?)";
    conn.execute(sql, (staff, challenge.as_str()))?;
    Ok(())
}

pub fn forget_challenge(conn: &Connection, staff: &str) -> Result<()> {
    conn.execute("DELETE FROM staff_challenge WHERE staff = ?", [staff])?;
    Ok(())
}

/// Forgets every challenge that stands open.
pub fn forget_challenges(conn: &Connection) -> Result<()> {
    conn.execute("DELETE FROM staff_challenge", [])?;
    Ok(())
}

/// Forgets what is kept of everybody but these.
pub fn keep_only(conn: &Connection, staff: &[String]) -> Result<()> {
    for table in ["staff_tries", "staff_challenge", "staff_pin"] {
        let mut statement = conn.prepare(&format!("SELECT DISTINCT staff FROM {table}"))?;
        let kept: Vec<String> =
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for gone in kept.iter().filter(|one| !staff.contains(one)) {
            conn.execute(&format!("DELETE FROM {table} WHERE staff = ?"), [gone])?;
        }
    }
    Ok(())
}

/// A PIN that was chosen on this tablet.
pub struct OwnPin {
    pub verifier: PinVerifier,
    /// Base's verifier for which it stands in; empty for none.
    pub instead_of: String,
}

pub fn pin(conn: &Connection, staff: &str) -> Result<Option<OwnPin>> {
    let mut statement = conn.prepare_cached("SELECT verifier, instead_of FROM staff_pin WHERE staff = ?")?;
    let found: Option<(String, String)> =
        statement.query_row([staff], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((verifier, instead_of)) = found else { return Ok(None) };
    let verifier = PinVerifier::parse(&verifier).ok_or(Error::Failed(Code::StorageFailed))?;
    Ok(Some(OwnPin { verifier, instead_of }))
}

pub fn set_pin(
    conn: &Connection,
    staff: &str,
    verifier: &PinVerifier,
    instead_of: Option<&PinVerifier>,
) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO staff_pin (staff, verifier, instead_of) VALUES (?, ?, ?)";
    let instead_of = instead_of.map_or("", PinVerifier::as_str);
    conn.execute(sql, (staff, verifier.as_str(), instead_of))?;
    Ok(())
}
