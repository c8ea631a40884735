//! Whole tablets, and a base that is a few lines long.

mod archive;
mod base;
mod find;
mod guiding;
mod net;
mod observing;
mod orders;
mod recording;
mod refused;
mod restore;
mod skew;
mod staff;
mod syncing;

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{By, Env, Key, ManualClock, RecordId, Recorded, Shown, Tablet};

const KEY: Key = Key::from_bytes([7; 32]);
/// 2026-11-20T13:00:00Z
const NOW: i64 = 1_795_179_600_000;

struct Kit {
    tablet: Tablet,
    clock: Arc<ManualClock>,
    dir: TempDir,
    seed: u64,
}

impl Kit {
    fn new(seed: u64) -> Kit {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(NOW));
        let tablet = Tablet::open_with(dir.path(), &KEY, Env::seeded(seed, clock.clone())).unwrap();
        Kit { tablet, clock, dir, seed }
    }

    /// The same tablet in another run.
    fn reopen(&mut self) {
        self.seed += 1000;
        let env = Env::seeded(self.seed, self.clock.clone());
        self.tablet = Tablet::open_with(self.dir.path(), &KEY, env).unwrap();
    }

    fn public(&self) -> [u8; 32] {
        let inner = &self.tablet.0;
        inner.store.read(|conn| inner.identity(conn)).unwrap().public
    }

    fn record(&self) -> Recorded {
        self.tablet.record(line(), &by()).unwrap()
    }

    fn show(&self, id: RecordId) -> Value {
        self.shown(id).json
    }

    fn shown(&self, id: RecordId) -> Shown {
        self.tablet.show(id).unwrap()
    }

    /// The id of a contact's only uncorrected reading.
    fn reading(&self, contact: RecordId) -> String {
        let json = self.show(contact);
        let readings = json["bp"]["readings"].as_object().unwrap();
        readings.iter().find(|(_, reading)| reading.get("corrects").is_none()).unwrap().0.clone()
    }
}

fn by() -> By {
    By::staff("nurse-01")
}

fn line() -> Value {
    json!({
        "session": {"site": "Masjid Al-Noor", "date": "2026-11-20", "setting": "pop_up"},
        "person": {"name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1968-02-03",
            "nhs_number": "999 000 0018", "phone": "07700 900123"},
        "contact": {"started_at": "2026-11-20T13:05:00Z", "reason": "walk_up",
            "bp": {"readings": [{"taken_at": "2026-11-20T13:06:00Z", "systolic": 152, "diastolic": 94, "arm": "left"}]}}
    })
}
