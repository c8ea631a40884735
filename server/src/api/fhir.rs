//! Doors through which checks leave as FHIR: gathers what `crate::fhir` maps, and writes down who took what before
//! anything goes.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde::Deserialize;
use serde_json::Value;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, RecordId};

use super::feed::{self, MORE, NEXT, Place};
use super::http::id;
use super::records::{read, referred};
use super::{Names, Readers, changes, letter, refuse};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::fhir::{self, Resource, Seen, Type};
use crate::log::Conn;
use crate::router::Route;
use crate::views::Views;
use crate::web::{Ask, Door, blocking};

const JSON: &str = "application/fhir+json";
const LINES: &str = "application/fhir+ndjson";

/// What serves an address of FHIR.
pub fn handler(route: &Route) -> Option<MethodRouter<Arc<Door>>> {
    Some(match (route.method, route.path) {
        ("GET", "/api/v1/checks/{id}/fhir") => get(check),
        ("GET", "/api/v1/checks/{id}/gp-summary") => get(gp_summary),
        ("GET", "/api/v1/sessions/{id}/fhir") => get(session),
        ("GET", "/api/v1/fhir/{name}") => get(changed),
        _ => return super::extracts::handler(route),
    })
}

async fn check(Ask { door, .. }: Ask, Path(text): Path<String>) -> Response {
    bundle(&door, text, |base, readers, id| {
        gather(base, readers, |gathering| gathering.contact(id))
            .map(|resources| fhir::transaction(&resources))
    })
    .await
}

async fn session(Ask { door, .. }: Ask, Path(text): Path<String>) -> Response {
    bundle(&door, text, |base, readers, id| {
        gather(base, readers, |gathering| gathering.session(id))
            .map(|resources| fhir::transaction(&resources))
    })
    .await
}

async fn gp_summary(Ask { door, .. }: Ask, Path(text): Path<String>) -> Response {
    bundle(&door, text, summary).await
}

/// One bundle about one record.
async fn bundle(
    door: &Arc<Door>,
    text: String,
    make: impl FnOnce(&Base, &Readers, RecordId) -> Result<Value> + Send + 'static,
) -> Response {
    let web = door.web.clone();
    let made = blocking(move || {
        let bundle = make(&web.base, &web.readers, id(&text)?)?;
        serde_json::to_vec(&bundle).map_err(|_| Error::Internal("JSON of a bundle"))
    });
    match made.await {
        Ok(bytes) => typed(JSON, bytes),
        Err(error) => refuse(&error),
    }
}

fn typed(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = body.into().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The summary of a check for the practice, if the person agreed that it goes there.
fn summary(base: &Base, readers: &Readers, id: RecordId) -> Result<Value> {
    let letter = letter(base, readers, id)?;
    if !letter.message.share.may_send() {
        return Err(Code::ConsentMissing.into());
    }
    gather(base, readers, |gathering| {
        let resources = gathering.contact(id)?;
        let (contact, person) = gathering.seen(id)?;
        let latest = gathering.latest.clone();
        Ok(fhir::summary(&Seen { contact: &contact, person }, &letter.message, &resources, &latest))
    })
}

/// What was changed since `after`, `limit` records of it at the most; without them everything.
#[derive(Debug, Default, Deserialize)]
struct Since {
    #[serde(default)]
    after: String,
    limit: Option<u64>,
}

/// `Patient.ndjson` and so on: a resource on each line.
async fn changed(
    Ask { door, .. }: Ask,
    Path(name): Path<String>,
    since: Result<Query<Since>, QueryRejection>,
) -> Response {
    let Some(ty) = name.strip_suffix(".ndjson").and_then(Type::parse) else {
        return refuse(&Code::NotFound.into());
    };
    let Ok(Query(since)) = since else { return refuse(&Code::BadArguments.into()) };
    let web = door.web.clone();
    let begun = blocking(move || {
        let after = Place::parse(&since.after)?;
        let feed = web.readers.read(&web.base, |views| feed::begin(views, ty, after, since.limit))?;
        Ok((web, feed))
    });
    match begun.await.and_then(|(web, feed)| Ok((feed.next(), feed.into_body(web)?))) {
        Ok(((next, more), body)) => {
            let mut response = typed(LINES, body);
            let headers = response.headers_mut();
            // A place is letters, digits, `-` and `_`.
            headers.extend(
                HeaderValue::try_from(next).ok().map(|next| (header::HeaderName::from_static(NEXT), next)),
            );
            headers.insert(MORE, HeaderValue::from_static(if more { "true" } else { "false" }));
            response
        }
        Err(error) => refuse(&error),
    }
}

/// Gathers resources in one snapshot of log and views.
fn gather<T>(base: &Base, readers: &Readers, work: impl FnOnce(&mut Gathering) -> Result<T>) -> Result<T> {
    read(base, readers, |log, views| {
        let names = Names::read(base, log, views)?;
        work(&mut Gathering { log, views, names: &names, done: BTreeSet::new(), latest: String::new() })
    })
}

/// What goes together, each record once.
pub(super) struct Gathering<'a> {
    pub log: &'a Conn,
    pub views: &'a Views,
    pub names: &'a Names,
    pub done: BTreeSet<RecordId>,
    /// When the last change of what was gathered came in, RFC 3339.
    pub latest: String,
}

impl Gathering<'_> {
    /// A contact with everything that it refers to.
    fn contact(&mut self, id: RecordId) -> Result<Vec<Resource>> {
        let (contact, person) = self.seen(id)?;
        let session = referred(self.views, &contact, "session")?;
        let site =
            session.as_ref().map(|session| referred(self.views, session, "site")).transpose()?.flatten();
        let mut resources = Vec::new();
        if let Some(team) = text_id(&contact, "team").filter(|team| self.done.insert(*team)) {
            resources.extend(self.views.show(team)?.iter().flat_map(fhir::organization));
        }
        if let Some((id, site)) = site.as_ref().and_then(|site| Some((text_id(site, "id")?, site)))
            && self.done.insert(id)
        {
            resources.extend(fhir::site_location(site));
        }
        if let Some((id, session)) =
            session.as_ref().and_then(|session| Some((text_id(session, "id")?, session)))
            && self.done.insert(id)
        {
            resources.extend(fhir::session_location(session));
        }
        if let Some(person) = person {
            for (member, _) in self.views.merged(person)? {
                if self.done.insert(member) {
                    resources.extend(self.person(member)?);
                }
            }
        }
        resources.extend(self.with_provenance(id, fhir::contact(&Seen { contact: &contact, person }))?);
        Ok(resources)
    }

    /// Every contact of a session.
    fn session(&mut self, id: RecordId) -> Result<Vec<Resource>> {
        let found = self.views.show(id)?.ok_or(Code::RecordNotFound)?;
        if found.get("kind").and_then(Value::as_str) != Some(Kind::Session.as_str()) {
            return Err(Code::RecordNotFound.into());
        }
        let mut resources = Vec::new();
        for seen in self.views.of_session(id)? {
            let contact = self.views.show(seen.id)?;
            // As on the session's page: an id of a session binds nobody to another team's.
            if contact.is_some_and(|contact| contact.get("team") == found.get("team")) {
                resources.extend(self.contact(seen.id)?);
            }
        }
        if self.done.insert(id) {
            resources.extend(fhir::session_location(&found));
        }
        Ok(resources)
    }

    /// A contact as the views show it, and who stands for its person.
    pub fn seen(&self, id: RecordId) -> Result<(Value, Option<RecordId>)> {
        let found =
            self.views.show(id)?.filter(|found| found.get("kind").is_some_and(|kind| kind == "contact"));
        let contact = found.ok_or(Code::RecordNotFound)?;
        let person = referred(self.views, &contact, "person")?.and_then(|person| text_id(&person, "id"));
        let person = person.map(|person| self.views.standing(person)).transpose()?;
        Ok((contact, person))
    }

    /// A person's own resources.
    pub fn person(&mut self, id: RecordId) -> Result<Vec<Resource>> {
        let Some(person) = self.views.show(id)? else { return Ok(Vec::new()) };
        let standing = self.views.standing(id)?;
        let members: Vec<RecordId> =
            self.views.merged(standing)?.into_iter().map(|(member, _)| member).collect();
        self.with_provenance(id, fhir::patient(&person, standing, &members))
    }

    /// Resources of one record, with who wrote it.
    fn with_provenance(&mut self, id: RecordId, mut resources: Vec<Resource>) -> Result<Vec<Resource>> {
        let Some((team, _)) = changes::team_of(self.log, id)? else { return Ok(resources) };
        let made = changes::made(&changes::stored(self.log, team, id)?, self.names);
        let latest = made.iter().map(|change| change.received_at.as_str()).max().unwrap_or_default();
        if latest > self.latest.as_str() {
            self.latest = latest.to_owned();
        }
        resources.extend(fhir::provenance(&id.to_string(), &made, &resources));
        Ok(resources)
    }

    /// The resources of one type that a record comes to.
    pub fn of_type(&mut self, ty: Type, id: RecordId, kind: Kind) -> Result<Vec<Resource>> {
        let mut resources = match (kind, ty) {
            (Kind::Team, Type::Organization) => {
                self.views.show(id)?.iter().flat_map(fhir::organization).collect()
            }
            (Kind::Site, Type::Location) => {
                self.views.show(id)?.iter().flat_map(fhir::site_location).collect()
            }
            (Kind::Session, Type::Location) => {
                self.views.show(id)?.iter().flat_map(fhir::session_location).collect()
            }
            (Kind::Person, Type::Patient | Type::Consent | Type::Provenance) => self.person(id)?,
            (Kind::Contact, Type::Provenance) => {
                let (contact, person) = self.seen(id)?;
                self.with_provenance(id, fhir::contact(&Seen { contact: &contact, person }))?
            }
            (
                Kind::Contact,
                Type::Patient | Type::Encounter | Type::Observation | Type::ServiceRequest | Type::Task,
            ) => {
                let (contact, person) = self.seen(id)?;
                fhir::contact(&Seen { contact: &contact, person })
            }
            _ => Vec::new(),
        };
        resources.retain(|made| made.ty == ty);
        Ok(resources)
    }
}

fn text_id(record: &Value, name: &str) -> Option<RecordId> {
    record.get(name)?.as_str()?.parse().ok()
}
