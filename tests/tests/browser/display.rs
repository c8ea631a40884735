//! Large text, high contrast, another language, and what staff are told once: chosen on the tablet, kept there, and
//! shutting nobody out.

use std::{collections::BTreeMap, fs};

use serde_json::json;
use wayside_client_core::{By, Key, Kind, Tablet};
use wayside_tablet::ui;
use wayside_tests::{browser::Screen, field::copy_dir};

use crate::{
    people::{known_person, new_person, reading},
    wcag::Looks,
    world::{MOSQUE, World, begin},
};

/// A phone; 1280 px at 400 %; a tablet on end and on its side.
const SIZES: &[(u32, u32)] = &[(320, 640), (320, 256), (800, 1280), (1280, 800)];

#[test]
fn large_text_and_high_contrast_fit_every_screen_and_stay_chosen() {
    let Some(world) = World::start() else { return };
    let tablet = &world.tablet;
    let mut looks = Looks::new(tablet, (768, 1024), SIZES);
    tablet.tap("Text and contrast");
    tablet.see("About this page");
    looks.at("settings");
    tablet.tap("Very large");
    tablet.tap("High");
    let chosen = "const { text, contrast } = document.documentElement.dataset; return text === 'largest' && contrast === 'high'";
    tablet.until("the choice to show", chosen, json!([]));
    looks.at("settings, very large");
    tablet.tap_in("#settings", "Done");
    tablet.see("Where are you today?");
    looks.at("start");
    begin(tablet);
    looks.at("today, empty");
    tablet.tap("New person");
    tablet.type_into("Given name", "Yusuf");
    tablet.tap("Text and contrast");
    tablet.see("About this page");
    tablet.tap_in("#settings", "Done");
    let typed = "return document.getElementById('given').value";
    assert_eq!(tablet.run(typed, json!([])), "Yusuf", "what was typed is still there");
    tablet.type_into("Given name", "\u{e003}");
    tablet.tap("Next: blood pressure");
    tablet.until("what is missing", "return document.querySelector('[aria-invalid]') !== null", json!([]));
    looks.at("person, refused");
    tablet.tap("Back");
    new_person(tablet, "Yusuf", "Rahman");
    looks.at("pressure");
    reading(tablet, "185", "100");
    tablet.see("Very high. Ask these now");
    looks.at("flags");
    tablet.tap_in("[data-flag=chest_pain]", "Yes");
    tablet.see("Call 999 now");
    looks.at("emergency");
    tablet.tap("999 has been called");
    tablet.see("Readings");
    looks.at("check");
    for (button, words) in [
        ("Result card", "Your blood pressure"),
        ("Refer", "To whom?"),
        ("Enter a diary", "First day"),
        ("Health check", "Which check?"),
    ] {
        tablet.tap(button);
        tablet.see(words);
        looks.at(button);
        tablet.tap("Back");
        tablet.see("Readings");
    }
    tablet.tap("Finish");
    // The day of the demo ends with a person whom two tablets call by different names.
    known_person(tablet, "amina", "Amina");
    reading(tablet, "128", "82");
    tablet.tap("Look and settle");
    tablet.see("Both are kept until you choose.");
    looks.at("settle");
    tablet.run("location.reload()", json!([]));
    tablet.until("the choice to be there again", chosen, json!([]));
    looks.clean();
    world.end();
}

#[test]
fn another_language_speaks_on_every_screen_and_translates_nobodys_name() {
    let Some(world) = World::start() else { return };
    let tablet = &world.tablet;
    // No translation: what a translator would fill in, in brackets. Urdu runs from right to left.
    let template = include_str!("../../../client-core/tablet/page/phrases.json");
    let template: BTreeMap<String, String> = serde_json::from_str(template).unwrap();
    let phrases: BTreeMap<&String, String> =
        template.keys().map(|phrase| (phrase, format!("[{phrase}]"))).collect();
    let languages = world.demo.data.with_file_name("yours").join("languages");
    fs::create_dir_all(&languages).unwrap();
    fs::write(languages.join("ur.json"), json!({"name": "Brackets", "phrases": phrases}).to_string())
        .unwrap();
    fs::write(languages.join("ur.ftl"), "category-HIGH = [Raised reading]\n").unwrap();

    tablet.tap("Text and contrast");
    tablet.see("About this page");
    tablet.choose("Language of this page", "Brackets");
    tablet.see("[Where are you today?]");
    let root = "return [document.documentElement.lang, document.documentElement.dir]";
    assert_eq!(tablet.run(root, json!([])), json!(["ur", "rtl"]));
    let mut looks = Looks::new(tablet, (768, 1024), &[(320, 640), (768, 1024)]);
    tablet.tap("[Text and contrast]");
    tablet.see("[About this page]");
    looks.at("settings, another language");
    tablet.tap_in("#settings", "[Done]");
    tablet.see("[All at base, [just now]]");
    tablet.tap(MOSQUE);
    tablet.tap("[Pop-up]");
    tablet.see("[New check]");
    looks.at("today");
    tablet.tap("[New person]");
    // A name that is also one of the page's words.
    tablet.type_into("[Given name]", "Back");
    tablet.type_into("[Family name]", "Park");
    tablet.type_into("[Date of birth]", "03021968");
    tablet.tap("[Next: blood pressure]");
    tablet.see("[Systolic]");
    assert!(tablet.shows("Back Park") && !tablet.shows("[Back]"), "{}", tablet.text());
    looks.at("pressure");
    for digits in ["152", "94"] {
        tablet.keys(digits);
    }
    tablet.tap("[Done]");
    // What the rules say, too.
    tablet.see("[Raised reading]");
    looks.at("check");
    tablet.tap("[History]");
    tablet.see("Back Park");
    let heading =
        |screen: &Screen| screen.run("return document.querySelector('main h1').innerText", json!([]));
    assert_eq!(heading(tablet), "Back Park");
    tablet.run("location.reload()", json!([]));
    tablet.see("[Details]");
    assert_eq!(heading(tablet), "Back Park");
    looks.clean();

    // Back to English: nothing of it is left.
    tablet.tap("[Text and contrast]");
    tablet.choose("[Language of this page]", "English");
    tablet.no_longer_see("[");
    world.end();
}

#[test]
fn a_tablet_that_was_copied_says_so_until_somebody_puts_it_away() {
    let Some(world) = World::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let key = Key::from_bytes([9; 32]);
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let code = wayside_server::enrol_code(&world.demo.data, "Leeds East outreach", None).unwrap();
    let sync = |tablet: &Tablet| {
        let report = world.runtime.block_on(tablet.sync(|_| {}));
        assert!(report.error.is_none(), "{:?}", report.error);
    };
    {
        let original = Tablet::open(&first, &key).unwrap();
        world.runtime.block_on(original.enrol(&code, "Van 3")).unwrap();
        sync(&original);
    }
    copy_dir(&first, &second);
    {
        // The one goes on; what the other shows of itself is from before.
        let original = Tablet::open(&first, &key).unwrap();
        for name in ["Kirkgate Market", "Roundhay Road shops"] {
            original
                .create(Kind::Site, json!({"name": name, "type": "market"}), &By::staff("nurse-01"))
                .unwrap();
            sync(&original);
        }
    }
    let copy = Tablet::open(&second, &key).unwrap();
    sync(&copy);
    let told = copy.status().unwrap().notices.remove(0);
    assert_eq!(told.code, "tablet_copied");

    let options = ui::UiOptions { staff: Some("nurse-01".into()), ..ui::UiOptions::default() };
    let page = world.runtime.block_on(ui::serve(copy, options)).unwrap();
    let screen = Screen::open(&world.driver, 800, 1280);
    screen.go(&page.url);
    screen.see(told.message);
    let mut looks = Looks::new(&screen, (800, 1280), SIZES);
    looks.at("notice");
    screen.tap_in("#notices", "Understood");
    screen.no_longer_see(told.message);
    screen.run("location.reload()", json!([]));
    screen.see("Where are you today?");
    assert!(!screen.shows(told.message), "put away for good");
    looks.clean();
    assert_eq!(screen.complaints(), Vec::<String>::new());
    drop(screen);
    world.runtime.block_on(page.shutdown());
    world.end();
}
