//! What a tablet does not have yet: the log after its cursor, in log order, so much at a time.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::sync::frame::{Changes, Frame, Hello, Item, List, MAX_LISTS, Place, TeamState};
use wayside_protocol::sync::{ListItem, PublicKey, SignatureBytes, sign_certificate};

use crate::error::Result;
use crate::keys::Identity;
use crate::log::{self, Row, Team};

/// Plain bytes of changes in one answer; the first change goes whatever its size.
const ANSWER: usize = 1 << 20;
/// Plain bytes of changes in one frame, so that a cut costs no more than this.
const FRAME: usize = 256 << 10;

/// What an item costs beside a change's bytes, and what a list costs beside its items.
const BODY_COST: usize = 16 + 1 + 5 + 3;
const ABSENT_COST: usize = 16 + 32 + 1;
const LIST_COST: usize = 64 + 6;

/// Appends the frames of all places and says how far each team got. `offered` are sequence numbers
/// that the tablet has just offered itself.
pub fn pull(
    conn: &Connection,
    identity: &Identity,
    hello: &Hello,
    offered: &HashMap<RecordId, HashSet<u64>>,
    frames: &mut Vec<Frame>,
) -> Result<Vec<TeamState>> {
    let mut left = ANSWER;
    let none = HashSet::new();
    let states = hello.teams.iter().map(|place| {
        let team = log::team_by_id(conn, place.team)?.ok_or(Code::TeamNotAllowed)?;
        let offered = offered.get(&place.team).unwrap_or(&none);
        let held = Held::of(place, &team, offered);
        let cursor = pull_team(conn, identity, &team, &held, &mut left, frames)?;
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
}

impl<'a> Held<'a> {
    /// Numbers of another epoch, or beyond the head, say nothing about this log: it is sent from its
    /// beginning, and what the tablet has already it recognises.
    fn of(place: &'a Place, team: &Team, offered: &'a HashSet<u64>) -> Held<'a> {
        if place.epoch != team.epoch || place.cursor > team.head {
            return Held { cursor: 0, ranges: &[], offered };
        }
        Held { cursor: place.cursor, ranges: &place.held, offered }
    }

    fn contains(&self, seq: u64) -> bool {
        let after = self.ranges.partition_point(|(from, _)| *from <= seq);
        let range = after.checked_sub(1).and_then(|index| self.ranges.get(index));
        self.offered.contains(&seq) || range.is_some_and(|(_, to)| seq <= *to)
    }
}

/// Returns the cursor that this answer reaches.
fn pull_team(
    conn: &Connection,
    identity: &Identity,
    team: &Team,
    held: &Held,
    left: &mut usize,
    frames: &mut Vec<Frame>,
) -> Result<u64> {
    if held.cursor >= team.head {
        return Ok(team.head);
    }
    if *left == 0 {
        return Ok(held.cursor);
    }
    let mut filler = Filler { conn, identity, team, frames, size: 0, changes: Vec::new(), run: None };
    let mut reached = team.head;
    let (mut first, mut spent) = (*left == ANSWER, 0);
    log::rows_after(
        conn,
        team.n,
        held.cursor,
        |seq| held.contains(seq),
        |row| {
            let cost = filler.cost(&row)?;
            if spent + cost > *left && !first {
                // Everything before this row has been sent or is held.
                reached = row.seq - 1;
                return Ok(false);
            }
            first = false;
            spent += cost;
            filler.push(row)?;
            Ok(true)
        },
    )?;
    filler.end_frame();
    *left = if reached < team.head { 0 } else { left.saturating_sub(spent) };
    Ok(reached)
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
    conn: &'a Connection,
    identity: &'a Identity,
    team: &'a Team,
    frames: &'a mut Vec<Frame>,
    /// Of the frame being filled, plain.
    size: usize,
    changes: Vec<Run>,
    /// The list that was read last, not begun yet.
    run: Option<Run>,
}

impl Filler<'_> {
    /// What a row adds to the answer.
    fn cost(&mut self, row: &Row) -> Result<usize> {
        let body = row.raw.len() + BODY_COST;
        if self.changes.last().is_some_and(|run| run.list == row.list) {
            return Ok(body);
        }
        if self.run.as_ref().is_none_or(|run| run.list != row.list) {
            let (author, signature, items) = log::signed_items(self.conn, row.list)?;
            self.run = Some(Run { list: row.list, author, signature, items, rows: Vec::new() });
        }
        let items = self.run.as_ref().map_or(0, |run| run.items.len());
        Ok(LIST_COST + items * ABSENT_COST + body)
    }

    fn push(&mut self, row: Row) -> Result<()> {
        let mut cost = self.cost(&row)?;
        let full = self.size + cost > FRAME || self.changes.len() >= MAX_LISTS;
        if self.size > 0 && full {
            self.end_frame();
            cost = self.cost(&row)?;
        }
        self.size += cost;
        if self.changes.last().is_none_or(|run| run.list != row.list) {
            self.changes.extend(self.run.take());
        }
        if let Some(run) = self.changes.last_mut() {
            run.rows.push(row);
        }
        Ok(())
    }

    fn end_frame(&mut self) {
        let runs = std::mem::take(&mut self.changes);
        self.size = 0;
        if runs.is_empty() {
            return;
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
