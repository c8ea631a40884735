//! What the web framework answers by itself (a query that cannot be read, a wrong method) gets a code of ours, so that a
//! program need never read a sentence.

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use wayside_protocol::error::Code;

use super::refuse;
use crate::error::Error;

pub async fn in_our_words(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    if !is_api || !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type.is_some_and(|content_type| content_type.starts_with("application/json")) {
        return response;
    }
    let error = match response.status() {
        StatusCode::NOT_FOUND => Code::NotFound.into(),
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed.into(),
        StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge.into(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::MediaType.into(),
        status if status.is_server_error() => Error::Internal("an answer without a code"),
        _ => Error::Said(Code::BadArguments, "This address is not understood.".to_owned()),
    };
    let mut said = refuse(&error);
    for (name, value) in response.headers() {
        // The allowed methods and the guard's own headers stay.
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            said.headers_mut().insert(name, value.clone());
        }
    }
    said
}
