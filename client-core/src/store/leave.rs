//! What goes when base takes this tablet out of a team, and whether anything may go yet.

use rusqlite::Connection;
use wayside_protocol::record::RecordId;

use super::{archive, index, meta, staff};
use crate::{error::Result, staff::team_staff};

/// Whether there is something, of a team or of any, on which base has given no verdict yet, or one that it could not keep it:
/// then it waits here, with a code.
pub fn is_anything_unsent(conn: &Connection, team: Option<RecordId>) -> Result<bool> {
    let sql = "SELECT 1 FROM change WHERE seq IS NULL AND (answered = 0 OR (state = 'waiting' AND code IS NOT NULL))
        AND team = coalesce(?, team)";
    Ok(conn.prepare_cached(sql)?.exists([team.map(|team| *team.as_bytes())])?)
}

/// Offers once more what base put in quarantine in an earlier sync, of a team or of any.
pub fn offer_again(conn: &Connection, team: Option<RecordId>) -> Result<()> {
    let sql = "UPDATE change SET answered = 0 WHERE answered = 2 AND state <> 'accepted' AND team = coalesce(?, team)";
    conn.prepare_cached(sql)?.execute([team.map(|team| *team.as_bytes())])?;
    Ok(())
}

/// Deletes everything of a team, unless something is left to hand over: then nothing happens, and this is false.
pub fn leave(conn: &Connection, team: RecordId) -> Result<bool> {
    if is_anything_unsent(conn, Some(team))? {
        return Ok(false);
    }
    archive::delete_team(conn, team)?;
    for sql in ["DELETE FROM signed_list WHERE team = ?", "DELETE FROM team WHERE id = ?"] {
        conn.execute(sql, [team.as_bytes()])?;
    }
    // Frames that are asked about may be that team's. What else stands there is offered again.
    meta::remove(conn, meta::SENT)?;
    meta::remove(conn, &index::settings_name(team))?;
    let left: Vec<String> = team_staff(conn)?.into_iter().map(|(_, member)| member.id).collect();
    staff::keep_only(conn, &left)?;
    Ok(true)
}
