//! The one error of this crate.

use wayside_client_core::{Code, Error, SignInRefused};

/// Why something did not happen. Branch on `code`, which never changes its meaning; show `message`, which is meant
/// for staff and holds no personal data; offer to try again where `retry` says that it can help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum WaysideError {
    /// What was typed in cannot be saved, and nothing was.
    #[error("{message}")]
    Entry {
        /// Stable, as in `out_of_range`.
        code: String,
        /// A sentence for staff that names the limit or what is missing.
        message: String,
        /// Whether the same call, unchanged, can succeed later.
        retry: bool,
        /// The field that is meant, as in `contact/bp/readings/systolic`; empty when it is about no single one.
        path: String,
    },
    /// Somebody of the staff was not let in.
    #[error("{message}")]
    SignIn {
        /// `pin_wrong`, `staff_locked`, `unlock_wrong`, `unlock_locked`.
        code: String,
        /// A sentence for staff that says how many tries are left or how long the lock lasts.
        message: String,
        /// Whether the same call, unchanged, can succeed later.
        retry: bool,
        /// Before the lock; 0 while it is on.
        tries_left: u32,
        /// When the lock ends, by this device's clock; `None` where there is none.
        locked_until: Option<String>,
        /// How long it still lasts, whatever the clock says.
        locked_seconds: u64,
    },
    /// Everything else: the tablet's storage, the network, the server.
    #[error("{message}")]
    Failed {
        /// Stable, as in `code_used`; perhaps one that only a newer version of the server knows.
        code: String,
        /// A sentence for staff.
        message: String,
        /// Whether the same call, unchanged, can succeed later.
        retry: bool,
    },
}

/// What every error has, whichever it is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Details {
    /// Stable, never reused.
    pub code: String,
    /// A sentence for staff.
    pub message: String,
    /// Whether the same call, unchanged, can succeed later.
    pub retry: bool,
    /// The field that is meant; empty when it is about no single one.
    pub path: String,
}

#[uniffi::export]
impl WaysideError {
    /// Code, message, retry and path without asking which error it is.
    pub fn details(&self) -> Details {
        let (code, message, retry, path) = match self {
            WaysideError::Entry { code, message, retry, path } => (code, message, retry, path.as_str()),
            WaysideError::SignIn { code, message, retry, .. } => (code, message, retry, ""),
            WaysideError::Failed { code, message, retry } => (code, message, retry, ""),
        };
        Details { code: code.clone(), message: message.clone(), retry: *retry, path: path.to_owned() }
    }
}

/// What every call of this crate comes to.
pub type Result<T, E = WaysideError> = std::result::Result<T, E>;

impl From<Error> for WaysideError {
    fn from(error: Error) -> Self {
        let (code, message, retry) = (error.code_text().to_owned(), error.to_string(), error.retry());
        match error {
            Error::Invalid(invalid) => WaysideError::Entry { code, message, retry, path: invalid.path },
            Error::SignIn(SignInRefused { tries_left, locked_until, locked_seconds, .. }) => {
                WaysideError::SignIn { code, message, retry, tries_left, locked_until, locked_seconds }
            }
            _ => WaysideError::Failed { code, message, retry },
        }
    }
}

impl From<Code> for WaysideError {
    fn from(code: Code) -> Self {
        Error::Failed(code).into()
    }
}

/// A callback threw something. What it was is dropped: its text is the app's own and can quote anything.
impl From<uniffi::UnexpectedUniFFICallbackError> for WaysideError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Code::Internal.into()
    }
}

#[cfg(test)]
mod tests {
    use wayside_client_core::Invalid;

    use super::*;

    #[test]
    fn an_entry_error_keeps_code_message_and_path() {
        let invalid = Invalid::new(Code::OutOfRange, "bp/readings/systolic", "Systolic must be 50 to 300.");
        let error = WaysideError::from(Error::from(invalid));
        let WaysideError::Entry { code, message, retry, path } = &error else { panic!("{error}") };
        assert_eq!((code.as_str(), path.as_str(), *retry), ("out_of_range", "bp/readings/systolic", false));
        assert_eq!(message, "Systolic must be 50 to 300.");
        assert_eq!(error.to_string(), *message);
        assert_eq!(error.details().path, "bp/readings/systolic");
    }

    #[test]
    fn every_code_keeps_its_spelling_and_its_retry() {
        for code in Code::ALL {
            let details = WaysideError::from(*code).details();
            assert_eq!(details.code, code.as_str());
            assert_eq!(details.message, code.message());
            assert_eq!(details.retry, code.retry());
            assert_eq!(details.path, "");
        }
    }

    #[test]
    fn a_code_of_a_newer_server_is_passed_on() {
        let error = Error::Server { code: "made_in_2031".into(), message: "Ask the office.".into() };
        let details = WaysideError::from(error).details();
        assert_eq!((details.code.as_str(), details.message.as_str()), ("made_in_2031", "Ask the office."));
    }

    #[test]
    fn what_a_callback_threw_is_not_repeated() {
        let thrown = uniffi::UnexpectedUniFFICallbackError::new("Amina Khan");
        let error = WaysideError::from(thrown);
        assert_eq!(error.details().code, "internal");
        assert!(!format!("{error} {error:?}").contains("Amina"));
    }
}
