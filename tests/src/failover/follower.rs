//! A reader of the log that knows nothing of our own readers: it asks all the time what has come, and must be told each
//! number of a team once, without a gap that is filled later.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use postgres::{Client, NoTls};
use tokio::{sync::watch, time::timeout};

use super::Numbered;

/// Until it has seen what somebody waits for.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two connections, where there is none to be had.
const PAUSE: Duration = Duration::from_millis(50);

pub struct Follower {
    /// How many changes it has seen.
    seen: watch::Receiver<usize>,
    /// How many changes it is to see; unknown as long as it is the most there can be.
    wanted: Arc<AtomicUsize>,
    reading: JoinHandle<Result<Followed>>,
}

#[derive(Default)]
pub struct Followed {
    pub numbered: Numbered,
    pub reads: usize,
    pub reconnects: usize,
    /// The last number of each team, by the team's own number.
    last: BTreeMap<i64, i64>,
}

impl Follower {
    pub fn start(url: String) -> Follower {
        let wanted = Arc::new(AtomicUsize::new(usize::MAX));
        let (until, (told, seen)) = (wanted.clone(), watch::channel(0));
        Follower { seen, wanted, reading: thread::spawn(move || follow(&url, &until, &told)) }
    }

    pub fn seen(&self) -> usize {
        *self.seen.borrow()
    }

    /// Waits until it has seen so many changes. Fails where it has failed.
    pub async fn until_seen(&self, changes: usize) -> Result<()> {
        let mut seen = self.seen.clone();
        let waited = timeout(PATIENCE, seen.wait_for(|seen| *seen >= changes)).await;
        waited
            .with_context(|| format!("{} of {changes} changes came", self.seen()))?
            .context("the follower")?;
        Ok(())
    }

    /// Reads on until it has seen so many changes.
    pub fn end(self, changes: usize) -> Result<Followed> {
        self.wanted.store(changes, Ordering::Release);
        self.reading.join().map_err(|_| anyhow::anyhow!("a panic of the follower"))?
    }
}

fn follow(url: &str, wanted: &AtomicUsize, told: &watch::Sender<usize>) -> Result<Followed> {
    let (mut followed, mut client, mut ending) = (Followed::default(), None, None);
    loop {
        // Somebody has to take writes before it can go on.
        let Some(connected) = client.as_mut() else {
            client = Client::connect(url, NoTls).ok();
            if client.is_none() {
                thread::sleep(PAUSE);
            }
            continue;
        };
        match rows(connected, &followed.last) {
            Ok(rows) => followed.take(rows)?,
            Err(error) if error.is_closed() || connected.is_closed() => {
                client = None;
                followed.reconnects += 1;
            }
            // A server that is going down says so first.
            Err(error) => {
                let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
                ensure!(code.starts_with("57P") || code.is_empty(), "the follower: {code}");
                client = None;
                followed.reconnects += 1;
            }
        }
        let seen = followed.numbered.len();
        told.send_if_modified(|told| std::mem::replace(told, seen) != seen);
        let wanted = wanted.load(Ordering::Acquire);
        if seen >= wanted {
            return Ok(followed);
        }
        if wanted < usize::MAX {
            let begun = *ending.get_or_insert_with(Instant::now);
            ensure!(begun.elapsed() < PATIENCE, "the follower has seen {seen} of {wanted} changes");
        }
    }
}

/// Team, its id, number, record, hash.
type Row = (i64, Vec<u8>, i64, Vec<u8>, Vec<u8>);

/// What every team has after the numbers that are known: in one look, and by the index, team by team. This asks all the time,
/// and must not take the processors from those that it watches.
fn rows(client: &mut Client, last: &BTreeMap<i64, i64>) -> Result<Vec<Row>, postgres::Error> {
    let (teams, seqs): (Vec<i64>, Vec<i64>) = last.iter().unzip();
    let sql = "SELECT t.n, t.id, l.seq, l.record, l.hash FROM team t
               LEFT JOIN unnest($1::bigint[], $2::bigint[]) AS known (team, seq) ON known.team = t.n
               CROSS JOIN LATERAL (SELECT seq, record, hash FROM log
                   WHERE log.team = t.n AND log.seq > coalesce(known.seq, 0) ORDER BY seq OFFSET 0) AS l
               ORDER BY t.n, l.seq";
    let rows = client.query(sql, &[&teams, &seqs])?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?)))
        .collect()
}

impl Followed {
    fn take(&mut self, rows: Vec<Row>) -> Result<()> {
        self.reads += 1;
        for (team, id, seq, record, hash) in rows {
            let last = self.last.entry(team).or_default();
            ensure!(seq == *last + 1, "team {team}: number {seq} was seen after {last}");
            *last = seq;
            self.numbered.insert((id, record, hash), u64::try_from(seq)?);
        }
        Ok(())
    }
}

/// Everything that the log holds now.
pub fn numbered(url: &str) -> Result<Numbered> {
    let mut client = Client::connect(url, NoTls).context("the log")?;
    let mut all = Followed::default();
    all.take(rows(&mut client, &BTreeMap::new())?)?;
    Ok(all.numbered)
}
