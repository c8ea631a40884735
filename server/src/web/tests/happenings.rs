//! Whatever may happen to people and checks, in whatever order: for copies that somebody keeps by following.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use wayside_protocol::record::{Kind, Record, RecordId};
use wayside_protocol::sync::frame::What;

use super::Desk;
use super::coordinating::very_high;
use crate::log::{self, Made};
use crate::testing::Tablet;

pub struct Happenings {
    tablet: Tablet,
    dice: StdRng,
    people: Vec<Record>,
    checks: Vec<Record>,
    merged: BTreeMap<RecordId, RecordId>,
    step: usize,
}

impl Happenings {
    pub fn new(desk: &Desk, seed: u64) -> Happenings {
        Happenings {
            tablet: desk.site.tablet(),
            dice: StdRng::seed_from_u64(seed),
            people: Vec::new(),
            checks: Vec::new(),
            merged: BTreeMap::new(),
            step: 0,
        }
    }

    pub fn chance(&mut self, of: f64) -> bool {
        self.dice.random_bool(of)
    }

    /// In how large steps a copy follows: the end of an address.
    pub fn limit(&mut self) -> &'static str {
        ["", "&limit=1", "&limit=3"][self.dice.random_range(0..3)]
    }

    /// One thing more, or nothing where there is nobody to whom it could happen. The views do not know of it yet.
    pub fn next(&mut self, desk: &Desk) {
        self.step += 1;
        let Happenings { tablet, dice, people, checks, step, .. } = self;
        let offer = match dice.random_range(0..8) {
            0 | 1 => {
                let fields = json!({"name": {"given": "Amina"}, "date_of_birth": "1968-02-03",
                    "consents": [{"purpose": "share_with_gp", "given": true, "at": "2026-11-17T13:00:00Z"}]});
                let (record, offer) = tablet.begin(Kind::Person, fields);
                people.push(record);
                offer
            }
            2 => {
                let whom = (!people.is_empty()).then(|| people[dice.random_range(0..people.len())].id());
                let (record, offer) = tablet.begin(Kind::Contact, very_high(whom, &json!({})));
                checks.push(record);
                offer
            }
            // Merged into somebody, or taken apart.
            3 if !people.is_empty() => {
                let at = dice.random_range(0..people.len());
                let (id, into) = (people[at].id(), people[dice.random_range(0..people.len())].id());
                let into = (into != id && dice.random_bool(0.7)).then_some(into);
                if self.merged.get(&id).copied() == into {
                    return;
                }
                self.merged.remove(&id);
                self.merged.extend(into.map(|into| (id, into)));
                tablet.set(&mut people[at], "merged_into", json!(into.map(|into| into.to_string())))
            }
            4 if !people.is_empty() => {
                let at = dice.random_range(0..people.len());
                tablet.set(&mut people[at], "phone", json!(format!("07700 900{step:03}")))
            }
            // Age and category of their checks follow.
            5 if !people.is_empty() => {
                let at = dice.random_range(0..people.len());
                let born = format!("{}-02-03", 1900 + *step * 3);
                tablet.edit(&mut people[at], None, json!({"date_of_birth": born}))
            }
            6 if !checks.is_empty() => {
                let at = dice.random_range(0..checks.len());
                tablet.set(&mut checks[at], "age_band", json!(format!("band {step}")))
            }
            7 if !checks.is_empty() => {
                let at = dice.random_range(0..checks.len());
                let entry = format!("a{step:07}").replace(['0', '1', '8', '9'], "b");
                let reading =
                    json!({"taken_at": "2026-11-17T13:20:00Z", "systolic": 120 + *step, "diastolic": 80});
                tablet.edit(&mut checks[at], None, json!({"bp": {"readings": {entry: reading}}}))
            }
            _ => return,
        };
        tablet.push(&desk.site, &[offer]);
    }

    /// The first check is erased, if there is one.
    pub fn erase(&mut self, desk: &Desk) {
        let (team, made) = (desk.site.team, Made { at: 1, by: log::SERVER });
        if !self.checks.is_empty() {
            let check = self.checks.remove(0).id();
            desk.site.base.log.write(move |txn| log::enter(txn, team, What::Erase, &[check], made)).unwrap();
        }
    }
}
