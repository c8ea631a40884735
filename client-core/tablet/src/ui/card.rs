//! The result card for the person seen, in any language whose file lies beside the records.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};
use wayside_protocol::clinical::text::Text;

use super::{Answer, app::App, today::id};

const ENGLISH: &str = "en-GB";

/// Languages written from right to left, by the first part of their code.
const RIGHT_TO_LEFT: &[&str] = &["ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"];

#[derive(Deserialize)]
pub struct In {
    #[serde(default)]
    language: String,
}

pub async fn card(
    State(app): State<Arc<App>>,
    Path(contact): Path<String>,
    Query(wanted): Query<In>,
) -> Answer {
    app.with(move |app| {
        let card = app.tablet.result_card(id(&contact)?)?.card;
        let known = app.tablet.languages();
        let usable = known.iter().filter(|language| language.problem.is_none());
        let languages: Vec<Value> =
            usable.clone().map(|language| json!({"code": language.code, "label": name(&language.code)})).collect();
        let language = usable.map(|language| language.code.as_str()).find(|code| *code == wanted.language);
        let language = language.unwrap_or(ENGLISH);
        let say = |text: &Text| app.tablet.words(text, language);
        let first = language.split('-').next().unwrap_or_default();
        Ok(Json(json!({
            "languages": languages,
            "language": language,
            "dir": if RIGHT_TO_LEFT.contains(&first) { "rtl" } else { "ltr" },
            "title": say(&card.title),
            "pair": card.systolic.zip(card.diastolic).map(|(systolic, diastolic)| format!("{systolic}/{diastolic}")),
            "figures": card.figures.as_ref().map(say),
            "meaning": say(&card.meaning),
            "next": card.next.iter().map(say).collect::<Vec<_>>(),
            "warning": card.warning.as_ref().map(say),
            "seen_at": card.seen_at,
        })))
    })
    .await
}

/// English has a name here; of the others the code, as the file is named.
fn name(code: &str) -> &str {
    if code == ENGLISH { "English" } else { code }
}
