//! What staff should know of restores, copies and old programs, one sentence each, until somebody puts it away.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use wayside_client_core::{Code, Problem, Status};

use super::{
    Answer,
    app::{App, Body},
};

/// Problems of a sync that nobody on the spot can solve, and that do not pass.
const LASTING: &[Code] = &[Code::UpgradeNeeded];

/// What staff may be told so, for whoever translates it.
#[cfg(test)]
pub(super) const TOLD: &[Code] = &[Code::ServerRestored, Code::TabletCopied, Code::UpgradeNeeded];

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
fn given(status: &Status, problem: Option<&Problem>, begun: &str) -> Vec<Notice> {
    let noted = status.notice.iter().map(|notice| Notice {
        code: notice.code.to_owned(),
        message: notice.message.to_owned(),
        at: notice.at.clone().unwrap_or_default(),
    });
    let lasting =
        problem.into_iter().filter(|problem| LASTING.iter().any(|code| code.as_str() == problem.code));
    // Put away until the program is started again.
    let lasting = lasting.map(|problem| Notice {
        code: problem.code.clone(),
        message: problem.message.clone(),
        at: begun.to_owned(),
    });
    noted.chain(lasting).collect()
}

/// Those that nobody has put away.
pub fn open(app: &App, status: &Status, problem: Option<&Problem>) -> Vec<Notice> {
    let mut notices = given(status, problem, &app.begun);
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
        let problem = app.problem();
        let notices = given(&app.tablet.status()?, problem.as_ref(), &app.begun);
        if let Some(notice) = notices.into_iter().find(|notice| notice.code == code) {
            app.shown().change(|display| {
                display.put_away.insert(notice.code, notice.at);
            });
        }
        app.publish();
        Ok(Json(json!({})))
    })
    .await
}
