//! What a request that cannot be done answers: `{code, message, path, retry}`, with the core's stable codes.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use wayside_client_core::{Code, Error, Invalid};

#[derive(Debug, Clone)]
pub struct Fail {
    status: StatusCode,
    code: String,
    message: String,
    path: String,
    retry: bool,
    /// Further fields of the same form that are wrong: path and message.
    others: Vec<(String, String)>,
}

impl Fail {
    pub fn code(code: Code) -> Fail {
        Fail::from(Error::from(code))
    }

    pub fn field(code: Code, path: &str, message: impl Into<String>) -> Fail {
        Fail::from(Error::from(Invalid::new(code, path, message)))
    }

    /// Several fields of one form. `None` when nothing is wrong.
    pub fn fields(mut wrong: Vec<Fail>) -> Option<Fail> {
        if wrong.is_empty() {
            return None;
        }
        let mut first = wrong.remove(0);
        first.others = wrong.into_iter().map(|fail| (fail.path, fail.message)).collect();
        Some(first)
    }

    pub fn no_token() -> Fail {
        let message = "Open this page from Wayside on this tablet: its address holds the key.";
        Fail { status: StatusCode::UNAUTHORIZED, ..Fail::wrong_place("token_refused", message) }
    }

    pub fn wrong_place(code: &str, message: &str) -> Fail {
        Fail {
            status: StatusCode::FORBIDDEN,
            code: code.to_owned(),
            message: message.to_owned(),
            path: String::new(),
            retry: false,
            others: Vec::new(),
        }
    }
}

impl From<Error> for Fail {
    fn from(error: Error) -> Fail {
        let status = match error.code() {
            Code::RecordNotFound | Code::EntryNotFound | Code::NotFound => StatusCode::NOT_FOUND,
            Code::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            Code::StorageFailed | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            code if code.retry() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Fail {
            status,
            code: error.code_text().to_owned(),
            message: error.to_string(),
            path: error.path().to_owned(),
            retry: error.retry(),
            others: Vec::new(),
        }
    }
}

impl From<Invalid> for Fail {
    fn from(invalid: Invalid) -> Fail {
        Fail::from(Error::from(invalid))
    }
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        let Fail { status, code, message, path, retry, others } = self;
        let body = json!({"code": code, "message": message, "path": path, "retry": retry, "others": others});
        (status, Json(body)).into_response()
    }
}
