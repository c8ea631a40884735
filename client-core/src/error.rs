//! Everything that can go wrong on a tablet, each with its stable code.

use std::{fmt, io::ErrorKind};

use wayside_protocol::{
    error::{Code, Invalid},
    record::RecordError,
    sync::{frame::Refusal, wire::Malformed},
};

/// Its message is safe to show and holds no personal data. The sources below it are for logs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was typed in cannot be saved.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A failure that its code says everything about.
    #[error("{}", .0.message())]
    Failed(Code),
    #[error("{}", of_database(.0).message())]
    Storage(#[from] rusqlite::Error),
    #[error("{}", of_directory(.0).message())]
    Directory(#[source] std::io::Error),
    #[error("{0}")]
    Record(#[from] RecordError),
    /// Somebody was not let in.
    #[error("{0}")]
    SignIn(SignInRefused),
    /// The server refused, with a code that is perhaps one of a newer version.
    #[error("{message}")]
    Server { code: String, message: String },
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The stable code; [`Code::ServerFailed`] for one that only a newer version knows: see [`Self::code_text`].
    pub fn code(&self) -> Code {
        match self {
            Error::Invalid(invalid) => invalid.code,
            Error::Failed(code) => *code,
            Error::SignIn(refused) => refused.code,
            Error::Storage(error) => of_database(error),
            Error::Directory(error) => of_directory(error),
            Error::Record(RecordError::UnknownHeads) => Code::RecordNotFound,
            Error::Record(_) => Code::StorageFailed,
            Error::Server { code, .. } => Code::parse(code).unwrap_or(Code::ServerFailed),
        }
    }

    /// The code as it is printed, also one of a newer version.
    pub fn code_text(&self) -> &str {
        match self {
            Error::Server { code, .. } => code,
            other => other.code().as_str(),
        }
    }

    /// Whether doing the same again, unchanged, can succeed.
    pub fn retry(&self) -> bool {
        self.code().retry()
    }

    /// The field that is meant, as in `bp/readings/systolic`; empty when it is about no single one.
    pub fn path(&self) -> &str {
        match self {
            Error::Invalid(invalid) => &invalid.path,
            _ => "",
        }
    }

    /// The same, said of a part of a larger whole.
    pub(crate) fn within(self, part: &str) -> Error {
        match self {
            Error::Invalid(mut invalid) => {
                let path = std::mem::take(&mut invalid.path);
                invalid.path = if path.is_empty() { part.to_owned() } else { format!("{part}/{path}") };
                Error::Invalid(invalid)
            }
            other => other,
        }
    }
}

/// Why the database did not do it: there is no room, or anything else.
fn of_database(error: &rusqlite::Error) -> Code {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => Code::StorageFull,
        _ => Code::StorageFailed,
    }
}

fn of_directory(error: &std::io::Error) -> Code {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::StorageFull,
        _ => Code::StorageFailed,
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Error::Failed(code)
    }
}

/// What a refusal stands for. The message of a code known here is our own.
impl From<&Refusal> for Error {
    fn from(refusal: &Refusal) -> Self {
        match Code::parse(&refusal.code) {
            Some(code) => Error::Failed(code),
            None => Error::Server { code: refusal.code.clone(), message: refusal.message.clone() },
        }
    }
}

impl From<Malformed> for Error {
    fn from(_: Malformed) -> Self {
        Error::Failed(Code::FrameMalformed)
    }
}

/// Why a member of staff was not let in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SignInRefused {
    /// [`Code::PinWrong`], [`Code::StaffLocked`], [`Code::UnlockWrong`] or [`Code::UnlockLocked`].
    #[serde(serialize_with = "as_text")]
    pub code: Code,
    /// Before the lock; 0 while it is on.
    pub tries_left: u32,
    /// When the lock ends, by this device's clock, RFC 3339; `None` where there is none.
    pub locked_until: Option<String>,
    /// How long it still lasts, which holds whatever the clock says.
    pub locked_seconds: u64,
}

fn as_text<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

impl fmt::Display for SignInRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.message())?;
        match (self.tries_left, self.locked_seconds) {
            (0, 0) => Ok(()),
            (0, seconds) => write!(f, " It ends in {} minutes.", seconds.div_ceil(60)),
            (1, _) => f.write_str(" One more try."),
            (left, _) => write!(f, " {left} more tries."),
        }
    }
}

/// An error as it is shown and stored.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    pub code: String,
    pub message: String,
    pub retry: bool,
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        Problem { code: error.code_text().to_owned(), message: error.to_string(), retry: error.retry() }
    }
}
