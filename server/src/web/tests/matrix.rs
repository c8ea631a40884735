//! Who may use which address: every address of the router, with everybody who could ask, about a record of their own team
//! and of another. What is expected stands with the route; what came is compared, and written down for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::json;
use tower::ServiceExt;
use wayside_protocol::record::{Kind, RecordId, tablet_id};

use super::coordinating::very_high;
use super::{Desk, ORIGIN, cookie, form, inside, request};
use crate::accounts::{self, Role, Roles, Scope, Wish};
use crate::api::team::{ServiceFields, add_member, add_service};
use crate::router::{Route, Who, routes};
use crate::testing::{START, Site, Tablet, on_both};

const OWN: &str = "Zubayda";
const OTHER: &str = "Quintilla";
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security-matrix.md");
/// Answers that go on for ever.
const STREAMS: [&str; 2] = ["/events", "/api/v1/urgent/stream"];

/// What there is of a team.
#[derive(Clone)]
struct Place {
    team: RecordId,
    tablet: String,
    site: RecordId,
    session: RecordId,
    person: RecordId,
    like: RecordId,
    check: RecordId,
    staff: String,
    service: String,
    held: String,
}

impl Place {
    /// Of nothing that there is.
    fn nowhere() -> Place {
        let id = || RecordId::fresh(START, &rand::random());
        let [team, site, session, person, like, check] = std::array::from_fn(|_| id());
        let entry = || "zzzzzzzz".to_owned();
        let held = "0b".repeat(32);
        let (tablet, staff, service) = ("zzzzzzzzzzzzzzzz".to_owned(), entry(), entry());
        Place { team, tablet, site, session, person, like, check, staff, service, held }
    }

    /// A team in which everybody and everything is called `name`.
    fn of(desk: &Desk, team_name: &str, name: &str) -> Place {
        let base = &desk.site.base;
        let team = match base.log.read(|conn| crate::log::team_by_name(conn, team_name)).unwrap() {
            Some(team) => team.id,
            None => base.team_add(team_name).unwrap(),
        };
        let mut tablet = Tablet::new();
        tablet.join(base, team_name).unwrap();
        let person = |number: &str| {
            let fields = json!({"name": {"given": name, "family": "Example"}, "date_of_birth": "1961-04-02",
                "nhs_number": {"value": number},
                "consents": [{"purpose": "share_with_gp", "given": true, "at": "2026-11-17T13:00:00Z"}]});
            tablet.begin(Kind::Person, fields).1
        };
        let (one, like) = (person("9990000018"), person("9990000018"));
        let site = tablet.begin(Kind::Site, json!({"name": format!("{name} Hall")})).1;
        let session = json!({"site": site.0.to_string(), "date": "2026-11-17"});
        let session = tablet.begin(Kind::Session, session).1;
        let more = json!({"session": session.0.to_string(), "notes": {"aaaaaaaa": {"text": format!("{name} was seen"),
            "at": "2026-11-17T13:05:00Z", "by": "n"}}});
        let mut check = very_high(Some(one.0), &more);
        check.as_object_mut().unwrap().remove("notes");
        let check = tablet.begin(Kind::Contact, check).1;
        let bad = tablet
            .begin(Kind::Person, json!({"name": {"given": name}, "nhs_number": {"value": "999 000 0019"}}));
        let ids = [one.0, like.0, site.0, session.0, check.0];
        let held = data_encoding::HEXLOWER.encode(&bad.1.1.hash);
        let frame = tablet.frame(team, &[one, like, site, session, check, bad.1]);
        tablet.exchange(base, vec![], vec![frame]).unwrap();
        let fields = ServiceFields {
            name: Some(format!("{name} Pharmacy")),
            kind: None,
            phone: None,
            hours: None,
            area: None,
            active: None,
        };
        let [person, like, site, session, check] = ids;
        Place {
            staff: add_member(base, team, "test", &format!("{name} Nurse"), "nurse").unwrap(),
            service: add_service(base, team, "test", fields).unwrap(),
            tablet: tablet_id(&tablet.public()),
            team,
            person,
            like,
            site,
            session,
            check,
            held,
        }
    }

    /// An address about what is here.
    fn path(&self, pattern: &str) -> String {
        let part = pattern.trim_start_matches("/api/v1").split('/').nth(1).unwrap_or_default();
        let id = match part {
            "people" | "find" => self.person.to_string(),
            "checks" | "records" => self.check.to_string(),
            "sessions" => self.session.to_string(),
            "sites" => self.site.to_string(),
            "teams" => self.team.to_string(),
            "fleet" => self.tablet.clone(),
            _ => "{id}".to_owned(),
        };
        let entry = if pattern.contains("/staff/") { &self.staff } else { &self.service };
        let name = match part {
            "assets" => "nothing.css",
            "fhir" => "Patient.ndjson",
            "extracts" | "pseudonymous" => "people.csv",
            _ => "{name}",
        };
        let path = pattern
            .replace("{id}", &id)
            .replace("{other}", &self.like.to_string())
            .replace("{entry}", entry)
            .replace("{hash}", &self.held)
            .replace("{name}", name)
            .replace("{recipient}", "1")
            .replace("{account}", "1")
            .replace("{n}", "1");
        assert!(!path.contains('{'), "say in this test what {pattern} is about");
        path
    }
}

/// Whether an address names something of one team.
fn names_something(route: &Route) -> bool {
    ["{id}", "{other}", "{hash}"].iter().any(|name| route.path.contains(name))
}

fn is_program(route: &Route) -> bool {
    route.path.starts_with("/api/") || route.path.starts_with("/fhir/")
}

/// Somebody who asks.
struct Caller {
    name: String,
    /// A cookie, or a token.
    shows: Shows,
    /// What they may do; `None` where nobody is signed in by what they show.
    roles: Option<Roles>,
}

enum Shows {
    Cookie(String),
    Token(String, Vec<Scope>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    SignIn,
    NotAllowed,
    NotThere,
    Admitted,
}

/// What a route says of a caller who asks for something of a team.
fn expected(route: &Route, caller: &Caller, team: RecordId) -> Outcome {
    if !route.who.wants_account() {
        return Outcome::Admitted;
    }
    let scopes = match &caller.shows {
        Shows::Token(_, scopes) if is_program(route) => Some(scopes),
        Shows::Token(..) => return Outcome::SignIn,
        Shows::Cookie(_) => None,
    };
    let Some(roles) = &caller.roles else { return Outcome::SignIn };
    let Some(least) = route.who.role() else { return Outcome::Admitted };
    let role = if matches!(route.who, Who::EveryTeam(_)) { roles.everywhere() } else { roles.highest() };
    let scoped = scopes.is_none_or(|scopes| route.token.is_some_and(|scope| scopes.contains(&scope)));
    if role < Some(least) || !scoped {
        return Outcome::NotAllowed;
    }
    match roles.in_team(team) {
        _ if !names_something(route) => Outcome::Admitted,
        None => Outcome::NotThere,
        Some(role) if role < least => Outcome::NotAllowed,
        Some(_) => Outcome::Admitted,
    }
}

struct Came {
    outcome: Outcome,
    status: StatusCode,
    body: String,
}

async fn ask(desk: &Desk, route: &Route, path: &str, caller: &Caller) -> Came {
    let asked = match &caller.shows {
        Shows::Cookie(cookie) => request(route.method, path, cookie).header(header::ORIGIN, ORIGIN),
        Shows::Token(token, _) => {
            let asked =
                request(route.method, path, "").header(header::AUTHORIZATION, format!("Bearer {token}"));
            // A program says nothing of where it came from, and need not where tokens count.
            if is_program(route) { asked } else { asked.header(header::ORIGIN, ORIGIN) }
        }
    };
    let (kind, body) = match route.path {
        "/find" => ("application/x-www-form-urlencoded", form(&[("text", "1961-04-02")])),
        "/api/v1/find" => ("application/json", json!({"text": "1961-04-02"}).to_string()),
        path if path.starts_with("/api/") => ("application/json", "{}".to_owned()),
        _ => ("application/x-www-form-urlencoded", String::new()),
    };
    let asked: Request<Body> = asked.header(header::CONTENT_TYPE, kind).body(body.into()).unwrap();
    let (status, headers, body) = if STREAMS.contains(&route.path) {
        let answer = desk.router().oneshot(asked).await.unwrap();
        (answer.status(), answer.headers().clone(), String::new())
    } else {
        let answer = desk.send(asked).await;
        (answer.status, answer.headers, answer.body)
    };
    let to_sign_in = headers.get(header::LOCATION).is_some_and(|to| to == "/sign-in");
    // Some answers of the work itself have the same statuses.
    let says = |codes: &[&str]| codes.iter().any(|code| body.contains(code));
    let outcome = match status {
        StatusCode::SEE_OTHER if to_sign_in && !route.path.starts_with("/sign-out") => Outcome::SignIn,
        StatusCode::UNAUTHORIZED if !matches!(route.who, Who::LinkHolder | Who::Anyone) => Outcome::SignIn,
        StatusCode::FORBIDDEN if !says(&["consent_missing"]) => Outcome::NotAllowed,
        StatusCode::NOT_FOUND if names_something(route) => Outcome::NotThere,
        status => {
            assert!(!status.is_server_error(), "{} {path}: {status} {body}", route.method);
            Outcome::Admitted
        }
    };
    Came { outcome, status, body }
}

/// Everybody who could ask: each role in every team, in their own and in another, programs with each scope, and those
/// whose time is over.
async fn callers(desk: &Desk, own: RecordId, other: RecordId) -> Vec<Caller> {
    let base = &desk.site.base;
    let token = |account: &str, scopes: &[Scope]| {
        let wish = Wish { account: account.into(), name: "t".into(), scopes: scopes.to_vec(), days: 1 };
        accounts::issue(base, "test", &wish).unwrap()
    };
    let mut all = Vec::new();
    let mut over = |name: &str, shows: Shows| {
        all.push(Caller { name: name.to_owned(), shows, roles: None });
    };
    over("nobody", Shows::Cookie(String::new()));
    let late = desk.signed_in("late", Role::Administrator).await;
    over("a login that ran out", Shows::Cookie(late));
    over("a token that ran out", Shows::Token(token("late", &Scope::ALL), Scope::ALL.to_vec()));
    desk.later(2 * 24 * 60 * 60 * 1000);
    let gone = desk.signed_in("gone", Role::Administrator).await;
    over("a disabled account", Shows::Cookie(gone));
    over("a token of a disabled account", Shows::Token(token("gone", &Scope::ALL), Scope::ALL.to_vec()));
    accounts::disable(base, "gone").unwrap();
    let revoked = token("late", &Scope::ALL);
    accounts::revoke(base, "test", accounts::tokens(base).unwrap()[0].n).unwrap();
    over("a revoked token", Shows::Token(revoked, Scope::ALL.to_vec()));

    for role in Role::ALL {
        for (whose, team) in [("every", None), ("own", Some(own)), ("other", Some(other))] {
            let name = format!("{} of {whose}", role.as_str());
            let cookie = desk.signed_in(&name, Role::Viewer).await;
            accounts::set_role(base, "test", &name, team, Some(role)).unwrap();
            let roles = match team {
                None => Roles::Everywhere(role),
                Some(team) => Roles::Of(BTreeMap::from([(team, role)])),
            };
            all.push(Caller { name, shows: Shows::Cookie(cookie), roles: Some(roles) });
        }
    }
    desk.signed_in("nothing", Role::Viewer).await;
    accounts::set_role(base, "test", "nothing", None, None).unwrap();
    let link = accounts::sign_in_link(base, "nothing", ORIGIN).unwrap();
    let nothing = cookie(&desk.get(link.strip_prefix(ORIGIN).unwrap(), "").await);
    let roles = Some(Roles::Of(BTreeMap::new()));
    all.push(Caller { name: "an account without a role".into(), shows: Shows::Cookie(nothing), roles });
    for scope in Scope::ALL {
        let account = "administrator of every";
        let shows = Shows::Token(token(account, &[scope]), vec![scope]);
        let roles = Some(Roles::Everywhere(Role::Administrator));
        all.push(Caller { name: format!("token {}", scope.as_str()), shows, roles });
    }
    let shows = Shows::Token(token("viewer of own", &Scope::ALL), Scope::ALL.to_vec());
    let roles = Some(Roles::Of(BTreeMap::from([(own, Role::Viewer)])));
    all.push(Caller { name: "every token of a viewer".into(), shows, roles });
    all
}

on_both!(every_address_answers_everybody_as_the_matrix_says);

fn every_address_answers_everybody_as_the_matrix_says(site: Site) {
    inside(asked_by_everybody(Desk::of(site)));
}

async fn asked_by_everybody(desk: Desk) {
    let (own, other) = (Place::of(&desk, "North", OWN), Place::of(&desk, "South", OTHER));
    let nowhere = Place::nowhere();
    let callers = callers(&desk, own.team, other.team).await;
    desk.catch_up();
    let (mut asked, mut seen) = (0, 0);
    // Who does nothing but look goes first.
    for method in ["GET", "POST"] {
        for route in crate::web::ROUTES.iter().filter(|route| route.method == method) {
            for caller in &callers {
                // What everybody does with their own login would end it.
                if route.who == Who::SignedIn && caller.roles.is_some() && route.method == "POST" {
                    continue;
                }
                for (place, hides) in [(&own, OTHER), (&other, OWN)] {
                    let (path, who) = (place.path(route.path), &caller.name);
                    let came = ask(&desk, route, &path, caller).await;
                    let wanted = expected(route, caller, place.team);
                    let told = format!("{method} {path} by {who}: {} {}", came.status, came.body);
                    assert_eq!(came.outcome, wanted, "{told}");
                    let limited = caller.roles.as_ref().is_some_and(|roles| roles.everywhere().is_none());
                    if limited && came.outcome == Outcome::Admitted {
                        let may_see = caller.roles.as_ref().unwrap().in_team(other.team).is_some();
                        let hidden = if may_see { OWN } else { OTHER };
                        assert!(!came.body.contains(hidden), "shows {hidden}: {told}");
                        seen += usize::from(came.body.contains(if may_see { OTHER } else { OWN }));
                    }
                    if wanted == Outcome::NotThere {
                        assert!(
                            !came.body.contains(hides)
                                && !came.body.contains(if hides == OWN { OTHER } else { OWN })
                        );
                        let none = ask(&desk, route, &nowhere.path(route.path), caller).await;
                        assert_eq!((came.status, &came.body), (none.status, &none.body), "{told}");
                    }
                    asked += 1;
                    if !names_something(route) {
                        break;
                    }
                }
            }
        }
    }
    assert!(asked > 1000 && seen > 100, "{asked} asked, {seen} saw what is theirs");
}

/// What people read: from the same routes that the test above asks.
fn table() -> String {
    let mut text = String::from(
        "# Who may use which address\n\nMade from the router's own list; a test asks every address as everybody here and holds this page against what came\n\
         (`server/src/web/tests/matrix.rs`; `WAYSIDE_MATRIX=write cargo test -p wayside-server --lib matrix` writes it).\n\n\
         - Roles are those that an account has **in a team**. What an address names (a record, a tablet, something held) must be of such a team: of\n  \
         another one it answers 404, exactly as if there were no such thing. Lists, searches, figures and exports show those teams alone.\n\
         - *Every team* wants the role in all of them: what is about accounts, tokens, or everybody.\n\
         - A token works at addresses below `/api/` that name its scope, as far as its account may; anywhere else it is nobody.\n\
         - Whoever is not signed in, whose login ran out, whose account is disabled, and whose token ran out or was revoked: pages lead to\n  \
         the sign-in page, all else is refused with 401. *no* is 403.\n\n\
         | | address | viewer | coordinator | administrator | token | of another team |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for route in routes() {
        let cells = match route.who {
            Who::Anyone => ["anybody"; 3],
            Who::LinkHolder => ["with a link"; 3],
            Who::CodeHolder => ["tablet with a code"; 3],
            Who::Tablet => ["tablet, signed"; 3],
            Who::SignedIn => ["own account"; 3],
            Who::Account(least) => Role::ALL.map(|role| if role >= least { "yes" } else { "no" }),
            Who::EveryTeam(least) => Role::ALL.map(|role| if role >= least { "in every team" } else { "no" }),
        };
        let other = match route.who {
            Who::Account(_) | Who::EveryTeam(_) if names_something(route) => "404",
            Who::Account(_) => "left out",
            Who::Tablet => "refused",
            _ => "",
        };
        let token = route.token.map(|scope| format!("`{}`", scope.as_str())).unwrap_or_default();
        let [viewer, coordinator, administrator] = cells;
        let (method, path) = (route.method, route.path);
        writeln!(
            text,
            "| {method} | `{path}` | {viewer} | {coordinator} | {administrator} | {token} | {other} |"
        )
        .unwrap();
    }
    text
}

#[test]
fn the_matrix_is_written_down() {
    let table = table();
    if std::env::var("WAYSIDE_MATRIX").is_ok_and(|wish| wish == "write") {
        std::fs::write(TABLE, &table).unwrap();
    }
    let written = std::fs::read_to_string(TABLE).unwrap_or_default();
    assert_eq!(written, table, "WAYSIDE_MATRIX=write cargo test -p wayside-server --lib matrix");
}
