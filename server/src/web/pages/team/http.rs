//! The same as JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::super::super::{Ask, Door, blocking};
use super::record_id;
use crate::api::{self, Readers};
use crate::base::Base;
use crate::error::Result;

/// All teams, as `[{id, name, staff, services, plus_groups, guide}]`.
pub async fn teams(Ask { door, .. }: Ask) -> Response {
    answer(&door, api::team::teams).await
}

pub async fn team(Ask { door, .. }: Ask, Path(id): Path<String>) -> Response {
    answer(&door, move |base, _| api::team::team(base, record_id(&id)?)).await
}

async fn answer<T: Serialize + Send + 'static>(
    door: &Arc<Door>,
    work: impl FnOnce(&Base, &Readers) -> Result<T> + Send + 'static,
) -> Response {
    let web = door.web.clone();
    match blocking(move || work(&web.base, &web.readers)).await {
        Ok(found) => Json(found).into_response(),
        Err(error) => api::refuse(&error),
    }
}
