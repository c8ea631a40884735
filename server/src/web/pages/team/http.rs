//! The same as JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::super::super::{Door, blocking};
use super::record_id;
use crate::api;
use crate::base::Base;
use crate::error::Result;

/// All teams, as `[{id, name, staff, services, plus_groups, guide}]`.
pub async fn teams(State(door): State<Arc<Door>>) -> Response {
    answer(&door, api::team::teams).await
}

pub async fn team(State(door): State<Arc<Door>>, Path(id): Path<String>) -> Response {
    answer(&door, move |base| api::team::team(base, record_id(&id)?)).await
}

async fn answer<T: Serialize + Send + 'static>(
    door: &Arc<Door>,
    work: impl FnOnce(&Base) -> Result<T> + Send + 'static,
) -> Response {
    let base = door.web.base.clone();
    match blocking(move || work(&base)).await {
        Ok(found) => Json(found).into_response(),
        Err(error) => api::refuse(&error),
    }
}
