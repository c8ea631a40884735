//! The lock: who is in front of the tablet, by PIN; nothing is lost behind it.

use std::time::{Duration, Instant};

use serde_json::json;
use wayside_protocol::staff::Pin;
use wayside_server::api::team;
use wayside_tests::browser::Screen;

use crate::people::reading;
use crate::world::{World, target};

/// What the server's pages would do, by the functions behind them.
fn member(world: &World, name: &str, pin: &str) -> String {
    let base = world.demo.server.base();
    let team = world.demo.tablets[0].tablet.teams().unwrap().remove(0).id;
    let id = team::add_member(base, team, "coordinator", name, "nurse").unwrap();
    team::set_pin(base, team, "coordinator", &id, None, &Pin::parse(pin).unwrap()).unwrap();
    id
}

/// Until the tablet holds so many members' PINs. It hears of each by itself, too.
fn pins_arrive(world: &World, count: usize) {
    let tablet = &world.demo.tablets[0].tablet;
    let until = Instant::now() + Duration::from_secs(30);
    while tablet.staff().unwrap().iter().filter(|member| member.has_pin).count() < count {
        assert!(Instant::now() < until, "the PINs never came");
        world.runtime.block_on(tablet.sync(|_| {}));
    }
}

fn sign_in(tablet: &Screen, name: &str, pin: &str) {
    tablet.see("Who are you?");
    tablet.tap_in("#lock", name);
    tablet.see("Type your PIN");
    tablet.keys(pin);
}

fn clean(tablet: &Screen, screen: &str) {
    for (width, height) in [(320, 640), (800, 1280), (1280, 800)] {
        tablet.resize(width, height);
        assert!(!tablet.scrolls_sideways(), "{screen} at {width} px");
        assert_eq!(
            tablet.axe(&target().join("tools/axe/axe.min.js")),
            Vec::<String>::new(),
            "{screen} at {width} px"
        );
    }
    tablet.resize(768, 1024);
}

#[test]
fn a_pin_gates_the_screen_and_what_was_typed_stays_behind_it() {
    let Some(world) = World::start() else { return };
    let tablet = &world.tablet;
    world.at_the_mosque();
    tablet.tap("New person");
    tablet.type_into("Given name", "Halima");

    // The team gets a list of its staff: from the next sync on nobody unknown goes on here.
    member(&world, "Ayesha Noor", "402915");
    let second = member(&world, "Tom Field", "771204");
    pins_arrive(&world, 2);
    tablet.see("Who are you?");
    clean(tablet, "who are you");
    let hidden = "return document.getElementById('main').hidden && document.getElementById('bar').hidden";
    assert_eq!(tablet.run(hidden, json!([])), true);

    tablet.tap_in("#lock", "Ayesha Noor");
    tablet.see("Type your PIN");
    clean(tablet, "pin");
    tablet.keys("402916");
    tablet.see("This PIN is not correct.");
    tablet.keys("402915");
    tablet.see("Next: blood pressure");
    let typed = "return document.getElementById('given').value";
    assert_eq!(tablet.run(typed, json!([])), "Halima", "what was typed before the lock");

    // Left alone for longer than five minutes.
    tablet.run(
        "const now = Date.now; Date.now = () => now() + 301000; document.dispatchEvent(new Event('visibilitychange'))",
        json!([]),
    );
    tablet.see("Who are you?");
    for _ in 0..5 {
        sign_in(tablet, "Tom Field", "111999");
        tablet.until(
            "the answer",
            "return document.querySelector('#lock .error')?.textContent !== '' && !document.querySelector('.dot.on')",
            json!([]),
        );
        tablet.tap("Not me");
    }
    // Whoever is locked is let in by a code from base; others are not affected.
    tablet.tap_in("#lock", "Tom Field");
    tablet.tap("I forgot it, or I am locked");
    tablet.see("read these digits out");
    clean(tablet, "unlock");
    let digits = tablet.run("return document.querySelector('.challenge').textContent", json!([]));
    let team = world.demo.tablets[0].tablet.teams().unwrap().remove(0).id;
    let codes = team::unlock(world.demo.server.base(), team, &second, digits.as_str().unwrap()).unwrap();
    tablet.type_into("The code that they read", "00000000");
    tablet.type_into("A new PIN", "590318");
    tablet.tap("Sign in");
    tablet.see("This unlock code is not correct.");
    tablet.type_into("The code that they read", &codes[0].code);
    tablet.tap("Sign in");
    tablet.see("Next: blood pressure");
    assert_eq!(tablet.run(typed, json!([])), "Halima", "another member goes on with it");

    // In whose name it is recorded, and locked by hand.
    tablet.type_into("Family name", "Begum");
    tablet.tap("Next: blood pressure");
    tablet.see("Systolic");
    tablet.tap("Lock: Tom Field");
    tablet.see("Who are you?");
    tablet.run("location.reload()", json!([]));
    sign_in(tablet, "Tom Field", "590318");
    tablet.see("Systolic");
    tablet.see("All at base");
    reading(tablet, "128", "82");
    tablet.tap("Write down a call");
    tablet.see("Whom did you phone?");
    tablet.run("document.getElementById('to').value = 'gp'", json!([]));
    tablet.tap("No answer");
    tablet.tap("Save this call");
    let named = "return document.querySelector('.arranged')?.innerText.includes('Tom Field')";
    tablet.until("the call with a name, not an id", named, json!([]));
    let other = &world.demo.tablets[2].tablet;
    world.runtime.block_on(other.sync(|_| {}));
    let person = other.search("halima begum", wayside_client_core::Page::default()).unwrap().remove(0);
    assert_eq!(person["created"]["by"], second);
    // The browser notes the answers 403 that were asked for here.
    tablet.complaints();
    world.end();
}
