//! Views of some teams alone. Every table is hidden behind a view of the same name that shows the rows of those teams, on
//! this connection, so that no query can forget whose records it may read, nor one that is written tomorrow.
//!
//! A query that names a table as `main.` sees all of it: none does but for how far the views have come.

use std::path::Path;

use super::Views;
use crate::accounts::Teams;
use crate::error::Result;

/// Each table with what a row of it must be. A test holds this against the schema.
const TABLES: &[(&str, &str)] = &[
    ("record", OWN),
    ("contact", OWN),
    ("person", OWN),
    ("reach", OWN),
    ("quality", OWN),
    ("todo", OWN),
    ("urgent", OWN),
    ("changed", OWN),
    ("cursor", OWN),
    (
        "task",
        "EXISTS (SELECT 1 FROM main.contact AS c WHERE c.id = task.contact AND c.team IN (SELECT team FROM temp.own))",
    ),
    ("person_key", OF_PERSON),
    ("find_key", OF_PERSON),
    // A word that somebody of theirs has; how many others have it says nothing of whom.
    (
        "find_word",
        "EXISTS (SELECT 1 FROM main.find_key AS k JOIN main.person AS p ON p.id = k.person
             WHERE k.key = find_word.word AND p.team IN (SELECT team FROM temp.own))",
    ),
    (
        "pair",
        "EXISTS (SELECT 1 FROM main.person AS p WHERE p.id = pair.a AND p.team IN (SELECT team FROM temp.own))
         AND EXISTS (SELECT 1 FROM main.person AS p WHERE p.id = pair.b AND p.team IN (SELECT team FROM temp.own))",
    ),
    (
        "not_same",
        "EXISTS (SELECT 1 FROM main.person AS p
             WHERE p.id = not_same.holder AND p.team IN (SELECT team FROM temp.own))",
    ),
];
/// Says nothing of anybody.
#[cfg(test)]
const WHOLE: &[&str] = &["made_by"];

const OWN: &str = "team IN (SELECT team FROM temp.own)";
const OF_PERSON: &str = "EXISTS (SELECT 1 FROM main.person AS p
    WHERE p.id = person AND p.team IN (SELECT team FROM temp.own))";

impl Views {
    /// Opens the views of some teams, for reading. Blocks.
    pub fn open_limited(data: &Path, teams: &Teams) -> Result<Views> {
        let mut views = Views::open(data)?;
        let Teams::These(_) = teams else { return Ok(views) };
        let mut sql = String::from("CREATE TEMP TABLE own (team BLOB PRIMARY KEY) WITHOUT ROWID;");
        for (table, row) in TABLES {
            sql.push_str(&format!("CREATE TEMP VIEW {table} AS SELECT * FROM main.{table} WHERE {row};"));
        }
        views.conn.execute_batch(&sql)?;
        views.limited = true;
        views.limit(teams)?;
        Ok(views)
    }

    /// Whether they can be limited to other teams than they are.
    pub fn is_limited(&self) -> bool {
        self.limited
    }

    /// Limits views that are limited already to these teams.
    pub fn limit(&self, teams: &Teams) -> Result<()> {
        let Teams::These(teams) = teams else { return Ok(()) };
        let transaction = self.conn.unchecked_transaction()?;
        transaction.execute("DELETE FROM temp.own", [])?;
        let mut insert = transaction.prepare_cached("INSERT INTO temp.own (team) VALUES (?)")?;
        for team in teams {
            insert.execute([team.as_bytes()])?;
        }
        drop(insert);
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_table_is_limited_or_says_nothing_of_anybody() {
        let dir = tempfile::tempdir().unwrap();
        let views = Views::open(dir.path()).unwrap();
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let mut statement = views.conn.prepare(sql).unwrap();
        let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let names: BTreeSet<String> = names.collect::<Result<_, _>>().unwrap();
        let said = TABLES.iter().map(|(table, _)| *table).chain(WHOLE.iter().copied());
        assert_eq!(names, said.map(str::to_owned).collect());
    }
}
