//! How many taps a check takes, from today's list until it is saved. A key of the number pad is one, so is
//! typing one text field.

use wayside_tests::browser::Screen;

use crate::{
    people::{known_person, new_person, reading},
    world::World,
};

/// Taps of one check that is finished on the result's screen and listed again.
fn taps(tablet: &Screen, check: impl FnOnce(&Screen)) -> u32 {
    tablet.see("New check");
    tablet.taps();
    check(tablet);
    tablet.see("Readings");
    let saved = tablet.taps();
    tablet.tap("Finish");
    tablet.see("New check");
    saved + tablet.taps()
}

#[test]
fn few_taps_are_enough() {
    let Some(world) = World::start() else { return };
    let tablet = &world.tablet;
    world.at_the_mosque();
    let new = taps(tablet, |tablet| {
        new_person(tablet, "Halima", "Begum");
        reading(tablet, "128", "82");
    });
    let known = taps(tablet, |tablet| {
        known_person(tablet, "hali", "Halima Begum");
        reading(tablet, "131", "84");
    });
    let unnamed = taps(tablet, |tablet| {
        tablet.tap("No details");
        tablet.see("Systolic");
        reading(tablet, "125", "79");
    });
    eprintln!("taps, Finish included: known person {known}, new person {new}, no details {unnamed}");
    assert!(known <= 12, "known person: {known}");
    assert!(new <= 25, "new person: {new}");
    assert!(unnamed <= 10, "no details: {unnamed}");
    world.end();
}
