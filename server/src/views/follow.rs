//! Following the log: what each part of it comes to is derived in one thread while another writes what came before. From
//! nothing and change by change the way is the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use tokio::sync::oneshot;
use wayside_protocol::record::RecordId;

use super::derive::Part;
use super::{Shown, Views, later, write};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::log::{self, Log, Team};

/// Log rows in one transaction of the views. In tests so few that most of them want several.
const BATCH: usize = if cfg!(test) { 7 } else { 2000 };
/// What is kept of the file, in kilobytes: a batch touches many of the pages that the one before touched.
const CACHE: i64 = 32 << 10;
/// Pages of the write-ahead log between two checkpoints: each batch writes a thousand or two.
const CHECKPOINT: i64 = 16_000;
/// Where the log holds more than this, views that begin from nothing are given their readers' indexes last.
const MANY: u64 = if cfg!(test) { 20 } else { 10_000 };
/// How often to look for what another process appended.
const POLL: Duration = Duration::from_secs(1);

/// Follows the log until `stop`: at once after a commit of this process, within a second after one of
/// another.
pub async fn follow(base: Arc<Base>, mut stop: oneshot::Receiver<()>) {
    let mut heads = base.log.watch();
    let mut views = None;
    base.followed.begin();
    loop {
        let following = base.clone();
        let kept = views.take();
        // Kept across rounds; opened again after a failure.
        let round = tokio::task::spawn_blocking(move || {
            let mut views = kept.map_or_else(|| Views::to_follow(following.data()), Ok)?;
            following.catch_up(&mut views)?;
            Ok::<_, Error>(views)
        });
        match round.await.unwrap_or(Err(Error::Internal("a panic in the views"))) {
            Ok(kept) => views = Some(kept),
            Err(error) => tracing::error!(code = %error.code(), detail = error.detail(), "views lag behind"),
        }
        tokio::select! {
            _ = &mut stop => return base.followed.end(),
            _ = heads.changed() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

impl Base {
    /// Follows the log to where it ends now, and tells whoever waits for it. Blocks.
    pub(crate) fn catch_up(&self, views: &mut Views) -> Result<()> {
        self.log.look_around()?;
        views.follow_to_end(&self.log, |shown| self.followed.now_at(shown))?;
        self.followed.now_complete(views.come_to()?);
        // Only now: a page that is told must find what it is told of.
        self.now_viewed(self.log.read(|conn| views.seen_with(conn))?);
        Ok(())
    }
}

impl Views {
    /// The connection of the one who writes for long.
    pub fn to_follow(data: &Path) -> Result<Views> {
        let views = Views::open(data)?;
        views.conn.pragma_update(None, "cache_size", -CACHE)?;
        views.conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
        Ok(views)
    }

    /// How far they have come in each team.
    pub fn come_to(&self) -> Result<Shown> {
        let mut statement = self.conn.prepare_cached("SELECT team, epoch, seq FROM cursor")?;
        let rows = statement
            .query_map([], |row| Ok((RecordId::from_bytes(row.get(0)?), (row.get(1)?, row.get(2)?))))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How far they have come in one team, if they have begun with it.
    pub fn head(&self, team: RecordId) -> Result<Option<u64>> {
        Ok(self.come_to()?.get(&team).map(|(_, seq)| *seq))
    }

    /// Follows the log to where it ends now. Blocks.
    pub fn catch_up(&mut self, log: &Log) -> Result<()> {
        self.follow_to_end(log, |_| {})
    }

    /// The same; says how far they have come after each step.
    fn follow_to_end(&mut self, log: &Log, mut told: impl FnMut(Shown)) -> Result<()> {
        if !self.fits {
            self.fit(log)?;
        }
        // Where it ends now: whoever wants to be told must not wait for the end of a log that grows all the time.
        let mut goals: BTreeMap<RecordId, Team> =
            log.read(log::teams)?.into_iter().map(|team| (team.id, team)).collect();
        if goals.values().map(|team| team.head).sum::<u64>() > MANY && self.come_to()?.is_empty() {
            later::put_off(&mut self.conn)?;
        }
        loop {
            let mut behind = false;
            for team in &log.read(log::teams)? {
                let Some(goal) = goals.get_mut(&team.id) else { continue };
                if goal.epoch != team.epoch || goal.head > team.head {
                    *goal = team.clone();
                }
                match cursor(&self.conn, team)? {
                    // Another process follows, and read the log later; or the log was set back.
                    Some(seq) if seq > team.head => behind |= self.fit(log)?,
                    Some(seq) if seq >= goal.head => {}
                    _ => {
                        behind = true;
                        self.follow_team(log, goal, &mut told)?;
                    }
                }
            }
            if !behind {
                return later::make_up(&mut self.conn);
            }
        }
    }

    /// Forgets what this log does not hold: the file may have been copied from elsewhere, or the log been set back.
    /// What is of another epoch is derived again anyhow. Whether there was any.
    fn fit(&mut self, log: &Log) -> Result<bool> {
        // Read before the log is: another process may be following.
        let shown = self.come_to()?;
        let teams = log.read(log::teams)?;
        let mut forgot = false;
        for (id, (epoch, seq)) in shown {
            let known = teams.iter().find(|team| team.id == id);
            if known.is_none_or(|team| team.epoch == epoch && seq > team.head) {
                let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
                write::forget_team(&transaction, &mut self.known, id.as_bytes())?;
                transaction.commit()?;
                forgot = true;
            }
        }
        self.fits = true;
        Ok(forgot)
    }

    /// Follows one team to where its log ended when it was read.
    fn follow_team(&mut self, log: &Log, team: &Team, told: &mut impl FnMut(Shown)) -> Result<()> {
        if self.come_to()?.get(&team.id).is_some_and(|(epoch, _)| *epoch != team.epoch) {
            // Said first, so that nobody looks at what is half made.
            let mut anew = self.come_to()?;
            anew.insert(team.id, (team.epoch, 0));
            told(anew);
        }
        let from = self.begin(team)?;
        thread::scope(|scope| {
            let (sender, parts) = sync_channel(1);
            scope.spawn(move || read_ahead(log, team, from, &sender));
            for part in parts {
                let written = self.write(team, part?);
                if !matches!(written, Ok(true)) {
                    // Nothing of what was read on the way is known to be so.
                    self.known.forget_all();
                    return written.map(drop);
                }
                told(self.come_to()?);
            }
            Ok(())
        })
    }

    /// The number from which a team is followed: 0 in another epoch than before, where nothing is left of it.
    fn begin(&mut self, team: &Team) -> Result<u64> {
        if let Some(seq) = cursor(&self.conn, team)? {
            return Ok(seq);
        }
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Again, now that nobody else can begin.
        if let Some(seq) = cursor(&transaction, team)? {
            return Ok(seq);
        }
        write::forget_team(&transaction, &mut self.known, team.id.as_bytes())?;
        move_cursor(&transaction, team, 0)?;
        transaction.commit()?;
        Ok(0)
    }

    /// Writes one part; false where somebody else follows, and was faster.
    fn write(&mut self, team: &Team, part: Part) -> Result<bool> {
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if cursor(&transaction, team)? != Some(part.from) {
            return Ok(false);
        }
        let version: i64 =
            transaction.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        self.known.of_version(version);
        let to = part.to;
        write::part(&transaction, &mut self.known, team.id.as_bytes(), part)?;
        move_cursor(&transaction, team, to)?;
        transaction.commit()?;
        Ok(true)
    }
}

/// Derives one part after the other, as long as somebody takes them.
fn read_ahead(log: &Log, team: &Team, mut from: u64, sender: &SyncSender<Result<Part>>) {
    while from < team.head {
        let read = log.read(|conn| {
            // Another epoch is followed from its beginning.
            let same = log::team_by_id(conn, team.id)?.is_some_and(|now| now.epoch == team.epoch);
            if same { log::part(conn, team.n, from, BATCH).map(Some) } else { Ok(None) }
        });
        let part = match read {
            Ok(None) => return,
            // It would be asked for them for ever.
            Ok(Some(part)) if part.to == from => Err(Error::Internal("a log without some of its numbers")),
            Ok(Some(part)) => Part::of(from, part),
            Err(error) => Err(error),
        };
        from = part.as_ref().map_or(team.head, |part| part.to);
        if sender.send(part).is_err() {
            return;
        }
    }
}

/// How far the views of a team have come; `None` in another epoch, or before they have begun.
fn cursor(conn: &Connection, team: &Team) -> Result<Option<u64>> {
    let mut statement = conn.prepare_cached("SELECT seq FROM cursor WHERE team = ? AND epoch = ?")?;
    Ok(statement.query_row((team.id.as_bytes(), team.epoch), |row| row.get(0)).optional()?)
}

fn move_cursor(views: &Connection, team: &Team, seq: u64) -> Result<()> {
    views
        .prepare_cached(
            "INSERT INTO cursor (team, epoch, seq) VALUES (?, ?, ?)
             ON CONFLICT (team) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq",
        )?
        .execute((team.id.as_bytes(), team.epoch, seq))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wayside_protocol::record::Kind;

    use super::*;
    use crate::testing::Site;

    /// With each step of the views a tablet sends more: whoever waits for the end of the log waits for ever.
    #[test]
    fn views_that_follow_a_log_which_grows_all_the_time_come_to_where_it_ended() {
        const MORE: usize = 40;
        let site = Site::new();
        let tablet = site.tablet();
        let send =
            || tablet.push(&site, &[tablet.begin(Kind::Person, json!({"name": {"family": "Khan"}})).1]);
        (0..10).for_each(|_| drop(send()));
        let head = || site.base.log.read(log::teams).unwrap()[0].head;
        let (goal, mut sent) = (head(), 0);
        let mut views = Views::to_follow(site.dir.path()).unwrap();
        let grows = |_| {
            sent += 1;
            assert!(sent < MORE, "it goes on as long as something comes");
            drop(send());
        };
        views.follow_to_end(&site.base.log, grows).unwrap();
        let come_to = views.head(site.team).unwrap().unwrap();
        assert!(come_to >= goal && come_to < head(), "{goal}, {come_to}, {}", head());
    }
}
