//! Ids are no secret: whoever guesses one of another team's learns nothing, not even that there is such a thing.

use wayside_protocol::{
    record::RecordId,
    sync::{
        Frame,
        frame::{Found, Item, LookUp, Want, Wish, decode},
    },
};
use wayside_server::{
    accounts::{self, Role, Scope},
    routes,
};

use crate::{
    paper::{Paper, nowhere},
    target::{NORTH, PLANTED, SOUTH, Seen, Target},
    wire::http,
};

/// A path about what the other team has, or about nothing at all.
fn path(pattern: &str, ids: &Seen, team: RecordId) -> Option<String> {
    let part = pattern.trim_start_matches("/api/v1").split('/').nth(1)?;
    let id = match part {
        "people" | "find" => ids.person,
        "checks" | "records" => ids.check,
        "sessions" => ids.session,
        "sites" => ids.site,
        "teams" => team,
        _ => return None,
    };
    let path = pattern.replace("{id}", &id.to_string()).replace("{other}", &ids.person.to_string());
    (path != pattern).then(|| path.replace("{entry}", "aaaaaaaa"))
}

#[test]
fn what_another_team_has_is_not_there_whoever_guesses_its_id() {
    let target = Target::start();
    let seen = target.seen(&Paper::enrolled(target.base(), NORTH));
    let outsider = target.signed_in("olive", Role::Coordinator, Some(target.south));
    let insider = target.signed_in("ivy", Role::Coordinator, Some(target.north));
    let nothing = RecordId::from_bytes(rand::random());
    let nowhere = Seen { person: nothing, check: nothing, session: nothing, site: nothing };
    let (mut asked, mut shown) = (0, 0);
    for route in routes().filter(|route| route.method == "GET" && route.who.role() <= Some(Role::Coordinator))
    {
        let Some(own) = path(route.path, &seen, target.north) else { continue };
        let guessed = target.get(&own, &outsider);
        assert_eq!(guessed.status, 404, "{own}");
        let none = target.get(&path(route.path, &nowhere, nothing).unwrap(), &outsider);
        assert_eq!((guessed.status, guessed.text()), (none.status, none.text()), "{own}");
        asked += 1;
        shown += usize::from(target.get(&own, &insider).text().contains(PLANTED));
    }
    assert!(asked >= 15 && shown >= 10, "{asked} asked, {shown} show it to who may see it");

    // Lists, figures, exports and searches of everything.
    let token = |account: &str| {
        let (account, name) = (account.to_owned(), "attack".to_owned());
        let wish = accounts::Wish { account, name, scopes: Scope::ALL.to_vec(), days: 1 };
        format!("Bearer {}", accounts::issue(target.base(), "test", &wish).unwrap())
    };
    let (outsiders, insiders) = (token("olive"), token("ivy"));
    let by = |token: &str, method: &str, path: &str, body: &str| {
        let headers = [
            ("Host", "x"),
            ("Authorization", token),
            ("Content-Type", "application/json"),
            ("Wayside-Reason", "an attack"),
        ];
        target.door().ask(&http(method, path, &headers, body.as_bytes()))
    };
    let find = format!("{{\"text\": \"{PLANTED}\"}}");
    let mut shown = 0;
    for (method, path) in [
        ("GET", "/api/v1/today"),
        ("GET", "/api/v1/checks"),
        ("GET", "/api/v1/sites"),
        ("GET", "/api/v1/urgent"),
        ("GET", "/api/v1/sessions?month=2026-11"),
        ("GET", "/api/v1/fhir/Patient.ndjson"),
        ("GET", "/api/v1/fhir/Observation.ndjson"),
        ("GET", "/api/v1/extracts/people.csv"),
        ("GET", "/api/v1/extracts/contacts.csv"),
        ("GET", "/api/v1/extracts/sites.csv"),
        ("POST", "/api/v1/find"),
    ] {
        let hidden = by(&outsiders, method, path, &find);
        assert_eq!(hidden.status, 200, "{path}: {}", hidden.text());
        let told = hidden.text();
        for planted in [PLANTED, &seen.person.to_string(), &seen.check.to_string()] {
            assert!(!told.contains(planted), "{path} shows {planted}: {told}");
        }
        let told = by(&insiders, method, path, &find).text();
        shown += usize::from(told.contains(PLANTED) || told.contains(&seen.check.to_string()));
    }
    assert!(shown >= 9, "{shown} show it to who may see it");
}

#[test]
fn a_tablet_of_another_team_is_told_nothing_either() {
    let target = Target::start();
    let base = target.base();
    let (mine, other) = (Paper::enrolled(base, NORTH), Paper::enrolled(base, SOUTH));
    let seen = target.seen(&mine);
    let look_up = |team, wish| {
        Frame::LookUp(LookUp { team, staff: "nurse-01".into(), reason: "Came back to the van".into(), wish })
    };
    let search = || Wish::Search { query: PLANTED.into() };
    let fetch = || Wish::Fetch { records: vec![seen.person, seen.check] };
    let ask = |by: &Paper, places, frame| target.sync(&by.request(by.hello(base, places), &[frame], &[]));
    for wish in [search(), fetch()] {
        let refused = ask(&other, vec![], look_up(target.north, wish));
        assert_eq!((refused.status, refused.code().as_str()), (403, "team_not_allowed"));
    }
    let want = |team| Frame::Want(Want { team, epoch: [0; 8], head: 1, briefs: vec![] });
    let refused = ask(&other, vec![], want(target.north));
    assert_eq!((refused.status, refused.code().as_str()), (403, "team_not_allowed"));

    // For its own team, with the other's ids.
    let answer = ask(&other, vec![], look_up(target.south, fetch()));
    let frames = decode(&answer.body).unwrap();
    let found = frames.iter().find_map(|frame| match frame {
        Frame::Found(Found { records, .. }) => Some(records.len()),
        _ => None,
    });
    assert_eq!((answer.status, found), (200, Some(0)), "{frames:?}");

    // What is pulled is one's own.
    let pulled = |by: &Paper| -> bool {
        let answer = target.sync(&by.request(by.hello(base, vec![nowhere(by.team)]), &[], &[]));
        assert_eq!(answer.status, 200);
        let changes = decode(&answer.body).unwrap().into_iter().filter_map(|frame| match frame {
            Frame::Changes(changes) => Some(changes),
            _ => None,
        });
        let items = changes.flat_map(|changes| changes.lists).flat_map(|list| list.items);
        let mut raws = items.filter_map(|item| match item {
            Item::Body { raw, .. } => Some(raw),
            Item::Absent { .. } => None,
        });
        raws.any(|raw| raw.windows(PLANTED.len()).any(|part| part == PLANTED.as_bytes()))
    };
    assert!(!pulled(&other) && pulled(&mine));
}
