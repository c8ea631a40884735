//! What a batch writes, gathered and written together: on a database across a network each statement costs a round trip.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wayside_protocol::record::{Hash, Kind, RecordId};
use wayside_protocol::sync::{PublicKey, SetSum, SignatureBytes};

use super::Team;
use super::db::{Conn, ToValue, Value, args};
use crate::admission::{SignedList, owner, owners};
use crate::error::{Error, Result};

/// A signed list: one that is stored, or one of this batch that will be.
#[derive(Clone, Copy)]
pub enum ListRef {
    Stored(i64),
    Fresh(usize),
}

/// A change that was accepted.
pub struct Accepted {
    pub seq: u64,
    pub record: RecordId,
    pub hash: Hash,
    pub actor: Vec<u8>,
    pub actor_seq: u64,
    pub raw: Vec<u8>,
    pub list: ListRef,
    pub received_at: u64,
    /// The team's sum with it.
    pub sum: SetSum,
}

struct FreshList {
    author: PublicKey,
    signature: SignatureBytes,
    items: Vec<u8>,
    /// Once it is written.
    n: Option<i64>,
}

/// What a record grows by.
struct Growth {
    kind: Kind,
    changes: u64,
    bytes: u64,
}

/// Of one team.
#[derive(Default)]
pub struct Batch {
    /// Owners and numbers of actors, `None` for one that nobody owns; those without a number are not written yet.
    actors: HashMap<Vec<u8>, Option<(Option<i64>, PublicKey)>>,
    /// `None` for one that is not stored.
    lists: HashMap<SignatureBytes, Option<ListRef>>,
    fresh: Vec<FreshList>,
    accepted: Vec<Accepted>,
    growth: BTreeMap<RecordId, Growth>,
}

impl Batch {
    /// Looks up what is stored of these actors and lists, so that nobody asks for each.
    pub fn read_ahead<'a>(
        &mut self,
        conn: &Conn,
        team: &Team,
        actors: impl Iterator<Item = &'a [u8]>,
        lists: impl Iterator<Item = &'a SignedList>,
    ) -> Result<()> {
        let actors: BTreeSet<&[u8]> = actors.collect();
        self.actors.extend(actors.iter().map(|actor| (actor.to_vec(), None)));
        for (actor, n, owner) in owners(conn, actors.into_iter())? {
            self.actors.insert(actor, Some((Some(n), owner)));
        }
        self.lists.extend(lists.map(|list| (list.signature, None)));
        let keys: Vec<SignatureBytes> = self.lists.keys().copied().collect();
        let keys: Vec<Value> = keys.iter().map(ToValue::to_value).collect();
        let stored: Vec<(SignatureBytes, i64)> = conn.all_of(
            "SELECT signature, n FROM asked JOIN signed_list ON signature = asked.key AND team = ?1",
            args![team.n],
            &keys,
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        self.lists.extend(stored.into_iter().map(|(signature, n)| (signature, Some(ListRef::Stored(n)))));
        Ok(())
    }

    /// Whether an actor belongs to this author; nobody's becomes theirs.
    pub fn takes_actor(&mut self, conn: &Conn, actor: &[u8], author: &PublicKey) -> Result<bool> {
        let known = match self.actors.get(actor) {
            Some(known) => *known,
            None => owner(conn, actor)?.map(|(n, owner)| (Some(n), owner)),
        };
        let (n, owner) = known.unwrap_or((None, *author));
        self.actors.insert(actor.to_vec(), Some((n, owner)));
        Ok(owner == *author)
    }

    /// A signed list, to be stored whole with the first of its changes that is kept.
    pub fn list(&mut self, conn: &Conn, team: &Team, list: &SignedList) -> Result<ListRef> {
        let stored = match self.lists.get(&list.signature) {
            Some(known) => *known,
            None => {
                let sql = "SELECT n FROM signed_list WHERE team = ? AND signature = ?";
                let n = conn.one(sql, args![team.n, list.signature], |row| row.get(0))?;
                n.map(ListRef::Stored)
            }
        };
        let at = stored.unwrap_or(ListRef::Fresh(self.fresh.len()));
        if stored.is_none() {
            let items = list.items.iter().flat_map(|(record, hash)| record.as_bytes().iter().chain(hash));
            let (author, signature, items) = (list.author, list.signature, items.copied().collect());
            self.fresh.push(FreshList { author, signature, items, n: None });
        }
        self.lists.insert(list.signature, Some(at));
        Ok(at)
    }

    /// The number of a list, written by now.
    pub fn number(&self, list: ListRef) -> Result<i64> {
        match list {
            ListRef::Stored(n) => Ok(n),
            ListRef::Fresh(index) => self
                .fresh
                .get(index)
                .and_then(|list| list.n)
                .ok_or(Error::Internal("a list without a number")),
        }
    }

    /// Takes in a change of an actor that was asked for.
    pub fn push(&mut self, accepted: Accepted, kind: Kind) {
        let growth = self.growth.entry(accepted.record).or_insert(Growth { kind, changes: 0, bytes: 0 });
        growth.changes += 1;
        growth.bytes += accepted.raw.len() as u64;
        self.accepted.push(accepted);
    }

    /// Writes what was gathered. [`Error::Again`] where somebody else was first with an actor or a record.
    pub fn flush(&mut self, conn: &Conn, team: &Team) -> Result<()> {
        self.write_lists(conn, team)?;
        if self.accepted.is_empty() {
            return Ok(());
        }
        self.write_actors(conn)?;
        let actor = |actor: &[u8]| self.actors.get(actor).and_then(|owned| owned.as_ref()?.0);
        let mut numbers = Vec::with_capacity(self.accepted.len());
        for change in &self.accepted {
            let actor = actor(&change.actor).ok_or(Error::Internal("an actor without a number"))?;
            numbers.push((actor, self.number(change.list)?));
        }
        let rows: Vec<Value> = self
            .accepted
            .iter()
            .zip(&numbers)
            .flat_map(|(change, numbers)| {
                [
                    team.n.to_value(),
                    change.seq.to_value(),
                    change.record.to_value(),
                    change.hash.to_value(),
                    numbers.0.to_value(),
                    change.actor_seq.to_value(),
                    change.raw.to_value(),
                    numbers.1.to_value(),
                    change.received_at.to_value(),
                    change.sum.sum.to_value(),
                    change.sum.count.to_value(),
                ]
            })
            .collect();
        conn.insert_many(
            "INSERT INTO log (team, seq, record, hash, actor, actor_seq, raw, list, received_at, sum, count)",
            "",
            11,
            &rows,
            |_| Ok(()),
        )?;
        self.write_growth(conn, team)?;
        self.accepted.clear();
        Ok(())
    }

    fn write_lists(&mut self, conn: &Conn, team: &Team) -> Result<()> {
        let unwritten = || self.fresh.iter().filter(|list| list.n.is_none());
        let rows: Vec<Value> = unwritten()
            .flat_map(|list| {
                [team.n.to_value(), list.author.to_value(), list.signature.to_value(), list.items.to_value()]
            })
            .collect();
        let written: HashMap<SignatureBytes, i64> = conn
            .insert_many(
                "INSERT INTO signed_list (team, author, signature, items)",
                "RETURNING signature, n",
                4,
                &rows,
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
            .into_iter()
            .collect();
        for list in &mut self.fresh {
            list.n = list.n.or(written.get(&list.signature).copied());
        }
        Ok(())
    }

    fn write_actors(&mut self, conn: &Conn) -> Result<()> {
        let named: BTreeSet<&[u8]> = self.accepted.iter().map(|change| &*change.actor).collect();
        let mut rows = Vec::new();
        // In one order everywhere: two nodes must not wait for each other.
        for actor in named {
            if let Some(Some((None, author))) = self.actors.get(actor) {
                rows.extend([Value::Bytes(actor), author.to_value()]);
            }
        }
        let asked = rows.len() / 2;
        let written: Vec<(Vec<u8>, i64)> = conn.insert_many(
            "INSERT INTO actor (actor, author)",
            "ON CONFLICT DO NOTHING RETURNING actor, n",
            2,
            &rows,
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        if written.len() < asked {
            return Err(Error::Again);
        }
        for (actor, n) in written {
            if let Some(Some(owned)) = self.actors.get_mut(&actor) {
                owned.0 = Some(n);
            }
        }
        Ok(())
    }

    fn write_growth(&mut self, conn: &Conn, team: &Team) -> Result<()> {
        let growth = std::mem::take(&mut self.growth);
        let rows: Vec<Value> = growth
            .iter()
            .flat_map(|(record, growth)| {
                let kind = Value::Text(growth.kind.as_str());
                let (changes, bytes) = (growth.changes.to_value(), growth.bytes.to_value());
                [record.to_value(), team.n.to_value(), kind, changes, bytes]
            })
            .collect();
        let written = conn.insert_many(
            "INSERT INTO record (record, team, kind, changes, bytes)",
            "ON CONFLICT (record) DO UPDATE
             SET changes = record.changes + excluded.changes, bytes = record.bytes + excluded.bytes
             WHERE record.team = excluded.team RETURNING n",
            5,
            &rows,
            |row| row.get::<i64>(0),
        )?;
        // Another team was first with one of them since it was judged.
        if written.len() < growth.len() { Err(Error::Again) } else { Ok(()) }
    }
}
