//! Which encrypted backups lie in a directory, and how long each stays.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{failed, sealed};
use crate::error::Result;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// What a run that was killed has left, older than this, is nobody's work any more.
const LEFT_MS: i64 = DAY_MS;
const UNFINISHED: &str = ".unfinished";

/// How many backups stay: the last one of each of the latest so many days, weeks (from Monday) and months that have any, by
/// UTC. Beside them stays what was made within a day of the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Keep { daily: 14, weekly: 8, monthly: 3 }
    }
}

impl Keep {
    /// Those of these backups that may go: never the newest.
    fn expired(&self, made: &BTreeSet<Timestamp>) -> Vec<Timestamp> {
        let Some(newest) = made.last() else { return Vec::new() };
        let age = |at: &Timestamp| newest.as_millisecond() - at.as_millisecond();
        let mut stay: BTreeSet<Timestamp> = made.iter().filter(|at| age(at) <= DAY_MS).copied().collect();
        stay.extend(latest(made, self.daily, |at| at.date()));
        stay.extend(latest(made, self.weekly, |at| {
            let week = at.date().iso_week_date();
            (week.year(), week.week())
        }));
        stay.extend(latest(made, self.monthly, |at| (at.year(), at.month())));
        made.difference(&stay).copied().collect()
    }

    /// Deletes what may go, of encrypted backups and their digests alone. Returns how many went.
    pub fn prune(&self, dir: &Path, now_ms: u64) -> Result<usize> {
        let mut expired = self.expired(&made_in(dir)?);
        // By a clock that was set back the one just made may look like the oldest.
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        expired.retain(|at| at.as_millisecond().abs_diff(now) > DAY_MS.unsigned_abs());
        for at in &expired {
            let path = dir.join(name(*at));
            // The digest last: without it nobody notices what is wrong with the file.
            remove(&path).and_then(|()| remove(&sealed::beside(&path))).map_err(failed)?;
        }
        sweep(dir, now_ms)?;
        Ok(expired.len())
    }
}

/// The last one of each of the latest `count` periods.
fn latest<P: PartialEq>(
    made: &BTreeSet<Timestamp>,
    count: u32,
    period: impl Fn(DateTime) -> P,
) -> Vec<Timestamp> {
    let (mut stay, mut last) = (Vec::new(), None);
    for at in made.iter().rev() {
        let of = Some(period(TimeZone::UTC.to_datetime(*at)));
        if of != last && stay.len() < count as usize {
            stay.push(*at);
        }
        last = of;
    }
    stay
}

/// What a backup of this moment is called, to the millisecond: two made one after the other have names of their own.
pub fn stem(at: Timestamp) -> String {
    at.strftime("wayside-%Y%m%dT%H%M%S%3fZ").to_string()
}

pub fn name(at: Timestamp) -> String {
    format!("{}.age", stem(at))
}

pub fn draft(at: Timestamp) -> String {
    format!("{}{UNFINISHED}", name(at))
}

/// When the encrypted backups in a directory were made. Other files are nothing to us.
pub fn made_in(dir: &Path) -> Result<BTreeSet<Timestamp>> {
    Ok(names(dir).map_err(failed)?.iter().filter_map(|found| moment(found)).collect())
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
    Ok(names.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The moment in the name of an encrypted backup; `None` for any other name.
fn moment(found: &str) -> Option<Timestamp> {
    let digits: String = found.chars().filter(char::is_ascii_digit).collect();
    let part = |from: usize, to: usize| digits.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}.{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?,
        part(14, 17)?
    );
    text.parse().ok().filter(|at| name(*at) == found)
}

fn sweep(dir: &Path, now_ms: u64) -> Result<()> {
    for found in names(dir).map_err(failed)? {
        let begun = found.strip_suffix(UNFINISHED).and_then(moment);
        let left = |at: Timestamp| i64::try_from(now_ms).is_ok_and(|now| now - at.as_millisecond() > LEFT_MS);
        if begun.is_some_and(left) {
            remove(&dir.join(found)).map_err(failed)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = DAY_MS / 24;

    /// Every so many hours for some days, ending on a Sunday at 02:00.
    fn made(days: i64, hours: i64) -> BTreeSet<Timestamp> {
        let end: Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
        let moments = (0..days * 24 / hours).map(|n| end.as_millisecond() - n * hours * HOUR_MS);
        moments.map(|at| Timestamp::from_millisecond(at).unwrap()).collect()
    }

    fn kept(keep: Keep, made: &BTreeSet<Timestamp>) -> Vec<String> {
        let gone = keep.expired(made);
        made.iter().filter(|at| !gone.contains(at)).map(|at| at.strftime("%m-%d %H").to_string()).collect()
    }

    #[test]
    fn days_weeks_and_months_each_keep_their_last_one() {
        let keep = Keep { daily: 3, weekly: 3, monthly: 3 };
        let stay = kept(keep, &made(100, 24));
        assert_eq!(
            stay,
            ["09-30 02", "10-31 02", "11-08 02", "11-15 02", "11-20 02", "11-21 02", "11-22 02"]
        );
        // Several a day: all of the last day stay, and of those before the last one.
        let stay = kept(Keep { daily: 2, weekly: 0, monthly: 0 }, &made(10, 8));
        assert_eq!(stay, ["11-21 02", "11-21 10", "11-21 18", "11-22 02"]);
    }

    #[test]
    fn the_newest_always_stays_also_where_nothing_is_to_be_kept() {
        let none = Keep { daily: 0, weekly: 0, monthly: 0 };
        assert_eq!(kept(none, &made(30, 48)).last().map(String::as_str), Some("11-22 02"));
        assert_eq!(none.expired(&BTreeSet::new()), []);
        // Whatever is kept, and however often they are pruned: what stays once stays until something newer comes.
        let all = made(200, 24);
        for count in 0..20 {
            let keep = Keep { daily: count, weekly: count / 2, monthly: count / 3 };
            let gone: BTreeSet<_> = keep.expired(&all).into_iter().collect();
            let stay: BTreeSet<_> = all.difference(&gone).copied().collect();
            assert!(stay.contains(all.last().unwrap()) && keep.expired(&stay).is_empty(), "{count}");
        }
    }

    #[test]
    fn other_files_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let all = made(40, 24);
        let others = [
            "wayside-20200101T000000000Z.age.unfinished-by-hand",
            "wayside-20200101T000000000Z",
            "wayside-20200101T000000000Z.age.bak",
            "my-wayside-20200101T000000000Z.age",
            "wayside-2020-01-01T00:00:00.000Z.age",
            "wayside-20201301T000000000Z.age",
            "notes.txt",
        ];
        for name in all.iter().map(|at| name(*at)).chain(others.map(str::to_owned)) {
            fs::write(dir.path().join(&name), "x").unwrap();
            fs::write(dir.path().join(format!("{name}.sha256")), "x").unwrap();
        }
        let left = dir.path().join("wayside-20261120T020000000Z.age.unfinished");
        let running = dir.path().join("wayside-20261122T010000000Z.age.unfinished");
        fs::write(&left, "x").unwrap();
        fs::write(&running, "x").unwrap();
        let now = u64::try_from(all.last().unwrap().as_millisecond()).unwrap();
        let gone = Keep { daily: 2, weekly: 0, monthly: 0 }.prune(dir.path(), now).unwrap();
        assert_eq!((gone, made_in(dir.path()).unwrap().len()), (38, 2));
        assert!(!left.exists() && running.exists());
        let names = names(dir.path()).unwrap();
        for name in others {
            assert!(names.contains(&name.to_owned()) && names.contains(&format!("{name}.sha256")), "{name}");
        }
        assert_eq!(names.len(), 2 * (others.len() + 2) + 1);
    }
}
