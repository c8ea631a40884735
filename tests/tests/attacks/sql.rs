//! SQL in every field and in every parameter is text like any other.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Value, json};
use wayside_protocol::record::Kind;
use wayside_server::{accounts::Role, routes};

use crate::{
    paper::Paper,
    target::{NORTH, PLANTED, Target, escaped},
};

const ATTACKS: [&str; 3] = [
    "' OR '1'='1' --",
    "1; DROP TABLE record; --",
    "\") UNION SELECT name, sql, 3 FROM sqlite_schema WHERE (\"1\"=\"1",
];
/// What no attack is, and finds nothing either.
const HARMLESS: &str = "zzqx";
/// All that pages and API read after `?`, and some that they do not.
const PARAMETERS: [&str; 24] = [
    "page", "after", "limit", "part", "team", "site", "when", "who", "show", "month", "from", "to",
    "category", "view", "by", "sort", "setting", "state", "kind", "code", "id", "text", "account", "format",
];

/// How many rows each table of a database has. Sign-ins and the trail grow by themselves.
fn tables(target: &Target, file: &str) -> BTreeMap<String, u64> {
    let conn = Connection::open(target.base().data().join(file)).unwrap();
    let mut names = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let count =
        |name: &String| conn.query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |row| row.get(0));
    let grows = |name: &str| name.starts_with("audit") || name == "login" || name == "sqlite_sequence";
    let names = names.into_iter().filter(|name| !grows(name));
    names.map(|name| (name.clone(), count(&name).unwrap())).collect()
}

#[test]
fn sql_in_a_parameter_finds_what_nonsense_finds() {
    let target = Target::start();
    let seen = target.seen(&Paper::enrolled(target.base(), NORTH));
    let ada = target.signed_in("ada", Role::Administrator, None);
    let before = [tables(&target, "log.db"), tables(&target, "views.db")];
    let streams = ["/events", "/api/v1/urgent/stream", "/sign-in/once"];
    let mut asked = 0;
    for route in routes().filter(|route| route.method == "GET" && !streams.contains(&route.path)) {
        let id = match route.path.trim_start_matches("/api/v1").split('/').nth(1) {
            Some("people" | "find") => seen.person,
            Some("sessions") => seen.session,
            Some("sites") => seen.site,
            Some("teams") => target.north,
            _ => seen.check,
        };
        let filled = |with: &str| {
            let path = ["{other}", "{entry}", "{name}", "{recipient}", "{account}", "{n}"]
                .iter()
                .fold(route.path.to_owned(), |path, part| path.replace(part, &escaped(with)));
            path.replace("{id}", &id.to_string())
        };
        let query = |with: &str| {
            let pairs = PARAMETERS.iter().map(|name| format!("{name}={}", escaped(with)));
            format!("{}?{}", filled(HARMLESS), pairs.collect::<Vec<_>>().join("&"))
        };
        let wrong_id = |with: &str| route.path.replace("{id}", &escaped(with));
        let ways: [&dyn Fn(&str) -> String; 3] = [&query, &filled, &wrong_id];
        for (n, way) in ways.iter().enumerate() {
            if n > 0 && !route.path.contains('{') || n == 2 && !route.path.contains("{id}") {
                continue;
            }
            let harmless = target.get(&way(HARMLESS), &ada);
            for attack in ATTACKS {
                let answer = target.get(&way(attack), &ada);
                let told = answer.text();
                assert_eq!(answer.status, harmless.status, "{}: {told}", way(attack));
                assert!(answer.status < 500, "{}", way(attack));
                assert_eq!(told.contains(PLANTED), harmless.text().contains(PLANTED), "{}", way(attack));
                assert!(
                    !told.contains("sqlite_schema WHERE type") && !told.contains("CREATE TABLE"),
                    "{told}"
                );
                asked += 1;
            }
        }
    }
    assert!(asked > 250, "{asked}");
    assert_eq!([tables(&target, "log.db"), tables(&target, "views.db")], before);
    assert!(target.get(&format!("/people/{}", seen.person), &ada).text().contains(PLANTED));
}

#[test]
fn sql_in_a_field_is_kept_as_it_was_typed() {
    let target = Target::start();
    let ada = target.signed_in("ada", Role::Administrator, None);
    let tablet = Paper::enrolled(target.base(), NORTH);
    let team = target.north.to_string();
    let names = |file: &str| tables(&target, file).into_keys().collect::<Vec<_>>();
    let before = [names("log.db"), names("views.db")];
    for (n, attack) in ATTACKS.into_iter().enumerate() {
        // What tablets record.
        let person = tablet.begin(
            Kind::Person,
            json!({"name": {"given": attack, "family": attack}, "gp_practice": {"name": attack}, "language": attack,
                "address": {"lines": [attack], "postcode": "LS2 7HY"}}),
        );
        let plain = tablet.begin(Kind::Person, json!({"name": {"given": attack, "family": attack}}));
        let site = tablet.begin(Kind::Site, json!({"name": format!("{n} {attack}")}));
        let ids = (plain.0.to_string(), site.0.to_string());
        let verdicts = tablet.push(target.base(), &[person, plain, site]);
        assert_eq!(verdicts[1..], ["accepted", "accepted"], "{verdicts:?}");
        target.viewed();
        let shown = |path: &str| -> Value { serde_json::from_slice(&target.get(path, &ada).body).unwrap() };
        let shown_person = shown(&format!("/api/v1/people/{}", ids.0)).to_string();
        assert!(shown_person.contains(&json!(attack).to_string()), "{shown_person}");

        // What people type into forms, and what is searched for.
        for (path, fields) in [
            (
                "/sites".to_owned(),
                vec![("team", team.as_str()), ("name", attack), ("kind", "market"), ("postcode", "")],
            ),
            (format!("/teams/{team}/staff"), vec![("name", attack), ("role", "nurse")]),
            (
                format!("/teams/{team}/services"),
                vec![("name", attack), ("kind", "pharmacy"), ("phone", attack)],
            ),
            (format!("/teams/{team}/groups"), vec![("group", attack), ("there", "yes")]),
            ("/extracts/recipients".to_owned(), vec![("act", "add"), ("name", attack)]),
            (
                "/accounts/tokens".to_owned(),
                vec![("account", "ada"), ("name", attack), ("scope", "read"), ("days", "1")],
            ),
            ("/accounts/roles".to_owned(), vec![("account", attack), ("team", attack), ("role", attack)]),
            ("/find".to_owned(), vec![("text", attack)]),
            ("/sign-in".to_owned(), vec![("name", attack), ("password", attack), ("code", attack)]),
            (format!("/people/{}/access", ids.0), vec![("reason", attack), ("as", attack)]),
            (format!("/people/{}/erase", ids.0), vec![("reason", attack)]),
            (format!("/records/{}/act", ids.0), vec![("act", attack), ("heads", attack), ("reason", attack)]),
            (
                format!("/records/{}/settle", ids.0),
                vec![("path", attack), ("value", attack), ("heads", attack)],
            ),
            (format!("/records/{}/claim", ids.0), vec![("take", attack)]),
        ] {
            let answer = target.post(&path, &ada, &fields);
            assert!(answer.status < 500, "{path}: {} {}", answer.status, answer.text());
        }
        target.viewed();
        let sites = shown("/api/v1/sites").to_string();
        assert_eq!(sites.matches(&json!(attack).to_string()[1..]).count(), 2, "{sites}");
        let of_team = shown(&format!("/api/v1/teams/{team}")).to_string();
        assert!(of_team.contains(&json!(attack).to_string()), "{of_team}");
        let found = target.post_json("/api/v1/find", &ada, &json!({"text": attack}).to_string());
        assert_eq!(found.status, 200, "{}", found.text());
    }
    assert_eq!([names("log.db"), names("views.db")], before, "all tables stand");
}
