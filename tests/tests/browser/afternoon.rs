//! A pop-up afternoon without a signal: forty people on two tablets, typed and tapped on their pages, two staff at the
//! same time; then the signal returns, and the coordinator's pages show everybody.

use std::thread;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::json;
use wayside_client_core::By;
use wayside_tests::browser::Screen;

use crate::{
    people::{
        another_reading, emergency, known_person, new_person_born, no_red_flags, reading, rename, type_person,
    },
    world::{MOSQUE, World, begin},
};

/// Everybody who comes to one tablet.
struct Queue {
    /// Given name, family name, date of birth as it is typed.
    people: [(&'static str, &'static str, &'static str); 14],
    /// What this tablet thinks that the person is called whom both know.
    renamed: &'static str,
    /// Somebody who goes to both tablets, as it was understood here.
    twice: (&'static str, &'static str, &'static str),
    very_high: fn(&Screen),
}

/// Names of this test's own making; the two tablets have none in common.
const LEFT: Queue = Queue {
    people: [
        ("Halima", "Begum", "14031959"),
        ("Yusuf", "Rahman", "02111963"),
        ("Marek", "Nowak", "27061971"),
        ("Joy", "Okafor", "19091955"),
        ("Tariq", "Mahmood", "08011968"),
        ("Sunita", "Patel", "23051962"),
        ("Gareth", "Llewellyn", "30071957"),
        ("Abdi", "Warsame", "11121974"),
        ("Ines", "Carvalho", "05041966"),
        ("Dorota", "Kowalska", "16081960"),
        ("Nasreen", "Akhtar", "21021958"),
        ("Colin", "Hargreaves", "09101953"),
        ("Rehana", "Siddiqui", "28031970"),
        ("Winston", "Campbell", "17011956"),
    ],
    renamed: "Ahmad",
    twice: ("Farida", "Chaudhry", "12041961"),
    very_high: |tablet| {
        tablet.tap("No details");
        tablet.see("Systolic");
        reading(tablet, "186", "122");
        emergency(tablet);
    },
};
const RIGHT: Queue = Queue {
    people: [
        ("Bilal", "Qureshi", "06051964"),
        ("Maureen", "Fitzgerald", "24101952"),
        ("Oluwaseun", "Adeyemi", "13071969"),
        ("Priya", "Nair", "01021972"),
        ("Hamza", "Iqbal", "22081958"),
        ("Elzbieta", "Wisniewska", "15111965"),
        ("Trevor", "Braithwaite", "07061954"),
        ("Amal", "Hassan", "29041973"),
        ("Khadija", "Osman", "18121960"),
        ("Stanislav", "Dvorak", "03091967"),
        ("Zubeda", "Mirza", "26011957"),
        ("Leroy", "Bennett", "10031971"),
        ("Fatoumata", "Diallo", "20071963"),
        ("Edna", "Ramsbottom", "04101950"),
    ],
    renamed: "Ahmed-Shah",
    twice: ("Fareeda", "Chaudhry", "12041961"),
    very_high: |tablet| {
        new_person_born(tablet, "Rashida", "Malik", "11051959");
        tablet.tap("Regular");
        reading(tablet, "184", "112");
        no_red_flags(tablet);
        tablet.see("Nobody at base can see this yet. Phone now.");
        tablet.tap("Write down the call");
        tablet.choose("Whom did you phone?", "GP practice");
        tablet.tap("No answer");
        tablet.tap("Save this call");
        tablet.see("Call: No answer");
    },
};
const EACH: usize = 20;

impl Queue {
    /// One after the other, in the order in which they came; each is seen on today's list before the next one.
    fn served_at(&self, tablet: &Screen) {
        let [well @ .., raised, asked_again, left, parked] = &self.people;
        let mut seen = 0;
        let mut listed = || {
            seen += 1;
            tablet.see("New check");
            let here = "return document.querySelectorAll('.today > li[data-id]').length === arguments[0]";
            tablet.until(&format!("{seen} people on today's list"), here, json!([seen]));
        };
        for (n, (given, family, born)) in well.iter().enumerate() {
            new_person_born(tablet, given, family, born);
            reading(tablet, &(114 + n).to_string(), &(71 + n).to_string());
            tablet.see("Readings");
            tablet.tap("Finish");
            listed();
        }
        // Parked after one reading, and taken up again when others have gone.
        let (given, family, born) = parked;
        new_person_born(tablet, given, family, born);
        tablet.tap("Regular");
        reading(tablet, "148", "91");
        tablet.see("Readings");
        tablet.tap("Park");
        listed();
        let (given, family, born) = raised;
        new_person_born(tablet, given, family, born);
        reading(tablet, "152", "94");
        tablet.see("Raised reading");
        tablet.tap("Finish");
        listed();
        // Typed a second time by somebody who did not know.
        let (given, family, born) = asked_again;
        new_person_born(tablet, given, family, born);
        reading(tablet, "133", "83");
        tablet.see("Readings");
        tablet.tap("Finish");
        listed();
        type_person(tablet, given, family, born);
        tablet.see("Is this the same person?");
        tablet.tap("Use this person");
        tablet.see("Systolic");
        reading(tablet, "131", "82");
        tablet.see("Readings");
        tablet.tap("Finish");
        listed();
        let (given, family, born) = left;
        new_person_born(tablet, given, family, born);
        tablet.tap("Left early");
        listed();
        let (given, family, born) = self.twice;
        new_person_born(tablet, given, family, born);
        reading(tablet, "138", "84");
        tablet.see("Readings");
        tablet.tap("Finish");
        listed();
        // Declined a check, and counted among those who did.
        tablet.tap("No details");
        tablet.see("Systolic");
        tablet.tap("No reading, just talked");
        listed();
        for _ in 0..3 {
            tablet.tap("Add one: Declined");
        }
        tablet.tap("No details");
        tablet.see("Systolic");
        reading(tablet, "126", "78");
        tablet.see("Readings");
        tablet.tap("Finish");
        listed();
        (self.very_high)(tablet);
        tablet.tap("Finish");
        listed();
        // Somebody whom both tablets know from yesterday.
        known_person(tablet, "parveen", "Parveen Ahmed");
        reading(tablet, "128", "82");
        tablet.see("Readings");
        rename(tablet, self.renamed);
        tablet.tap("Finish");
        listed();
        // The one who had been parked.
        let (given, family, _) = parked;
        tablet.tap(&format!("Resume {given} {family}"));
        tablet.see("Readings");
        another_reading(tablet, "146", "90");
        tablet.see("Readings");
        tablet.tap("Park");
        tablet.see("Parked");
        assert_eq!(seen, EACH);
    }

    fn names(&self) -> impl Iterator<Item = String> {
        let people = self.people.iter().map(|(given, family, _)| format!("{given} {family}"));
        people.chain([format!("{} {}", self.twice.0, self.twice.1)])
    }
}

/// Somebody who was here yesterday, on both tablets since.
fn known_to_both(world: &World) {
    let at = Timestamp::now() - SignedDuration::from_hours(24);
    let date = at.to_zoned(TimeZone::system()).date().to_string();
    let line = json!({
        "session": {"site": MOSQUE, "date": date},
        "person": {"name": {"given": "Parveen", "family": "Ahmed"}, "date_of_birth": "1968-02-03"},
        "contact": {"started_at": at.to_string(), "reason": "walk_up", "check_type": "bp_only", "bp": {"readings": [
            {"taken_at": at.to_string(), "systolic": 124, "diastolic": 80, "arm": "left"}]}},
    });
    let tablet = &world.demo.tablets[2].tablet;
    tablet.record(line, &By::staff("volunteer-07")).unwrap();
    let report = world.runtime.block_on(tablet.sync(|_| {}));
    assert!(report.error.is_none(), "{:?}", report.error);
}

fn rows(coordinator: &Screen) -> Vec<String> {
    let rows = "const rows = document.querySelectorAll('#live-list .app-thing, #live-list tbody tr'); \
        const checks = [...rows].filter((row) => row.querySelector('a[href^=\"/checks/\"]') !== null); \
        return checks.map((row) => row.innerText)";
    let rows = coordinator.run(rows, json!([]));
    rows.as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_owned()).collect()
}

#[test]
fn forty_people_seen_without_signal_are_all_with_the_coordinator_the_urgent_ones_on_top() {
    let Some(mut world) = World::start() else { return };
    known_to_both(&world);
    let another = world.another(2, "volunteer-07");
    let (left, right) = (&world.tablet, &another.screen);
    world.runtime.block_on(world.demo.tablets[2].link.cut());
    // The first signal is the last one: yesterday has come to this tablet, too.
    begin(left);
    left.tap("Known person");
    left.type_into("Name, date of birth", "parveen");
    left.see("Parveen Ahmed");
    left.tap("Back");
    left.see("All at base");
    left.tap("No signal");
    left.see("No signal. Nothing waiting");

    thread::scope(|scope| {
        scope.spawn(|| LEFT.served_at(left));
        scope.spawn(|| {
            // The same session, begun on its own: its id says which it is.
            begin(right);
            RIGHT.served_at(right);
        });
    });
    for tablet in [left, right] {
        tablet.see("nobody at base can see them yet");
        tablet.see("Safe on this tablet");
    }

    left.tap("No signal");
    world.runtime.block_on(world.demo.tablets[2].link.restore()).unwrap();
    for tablet in [left, right] {
        tablet.see("All at base");
        // Each has the other's people, too, and hears of what they disagree about.
        let both = "return document.querySelectorAll('.today > li[data-id]').length === arguments[0]";
        tablet.until("everybody on today's list", both, json!([2 * EACH]));
        tablet.see("records disagree");
    }

    let coordinator = &world.coordinator;
    coordinator.tap("Today’s checks only");
    coordinator.see("Urgent (2)");
    let listed = rows(coordinator);
    assert!(listed[0].contains("186/122") && listed[0].contains("Emergency"), "{listed:?}");
    assert!(listed[1].contains("Rashida Malik") && listed[1].contains("184/112"), "{listed:?}");
    coordinator.tap("Sessions");
    coordinator.tap("List");
    coordinator.see("Sessions, the latest first");
    coordinator.tap_in("#live-list", MOSQUE);
    coordinator.see("People seen");
    let seen = rows(coordinator);
    assert_eq!(seen.len(), 2 * EACH, "{seen:?}");
    for name in LEFT.names().chain(RIGHT.names()).chain(["Rashida Malik".to_owned()]) {
        assert!(seen.iter().any(|row| row.contains(&name)), "{name} is not there: {seen:?}");
    }
    let nameless = seen.iter().filter(|row| row.contains("No details given")).count();
    assert_eq!(nameless, 2 * 2 + 1, "{seen:?}");
    let declined = "return [...document.querySelectorAll('dl > div')].find((row) => row.innerText.includes('Declined'))?.innerText";
    let declined = coordinator.run(declined, json!([]));
    assert!(declined.as_str().unwrap().contains('6'), "the counts of both add up: {declined}");
    coordinator.tap("Parveen");
    coordinator.see("About this check");
    coordinator.tap_in("main", "Parveen");
    coordinator.see("To settle");
    assert!(coordinator.shows("Ahmad") && coordinator.shows("Ahmed-Shah"));
    coordinator.tap("To put right");
    coordinator.see("Farida Chaudhry");
    coordinator.see("Fareeda Chaudhry");

    another.end(&world);
    // What is proven by fingerprints, too.
    let demo = &mut world.demo;
    let summary = world.runtime.block_on(demo.check()).unwrap();
    assert!(summary.is_complete(), "{summary:?}");
    let complaints = world.tablet.complaints();
    assert_eq!(complaints, Vec::<String>::new());
    world.end();
}
