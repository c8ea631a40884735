//! Checks by when they began, a page at a time: for programs.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use wayside_protocol::clinical::Category;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::cursor::{self, Cursor};
use super::http::asked;
use super::items::{Item, item_of};
use super::records::{read, standing};
use super::{Readers, refuse};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::views::Begun;
use crate::web::{Door, LONDON, Visitor, blocking};

/// What is asked for, as in the address.
#[derive(Debug, Default, Deserialize)]
pub struct Which {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    team: String,
    #[serde(default)]
    after: String,
    limit: Option<u64>,
}

/// A page of checks, in the order in which they began.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Checks {
    pub checks: Vec<Begins>,
    /// Send it as `after` for the next page; null where this is the last by now.
    pub next: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Begins {
    #[serde(flatten)]
    pub item: Item,
    /// The id of its team.
    pub team: String,
}

pub async fn list(
    State(door): State<Arc<Door>>,
    Extension(visitor): Extension<Visitor>,
    which: Result<Query<Which>, QueryRejection>,
) -> Response {
    let web = door.web.clone();
    let found = blocking(move || {
        let which = asked(which)?;
        checks(&web.base, &web.readers.of(&visitor.account()?.roles), &which)
    });
    match found.await {
        Ok(page) => axum::Json(page).into_response(),
        Err(error) => refuse(&error),
    }
}

fn checks(base: &Base, readers: &Readers, which: &Which) -> Result<Checks> {
    let limit = cursor::limit(which.limit)?;
    let begun = which.begun()?;
    read(base, readers, |_, views| {
        let mut rows = views.begun(&begun, limit + 1)?;
        let more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = rows.last().filter(|_| more).map(|(begun, id)| Cursor::of(b'c', begun, id.as_bytes()));
        let mut checks = Vec::with_capacity(rows.len());
        for (_, id) in rows {
            let Some(check) = views.show(id)? else { continue };
            let item = item_of(views, &check, standing(views, &check)?.as_ref())?;
            let team = check.get("team").and_then(Value::as_str).unwrap_or_default().to_owned();
            checks.push(Begins { item, team });
        }
        Ok(Checks { checks, next })
    })
}

impl Which {
    fn begun(&self) -> Result<Begun> {
        let midnight = |day: Date| {
            let midnight = day.to_zoned(LONDON.clone());
            midnight.map(|at| at.timestamp().to_string()).map_err(|_| day_wanted())
        };
        let day = |text: &str| text.parse::<Date>().map_err(|_| day_wanted());
        let categories: Vec<String> =
            self.category.split(',').filter(|code| !code.is_empty()).map(str::to_owned).collect();
        if let Some(unknown) = categories.iter().find(|code| Category::parse(code).is_none()) {
            let unknown: String = unknown.chars().take(40).collect();
            return Err(Error::Said(Code::BadArguments, format!("There is no category {unknown}.")));
        }
        let team = Some(self.team.as_str()).filter(|team| !team.is_empty());
        Ok(Begun {
            from: match self.from.as_str() {
                "" => String::new(),
                from => midnight(day(from)?)?,
            },
            until: match self.to.as_str() {
                "" => String::new(),
                to => midnight(day(to)?.checked_add(1.day()).map_err(|_| day_wanted())?)?,
            },
            categories,
            team: team.map(|team| team.parse().map_err(|_| Code::BadId)).transpose()?,
            after: match self.after.as_str() {
                "" => None,
                after => Some(place(&Cursor::parse(b'c', after)?)?),
            },
        })
    }
}

fn place(cursor: &Cursor) -> Result<(String, RecordId)> {
    let id = cursor.rest.as_slice().try_into().map_err(|_| Code::CursorInvalid)?;
    Ok((cursor.text.clone(), RecordId::from_bytes(id)))
}

fn day_wanted() -> Error {
    Error::Said(Code::BadArguments, "A day is YYYY-MM-DD.".to_owned())
}
