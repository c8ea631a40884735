//! What an administrator does about people and things that are not to be trusted any more, and whoever signs in does for
//! themselves.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use totp_rs::{Builder, Secret};
use wayside_client_core::{By, Kind, Page};
use wayside_server::accounts::{self, Role};
use wayside_tests::browser::Screen;

use crate::{
    coordinator::{go, look},
    world::{MOSQUE, World},
};

const PASSWORD: &str = "correct horse battery";

/// An administrator in front of this screen, made and let in as `wayside account add` and `sign-in-link` do it.
fn let_in(world: &World, screen: &Screen, name: &str) {
    let server = &world.demo.server;
    accounts::add(server.base(), name, Role::Administrator, PASSWORD).unwrap();
    screen.go(&accounts::sign_in_link(server.base(), name, &server.pages_url()).unwrap());
    screen.see("What to do next");
}

fn sign_in(screen: &Screen, name: &str, code: &str) {
    go(screen, "/sign-in");
    screen.type_into("Name", name);
    screen.type_into("Password", PASSWORD);
    screen.type_into("Code of your app", code);
    screen.tap_in("form[action='/sign-in']", "Sign in");
}

/// What the app shows, `ahead` of its clock by so many times half a minute.
fn shown(secret: &str, ahead: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let secret = Secret::try_from_base32(secret).unwrap();
    Builder::new().with_secret(secret).build().unwrap().generate(now + ahead * 30).to_string()
}

#[test]
fn an_account_is_given_a_role_and_signs_in_with_its_app_or_without_its_telephone() {
    let Some(world) = World::start() else { return };
    let screen = &world.coordinator;
    let_in(&world, screen, "Ada");
    accounts::add(world.demo.server.base(), "Nia", Role::Viewer, PASSWORD).unwrap();
    go(screen, "/accounts");
    look(screen, "accounts");
    screen.choose("Account", "Nia");
    screen.choose("In", "Leeds East outreach");
    screen.choose("May act as", "coordinator");
    screen.tap("Change");
    screen.see("Coordinator in Leeds East outreach");
    screen.tap("Sign out");
    screen.see("Password");

    sign_in(screen, "Nia", "");
    screen.see("What to do next");
    go(screen, "/account");
    look(screen, "account");
    screen.type_into("Your password", PASSWORD);
    screen.tap("Set up a second factor");
    screen.see("Point the camera");
    // What the picture says, for a telephone without a camera.
    let secret = screen.run("return document.getElementById('secret').textContent", json!([]));
    let secret = secret.as_str().unwrap();
    screen.type_into("The six digits", &shown(secret, 0));
    screen.tap("Turn it on");
    screen.see("Your second factor is on");
    look(screen, "recovery codes");
    let recovery = screen.run("return document.querySelector('main li code').textContent", json!([]));
    let recovery = recovery.as_str().unwrap();
    screen.tap("Done");
    screen.see("10 recovery codes");
    screen.tap("Sign out");

    // The password alone is not enough, and no code works twice.
    sign_in(screen, "Nia", "");
    screen.see("is not correct");
    sign_in(screen, "Nia", &shown(secret, 1));
    screen.see("What to do next");
    screen.tap("Sign out");
    for (works, sees) in [(true, "What to do next"), (false, "is not correct")] {
        sign_in(screen, "Nia", recovery);
        screen.see(sees);
        if works {
            go(screen, "/account");
            screen.see("9 recovery codes");
            screen.tap("Sign out");
        }
    }
    // The browser notes each answer 401 that was asked for here.
    screen.complaints();
    world.end();
}

#[test]
fn a_lost_tablet_is_revoked_by_one_click_and_what_it_handed_over_admitted() {
    let Some(world) = World::start() else { return };
    let screen = &world.coordinator;
    let_in(&world, screen, "Ada");
    let lost = &world.demo.tablets[2];
    let line = json!({"session": {"site": MOSQUE, "date": "2026-11-20"},
        "person": {"name": {"given": "Wren", "family": "Thistledown"}},
        "contact": {"started_at": "2026-11-20T13:05:00Z", "bp": {"readings": [
            {"taken_at": "2026-11-20T13:06:00Z", "systolic": 128, "diastolic": 82}]}}});
    let person = lost.tablet.record(line, &By::staff("volunteer-07")).unwrap().person.unwrap();

    go(screen, "/fleet");
    screen.tap(lost.name);
    screen.see("Lost, stolen or no longer ours?");
    look(screen, "tablet");
    screen.tap("Revoke this tablet");
    screen.see("Revoked");
    let report = world.runtime.block_on(lost.tablet.sync(|_| {}));
    assert_eq!(report.error.unwrap().code, "tablet_wiped");

    go(screen, "/quarantine");
    screen.see("From Mosque");
    look(screen, "quarantine");
    go(screen, &format!("/people/{person}"));
    assert!(!screen.shows("Thistledown"), "nothing of it counts yet");
    go(screen, "/quarantine");
    screen.tap("Admit them");
    screen.see("Nothing is held.");
    go(screen, &format!("/people/{person}"));
    screen.see("Wren Thistledown");
    // The browser notes the answer 404 that was asked for here.
    screen.complaints();
    world.end();
}

#[test]
fn a_person_is_erased_by_two_administrators_here_and_on_the_tablets() {
    let Some(world) = World::start() else { return };
    let (ada, bea) = (&world.coordinator, &Screen::open(&world.driver, 1024, 1024));
    let_in(&world, ada, "Ada");
    let_in(&world, bea, "Bea");
    let tablet = &world.demo.tablets[0].tablet;
    let people = tablet.list(Some(Kind::Person), Page::default()).unwrap();
    let named = people.iter().find(|person| person["name"]["family"].is_string()).unwrap();
    let (id, name) = (named["id"].as_str().unwrap(), named["name"]["family"].as_str().unwrap());

    go(ada, &format!("/people/{id}"));
    ada.see(name);
    ada.tap("Erase this person");
    ada.see("It cannot be taken back.");
    look(ada, "erase");
    ada.type_into("Why", "Asked in person, has no care record");
    ada.tap("Ask to erase");
    ada.see("Another administrator must confirm it.");
    assert!(!ada.shows("Erase for good"), "not by one alone");

    go(bea, "/erasures");
    bea.see("Ada asked for this");
    bea.see("Asked in person, has no care record");
    look(bea, "erasures");
    let link = "return document.querySelector('main a[href$=\"/erase\"]').getAttribute('href')";
    let link = bea.run(link, json!([]));
    assert_eq!(link, format!("/people/{id}/erase"));
    go(bea, link.as_str().unwrap());
    bea.tap("Erase for good");
    bea.see("None waits.");
    go(bea, &format!("/people/{id}"));
    bea.until("an answer", "return document.readyState === 'complete'", json!([]));
    assert!(!bea.shows(name));
    let report = world.runtime.block_on(tablet.sync(|_| {}));
    assert_eq!(report.notices[0].code, "record_erased");
    assert_eq!(tablet.show(id.parse().unwrap()).unwrap_err().code_text(), "record_not_found");
    // The browser notes each answer 404 that was asked for here, and by the page that stood open.
    ada.complaints();
    bea.complaints();
    world.end();
}
