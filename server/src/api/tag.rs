//! Answers that a program need not fetch again: a tag of what was answered, and 304 to who has it.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

/// The answer `bytes`, or that it is what the asker has. The tag is weak: the same answer may be compressed or not.
pub fn tagged(asked: &HeaderMap, bytes: Vec<u8>) -> Response {
    let tag = format!("W/\"{}\"", BASE64URL_NOPAD.encode(&Sha256::digest(&bytes)[..16]));
    let has_it = |known: &str| {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        known.split(',').any(|one| one.trim() == "*" || opaque(one) == opaque(&tag))
    };
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut response = if known.into_iter().any(has_it) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = bytes.into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    };
    response.headers_mut().extend(HeaderValue::try_from(tag).ok().map(|tag| (header::ETAG, tag)));
    response
}
