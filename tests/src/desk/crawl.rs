//! Real addresses for every route: what the pages themselves link to, filters and later pages included.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Result, ensure};
use serde_json::Value;
use wayside_server::routes;

use super::client::Client;

/// Of one route, so many addresses are measured.
const EXAMPLES: usize = 5;
/// Of one kind (the same route and the same filters), so many are opened to look for further links.
const OPENED: usize = 2;
const SUMMARY: &str = "/api/v1/checks/{id}/gp-summary";
/// Addresses that are measured elsewhere or never end: extracts by `cargo bench-extract`.
const NOT_MEASURED: &[&str] = &[
    "/events",
    "/sign-in/once",
    "/find/{id}",
    "/healthz",
    "/readyz",
    "/api/v1/urgent/stream",
    "/api/v1/extracts/{name}",
    "/api/v1/pseudonymous/{recipient}/{name}",
];

/// A page or an address of the API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub method: &'static str,
    pub route: &'static str,
    pub path: String,
    pub body: &'static str,
}

impl Address {
    /// Whether people look at it.
    pub fn is_page(&self) -> bool {
        self.method == "GET"
            && !["/api/", "/assets/", "/reach.csv"].iter().any(|other| self.route.starts_with(other))
    }
}

/// What there is to look at.
pub struct Found {
    pub addresses: Vec<Address>,
    /// Routes to which no page links.
    pub missing: Vec<&'static str>,
}

pub fn addresses(client: &mut Client, first: &[String]) -> Result<Found> {
    let mut by_kind: BTreeMap<(&'static str, String), BTreeSet<String>> = BTreeMap::new();
    let mut waiting: VecDeque<String> = first.iter().cloned().collect();
    waiting.extend(["/", "/sign-in"].map(str::to_owned));
    while let Some(path) = waiting.pop_front() {
        let Some(route) = route_of(&path) else { continue };
        let known = by_kind.entry((route, kind(&path))).or_default();
        if known.len() >= OPENED || !known.insert(path.clone()) {
            continue;
        }
        let answer = client.get(&path)?;
        ensure!(answer.status == 200, "{route} answers {}", answer.status);
        waiting.extend(links(&answer.text()));
    }
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for ((route, _), paths) in by_kind {
        found.entry(route).or_default().extend(paths);
    }
    // What the pages show the API says, of the same records.
    for route in measured().filter(|route| route.starts_with("/api/v1/")) {
        let paths = if route == SUMMARY { summaries(client)? } else { of_api(route, &found) };
        found.insert(route, paths);
    }
    let missing = measured().filter(|route| found.get(route).is_none_or(BTreeSet::is_empty)).collect();
    let get = |(route, paths): (&'static str, BTreeSet<String>)| {
        paths.into_iter().take(EXAMPLES).map(move |path| Address { method: "GET", route, path, body: "" })
    };
    let mut addresses: Vec<Address> = found.into_iter().flat_map(get).collect();
    for body in ["text=khan", "text=winterbotom+1968", "text=999+000", "text=14%2F2%2F1968", "text=zzzz"] {
        addresses.push(Address { method: "POST", route: "/find", path: "/find".into(), body });
    }
    addresses.push(Address {
        method: "POST",
        route: "/api/v1/find",
        path: "/api/v1/find".into(),
        body: r#"{"text": "khan"}"#,
    });
    Ok(Found { addresses, missing })
}

/// Summaries of checks: they go only where the person agreed.
fn summaries(client: &mut Client) -> Result<BTreeSet<String>> {
    let checks: Value = serde_json::from_str(&client.get("/api/v1/checks?limit=100")?.text())?;
    let ids = checks["checks"].as_array().into_iter().flatten().filter_map(|check| check["check"].as_str());
    let mut agreed = BTreeSet::new();
    for path in ids.map(|id| SUMMARY.replace("{id}", id)) {
        if client.get(&path)?.status == 200 {
            agreed.insert(path);
        }
        if agreed.len() == EXAMPLES {
            break;
        }
    }
    Ok(agreed)
}

/// Addresses of the API: with the filters of the page of the same name, and with the ids of pages of one record.
fn of_api(route: &'static str, found: &BTreeMap<&str, BTreeSet<String>>) -> BTreeSet<String> {
    let page = route.strip_prefix("/api/v1").unwrap_or_default();
    if route == "/api/v1/fhir/{name}" {
        return [route.replace("{name}", "Observation.ndjson?limit=50")].into();
    }
    if let Some(same) = found.get(page) {
        return same.iter().map(|path| format!("/api/v1{path}")).collect();
    }
    match page.split_once("/{id}") {
        Some((list, rest)) => {
            let pages = found.get(format!("{list}/{{id}}").as_str()).into_iter().flatten();
            let ids = pages.filter_map(|path| path.strip_prefix(list)?.split(['/', '?']).nth(1));
            ids.map(|id| format!("/api/v1{list}/{id}{rest}")).collect()
        }
        None if page == "/today" => {
            let filtered = found.get("/").into_iter().flatten();
            filtered.map(|path| path.replacen('/', "/api/v1/today", 1)).collect()
        }
        None => [route.to_owned()].into(),
    }
}

/// Every address that shows something to somebody who is signed in, and neither goes on for ever nor leads elsewhere.
fn measured() -> impl Iterator<Item = &'static str> {
    let shown = routes().filter(|route| route.method == "GET" && !NOT_MEASURED.contains(&route.path));
    shown.map(|route| route.path)
}

/// The route of a path: of several that fit, the one with the fewest places left open.
fn route_of(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split(['?', '#']).next()?.split('/').collect();
    let fits = |route: &&'static str| {
        let wanted: Vec<&str> = route.split('/').collect();
        wanted.len() == parts.len()
            && wanted.iter().zip(&parts).all(|(wanted, part)| wanted == part || wanted.starts_with('{'))
    };
    measured().filter(fits).min_by_key(|route| route.matches('{').count())
}

/// The filters that are set, without what they are set to where that is anybody's.
fn kind(path: &str) -> String {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let names = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name @ ("show" | "by" | "view" | "when" | "sort"), value)) => format!("{name}={value}"),
        Some((name, _)) => name.to_owned(),
        None => pair.to_owned(),
    });
    names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("&")
}

/// What a page links to on its own server.
fn links(html: &str) -> Vec<String> {
    let from = ["href=\"", "src=\""].into_iter().flat_map(|mark| html.split(mark).skip(1));
    let paths = from.filter_map(|rest| rest.split('"').next()).filter(|path| path.starts_with('/'));
    let plain = paths.map(|path| path.split('#').next().unwrap_or_default());
    plain.map(|path| path.replace("&amp;", "&").replace("&#38;", "&")).collect()
}
