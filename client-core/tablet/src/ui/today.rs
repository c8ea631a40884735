//! Where we are today: sites, the session, its list and its counts.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wayside_client_core::{Code, Kind, Page, RecordId};

use super::{
    Answer,
    app::{App, Body, today_here},
    contact_view, due,
    fail::Fail,
    lists, people,
};

/// A record id in an address or a body.
pub fn id(text: &str) -> Result<RecordId, Fail> {
    text.parse().map_err(|_| Fail::code(Code::BadId))
}

/// A record of the kind that is meant.
pub fn record(app: &App, id: RecordId, kind: Kind) -> Result<Value, Fail> {
    let json = app.tablet.show(id)?.json;
    if json["kind"] == kind.as_str() { Ok(json) } else { Err(Fail::code(Code::WrongKind)) }
}

pub fn team(json: &Value) -> Option<RecordId> {
    json["team"].as_str().and_then(|team| team.parse().ok())
}

/// Where and when a session is.
pub struct Place {
    pub site_name: String,
    pub postcode: Option<String>,
    pub date: String,
    pub team: Option<RecordId>,
    pub json: Value,
}

pub fn place(app: &App, session: RecordId) -> Result<Place, Fail> {
    let json = record(app, session, Kind::Session)?;
    // The site may not have arrived yet.
    let site = json["site"].as_str().and_then(|site| site.parse().ok());
    let site = site.and_then(|site| app.tablet.show(site).ok()).map(|site| site.json).unwrap_or_default();
    Ok(Place {
        site_name: site["name"].as_str().unwrap_or("A site that is not here yet").to_owned(),
        postcode: site.pointer("/address/postcode").and_then(Value::as_str).map(str::to_owned),
        date: json["date"].as_str().unwrap_or_default().to_owned(),
        team: team(&json),
        json,
    })
}

/// Sites to choose from, those of today first, then by name.
pub async fn sites(State(app): State<Arc<App>>) -> Answer {
    app.with(|app| {
        let today = today_here();
        let sessions: HashMap<String, Value> = app
            .tablet
            .list(Some(Kind::Session), Page { offset: 0, limit: Some(500) })?
            .into_iter()
            .filter(|session| session["date"] == today.as_str() && session["entered_in_error"].is_null())
            .filter_map(|session| Some((session["site"].as_str()?.to_owned(), session.clone())))
            .collect();
        let mut sites = Vec::new();
        for site in app.tablet.list(Some(Kind::Site), Page::default())? {
            let gone = !site["entered_in_error"].is_null()
                || !site["merged_into"].is_null()
                || site["active"] == Value::Bool(false);
            let (false, Some(id)) = (gone, site["id"].as_str()) else { continue };
            let held = match sessions.get(id).and_then(|session| session["id"].as_str()) {
                Some(session) => {
                    let checks =
                        app.tablet.contacts_of(session.parse().map_err(|_| Fail::code(Code::BadId))?)?.len();
                    json!({"session": session, "checks": checks})
                }
                None => Value::Null,
            };
            sites.push(json!({
                "id": id,
                "name": site["name"],
                "type_label": site["type"].as_str().map(lists::label).unwrap_or_default(),
                "today": held,
            }));
        }
        sites.sort_by_key(|site| {
            (site["today"].is_null(), site["name"].as_str().unwrap_or_default().to_lowercase())
        });
        Ok(Json(json!({"sites": sites})))
    })
    .await
}

#[derive(Deserialize)]
pub struct NewSite {
    #[serde(default)]
    name: String,
    #[serde(default)]
    r#type: String,
    team: Option<String>,
}

pub async fn add_site(State(app): State<Arc<App>>, Body(site): Body<NewSite>) -> Answer {
    app.saving(move |app| {
        let name = site.name.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.is_empty() {
            return Err(Fail::field(Code::MissingField, "name", "Type the site’s name."));
        }
        if site.r#type.is_empty() {
            return Err(Fail::field(Code::MissingField, "type", "Choose what kind of place it is."));
        }
        let team = site.team.as_deref().map(id).transpose()?;
        // Two taps on "Save", or a colleague's site that arrived meanwhile: one name is one site.
        let folded = name.to_lowercase();
        for known in app.tablet.list(Some(Kind::Site), Page::default())? {
            if known["name"].as_str().is_some_and(|known| known.to_lowercase() == folded) {
                return Ok(Json(json!({"id": known["id"]})));
            }
        }
        let made =
            app.tablet.create(Kind::Site, json!({"name": name, "type": site.r#type}), &app.by(team))?;
        Ok(Json(json!({"id": made})))
    })
    .await
}

#[derive(Deserialize)]
pub struct Begin {
    site: String,
    setting: Option<String>,
}

/// Today's session at a site: begun, or gone on with.
pub async fn begin(State(app): State<Arc<App>>, Body(begin): Body<Begin>) -> Answer {
    app.saving(move |app| {
        let site = id(&begin.site)?;
        let known = record(app, site, Kind::Site)?;
        let by = app.by(team(&known));
        let mut fields = json!({"site": site, "date": today_here(), "setting": begin.setting});
        if app.staff().is_some() {
            fields["staff"] = json!([by.staff]);
        }
        let session = app.tablet.create(Kind::Session, fields, &by)?;
        app.open_session(session);
        Ok(Json(json!({"id": session})))
    })
    .await
}

pub async fn session(State(app): State<Arc<App>>, Path(session): Path<String>) -> Answer {
    app.with(move |app| {
        let session = id(&session)?;
        let place = place(app, session)?;
        app.open_session(session);
        let waiting: HashSet<RecordId> = app.tablet.waiting_records()?.into_iter().collect();
        let mut names: HashMap<String, Value> = HashMap::new();
        let mut contacts = Vec::new();
        for contact in app.tablet.contacts_of(session)? {
            let shown = app.tablet.show(contact)?;
            if !shown.json["entered_in_error"].is_null() {
                continue;
            }
            contacts.push(row(app, contact, &shown.json, &shown.heads, &waiting, &mut names)?);
        }
        contacts.sort_by(|a, b| b["started_at"].as_str().cmp(&a["started_at"].as_str()));
        let phone_now = contacts.iter().filter(|contact| contact["phone_now"] == Value::Bool(true)).count();
        let status = app.tablet.status()?;
        Ok(Json(json!({
            "id": session,
            "site": place.site_name,
            "date": place.date,
            "tallies": place.json["tallies"].as_object().cloned().unwrap_or_default(),
            "contacts": contacts,
            "phone_now": phone_now,
            "half_done": due::half_done(app, session)?,
            "due": due::counts(app)?,
            "conflicts": status.conflicts,
            "refused": status.quarantined,
        })))
    })
    .await
}

/// One line of today's list.
fn row(
    app: &App,
    contact: RecordId,
    json: &Value,
    heads: &[wayside_client_core::Hash],
    waiting: &HashSet<RecordId>,
    names: &mut HashMap<String, Value>,
) -> Result<Value, Fail> {
    let name = match json["person"].as_str() {
        None => Value::Null,
        Some(person) => match names.get(person) {
            Some(name) => name.clone(),
            None => {
                let name = people::known(app, person).map(|person| person["name"].clone());
                let name = name.unwrap_or_else(|| json!("Details not here yet"));
                names.insert(person.to_owned(), name.clone());
                name
            }
        },
    };
    let derived = &json["derived"];
    let waits = waiting.contains(&contact);
    let reading = derived["systolic"].as_i64().zip(derived["diastolic"].as_i64());
    Ok(json!({
        "id": contact,
        "heads": contact_view::heads_text(heads),
        "name": name,
        "started_at": json["started_at"],
        "reading": reading.map(|(systolic, diastolic)| format!("{systolic}/{diastolic}")),
        "category": contact_view::category(app, derived),
        "ended": json.pointer("/ended/how"),
        "waiting": waits,
        "phone_now": contact_view::phone_now(json, waits),
        "conflicts": json["conflicts"].as_array().map_or(0, Vec::len),
        "refused": json["quarantined"].as_array().map_or(0, Vec::len),
    }))
}

#[derive(Deserialize)]
pub struct Tally {
    name: String,
    n: i64,
}

pub async fn tally(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    Body(Tally { name, n }): Body<Tally>,
) -> Answer {
    app.saving(move |app| {
        let session = id(&session)?;
        app.tablet.tally(session, &name, n, &app.by(None))?;
        let sums = record(app, session, Kind::Session)?["tallies"].as_object().cloned();
        Ok(Json(Value::Object(Map::from_iter([("tallies".to_owned(), json!(sums))]))))
    })
    .await
}
