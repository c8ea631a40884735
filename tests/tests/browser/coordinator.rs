//! What a coordinator does on the pages after the day: follows up, merges and takes it back.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use wayside_client_core::By;
use wayside_tests::browser::Screen;

use crate::{
    wcag::Looks,
    world::{MOSQUE, World},
};

/// Records a very high reading on a tablet of the demo, with what follows from it, and syncs it.
pub fn recorded(world: &World, given: &str, family: &str, contact: &Value) {
    let ago = |minutes| (Timestamp::now() - SignedDuration::from_mins(minutes)).to_string();
    let today = Timestamp::now().to_zoned(TimeZone::system()).date().to_string();
    let mut line = json!({
        "session": {"site": MOSQUE, "date": today},
        "person": {"name": {"given": given, "family": family}, "date_of_birth": "1961-07-15", "phone": "07700 900 461"},
        "contact": {"started_at": ago(30), "reason": "walk_up", "check_type": "bp_only", "bp": {"readings": [
            {"taken_at": ago(28), "systolic": 188, "diastolic": 122, "arm": "left"}]}},
    });
    line["contact"].as_object_mut().unwrap().extend(contact.as_object().unwrap().clone());
    world.demo.tablets[2].tablet.record(line, &By::staff("volunteer-07")).unwrap();
    let report = world.runtime.block_on(world.demo.tablets[2].tablet.sync(|_| {}));
    assert!(report.error.is_none(), "{:?}", report.error);
}

/// Opens another page of the same site.
pub fn go(coordinator: &Screen, path: &str) {
    let origin = coordinator.run("return location.origin", json!([]));
    coordinator.go(&format!("{}{path}", origin.as_str().unwrap()));
}

/// From a phone to a desk: nothing is wider than the screen, and axe-core finds nothing.
pub fn look(coordinator: &Screen, name: &str) {
    // All of it, also what is folded away.
    coordinator.run("document.querySelectorAll('details').forEach((one) => (one.open = true))", json!([]));
    let mut looks = Looks::new(coordinator, (1024, 1024), &[(320, 640), (800, 1280), (1280, 800)]);
    looks.at(name);
    looks.clean();
}

#[test]
fn a_follow_up_is_done_from_the_list_and_a_call_takes_the_check_in_hand() {
    let Some(world) = World::start() else { return };
    let coordinator = &world.coordinator;
    let today = Timestamp::now().to_zoned(TimeZone::get("Europe/London").unwrap()).date().to_string();
    let due = json!({"follow_ups": [{"type": "call", "due_on": today, "for": "van team"}],
        "referrals": [{"to": "gp", "urgency": "same_day", "reason": "very high reading"}]});
    recorded(&world, "Joy", "Okafor", &due);
    go(coordinator, "/follow-ups?show=due");
    coordinator.see("07700 900 461");
    look(coordinator, "follow-ups");
    go(coordinator, "/follow-ups?show=due");
    let call = "section[aria-label='Call: Joy Okafor']";
    coordinator.tap_in(call, "Say what became of it");
    coordinator.tap_in(call, "Done");
    coordinator.tap_in(call, "Save what became of");
    let gone = "return location.pathname === '/follow-ups' && !document.querySelector(arguments[0])";
    coordinator.until("the follow-up to leave the list", gone, json!([call]));

    go(coordinator, "/");
    coordinator.tap("Joy Okafor");
    coordinator.see("Nobody has phoned yet.");
    look(coordinator, "check");
    go(coordinator, "/");
    coordinator.tap("Joy Okafor");
    coordinator.tap_in("#check-phone", "Note a call");
    coordinator.tap_in("#check-phone", "Reached");
    coordinator.type_into("If reached, with whom you spoke", "the duty doctor");
    coordinator.tap_in("#check-phone", "Save the call");
    coordinator.see("In hand.");
    go(coordinator, "/");
    coordinator.until("today’s list", "return document.title.includes('Today')", json!([]));
    let urgent = "return document.querySelector('[aria-labelledby=part-urgent]')?.innerText ?? ''";
    let urgent = coordinator.run(urgent, json!([]));
    assert!(
        !urgent.as_str().unwrap().contains("Joy Okafor"),
        "what is in hand is no longer urgent: {urgent}"
    );
    let referrals =
        "return document.querySelector('[aria-labelledby=part-referral]')?.innerText.includes('Joy Okafor')";
    coordinator.until("the referral that nobody confirmed to be asked after", referrals, json!([]));
    coordinator.tap("In hand (");
    coordinator.tap("Joy Okafor");
    coordinator.tap("Take back: Reached");
    coordinator.see("Nobody has phoned yet.");
    // A referral that nobody made in the field, to somebody who is not in the directory.
    coordinator.tap_in("#new-referral", "Make a referral");
    coordinator.type_into("Or to somebody who is not in the list", "Dr Two");
    for choice in ["Today", "By phone", "Save the referral"] {
        coordinator.tap_in("#new-referral", choice);
    }
    coordinator.see("Referral to Dr Two");
    go(coordinator, "/");
    coordinator.see("Joy Okafor");
    world.end();
}

#[test]
fn two_records_of_one_person_are_merged_and_taken_apart_again() {
    let Some(world) = World::start() else { return };
    let coordinator = &world.coordinator;
    recorded(&world, "Shabana", "Mirza", &json!({}));
    recorded(&world, "Shabanah", "Mirza", &json!({}));
    go(coordinator, "/duplicates");
    coordinator.see("Same date of birth");
    look(coordinator, "duplicates");
    let pair = "return [...document.querySelectorAll('#live-list tbody tr')]\
        .find((row) => row.innerText.includes('Shabanah')).querySelector('a[href*=beside]').getAttribute('href')";
    let pair = coordinator.until("the pair", pair, json!([]));
    go(coordinator, pair.as_str().unwrap());
    coordinator.see("Is this one person?");
    look(coordinator, "beside");
    coordinator.tap("One person: merge");
    coordinator.see("Merged records");
    look(coordinator, "person");
    let checks = "return document.querySelectorAll('.app-story:not(.app-story--dense) > li').length";
    assert_eq!(coordinator.run(checks, json!([])), 2);
    coordinator.tap("Take the merge back");
    coordinator.see("May be recorded twice");
    assert_eq!(coordinator.run(checks, json!([])), 1);
    go(coordinator, "/nowhere-at-all");
    coordinator.see("Not found");
    look(coordinator, "nowhere");
    let complaints = coordinator.complaints();
    assert!(complaints.iter().all(|said| said.contains("status of 404")), "{complaints:?}");
    world.end();
}

/// A browser opens six connections to one server, and keeps pages that were left for a minute.
#[test]
fn pages_that_were_left_hold_up_none_that_is_opened() {
    let Some(world) = World::start() else { return };
    let begun = Instant::now();
    for _ in 0..2 {
        for (link, path) in
            [("Sessions", "/sessions"), ("Reach", "/reach"), ("Find", "/find"), ("Today", "/")]
        {
            world.coordinator.tap_in("nav[aria-label='Menu']", link);
            let there = "return location.pathname === arguments[0] && document.readyState === 'complete'";
            world.coordinator.until(path, there, json!([path]));
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(45), "eight pages took {:?}", begun.elapsed());
    world.end();
}
