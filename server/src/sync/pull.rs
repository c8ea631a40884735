//! What a tablet does not have yet: the log after its cursor, in log order, so much at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::iter::Peekable;

use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::sync::frame::{
    Ask, Changes, Entries, Entry, Frame, Hello, Item, List, MAX_ENTRIES, MAX_LISTS, Mark, Place,
    STREAMED_VERSION, TeamState, What,
};
use wayside_protocol::sync::{ListItem, PublicKey, SignatureBytes, capability, sign_certificate};

use crate::error::Result;
use crate::keys::Identity;
use crate::log::db::{Conn, args};
use crate::log::{self, Row, Team};

use super::repair::Repair;

/// Plain bytes of changes in one answer; the first change goes whatever its size.
const ANSWER: usize = 1 << 20;
/// For a tablet that takes each frame as it lands: fewer turns on a link where each takes a third of a second.
const STREAMED_ANSWER: usize = 2 << 20;
/// Plain bytes of changes in one frame, so that a cut costs no more than this, unless the tablet asks for another size.
const FRAME: usize = 256 << 10;
const LEAST_FRAME: usize = 8 << 10;
/// Leaves room below the cap on a payload.
const MOST_FRAME: usize = 768 << 10;

/// Before a run of entries, which is up to some hundred frames: no body may hold 1,024.
const MOST_FRAMES: usize = 600;

/// What an item costs beside a change's bytes, and what a list costs beside its items.
const BODY_COST: usize = 16 + 1 + 5 + 3;
const ABSENT_COST: usize = 16 + 32 + 1;
const LIST_COST: usize = 64 + 6;

/// What a change usually takes, in bytes.
const USUAL: usize = 1000;

/// How a tablet wants its answer.
pub struct Wishes {
    answer: usize,
    frame: usize,
    /// Whether each frame says how far it leads.
    marks: bool,
}

impl Wishes {
    pub fn of(hello: &Hello, ask: Option<&Ask>) -> Wishes {
        let marks = hello.version >= STREAMED_VERSION;
        let wanted = ask.map_or(0, |ask| ask.frame_bytes);
        let frame = match usize::try_from(wanted).unwrap_or(MOST_FRAME) {
            0 => FRAME,
            wanted => wanted.clamp(LEAST_FRAME, MOST_FRAME),
        };
        Wishes { answer: if marks { STREAMED_ANSWER } else { ANSWER }, frame, marks }
    }
}

/// Whether a tablet cannot be told what happened since: it does not know entries of the log.
pub fn is_too_old(conn: &Conn, hello: &Hello, place: &Place, team: &Team) -> Result<bool> {
    let from = if place.epoch == team.epoch { place.cursor } else { 0 };
    Ok(hello.capabilities & capability::ARCHIVE == 0 && log::has_entries(conn, team.n, from)?)
}

/// Appends the frames of all places and says how far each team got. `offered` are sequence numbers
/// that the tablet has just offered itself.
pub fn pull(
    conn: &Conn,
    identity: &Identity,
    hello: &Hello,
    repair: &Repair,
    wishes: &Wishes,
    offered: &HashMap<RecordId, HashSet<u64>>,
    frames: &mut Vec<Frame>,
) -> Result<Vec<TeamState>> {
    let mut left = wishes.answer;
    let none = HashSet::new();
    let states = hello.teams.iter().map(|place| {
        let team = log::team_by_id(conn, place.team)?.ok_or(Code::TeamNotAllowed)?;
        if is_too_old(conn, hello, place, &team)? {
            return Ok(place.unmoved());
        }
        if let Some(state) = repair.instead(conn, hello, place, &team)? {
            return Ok(state);
        }
        let offered = offered.get(&place.team).unwrap_or(&none);
        let held = Held::of(place, &team, offered);
        if wishes.marks && held.cursor < place.cursor {
            // Said first: what follows has other numbers than those that the tablet holds.
            frames.push(Frame::Mark(Mark { team: team.id, epoch: team.epoch, cursor: held.cursor }));
        }
        say_again(conn, &team, &held, frames)?;
        let cursor = pull_team(conn, identity, &team, &held, wishes, &mut left, frames)?;
        let fingerprint = log::sum_at(conn, team.n, cursor)?.fingerprint();
        Ok(TeamState { team: team.id, epoch: team.epoch, cursor, fingerprint, more: cursor < team.head })
    });
    states.collect()
}

/// What a tablet holds of a log.
struct Held<'a> {
    cursor: u64,
    /// Ascending and apart: a hello with others is malformed.
    ranges: &'a [(u64, u64)],
    offered: &'a HashSet<u64>,
    /// Nor anything under numbers that say nothing here.
    nothing: bool,
}

impl<'a> Held<'a> {
    /// Numbers of another epoch, or beyond the head, say nothing about this log: it is sent from its
    /// beginning, and what the tablet has already it recognises.
    fn of(place: &'a Place, team: &Team, offered: &'a HashSet<u64>) -> Held<'a> {
        let nothing = place.cursor == 0 && place.held.is_empty();
        if place.epoch != team.epoch || place.cursor > team.head {
            return Held { cursor: 0, ranges: &[], offered, nothing };
        }
        Held { cursor: place.cursor, ranges: &place.held, offered, nothing }
    }

    fn contains(&self, seq: u64) -> bool {
        let after = self.ranges.partition_point(|(from, _)| *from <= seq);
        let range = after.checked_sub(1).and_then(|index| self.ranges.get(index));
        self.offered.contains(&seq) || range.is_some_and(|(_, to)| seq <= *to)
    }
}

/// What was archived, and of which the tablet has just offered something that the log has: it does not know.
fn say_again(conn: &Conn, team: &Team, held: &Held, frames: &mut Vec<Frame>) -> Result<()> {
    let mut missed = BTreeMap::new();
    for seq in held.offered {
        let record: Option<RecordId> = conn.one(
            "SELECT record.record FROM log JOIN record ON record.record = log.record
         WHERE log.team = ? AND log.seq = ? AND record.archived <= ?",
            args![team.n, seq, held.cursor],
            |row| row.get(0),
        )?;
        if let Some(record) = record {
            let entry = log::off_tablets(conn, team.n, record)?;
            missed.extend(entry.map(|entry| (entry.seq, entry)));
        }
    }
    push_entries(team, missed.into_values().collect(), frames);
    Ok(())
}

fn push_entries(team: &Team, entries: Vec<Entry>, frames: &mut Vec<Frame>) {
    for entries in entries.chunks(MAX_ENTRIES) {
        let (team, epoch, entries) = (team.id, team.epoch, entries.to_vec());
        frames.push(Frame::Entries(Entries { team, epoch, entries }));
    }
}

/// Returns the cursor that this answer reaches.
fn pull_team(
    conn: &Conn,
    identity: &Identity,
    team: &Team,
    held: &Held,
    wishes: &Wishes,
    left: &mut usize,
    frames: &mut Vec<Frame>,
) -> Result<u64> {
    if held.cursor >= team.head {
        return Ok(team.head);
    }
    if *left == 0 {
        return Ok(held.cursor);
    }
    let entries = log::entries(conn, team.n, held.cursor, team.head)?;
    let latest = log::latest(&entries);
    // Who holds nothing need not hear what is gone.
    let said = entries.into_iter().filter(|entry| {
        latest.get(&entry.record) == Some(entry) && !(held.nothing && entry.what != What::Activate)
    });
    let mut said = said.peekable();
    let mut filler = Filler {
        conn,
        identity,
        team,
        wishes,
        held: Some(held),
        frames,
        size: 0,
        changes: Vec::new(),
        run: None,
    };
    let mut reached = team.head;
    let mut budget = Budget { left: *left, spent: 0, first: *left == wishes.answer };
    log::rows_after(
        conn,
        team.n,
        held.cursor,
        |seq, record| {
            // What comes back comes behind its entry, all of it.
            held.contains(seq) || latest.get(&record).is_some_and(|entry| seq < entry.seq)
        },
        |row| {
            if let Some(entry) = filler.enter(&mut said, row.seq, &mut budget)? {
                reached = entry.seq - 1;
                return Ok(false);
            }
            let cost = filler.cost(&row)?;
            // As with a frame: the end of a list goes along.
            if !budget.take(cost, if filler.in_list(&row) { FRAME } else { 0 }) {
                // Everything before this row has been sent or is held.
                reached = row.seq - 1;
                return Ok(false);
            }
            filler.push(row)?;
            Ok(true)
        },
    )?;
    if reached == team.head
        && let Some(entry) = filler.enter(&mut said, team.head + 1, &mut budget)?
    {
        reached = entry.seq - 1;
    }
    filler.end_frame();
    *left = if reached < team.head { 0 } else { left.saturating_sub(budget.spent) };
    Ok(reached)
}

/// How much goes into an answer.
struct Budget {
    left: usize,
    spent: usize,
    /// Nothing has gone yet: the first piece goes whatever its size.
    first: bool,
}

impl Budget {
    fn take(&mut self, cost: usize, allowance: usize) -> bool {
        if self.spent + cost > self.left + allowance && !self.first {
            return false;
        }
        self.first = false;
        self.spent += cost;
        true
    }
}

/// Appends the changes of these numbers, as far as one answer holds them: the tablet knows which are missing.
pub fn send(
    conn: &Conn,
    identity: &Identity,
    team: &Team,
    numbers: &BTreeSet<u64>,
    wishes: &Wishes,
    frames: &mut Vec<Frame>,
) -> Result<()> {
    // They are apart from each other, and lead nowhere.
    let wishes = &Wishes { marks: false, ..*wishes };
    let mut filler =
        Filler { conn, identity, team, wishes, held: None, frames, size: 0, changes: Vec::new(), run: None };
    let (mut spent, mut gone) = (0, BTreeMap::new());
    for seq in numbers {
        let Some(row) = log::row_at(conn, team.n, *seq)? else { continue };
        // It was erased since they were compared.
        if row.raw.is_empty() {
            gone.extend(log::off_tablets(conn, team.n, row.record)?.map(|entry| (entry.seq, entry)));
            continue;
        }
        spent += filler.cost(&row)?;
        filler.push(row)?;
        if spent >= wishes.answer {
            break;
        }
    }
    filler.end_frame();
    push_entries(team, gone.into_values().collect(), frames);
    Ok(())
}

/// Consecutive rows of one signed list.
struct Run {
    list: i64,
    author: PublicKey,
    signature: SignatureBytes,
    items: Vec<ListItem>,
    rows: Vec<Row>,
}

struct Filler<'a> {
    conn: &'a Conn,
    identity: &'a Identity,
    team: &'a Team,
    wishes: &'a Wishes,
    /// What the tablet said that it holds.
    held: Option<&'a Held<'a>>,
    frames: &'a mut Vec<Frame>,
    /// Of the frame being filled, plain.
    size: usize,
    changes: Vec<Run>,
    /// The list that was read last, not begun yet.
    run: Option<Run>,
}

impl Filler<'_> {
    /// Appends the entries before a number, each run of them with all changes of what it brings back and a mark.
    /// Returns the first entry that does not go into this answer any more.
    fn enter(
        &mut self,
        said: &mut Peekable<impl Iterator<Item = Entry>>,
        before: u64,
        budget: &mut Budget,
    ) -> Result<Option<Entry>> {
        while let Some(first) = said.next_if(|entry| entry.seq < before) {
            let mut size = self.weight(&first)?;
            if self.frames.len() >= MOST_FRAMES || !budget.take(size, 0) {
                return Ok(Some(first));
            }
            let mut run = vec![first];
            while let Some(next) = said.peek().filter(|entry| entry.seq < before).copied() {
                let weight = self.weight(&next)?;
                if run.len() >= MAX_ENTRIES || size + weight > self.wishes.frame || !budget.take(weight, 0) {
                    break;
                }
                size += weight;
                run.push(next);
                said.next();
            }
            self.run_of(run)?;
        }
        Ok(None)
    }

    /// What an entry adds to the answer, about.
    fn weight(&self, entry: &Entry) -> Result<usize> {
        const ENTRY_COST: usize = 20;
        if entry.what != What::Activate {
            return Ok(ENTRY_COST);
        }
        let (bytes, changes): (usize, usize) = self.conn.only(
            "SELECT bytes, changes FROM record WHERE record = ?",
            args![entry.record],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(ENTRY_COST + bytes + changes * (LIST_COST + BODY_COST))
    }

    fn run_of(&mut self, run: Vec<Entry>) -> Result<()> {
        let (Some(first), Some(last)) = (run.first().copied(), run.last().copied()) else { return Ok(()) };
        if self.end_frame() {
            self.mark(first.seq - 1);
        }
        let back: HashSet<RecordId> =
            run.iter().filter(|entry| entry.what == What::Activate).map(|entry| entry.record).collect();
        push_entries(self.team, run, self.frames);
        let mut numbers = BTreeSet::new();
        for record in back {
            let sql = "SELECT seq FROM log WHERE team = ? AND record = ?";
            numbers.extend(self.conn.all(sql, args![self.team.n, record], |row| row.get::<u64>(0))?);
        }
        // Later ones come in their turn. What it holds beyond its cursor it has not dropped.
        numbers.retain(|seq| *seq < last.seq && !self.held.is_some_and(|held| held.contains(*seq)));
        let whole = Wishes { answer: usize::MAX, ..*self.wishes };
        send(self.conn, self.identity, self.team, &numbers, &whole, self.frames)?;
        self.mark(last.seq);
        Ok(())
    }

    /// Behind a frame: everything up to here has been sent, or is held.
    fn mark(&mut self, cursor: u64) {
        if self.wishes.marks {
            let (team, epoch) = (self.team.id, self.team.epoch);
            self.frames.push(Frame::Mark(Mark { team, epoch, cursor }));
        }
    }

    /// What a row adds to the answer.
    fn cost(&mut self, row: &Row) -> Result<usize> {
        let body = row.raw.len() + BODY_COST;
        if self.in_list(row) {
            return Ok(body);
        }
        if self.run.as_ref().is_none_or(|run| run.list != row.list) {
            let (author, signature, items) = log::signed_items(self.conn, row.list)?;
            self.run = Some(Run { list: row.list, author, signature, items, rows: Vec::new() });
        }
        let items = self.run.as_ref().map_or(0, |run| run.items.len());
        Ok(LIST_COST + items * ABSENT_COST + body)
    }

    /// Whether a row goes on with the list of the one before.
    fn in_list(&self, row: &Row) -> bool {
        self.changes.last().is_some_and(|run| run.list == row.list)
    }

    fn push(&mut self, row: Row) -> Result<()> {
        let mut cost = self.cost(&row)?;
        // A list that is cut in two names each change that is not in this frame by its hash, which does not compress:
        // what is wished for gives way a little for the end of one, and one that will hardly fit begins a frame.
        let frame = self.wishes.frame;
        let full = self.changes.len() >= MAX_LISTS
            || if self.in_list(&row) {
                self.size + cost > frame + frame / 8
            } else {
                let items = self.run.as_ref().map_or(0, |run| run.items.len());
                self.size + cost.max(items * USUAL) > frame
            };
        if self.size > 0 && full {
            self.end_frame();
            self.mark(row.seq - 1);
            cost = self.cost(&row)?;
        }
        self.size += cost;
        if !self.in_list(&row) {
            self.changes.extend(self.run.take());
        }
        if let Some(run) = self.changes.last_mut() {
            run.rows.push(row);
        }
        Ok(())
    }

    /// Whether there was one.
    fn end_frame(&mut self) -> bool {
        let runs = std::mem::take(&mut self.changes);
        self.size = 0;
        if runs.is_empty() {
            return false;
        }
        let mut authors: Vec<(PublicKey, SignatureBytes)> = Vec::new();
        let lists = runs.into_iter().map(|run| {
            let known = authors.iter().position(|(key, _)| *key == run.author);
            let author = if run.author == *self.identity.public() {
                0
            } else if let Some(index) = known {
                index + 1
            } else {
                // Whoever signed an accepted list had our certificate, and signing again gives the same.
                authors.push((run.author, sign_certificate(self.identity.key(), &run.author)));
                authors.len()
            };
            List { author, signature: run.signature, items: items(run.items, run.rows) }
        });
        let lists = lists.collect();
        self.frames.push(Frame::Changes(Changes { team: self.team.id, authors, lists }));
        true
    }
}

/// The items of a list in the order in which they were signed, with the bodies that go along.
fn items(signed: Vec<ListItem>, rows: Vec<Row>) -> Vec<Item> {
    let mut bodies: HashMap<ListItem, Row> =
        rows.into_iter().map(|row| ((row.record, row.hash), row)).collect();
    let items = signed.into_iter().map(|(record, hash)| match bodies.remove(&(record, hash)) {
        Some(row) => Item::Body { record, seq: row.seq, raw: row.raw },
        None => Item::Absent { record, hash },
    });
    items.collect()
}
