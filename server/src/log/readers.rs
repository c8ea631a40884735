//! Connections that read, kept for the next one.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::db::{Conn, Place};
use crate::error::{Error, Result};

/// Idle ones of SQLite that are kept: opening one costs more than judging a frame. As many as there are requests at
/// once.
const KEPT: usize = 64;
/// What each of them keeps of the file, in kilobytes; the operating system keeps the rest.
const CACHE: i64 = 512;
/// Ones of PostgreSQL that a node has at once, so that four nodes do with the hundred that a server has to give.
const MOST: usize = 18;
/// How long somebody waits for one of those.
const WAIT: Duration = Duration::from_secs(10);
/// Pauses between attempts to reach a server.
const PAUSES_MS: [u64; 3] = [50, 250, 700];

pub(super) enum At {
    File(PathBuf),
    Server(Box<Place>),
}

/// How the connections to a server stand.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    /// Those that are read from.
    pub out: usize,
    /// Those that are kept for the next reader.
    pub idle: usize,
    /// How many are read from at once at most.
    pub most: usize,
}

pub(super) struct Readers {
    at: At,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Conn>,
    /// Those that are read from.
    out: usize,
}

impl Readers {
    pub fn new(at: At) -> Readers {
        Readers { at, state: Mutex::default(), freed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads in one snapshot.
    pub fn read<T>(&self, work: impl FnOnce(&Conn) -> Result<T>) -> Result<T> {
        let out = self.enter()?;
        let connection = self.begun()?;
        let result = work(&connection);
        // One that met a failing disk is not asked again.
        if connection.rollback().is_ok() && !connection.is_broken() {
            let mut state = self.state();
            if state.idle.len() < KEPT {
                state.idle.push(connection);
            }
        }
        drop(out);
        result
    }

    /// Writes what may be lost with the server, outside any transaction but its own.
    pub fn jot<T>(&self, work: impl FnOnce(&Conn) -> Result<T>) -> Result<T> {
        let out = self.enter()?;
        let connection = self.begun()?;
        connection.rollback()?;
        let result = work(&connection);
        if !connection.is_broken() {
            self.state().idle.push(connection);
        }
        drop(out);
        result
    }

    pub fn pool(&self) -> Pool {
        let state = self.state();
        Pool { out: state.out, idle: state.idle.len(), most: MOST }
    }

    /// Waits for a place among those who read.
    fn enter(&self) -> Result<Out<'_>> {
        let mut state = self.state();
        if matches!(self.at, At::Server(_)) {
            let full = |state: &mut State| state.out >= MOST;
            let waited = self.freed.wait_timeout_while(state, WAIT, full);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.out >= MOST {
                return Err(Error::Busy(1));
            }
        }
        state.out += 1;
        Ok(Out(self))
    }

    /// A connection in a transaction. One that was lost while it lay idle is given up for a new one.
    fn begun(&self) -> Result<Conn> {
        loop {
            let Some(connection) = self.state().idle.pop() else { break };
            if connection.begin_read().is_ok() {
                return Ok(connection);
            }
        }
        let mut pauses = PAUSES_MS.into_iter();
        loop {
            let begun = self.connect().and_then(|connection| connection.begin_read().map(|()| connection));
            match (begun, pauses.next()) {
                (Err(_), Some(pause)) if matches!(self.at, At::Server(_)) => {
                    std::thread::sleep(Duration::from_millis(pause));
                }
                (begun, _) => return begun,
            }
        }
    }

    fn connect(&self) -> Result<Conn> {
        match &self.at {
            At::Server(place) => Conn::reader(place),
            At::File(path) => {
                let connection = super::connect(path)?;
                connection.pragma_update(None, "query_only", true)?;
                connection.pragma_update(None, "cache_size", -CACHE)?;
                Ok(Conn::of_sqlite(connection))
            }
        }
    }
}

/// One who reads, also where that panics.
struct Out<'a>(&'a Readers);

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.0.state().out -= 1;
        self.0.freed.notify_one();
    }
}

impl Drop for Readers {
    /// A client of PostgreSQL says goodbye, which blocks: wherever the last of them is dropped.
    fn drop(&mut self) {
        let idle = std::mem::take(&mut self.state().idle);
        if matches!(self.at, At::Server(_)) {
            let _ = std::thread::spawn(move || drop(idle)).join();
        }
    }
}
