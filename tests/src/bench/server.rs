//! How many changes a second the server takes in, durably, beside the least that it could take: the same checks and
//! the same inserts in one bare loop.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use tokio::sync::oneshot;
use wayside_protocol::{
    error::Code,
    record::{
        Hash, Kind, RecordId,
        admit::{Fit, History, apply_checked, is_plain_beginning},
        change_hash, check_change, chunk,
    },
    sync::{
        Frame, PublicKey, SetSum, SignatureBytes,
        frame::{Incoming, Item, Verdict, decode},
        verify_list, verify_request,
    },
};
use wayside_server::{Base, Clock, sync, views};

use super::{
    Figure, TEAM,
    party::{Usage, thread_cpu},
    prepared::PaperTablet,
};

/// Requests that the server works on at once: as many as its router lets in.
const AT_ONCE: usize = 64;
/// Bare inserts in one transaction.
const BARE: usize = 200;

/// What one run of many tablets at once came to.
struct Ingest {
    changes: usize,
    /// Until the last verdict, in seconds.
    taken: f64,
    /// From the last verdict until the views showed it all.
    views_behind: f64,
    /// Seconds of all cores until then, those of the views included.
    cpu: f64,
    /// The most that the process grew by, in megabytes.
    grown: f64,
}

/// A server, and requests that it has not seen yet.
struct Prepared {
    base: Arc<Base>,
    requests: Vec<Vec<u8>>,
    changes: usize,
}

/// The server's side of a push. Must run inside a Tokio runtime, where blocking is allowed.
pub fn ingest(dir: &Path, changes: usize) -> Result<Vec<Figure>> {
    // Before anything is measured: both sets of requests, so that neither run begins in a smaller process.
    let few = Prepared::new(&dir.join("few"), 50, changes)?;
    let many = Prepared::new(&dir.join("many"), 500, changes)?;
    let bodies = many.requests.clone();
    let server = *many.base.identity.public();
    let few = few.run()?;
    let many = many.run()?;
    let before = thread_cpu();
    let bare = bare_loop(&dir.join("loop"), &server, &bodies)?;
    let bare_cpu = thread_cpu() - before;
    let stored = bare_inserts(&dir.join("stored.db"), &server, &bodies)?;
    let per_second = |seconds: f64| many.changes as f64 / seconds;
    let what = |what: &str| format!("server, 500 tablets at once, {} changes: {what}", many.changes);
    let rate = |floor: f64, note| Figure {
        what: what("durable"),
        value: per_second(many.taken),
        unit: "changes/s",
        floor: per_second(floor),
        note,
    };
    Ok(vec![
        rate(bare, "the same checks and inserts, one bare loop, a commit for each group"),
        rate(stored, "one SQLite that only stores the same bytes as durably"),
        Figure {
            what: what("CPU a change, with what the views have come to"),
            value: many.cpu / many.changes as f64 * 1e6,
            unit: "µs",
            floor: bare_cpu / many.changes as f64 * 1e6,
            note: "that loop, which makes no views",
        },
        Figure {
            what: what("views behind"),
            value: many.views_behind * 1000.0,
            unit: "ms",
            floor: 2000.0,
            note: "at most 2 s after the last verdict",
        },
        Figure {
            what: what("memory"),
            value: many.grown,
            unit: "MB",
            floor: few.grown,
            note: "the same changes from 50 tablets",
        },
    ])
}

impl Prepared {
    fn new(dir: &Path, tablets: usize, changes: usize) -> Result<Prepared> {
        let base = Arc::new(Base::open(dir, Clock::default())?);
        base.team_add(TEAM)?;
        let now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond())?;
        // A contact with its person is two changes.
        let each = changes.div_ceil(tablets * 2);
        let (mut by_tablet, mut count) = (Vec::new(), 0);
        for seed in 0..tablets as u64 {
            let (bodies, raws) = PaperTablet::enrolled(&base, TEAM, seed)?.requests(each, seed, now_ms)?;
            by_tablet.push(bodies.into_iter());
            count += raws.len();
        }
        // In turns, as they would come.
        let mut requests = Vec::new();
        for round in 0.. {
            requests.extend(by_tablet.iter_mut().filter_map(Iterator::next));
            if requests.len() <= round * tablets {
                break;
            }
        }
        Ok(Prepared { base, requests, changes: count })
    }

    fn run(self) -> Result<Ingest> {
        let Prepared { base, requests, changes } = self;
        let (stop, stopped) = oneshot::channel();
        let following = tokio::runtime::Handle::current().spawn(views::follow(base.clone(), stopped));
        let (next, done) = (AtomicUsize::new(0), AtomicBool::new(false));
        let before = resident()?;
        let (start, cpu) = (Instant::now(), Usage::own()?.cpu);
        let (accepted, taken, cpu, grown) = thread::scope(|scope| -> Result<_> {
            let watching = scope.spawn(|| -> Result<f64> {
                let mut most = before;
                while !done.load(Ordering::Acquire) {
                    most = most.max(resident()?);
                    thread::sleep(Duration::from_millis(5));
                }
                Ok(most - before)
            });
            let pushing: Vec<_> = (0..AT_ONCE)
                .map(|_| {
                    scope.spawn(|| -> Result<usize> {
                        let mut accepted = 0;
                        while let Some(body) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                            accepted += accepted_in(&sync::exchange(&base, body)?)?;
                        }
                        Ok(accepted)
                    })
                })
                .collect();
            let accepted: Result<usize> =
                pushing.into_iter().map(|pushing| pushing.join().map_err(panicked)?).sum();
            let (taken, cpu) = (start.elapsed().as_secs_f64(), Usage::own()?.cpu - cpu);
            done.store(true, Ordering::Release);
            Ok((accepted?, taken, cpu, watching.join().map_err(panicked)??))
        })?;
        ensure!(accepted == changes, "{accepted} of {changes} changes were accepted");
        let viewed = Instant::now();
        wait_for_views(base.data(), changes)?;
        let views_behind = viewed.elapsed().as_secs_f64();
        let _ = stop.send(());
        tokio::runtime::Handle::current().block_on(following)?;
        Ok(Ingest { changes, taken, views_behind, cpu, grown })
    }
}

fn panicked<T>(_: T) -> anyhow::Error {
    anyhow::anyhow!("a panic")
}

/// Until the views have come to the end of the log: all changes, after the one that began the team.
pub fn wait_for_views(data: &Path, changes: usize) -> Result<()> {
    let views = Connection::open(data.join("views.db"))?;
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let seen: usize =
            views.query_row("SELECT coalesce(max(seq), 0) FROM cursor", [], |row| row.get(0))?;
        if seen > changes {
            return Ok(());
        }
        ensure!(Instant::now() < end, "the views have come to {seen} of {changes}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What the process holds in memory, in megabytes.
pub fn resident() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/statm")?;
    let pages = status.split_whitespace().nth(1).context("no memory figure")?;
    Ok(pages.parse::<f64>()? * 4096.0 / 1e6)
}

fn accepted_in(answer: &[u8]) -> Result<usize> {
    let frames = decode(answer)?;
    let verdicts = frames.iter().filter_map(|frame| match frame {
        Frame::Verdicts(verdicts) => Some(&verdicts.verdicts),
        _ => None,
    });
    Ok(verdicts.flatten().filter(|verdict| matches!(verdict, Verdict::Accepted { .. })).count())
}

/// One list of a request, taken apart and verified.
struct Batch {
    author: PublicKey,
    signature: SignatureBytes,
    changes: Vec<(RecordId, Hash, Vec<u8>)>,
}

fn open(server: &PublicKey, body: &[u8]) -> Result<Vec<Batch>> {
    let mut incoming = Incoming::default();
    incoming.push(body)?;
    let head = incoming.next_head()?.context("no head")?;
    let Some(Frame::Hello(hello)) = head.frames.first() else { anyhow::bail!("no hello") };
    ensure!(verify_request(&hello.tablet, server, &head.signed, &head.seal), "a seal");
    let mut batches = Vec::new();
    while let Some(frame) = incoming.next_frame()? {
        let Frame::Changes(changes) = frame else { anyhow::bail!("not a change") };
        for list in changes.lists {
            let items = list.signed_items(change_hash);
            ensure!(verify_list(&hello.tablet, changes.team, &items, &list.signature), "a list");
            let bodies = list.items.into_iter().zip(items).filter_map(|(item, (record, hash))| match item {
                Item::Body { raw, .. } => Some((record, hash, raw)),
                Item::Absent { .. } => None,
            });
            let (author, signature) = (hello.tablet, list.signature);
            batches.push(Batch { author, signature, changes: bodies.collect() });
        }
    }
    Ok(batches)
}

/// Seconds for the floor: one thread that checks each change with the functions that the server checks with, and
/// inserts it into the server's own tables, as durably, with as many requests in one commit as the server works on
/// at once. It asks nothing that a server must ask (is it known, in quarantine, whose is the actor) and
/// answers nobody.
fn bare_loop(dir: &Path, server: &PublicKey, bodies: &[Vec<u8>]) -> Result<f64> {
    // For its tables and the team's row, closed before anything is measured.
    Base::open(dir, Clock::default())?.team_add(TEAM)?;
    let db = durable(&dir.join("log.db"))?;
    db.pragma_update(None, "foreign_keys", true)?;
    let (n, mut head): (i64, u64) =
        db.query_row("SELECT n, head FROM team", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut sum: SetSum = db.query_row("SELECT sum, count FROM log WHERE seq = ?", [head], |row| {
        Ok(SetSum { sum: row.get(0)?, count: row.get(1)? })
    })?;
    let mut actors: HashMap<Vec<u8>, i64> = HashMap::new();
    let mut records: HashSet<RecordId> = HashSet::new();
    let start = Instant::now();
    for group in bodies.chunks(AT_ONCE) {
        db.execute_batch("BEGIN IMMEDIATE")?;
        for batch in
            group.iter().map(|body| open(server, body)).collect::<Result<Vec<_>>>()?.into_iter().flatten()
        {
            let items: Vec<u8> = batch
                .changes
                .iter()
                .flat_map(|(record, hash, _)| record.as_bytes().iter().chain(hash))
                .copied()
                .collect();
            let list = db
                .prepare_cached(
                    "INSERT INTO signed_list (team, author, signature, items) VALUES (?, ?, ?, ?)",
                )?
                .insert((n, batch.author, batch.signature, items))?;
            for (record, hash, raw) in &batch.changes {
                let (kind, actor, actor_seq) = checked(*record, &batch.author, raw)?;
                ensure!(records.insert(*record), "a record of two changes");
                let actor = match actors.get(&actor) {
                    Some(n) => *n,
                    None => {
                        let sql = "INSERT INTO actor (actor, author) VALUES (?, ?)";
                        let n = db.prepare_cached(sql)?.insert((&actor, batch.author))?;
                        actors.insert(actor, n);
                        n
                    }
                };
                head += 1;
                sum.add(*record, hash);
                db.prepare_cached(
                    "INSERT INTO log (team, seq, record, hash, actor, actor_seq, raw, list, received_at, sum, count)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
                )?
                .execute((n, head, record.as_bytes(), hash, actor, actor_seq, raw, list, sum.sum, sum.count))?;
                db.prepare_cached(
                    "INSERT INTO record (record, team, kind, changes, bytes) VALUES (?, ?, ?, 1, ?)",
                )?
                .execute((record.as_bytes(), n, kind.as_str(), raw.len()))?;
            }
        }
        db.prepare_cached("UPDATE team SET head = ? WHERE n = ?")?.execute((head, n))?;
        db.execute_batch("COMMIT")?;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// What the server asks of a change that begins a record, in the server's order.
fn checked(record: RecordId, author: &PublicKey, raw: &[u8]) -> Result<(Kind, Vec<u8>, u64)> {
    let chunk = chunk::parse(raw).map_err(refused)?;
    let history = History::new();
    ensure!(history.fit(&chunk) == Fit::Fits, "a beginning that does not fit");
    let kind = check_change(record, None, &chunk, author, |path| history.has_set(path))?;
    if !is_plain_beginning(&history, &chunk, raw) {
        apply_checked(&[], raw).map_err(refused)?;
    }
    Ok((kind, chunk.actor.to_vec(), chunk.seq))
}

fn refused(code: Code) -> anyhow::Error {
    anyhow::anyhow!("refused: {code}")
}

/// Seconds for the same bytes in transactions of [`BARE`] changes.
fn bare_inserts(path: &Path, server: &PublicKey, bodies: &[Vec<u8>]) -> Result<f64> {
    let mut raws = Vec::new();
    for body in bodies {
        raws.extend(open(server, body)?.into_iter().flat_map(|batch| batch.changes).map(|(_, _, raw)| raw));
    }
    let db = durable(path)?;
    db.execute_batch("CREATE TABLE log (team INTEGER, seq INTEGER, raw BLOB, UNIQUE (team, seq))")?;
    let start = Instant::now();
    for (batch, raws) in raws.chunks(BARE).enumerate() {
        let transaction = db.unchecked_transaction()?;
        for (i, raw) in raws.iter().enumerate() {
            let seq = (batch * BARE + i) as u64;
            transaction.prepare_cached("INSERT INTO log VALUES (1, ?, ?)")?.execute((seq, raw))?;
        }
        transaction.commit()?;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// As durable as the log: WAL, synchronous FULL.
fn durable(path: &Path) -> Result<Connection> {
    let db = Connection::open(path)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    Ok(db)
}
