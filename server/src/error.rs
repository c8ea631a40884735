//! What can go wrong here, each with its stable code.

use std::io::ErrorKind;

use rusqlite_migration::MigrationDefinitionError;
use serde_json::{Value, json};
use wayside_protocol::error::Code;
use wayside_protocol::sync::wire::Malformed;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Messages are safe to show and to send: sources, which may name files and tables, are for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Said by the code alone.
    #[error("{}", .0.message())]
    Refused(Code),
    /// Said more precisely than the code does.
    #[error("{1}")]
    Said(Code, String),
    #[error("{}", of_sqlite(.0).message())]
    Database(#[from] rusqlite::Error),
    #[error("{}", of_postgres(.0).message())]
    Remote(#[from] postgres::Error),
    /// Somebody else was first: look again.
    #[error("{}", Code::StorageFailed.message())]
    Again,
    /// What the group wrote together could not be committed.
    #[error("{}", .0.message())]
    Commit(Code),
    #[error("{}", Code::StorageFailed.message())]
    Migration(#[source] rusqlite_migration::Error),
    #[error("{}", Code::StorageNewer.message())]
    Newer,
    #[error("The {0} cannot be read or written.")]
    File(&'static str, #[source] std::io::Error),
    #[error("The {0} cannot be used.")]
    Key(&'static str),
    #[error("This address cannot be listened on.")]
    Listen(#[source] std::io::Error),
    /// Come again after so many seconds.
    #[error("{}", Code::TryLater.message())]
    TryLater(u64),
    /// Too much to do: come again after so many seconds.
    #[error("{}", Code::Busy.message())]
    Busy(u64),
    /// For the reason of the code: come again after so many seconds.
    #[error("{}", .0.message())]
    Later(Code, u64),
    #[error("{}", Code::Internal.message())]
    Internal(&'static str),
}

impl Error {
    pub fn code(&self) -> Code {
        match self {
            Error::Refused(code) | Error::Said(code, _) | Error::Later(code, _) => *code,
            Error::Database(error) => of_sqlite(error),
            Error::Remote(error) => of_postgres(error),
            Error::Commit(code) => *code,
            Error::Migration(rusqlite_migration::Error::RusqliteError { err, .. }) => of_sqlite(err),
            Error::File(_, error) => of_file(error),
            Error::Again | Error::Migration(_) => Code::StorageFailed,
            Error::Newer => Code::StorageNewer,
            Error::Key(_) => Code::KeyFileInvalid,
            Error::Listen(_) => Code::ServerFailed,
            Error::TryLater(_) => Code::TryLater,
            Error::Busy(_) => Code::Busy,
            Error::Internal(_) => Code::Internal,
        }
    }

    /// What PostgreSQL calls it, empty where there was no answer at all.
    fn state(&self) -> Option<&str> {
        match self {
            Error::Remote(error) => Some(error.code().map_or("", |state| state.code())),
            _ => None,
        }
    }

    /// Whether the same transaction may succeed when it runs again: others were in the way, or the connection was lost.
    pub(crate) fn is_of_the_moment(&self) -> bool {
        matches!(self, Error::Again)
            || self.state().is_some_and(|state| match state {
                // Not serialisable, a deadlock, another's row of the same key, a lock that did not come, and a
                // statement that was prepared for an older schema.
                "" | "40001" | "40P01" | "23505" | "55P03" | "25P03" | "0A000" | "26000" => true,
                _ => self.leaves_open() || self.wants_another_server(),
            })
    }

    /// Whether a commit that failed with this may have happened all the same.
    pub(crate) fn leaves_open(&self) -> bool {
        let open = |state: &str| {
            state.is_empty()
                || state == "40003"
                || ["08", "57P", "58", "XX"].iter().any(|class| state.starts_with(class))
        };
        self.state().is_some_and(open)
    }

    /// Whether it is over with this server: it takes no writes, or goes down.
    pub(crate) fn wants_another_server(&self) -> bool {
        self.state().is_some_and(|state| {
            matches!(state, "" | "25006" | "57P01" | "57P02" | "57P03" | "0A000" | "26000")
        })
    }

    /// After how many seconds to come again, where that is known.
    pub fn after(&self) -> Option<u64> {
        match self {
            Error::TryLater(seconds) | Error::Busy(seconds) | Error::Later(_, seconds) => Some(*seconds),
            _ => None,
        }
    }

    /// Whether doing the same again, unchanged, can succeed.
    pub fn retry(&self) -> bool {
        self.code().retry()
    }

    /// As every door prints it.
    pub fn to_json(&self) -> Value {
        json!({"code": self.code().as_str(), "message": self.to_string(), "retry": self.retry()})
    }

    /// What an operator needs beside the code, without anybody's data: never the message, which may
    /// quote what was typed.
    pub(crate) fn detail(&self) -> String {
        match self {
            Error::Database(error) => error.sqlite_error_code().map(|code| format!("{code:?}")),
            Error::Remote(error) => Some(match error.code() {
                Some(state) => state.code().to_owned(),
                None => "no connection".to_owned(),
            }),
            Error::File(what, error) => Some(format!("{what}: {}", error.kind())),
            Error::Listen(error) => Some(error.kind().to_string()),
            Error::Internal(what) | Error::Key(what) => Some((*what).to_owned()),
            _ => None,
        }
        .unwrap_or_default()
    }
}

/// Why a database did not do it: there is no room, or anything else.
fn of_sqlite(error: &rusqlite::Error) -> Code {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => Code::StorageFull,
        _ => Code::StorageFailed,
    }
}

fn of_postgres(error: &postgres::Error) -> Code {
    match error.code() == Some(&postgres::error::SqlState::DISK_FULL) {
        true => Code::StorageFull,
        false => Code::StorageFailed,
    }
}

fn of_file(error: &std::io::Error) -> Code {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::StorageFull,
        _ => Code::StorageFailed,
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Error::Refused(code)
    }
}

impl From<Malformed> for Error {
    fn from(_: Malformed) -> Self {
        Error::Refused(Code::FrameMalformed)
    }
}

impl From<rusqlite_migration::Error> for Error {
    fn from(error: rusqlite_migration::Error) -> Self {
        match error {
            rusqlite_migration::Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead) => {
                Error::Newer
            }
            error => Error::Migration(error),
        }
    }
}
