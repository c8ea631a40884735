//! What every test here begins with: the demo after its day, two screens, and somebody at each.

use std::{fs::File, path::PathBuf, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wayside_tablet::ui;
use wayside_tests::{
    browser::{self, Driver, Screen},
    demo::{Demo, DemoPlan, Live},
};

pub const MOSQUE: &str = "Masjid Al-Noor";

pub struct World {
    // Dropped in this order: the browsers first, the lock last.
    pub tablet: Screen,
    pub coordinator: Screen,
    pub driver: Arc<Driver>,
    pub live: Live,
    pub demo: Demo,
    pub runtime: Runtime,
    _dir: TempDir,
    _turn: File,
}

/// One at a time, over threads and processes: a second is measured here, and browsers are hungry.
pub fn turn() -> File {
    let turn = File::create(target().join("tmp/one-browser-test-at-a-time")).unwrap();
    turn.lock().unwrap();
    turn
}

impl World {
    /// `None` where somebody said that there is no browser.
    pub fn start() -> Option<World> {
        if browser::skipped() {
            return None;
        }
        let turn = turn();
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let date = Timestamp::now().to_zoned(TimeZone::UTC).date().yesterday().unwrap();
        let (demo, live) = runtime.block_on(async {
            let plan = DemoPlan { seed: 20_261_120, contacts: 9, date };
            let mut demo = Demo::start(dir.path(), plan).await.unwrap();
            demo.tell(&mut std::io::sink()).await.unwrap();
            let live = demo.go_live(false).await.unwrap();
            (demo, live)
        });
        let driver = Driver::start();
        let tablet = Screen::open(&driver, 768, 1024);
        tablet.go(&live.tablet_url);
        tablet.see("Where are you today?");
        let coordinator = Screen::open(&driver, 1024, 1024);
        coordinator.go(&live.coordinator_url);
        coordinator.see("What to do next");
        Some(World { tablet, coordinator, driver, live, demo, runtime, _dir: dir, _turn: turn })
    }

    /// The mosque's session of today, from the first screen.
    pub fn at_the_mosque(&self) {
        begin(&self.tablet);
    }

    /// Ends everything; nothing may have gone wrong in the pages unseen.
    pub fn end(self) {
        for screen in [&self.tablet, &self.coordinator] {
            // A form that refuses what was typed answers 422, which the browser writes down as well.
            let complaints: Vec<String> =
                screen.complaints().into_iter().filter(|said| !said.contains("status of 422")).collect();
            assert_eq!(complaints, Vec::<String>::new());
        }
        let World { tablet, coordinator, driver, live, demo, runtime, .. } = self;
        drop((tablet, coordinator, driver));
        runtime.block_on(async {
            live.stop().await;
            demo.stop().await.unwrap();
        });
    }
}

/// The page of one of the demo's own tablets, with somebody in front of it. Its link has no switch: the test cuts it.
pub struct Another {
    pub screen: Screen,
    page: ui::Running,
}

impl World {
    /// `staff` is in whose name it records.
    pub fn another(&self, tablet: usize, staff: &str) -> Another {
        let options = ui::UiOptions { staff: Some(staff.into()), ..ui::UiOptions::default() };
        let tablet = self.demo.tablets[tablet].tablet.clone();
        let page = self.runtime.block_on(ui::serve(tablet, options)).unwrap();
        let screen = Screen::open(&self.driver, 800, 1280);
        screen.go(&page.url);
        screen.see("Where are you today?");
        Another { screen, page }
    }
}

impl Another {
    pub fn end(self, world: &World) {
        assert_eq!(self.screen.complaints(), Vec::<String>::new());
        drop(self.screen);
        world.runtime.block_on(self.page.shutdown());
    }
}

/// Begins today's session at the mosque, on the page that is shown first.
pub fn begin(tablet: &Screen) {
    tablet.tap(MOSQUE);
    tablet.tap("Pop-up");
    tablet.see("New check");
}

/// The target folder, where tests/run puts tools.
pub fn target() -> PathBuf {
    let tmp = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&tmp).unwrap();
    tmp.parent().unwrap().to_owned()
}
