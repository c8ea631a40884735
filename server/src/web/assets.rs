//! Style, script and icon, inside the program. Their names carry a digest of their content, so that a
//! browser may keep them for ever and never holds an old one.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

struct Asset {
    name: String,
    content_type: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(stem: &str, ending: &str, content_type: &'static str, content: &'static str) -> Asset {
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(content)[..8]);
        Asset { name: format!("{stem}-{digest}.{ending}"), content_type, content }
    }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("wayside", "css", "text/css; charset=utf-8", include_str!("../../assets/wayside.css"))
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("live", "js", "text/javascript; charset=utf-8", include_str!("../../assets/live.js"))
});
static TODAY: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("today", "js", "text/javascript; charset=utf-8", include_str!("../../assets/today.js"))
});
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("../../assets/icon.svg")));

pub fn style() -> String {
    format!("/assets/{}", STYLE.name)
}

pub fn script() -> String {
    format!("/assets/{}", SCRIPT.name)
}

pub fn today_script() -> String {
    format!("/assets/{}", TODAY.name)
}

pub fn icon() -> String {
    format!("/assets/{}", ICON.name)
}

pub async fn asset(Path(name): Path<String>) -> Response {
    let found = [&STYLE, &SCRIPT, &TODAY, &ICON].into_iter().find(|asset| asset.name == name);
    let Some(asset) = found else { return StatusCode::NOT_FOUND.into_response() };
    let mut response = asset.content.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}
