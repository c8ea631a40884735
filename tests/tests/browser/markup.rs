//! Text is text: whatever is typed into any field is shown as it was typed, on both sides, and never runs.

use serde_json::json;
use wayside_tests::browser::Screen;

use crate::{
    people::{known_person, reading},
    world::World,
};

/// Short enough for every field, with every character that means something in markup, and different in each.
fn nasty(n: u32) -> String {
    format!("<img src=x onerror=\"window.__pwned={n}\">'&amp;{n}")
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
        (nasty(1), nasty(2), nasty(3), nasty(4), nasty(5), nasty(6));

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
        [("Date of birth", "as in"), ("NHS number", "NHS number"), ("Phone", "A phone number has")]
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
    tablet.see("Type the age in whole years");
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
    coordinator.tap("Worklist");
    coordinator.tap("Amina");
    coordinator.see("About this check");
    coordinator.tap_in("main", "Amina");
    coordinator.see("To settle");
    coordinator.tap("Another value");
    coordinator.type_into("The other value", &settled);
    coordinator.tap("Settle");
    coordinator.no_longer_see("To settle");
    coordinator.see(&settled);
    unharmed(coordinator);
    tablet.see(&settled);
    unharmed(tablet);

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
