//! One person from the first raised reading to a closed referral: two pop-ups, two tablets, one story.

use serde_json::json;

use crate::{
    people::{first_raised, raised_again},
    world::World,
};

/// Types a diary of four days, two readings in the morning and two in the evening, into the form's fields.
const DIARY: &str = r#"
for (let day = 0; day < 4; day += 1) {
  for (let at = 0; at < 4; at += 1) {
    for (const [part, value] of [["systolic", 140 + day], ["diastolic", 86]]) {
      const field = document.getElementById(`d${day}-${at}-${part}`);
      field.value = String(value);
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }
}
"#;

#[test]
fn from_a_raised_reading_to_a_closed_referral_in_one_story() {
    let Some(world) = World::start() else { return };
    let tablet = &world.tablet;
    world.at_the_mosque();
    first_raised(tablet);
    raised_again(tablet);
    tablet.tap_in(".step", "Lend a monitor");
    tablet.type_into("Which monitor?", "loan-07");
    tablet.tap("Lend it");
    tablet.see("Monitor lent");
    tablet.tap("They have been told");
    tablet.no_longer_see("Tell the person the result");
    tablet.tap("Finish");
    tablet.see("All at base");

    // Another tablet, at another pop-up.
    let van = &world.demo.tablets[0].tablet;
    world.runtime.block_on(van.sync(|_| {}));
    let another = world.another(0, "nurse-01");
    let other = &another.screen;
    other.tap("Harehills Lane car park");
    other.tap("Van");
    other.see("New check");
    other.tap("Known person");
    other.type_into("Name, date of birth", "sadik");
    other.tap_in(".results", "Rubina Sadiq");
    other.see("Home diary back: To come");
    other.tap("Enter the diary");
    other.see("Day 4");
    other.run(DIARY, json!([]));
    other.tap("Save what is typed");
    other.see("Raised average");
    other.see("Mean of 12 home readings without the first day's (142/86)");
    other.see("Arrange for the GP practice to see the person within 3 weeks.");
    other.tap_in(".step", "Refer");
    other.see("To whom?");
    other.tap("Save this referral");
    for status in ["They have it", "Closed"] {
        other.tap("What became of: GP practice");
        other.tap(status);
        other.tap("Save");
        other.see("Readings");
    }
    other.see("Closed");
    other.see("All at base");

    // One story, the same on the tablet where it began.
    tablet.run("document.getElementById('chip').click()", json!([]));
    tablet.tap("Rubina Sadiq");
    for screen in [tablet, other] {
        screen.tap("History");
        screen.see("closed");
        let story = screen.text();
        let told = [
            "Reading 154/96",
            "Reading 142/90",
            "Monitor lent loan-07",
            "diary to come back: done",
            "Raised average, 142/86",
            "Referred to the GP practice",
            "received there",
            "closed",
        ];
        let places: Vec<Option<usize>> = told.iter().map(|words| story.find(words)).collect();
        assert!(places.iter().all(Option::is_some), "{places:?} in {story}");
        // The average stands at the beginning of its check, before the diary is noted as back.
        for (earlier, later) in [(0, 1), (1, 2), (2, 4), (4, 5), (5, 6), (6, 7)] {
            assert!(places[earlier] < places[later], "{} before {} in {story}", told[earlier], told[later]);
        }
        assert!(!story.contains("What became of it"), "nothing is open any more: {story}");
    }
    another.end(&world);
    world.end();
}
