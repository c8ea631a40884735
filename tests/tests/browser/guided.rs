//! A day as staff are led through it: the next step, what interrupts it, who it is, and what the person takes along.

use std::fs;

use serde_json::json;

use crate::{
    people::{emergency, first_raised, new_person, no_red_flags, raised_again, reading, type_person},
    world::World,
};

#[test]
fn three_readings_lead_to_high_and_to_a_referral_also_after_a_reload() {
    let Some(world) = World::start() else { return };
    let tablet = &world.tablet;
    world.at_the_mosque();
    first_raised(tablet);
    tablet.see("Wait 0:");

    // Parked, and taken up again by a page that remembers nothing.
    tablet.tap("Park");
    tablet.see("Parked");
    tablet.run("location.reload()", json!([]));
    tablet.see("New check");
    tablet.tap("Resume Rubina Sadiq");
    tablet.see("Take reading 2 on the right arm.");
    raised_again(tablet);
    tablet.see("Lower of the last two readings");

    tablet.tap("Monitoring is declined");
    tablet.see("Arrange for the GP practice to see the person within 3 weeks.");
    tablet.tap_in(".step", "Refer");
    tablet.see("To whom?");
    tablet.tap("Save this referral");
    tablet.see("GP practice: Within 3 weeks");
    tablet.tap("They have been told");
    tablet.no_longer_see("Tell the person the result");
    tablet.tap("Finish");
    tablet.see("New check");

    // What was shown is kept with the advice, with the version of the rules.
    let contact = stored(&world, "Rubina");
    let advice: Vec<_> = contact["advice"].as_object().unwrap().values().collect();
    assert!(advice.iter().all(|one| one["category"] == "HIGH" && one["rules"].is_string()), "{advice:?}");
    assert_eq!(contact["declined"], json!(["monitoring"]));
    assert_eq!(contact["ended"]["how"], "completed");
    world.end();
}

/// The latest contact of somebody, as it arrived at the demo's third tablet.
fn stored(world: &World, name: &str) -> serde_json::Value {
    world.tablet.see("All at base");
    let other = &world.demo.tablets[2].tablet;
    world.runtime.block_on(other.sync(|_| {}));
    let person = other.search(name, wayside_client_core::Page::default()).unwrap().remove(0);
    let contacts =
        other.list(Some(wayside_client_core::Kind::Contact), wayside_client_core::Page::default()).unwrap();
    contacts.into_iter().find(|contact| contact["person"] == person["id"]).unwrap()
}

#[test]
fn red_flags_interrupt_and_a_very_high_reading_offline_is_phoned_through() {
    let Some(world) = World::start() else { return };
    let tablet = &world.tablet;
    world.at_the_mosque();
    tablet.tap("No signal");
    tablet.see("No signal. Nothing waiting");

    tablet.tap("No details");
    reading(tablet, "186", "122");
    emergency(tablet);
    tablet.tap("Finish");

    new_person(tablet, "Yusuf", "Rahman");
    tablet.tap("Regular");
    reading(tablet, "184", "112");
    no_red_flags(tablet);
    tablet.see("Nobody at base can see this yet. Phone now.");
    tablet.tap("Write down the call");
    tablet.choose("Whom did you phone?", "GP practice");
    tablet.tap("Save this call");
    tablet.see("Say with whom you spoke");
    tablet.type_into("With whom did you speak?", "duty doctor");
    tablet.tap("Save this call");
    tablet.see("GP practice: duty doctor");
    tablet.no_longer_see("Nobody at base can see this yet");

    tablet.tap("No signal");
    let contact = stored(&world, "Yusuf");
    let call = contact["calls"].as_object().unwrap().values().next().unwrap();
    assert_eq!(
        (&call["outcome"], &call["spoke_to"]),
        (&json!("reached"), &json!("GP practice: duty doctor"))
    );
    world.end();
}

#[test]
fn somebody_known_is_not_saved_twice_and_takes_a_card_along() {
    let Some(world) = World::start() else { return };
    let tablet = &world.tablet;
    let languages = world.demo.data.with_file_name("yours").join("languages");
    fs::create_dir_all(&languages).unwrap();
    // No language: what a translator would fill in.
    fs::write(languages.join("qps.ftl"), "card-title = [Blood pressure, translated]\n").unwrap();

    world.at_the_mosque();
    new_person(tablet, "Nadia", "Begum");
    reading(tablet, "152", "94");
    tablet.see("Readings");
    tablet.tap("Finish");
    type_person(tablet, "Nadya", "Begum", "3 2 1968");
    tablet.see("Is this the same person?");
    tablet.see("Same date of birth");
    tablet.tap("Back to what I typed");
    let typed = "return document.getElementById('given').value";
    assert_eq!(tablet.run(typed, json!([])), "Nadya", "what was typed is still there");
    tablet.tap("Next: blood pressure");
    tablet.tap("Use this person");
    tablet.see("Systolic");
    assert!(tablet.shows("Nadia Begum"));
    reading(tablet, "148", "90");
    tablet.see("Readings");

    tablet.tap("Result card");
    tablet.see("Your blood pressure");
    tablet.see("This reading is raised.");
    tablet.choose("Language of the card", "qps");
    tablet.see("[Blood pressure, translated]");
    tablet.see("This reading is raised.");
    tablet.media("print");
    assert!(tablet.shows("148/90") && !tablet.shows("Print"), "on paper the card alone: {}", tablet.text());
    tablet.media("");
    tablet.tap("Back to the check");
    tablet.tap("History");
    tablet.see("Reading 152/94");
    tablet.see("Reading 148/90");
    world.end();
}
