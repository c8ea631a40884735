//! What staff should know of restores, copies, old programs and orders of base, one sentence each, until somebody puts it away.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::json;
#[cfg(test)]
use wayside_client_core::Code;
use wayside_client_core::Status;

use super::{
    Answer,
    app::{App, Body},
};

/// What staff may be told so, for whoever translates it.
#[cfg(test)]
pub(super) const TOLD: &[Code] = &[
    Code::ServerRestored,
    Code::TabletCopied,
    Code::RecordErased,
    Code::UpgradeNeeded,
    Code::TeamLeft,
    Code::TabletWiped,
];

/// As the page is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Notice {
    pub code: String,
    pub message: String,
    /// When it was given; the same again later is another one.
    #[serde(skip)]
    at: String,
}

/// All that were given.
fn given(status: &Status) -> Vec<Notice> {
    let notice = |notice: &wayside_client_core::Notice| Notice {
        code: notice.code.to_owned(),
        message: notice.message.to_owned(),
        at: notice.at.clone().unwrap_or_default(),
    };
    status.notices.iter().map(notice).collect()
}

/// Those that nobody has put away.
pub fn open(app: &App, status: &Status) -> Vec<Notice> {
    let mut notices = given(status);
    let shown = app.shown();
    notices.retain(|notice| shown.display.put_away.get(&notice.code) != Some(&notice.at));
    notices
}

#[derive(Deserialize)]
pub struct PutAway {
    code: String,
}

/// Somebody has read it.
pub async fn put_away(State(app): State<Arc<App>>, Body(PutAway { code }): Body<PutAway>) -> Answer {
    app.with(move |app| {
        if let Some(notice) = given(&app.tablet.status()?).into_iter().find(|notice| notice.code == code) {
            app.shown().change(|display| {
                display.put_away.insert(notice.code, notice.at);
            });
        }
        app.publish();
        Ok(Json(json!({})))
    })
    .await
}
