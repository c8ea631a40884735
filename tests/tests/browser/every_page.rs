//! Every page in the server's list of addresses, filters included: a new one is looked at here as soon as a page links
//! to it, and fails the test as long as none does.

use std::{collections::BTreeMap, io::sink};

use serde_json::json;
use wayside_tests::{
    browser::{self, Driver, Screen},
    desk::{Desk, Found, telling},
    years::{self, ADMINISTRATOR, Plan},
};

use crate::{wcag::Looks, world::turn};

/// A phone, a tablet, a desk; and a desk at 400%.
const SIZES: &[(u32, u32)] = &[(320, 640), (800, 1280), (1280, 800), (320, 256)];
/// Of one page, so many: one as it is and one with filters.
const EXAMPLES: usize = 2;

#[test]
fn every_page_in_the_list_of_addresses_is_accessible() {
    if browser::skipped() {
        return;
    }
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let (base, plan) = (dir.path().join("base"), Plan::small());
    years::make(&base, &plan, &mut sink()).unwrap();
    let desk = Desk::open(&base, &plan).unwrap();
    let found = desk.addresses(&mut desk.client().unwrap(), &telling(&base).unwrap()).unwrap();
    let Found { addresses, missing } = found;
    assert_eq!(missing, Vec::<&str>::new(), "no page links to one of these");

    let driver = Driver::start();
    let screen = Screen::open(&driver, 1280, 800);
    screen.go(&desk.link(ADMINISTRATOR).unwrap());
    screen.see("Sign out");
    let mut looks = Looks::new(&screen, (1280, 800), SIZES);
    let mut codes = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for address in addresses.iter().filter(|address| address.is_page()) {
        let count = seen.entry(address.route).or_default();
        *count += 1;
        if *count > EXAMPLES {
            continue;
        }
        screen.go(&format!("{}{}", desk.url(), address.path));
        // All of it, also what is folded away.
        screen.run("document.querySelectorAll('details').forEach((one) => (one.open = true))", json!([]));
        let found = screen.run(CODES, json!([]));
        let wrong = found != json!([]) && !FOR_PROGRAMS.contains(&address.route);
        codes.extend(wrong.then(|| format!("{}: {found}", address.path)));
        looks.at(&address.path);
        screen.resize(320, 256);
        let covered = screen.run(COVERED, json!([]));
        assert_eq!(
            covered,
            json!(false),
            "{}: what stays in place covers half of a desk at 400%",
            address.path
        );
    }
    assert_eq!(codes, Vec::<String>::new(), "codes where there should be words");
    looks.clean();
    // Chromium notes nothing else: no script fails, nothing is asked of another server.
    assert_eq!(screen.complaints(), Vec::<String>::new());
    drop((screen, driver));
    desk.stop().unwrap();
}

/// Where people who write programs look codes up.
const FOR_PROGRAMS: &[&str] = &["/api", "/extracts/dictionary"];

/// What looks like a code.
const CODES: &str = r"return [...new Set(document.body.innerText.match(/\b[a-z0-9]+_[a-z0-9_]+\b/g))]";

/// Whether what does not scroll with the page leaves less than half of the screen to it.
const COVERED: &str = "return [...document.querySelectorAll('body *')]\
    .filter((e) => ['fixed', 'sticky'].includes(getComputedStyle(e).position) && e.checkVisibility())\
    .some((e) => e.getBoundingClientRect().height > innerHeight / 2)";
