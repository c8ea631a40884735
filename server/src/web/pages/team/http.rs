//! The same as JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::super::super::{Ask, Door, blocking};
use super::record_id;
use crate::api::{self, Readers};
use crate::base::Base;
use crate::error::Result;

/// A page of teams, as `{teams: [{id, name, staff, services, plus_groups, guide}], next}`.
pub async fn teams(Ask { door, .. }: Ask, paging: Result<Query<api::Paging>, QueryRejection>) -> Response {
    answer(&door, move |base, readers| api::team::team_page(base, readers, &api::understood(paging)?)).await
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
