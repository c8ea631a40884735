//! The result card for the person seen, in any language whose file lies beside the records.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::json;
use wayside_protocol::clinical::text::Text;

use super::{
    Answer,
    app::App,
    phrases::{self, ENGLISH},
    today::id,
};

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
        let languages = phrases::languages(&app.tablet);
        let known = languages.iter().map(|one| one.code.as_str()).find(|code| *code == wanted.language);
        let language = known.unwrap_or(ENGLISH);
        let say = |text: &Text| app.tablet.words(text, language);
        Ok(Json(json!({
            "languages": languages,
            "language": language,
            "dir": phrases::direction(language),
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
