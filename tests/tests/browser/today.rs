//! Today, as coordinators work through it: by clicks and by keys, alone and two at once.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use wayside_client_core::By;
use wayside_tests::browser::Screen;

use crate::{
    wcag::Looks,
    world::{MOSQUE, World},
};

const DOWN: &str = "\u{e015}";
const UP: &str = "\u{e013}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// Records a reading on a tablet of the demo, with more that the check says, and syncs it.
fn recorded(world: &World, given: &str, (systolic, diastolic): (i64, i64), more: &Value) {
    let ago = |minutes| (Timestamp::now() - SignedDuration::from_mins(minutes)).to_string();
    let today = Timestamp::now().to_zoned(TimeZone::system()).date().to_string();
    let mut line = json!({
        "session": {"site": MOSQUE, "date": today},
        "person": {"name": {"given": given, "family": "Okafor"}, "age_years": 40 + given.len(), "phone": "07700 900 461"},
        "contact": {"started_at": ago(30), "reason": "walk_up", "check_type": "bp_only", "bp": {"readings": [
            {"taken_at": ago(28), "systolic": systolic, "diastolic": diastolic, "arm": "left"}]}},
    });
    line["contact"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let tablet = &world.demo.tablets[2].tablet;
    tablet.record(line, &By::staff("volunteer-07")).unwrap();
    let report = world.runtime.block_on(tablet.sync(|_| {}));
    assert!(report.error.is_none(), "{:?}", report.error);
}

/// A second coordinator at a desk of their own.
fn another(world: &World, name: &str) -> Screen {
    let url = world.runtime.block_on(world.demo.sign_in(name)).unwrap();
    let screen = Screen::open(&world.driver, 1280, 1024);
    screen.go(&url);
    screen.see("What to do next");
    screen
}

/// Opens a part of Today.
fn open(screen: &Screen, query: &str) {
    let origin = screen.run("return location.origin", json!([]));
    screen.go(&format!("{}/{query}", origin.as_str().unwrap()));
    screen.until("the script", "return !document.getElementById('desk').hidden", json!([]));
}

/// The selector of the first row that is about somebody, once it is there.
fn row(screen: &Screen, name: &str) -> String {
    let find = "const thing = [...document.querySelectorAll('.app-thing')].find((one) => \
        one.querySelector('h3').innerText.includes(arguments[0])); return thing?.dataset.key ?? null";
    let key = screen.until(&format!("the row of {name}"), find, json!([name]));
    format!("[data-key='{}']", key.as_str().unwrap())
}

/// Waits until a part of the list has somebody, or no longer has: what was noted may take a moment to be derived.
fn stands(screen: &Screen, part: &str, name: &str, there: bool) {
    let find = "const there = document.querySelector(`[aria-labelledby=part-${arguments[0]}]`)?.innerText.includes(arguments[1]); \
        return (there ?? false) === arguments[2]";
    screen.until(&format!("{name} in {part}: {there}"), find, json!([part, name, there]));
}

/// Who has the focus, by the name of the row.
fn focused(screen: &Screen) -> String {
    let name = "return document.activeElement.closest('.app-thing')?.querySelector('h3').innerText ?? ''";
    screen.run(name, json!([])).as_str().unwrap().to_owned()
}

#[test]
fn a_click_notes_what_became_of_it_without_a_new_page_and_another_takes_it_back() {
    let Some(world) = World::start() else { return };
    let page = &world.coordinator;
    let referral = json!({"referrals": [{"to": "gp", "urgency": "same_day", "reason": "very high reading"}]});
    recorded(&world, "Joy", (188, 122), &referral);
    recorded(&world, "Ama", (186, 121), &json!({}));
    open(page, "?part=urgent");
    page.run("window.sameDocument = true", json!([]));
    let joy = row(page, "Joy Okafor");
    assert!(page.shows("nobody has confirmed that they have it") && page.shows("07700 900 461"));

    page.tap_in(&joy, "No answer");
    page.see("Noted for Joy Okafor: No answer (coordinator, ");
    page.see("Last call: No answer");
    stands(page, "urgent", "Joy Okafor", true);
    page.tap_in(&joy, "They have it");
    page.see("Noted for Joy Okafor: Received (coordinator, ");
    stands(page, "urgent", "Joy Okafor", false);
    page.tap("Take back");
    page.see("Taken back for Joy Okafor: Received (coordinator, ");
    stands(page, "urgent", "Joy Okafor", true);

    // With whom, in one's own words.
    let ama = row(page, "Ama Okafor");
    let spoke =
        "document.querySelector(arguments[0]).querySelector('input[type=text]').value = 'the practice nurse'";
    page.run(spoke, json!([ama]));
    page.tap_in(&ama, "Reached");
    page.see("Noted for Ama Okafor: Reached, spoke to the practice nurse (coordinator, ");
    stands(page, "urgent", "Ama Okafor", false);
    assert_eq!(page.run("return window.sameDocument", json!([])), true);
    // The page can be loaded again, and then says the same.
    page.go(&page.url());
    page.see("Noted for Ama Okafor: Reached, spoke to the practice nurse");
    open(page, "?part=in_hand");
    stands(page, "in_hand", "Ama Okafor", true);
    world.end();
}

#[test]
fn all_of_today_is_worked_by_the_keyboard_alone() {
    let Some(world) = World::start() else { return };
    let page = &world.coordinator;
    for (given, systolic) in [("Joy", 188), ("Ama", 187), ("Efua", 186)] {
        recorded(&world, given, (systolic, 122), &json!({}));
    }
    open(page, "?part=urgent&when=today");
    let names = "return [...document.querySelectorAll('.app-thing h3')].map((one) => one.innerText)";
    let names: Vec<String> = serde_json::from_value(page.run(names, json!([]))).unwrap();
    assert_eq!(names.len(), 3, "{names:?}");

    page.press(&["j"]);
    assert_eq!(focused(page), names[0]);
    page.press(&["j", DOWN]);
    assert_eq!(focused(page), names[2]);
    page.press(&["j"]);
    assert_eq!(focused(page), names[2], "there is no further one");
    page.press(&["k", UP]);
    assert_eq!(focused(page), names[0]);
    let outline = "const style = getComputedStyle(document.activeElement); return style.outlineStyle + style.outlineWidth";
    assert_eq!(page.run(outline, json!([])), "solid4px", "one sees where one is");

    page.press(&["n"]);
    page.see(": No answer (coordinator, ");
    assert_eq!(focused(page), names[0], "the place is kept");
    page.press(&["m"]);
    page.see("You are on it");
    page.press(&["m"]);
    page.no_longer_see("You are on it");
    page.press(&["d"]);
    page.see(": Reached, spoke to the person");
    page.until(
        "the next to have the focus",
        "return document.activeElement.matches('.app-thing')",
        json!([]),
    );
    assert_eq!(focused(page), names[1], "on to the next");
    page.press(&["u"]);
    page.see("Taken back for ");
    page.see(&names[0]);

    // What the keys do stands on the page, and they can be turned off for good.
    page.press(&["?"]);
    page.see("Keys of this page");
    page.press(&["d"]);
    page.tap("Single keys: on");
    page.see("Single keys: off");
    page.press(&[ESCAPE]);
    open(page, "?part=urgent&when=today");
    page.press(&["j", "?", "d"]);
    assert_eq!(focused(page), "", "no key does anything");
    assert!(!page.shows("Noted "));
    // Whoever turned them off works by Tab, Enter and arrows.
    page.run("document.querySelector('.app-thing').focus()", json!([]));
    page.press(&[DOWN]);
    assert_eq!(focused(page), names[1]);
    page.tap("Keys");
    page.tap("Single keys: off");
    page.press(&[ESCAPE]);
    page.press(&["k", "o"]);
    page.see("About this check");
    open(page, "?part=urgent&when=today");
    page.press(&["j", ENTER]);
    page.see("About this check");
    open(page, "?part=urgent&when=today");
    page.press(&["f"]);
    let filter = "return document.activeElement.closest('nav')?.getAttribute('aria-label')";
    assert_eq!(page.run(filter, json!([])), "What to do");
    world.end();
}

#[test]
fn two_coordinators_see_who_is_on_it_and_may_both_say_that_it_is_done() {
    let Some(world) = World::start() else { return };
    let cora = &world.coordinator;
    recorded(&world, "Joy", (188, 122), &json!({}));
    let dora = another(&world, "dora");
    open(cora, "?part=urgent&when=today");
    open(&dora, "?part=urgent&when=today");
    let joy = row(cora, "Joy Okafor");
    cora.tap_in(&joy, "I am on it");
    cora.see("You are on it, since");
    dora.see("coordinator is on it, since");
    dora.tap_in(&joy, "Take it over");
    dora.see("You are on it, since");
    cora.see("dora is on it, since");
    dora.tap_in(&joy, "No longer on it");
    cora.no_longer_see("is on it, since");

    // Both at once, each on the page that they saw: what the second sends was decided before the first's arrived.
    let click = "const button = document.querySelector(arguments[0]).querySelector('[data-do=reached]'); button.click()";
    for screen in [cora, &dora] {
        screen.run(click, json!([joy]));
    }
    cora.see("Noted for Joy Okafor: Reached, spoke to the person (coordinator, ");
    dora.see("Noted for Joy Okafor: Reached, spoke to the person (dora, ");
    for screen in [cora, &dora] {
        screen.see("Urgent (0)");
        stands(screen, "urgent", "Joy Okafor", false);
    }
    // One of them takes their own back: the other's still holds.
    cora.tap("Take back");
    cora.see("Taken back for Joy Okafor: Reached");
    stands(cora, "urgent", "Joy Okafor", false);
    dora.tap("Take back");
    dora.see("Taken back for Joy Okafor: Reached");
    row(cora, "Joy Okafor");
    assert_eq!(dora.complaints(), Vec::<String>::new());
    drop(dora);
    world.end();
}

#[test]
fn what_streams_in_leaves_focus_and_half_typed_text_where_they_are() {
    let Some(world) = World::start() else { return };
    let page = &world.coordinator;
    recorded(&world, "Joy", (188, 122), &json!({}));
    open(page, "?part=urgent&when=today");
    page.see("Urgent (1)");
    let joy = row(page, "Joy Okafor");
    let field = "document.querySelector(arguments[0]).querySelector('input[type=text]')";
    let value = format!("return {field}.value");
    page.run(&format!("{field}.focus()"), json!([joy]));
    page.press(&["x", "y"]);
    // Somebody more urgent comes in above.
    let flag = json!({"bp": {"readings": [{"taken_at": Timestamp::now().to_string(), "systolic": 191, "diastolic": 124}],
        "red_flags": [{"flag": "chest_pain", "present": true}]}});
    page.run(
        "window.sounded = 0; document.addEventListener('today:sounded', () => (window.sounded += 1))",
        json!([]),
    );
    recorded(&world, "Ama", (191, 124), &flag);
    page.see("Ama Okafor");
    page.see("Urgent (2)");
    let title = page.run("return document.title", json!([]));
    assert!(title.as_str().unwrap().contains("urgent) Today"), "{title}");
    let typed = page.run(&value, json!([joy]));
    assert!(typed.as_str().unwrap().contains("xy"), "{typed}");
    assert_eq!(focused(page), "Joy Okafor");
    assert_eq!(page.run("return window.sounded", json!([])), 0, "off unless somebody turned it on");

    // Somebody else deals with it: what was typed is not lost.
    let dora = another(&world, "dora");
    open(&dora, "?part=urgent&when=today");
    dora.tap_in(&row(&dora, "Joy Okafor"), "Reached");
    dora.see("Noted for Joy Okafor: Reached");
    page.see("This has left the list meanwhile.");
    assert!(page.run(&value, json!([joy])).as_str().unwrap().contains("xy"));

    page.tap("Sound when something urgent comes in: off");
    page.see("Sound when something urgent comes in: on");
    page.until("a first sound, to hear that it works", "return window.sounded === 1", json!([]));
    recorded(&world, "Efua", (186, 121), &json!({}));
    page.see("Efua Okafor");
    page.until("a sound", "return window.sounded === 2", json!([]));
    open(page, "");
    page.see("Sound when something urgent comes in: on");
    assert_eq!(dora.complaints(), Vec::<String>::new());
    drop(dora);
    world.end();
}

#[test]
fn on_a_telephone_people_come_first_and_filters_and_menu_are_folded_away() {
    let Some(world) = World::start() else { return };
    let page = &world.coordinator;
    recorded(&world, "Joy", (188, 122), &json!({}));
    recorded(&world, "Ama", (187, 122), &json!({}));
    let visible = |what: &str| {
        let find = "return [...document.querySelectorAll('a, button, select')].some((one) => \
            one.checkVisibility() && (one.innerText + one.id).includes(arguments[0]))";
        page.run(find, json!([what])) == json!(true)
    };
    open(page, "");
    for what in ["Only what I am on", "Sound when", "Fleet"] {
        assert!(visible(what), "{what} shows where there is room");
    }
    page.resize(360, 640);
    for what in ["Only what I am on", "Sound when", "Fleet"] {
        assert!(!visible(what), "{what} is folded away");
    }
    let first = "return document.querySelector('.app-thing h3').getBoundingClientRect().bottom < innerHeight";
    assert_eq!(page.run(first, json!([])), true, "one sees whom it is about without scrolling");

    // The filters open by a tap, also by the key, and stay open on the list that they lead to.
    page.tap("Filters and sound");
    assert!(visible("Only what I am on"));
    page.tap("Filters and sound");
    page.press(&["f"]);
    page.until(
        "the first filter to have the focus",
        "return document.activeElement.closest('#live-filters') !== null",
        json!([]),
    );
    page.tap_in("#filters", "Urgent (");
    page.until("the filter", "return location.search === '?part=urgent'", json!([]));
    page.tap_in(&row(page, "Joy Okafor"), "I am on it");
    page.see("You are on it");
    page.tap("Only what I am on");
    page.until("the filter", "return location.search === '?part=urgent&who=me'", json!([]));
    page.see("Showing: Urgent (1), Only what I am on");
    assert!(page.shows("Joy Okafor") && !page.shows("Ama Okafor"));
    page.choose("Site", MOSQUE);
    page.tap("Show this site");
    page.until("the filter", "return location.search.includes('site=')", json!([]));
    page.see("Joy Okafor");
    assert!(page.url().contains("part=urgent&who=me"), "{}: the others stay", page.url());

    page.tap("Menu");
    page.tap_in("header", "Fleet");
    page.until("another page", "return location.pathname === '/fleet'", json!([]));
    assert!(!visible("Quarantine"), "the menu is folded away again");
    page.resize(1024, 1024);
    world.end();
}

#[test]
fn parts_of_today_open_one_after_another_without_a_wait() {
    let Some(world) = World::start() else { return };
    let page = &world.coordinator;
    let begun = Instant::now();
    // A browser keeps some of the pages that were left, and opens six connections to one server.
    for _ in 0..5 {
        for part in ["urgent", "follow_up"] {
            open(page, &format!("?part={part}"));
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "ten pages took {:?}", begun.elapsed());
    world.end();
}

#[test]
fn every_part_of_today_fits_a_telephone_and_axe_finds_nothing() {
    let Some(world) = World::start() else { return };
    let page = &world.coordinator;
    let today = Timestamp::now().to_zoned(TimeZone::get("Europe/London").unwrap()).date().to_string();
    let all = json!({"follow_ups": [{"type": "call", "due_on": today}],
        "referrals": [{"to": "gp", "urgency": "within_3_weeks", "reason": "raised reading"}]});
    recorded(&world, "Joy", (152, 95), &all);
    recorded(&world, "Efua", (153, 95), &json!({}));
    recorded(&world, "Ama", (188, 122), &json!({}));
    open(page, "");
    // 1280 wide at 400% is as 320.
    let mut looks = Looks::new(page, (1024, 1024), &[(320, 640), (800, 1280), (1280, 800)]);
    looks.at("today, whole");
    for part in ["urgent", "follow_up", "arrange", "referral", "conflict", "held", "in_hand"] {
        open(page, &format!("?part={part}"));
        looks.at(part);
    }
    open(page, "?part=urgent");
    page.tap_in(&row(page, "Ama Okafor"), "I am on it");
    page.see("You are on it");
    page.tap_in(&row(page, "Ama Okafor"), "Reached");
    page.see("Noted for Ama Okafor: Reached");
    looks.at("today, noted");
    page.tap("Keys");
    page.see("Keys of this page");
    looks.at("today, keys");
    looks.clean();
    world.end();
}
