//! Least data: what nobody has touched for a while leaves the tablets, and what is erased is gone everywhere.
//!
//! What is to be archived is found in the views, outside the writer. Inside the commit whatever was touched since is left
//! out again, so that nobody ever holds a contact without its person or its session.

mod erase;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::sync::frame::What;

pub use erase::{Erasure, erase, erasure};

use crate::base::{Base, ends_within};
use crate::error::Result;
use crate::log::db::{Conn, args};
use crate::log::{self, Audited, Made, SERVER, Team};
use crate::views::{Active, Views};

/// After so many days without a change, unless somebody says otherwise.
pub const DAYS: u32 = 30;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How long a contact that names an erased person waits for an administrator.
const WAITS_MS: u64 = 30 * DAY_MS;
/// Records that are archived in one commit, about.
const BATCH: usize = 500;
/// How often the daily run looks whether a day has passed, and how soon after the start.
const LOOK: Duration = Duration::from_secs(60 * 60);
const FIRST: Duration = Duration::from_secs(10 * 60);

/// What a run archived, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Archived {
    pub persons: usize,
    pub contacts: usize,
    pub sessions: usize,
}

impl std::fmt::Display for Archived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} people, {} contacts, {} sessions", self.persons, self.contacts, self.sessions)
    }
}

/// Archives what nobody has changed for so many days, by the time at which the server received it, and about which
/// nothing is open; people only together with all that was recorded with them. `who` stands in the audit trail. Blocks.
pub fn archive(base: &Base, days: u32, who: &str, dry_run: bool) -> Result<Archived> {
    let mut views = Views::open(base.data())?;
    views.catch_up(&base.log)?;
    let now = base.clock.now_ms();
    let cutoff = now.saturating_sub(u64::from(days) * DAY_MS);
    let mut all = Archived::default();
    for team in base.log.read(log::teams)? {
        let Some(from) = views.head(team.id)? else { continue };
        let plan = base.log.read(|conn| Plan::of(conn, &views, &team, cutoff))?;
        let done = if dry_run { plan.counted() } else { plan.carry_out(base, &team, from, now)? };
        all.persons += done.persons;
        all.contacts += done.contacts;
        all.sessions += done.sessions;
    }
    if !dry_run {
        let (who, reason) = (who.to_owned(), format!("{days} days without a change: {all}"));
        base.log.write(move |txn| {
            txn.conn.execute(
                // With what was refused because it depends on it.
                "DELETE FROM quarantine WHERE record IN
                     (SELECT record FROM quarantine WHERE code = ? AND received_at < ?)",
                args![Code::PersonErased.as_str(), now.saturating_sub(WAITS_MS)],
            )?;
            log::audit(
                txn.conn,
                &Audited {
                    at: now,
                    who: who.clone(),
                    act: ACT.into(),
                    reason: reason.clone(),
                    ..Audited::default()
                },
            )
        })?;
    }
    Ok(all)
}

const ACT: &str = "archive";

/// Archives once a day until the server ends.
pub async fn daily(base: Arc<Base>, days: u32) {
    let mut closing = base.closing();
    let mut pause = FIRST;
    while !ends_within(&mut closing, pause).await {
        pause = LOOK;
        let running = base.clone();
        let run = tokio::task::spawn_blocking(move || if_due(&running, days)).await;
        match run {
            Ok(Ok(Some(archived))) => tracing::info!(%archived, "archived"),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::error!(code = %error.code(), detail = error.detail(), "not archived"),
            Err(_) => tracing::error!("a panic while archiving"),
        }
    }
}

/// Archives if that was not done within a day.
fn if_due(base: &Base, days: u32) -> Result<Option<Archived>> {
    let last = base.log.read(|conn| log::last_done(conn, ACT))?;
    if last.is_some_and(|last| base.clock.now_ms() < last + DAY_MS) {
        return Ok(None);
    }
    archive(base, days, SERVER, false).map(Some)
}

/// A person with those merged with them and all their contacts; or one contact that is with nobody known.
#[derive(Default)]
struct Group {
    persons: Vec<RecordId>,
    contacts: Vec<RecordId>,
    stays: bool,
}

impl Group {
    fn ids(&self) -> impl Iterator<Item = RecordId> {
        self.persons.iter().chain(&self.contacts).copied()
    }
}

/// What may be archived of one team.
struct Plan {
    groups: Vec<Group>,
    /// Sessions with their contacts that are still on the tablets.
    sessions: Vec<(RecordId, Vec<RecordId>)>,
}

impl Plan {
    fn of(conn: &Conn, views: &Views, team: &Team, cutoff: u64) -> Result<Plan> {
        let busy = busy(conn, team.n)?;
        let stays = |active: &Active| -> Result<bool> {
            let fresh = conn.exists(
                "SELECT 1 FROM log WHERE team = ? AND record = ? AND received_at > ? LIMIT 1",
                args![team.n, active.id, cutoff],
            )?;
            Ok(active.open || fresh || busy.contains(&active.id))
        };
        let mut groups: BTreeMap<RecordId, Group> = BTreeMap::new();
        let mut of_session: BTreeMap<RecordId, Vec<RecordId>> = BTreeMap::new();
        for contact in views.active_contacts(team.id)? {
            let group = groups.entry(contact.person.unwrap_or(contact.id)).or_default();
            group.stays |= stays(&contact)?;
            group.contacts.push(contact.id);
            if let Some(session) = contact.session {
                of_session.entry(session).or_default().push(contact.id);
            }
        }
        for person in views.active_persons(team.id)? {
            let group = groups.entry(person.person.unwrap_or(person.id)).or_default();
            group.stays |= stays(&person)?;
            group.persons.push(person.id);
        }
        let (staying, groups): (Vec<_>, Vec<_>) = groups.into_values().partition(|group| group.stays);
        let staying: BTreeSet<RecordId> = staying.iter().flat_map(Group::ids).collect();
        let mut sessions = Vec::new();
        for session in views.active_sessions(team.id)? {
            let contacts = of_session.remove(&session.id).unwrap_or_default();
            if !stays(&session)? && !contacts.iter().any(|contact| staying.contains(contact)) {
                sessions.push((session.id, contacts));
            }
        }
        Ok(Plan { groups, sessions })
    }

    fn counted(&self) -> Archived {
        Archived {
            persons: self.groups.iter().map(|group| group.persons.len()).sum(),
            contacts: self.groups.iter().map(|group| group.contacts.len()).sum(),
            sessions: self.sessions.len(),
        }
    }

    /// `from` is where the views stood.
    fn carry_out(self, base: &Base, team: &Team, from: u64, now: u64) -> Result<Archived> {
        let mut done = Archived::default();
        let (id, n, made) = (team.id, team.n, Made { at: now, by: SERVER });
        let mut groups = self.groups.into_iter().peekable();
        while groups.peek().is_some() {
            let (mut batch, mut size) = (Vec::new(), 0);
            while let Some(group) = groups.next_if(|_| size < BATCH) {
                size += group.ids().count();
                batch.push(group);
            }
            let (persons, contacts) = base.log.write_for(id, move |txn| {
                let touched = touched_after(txn.conn, n, from)?;
                batch.retain(|group| !group.ids().any(|id| touched.contains(&id)));
                let all: Vec<RecordId> = batch.iter().flat_map(Group::ids).collect();
                log::enter(txn, id, What::Archive, &all, made)?;
                let persons: usize = batch.iter().map(|group| group.persons.len()).sum();
                Ok((persons, all.len() - persons))
            })?;
            done.persons += persons;
            done.contacts += contacts;
        }
        for batch in self.sessions.chunks(BATCH) {
            let batch = batch.to_vec();
            done.sessions += base.log.write_for(id, move |txn| {
                let mut batch = batch.clone();
                let touched = touched_after(txn.conn, n, from)?;
                batch.retain(|(session, _)| !touched.contains(session));
                let mut sessions = Vec::new();
                for (session, contacts) in batch {
                    let mut off = true;
                    for contact in contacts {
                        off &= log::off_tablets(txn.conn, n, contact)?.is_some();
                    }
                    sessions.extend(off.then_some(session));
                }
                Ok(log::enter(txn, id, What::Archive, &sessions, made)?.len())
            })?;
        }
        Ok(done)
    }
}

/// Records of which something waits or is in quarantine, and what that names.
fn busy(conn: &Conn, team: i64) -> Result<BTreeSet<RecordId>> {
    let mut busy = BTreeSet::new();
    for sql in [
        "SELECT record, raw FROM quarantine WHERE team = ?",
        "SELECT record, raw FROM waiting WHERE team = ?",
    ] {
        conn.each(sql, args![team], |row| {
            busy.insert(row.get(0)?);
            busy.extend(log::named(&row.get::<Vec<u8>>(1)?).into_iter().map(|(_, record)| record));
            Ok(true)
        })?;
    }
    Ok(busy)
}

/// What was changed, named by a change, or fetched since the log ended there.
fn touched_after(conn: &Conn, team: i64, from: u64) -> Result<BTreeSet<RecordId>> {
    let mut touched = busy(conn, team)?;
    log::rows_after(
        conn,
        team,
        from,
        |_, _| false,
        |row| {
            touched.insert(row.record);
            touched.extend(log::named(&row.raw).into_iter().map(|(_, record)| record));
            Ok(true)
        },
    )?;
    let back = log::entries(conn, team, from, u64::MAX >> 1)?;
    touched.extend(back.iter().filter(|entry| entry.what == What::Activate).map(|entry| entry.record));
    Ok(touched)
}
