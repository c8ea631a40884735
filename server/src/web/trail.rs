//! What the audit trail keeps of each request to pages and API: who, from where, what they did with which record, and why
//! where they said so. An answer is sent only once its row is on disk.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, Request};
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use wayside_protocol::record::RecordId;

use super::{Door, Visitor, blocking};
use crate::error::Result;
use crate::log::Audited;
use crate::router::Route;

/// Who reads the same again within this time is written down once: pages refresh themselves.
const AGAIN_MS: u64 = 5 * 60 * 1000;
/// Readings that are remembered for that; beyond it all are forgotten, which costs rows and loses nothing.
const REMEMBERED: usize = 20_000;

/// What is kept of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Nothing,
    /// Somebody's data was shown.
    Reading(&'static str),
    /// Searches, what leaves, who comes in, and all that changes something.
    Act(&'static str),
    /// What is done there writes its own row, in the transaction that does it.
    Itself,
    /// So does who comes in; who is not let in is written down here.
    SignIn,
}
use Kept::{Act, Itself, Nothing, Reading, SignIn};

/// By method and pattern. An address that is not here is kept as an act, `other`.
const KEPT: &[(&str, &str, Kept)] = &[
    // No data of anybody seen.
    ("GET", "/assets/{name}", Nothing),
    ("GET", "/sign-in", Nothing),
    ("GET", "/events", Nothing),
    ("GET", "/sessions", Nothing),
    ("GET", "/fleet", Nothing),
    ("GET", "/fleet/{id}", Nothing),
    ("GET", "/sites", Nothing),
    ("GET", "/sites/{id}", Nothing),
    ("GET", "/quality", Nothing),
    ("GET", "/reach", Nothing),
    ("GET", "/find", Nothing),
    ("GET", "/teams", Nothing),
    ("GET", "/teams/{id}", Nothing),
    ("GET", "/teams/{id}/staff/{entry}", Nothing),
    ("GET", "/teams/{id}/services/{entry}", Nothing),
    ("GET", "/api/v1/fleet", Nothing),
    ("GET", "/api/v1/sites", Nothing),
    ("GET", "/api/v1/quality", Nothing),
    ("GET", "/api/v1/reach", Nothing),
    ("GET", "/api/v1/sessions", Nothing),
    ("GET", "/api/v1/teams", Nothing),
    ("GET", "/api/v1/teams/{id}", Nothing),
    ("GET", "/api/v1/openapi.json", Nothing),
    ("GET", "/api", Nothing),
    ("GET", "/extracts", Nothing),
    ("GET", "/extracts/dictionary", Nothing),
    ("GET", "/api/v1/extracts/dictionary.csv", Nothing),
    ("GET", "/api/v1/extracts/dictionary.json", Nothing),
    // Somebody's data.
    ("GET", "/", Reading("today")),
    ("GET", "/sessions/{id}", Reading("session")),
    ("GET", "/people/{id}", Reading("person")),
    ("GET", "/people/{id}/looked", Reading("looked")),
    ("GET", "/people/{id}/access", Nothing),
    ("GET", "/people/{id}/erase", Reading("erase_form")),
    ("GET", "/erasures", Reading("erasures")),
    ("GET", "/audit", Nothing),
    ("GET", "/audit/{account}", Reading("audit")),
    ("GET", "/people/{id}/beside/{other}", Reading("beside")),
    ("GET", "/checks/{id}", Reading("check")),
    ("GET", "/checks/{id}/letter", Reading("letter")),
    ("GET", "/records/{id}", Reading("record")),
    ("GET", "/follow-ups", Reading("follow_ups")),
    ("GET", "/duplicates", Reading("duplicates")),
    ("GET", "/quarantine", Reading("quarantine")),
    ("GET", "/retention", Reading("retention")),
    ("GET", "/api/v1/today", Reading("today")),
    ("GET", "/api/v1/sessions/{id}", Reading("session")),
    ("GET", "/api/v1/people/{id}", Reading("person")),
    ("GET", "/api/v1/people/{id}/beside/{other}", Reading("beside")),
    ("GET", "/api/v1/checks/{id}", Reading("check")),
    ("GET", "/api/v1/records/{id}/history", Reading("history")),
    ("GET", "/api/v1/follow-ups", Reading("follow_ups")),
    ("GET", "/api/v1/duplicates", Reading("duplicates")),
    ("GET", "/api/v1/conflicts", Reading("conflicts")),
    ("GET", "/api/v1/quarantine", Reading("quarantine")),
    ("GET", "/api/v1/checks", Reading("checks")),
    ("GET", "/api/v1/urgent", Reading("urgent")),
    ("GET", "/api/v1/urgent/stream", Reading("urgent")),
    // Searches, and what leaves.
    ("POST", "/find", Act("find")),
    ("POST", "/api/v1/find", Act("find")),
    ("GET", "/find/{id}", Act("open")),
    ("GET", "/reach.csv", Act("reach_csv")),
    ("GET", "/api/v1/checks/{id}/fhir", Act("fhir_check")),
    ("GET", "/api/v1/checks/{id}/gp-summary", Act("gp_summary")),
    ("GET", "/api/v1/sessions/{id}/fhir", Act("fhir_session")),
    ("GET", "/api/v1/fhir/{name}", Act("fhir_feed")),
    ("POST", "/extracts", Act("extract")),
    ("POST", "/extracts/recipients", Itself),
    ("GET", "/api/v1/extracts/{name}", Act("extract")),
    ("GET", "/api/v1/pseudonymous/{recipient}/{name}", Act("extract")),
    ("POST", "/people/{id}/access", Act("subject_access")),
    // Who comes in.
    ("POST", "/sign-in", SignIn),
    ("GET", "/sign-in/once", SignIn),
    ("POST", "/sign-out", Itself),
    ("GET", "/account", Nothing),
    ("POST", "/account/password", Itself),
    ("POST", "/account/sign-out-everywhere", Itself),
    ("POST", "/account/second-factor", Itself),
    ("POST", "/account/second-factor/confirm", Itself),
    ("POST", "/account/second-factor/remove", Itself),
    ("GET", "/accounts", Act("accounts")),
    ("POST", "/accounts/roles", Itself),
    ("POST", "/accounts/tokens", Itself),
    ("POST", "/accounts/tokens/{n}/revoke", Itself),
    // What changes something.
    ("POST", "/records/{id}/settle", Act("settle")),
    ("POST", "/api/v1/records/{id}/settle", Act("settle")),
    ("POST", "/records/{id}/act", Act("change")),
    ("POST", "/api/v1/records/{id}/act", Act("change")),
    ("POST", "/records/{id}/claim", Act("claim")),
    ("POST", "/api/v1/records/{id}/claim", Act("claim")),
    ("POST", "/quarantine/{hash}/seen", Act("quarantine_seen")),
    ("POST", "/api/v1/quarantine/{hash}/seen", Act("quarantine_seen")),
    ("POST", "/fleet", Itself),
    ("POST", "/fleet/{id}", Itself),
    ("POST", "/fleet/{id}/revoke", Itself),
    ("POST", "/fleet/{id}/leave", Itself),
    ("POST", "/quarantine/admit", Itself),
    ("POST", "/quarantine/refuse", Itself),
    ("POST", "/sites", Act("add_site")),
    ("POST", "/sites/{id}", Act("change_site")),
    ("POST", "/teams/{id}/staff", Act("add_staff")),
    ("POST", "/teams/{id}/staff/{entry}", Act("change_staff")),
    ("POST", "/teams/{id}/staff/{entry}/pin", Act("set_pin")),
    ("POST", "/teams/{id}/staff/{entry}/unlock", Act("unlock")),
    ("POST", "/teams/{id}/services", Act("add_service")),
    ("POST", "/teams/{id}/services/{entry}", Act("change_service")),
    ("POST", "/teams/{id}/groups", Act("set_group")),
    ("POST", "/teams/{id}/guide", Act("set_guide")),
    ("POST", "/teams/{id}/lock", Act("set_lock_minutes")),
    ("POST", "/people/{id}/erase", Itself),
    ("POST", "/people/{id}/erase/confirm", Itself),
    ("POST", "/people/{id}/erase/refuse", Itself),
];

/// What a handler knows of its request and the address does not say. It is put among the extensions of its answer.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// As whom somebody tried to come in, by number and name.
    pub account: Option<(i64, String)>,
    /// What it was about.
    pub record: Option<RecordId>,
    /// Why, or to what it was done. Never what somebody searched for.
    pub reason: String,
}

impl Said {
    /// Has the trail say it of this answer.
    pub fn on(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }
}

/// From where a request comes; empty where that is not known.
pub fn address(extensions: &Extensions) -> String {
    let from = extensions.get::<ConnectInfo<SocketAddr>>();
    from.map(|from| from.0.ip().to_canonical().to_string()).unwrap_or_default()
}

/// Who read what a moment ago.
#[derive(Default)]
pub struct Lately(Mutex<HashMap<Key, u64>>);

type Key = (i64, &'static str, Option<RecordId>, String);

impl Lately {
    fn has(&self, key: &Key, now: u64) -> bool {
        let lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lately.get(key).is_some_and(|at| now < at.saturating_add(AGAIN_MS))
    }

    fn add(&self, keys: Vec<Key>, now: u64) {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.len() + keys.len() > REMEMBERED {
            lately.clear();
        }
        lately.extend(keys.into_iter().map(|key| (key, now)));
    }
}

/// A request, as the trail tells of it.
pub struct Trace {
    route: &'static Route,
    kept: Kept,
    /// The records that its address names.
    records: Vec<RecordId>,
    /// What else stands in it.
    rest: String,
}

impl Trace {
    pub fn of(route: &'static Route, request: &Request) -> Trace {
        let kept = KEPT.iter().find(|(method, path, _)| (*method, *path) == (route.method, route.path));
        let (mut records, mut rest) = (Vec::new(), Vec::new());
        for (name, value) in route.path.split('/').zip(request.uri().path().split('/')) {
            match value.parse() {
                _ if !name.starts_with('{') => {}
                Ok(record) => records.push(record),
                // What is no id of ours was typed by somebody: not worth keeping whole.
                Err(_) => rest.push(value.chars().take(80).collect::<String>()),
            }
        }
        Trace { route, kept: kept.map_or(Act("other"), |(_, _, kept)| *kept), records, rest: rest.join(" ") }
    }

    /// Writes down what an answer shows or did, before it is sent.
    pub async fn keep(
        self,
        door: &Arc<Door>,
        visitor: &Visitor,
        status: StatusCode,
        said: Option<Said>,
    ) -> Result<()> {
        let said = said.unwrap_or_default();
        if status.is_success() || status.is_redirection() {
            return match self.kept {
                Nothing | Itself | SignIn => Ok(()),
                Reading(act) => self.write(door, visitor, said, act, true).await,
                Act(act) => self.write(door, visitor, said, act, false).await,
            };
        }
        match status {
            StatusCode::UNAUTHORIZED if self.kept == SignIn => {
                self.write(door, visitor, said, "sign_in_refused", false).await
            }
            // Somebody tries ids, or what is not theirs.
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND if self.kept != Nothing => {
                self.refused(door, visitor, status.as_str()).await
            }
            _ => Ok(()),
        }
    }

    /// Writes down that somebody who is signed in was refused. Strangers leave no row: they could fill the disk.
    pub async fn refused(mut self, door: &Arc<Door>, visitor: &Visitor, why: &str) -> Result<()> {
        if visitor.login.is_none() {
            return Ok(());
        }
        self.rest = format!("{why} {} {}", self.route.method, self.route.path);
        self.write(door, visitor, Said::default(), "refused", true).await
    }

    async fn write(
        self,
        door: &Arc<Door>,
        visitor: &Visitor,
        said: Said,
        act: &'static str,
        once: bool,
    ) -> Result<()> {
        let (base, now) = (door.web.base.clone(), door.web.base.clock.now_ms());
        let mut by = visitor.by();
        if let (None, Some((n, name))) = (by.account, said.account) {
            (by.account, by.who) = (Some(n), name);
        }
        let Trace { route, mut records, rest, .. } = self;
        records.extend(said.record);
        let reason = match (act, said.reason.is_empty()) {
            ("other", _) => format!("{} {} {rest}", route.method, route.path).trim_end().to_owned(),
            (_, true) => rest,
            (_, false) => said.reason,
        };
        let each = match records.is_empty() {
            true => vec![None],
            false => records.into_iter().map(Some).collect(),
        };
        let keys =
            each.into_iter().map(|record| (by.account.unwrap_or_default(), act, record, reason.clone()));
        let keys: Vec<Key> = keys.filter(|key| !once || !door.web.lately.has(key, now)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let acts = keys.iter().map(|(_, act, record, reason)| Audited {
            record: *record,
            reason: reason.clone(),
            ..by.does(act, now)
        });
        let acts = acts.collect();
        blocking(move || base.audit(acts)).await?;
        if once {
            door.web.lately.add(keys, now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::ROUTES;

    #[test]
    fn every_address_says_what_is_kept_of_it() {
        let missing: Vec<_> = ROUTES
            .iter()
            .filter(|route| {
                !KEPT.iter().any(|(method, path, _)| (*method, *path) == (route.method, route.path))
            })
            .map(|route| (route.method, route.path))
            .collect();
        assert!(missing.is_empty(), "say in KEPT what the audit trail keeps of {missing:?}");
        for route in ROUTES.iter().filter(|route| route.method == "POST") {
            let kept = KEPT.iter().find(|(method, path, _)| (*method, *path) == (route.method, route.path));
            assert!(
                matches!(kept, Some((_, _, Act(_) | Itself | SignIn))),
                "{} changes or looks for something",
                route.path
            );
        }
    }
}
