//! The one address that all of a coordinator's forms are sent to.

use axum::Form;
use axum::extract::Path;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::super::blocking;
use super::record::address;
use super::{Ask, today};
use crate::api::{self, Acted};

/// Does what a form asks for, and goes back to where it stood.
pub async fn act(ask: Ask, Path(text): Path<String>, form: Result<Form<Acted>, FormRejection>) -> Response {
    let Ok(Form(acted)) = form else {
        return ask.refuse(&Code::BadArguments.into());
    };
    let web = ask.door.web.clone();
    let by = ask.visitor.name().unwrap_or_default().to_owned();
    let done = blocking(move || {
        let id: RecordId = text.parse().map_err(|_| Code::BadId)?;
        let back = acted.back.clone();
        let done = acted.carry_out(&web.base, &web.readers, id, &by)?;
        // Only to pages of ours: an address that came with a form could lead anywhere.
        match back.as_str() {
            "follow-ups" => return Ok("/follow-ups".to_owned()),
            "duplicates" => return Ok("/duplicates".to_owned()),
            _ => {}
        }
        let made = done.entry.map(|entry| format!("done={}.{}", done.record, entry.replace('/', ".")));
        if let Some(today) = today::way_back(&back, &made.unwrap_or_default()) {
            return Ok(today);
        }
        let (shown, _) = api::record(&web.base, &web.readers, done.record)?;
        Ok(address(shown.kind().ok_or(Code::WrongKind)?, done.record))
    });
    match done.await {
        Ok(address) => Redirect::to(&address).into_response(),
        Err(error) => ask.refuse(&error),
    }
}
