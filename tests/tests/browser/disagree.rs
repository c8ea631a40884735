//! Two tablets edit one person out of each other's sight, through their pages.

use crate::{
    people::{known_person, new_person, reading, rename},
    world::{MOSQUE, World},
};

#[test]
fn both_values_reach_the_coordinator_and_what_is_settled_reaches_both_tablets() {
    let Some(mut world) = World::start() else { return };
    world.at_the_mosque();
    new_person(&world.tablet, "Parveen", "Ahmed");
    reading(&world.tablet, "128", "82");
    world.tablet.see("At base");
    // Opened after the session of today has arrived, which both go on with.
    world.runtime.block_on(world.demo.tablets[2].tablet.sync(|_| {}));
    let another = world.another(2, "volunteer-07");
    let other = &another.screen;
    other.tap(MOSQUE);
    other.tap("Go on with today’s session");
    other.see("New check");
    known_person(other, "parveen", "Parveen Ahmed");
    reading(other, "131", "84");
    other.see("At base");

    world.tablet.tap("No signal");
    world.tablet.see("No signal. Nothing waiting");
    world.runtime.block_on(world.demo.tablets[2].link.cut());
    rename(&world.tablet, "Ahmad");
    rename(other, "Ahmed-Shah");
    for tablet in [&world.tablet, other] {
        tablet.see("nobody at base can see");
    }
    world.tablet.tap("No signal");
    world.runtime.block_on(world.demo.tablets[2].link.restore()).unwrap();
    for tablet in [&world.tablet, other] {
        tablet.see("Two people wrote different things here.");
    }

    let coordinator = &world.coordinator;
    coordinator.tap("Sessions");
    coordinator.tap("List");
    // The newest stands first.
    coordinator.see("Sessions, the latest first");
    coordinator.tap_in("#live-list", MOSQUE);
    coordinator.tap("Parveen");
    coordinator.see("About this check");
    coordinator.tap("Parveen");
    coordinator.see("To settle");
    assert!(coordinator.shows("Ahmad") && coordinator.shows("Ahmed-Shah"));
    assert!(coordinator.shows("Yours") && coordinator.shows("Mosque"), "which tablet said what");
    coordinator.tap_in("form[action$=settle]", "Ahmad");
    coordinator.tap("Settle");
    coordinator.no_longer_see("To settle");

    for tablet in [&world.tablet, other] {
        tablet.no_longer_see("Two people wrote different things here.");
        tablet.see("Parveen Ahmad");
        assert!(!tablet.shows("Ahmed-Shah"));
    }
    another.end(&world);
    world.end();
}
