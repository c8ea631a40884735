//! A request that names itself is done once: a program that never saw the answer, because the link was cut, sends it again
//! under the same `Idempotency-Key` and gets the answer of the first.
//!
//! Whether something was done is known before it is done and after it was answered. A server that stops in between leaves
//! a request that has begun and has no answer: it is not done again, and whoever asks is told to look.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use wayside_protocol::error::Code;

use super::refuse;
use crate::error::{Error, Result};
use crate::log::{self, Before};
use crate::web::{Door, MAX_FORM, Visitor, blocking};

const KEY: &str = "idempotency-key";
const LONGEST: usize = 255;
/// Of an answer that was given before.
const REPEATED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub async fn once(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    if !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    match named(&door, request, next).await {
        Ok(response) => response,
        Err(error) => refuse(&error),
    }
}

async fn named(door: &Arc<Door>, request: Request, next: Next) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let key = parts.headers.get(KEY).and_then(|key| key.to_str().ok());
    let key = key.filter(|key| (1..=LONGEST).contains(&key.len()));
    let says =
        || Error::Said(Code::BadArguments, "An Idempotency-Key has 1 to 255 characters of ASCII.".into());
    let key: [u8; 32] = Sha256::digest(key.ok_or_else(says)?).into();
    let body = to_bytes(body, MAX_FORM).await.map_err(|_| Code::TooLarge)?;
    let mut asked = Sha256::new();
    for part in [parts.method.as_str().as_bytes(), parts.uri.to_string().as_bytes(), &body] {
        asked.update((part.len() as u64).to_be_bytes());
        asked.update(part);
    }
    let visitor = parts.extensions.get::<Visitor>().cloned().unwrap_or_default();
    let asks = log::Request {
        account: visitor.account()?.n,
        key,
        digest: asked.finalize().into(),
        record: parts.uri.path().split('/').find_map(|part| part.parse().ok()),
    };
    let base = door.web.base.clone();
    let begun = {
        let base = base.clone();
        blocking(move || {
            let now = base.clock.now_ms();
            base.log.write(move |txn| log::begin_answer(txn.conn, &asks, now))
        })
        .await?
    };
    match begun {
        Before::Nothing => {}
        Before::Begun => return Err(Code::KeyPending.into()),
        Before::Another => return Err(Code::KeyReused.into()),
        Before::Answered(status, answer) => return Ok(repeated(status, answer)),
    }
    // Goes on to its end even if whoever asked is gone: just then the answer is asked for again.
    let work = tokio::spawn(async move {
        let (head, answer) = next.run(Request::from_parts(parts, Body::from(body))).await.into_parts();
        let status = head.status;
        let answer = to_bytes(answer, usize::MAX).await.map_err(|_| Error::Internal("an answer"))?;
        // What failed here may have been done all the same: it stays begun.
        if !status.is_server_error() {
            let kept = answer.to_vec();
            blocking(move || {
                base.log.write(move |txn| log::note_answer(txn.conn, &asks, status.as_u16(), &kept))
            })
            .await?;
        }
        Ok(Response::from_parts(head, Body::from(answer)))
    });
    work.await.unwrap_or(Err(Error::Internal("a panic inside a request")))
}

/// What was answered before.
fn repeated(status: u16, answer: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let headers = [json, (REPEATED, HeaderValue::from_static("true"))];
    (status, headers, answer).into_response()
}
