//! The calendar of sessions and one of them; what disagrees, settled by two coordinators at once; the letter.

use serde_json::json;
use wayside_client_core::Page;
use wayside_tests::browser::Screen;

use crate::{
    wcag::Looks,
    world::{MOSQUE, World},
};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

const SIZES: &[(u32, u32)] = &[(320, 640), (800, 1280), (1280, 800)];

/// Whether something is there on paper.
fn on_paper(screen: &Screen, selector: &str) -> bool {
    let shown = "return [...document.querySelectorAll(arguments[0])].some((one) => one.checkVisibility())";
    screen.run(shown, json!([selector])) == true
}

#[test]
fn a_session_is_found_in_the_calendar_by_keyboard_and_printed() {
    let Some(world) = World::start() else { return };
    let page = &world.coordinator;
    let mut looks = Looks::new(page, (1280, 1024), SIZES);
    page.resize(1280, 1024);
    page.tap("Sessions");
    // All days of a month, in columns.
    page.until(
        "the calendar",
        "return document.querySelectorAll('.app-month__number').length >= 28",
        json!([]),
    );
    looks.at("sessions");
    // On a phone days without a session are not there, and what is there says its whole date.
    page.resize(320, 640);
    let days = "return [...document.querySelectorAll('.app-month td')].filter((one) => one.checkVisibility())\
        .map((one) => one.innerText)";
    let days = page.run(days, json!([]));
    assert!((1..=3).contains(&days.as_array().unwrap().len()), "{days}");
    assert!(days[0].as_str().unwrap().contains("day "), "{days}");
    page.resize(1280, 1024);
    page.tap("List");
    page.see("Sessions, the latest first");
    looks.at("sessions, list");
    page.tap("Calendar");
    page.until("the calendar", "return document.querySelector('.app-month') !== null", json!([]));
    // By keys alone: from link to link to the session.
    let at_it = "return document.activeElement.closest('.app-month') !== null \
        && document.activeElement.innerText.includes(arguments[0])";
    for _ in 0..60 {
        if page.run(at_it, json!([MOSQUE])) == true {
            break;
        }
        page.press(&[TAB]);
    }
    page.press(&[ENTER]);
    page.see("What has not arrived yet");
    page.see("People seen over time");
    looks.at("session");
    // The bars say the same as their table.
    let bars = "return document.querySelectorAll('rect.app-chart__bar').length";
    let rows = "return document.querySelectorAll('#over-time-table tbody tr').length";
    let (bars, rows) = (page.run(bars, json!([])), page.run(rows, json!([])));
    assert!(bars == rows && bars.as_u64() > Some(0), "{bars} {rows}");
    page.media("print");
    for hidden in ["nav", "button", "main form", ".nhsuk-back-link"] {
        assert!(!on_paper(page, hidden), "{hidden} on paper");
    }
    assert!(on_paper(page, "h1") && on_paper(page, ".app-table") && on_paper(page, ".app-chart"));
    page.media("");
    looks.clean();
    world.end();
}

/// Opens the person whom two tablets call by different names.
fn open_amina(screen: &Screen, world: &World) {
    let origin = screen.run("return location.origin", json!([]));
    let amina = world.demo.tablets[0].tablet.find_people("amina", Page::default()).unwrap().remove(0);
    screen.go(&format!("{}/people/{}", origin.as_str().unwrap(), amina.id));
    screen.see("To settle");
}

#[test]
fn two_coordinators_who_settle_the_same_conflict_at_once_see_both_decisions_and_agree() {
    let Some(world) = World::start() else { return };
    let one = &world.coordinator;
    let url = world.runtime.block_on(world.demo.sign_in("dora")).unwrap();
    let other = Screen::open(&world.driver, 1024, 1024);
    other.go(&url);
    other.until("the first page", "return document.querySelector('main h1') !== null", json!([]));
    for screen in [one, &other] {
        open_amina(screen, &world);
    }
    let mut looks = Looks::new(one, (1024, 1024), SIZES);
    looks.at("person, to settle");
    // Both begin before either has decided.
    let form = "form[action$=settle]";
    let first =
        "return document.querySelectorAll('form[action$=settle] .nhsuk-radios__item label')[0].innerText";
    let value = one.run(first, json!([]));
    let value = value.as_str().unwrap().trim().to_owned();
    one.tap_in(form, &value);
    one.type_into("Why", "Phoned her");
    other.tap_in(form, "Another value");
    other.type_into("The other value", "Kahan");
    other.type_into("Why", "Saw her letter");
    one.tap("Settle");
    one.no_longer_see("To settle");
    // The other is told that the page has changed, and goes on with what is typed.
    other.see("This page has changed since you opened it.");
    other.tap("Settle");
    // Both decisions stand.
    other.see("Kahan");
    assert!(other.shows("To settle") && other.shows(&value));
    // The first one's page says so too, without being asked.
    one.see("To settle");
    // Now on what both have left.
    other.tap_in(form, "Kahan");
    other.type_into("Why", "Agreed on the phone");
    other.tap("Settle");
    other.no_longer_see("To settle");
    one.no_longer_see("To settle");
    for screen in [one, &other] {
        for why in ["Why: Phoned her", "Why: Saw her letter", "Why: Agreed on the phone"] {
            screen.see(why);
        }
    }
    // Every value that the name ever had, who wrote it and where.
    other.tap("Every value of each field");
    let rows = "return [...document.querySelectorAll('#every-value tbody tr')].map((row) => row.innerText)\
        .filter((row) => /name/.test(row))";
    let rows = other.run(rows, json!([]));
    assert!(rows.as_array().unwrap().len() >= 5, "{rows}");
    assert!(rows.to_string().contains("dora") && rows.to_string().contains("This server"), "{rows}");
    looks.at("person, settled");
    looks.clean();
    assert_eq!(other.complaints(), Vec::<String>::new());
    drop(other);
    world.end();
}

#[test]
fn the_letter_is_printed_for_the_person_alone_unless_they_agreed() {
    let Some(world) = World::start() else { return };
    let page = &world.coordinator;
    let mut looks = Looks::new(page, (1024, 1024), SIZES);
    open_amina(page, &world);
    page.see("Readings over time");
    page.tap_in(".app-story", "Check");
    page.see("About this check");
    assert!(page.shows("Raised: upper 140"), "the thresholds are named");
    looks.at("check");
    page.tap("Letter about this check");
    page.see("No letter to the practice.");
    looks.at("letter");
    page.media("print");
    assert!(!on_paper(page, ".nhsuk-inset-text") && on_paper(page, "#for-person"));
    page.media("");
    looks.clean();
    world.end();
}
