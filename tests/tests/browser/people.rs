//! What people do on the tablet's page again and again.

use wayside_tests::browser::Screen;

/// From today's list to the number pad for somebody new.
pub fn new_person(tablet: &Screen, given: &str, family: &str) {
    tablet.tap("New person");
    tablet.see("Given name");
    tablet.type_into("Given name", given);
    tablet.type_into("Family name", family);
    tablet.type_into("Date of birth", "03021968");
    tablet.tap("Next: blood pressure");
    tablet.see("Systolic");
}

/// From today's list to the number pad for somebody found by name.
pub fn known_person(tablet: &Screen, search: &str, name: &str) {
    tablet.tap("Known person");
    tablet.type_into("Name, date of birth", search);
    tablet.tap_in(".results", name);
    tablet.see("Systolic");
}

/// A reading on the number pad: three digits of systolic go on to diastolic by themselves.
pub fn reading(tablet: &Screen, systolic: &str, diastolic: &str) {
    tablet.keys(systolic);
    tablet.keys(diastolic);
    tablet.tap("Done");
}
