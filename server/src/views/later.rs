//! Views that are made from nothing are filled without the indexes that only readers use, and given these at the end: an
//! index that is made at once costs a fraction of one that grows row by row. Nobody reads before that end.
//!
//! What is put off stands in a table of the file, so that whoever goes on after a crash makes it up.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use serde_json::json;

use crate::error::Result;

/// Those that writing has no use for.
const INDEXES: [&str; 16] = [
    "changed_by_seq",
    "contact_by_session",
    "contact_by_team",
    "contact_by_time",
    "contact_worklist",
    "pair_by_weight",
    "reach_by_day",
    "record_active",
    "record_by_creation",
    "record_by_kind",
    "record_by_team",
    "record_disputed",
    "session_by_day",
    "task_open",
    "todo_in_order",
    "urgent_by_seq",
];

/// Takes the indexes away, where nothing was followed yet.
pub(super) fn put_off(views: &mut Connection) -> Result<()> {
    let transaction = views.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let begun: bool = transaction.query_row("SELECT EXISTS (SELECT 1 FROM cursor)", [], |row| row.get(0))?;
    if begun || is_put_off(&transaction)? {
        return Ok(());
    }
    transaction.execute_batch("CREATE TABLE later (name TEXT PRIMARY KEY, sql TEXT NOT NULL) STRICT")?;
    let sql = "INSERT INTO later (name, sql) SELECT name, sql FROM sqlite_schema
               WHERE type = 'index' AND name IN (SELECT value FROM json_each(?))";
    transaction.execute(sql, [json!(INDEXES).to_string()])?;
    for index in INDEXES {
        transaction.execute_batch(&format!("DROP INDEX IF EXISTS {index}"))?;
    }
    Ok(transaction.commit()?)
}

/// Makes those that were put off, if any were.
pub(super) fn make_up(views: &mut Connection) -> Result<()> {
    while is_put_off(views)? {
        // One at a time: the write-ahead log need not hold them all.
        let transaction = views.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        if !is_put_off(&transaction)? {
            break;
        }
        let next = transaction.query_row("SELECT name, sql FROM later LIMIT 1", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        });
        match next.optional()? {
            Some((name, sql)) => {
                transaction.execute_batch(&sql)?;
                transaction.execute("DELETE FROM later WHERE name = ?", [name])?;
            }
            None => transaction.execute_batch("DROP TABLE later")?,
        }
        transaction.commit()?;
    }
    Ok(())
}

fn is_put_off(views: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'later')";
    Ok(views.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::Views;

    /// With which statements, by name.
    fn indexes(views: &Connection) -> Vec<(String, String)> {
        let sql =
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name";
        let mut statement = views.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    }

    #[test]
    fn indexes_that_were_put_off_are_made_up_also_after_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let mut views = Views::open(dir.path()).unwrap().conn;
        let all = indexes(&views);
        put_off(&mut views).unwrap();
        assert_eq!(indexes(&views).len(), all.len() - INDEXES.len(), "each is one that there is");
        put_off(&mut views).unwrap();
        // Half of them, and then the power goes.
        let some = "SELECT sql FROM later LIMIT 1";
        let sql: String = views.query_row(some, [], |row| row.get(0)).unwrap();
        let made = "DELETE FROM later WHERE sql = ?";
        views.execute_batch(&sql).unwrap();
        views.execute(made, [sql]).unwrap();
        drop(views);
        let mut views = Views::open(dir.path()).unwrap().conn;
        assert!(indexes(&views).len() < all.len(), "who opens them does not wait for it");
        make_up(&mut views).unwrap();
        assert_eq!(indexes(&views), all);
        make_up(&mut views).unwrap();
    }
}
