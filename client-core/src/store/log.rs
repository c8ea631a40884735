//! The teams' logs as far as they are held here: places, what to offer, verdicts, what was pulled.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension};
use wayside_protocol::{
    error::Code,
    record::{
        Hash, RecordId,
        admit::{Fit, History},
        chunk::{self, Chunk},
    },
    sync::{SetSum, frame::Verdict},
};

use super::{
    archive, join_hashes, leave,
    records::{self, Made, Stored},
};
use crate::{
    error::{Error, Result},
    sync::plan::{Offer, Offers, SignedList, TeamPlace},
};

pub type Epoch = [u8; 8];

/// A list that was pulled, its signature and certificate verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledList {
    pub list: SignedList,
    /// Those that came with their bytes: record, number in the log, raw.
    pub bodies: Vec<(RecordId, u64, Vec<u8>)>,
}

/// What applying verdicts or pulled changes came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    pub accepted: u64,
    pub quarantined: u64,
    /// Changes that were not held here before.
    pub new: u64,
    /// Those beyond the cursor that were: sent again because of a cut link, and not because their record came back.
    pub again: u64,
    /// Records that are gone from here.
    pub erased: u64,
}

/// A sequence number as SQLite holds it.
pub fn number(seq: u64) -> Result<i64> {
    i64::try_from(seq).map_err(|_| Error::Failed(Code::FrameMalformed))
}

/// Where this tablet is in the log of each of its teams.
pub fn places(conn: &Connection) -> Result<Vec<TeamPlace>> {
    let mut statement =
        conn.prepare_cached("SELECT id, epoch, cursor, sum, count, refilling FROM team ORDER BY id")?;
    let teams = statement.query_map([], |row| {
        Ok(TeamPlace {
            team: RecordId::from_bytes(row.get(0)?),
            epoch: row.get(1)?,
            cursor: row.get(2)?,
            sum: SetSum { sum: row.get(3)?, count: row.get(4)? },
            held: Vec::new(),
            refilling: row.get(5)?,
        })
    })?;
    let mut places: Vec<TeamPlace> = teams.collect::<Result<_, _>>()?;
    let mut beyond = conn.prepare_cached("SELECT seq FROM change WHERE team = ? AND seq > ? ORDER BY seq")?;
    for place in &mut places {
        let mut rows = beyond.query((place.team.as_bytes(), number(place.cursor)?))?;
        while let Some(row) = rows.next()? {
            let seq: u64 = row.get(0)?;
            match place.held.last_mut() {
                Some((_, to)) if *to + 1 >= seq => *to = seq,
                _ => place.held.push((seq, seq)),
            }
        }
    }
    Ok(places)
}

/// In the order of its index: sorting would take all that waits into memory to send the first of it.
const OFFERED: &str = "SELECT c.team, r.id, c.hash, c.raw, c.list
    FROM team t JOIN change c ON c.team = t.id JOIN record r ON r.no = c.record
    WHERE t.refilling = 0 AND c.seq IS NULL AND c.answered = 0 ORDER BY c.team, c.no";

/// What the server has not answered for yet, in local order, up to so many bytes and at least one change.
///
/// A team that is being refilled first hears everything that the server still has: only what is left then is
/// offered.
pub fn offers(conn: &Connection, budget: usize) -> Result<Offers> {
    let mut offers = Offers::default();
    let count = "SELECT count(*) FROM team t JOIN change c ON c.team = t.id
        WHERE t.refilling = 0 AND c.seq IS NULL AND c.answered = 0";
    offers.total = conn.prepare_cached(count)?.query_row([], |row| row.get(0))?;
    let mut statement = conn.prepare_cached(OFFERED)?;
    let mut rows = statement.query([])?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let raw: Vec<u8> = row.get(3)?;
        bytes += raw.len();
        if bytes > budget && !offers.changes.is_empty() {
            break;
        }
        let list: Option<i64> = row.get(4)?;
        if let Some(no) = list
            && !offers.lists.contains_key(&no)
        {
            offers.lists.insert(no, signed_list(conn, no)?);
        }
        offers.changes.push(Offer {
            team: RecordId::from_bytes(row.get(0)?),
            record: RecordId::from_bytes(row.get(1)?),
            hash: row.get(2)?,
            raw,
            list,
        });
    }
    Ok(offers)
}

fn signed_list(conn: &Connection, no: i64) -> Result<SignedList> {
    let sql = "SELECT author, certificate, signature, items FROM signed_list WHERE no = ?";
    let list = conn.prepare_cached(sql)?.query_row([no], |row| {
        let items: Vec<u8> = row.get(3)?;
        let items = items.as_chunks::<48>().0.iter().filter_map(|item| {
            let (record, hash) = item.split_first_chunk::<16>()?;
            Some((RecordId::from_bytes(*record), hash.try_into().ok()?))
        });
        Ok(SignedList {
            author: row.get(0)?,
            certificate: row.get(1)?,
            signature: row.get(2)?,
            items: items.collect(),
        })
    })?;
    Ok(list)
}

/// Writes down what the server said of exactly these changes.
pub fn apply_verdicts(
    conn: &Connection,
    team: RecordId,
    verdicts: &[(RecordId, Hash, Verdict)],
) -> Result<Applied> {
    let mut applied = Applied::default();
    let mut touched = BTreeSet::new();
    for (record, hash, verdict) in verdicts {
        // An erased record takes its changes with it.
        let Some(held) = held(conn, *record, hash)? else { continue };
        match verdict {
            Verdict::Accepted { seq } | Verdict::Known { seq } => {
                applied.accepted += 1;
                number_change(conn, team, *record, hash, &held, *seq)?;
                if held.quarantined {
                    touched.insert(held.record);
                }
            }
            // The server could not keep it now, and may later: it stays here and is offered again.
            Verdict::Quarantined { code } if Code::parse(code).is_some_and(Code::retry) => {
                let sql = "UPDATE change SET state = 'waiting', code = ?, answered = 1 WHERE no = ? AND state <> 'accepted'";
                conn.prepare_cached(sql)?.execute((code, held.no))?;
            }
            Verdict::Quarantined { code } => {
                applied.quarantined += 1;
                let sql = "UPDATE change SET state = 'quarantined', code = ?, answered = 1 WHERE no = ?";
                conn.prepare_cached(sql)?.execute((code, held.no))?;
                quarantine_descendants(conn, held.record)?;
                touched.insert(held.record);
            }
            Verdict::Waiting => {
                let sql = "UPDATE change SET state = iif(state = 'pending', 'waiting', state),
                    code = iif(state = 'quarantined', code, NULL), answered = 1 WHERE no = ?";
                conn.prepare_cached(sql)?.execute([held.no])?;
            }
            Verdict::Erased => {
                applied.erased += u64::from(archive::erase(conn, team, *record)?);
                touched.remove(&held.record);
            }
        }
    }
    touched.into_iter().try_for_each(|no| records::refresh(conn, no))?;
    Ok(applied)
}

/// A change that is held here.
struct Held {
    no: i64,
    record: i64,
    quarantined: bool,
    numbered: bool,
    archived: bool,
}

fn held(conn: &Connection, record: RecordId, hash: &Hash) -> Result<Option<Held>> {
    let sql = "SELECT c.no, c.record, c.state = 'quarantined', c.seq IS NOT NULL, r.archived IS NOT NULL
        FROM record r JOIN change c ON c.record = r.no WHERE r.id = ? AND c.hash = ?";
    let held = conn.prepare_cached(sql)?.query_row((record.as_bytes(), hash), |row| {
        Ok(Held {
            no: row.get(0)?,
            record: row.get(1)?,
            quarantined: row.get(2)?,
            numbered: row.get(3)?,
            archived: row.get(4)?,
        })
    });
    Ok(held.optional()?)
}

/// Accepted under this number.
fn number_change(
    conn: &Connection,
    team: RecordId,
    record: RecordId,
    hash: &Hash,
    held: &Held,
    seq: u64,
) -> Result<()> {
    set_number(conn, team, held.no, seq)?;
    if !held.numbered && !held.archived {
        add_below_cursor(conn, team, record, hash, seq)?;
    }
    Ok(())
}

/// What has a number keeps it: a log never renumbers within an epoch.
pub fn set_number(conn: &Connection, team: RecordId, change: i64, seq: u64) -> Result<()> {
    if seq == 0 {
        return Err(Error::Failed(Code::FrameMalformed));
    }
    let sql =
        "UPDATE change SET state = 'accepted', team = ?2, seq = coalesce(seq, ?3), answered = 1, code = NULL
        WHERE no = ?1";
    conn.prepare_cached(sql)?.execute((change, team.as_bytes(), number(seq)?))?;
    Ok(())
}

/// The sum covers everything up to the cursor, also what turns out late to lie there.
fn add_below_cursor(
    conn: &Connection,
    team: RecordId,
    record: RecordId,
    hash: &Hash,
    seq: u64,
) -> Result<()> {
    let (cursor, mut sum) = cursor(conn, team)?;
    if seq <= cursor {
        sum.add(record, hash);
        set_cursor(conn, team, cursor, &sum)?;
    }
    Ok(())
}

/// What builds on something in quarantine cannot be accepted either, and leaves the document with it.
fn quarantine_descendants(conn: &Connection, record: i64) -> Result<()> {
    let changes = records::changes(conn, record)?;
    let live: BTreeSet<i64> = records::live(&changes).map(|change| change.no).collect();
    let sql = "UPDATE change SET state = 'quarantined', code = ? WHERE no = ?";
    for change in changes.iter().filter(|change| !change.quarantined && !live.contains(&change.no)) {
        conn.prepare_cached(sql)?.execute((Code::DependsOnQuarantined.as_str(), change.no))?;
    }
    Ok(())
}

/// Stores what was pulled in one frame: all of it, or none and an error. Each record is read and shown anew once,
/// however many of its changes come.
pub fn apply_pulled(conn: &Connection, team: RecordId, lists: &[PulledList]) -> Result<Applied> {
    let mut bodies = Vec::new();
    for list in lists {
        let no = keep_list(conn, team, &list.list)?;
        bodies.extend(list.bodies.iter().map(|(record, seq, raw)| Body {
            record: *record,
            seq: *seq,
            raw,
            list: no,
        }));
    }
    // In the log's order, in which each comes after what it builds on, whatever order they were signed in.
    bodies.sort_by_key(|body| body.seq);
    let mut at: HashMap<RecordId, usize> = HashMap::new();
    let mut records: Vec<(RecordId, Vec<Body>)> = Vec::new();
    for body in bodies {
        let index = *at.entry(body.record).or_insert(records.len());
        match records.get_mut(index) {
            Some((_, bodies)) => bodies.push(body),
            None => records.push((body.record, vec![body])),
        }
    }
    let mut pulling = Pulling {
        conn,
        team,
        applied: Applied::default(),
        place: cursor(conn, team)?,
        late: false,
        active: true,
    };
    records.iter().try_for_each(|(record, bodies)| pulling.record(*record, bodies))?;
    let Pulling { applied, place: (cursor, sum), late, .. } = pulling;
    if late {
        set_cursor(conn, team, cursor, &sum)?;
    }
    Ok(applied)
}

/// A change that was pulled with its bytes.
struct Body<'a> {
    record: RecordId,
    seq: u64,
    raw: &'a [u8],
    list: i64,
}

struct Pulling<'a> {
    conn: &'a Connection,
    team: RecordId,
    applied: Applied,
    /// The cursor, which a pull does not move, and the sum up to there.
    place: (u64, SetSum),
    /// Whether the sum has changed.
    late: bool,
    /// The record at hand counts: it is not archived.
    active: bool,
}

impl Pulling<'_> {
    fn record(&mut self, record: RecordId, bodies: &[Body]) -> Result<()> {
        if let [body] = bodies
            && self.begins(record, body)?
        {
            return Ok(());
        }
        let Made { no, archived } = records::make(self.conn, record, Some(self.team))?;
        self.active = !archived;
        let mut changes = records::changes(self.conn, no)?;
        let mut history = history(&changes);
        let mut shows_more = false;
        for body in bodies {
            let chunk = chunk::parse(body.raw)?;
            if let Some(held) = changes.iter_mut().find(|change| change.hash == chunk.hash) {
                self.number(held, record, body.seq)?;
                if held.quarantined {
                    shows_more = true;
                    // What builds on it can be accepted again too.
                    held.quarantined = false;
                    history = self::history(&changes);
                }
                continue;
            }
            fits(&history, &chunk)?;
            history.insert(&chunk);
            changes.push(self.insert(no, &chunk, body)?);
            shows_more = true;
        }
        if shows_more {
            records::refresh_from(self.conn, no, record, &changes)?;
        }
        Ok(())
    }

    /// Stores the one change of a record that is not held yet, as most are; false where there is more to it.
    fn begins(&mut self, record: RecordId, body: &Body) -> Result<bool> {
        let chunk = chunk::parse(body.raw)?;
        if !chunk.deps.is_empty() || records::is_held(self.conn, record)? {
            return Ok(false);
        }
        fits(&History::new(), &chunk)?;
        self.active = true;
        let no = records::insert_new(self.conn, record, self.team, &chunk)?;
        self.insert(no, &chunk, body)?;
        Ok(true)
    }

    fn insert(&mut self, no: i64, chunk: &Chunk, body: &Body) -> Result<Stored> {
        let sql = "INSERT INTO change
                (record, team, hash, actor, actor_seq, deps, state, own, seq, answered, list, raw)
            VALUES (?, ?, ?, ?, ?, ?, 'accepted', 0, ?, 1, ?, ?)";
        let (seq, actor_seq) = (number(body.seq)?, number(chunk.seq)?);
        let deps = join_hashes(&chunk.deps);
        let row =
            (no, self.team.as_bytes(), chunk.hash, chunk.actor, actor_seq, deps, seq, body.list, body.raw);
        let no = self.conn.prepare_cached(sql)?.insert(row)?;
        self.count(body.record, &chunk.hash, body.seq);
        self.applied.new += 1;
        let (deps, raw) = (chunk.deps.clone(), body.raw.to_vec());
        Ok(Stored { no, hash: chunk.hash, deps, quarantined: false, numbered: true, raw })
    }

    /// One that was held here is accepted under this number.
    fn number(&mut self, held: &mut Stored, record: RecordId, seq: u64) -> Result<()> {
        self.applied.again += u64::from(seq > self.place.0);
        set_number(self.conn, self.team, held.no, seq)?;
        if !held.numbered {
            self.count(record, &held.hash, seq);
            held.numbered = true;
        }
        Ok(())
    }

    /// The sum covers everything up to the cursor, also what turns out late to lie there.
    fn count(&mut self, record: RecordId, hash: &Hash, seq: u64) {
        let (cursor, sum) = &mut self.place;
        if seq <= *cursor && self.active {
            sum.add(record, hash);
            self.late = true;
        }
    }
}

/// Whether a change that is in the log may come after these. One whose beginning is missing shows that the two sides
/// do not hold the same: base believes that it is here.
fn fits(history: &History, chunk: &Chunk) -> Result<()> {
    match history.fit(chunk) {
        Fit::Fits | Fit::Known => Ok(()),
        Fit::Waits(_) => Err(Error::Failed(Code::NotSettled)),
        Fit::Refused(code) => Err(Error::Failed(code)),
    }
}

/// A record's changes that count. One of our own that the parser refuses can never be accepted, and nothing
/// that is pulled builds on it.
fn history(changes: &[Stored]) -> History {
    let mut history = History::new();
    for change in records::live(changes) {
        if let Ok(chunk) = chunk::parse(&change.raw) {
            history.insert(&chunk);
        }
    }
    history
}

fn keep_list(conn: &Connection, team: RecordId, list: &SignedList) -> Result<i64> {
    let mut items = Vec::with_capacity(list.items.len() * 48);
    for (record, hash) in &list.items {
        items.extend_from_slice(record.as_bytes());
        items.extend_from_slice(hash);
    }
    let sql = "INSERT INTO signed_list (team, author, certificate, signature, items) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (signature, author) DO UPDATE SET team = team RETURNING no";
    let row = (team.as_bytes(), list.author, list.certificate, list.signature, items);
    Ok(conn.prepare_cached(sql)?.query_row(row, |row| row.get(0))?)
}

/// What was made on this tablet and stands in no list yet, in local order: what base has accepted, or the rest.
pub fn own_without_list(
    conn: &Connection,
    team: RecordId,
    accepted: bool,
) -> Result<Vec<(i64, RecordId, Hash)>> {
    let sql = "SELECT c.no, r.id, c.hash FROM change c JOIN record r ON r.no = c.record
        WHERE c.team = ? AND c.own = 1 AND c.list IS NULL AND (c.seq IS NOT NULL) = ? ORDER BY c.no";
    let mut statement = conn.prepare(sql)?;
    let own = statement.query_map((team.as_bytes(), accepted), |row| {
        Ok((row.get(0)?, RecordId::from_bytes(row.get(1)?), row.get(2)?))
    })?;
    Ok(own.collect::<Result<_, _>>()?)
}

/// From now on these changes go in this list.
pub fn put_in_list(conn: &Connection, team: RecordId, list: &SignedList, changes: &[i64]) -> Result<()> {
    let list = keep_list(conn, team, list)?;
    for change in changes {
        conn.prepare_cached("UPDATE change SET list = ? WHERE no = ?")?.execute((list, change))?;
    }
    Ok(())
}

/// A team's cursor, and the sum over what is held and active up to there.
pub fn cursor(conn: &Connection, team: RecordId) -> Result<(u64, SetSum)> {
    let mut statement = conn.prepare_cached("SELECT cursor, sum, count FROM team WHERE id = ?")?;
    let found = statement.query_row([team.as_bytes()], |row| {
        Ok((row.get(0)?, SetSum { sum: row.get(1)?, count: row.get(2)? }))
    });
    Ok(found?)
}

pub fn set_cursor(conn: &Connection, team: RecordId, cursor: u64, sum: &SetSum) -> Result<()> {
    let sql = "UPDATE team SET cursor = ?, sum = ?, count = ? WHERE id = ?";
    let row = (number(cursor)?, sum.sum, number(sum.count)?, team.as_bytes());
    conn.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// Adds what lies between two places of the log to a sum.
fn add_range(conn: &Connection, team: RecordId, from: u64, to: u64, sum: &mut SetSum) -> Result<()> {
    let sql = "SELECT r.id, c.hash FROM change c JOIN record r ON r.no = c.record
        WHERE c.team = ? AND c.seq > ? AND c.seq <= ? AND r.archived IS NULL";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query((team.as_bytes(), number(from)?, number(to)?))?;
    while let Some(row) = rows.next()? {
        sum.add(RecordId::from_bytes(row.get(0)?), &row.get(1)?);
    }
    Ok(())
}

/// Moves the cursor, once everything up to there is stored.
pub fn advance(conn: &Connection, team: RecordId, epoch: Epoch, to: u64, more: bool) -> Result<()> {
    let sql = "SELECT 1 FROM team WHERE id = ? AND epoch = zeroblob(8)";
    if conn.prepare_cached(sql)?.exists([team.as_bytes()])? {
        // It was taken out of the team, and is back: since the verdicts on what it sent then the log may have been set back, and
        // no epoch has told.
        leave::offer_again(conn, Some(team))?;
    }
    let (from, mut sum) = cursor(conn, team)?;
    if to > from {
        add_range(conn, team, from, to, &mut sum)?;
        set_cursor(conn, team, to, &sum)?;
    }
    let sql = "UPDATE team SET epoch = ?, refilling = iif(?, refilling, 0) WHERE id = ?";
    conn.prepare_cached(sql)?.execute((epoch, more, team.as_bytes()))?;
    Ok(())
}

/// Begins to compare everything with the server again, from the beginning of its log. Nothing is forgotten but
/// the numbers, which may be those of a log that is no more.
pub fn begin_refill(conn: &Connection, team: RecordId, epoch: Epoch) -> Result<()> {
    let sql =
        "UPDATE team SET epoch = ?, cursor = 0, sum = zeroblob(32), count = 0, refilling = 1 WHERE id = ?";
    conn.execute(sql, (epoch, team.as_bytes()))?;
    conn.execute("UPDATE change SET seq = NULL, answered = 0 WHERE team = ?", [team.as_bytes()])?;
    archive::reset(conn, team)?;
    super::meta::set(conn, super::meta::SETTLED, 0)
}

/// At the beginning of a sync. What waits at the server is offered again: perhaps the server has forgotten it.
///
/// Numbers of a log whose epoch was never heard, since the link was cut between the two, may be those of a log that is no
/// more: such a team is compared.
pub fn begin_sync(conn: &Connection) -> Result<()> {
    let sql = "SELECT id FROM team WHERE epoch = zeroblob(8) AND refilling = 0
        AND EXISTS (SELECT 1 FROM change WHERE team = team.id AND seq IS NOT NULL)";
    let mut statement = conn.prepare_cached(sql)?;
    let teams = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<[u8; 16]>, _>>()?;
    for team in teams {
        begin_refill(conn, RecordId::from_bytes(team), [0; 8])?;
    }
    // Answered, and not in this sync.
    let sql =
        "UPDATE change SET answered = 2 WHERE answered = 1 AND state = 'quarantined' AND state <> 'accepted'";
    conn.prepare_cached(sql)?.execute([])?;
    conn.execute("UPDATE change SET answered = 0 WHERE state = 'waiting' AND state <> 'accepted'", [])?;
    Ok(())
}

/// Whether there is nothing to `advance`: then nothing is written.
pub fn stands_at(conn: &Connection, team: RecordId, epoch: Epoch, to: u64, more: bool) -> Result<bool> {
    let sql = "SELECT epoch = ? AND cursor >= ? AND (refilling = 0 OR ?) FROM team WHERE id = ?";
    let row = (epoch, number(to)?, more, team.as_bytes());
    Ok(conn.prepare_cached(sql)?.query_row(row, |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{key::Key, store::Store};

    #[test]
    fn the_first_offers_are_read_without_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &Key::from_bytes([7; 32])).unwrap();
        let plan: Vec<String> = store
            .read(|conn| {
                let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {OFFERED}"))?;
                let steps = plan.query_map([], |row| row.get("detail"))?;
                Ok(steps.collect::<Result<_, _>>()?)
            })
            .unwrap();
        assert!(plan.iter().any(|step| step.contains("change_offer")), "{plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:?}");
    }
}
