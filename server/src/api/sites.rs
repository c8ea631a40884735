//! Sites: where sessions are held. Tablets make them as they come to new ones; here they are put right.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use wayside_protocol::clinical::identity::Postcode;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, RecordId, Rules};

use super::Readers;
use super::author;
use super::cursor::{self, Paging};
use super::records::{Shown, record};
use super::settle::Settle;
use super::team::{line, needed};
use crate::accounts::Role;
use crate::base::Base;
use crate::error::Result;
use crate::log;

/// Of its cursors.
const LIST: u8 = b's';

/// A page of sites, in the order of their ids.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Sites {
    pub sites: Vec<ListedSite>,
    /// Send it as `after` for the next page; null where this is the last by now.
    pub next: Option<String>,
}

/// One site in the list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ListedSite {
    pub id: String,
    pub team: String,
    pub name: String,
    /// A code of the records.
    pub kind: Option<String>,
    pub postcode: Option<String>,
    /// Tablets offer it when a session begins.
    pub active: bool,
    /// Another site that it was found to be.
    pub merged_into: Option<String>,
}

/// What a form says of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFields {
    pub name: String,
    /// A code of the records; empty for none.
    pub kind: String,
    /// Empty for none.
    pub postcode: String,
    pub active: bool,
}

/// All sites by team and name. Blocks.
pub fn sites(base: &Base, readers: &Readers) -> Result<Vec<ListedSite>> {
    let teams = base.log.read(|log| readers.known_teams(log))?;
    let sites = readers.read(base, |views| views.list(Some(Kind::Site)))?;
    let mut listed: Vec<ListedSite> = sites
        .iter()
        .map(|site| {
            let text = |pointer: &str| site.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            let team = text("/team").unwrap_or_default();
            let team = teams.iter().find(|known| known.id.to_string() == team);
            ListedSite {
                id: text("/id").unwrap_or_default(),
                team: team.map_or_else(String::new, |team| team.name.clone()),
                name: text("/name").unwrap_or_default(),
                kind: text("/type"),
                postcode: text("/address/postcode"),
                active: site.get("active") != Some(&Value::Bool(false)),
                merged_into: text("/merged_into"),
            }
        })
        .collect();
    listed.sort_by_cached_key(|site| (site.team.clone(), site.name.to_lowercase(), site.id.clone()));
    Ok(listed)
}

/// A page of them. By id: a site that is renamed meanwhile neither goes missing nor comes twice. Blocks.
pub fn site_page(base: &Base, readers: &Readers, paging: &Paging) -> Result<Sites> {
    let (sites, next) = cursor::page(LIST, paging, sites(base, readers)?, |site| site.id.clone())?;
    Ok(Sites { sites, next })
}

/// One site as its record stands. [`Code::RecordNotFound`] where there is none. Blocks.
pub fn site(base: &Base, readers: &Readers, id: RecordId) -> Result<Shown> {
    let (shown, _) = record(base, readers, id)?;
    if shown.kind() == Some(Kind::Site) { Ok(shown) } else { Err(Code::RecordNotFound.into()) }
}

/// Begins a site of a team. Blocks.
pub fn add_site(
    base: &Base,
    readers: &Readers,
    by: &str,
    team: RecordId,
    fields: &SiteFields,
) -> Result<RecordId> {
    readers.may(base, team, Role::Coordinator)?;
    base.log.read(|conn| log::team_by_id(conn, team))?.ok_or(Code::TeamUnknown)?;
    let set = changes(&Value::Null, fields)?;
    let set: Map<String, Value> = set.into_iter().map(|(path, value)| (path.to_owned(), value)).collect();
    author::begin(base, team, Kind::Site, by, |_| Ok(set))
}

/// Changes what differs from what the form showed, on the heads that it stood on: what somebody else wrote meanwhile
/// stands beside it. Blocks.
pub fn change_site(base: &Base, id: RecordId, by: &str, heads: &str, fields: &SiteFields) -> Result<()> {
    let heads = Settle::heads(heads.split(' '))?;
    let fields = fields.clone();
    author::edit(base, id, by, Some(heads), move |opened| {
        if opened.kind != Kind::Site {
            return Err(Code::RecordNotFound.into());
        }
        let shown = Value::Object(opened.record.view().fields);
        let mut writes = Vec::new();
        for (path, value) in changes(&shown, &fields)? {
            writes.extend(opened.write(path, value, Rules::Entry)?);
        }
        Ok(writes)
    })?;
    Ok(())
}

/// Which fields a form sets anew, given the site as it was shown.
fn changes(shown: &Value, fields: &SiteFields) -> Result<Vec<(&'static str, Value)>> {
    let mut set = Vec::new();
    let name = needed("A name", &fields.name)?;
    if shown.get("name").and_then(Value::as_str) != Some(&name) {
        set.push(("name", json!(name)));
    }
    if shown.get("type").and_then(Value::as_str).unwrap_or_default() != fields.kind {
        set.push(("type", if fields.kind.is_empty() { Value::Null } else { json!(fields.kind) }));
    }
    let typed = line("A postcode", &fields.postcode)?;
    let postcode = if typed.is_empty() { typed } else { Postcode::parse(&typed).normalised };
    if shown.pointer("/address/postcode").and_then(Value::as_str).unwrap_or_default() != postcode {
        let lines = shown.pointer("/address/lines").cloned().unwrap_or_else(|| json!([]));
        let nothing = postcode.is_empty() && lines == json!([]);
        set.push((
            "address",
            if nothing { Value::Null } else { json!({"lines": lines, "postcode": postcode}) },
        ));
    }
    if (shown.get("active") != Some(&Value::Bool(false))) != fields.active {
        set.push(("active", json!(fields.active)));
    }
    // A beginning says nothing of what is not known.
    set.retain(|(_, value)| !(shown.is_null() && value.is_null()));
    Ok(set)
}
