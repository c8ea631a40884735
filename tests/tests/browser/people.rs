//! What people do on the tablet's page again and again.

use serde_json::json;
use wayside_tests::browser::Screen;

/// When people of these tests are born who do not say.
pub const BORN: &str = "03021968";

/// From today's list to what the form says of somebody new once it is sent.
pub fn type_person(tablet: &Screen, given: &str, family: &str, born: &str) {
    tablet.tap("New person");
    tablet.see("Given name");
    tablet.type_into("Given name", given);
    tablet.type_into("Family name", family);
    tablet.type_into("Date of birth", born);
    tablet.tap("Next: blood pressure");
}

/// From today's list to the number pad for somebody new.
pub fn new_person(tablet: &Screen, given: &str, family: &str) {
    new_person_born(tablet, given, family, BORN);
}

pub fn new_person_born(tablet: &Screen, given: &str, family: &str, born: &str) {
    type_person(tablet, given, family, born);
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

/// One more reading of the check that is shown.
pub fn another_reading(tablet: &Screen, systolic: &str, diastolic: &str) {
    tablet.tap("Take another reading");
    reading(tablet, systolic, diastolic);
}

/// Somebody new with a first raised reading.
pub fn first_raised(tablet: &Screen) {
    new_person(tablet, "Rubina", "Sadiq");
    tablet.tap("Regular");
    reading(tablet, "154", "96");
    tablet.see("Raised reading: measure the other arm, too.");
}

/// The second and the third, which the guide asks for.
pub fn raised_again(tablet: &Screen) {
    another_reading(tablet, "142", "90");
    tablet.see("The last readings differ a lot");
    another_reading(tablet, "144", "91");
    tablet.see("142/90 mmHg");
}

/// All red-flag questions, each with no.
pub fn no_red_flags(tablet: &Screen) {
    tablet.see("Very high. Ask these now");
    let flags = tablet.run(
        "return [...document.querySelectorAll('[data-flag]')].map((question) => question.dataset.flag)",
        json!([]),
    );
    for flag in flags.as_array().unwrap() {
        tablet.tap_in(&format!("[data-flag={}]", flag.as_str().unwrap()), "No");
    }
    tablet.tap("None of these: go on");
}

/// From a very high reading to the end of the emergency.
pub fn emergency(tablet: &Screen) {
    tablet.see("Very high. Ask these now");
    tablet.tap_in("[data-flag=chest_pain]", "Yes");
    tablet.see("Call 999 now");
    tablet.see("Nobody at base can see this yet.");
    tablet.tap("999 has been called");
    tablet.see("999: Emergency, now");
}

/// Opens the person's details from the check that is shown, and writes another family name.
pub fn rename(tablet: &Screen, family: &str) {
    tablet.tap("Details");
    tablet.type_into("Family name", family);
    tablet.tap("Save");
    tablet.see("Readings");
    tablet.see(family);
}
