//! What the bytes of a push consist of.

use std::path::Path;

use anyhow::Result;
use rusqlite::{Connection, OpenFlags};
use wayside_protocol::{
    record::{RecordId, chunk, is_entry_id},
    sync::{
        Frame, capability,
        frame::{Changes, Item, List},
    },
};

/// The frames that a tablet sent, as the server's log tells it.
#[derive(Debug, Default)]
pub struct Parts {
    /// All frames of changes, as they go over the wire.
    pub frames: u64,
    /// Of these: signatures.
    pub signatures: u64,
    /// Of these: what is random in ids of records and of entries, which nothing makes smaller.
    pub ids: u64,
}

impl Parts {
    /// `db` is the log of a server to which one tablet has pushed, each list in a frame.
    pub fn of(db: &Path) -> Result<Parts> {
        let conn = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut parts = Parts::default();
        let sql =
            "SELECT n, signature FROM signed_list WHERE author IN (SELECT public_key FROM tablet) ORDER BY n";
        let mut lists = conn.prepare(sql)?;
        let lists = lists.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 64]>(1)?)))?;
        for list in lists {
            let (n, signature) = list?;
            let mut rows = conn.prepare_cached("SELECT record, raw FROM log WHERE list = ? ORDER BY seq")?;
            let rows = rows.query_map([n], |row| {
                Ok(Item::Body { record: RecordId::from_bytes(row.get(0)?), seq: 0, raw: row.get(1)? })
            })?;
            let items = rows.collect::<Result<Vec<_>, _>>()?;
            parts.signatures += 64;
            parts.ids += items.iter().map(random_bytes).sum::<u64>();
            let list = List { author: 0, signature, items };
            let mut body = Vec::new();
            Frame::Changes(Changes {
                team: RecordId::from_bytes([0; 16]),
                authors: Vec::new(),
                lists: vec![list],
            })
            .encode_for(capability::GROUPED, &mut body);
            parts.frames += body.len() as u64;
        }
        Ok(parts)
    }
}

/// Of an item: 74 bits of a record that begins, 40 of each entry.
fn random_bytes(item: &Item) -> u64 {
    let Item::Body { raw, .. } = item else { return 0 };
    let Ok(chunk) = chunk::parse(raw) else { return 0 };
    let is_entry = |key: &&str| key.rsplit_once('/').is_some_and(|(_, id)| is_entry_id(id));
    let record = if chunk.deps.is_empty() { 9 } else { 0 };
    record + 5 * chunk.keys().filter(is_entry).count() as u64
}
