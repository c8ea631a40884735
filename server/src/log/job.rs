//! A piece of work inside a commit.
//!
//! It may run more than once: on PostgreSQL whoever else was first, or a primary that went away, undoes a transaction
//! that did nothing wrong. So a job changes nothing outside its transaction but the ledger, which takes each fact once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::SyncSender;

use wayside_protocol::{error::Code, record::RecordId};

use super::db::Conn;
use crate::error::{Error, Result};

/// The transaction that a job runs in.
pub struct Txn<'a> {
    pub conn: &'a Conn,
    moved: &'a mut Vec<(RecordId, u64)>,
    sealed: bool,
}

impl<'a> Txn<'a> {
    pub(super) fn new(conn: &'a Conn, moved: &'a mut Vec<(RecordId, u64)>, sealed: bool) -> Txn<'a> {
        Txn { conn, moved, sealed }
    }

    /// Tells those who watch, once it is committed, that a team's log now ends at `head`.
    pub fn moved(&mut self, team: RecordId, head: u64) {
        self.moved.push((team, head));
    }
}

/// What is to become of what a job wrote.
pub(super) enum Ran {
    Kept,
    /// It was refused, or failed, with this code.
    Undone(Code),
    /// The whole transaction has to run again.
    Again(Error),
}

pub(super) trait Job: Send {
    /// Whose log it is about, if it is about one team's.
    fn team(&self) -> Option<RecordId>;
    fn run(&mut self, txn: &mut Txn) -> Ran;
    /// `lost` says why nothing was committed.
    fn answer(self: Box<Self>, lost: Option<Error>);
}

pub(super) struct Typed<W, T> {
    pub team: Option<RecordId>,
    /// Also where the log was copied away.
    pub sealed: bool,
    pub work: W,
    pub result: Result<T>,
    pub reply: SyncSender<Result<T>>,
}

impl<T: Send, W: FnMut(&mut Txn) -> Result<T> + Send> Job for Typed<W, T> {
    fn team(&self) -> Option<RecordId> {
        self.team
    }

    fn run(&mut self, txn: &mut Txn) -> Ran {
        if txn.sealed && !self.sealed {
            self.result = Err(Code::LogMoved.into());
            return Ran::Undone(Code::LogMoved);
        }
        self.result = catch_unwind(AssertUnwindSafe(|| (self.work)(txn)))
            .unwrap_or(Err(Error::Internal("a panic inside the commit")));
        match std::mem::replace(&mut self.result, Err(Error::Commit(Code::StorageFailed))) {
            Err(error) if txn.conn.is_postgres() && error.is_of_the_moment() => Ran::Again(error),
            result => {
                let ran = result.as_ref().map_or_else(|error| Ran::Undone(error.code()), |_| Ran::Kept);
                self.result = result;
                ran
            }
        }
    }

    fn answer(self: Box<Self>, lost: Option<Error>) {
        let result = match lost {
            None => self.result,
            // A refusal stays one, whatever became of the others.
            Some(lost) => self.result.and(Err(lost)),
        };
        // Nobody there any more: a link was cut. What was committed stays.
        let _ = self.reply.send(result);
    }
}
