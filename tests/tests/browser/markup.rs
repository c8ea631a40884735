//! Text is text: whatever is typed into any field is shown as it was typed, on both sides, and never runs.

use serde_json::json;
use wayside_client_core::{By, Edit, Key, Page, Tablet};
use wayside_tablet::ui;
use wayside_tests::browser::Screen;

use crate::{
    people::{known_person, reading},
    world::World,
};

/// Short enough for every field, with every character that means something in markup, different in each, and without
/// a digit, which no name has.
fn nasty(n: char) -> String {
    format!("<img src=x onerror=\"window.__pwned=true\">'&amp;{n}")
}

fn unharmed(screen: &Screen) {
    let pwned = screen.run("return typeof window.__pwned", json!([]));
    assert_eq!(pwned, "undefined", "a script ran at {}", screen.url());
    assert_eq!(screen.run("return document.querySelectorAll('img[src=x]').length", json!([])), 0);
}

#[test]
fn markup_in_any_text_field_is_shown_as_text() {
    let Some(world) = World::start() else { return };
    let World { tablet, coordinator, .. } = &world;
    let (site, given, family, reason, settled, other) =
        (nasty('a'), nasty('b'), nasty('c'), nasty('d'), nasty('e'), nasty('f'));

    tablet.tap("Another site");
    tablet.type_into("Name of the site", &site);
    tablet.tap("Save this site");
    tablet.see("Where are you today?");
    tablet.see(&site);
    tablet.tap(&site);
    tablet.tap("Pop-up");
    tablet.see("New check");
    tablet.see(&site);
    unharmed(tablet);

    // The search, and fields that say what they cannot take.
    tablet.tap("Known person");
    tablet.type_into("Name, date of birth", &other);
    tablet.see("Nobody like that");
    tablet.tap("Back");
    tablet.tap("New person");
    tablet.type_into("Given name", &given);
    tablet.type_into("Family name", &family);
    for (field, wrong) in
        [("Date of birth", "as in"), ("NHS number", "NHS number"), ("Phone", "There is no number in this.")]
    {
        tablet.type_into(field, &other);
        tablet.tap("Next: blood pressure");
        tablet.see(wrong);
        tablet.until(
            "the field to be refused",
            "return document.querySelector('[aria-invalid]') !== null",
            json!([]),
        );
        unharmed(tablet);
        tablet.type_into(field, "\u{e003}");
    }
    tablet.tap("Age only");
    tablet.type_into("Age in years", &other);
    tablet.tap("Next: blood pressure");
    tablet.see("This is not an age in years.");
    tablet.type_into("Age in years", "57");
    tablet.tap("Next: blood pressure");
    tablet.see("Systolic");
    tablet.see(&given);
    unharmed(tablet);
    reading(tablet, "152", "94");
    tablet.see("Readings");
    tablet.tap("Correct 152/94");
    tablet.tap("Other");
    tablet.type_into("Why?", &reason);
    reading(tablet, "154", "95");
    tablet.see(&reason);
    tablet.see("At base");
    unharmed(tablet);

    coordinator.see(&given);
    coordinator.see(&site);
    unharmed(coordinator);
    coordinator.tap(&format!("{given} {family}"));
    coordinator.see("About this check");
    coordinator.see(&reason);
    unharmed(coordinator);
    coordinator.tap_in("main", &format!("{given} {family}"));
    coordinator.see("Who they are");
    coordinator.see(&family);
    unharmed(coordinator);
    coordinator.tap("Sessions");
    coordinator.see(&site);
    unharmed(coordinator);
    coordinator.tap_in("#live-list", &site);
    coordinator.see(&given);
    unharmed(coordinator);

    // What the coordinator types when settling comes back to the tablet, where the person's check is open.
    tablet.tap("Back");
    known_person(tablet, "amina", "Amina");
    reading(tablet, "128", "82");
    tablet.see("At base");
    coordinator.tap("Today");
    coordinator.tap("Amina");
    coordinator.see("About this check");
    coordinator.tap_in("main", "Amina");
    coordinator.see("To settle");
    coordinator.tap("Another value");
    coordinator.type_into("The other value", &settled);
    coordinator.type_into("Why (needed for another value)", &nasty('l'));
    coordinator.tap("Settle");
    coordinator.no_longer_see("To settle");
    coordinator.see(&settled);
    unharmed(coordinator);
    tablet.see(&settled);
    unharmed(tablet);

    settled_on_the_tablet(&world, &nasty('g'));
    fields_before_the_first_sync(&world);

    coordinator.tap("Sign out");
    coordinator.type_into("Name", &other);
    coordinator.type_into("Password", &other);
    coordinator.tap_in("form", "Sign in");
    coordinator.see("There is a problem");
    let kept = "return document.getElementById('name').value";
    assert_eq!(coordinator.run(kept, json!([])), other);
    unharmed(coordinator);
    // The browser notes the answers 400 and 403 that were asked for here.
    tablet.complaints();
    coordinator.complaints();
    world.end();
}

/// The tablet's own box for a value that neither of two people wrote.
fn settled_on_the_tablet(world: &World, right: &str) {
    let other = world.demo.tablets[2].tablet.clone();
    let person = other.search("amina", Page::default()).unwrap().remove(0);
    let person = person["id"].as_str().unwrap().parse().unwrap();
    let heads = other.show(person).unwrap().heads;
    for name in ["Hussain", "Hussein"] {
        other.edit(person, Edit::set("name/family", name).on(&heads), &By::staff("volunteer-07")).unwrap();
    }
    world.runtime.block_on(other.sync(|_| {}));
    let tablet = &world.tablet;
    tablet.run("document.getElementById('chip').click()", json!([]));
    tablet.see("Two people wrote different things here.");
    tablet.tap("Look and settle");
    tablet.type_into("Or neither", right);
    tablet.tap("Use what I typed");
    tablet.see("To settle");
    tablet.see(right);
    unharmed(tablet);
}

/// Who records, and the enrolment code: asked for on a tablet that belongs to nobody yet.
fn fields_before_the_first_sync(world: &World) {
    let dir = tempfile::tempdir().unwrap();
    let fresh = Tablet::open(&dir.path().join("fresh"), &Key::from_bytes([9; 32])).unwrap();
    let page = world.runtime.block_on(ui::serve(fresh, ui::UiOptions::default())).unwrap();
    let screen = Screen::open(&world.driver, 768, 1024);
    screen.go(&page.url);
    screen.tap("Enrol");
    screen.type_into("Name of this tablet", &nasty('h'));
    screen.type_into("Enrolment code", &nasty('i'));
    screen.tap_in("form", "Enrol");
    screen.until(
        "the code to be refused",
        "return document.querySelector('[aria-invalid], #alerts .notice') !== null",
        json!([]),
    );
    unharmed(&screen);
    screen.tap("Back");
    screen.tap("Another site");
    screen.type_into("Name of the site", &nasty('j'));
    screen.tap("Save this site");
    screen.see("Who is recording?");
    screen.type_into("Who is recording?", &nasty('k'));
    screen.tap(&nasty('j'));
    screen.tap("Pop-up");
    screen.see("New check");
    crate::people::new_person(&screen, "Amina", "Khan");
    reading(&screen, "128", "82");
    screen.see("Readings");
    screen.tap("History");
    // Whoever recorded stands beside what they recorded.
    screen.see(&nasty('k'));
    unharmed(&screen);
    screen.complaints();
    drop(screen);
    world.runtime.block_on(page.shutdown());
}
