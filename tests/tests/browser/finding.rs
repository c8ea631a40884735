//! Finding people, looking after tablets and sites, and the figures that may be shared.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::json;
use wayside_client_core::By;
use wayside_server::accounts::{self, Role};

use crate::{
    coordinator::{go, look},
    world::{MOSQUE, World},
};

/// Somebody seen at the mosque half an hour ago.
fn seen(world: &World, given: &str, family: &str) {
    let at = (Timestamp::now() - SignedDuration::from_mins(30)).to_string();
    let today = Timestamp::now().to_zoned(TimeZone::system()).date().to_string();
    let line = json!({
        "session": {"site": MOSQUE, "date": today},
        "person": {"name": {"given": given, "family": family}, "date_of_birth": "1968-02-14"},
        "contact": {"started_at": at, "reason": "walk_up", "check_type": "bp_only"},
    });
    let tablet = &world.demo.tablets[2].tablet;
    tablet.record(line, &By::staff("volunteer-07")).unwrap();
    let report = world.runtime.block_on(tablet.sync(|_| {}));
    assert!(report.error.is_none(), "{:?}", report.error);
}

#[test]
fn a_person_is_found_as_they_were_heard_and_a_site_and_its_sessions_by_name() {
    let Some(world) = World::start() else { return };
    seen(&world, "Muhammad", "Khalilzadeh");
    let coordinator = &world.coordinator;
    go(coordinator, "/");
    coordinator.tap_in("nav[aria-label=Menu]", "Find");
    coordinator.type_into("People, sites or sessions", "mohamed kalilzade");
    coordinator.tap_in("main", "Find");
    coordinator.see("Muhammad Khalilzadeh");
    assert!(!coordinator.url().contains("kalil"), "what is typed stands in no address");
    look(coordinator, "find");
    go(coordinator, "/find");
    coordinator.type_into("People, sites or sessions", "14/2/1968 khalil");
    coordinator.press(&["\u{e007}"]);
    coordinator.tap("Muhammad Khalilzadeh");
    coordinator.until("the person", "return location.pathname.startsWith('/people/')", json!([]));
    go(coordinator, "/find");
    coordinator.type_into("People, sites or sessions", "masjd al noor");
    coordinator.press(&["\u{e007}"]);
    coordinator.tap_in("#found", MOSQUE);
    coordinator.see("Do sessions still come here?");
    look(coordinator, "site");
    world.end();
}

#[test]
fn tablets_are_named_and_enrolled_sites_are_added_and_figures_are_shown_by_month() {
    let Some(world) = World::start() else { return };
    let screen = &world.coordinator;
    go(screen, "/fleet");
    look(screen, "fleet");
    go(screen, "/fleet");
    screen.see("An administrator adds tablets.");
    let first = "return document.querySelector('#live-list tbody a').innerText";
    let name = screen.run(first, json!([]));
    screen.tap(name.as_str().unwrap());
    look(screen, "tablet");
    screen.type_into("What people call it", "Van 9, blue case");
    screen.tap("Save");
    screen.see("Van 9, blue case");

    go(screen, "/sites");
    screen.type_into("Name", "Kirkgate Market");
    screen.choose("What it is", "Market");
    screen.type_into("Postcode", "ls27hy");
    screen.tap("Add site");
    screen.see("LS2 7HY");
    look(screen, "sites");

    for (path, words, name) in [
        ("/reach", "How complete the answers are", "reach"),
        ("/quality", "Last digits of readings", "quality"),
    ] {
        go(screen, path);
        screen.see(words);
        look(screen, name);
        go(screen, path);
        screen.tap("Show these months");
        screen.see(words);
        assert!(screen.url().contains("from=") && !screen.url().contains("from=&"));
    }

    // Whoever may: a code that works once, as text and as a picture.
    let base = world.demo.server.base();
    accounts::add(base, "ada", Role::Administrator, "correct horse battery").unwrap();
    let link = accounts::sign_in_link(base, "ada", "").unwrap();
    go(screen, &link);
    go(screen, "/fleet");
    screen.tap("Make a code");
    screen.see("wayside1-");
    screen.until("the picture", "return document.querySelector('main svg path')", json!([]));
    look(screen, "enrol");
    world.end();
}
