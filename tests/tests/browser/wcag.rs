//! Every screen and every page, on everything from a phone to a landscape tablet: axe-core finds nothing, and
//! nothing is wider than the screen.

use serde_json::json;
use wayside_tests::browser::Screen;

use crate::{
    people::{BORN, known_person, new_person, reading, type_person},
    world::{MOSQUE, World, begin, target},
};

const SIZES: &[(u32, u32)] = &[(320, 640), (768, 1024), (1024, 768), (1280, 800)];

/// Looks at one screen in every size; what is wrong is collected, so that one run tells everything.
pub struct Looks<'a> {
    screen: &'a Screen,
    /// As it is used.
    size: (u32, u32),
    sizes: &'a [(u32, u32)],
    found: Vec<String>,
}

impl<'a> Looks<'a> {
    pub fn new(screen: &'a Screen, size: (u32, u32), sizes: &'a [(u32, u32)]) -> Looks<'a> {
        Looks { screen, size, sizes, found: Vec::new() }
    }

    pub fn clean(self) {
        let found = self.found;
        assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
    }

    pub fn at(&mut self, name: &str) {
        for &(width, height) in self.sizes {
            self.screen.resize(width, height);
            // What moves has come to rest.
            let still = "return document.getAnimations().every((one) => one.playState !== 'running' \
                || one.effect.getTiming().iterations === Infinity)";
            self.screen.until("everything to stand still", still, json!([]));
            if self.screen.scrolls_sideways() {
                let widest = "return [...document.querySelectorAll('body *')]\
                    .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)\
                    .slice(0, 4).map((e) => e.outerHTML.slice(0, 120))";
                let widest = self.screen.run(widest, json!([]));
                self.found.push(format!("{name}, {width} px: scrolls sideways: {widest}"));
            }
            // The narrowest and one tablet: other sizes lay out the same things.
            if width <= 800 && height >= 640 {
                let axe = self.screen.axe(&target().join("tools/axe/axe.min.js"));
                self.found.extend(axe.into_iter().map(|finding| format!("{name}, {width} px: {finding}")));
            }
        }
        self.pictures(name);
        self.screen.resize(self.size.0, self.size.1);
    }

    /// With `WAYSIDE_LOOKS` every screen goes into that folder, for people to look at.
    fn pictures(&self, name: &str) {
        let Some(dir) = std::env::var_os("WAYSIDE_LOOKS") else { return };
        for (width, height) in [(360, 640), (800, 1280), (1280, 800)] {
            self.screen.resize(width, height);
            let file = std::path::Path::new(&dir).join(format!("{} {width}.png", name.replace('/', "-")));
            std::fs::write(file, self.screen.whole_picture()).unwrap();
        }
    }
}

#[test]
fn every_screen_of_the_tablet_is_accessible() {
    let Some(world) = World::start() else { return };
    let tablet = &world.tablet;
    let mut looks = Looks::new(tablet, (768, 1024), SIZES);
    looks.at("start");
    tablet.tap("Another site");
    tablet.see("Name of the site");
    looks.at("site");
    tablet.tap("Save this site");
    tablet.see("Type the site’s name.");
    looks.at("site, refused");
    tablet.tap("Back");
    tablet.tap(MOSQUE);
    looks.at("start, site chosen");
    begin(tablet);
    looks.at("today, empty");
    tablet.tap("New person");
    tablet.see("Given name");
    looks.at("person");
    tablet.type_into("NHS number", "999 000 0010");
    tablet.type_into("Phone", "x");
    tablet.tap("Next: blood pressure");
    tablet.see("There is no number in this.");
    looks.at("person, refused");
    tablet.tap("Back");

    new_person(tablet, "Yusuf", "Rahman");
    looks.at("pressure");
    reading(tablet, "69", "45");
    tablet.see("Measure again");
    looks.at("pressure, asked again");
    tablet.tap("Measure again");
    reading(tablet, "185", "100");
    tablet.see("Very high. Ask these now");
    looks.at("flags");
    tablet.tap("None of these: go on");
    tablet.see("Answer every question");
    looks.at("flags, missing");
    tablet.tap_in("[data-flag]:last-of-type", "Yes");
    tablet.see("Call 999 now");
    looks.at("emergency");
    tablet.tap("999 has been called");
    tablet.see("Readings");
    looks.at("contact");
    for (button, words) in [
        ("Health check", "Which check?"),
        ("Result card", "Your blood pressure"),
        ("Refer", "To whom?"),
        ("Write down a call", "Whom did you phone?"),
        ("Lend a monitor", "Which monitor?"),
        ("Enter a diary", "First day"),
        ("Come back to this", "What for?"),
        ("Entered in error", "Why should this check not be here?"),
        ("Correct 185/100", "Correct a reading"),
        ("History", "First recorded"),
    ] {
        tablet.tap(button);
        tablet.see(words);
        looks.at(button);
        tablet.tap("Back");
        tablet.see("Readings");
    }
    tablet.tap("Come back to this");
    tablet.tap("In a week");
    tablet.tap("Save");
    tablet.tap("What became of: Measure again");
    tablet.see("What became of it?");
    tablet.tap("Not reached");
    looks.at("outcome");
    tablet.tap("Back");
    tablet.see("Readings");
    tablet.tap("Details");
    tablet.see("Ethnic category");
    looks.at("details");
    tablet.tap("Back");
    tablet.tap("Park");
    tablet.see("Resume");
    looks.at("today");
    tablet.tap("To follow up");
    tablet.see("To come");
    looks.at("to follow up");
    tablet.tap("Back");
    type_person(tablet, "Yusuf", "Rahman", BORN);
    tablet.see("Is this the same person?");
    looks.at("alike");
    tablet.tap("Use this person");
    tablet.see("Systolic");
    looks.at("pressure, known");
    tablet.tap("Back");
    tablet.tap("Known person");
    tablet.see("Today’s people");
    looks.at("find");
    tablet.type_into("Name, date of birth", "zz");
    tablet.see("Nobody like that");
    looks.at("find, nobody");
    tablet.tap("Back");
    // The day of the demo ends with a person whom two tablets call by different names.
    known_person(tablet, "amina", "Amina");
    reading(tablet, "128", "82");
    tablet.see("Two people wrote different things here.");
    looks.at("contact, disagrees");
    tablet.tap("Look and settle");
    tablet.see("Both are kept until you choose.");
    looks.at("settle");
    tablet.tap("Back");
    tablet.see("Records that disagree");
    looks.at("to settle");
    tablet.tap("No signal");
    tablet.see("No signal. Nothing waiting");
    looks.at("no signal");
    looks.clean();
    world.end();
}

#[test]
fn every_page_of_the_coordinator_is_accessible() {
    let Some(world) = World::start() else { return };
    let page = &world.coordinator;
    let mut looks = Looks::new(page, (1024, 1024), SIZES);
    looks.at("today");
    page.tap("Today’s checks only");
    page.see("Nothing here.");
    looks.at("today, empty");
    page.tap("Any day");
    page.tap("Amina");
    page.see("About this check");
    looks.at("check");
    page.tap_in("main", "Amina");
    page.see("To settle");
    looks.at("person");
    page.tap("Quarantine");
    page.see("Nothing is held.");
    looks.at("quarantine");
    page.tap("Sessions");
    page.see(MOSQUE);
    looks.at("sessions");
    page.tap_in("#live-list", MOSQUE);
    page.see("All sessions");
    looks.at("session");
    page.tap("History of this session's record");
    page.see("History");
    looks.at("record");
    // A session is no person.
    page.go(&page.url().replace("/records/", "/people/"));
    page.see("Go back to look at the record again");
    looks.at("problem");
    page.tap_in("main", "Today");
    page.tap("Sign out");
    page.see("Sign in");
    looks.at("sign in");
    page.type_into("Name", "nobody");
    page.type_into("Password", "wrong");
    page.tap_in("form", "Sign in");
    page.see("There is a problem");
    looks.at("sign in, refused");
    looks.clean();
    // The browser notes the answers 403 and 404 that were asked for here.
    page.complaints();
    world.end();
}
