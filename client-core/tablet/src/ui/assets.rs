//! The page's files, in the binary. They hold no data.

use axum::{
    extract::Path,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use wayside_client_core::Code;

use super::fail::Fail;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../page/", $name))),)*];
    };
}

files!(
    "api.js",
    "base.css",
    "card.css",
    "card.js",
    "care.css",
    "care.js",
    "contact.js",
    "diary.js",
    "display.css",
    "display.js",
    "dom.js",
    "due.js",
    "find.js",
    "flags.js",
    "form.js",
    "guide.js",
    "health.js",
    "icon.svg",
    "main.js",
    "pad-rules.js",
    "pad.js",
    "person.js",
    "phrases.js",
    "pressure.js",
    "screens.css",
    "session.js",
    "settle.js",
    "staff.js",
    "start.js",
    "timeline.js",
    "words.js",
);

const INDEX: &str = include_str!("../../page/index.html");

pub async fn index() -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], INDEX).into_response()
}

pub async fn file(Path(name): Path<String>) -> Response {
    let kind = match name.rsplit_once('.') {
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        _ => "image/svg+xml",
    };
    match FILES.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => ([(CONTENT_TYPE, kind)], *text).into_response(),
        None => Fail::code(Code::NotFound).into_response(),
    }
}

#[cfg(test)]
pub(super) fn scripts() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().copied().filter(|(name, _)| name.ends_with(".js"))
}

#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}
