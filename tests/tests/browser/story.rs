//! What makes somebody understand this product in one minute.

use std::{fs, io::ErrorKind, net::TcpStream, path::Path};

use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::json;
use wayside_client_core::By;
use wayside_tests::browser::Screen;

use crate::{
    people::{new_person, no_red_flags, reading},
    world::{MOSQUE, World},
};

/// Notes the moment at which the name is the first on Today, whatever the test does meanwhile.
const WATCH: &str = r#"
const [name] = arguments;
window.sameDocument = true;
window.firstSeen = null;
const look = () => {
  const first = document.querySelector('#live-list .app-thing');
  if (window.firstSeen === null && first?.innerText.includes(name)) window.firstSeen = Date.now();
};
new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
"#;

/// Notes when the switch is tapped.
const WATCH_SWITCH: &str = r#"
window.switchedAt = null;
document.addEventListener("click", (event) => {
  if (event.target.closest("[role=switch]")) window.switchedAt = Date.now();
}, { capture: true });
"#;

#[test]
fn a_check_without_signal_is_at_base_a_second_after_the_signal_returns() {
    let Some(world) = World::start() else { return };
    let World { tablet, coordinator, .. } = &world;
    world.at_the_mosque();
    earlier_today(&world);
    coordinator.tap("Today’s checks only");
    coordinator.see("Shabana Mirza");
    coordinator.run(WATCH, json!(["Yusuf Rahman"]));

    tablet.tap("No signal");
    tablet.see("No signal. Nothing waiting");
    let refused = TcpStream::connect(world.live.link).map(drop).map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::ConnectionRefused), "the link is really cut");

    new_person(tablet, "Yusuf", "Rahman");
    reading(tablet, "185", "100");
    no_red_flags(tablet);
    tablet.see("Readings");
    tablet.see("Nobody at base can see this yet. Phone now.");
    let chip = tablet.until(
        "the chip to count what waits",
        "const text = document.getElementById('chip').innerText; return / waiting: nobody/.test(text) && text",
        json!([]),
    );
    let chip = chip.as_str().unwrap();
    let waiting = chip.strip_prefix("No signal. ").and_then(|rest| rest.split_whitespace().next());
    assert!(waiting.unwrap().parse::<u32>().unwrap() > 0, "{chip}");
    assert!(chip.contains("nobody at base can see") && chip.contains("Safe on this tablet"), "{chip}");
    let without_signal = tablet.picture();
    assert!(!coordinator.shows("Yusuf Rahman"), "nothing arrives through a cut link");

    tablet.run(WATCH_SWITCH, json!([]));
    tablet.tap("No signal");
    let seen = coordinator.until("the check on top of Today", "return window.firstSeen", json!([]));
    let switched = tablet.run("return window.switchedAt", json!([]));
    let took = seen.as_i64().unwrap() - switched.as_i64().unwrap();
    eprintln!("from signal on to seen by the coordinator: {took} ms");
    assert!((0..1000).contains(&took), "{took} ms");
    assert_eq!(coordinator.run("return window.sameDocument", json!([])), true, "without a reload");
    let first = "return document.querySelector('#live-list .app-thing').innerText";
    let first = coordinator.run(first, json!([]));
    assert!(first.as_str().unwrap().contains("185/100"), "{first}");
    tablet.see("All at base, just now");
    tablet.no_longer_see("Nobody at base can see this yet");

    if std::env::var_os("WAYSIDE_SCREENSHOTS").is_some() {
        pictures(&world, &without_signal, &coordinator.picture());
    }
    world.end();
}

/// Others were here today whom the coordinator has on the list already.
fn earlier_today(world: &World) {
    let ago = |minutes| (Timestamp::now() - SignedDuration::from_mins(minutes)).to_string();
    let people =
        [("Shabana", "Mirza", 152, 94, 41), ("Marek", "Nowak", 168, 102, 26), ("Joy", "Okafor", 146, 91, 12)];
    for (given, family, systolic, diastolic, minutes) in people {
        let line = json!({
            "session": {"site": MOSQUE, "date": Timestamp::now().to_zoned(TimeZone::system()).date().to_string()},
            "person": {"name": {"given": given, "family": family}, "date_of_birth": "1961-07-15"},
            "contact": {"started_at": ago(minutes), "reason": "walk_up", "check_type": "bp_only", "bp": {"readings": [
                {"taken_at": ago(minutes - 2), "systolic": systolic, "diastolic": diastolic, "arm": "left"}]}},
        });
        world.demo.tablets[2].tablet.record(line, &By::staff("volunteer-07")).unwrap();
    }
    let report = world.runtime.block_on(world.demo.tablets[2].tablet.sync(|_| {}));
    assert!(report.error.is_none(), "{:?}", report.error);
}

/// `docs/pages`: the story side by side, drawn by the browser itself.
fn pictures(world: &World, tablet: &[u8], coordinator: &[u8]) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pages");
    fs::create_dir_all(&dir).unwrap();
    let html = format!(
        r#"<!doctype html><html lang="en-GB"><meta charset="utf-8"><title>Story</title><style>
body {{ margin: 0; padding: 28px; background: #e8edee; font: 600 24px/1.3 "DejaVu Sans", sans-serif; color: #212b32;
  display: flex; gap: 28px; }}
figure {{ margin: 0; }} figcaption {{ padding: 0 0 14px; }}
img {{ display: block; border: 10px solid #212b32; border-radius: 18px; }}
</style><figure><figcaption>1. The tablet, without signal</figcaption><img src="data:image/png;base64,{}" alt=""></figure>
<figure><figcaption>2. Signal on: the coordinator, within a second</figcaption>
<img src="data:image/png;base64,{}" alt=""></figure></html>"#,
        BASE64.encode(tablet),
        BASE64.encode(coordinator),
    );
    let page = tempfile::Builder::new().suffix(".html").tempfile().unwrap();
    fs::write(page.path(), html).unwrap();
    let both = Screen::open(&world.driver, 1916, 1156);
    both.go(&format!("file://{}", page.path().display()));
    both.until("the pictures", "return [...document.images].every((image) => image.complete)", json!([]));
    fs::write(dir.join("story.png"), both.picture()).unwrap();
}
