//! What the tablet knows of itself and its server.

use ed25519_dalek::SigningKey;
use rusqlite::{
    Connection, OptionalExtension,
    types::{FromSql, ToSql},
};
use wayside_protocol::{
    record::RecordId,
    sync::{PublicKey, SignatureBytes},
};

use crate::{env::Env, error::Result};

/// This tablet's key.
pub const SEED: &str = "seed";
/// The one that base is asked to take in its place.
pub const NEXT_SEED: &str = "next_seed";
const URL: &str = "url";
const PIN: &str = "pin";
const SERVER: &str = "server";
pub const CERTIFICATE: &str = "certificate";

/// The server's last receipt.
pub const RECEIPT: &str = "receipt";
pub const NAME: &str = "name";
/// Add to the device's clock to get the server's, in milliseconds.
pub const CLOCK_OFFSET: &str = "clock_offset_ms";
pub const LAST_SYNCED_AT: &str = "last_synced_at";
/// 1 when the last sync proved that both sides hold the same.
pub const SETTLED: &str = "settled";
/// What the server can do beyond version 1 of the protocol.
pub const SERVER_CAN: &str = "server_can";
/// How many bytes the body of a request may hold.
pub const CREDIT: &str = "credit";
/// Bytes a second, as last measured.
pub const RATE_UP: &str = "rate_up";
pub const RATE_DOWN: &str = "rate_down";
/// Frames that were sent and not answered for.
pub const SENT: &str = "sent";
/// When base's order to wipe this tablet was obeyed: what is still here of it goes when it is opened next.
pub const WIPED: &str = "wiped_at";
/// What unlock codes for this tablet are computed from, here and at base.
pub const UNLOCK_SECRET: &str = "unlock_secret";
const DELETIONS: &str = "deletions";

pub fn get<T: FromSql>(conn: &Connection, name: &str) -> Result<Option<T>> {
    let mut statement = conn.prepare_cached("SELECT value FROM meta WHERE name = ?")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

pub fn set(conn: &Connection, name: &str, value: impl ToSql) -> Result<()> {
    let sql = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    conn.prepare_cached(sql)?.execute((name, value))?;
    Ok(())
}

/// What staff were told, by its code, and when last, RFC 3339; the newest first.
pub fn notices(conn: &Connection) -> Result<Vec<(String, String)>> {
    let mut statement = conn.prepare_cached("SELECT code, at FROM notice ORDER BY at DESC, code")?;
    let notices = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(notices.collect::<Result<_, _>>()?)
}

pub fn has_notice(conn: &Connection, code: &str) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM notice WHERE code = ?")?.exists([code])?)
}

pub fn add_notice(conn: &Connection, code: &str, at: &str) -> Result<()> {
    let sql = "INSERT INTO notice (code, at) VALUES (?, ?) ON CONFLICT (code) DO UPDATE SET at = excluded.at";
    conn.prepare_cached(sql)?.execute((code, at))?;
    Ok(())
}

pub fn remove(conn: &Connection, name: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM meta WHERE name = ?")?.execute([name])?;
    Ok(())
}

pub fn remove_notice(conn: &Connection, code: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM notice WHERE code = ?")?.execute([code])?;
    Ok(())
}

/// The tablet's key, made when the database is first opened.
pub fn identity(conn: &Connection, env: &Env) -> Result<SigningKey> {
    if let Some(seed) = get::<[u8; 32]>(conn, SEED)? {
        return Ok(SigningKey::from_bytes(&seed));
    }
    let seed = env.bytes::<32>();
    set(conn, SEED, seed)?;
    Ok(SigningKey::from_bytes(&seed))
}

/// How often records that may be begun anew were deleted here.
pub fn deletions(conn: &Connection) -> Result<u64> {
    Ok(get(conn, DELETIONS)?.unwrap_or(0))
}

pub fn count_deletion(conn: &Connection) -> Result<()> {
    set(conn, DELETIONS, deletions(conn)? + 1)
}

/// The server that this tablet is enrolled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub url: String,
    /// SHA-256 of the public key of its TLS certificate.
    pub pin: [u8; 32],
    /// Its identity key.
    pub key: PublicKey,
    /// Its word that this tablet was enrolled.
    pub certificate: SignatureBytes,
}

pub fn server(conn: &Connection) -> Result<Option<Server>> {
    let (Some(url), Some(pin), Some(key), Some(certificate)) =
        (get(conn, URL)?, get(conn, PIN)?, get(conn, SERVER)?, get(conn, CERTIFICATE)?)
    else {
        return Ok(None);
    };
    Ok(Some(Server { url, pin, key, certificate }))
}

pub fn set_server(conn: &Connection, server: &Server) -> Result<()> {
    set(conn, URL, &server.url)?;
    set(conn, PIN, server.pin)?;
    set(conn, SERVER, server.key)?;
    set(conn, CERTIFICATE, server.certificate)
}

/// Adds a team, and gives it everything that was recorded before there was any.
pub fn join_team(conn: &Connection, team: RecordId, name: &str) -> Result<()> {
    let sql = "INSERT INTO team (id, name) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name";
    conn.execute(sql, (team.as_bytes(), name))?;
    conn.execute("UPDATE record SET team = ? WHERE team IS NULL", [team.as_bytes()])?;
    conn.execute("UPDATE change SET team = ? WHERE team IS NULL", [team.as_bytes()])?;
    Ok(())
}

/// The teams by name.
pub fn teams(conn: &Connection) -> Result<Vec<(RecordId, String)>> {
    let mut statement = conn.prepare_cached("SELECT id, name FROM team ORDER BY name, id")?;
    let teams = statement.query_map([], |row| Ok((RecordId::from_bytes(row.get(0)?), row.get(1)?)))?;
    Ok(teams.collect::<Result<_, _>>()?)
}
