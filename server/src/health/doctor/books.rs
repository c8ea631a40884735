//! The log, its ledger, its views: whether each is there, whole, and fits the others.

use std::collections::BTreeMap;

use super::{Finding, Patient, as_it_lies, field, shared};
use crate::backup::sum_is_right;
use crate::base::Places;
use crate::error::{Error, Result};
use crate::health::facts::Facts;
use crate::keys::Identity;
use crate::log::{self, Conn, Noted};
use crate::views::LITTLE;

const RESTORE: &str =
    "Stop the server, keep the directory as it is, and restore the last backup into another one.";

pub fn look(patient: &Patient) -> Result<Vec<Finding>> {
    const CHECK: &str = "log";
    let places = patient.settings.places()?;
    let opened = match &places.log {
        Some(place) => shared(place),
        None => as_it_lies(&patient.data.join("log.db")),
    };
    let conn = match opened {
        Ok(conn) => conn,
        Err(error) => {
            let means = "Without the log nothing is served. Tablets keep what they record.";
            let do_this = match places.are_shared() {
                true => "Is PostgreSQL up, its address right, its password valid? Ask whoever runs it.",
                false => RESTORE,
            };
            return Ok(vec![Finding::unread(CHECK, &error, means, do_this)]);
        }
    };
    let schema = match schema(&conn) {
        Ok(schema) => schema,
        Err(error) => {
            let means = "It is not a log, or it is damaged.";
            return Ok(vec![Finding::unread(CHECK, &error, means, RESTORE)]);
        }
    };
    if let Some(finding) = fits(&conn, schema) {
        return Ok(vec![finding]);
    }
    conn.at_one_moment(|conn| inside(patient, &places, conn)).or_else(|error| {
        let means = "It can be opened and not be read to the end: it may be damaged.";
        Ok(vec![Finding::unread(CHECK, &error, means, RESTORE)])
    })
}

/// What is wrong with the schema, if something is.
fn fits(conn: &Conn, schema: u64) -> Option<Finding> {
    let newest = if conn.is_postgres() { log::SHARED_SCHEMA } else { log::SCHEMA } as u64;
    match schema.cmp(&newest) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Less => Some(Finding::ok(
            "log",
            "Of an older version: the server upgrades it when it starts. Look again after that.",
        )),
        // Nodes one version apart serve together over a shared log.
        std::cmp::Ordering::Greater if conn.is_postgres() => None,
        std::cmp::Ordering::Greater => Some(Finding::fail(
            "log",
            "It was made by a newer version.",
            "This program refuses it: an older one could harm it.",
            "Run the newer program. Nothing was changed.",
        )),
    }
}

fn schema(conn: &Conn) -> Result<u64> {
    if conn.is_postgres() {
        return conn.only("SELECT version FROM wayside_schema WHERE part = 'log'", &[], |row| row.get(0));
    }
    // A file that is no database says so here.
    conn.only("PRAGMA user_version", &[], |row| row.get(0))
}

fn inside(patient: &Patient, places: &Places, conn: &Conn) -> Result<Vec<Finding>> {
    let facts = Facts::of(conn, patient.clock.now_ms())?;
    let mut findings = vec![log_itself(conn, &facts)?];
    if conn.is_postgres() {
        findings.push(standby(conn)?);
    }
    findings.extend(ledger(patient, places, conn)?);
    if patient.deep {
        findings.extend(deep(patient, places, conn, &facts)?);
    }
    findings.push(views(patient, &facts));
    findings.extend(field::look(patient, &facts));
    Ok(findings)
}

fn log_itself(conn: &Conn, facts: &Facts) -> Result<Finding> {
    const CHECK: &str = "log";
    let sealed: Option<u64> = conn.only("SELECT sealed_at FROM seal", &[], |row| row.get(0))?;
    if sealed.is_some() {
        return Ok(Finding::fail(
            CHECK,
            "It was copied to another place, and this one is sealed.",
            "It takes nothing more: what came here would be lost.",
            "Serve the copy; or `wayside log unseal`, if the copy was never served.",
        ));
    }
    Ok(Finding::ok(CHECK, format!("{} changes of {} teams can be read.", facts.head(), facts.teams.len())))
}

/// Whether what is acknowledged lies on more than one machine.
fn standby(conn: &Conn) -> Result<Finding> {
    const CHECK: &str = "postgres_standby";
    let names: Option<String> =
        conn.one("SHOW synchronous_standby_names", &[], |row| row.get(0)).ok().flatten();
    let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')";
    Ok(match names.as_deref() {
        None => Finding::ok(CHECK, "This engine does not say; it keeps its own copies."),
        Some("") => Finding::warn(
            CHECK,
            "There is no synchronous standby.",
            "What is acknowledged lies on one machine until the next backup.",
            "Set synchronous_standby_names, as docs/operations/postgres.md says.",
        ),
        Some(_) => match conn.only(sql, &[], |row| row.get::<u64>(0)) {
            // Without the right to look, PostgreSQL counts nobody.
            Ok(0) | Err(_) => Finding::warn(
                CHECK,
                "A synchronous standby is asked for, and none is seen.",
                "Commits wait for it for ever if it is gone. (An account without pg_monitor sees none.)",
                "Ask whoever runs PostgreSQL whether the standby is up.",
            ),
            Ok(count) => Finding::ok(CHECK, format!("{count} hold what is acknowledged.")),
        },
    })
}

const KEYS_BACK: &str = "Put the keys directory of this server back from where its copy is kept.";

fn ledger(patient: &Patient, places: &Places, conn: &Conn) -> Result<Vec<Finding>> {
    let Some(keeper) = log::keeper(conn)? else {
        return Ok(vec![Finding::ok("ledger", "The log was never served: it has none yet.")]);
    };
    let mut findings = Vec::new();
    // Opened only where it is: it would be made.
    let identity = patient.data.join("keys/identity.key");
    let own = if identity.is_file() { Identity::open(&patient.data).ok() } else { None };
    findings.push(match own {
        Some(own) if *own.public() == keeper.identity => Finding::ok("identity", "It is this log's."),
        own => Finding::fail(
            "identity",
            if own.is_some() { "It is another server's." } else { "It is missing or cannot be read." },
            "The server does not start: tablets know it by that key.",
            KEYS_BACK,
        ),
    });
    let opened = match &places.ledger {
        Some(place) => shared(place),
        None => as_it_lies(&patient.data.join("keys/ledger.db")),
    };
    let read = opened.and_then(|ledger| {
        let id: [u8; 16] = ledger.only("SELECT id FROM ledger", &[], |row| row.get(0))?;
        let last: u64 = ledger.only("SELECT coalesce(max(n), 0) FROM entry", &[], |row| row.get(0))?;
        Ok((id, last))
    });
    let means = "What a restore must not undo is not known: the server does not start without it.";
    findings.push(match read {
        Ok((id, last)) if id == keeper.ledger && last == keeper.position => {
            Finding::ok("ledger", format!("In place, with {last} entries."))
        }
        Ok((id, last)) if id == keeper.ledger && last > keeper.position => Finding::warn(
            "ledger",
            format!("It has {} entries that the log does not know.", last - keeper.position),
            "Just now something was being written, or an older log was put back.",
            "Look again. If it stays, start the server: it does again what the log does not know.",
        ),
        Ok((id, _)) => {
            let found =
                if id == keeper.ledger { "It is older than the log." } else { "It is another server's." };
            Finding::fail("ledger", found, means, KEYS_BACK)
        }
        Err(error) => Finding::unread("ledger", &error, means, KEYS_BACK),
    });
    Ok(findings)
}

/// What takes as long as the log is large.
fn deep(patient: &Patient, places: &Places, conn: &Conn, facts: &Facts) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if !conn.is_postgres() {
        let said: String = conn.only("PRAGMA quick_check(1)", &[], |row| row.get(0))?;
        findings.push(match said.as_str() {
            "ok" => Finding::ok("pages", "Every page of the log can be read."),
            _ => {
                Finding::fail("pages", "A page of the log is damaged.", "Some of it cannot be read.", RESTORE)
            }
        });
    }
    let mut wrong = 0;
    for team in &facts.teams {
        wrong += usize::from(!sum_is_right(conn, team)?);
    }
    findings.push(match wrong {
        0 => Finding::ok("fingerprints", "Every team's log has no gap and comes to its fingerprint."),
        _ => Finding::fail(
            "fingerprints",
            format!("Those of {wrong} teams are wrong."),
            "The log is not as it was written: a disk, or somebody, altered it.",
            RESTORE,
        ),
    });
    let opened = match &places.ledger {
        Some(place) => shared(place),
        None => as_it_lies(&patient.data.join("keys/ledger.db")),
    };
    let noted = opened.and_then(|ledger| {
        let sql = "SELECT place, hash, restored FROM trail ORDER BY n";
        ledger.all(sql, &[], |row| {
            let head = log::AuditHead { place: row.get(0)?, hash: row.get(1)? };
            Ok(Noted { head, restored: row.get(2)? })
        })
    });
    findings.push(match noted.and_then(|noted| log::verify_audit(conn, &noted)) {
        Ok(verified) if verified.wrong == 0 => Finding::ok("audit", "The audit trail is as it was written."),
        Ok(_) => Finding::fail(
            "audit",
            "The audit trail is not as it was written.",
            "A row was altered, taken out, put in or cut off.",
            "`wayside audit verify` says where. Keep everything as it is, and find out who could write there.",
        ),
        Err(error) => Finding::unread("audit", &error, "It cannot be verified.", "`wayside audit verify`."),
    });
    Ok(findings)
}

fn views(patient: &Patient, facts: &Facts) -> Finding {
    const CHECK: &str = "views";
    let path = patient.data.join("views.db");
    if !path.is_file() {
        return Finding::ok(CHECK, "None yet: the server derives them from the log when it starts.");
    }
    let shown = as_it_lies(&path).and_then(|views| {
        let sql = "SELECT team, epoch, seq FROM cursor";
        let rows = views.all(sql, &[], |row| {
            Ok((row.get::<[u8; 16]>(0)?, (row.get::<[u8; 8]>(1)?, row.get::<u64>(2)?)))
        })?;
        Ok(rows.into_iter().collect::<BTreeMap<_, _>>())
    });
    let shown = match shown {
        Ok(shown) => shown,
        Err(error) => return unread_views(&error),
    };
    let seen = |team: &log::Team| match shown.get(team.id.as_bytes()) {
        Some((epoch, seq)) if *epoch == team.epoch => *seq,
        _ => 0,
    };
    let behind: u64 = facts.teams.iter().map(|team| team.head.saturating_sub(seen(team))).sum();
    if behind <= LITTLE {
        return Finding::ok(CHECK, format!("{behind} changes behind the log."));
    }
    Finding::warn(
        CHECK,
        format!("{behind} changes behind the log."),
        "Pages answer `behind` until they have caught up. Tablets do not notice.",
        "Look again in a minute. If it does not fall, the server's log says why; with the server stopped this is as it should be.",
    )
}

fn unread_views(error: &Error) -> Finding {
    let means = "Pages cannot be shown. Nothing is lost: views are derived from the log.";
    let do_this = "Stop the server, move views.db and what begins like it away, start it again.";
    Finding::unread("views", error, means, do_this)
}
