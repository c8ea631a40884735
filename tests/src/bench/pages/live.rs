//! How long after the server's commit a new check stands on a page that was open already.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};
use wayside_protocol::record::{Kind, RecordId};
use wayside_server::{log, sync};

use super::quantile;
use crate::{
    bench::prepared::PaperTablet,
    browser::{self, Driver, Screen},
    desk::Desk,
    years::{COORDINATOR, Hand},
};

/// A team of its own, so that what is new stands on the first page of its list.
const TEAM: &str = "Late Van";
const CHECKS: usize = 10;
const GOAL: Duration = Duration::from_secs(1);

/// Pushes checks while *Today* is open in a browser, and says whether each stood there within a second.
pub fn appears(desk: &Desk, out: &mut impl Write) -> Result<bool> {
    let base = desk.base();
    if browser::skipped() {
        return Ok(true);
    }
    let team = match base.log.read(|conn| log::team_by_name(conn, TEAM))? {
        Some(team) => team.id,
        None => base.team_add(TEAM)?,
    };
    let mut rng = StdRng::seed_from_u64(rand::random());
    let mut tablet = PaperTablet::enrolled_as(base, TEAM, "late tablet", rng.random())?;
    let driver = Driver::start();
    let screen = Screen::open(&driver, 1280, 800);
    screen.go(&desk.link(COORDINATOR)?);
    screen.see("Sign out");
    screen.go(&format!("{}/?team={team}", desk.url()));
    screen.see("Today");
    let mut taken = Vec::new();
    for n in 0..CHECKS {
        let now = base.clock.now_ms();
        let name = format!("Newcomer{:x}", rng.random::<u32>());
        let mut hand = Hand::new(StdRng::seed_from_u64(rng.random()), &tablet, "nurse", now);
        let (person, contact) = (RecordId::fresh(now, &rng.random()), RecordId::fresh(now, &rng.random()));
        let session = RecordId::session(team, "2026-11-20");
        let at = hand.at().to_owned();
        let who = object(json!({"name": {"given": name, "family": "Khan"}, "date_of_birth": "1961-07-15"}))?;
        let check = object(
            json!({"session": session, "person": person, "started_at": at, "check_type": "bp_only",
            "bp": {"readings": [{"taken_at": at, "systolic": 191, "diastolic": 122 + n % 5, "arm": "left"}]}}),
        )?;
        let changes = [
            (person, hand.begin(person, Kind::Person, who)?.change),
            (contact, hand.begin(contact, Kind::Contact, check)?.change),
        ];
        let body = tablet.request(&changes, now);
        ensure!(!screen.shows(&name), "the name is new");
        sync::exchange(base, &body)?;
        let committed = Instant::now();
        screen.see(&name);
        taken.push(committed.elapsed().as_secs_f64() * 1000.0);
    }
    taken.sort_by(f64::total_cmp);
    let most = taken.last().copied().unwrap_or_default();
    let met = most < GOAL.as_secs_f64() * 1000.0;
    writeln!(
        out,
        "\na new check on the open page, from the commit: middle {:.0} ms, longest of {CHECKS} {most:.0} ms{}",
        quantile(&taken, 0.5),
        if met { "" } else { "  MISSED" }
    )?;
    Ok(met)
}

fn object(json: Value) -> Result<Map<String, Value>> {
    match json {
        Value::Object(object) => Some(object),
        _ => None,
    }
    .context("an object")
}
