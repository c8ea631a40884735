//! A base after three years: many teams, sites and tablets, and whatever three years of days leave behind. For
//! measuring pages at the size at which they are used.
//!
//! Every change is made and signed as a tablet makes it, and comes in through the server's own door, day after day by
//! a clock that goes along. So what lies in the log is what admission let in, quarantine included. The same seed and
//! size give the same days; keys, and so the bytes, are new each time.

mod hand;
mod later;
mod team;

use std::{
    fs,
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::Instant,
};

use anyhow::{Result, anyhow, ensure};
use jiff::{Span, Timestamp, civil::Date};
use serde_json::json;
use wayside_protocol::sync::{
    Frame,
    frame::{Verdict, decode},
};
use wayside_server::{
    Base, Clock, accounts,
    api::team::{ServiceFields, add_member, add_service, set_group},
    sync,
    views::Views,
};

use crate::bench::prepared::PaperTablet;
pub use hand::Hand;
use team::{Site, Team};

/// Other days come out of the same seed after a change of this.
const VERSION: u32 = 1;
/// Whose pages are measured. The account has no password that anybody knows: a one-time link lets in.
pub const COORDINATOR: &str = "coordinator";
pub const VIEWER: &str = "viewer";
pub const ADMINISTRATOR: &str = "administrator";

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub contacts: usize,
    pub days: i64,
    /// Of [`TEAMS`], the first so many.
    pub teams: usize,
    pub last_day: Date,
}

impl Plan {
    pub fn of(contacts: usize) -> Plan {
        Plan {
            seed: 2026,
            contacts,
            days: 3 * 365,
            teams: TEAMS.len(),
            last_day: Date::constant(2026, 11, 20),
        }
    }

    /// Two teams' last six weeks: enough that every page has something to show.
    pub fn small() -> Plan {
        Plan { days: 42, teams: 2, ..Plan::of(420) }
    }

    fn first_day(&self) -> Date {
        self.last_day.saturating_sub(Span::new().days(self.days))
    }

    /// Seven in the evening of the last day: by a clock that begins here, the data is never older than it was made.
    pub fn ends(&self) -> u64 {
        at(self.last_day, 19)
    }

    /// A clock of the base, for a server that serves these days as if they were the last ones.
    pub fn clock(&self) -> Clock {
        let (ends, begun) = (self.ends(), Instant::now());
        Clock::new(move || ends + u64::try_from(begun.elapsed().as_millis()).unwrap_or_default())
    }

    fn text(&self) -> String {
        json!({"version": VERSION, "seed": self.seed, "contacts": self.contacts, "days": self.days, "teams": self.teams,
               "last_day": self.last_day})
            .to_string()
    }
}

/// Milliseconds of a full hour, UTC.
fn at(date: Date, hour: i8) -> u64 {
    let time = date.at(hour, 0, 0, 0).in_tz("UTC").map(|zoned| zoned.timestamp());
    u64::try_from(time.unwrap_or(Timestamp::UNIX_EPOCH).as_millisecond()).unwrap_or_default()
}

/// The teams, how many in a hundred contacts are theirs.
const TEAMS: &[(&str, usize)] = &[
    ("Hallowby North", 14),
    ("Hallowby South", 12),
    ("Millbeck", 11),
    ("Thornwick", 10),
    ("Eastmere", 9),
    ("Eastmere Harbour", 8),
    ("Canal Side", 8),
    ("Tenter Hill", 7),
    ("Back Elm", 6),
    ("The Crescent", 6),
    ("Chapel Fold", 5),
    ("Wayfarers", 4),
];
/// The first team has the first five sites, and so on; each name is of one place.
const SITES: &[(&str, &str)] = &[
    ("Central Mosque", "mosque"),
    ("Market Square", "market"),
    ("Community Centre", "community_centre"),
    ("Gurdwara", "gurdwara"),
    ("Leisure Car Park", "car_park"),
];
const STAFF: &[(&str, &str)] = &[
    ("Nurse One", "nurse"),
    ("Nurse Two", "nurse"),
    ("Health Assistant Three", "assistant"),
    ("Health Assistant Four", "assistant"),
    ("Volunteer Five", "volunteer"),
    ("Volunteer Six", "volunteer"),
    ("Volunteer Seven", "volunteer"),
];
const SERVICES: &[(&str, &str)] = &[
    ("Practice on the Hill", "gp"),
    ("High Street Pharmacy", "pharmacy"),
    ("Stop Smoking Team", "stop_smoking"),
];
const TABLETS: usize = 4;

/// What came in.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub accepted: usize,
    pub quarantined: usize,
}

/// One request, and when it reaches the base.
struct Push {
    at: u64,
    body: Vec<u8>,
}

/// Makes the data directory, or leaves the one that is there, if it is of this plan. Says what it does.
pub fn make(dir: &Path, plan: &Plan, out: &mut impl Write) -> Result<()> {
    let mark = dir.join("plan.json");
    if fs::read_to_string(&mark).is_ok_and(|made| made == plan.text()) {
        return Ok(());
    }
    let begun = Instant::now();
    if dir.exists() {
        ensure!(
            mark.exists() || is_empty(dir)?,
            "{} is not one of these: please name another",
            dir.display()
        );
        fs::remove_dir_all(dir)?;
    }
    let taken = fill(dir, plan, out)?;
    writeln!(
        out,
        "{} changes in the log, {} in quarantine, after {:.0} s",
        taken.accepted,
        taken.quarantined,
        begun.elapsed().as_secs_f64()
    )?;
    let viewed = Instant::now();
    let base = Base::open(dir, plan.clock())?;
    Views::open(dir)?.catch_up(&base.log)?;
    let seconds = viewed.elapsed().as_secs_f64();
    writeln!(out, "views after {seconds:.0} s more: {:.0} changes/s", taken.accepted as f64 / seconds)?;
    fs::write(&mark, plan.text())?;
    Ok(())
}

fn is_empty(dir: &Path) -> Result<bool> {
    Ok(fs::read_dir(dir)?.next().is_none())
}

/// Three years, day by day. Each team makes its own days on a thread of its own; here they come in as they would have.
fn fill(dir: &Path, plan: &Plan, out: &mut impl Write) -> Result<Taken> {
    let now = Arc::new(AtomicU64::new(at(plan.first_day(), 6)));
    let time = now.clone();
    let base = Base::open(dir, Clock::new(move || time.load(Ordering::Relaxed)))?;
    for (name, role) in [
        (COORDINATOR, accounts::Role::Coordinator),
        (VIEWER, accounts::Role::Viewer),
        (ADMINISTRATOR, accounts::Role::Administrator),
    ] {
        accounts::add(&base, name, role, &format!("{:032x}", rand::random::<u128>()))?;
    }
    let teams = &TEAMS[..plan.teams];
    let whole: usize = teams.iter().map(|(_, share)| share).sum();
    let mut streams = Vec::new();
    for (n, (name, share)) in teams.iter().enumerate() {
        let team = begin(&base, plan, n, name, plan.contacts * share / whole)?;
        let (send, stream) = sync_channel(4);
        thread::spawn(move || team.days(&mut |push| send.send(push).is_ok()));
        streams.push(stream);
    }
    let mut taken = Taken::default();
    let mut year = 0;
    let mut held = streams.iter().map(next).collect::<Result<Vec<_>>>()?;
    let at_of = |push: &Option<Push>| push.as_ref().map(|push| push.at);
    while let Some((n, _)) =
        held.iter().enumerate().filter_map(|(n, push)| Some((n, at_of(push)?))).min_by_key(|(_, at)| *at)
    {
        let Some(Push { at, body }) = std::mem::replace(&mut held[n], next(&streams[n])?) else { break };
        now.store(at, Ordering::Relaxed);
        count(&sync::exchange(&base, &body)?, &mut taken)?;
        let reached =
            Timestamp::from_millisecond(i64::try_from(at)?)?.to_zoned(jiff::tz::TimeZone::UTC).year();
        if reached != year {
            year = reached;
            writeln!(out, "{year}: {} changes so far", taken.accepted)?;
        }
    }
    now.store(plan.ends(), Ordering::Relaxed);
    Ok(taken)
}

/// A team with its staff, services, groups and tablets.
fn begin(base: &Base, plan: &Plan, n: usize, name: &str, contacts: usize) -> Result<Team> {
    let id = base.team_add(name)?;
    let staff = STAFF.iter().map(|(name, role)| add_member(base, id, COORDINATOR, name, role));
    let staff = staff.collect::<Result<Vec<_>, _>>()?;
    for (name, kind) in SERVICES {
        let (name, kind) = (Some((*name).to_owned()), Some((*kind).to_owned()));
        let phone = Some("020 7946 0123".to_owned());
        add_service(base, id, COORDINATOR, ServiceFields { name, kind, phone, ..ServiceFields::default() })?;
    }
    for group in ["homeless", "vulnerable_migrant", "gypsy_roma_traveller"] {
        set_group(base, id, COORDINATOR, group, true)?;
    }
    let tablets = (0..TABLETS).map(|tablet| {
        let number = n * TABLETS + tablet;
        PaperTablet::enrolled_as(
            base,
            name,
            &format!("tablet-{:02}", number + 1),
            plan.seed << 16 | number as u64,
        )
    });
    let tablets = tablets.collect::<Result<Vec<_>>>()?;
    let sites = SITES.iter().map(|(site, kind)| Site { name: format!("{name} {site}"), kind }).collect();
    Ok(Team::new(plan, n, contacts, tablets, sites, staff))
}

fn count(answer: &[u8], taken: &mut Taken) -> Result<()> {
    for frame in decode(answer)? {
        let Frame::Verdicts(verdicts) = frame else { continue };
        for verdict in verdicts.verdicts {
            match verdict {
                Verdict::Accepted { .. } => taken.accepted += 1,
                Verdict::Quarantined { .. } => taken.quarantined += 1,
                other => return Err(anyhow!("an unexpected verdict: {other:?}")),
            }
        }
    }
    Ok(())
}

/// A team's next request; none after its last day.
fn next(stream: &Receiver<Result<Push>>) -> Result<Option<Push>> {
    stream.recv().ok().transpose()
}
