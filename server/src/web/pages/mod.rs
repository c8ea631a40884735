//! The pages: what `crate::api` finds, put into words for one template each.

mod access;
pub mod account;
pub mod accounts;
mod act;
mod api;
mod chart;
mod check;
mod check_tables;
mod duplicates;
mod erase;
mod extracts;
mod find;
mod fleet;
mod follow_ups;
mod frame;
mod letter;
mod lists;
mod pager;
mod person;
mod pressures;
mod quality;
mod reach;
mod record;
mod retention;
mod session;
mod sessions;
mod sites;
mod table;
mod task;
pub mod team;
mod today;
mod trail;

use std::convert::Infallible;
use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

pub use access::{access, access_form};
pub use act::act;
pub use api::api;
pub use check::check;
pub use duplicates::{beside, duplicates};
pub use erase::{ask_to_erase, confirm_erasure, erase_form, erasures, refuse_erasure};
pub use extracts::{dictionary, extract, extracts, recipients};
pub use find::{find, find_form, open_found};
pub use fleet::{admit_held, enrol, fleet, refuse_held, rename_tablet, revoke, tablet, take_out};
pub use follow_ups::follow_ups;
pub use frame::Frame;
pub use letter::letter;
pub use lists::quarantine;
pub use person::person;
pub use quality::quality;
pub use reach::{csv as reach_csv, reach};
pub use record::{record, settle};
pub use retention::retention;
pub use session::session;
pub use sessions::sessions;
pub use sites::{add_site, change_site, site, sites};
pub use today::{claim, looked, today};
pub use trail::{audit, audit_of, lookers};

use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::{Door, Visitor, blocking, guard};
use crate::error::{Error, Result};

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem {
    frame: Frame,
    message: String,
    retry: bool,
}

/// A page as an answer.
pub fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => {
            let mut response = (status, text).into_response();
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, html);
            response
        }
        Err(_) => {
            guard::note(&Error::Internal("a page's template"));
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A refusal, or what went wrong, as a page.
pub fn refuse(door: &Arc<Door>, visitor: &Visitor, error: &Error) -> Response {
    guard::note(error);
    let status = guard::status(error);
    let title = match status {
        _ if error.code() == Code::Behind => "One moment",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "You cannot do this",
        StatusCode::CONFLICT => "This has changed meanwhile",
        status if status.is_server_error() => "Sorry, there is a problem",
        _ => "There is a problem",
    };
    let frame = Frame::new(door, visitor, title);
    let mut response = html(status, &Problem { frame, message: error.to_string(), retry: error.retry() });
    guard::retry_after(error, &mut response);
    response.extensions_mut().insert(error.code());
    response
}

/// Finds what a page shows where blocking is allowed, and shows it.
async fn shown<P: Template + Send + 'static>(
    door: &Arc<Door>,
    visitor: &Visitor,
    work: impl FnOnce(&Door, Frame) -> Result<P> + Send + 'static,
) -> Response {
    // Before anything is read: a change in between then refreshes once too often, never too seldom.
    let frame = Frame::new(door, visitor, "");
    let inside = door.clone();
    match blocking(move || work(&inside, frame)).await {
        Ok(page) => html(StatusCode::OK, &page),
        Err(error) => refuse(door, visitor, &error),
    }
}

/// What every page and answer begins with: on which door it is, limited to the teams of who asks, and who that is.
pub struct Ask {
    pub door: Arc<Door>,
    pub visitor: Visitor,
}

impl FromRequestParts<Arc<Door>> for Ask {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Ask, Infallible> {
        // The guard has put it there; without one nobody is signed in.
        let visitor = parts.extensions.get::<Visitor>().cloned().unwrap_or_default();
        Ok(Ask { door: door.of(&visitor), visitor })
    }
}

impl Ask {
    /// Finds what a page shows where blocking is allowed, and shows it.
    pub async fn page<P: Template + Send + 'static>(
        self,
        work: impl FnOnce(&Door, Frame) -> Result<P> + Send + 'static,
    ) -> Response {
        shown(&self.door, &self.visitor, work).await
    }

    /// The page of one record, by the id in the address.
    pub async fn page_of<P: Template + Send + 'static>(
        self,
        id: String,
        work: impl FnOnce(&Door, Frame, RecordId) -> Result<P> + Send + 'static,
    ) -> Response {
        self.page(move |door, frame| work(door, frame, id.parse().map_err(|_| Code::BadId)?)).await
    }

    pub fn refuse(&self, error: &Error) -> Response {
        refuse(&self.door, &self.visitor, error)
    }
}

/// The page of an address that is none.
pub async fn nowhere(ask: Ask) -> Response {
    ask.refuse(&Code::NotFound.into())
}
