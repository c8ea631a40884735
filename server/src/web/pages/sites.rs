//! *Sites*: where sessions are held.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::record::schema::SITE_TYPES;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::table::{Cell, Row, Table, text};
use crate::api::{self, SiteFields};
use crate::error::Result;
use crate::web::{Web, blocking};

const PART: &str = "/sites";

#[derive(Template)]
#[template(path = "sites.html")]
struct SitesPage {
    frame: Frame,
    table: Table,
    kinds: Vec<Kind>,
    teams: Vec<(RecordId, String)>,
}

#[derive(Template)]
#[template(path = "site.html")]
struct SitePage {
    frame: Frame,
    id: String,
    heads: String,
    called: String,
    chosen: String,
    postcode: String,
    active: bool,
    conflicts: bool,
    merged_into: Option<String>,
    kinds: Vec<Kind>,
}

/// A kind of site in a form's list.
struct Kind {
    code: &'static str,
    words: String,
}

fn kinds() -> Vec<Kind> {
    SITE_TYPES.iter().map(|code| Kind { code, words: words::spaced(code) }).collect()
}

pub async fn sites(ask: Ask) -> Response {
    ask.page(|door, frame| {
        let rows = api::sites(&door.web.base, &door.web.readers)?.into_iter().map(|site| {
            let state = match (site.merged_into, site.active) {
                (Some(_), _) => Cell::tag("The same as another", "nhsuk-tag--grey"),
                (None, true) => Cell::new("Used"),
                (None, false) => Cell::tag("No longer used", "nhsuk-tag--grey"),
            };
            let cells = vec![
                Cell::link(&site.name, format!("/sites/{}", site.id)),
                Cell::new(site.kind.as_deref().map(words::spaced).unwrap_or_default()),
                Cell::new(site.postcode.unwrap_or_default()),
                Cell::new(site.team),
                state,
            ];
            Row { key: site.id, class: "", cells }
        });
        let head = vec!["Name", "Kind", "Postcode", "Team", "On tablets"];
        let table = Table { caption: "Sites", head, rows: rows.collect() };
        let teams = door.web.base.log.read(|log| door.web.readers.known_teams(log))?;
        let teams = teams.into_iter().map(|team| (team.id, team.name)).collect();
        Ok(SitesPage { frame: frame.titled("Sites", PART, "site"), table, kinds: kinds(), teams })
    })
    .await
}

pub async fn site(ask: Ask, Path(id): Path<String>) -> Response {
    ask.page_of(id, |door, frame, id| {
        let shown = api::site(&door.web.base, &door.web.readers, id)?;
        let site = &shown.record;
        let said = |pointer: &str| text(site, pointer).unwrap_or_default().to_owned();
        Ok(SitePage {
            frame: frame.titled(said("/name"), PART, "change"),
            id: id.to_string(),
            heads: shown.heads.join(" "),
            called: said("/name"),
            chosen: said("/type"),
            postcode: said("/address/postcode"),
            active: site.get("active") != Some(&Value::Bool(false)),
            conflicts: site.get("conflicts").and_then(Value::as_array).is_some_and(|found| !found.is_empty()),
            merged_into: text(site, "/merged_into").map(str::to_owned),
            kinds: kinds(),
        })
    })
    .await
}

#[derive(Deserialize)]
pub struct SiteForm {
    /// For one that is new.
    #[serde(default)]
    team: String,
    /// What the form stands on; not there for one that is new.
    #[serde(default)]
    heads: String,
    name: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    postcode: String,
    #[serde(default)]
    active: Option<String>,
}

impl SiteForm {
    fn fields(self) -> SiteFields {
        let active = self.active.is_none_or(|active| active == "yes");
        SiteFields { name: self.name, kind: self.kind, postcode: self.postcode, active }
    }
}

pub async fn add_site(ask: Ask, sent: Result<Form<SiteForm>, FormRejection>) -> Response {
    saved(ask, sent, |Web { base, readers, .. }, by, form| {
        let team = form.team.parse().map_err(|_| Code::BadId)?;
        api::add_site(base, readers, by, team, &form.fields()).map(drop)
    })
    .await
}

pub async fn change_site(
    ask: Ask,
    Path(id): Path<String>,
    sent: Result<Form<SiteForm>, FormRejection>,
) -> Response {
    saved(ask, sent, move |Web { base, .. }, by, form| {
        let id = id.parse().map_err(|_| Code::BadId)?;
        let heads = form.heads.clone();
        api::change_site(base, id, by, &heads, &form.fields())
    })
    .await
}

async fn saved(
    ask: Ask,
    sent: Result<Form<SiteForm>, FormRejection>,
    work: impl FnOnce(&Web, &str, SiteForm) -> Result<()> + Send + 'static,
) -> Response {
    let Ok(Form(form)) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    let (web, by) = (ask.door.web.clone(), ask.visitor.name().unwrap_or_default().to_owned());
    match blocking(move || work(&web, &by, form)).await {
        Ok(()) => Redirect::to(PART).into_response(),
        Err(error) => ask.refuse(&error),
    }
}
