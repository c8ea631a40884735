//! The promises, asked of base and of every tablet once links are whole again and everybody has synced.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use data_encoding::HEXLOWER;
use rusqlite::Connection;
use serde_json::Value;
use wayside_client_core::{Code, Kind, Page, RecordId};
use wayside_server::log;

use super::{
    history::{Mark, member, values_at},
    people::{has_quarantined, letters},
    wire::lock,
    world::{KEY_BYTES, PASSED_FOR_NEW, Van, World},
};
use crate::field::holds;

/// Promise 6: bytes each way before TLS.
const IDLE: u64 = 512;
/// Whoever needs more exchanges than this to be quiet never will be.
const ROUNDS: usize = 12;

impl World {
    /// Links are whole, everybody syncs until nothing moves any more.
    pub async fn become_quiet(&mut self) -> Result<()> {
        self.deliver_late().await;
        for at in 0..self.vans.len() {
            self.vans[at].line.own().hidden = 0;
        }
        let gone = (0..self.vans.len()).filter(|at| self.vans[*at].revoked).collect::<Vec<_>>();
        for at in gone {
            self.hand_over(at).await?;
        }
        for _ in 0..2 {
            for at in self.those_who_work() {
                self.sync_whole(at).await?;
            }
        }
        Ok(())
    }

    async fn sync_whole(&mut self, at: usize) -> Result<()> {
        for _ in 0..ROUNDS {
            let report = self.sync(at, None).await?;
            if report.error.is_none() {
                return Ok(());
            }
            let error = report.error.context("an error")?;
            ensure!(error.retry, "{} cannot sync: {error:?}", self.vans[at].name);
        }
        bail!("{} does not come to an end: {}", self.vans[at].name, self.differs(at)?)
    }

    /// Which changes a tablet and base do not both hold, for whoever looks for the reason.
    fn differs(&self, at: usize) -> Result<String> {
        let store = Connection::open(self.vans[at].dir.join("tablet.db"))?;
        store.execute_batch(&format!("PRAGMA key = \"x'{}'\";", HEXLOWER.encode(&KEY_BYTES)))?;
        let mut told = String::new();
        for n in self.teams_on(at)? {
            let team = self.teams[n];
            let mut statement = store.prepare(
                "SELECT r.id, c.hash, coalesce(c.seq, 0), c.state, c.own FROM change c JOIN record r ON r.no = c.record
                 WHERE c.team = ?",
            )?;
            let held: BTreeMap<([u8; 16], [u8; 32]), String> = statement
                .query_map([team.as_bytes()], |row| {
                    let (seq, state, own): (u64, String, bool) = (row.get(2)?, row.get(3)?, row.get(4)?);
                    Ok(((row.get(0)?, row.get(1)?), format!("{seq} {state} own: {own}")))
                })?
                .collect::<rusqlite::Result<_>>()?;
            let (logged, entries) = self.base().log.read(|conn| {
                let team = log::team_by_id(conn, team)?.ok_or(Code::TeamUnknown)?;
                let mut logged = BTreeMap::new();
                log::each_pair(conn, team.n, team.head, |seq, record, hash| {
                    logged.insert((*record.as_bytes(), hash), seq);
                    Ok(true)
                })?;
                Ok((logged, log::entries(conn, team.n, 0, team.head)?))
            })?;
            let hex = |(record, hash): &([u8; 16], [u8; 32])| {
                format!("{} {}", RecordId::from_bytes(*record), HEXLOWER.encode(&hash[..4]))
            };
            let all: BTreeSet<_> = held.keys().chain(logged.keys()).collect();
            let differ = |change: &_| held.contains_key(change) != logged.contains_key(change);
            let records: BTreeSet<[u8; 16]> =
                all.iter().filter(|change| differ(**change)).map(|change| change.0).collect();
            for change in all.into_iter().filter(|change| records.contains(&change.0)) {
                told += &format!(
                    "\n{}: tablet {:?}, base {:?}",
                    hex(change),
                    held.get(change),
                    logged.get(change)
                );
            }
            told += &format!("\n{entries:?}");
        }
        Ok(told)
    }

    /// A revoked tablet hands over everything and is wiped; an administrator takes what it brought.
    async fn hand_over(&mut self, at: usize) -> Result<()> {
        if self.vans[at].gone {
            return Ok(());
        }
        let mut last = String::new();
        for _ in 0..ROUNDS {
            let report = self.sync(at, None).await?;
            last = format!("{report:?}");
            if self.vans[at].gone {
                return Ok(());
            }
            let error = report.error.map(|error| error.code).unwrap_or_default();
            ensure!(
                matches!(error.as_str(), "link_cut" | "clock" | "" | "tablet_revoked"),
                "a revoked tablet: {error}"
            );
        }
        bail!("{} is revoked and does not wipe itself: {last}", self.vans[at].name)
    }

    /// Everything that was promised.
    pub async fn check(&mut self) -> Result<()> {
        self.look_around().await?;
        let mut stays = BTreeMap::new();
        for at in self.those_who_work() {
            stays.insert(at, self.stays_in(at)?);
        }
        self.become_quiet().await?;
        self.admit_all()?;
        for at in self.those_who_work() {
            self.sync_whole(at).await?;
        }
        self.follow()?;
        let refused = self.refused()?;
        self.nothing_is_lost(&refused)?;
        self.nothing_is_overwritten()?;
        self.sums_add_up()?;
        for (at, teams) in stays {
            let own = self.teams_on(at)?;
            ensure!(own == teams, "{} is in teams {own:?}, and belongs to {teams:?}", self.vans[at].name);
        }
        self.everybody_shows_the_same()?;
        self.nothing_erased_is_left()?;
        self.alarms_have_their_reason()?;
        self.idle_costs_little().await?;
        let verified = self.base().verify_audit()?;
        ensure!(verified.wrong == 0, "the audit trail: {:?}", verified.faults);
        Ok(())
    }

    /// Promise 5: what is in quarantine is there for a reason that the simulator knows. Everything that it says.
    fn refused(&self) -> Result<Vec<(RecordId, Vec<u8>)>> {
        let mut refused = Vec::new();
        for one in self.base().log.read(log::quarantine)? {
            let bad = self.history.of_record(one.record).any(|op| self.history.ops[op].bad);
            let erased = self.history.person_of.get(&one.record);
            let erased = erased.is_some_and(|person| self.history.erased.contains(person));
            let known = match one.code.as_str() {
                "out_of_range" => bad,
                "depends_on_quarantined" => bad || erased,
                "person_erased" => erased,
                // If it was not said anew, it is missed below.
                "refused_at_base" => true,
                _ => false,
            };
            ensure!(known, "in quarantine without a reason: {} {} {}", one.code, one.path, one.record);
            refused.push((one.record, one.raw));
        }
        Ok(refused)
    }

    /// Promises 1, 2, 7, 8.
    fn nothing_is_lost(&self, refused: &[(RecordId, Vec<u8>)]) -> Result<()> {
        for (n, op) in self.history.ops.iter().enumerate() {
            let needed = self.history.base.contains(&n) || self.vans.iter().any(|van| van.holds.contains(&n));
            if !needed || self.history.is_excused(n) || matches!(op.mark, Mark::Sum) {
                continue;
            }
            let shown = self.at_base(op.record)?;
            if shown.as_ref().is_some_and(|json| self.history.is_in(n, json, &json.to_string())) {
                continue;
            }
            let told = match &op.mark {
                Mark::Text(told) => told.clone(),
                _ => member(n),
            };
            // Base loses its quarantine where it is set back, and tablets keep what was refused.
            let set_back = ["base was restored", "base was set back silently"];
            let set_back = set_back.iter().any(|what| self.counts.contains_key(what));
            let kept = op.bad
                && (refused.iter().any(|(record, raw)| *record == op.record && holds(raw, &told))
                    || set_back
                        && self.vans.iter().any(|van| {
                            let shown = van.tablet.as_ref().and_then(|tablet| tablet.show(op.record).ok());
                            shown.is_some_and(|shown| shown.json["quarantined"].to_string().contains(&told))
                        }));
            ensure!(kept, "lost: {n}, {op:?}; base shows {shown:?}");
        }
        Ok(())
    }

    /// Promise 3: of each field exactly the values that nobody saw and replaced.
    fn nothing_is_overwritten(&self) -> Result<()> {
        let mut fields: BTreeMap<(RecordId, &str), Vec<usize>> = BTreeMap::new();
        for (n, op) in self.history.ops.iter().enumerate() {
            if let Some(over) = &op.over {
                fields.entry((op.record, over.path)).or_default().push(n);
            }
        }
        for ((record, path), writers) in fields {
            let Some(json) = self.at_base(record)? else { continue };
            let text = json.to_string();
            let there: Vec<usize> =
                writers.into_iter().filter(|op| self.history.is_in(*op, &json, &text)).collect();
            let seen: BTreeSet<usize> = there
                .iter()
                .flat_map(|op| self.history.ops[*op].over.iter().flat_map(|over| over.seen.clone()))
                .collect();
            let live = there.iter().filter(|op| !seen.contains(op));
            let live: BTreeSet<String> =
                live.filter_map(|op| Some(self.history.ops[*op].over.as_ref()?.value.clone())).collect();
            let shown = values_at(&json, path);
            ensure!(shown == live, "{path} of {record} shows {shown:?}, and nobody replaced {live:?}");
        }
        Ok(())
    }

    /// Promise 3: tallies add up, each count once.
    fn sums_add_up(&self) -> Result<()> {
        for session in self.sessions.iter().copied() {
            let (mut sure, mut most) = (0, 0);
            for op in self.history.of_record(session) {
                let held =
                    self.history.base.contains(&op) || self.vans.iter().any(|van| van.holds.contains(&op));
                let Some(n) = Some(self.history.ops[op].tally) else { continue };
                most += n;
                sure += if held { n } else { 0 };
            }
            let Some(json) = self.at_base(session)? else { continue };
            let shown = json["tallies"]["conversations"].as_i64().unwrap_or(0);
            ensure!((sure..=most).contains(&shown), "{session} counts {shown}, not {sure} to {most}");
        }
        Ok(())
    }

    /// Promises 3, 4, 9, 10: every tablet has its team's active records, just as base shows them.
    fn everybody_shows_the_same(&self) -> Result<()> {
        let views = self.views.as_ref().context("views")?;
        let mut of_team: BTreeMap<String, BTreeMap<RecordId, Value>> = BTreeMap::new();
        let mut contacts: BTreeMap<RecordId, usize> = BTreeMap::new();
        for json in views.list(None)? {
            let id: RecordId = json["id"].as_str().context("an id")?.parse()?;
            if json["kind"] == Kind::Contact.as_str() {
                let readings = json.pointer("/bp/readings").and_then(Value::as_object);
                contacts.insert(id, readings.map_or(0, serde_json::Map::len));
            }
            if json["archived"] != true {
                of_team.entry(json["team"].as_str().unwrap_or_default().into()).or_default().insert(id, json);
            }
        }
        for at in self.those_who_work() {
            let (van, name) = (&self.vans[at], &self.vans[at].name);
            let own: BTreeMap<&RecordId, &Value> = self
                .teams_on(at)?
                .into_iter()
                .flat_map(|team| of_team.get(&self.teams[team].to_string()))
                .flatten()
                .collect();
            let mut seen = BTreeSet::new();
            for mut json in van.tablet().list(None, Page::default())? {
                let id: RecordId = json["id"].as_str().context("an id")?.parse()?;
                let drafts = has_quarantined(&json);
                if let Some(members) = json.as_object_mut() {
                    members.remove("quarantined");
                }
                match own.get(&id) {
                    Some(shown) => ensure!(**shown == json, "{name} shows {json}, base {shown}"),
                    None => ensure!(drafts, "{name} shows {id}, which base does not: {json}"),
                }
                seen.insert(id);
            }
            let missing: Vec<_> = own.keys().filter(|id| !seen.contains(id)).collect();
            ensure!(missing.is_empty(), "{name} lacks {missing:?}");
        }
        Ok(())
    }

    /// Promise 8: base is alarmed by what happened to it, and by nothing else.
    fn alarms_have_their_reason(&self) -> Result<()> {
        let (base, now) = (self.base(), self.base().clock.now_ms());
        for alarm in base.log.read(|conn| log::alarms(conn, now))? {
            let reasons: &[&str] = match alarm.code.as_str() {
                "server_restored" => &["base was restored"],
                // The ledger has the key, and the log never did: what base finds then is what it would find of a log that
                // was set back.
                "log_replaced" => &["base was set back silently", "base died giving a key"],
                "tablet_copied" => &["a tablet was set back", "a tablet was cloned", PASSED_FOR_NEW],
                _ => &[],
            };
            let known = reasons.iter().any(|reason| self.counts.contains_key(reason));
            let is_it = |van: &&Van| van.tablet.as_ref().map(|tablet| tablet.id()) == alarm.tablet;
            let of = self.vans.iter().find(is_it).map_or("base", |van| &van.name);
            ensure!(known, "an alarm without a reason: {} of {of}", alarm.code);
        }
        Ok(())
    }

    /// Promise 9: what was erased is in no file of base and on no tablet.
    fn nothing_erased_is_left(&self) -> Result<()> {
        let erased: BTreeSet<&[u8]> = self.history.erased_names.iter().map(String::as_bytes).collect();
        let found = files_with_any(&self.data, &erased)?;
        ensure!(found.is_empty(), "an erased name is still in {found:?}");
        for van in self.vans.iter().filter_map(|van| van.tablet.as_ref()) {
            for id in &self.history.erased {
                ensure!(van.show(*id).is_err(), "a tablet still shows {id}, which was erased");
            }
        }
        Ok(())
    }

    /// Promises 2 and 6: everything is at base, it is said so, and it costs one small request to know it.
    async fn idle_costs_little(&mut self) -> Result<()> {
        for at in self.those_who_work() {
            let report = self.sync(at, None).await?;
            let (up, down) = {
                let own = self.vans[at].line.own();
                (own.up, own.down)
            };
            let name = &self.vans[at].name;
            // A copy may have been in no team but one that its tablet was taken out of.
            let exchanges = u64::from(!self.teams_on(at)?.is_empty());
            ensure!(
                report.error.is_none() && report.exchanges == exchanges && up <= IDLE && down <= IDLE,
                "{name}, with nothing new: {report:?}, {up} B up, {down} B down"
            );
            let status = self.vans[at].tablet().status()?;
            ensure!(status.waiting == 0, "{name} still has {} to send", status.waiting);
            ensure!(status.in_sync || status.quarantined > 0, "{name} cannot say that all is at base");
        }
        ensure!(lock(&self.wire).late.is_empty(), "something is still under way");
        Ok(())
    }
}

/// Files below a directory in which one of these names stands, each as long as [`letters`] makes them, and what stands around.
fn files_with_any(dir: &Path, names: &BTreeSet<&[u8]>) -> Result<Vec<String>> {
    let length = letters(0).len();
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_with_any(&path, names)?);
        } else {
            let bytes = fs::read(&path)?;
            let named = |text: &[u8]| text[0] == b'Q' && names.contains(text);
            if let Some(at) = bytes.windows(length).position(named) {
                let around = &bytes[at.saturating_sub(120)..bytes.len().min(at + 120)];
                found.push(format!("{}: {}", path.display(), around.escape_ascii()));
            }
        }
    }
    Ok(found)
}
