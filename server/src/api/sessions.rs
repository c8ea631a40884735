//! Pop-up sessions: a month of them, and one with whom it saw, who was there, and what has not arrived yet.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, RecordId};

use super::changes::rfc3339;
use super::items::{Item, item_at, now};
use super::records::{read, referred, standing};
use super::{Names, Readers};
use crate::base::Base;
use crate::error::Result;
use crate::log::{self, Conn};
use crate::openapi::shapes;
use crate::views::{Views, Whose};
use crate::web::LONDON;

/// Which sessions are asked for, as in the address. What is not understood filters nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Month {
    /// `YYYY-MM`; the last one that has sessions by now where there is none.
    pub month: String,
    /// Ids; empty for all.
    pub site: String,
    pub team: String,
}

/// The sessions of one month.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Sessions {
    /// `YYYY-MM`.
    pub month: String,
    pub today: String,
    /// The day of the last session before this month, by the same filter.
    pub earlier: Option<String>,
    /// The latest first.
    pub sessions: Vec<Listed>,
    /// What can be filtered by.
    pub sites: Vec<Named>,
    pub teams: Vec<Named>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct Named {
    pub name: String,
    pub id: String,
}

/// One session in the list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Listed {
    pub id: String,
    pub site: Option<String>,
    pub team: String,
    pub date: String,
    pub setting: Option<String>,
    /// Checks and conversations.
    pub seen: u64,
    /// Of these, on the worklist.
    pub attention: u64,
}

/// One session with whom it saw.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PopUp {
    #[schema(value_type = shapes::AnyRecord)]
    pub record: Value,
    #[schema(value_type = Option<shapes::AnyRecord>)]
    pub site: Option<Value>,
    /// Checks and conversations, in the order in which they began.
    pub checks: Vec<Item>,
    /// How many of each category; `None` is a conversation, or a check that has no category.
    pub categories: Vec<(Option<String>, u64)>,
    /// How many began in each stretch of the day, by the tablets' clocks.
    pub over_time: OverTime,
    /// Who recorded something here, and who the session lists.
    pub staff: Vec<Present>,
    pub tablets: Vec<TabletHere>,
    /// Checks whose person's record has not arrived.
    pub persons_missing: u64,
    /// What came from these tablets and is held in quarantine, of any session.
    pub held: u64,
}

/// Somebody who was there, with how many checks and conversations they began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Present {
    pub name: String,
    pub seen: u64,
}

/// A tablet on which something of the session was recorded, and what the server knows of the rest.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TabletHere {
    pub name: String,
    pub seen: u64,
    pub last_seen_at: Option<String>,
    /// Changes that the tablet still held back when it was last heard of; `None` where it did not say.
    pub waiting: Option<u64>,
}

#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct OverTime {
    pub minutes: i64,
    /// From the first to the last, those in between too.
    pub slots: Vec<Slot>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Slot {
    /// When it begins, RFC 3339.
    pub from: String,
    pub seen: u64,
}

impl Month {
    /// Its first day; where none is asked for, that of the last month that has sessions by now.
    fn first(&self, views: &Views, whose: Whose<'_>, today: Date) -> Result<Date> {
        if let Ok(first) = format!("{}-01", self.month).parse::<Date>() {
            return Ok(first);
        }
        let last = views.last_session_before(whose, &next_month(today.first_of_month()).to_string())?;
        Ok(last.and_then(|day| day.parse::<Date>().ok()).unwrap_or(today).first_of_month())
    }
}

fn next_month(first: Date) -> Date {
    first.checked_add(1.month()).unwrap_or(Date::MAX)
}

/// A month of sessions. Blocks.
pub fn sessions(base: &Base, readers: &Readers, asked: &Month) -> Result<Sessions> {
    let today = now(base).date();
    read(base, readers, |log, views| {
        let teams = readers
            .known_teams(log)?
            .into_iter()
            .map(|team| Named { id: team.id.to_string(), name: team.name });
        let mut teams: Vec<Named> = teams.collect();
        teams.sort();
        let mut sites = sites(views)?;
        sites.sort();
        let names: HashMap<&str, &str> =
            sites.iter().chain(&teams).map(|one| (one.id.as_str(), one.name.as_str())).collect();
        let named = |id: &str| names.get(id).map(|name| (*name).to_owned());
        let whose = Whose {
            site: Some(asked.site.as_str()).filter(|site| sites.iter().any(|one| one.id == *site)),
            team: asked.team.parse().ok(),
        };
        let first = asked.first(views, whose, today)?;
        let (from, until) = (first.to_string(), next_month(first).to_string());
        let mut sessions = Vec::new();
        for row in views.sessions(whose, &from, &until)? {
            let (seen, attention) = views.seen_at(row.id, row.team)?;
            sessions.push(Listed {
                id: row.id.to_string(),
                site: row.site.as_deref().and_then(named),
                team: named(&row.team.to_string()).unwrap_or_default(),
                date: row.date,
                setting: row.setting,
                seen,
                attention,
            });
        }
        sessions.sort_by(|a, b| (&b.date, &a.site, &a.id).cmp(&(&a.date, &b.site, &b.id)));
        Ok(Sessions {
            month: first.strftime("%Y-%m").to_string(),
            today: today.to_string(),
            earlier: views.last_session_before(whose, &from)?,
            sessions,
            sites,
            teams,
        })
    })
}

fn sites(views: &Views) -> Result<Vec<Named>> {
    let sites = views.list(Some(Kind::Site))?;
    let text =
        |site: &Value, name: &str| site.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(sites.iter().map(|site| Named { name: text(site, "name"), id: text(site, "id") }).collect())
}

/// One session. Blocks.
pub fn session(base: &Base, readers: &Readers, id: RecordId) -> Result<PopUp> {
    read(base, readers, |log, views| {
        let names = Names::read(base, log, views)?;
        let is_session =
            |record: &Value| record.get("kind").and_then(Value::as_str) == Some(Kind::Session.as_str());
        let record = views.show(id)?.filter(is_session).ok_or(Code::RecordNotFound)?;
        let site = referred(views, &record, "site")?;
        let mut staff: BTreeMap<String, u64> = BTreeMap::new();
        let mut tablets: BTreeMap<String, u64> = BTreeMap::new();
        for member in record.get("staff").and_then(Value::as_array).into_iter().flatten() {
            staff.extend(member.as_str().map(|id| (names.staff(id), 0)));
        }
        let mut checks = Vec::new();
        let mut persons_missing = 0;
        let mut categories: BTreeMap<Option<String>, u64> = BTreeMap::new();
        for seen in views.of_session(id)? {
            // An id binds nobody to another team's session.
            let Some(check) = views.show(seen.id)?.filter(|check| check.get("team") == record.get("team"))
            else {
                continue;
            };
            let made = |pointer: &str| check.pointer(pointer).and_then(Value::as_str);
            if let Some(by) = made("/created/by") {
                *staff.entry(names.staff(by)).or_default() += 1;
            }
            if let Some(tablet) = made("/created/tablet") {
                *tablets.entry(tablet.to_owned()).or_default() += 1;
            }
            *categories.entry(seen.category).or_default() += 1;
            let person = standing(views, &check)?;
            let item = item_at(&check, person.as_ref(), Some(&record), site.as_ref());
            persons_missing += u64::from(item.person.is_none() && made("/person").is_some());
            checks.push(item);
        }
        let starts = checks.iter().filter_map(|item| item.started_at.parse().ok()).collect();
        let held = log::held_by_tablet(log)?;
        Ok(PopUp {
            site,
            over_time: over_time(starts),
            categories: categories.into_iter().collect(),
            staff: staff.into_iter().map(|(name, seen)| Present { name, seen }).collect(),
            held: tablets.keys().filter_map(|tablet| held.get(tablet)).sum(),
            tablets: here(log, &tablets, &names)?,
            persons_missing,
            checks,
            record,
        })
    })
}

/// The tablets that were there, the one that was silent longest first.
fn here(log: &Conn, seen: &BTreeMap<String, u64>, names: &Names) -> Result<Vec<TabletHere>> {
    let contacts = log::last_contacts(log)?;
    let mut here = Vec::new();
    for (id, seen) in seen {
        // What this server itself wrote waits nowhere.
        let Some(contact) = contacts.get(id) else { continue };
        here.push((
            contact.at,
            TabletHere {
                name: names.tablet(id),
                seen: *seen,
                last_seen_at: contact.at.map(rfc3339),
                waiting: contact.waiting,
            },
        ));
    }
    here.sort_by(|(a, one), (b, other)| (a, &one.name).cmp(&(b, &other.name)));
    Ok(here.into_iter().map(|(_, tablet)| tablet).collect())
}

/// No more bars than this: more cannot be read on a phone.
const MOST_SLOTS: i64 = 16;
/// From a quarter of an hour to a day.
const LENGTHS: [i64; 6] = [15, 30, 60, 120, 360, 1440];

/// Beginnings counted in the shortest stretches that give few enough. Where clocks are so wrong that even days are
/// too many, only the days that have any.
fn over_time(mut starts: Vec<Timestamp>) -> OverTime {
    starts.sort();
    let (Some(first), Some(last)) = (starts.first(), starts.last()) else { return OverTime::default() };
    let begin = |at: &Timestamp, minutes: i64| {
        let day = at.to_zoned(LONDON.clone()).start_of_day().map_or(*at, |day| day.timestamp());
        let slots = at.duration_since(day).as_mins() / minutes;
        day + SignedDuration::from_mins(slots * minutes)
    };
    let many = |minutes: i64| last.duration_since(begin(first, minutes)).as_mins() / minutes + 1;
    let minutes = LENGTHS.into_iter().find(|minutes| many(*minutes) <= MOST_SLOTS);
    let mut counts: BTreeMap<Timestamp, u64> = BTreeMap::new();
    if let Some(minutes) = minutes {
        // Those in which nobody came stand there too.
        let first = begin(first, minutes);
        let all = (0..many(minutes)).map(|n| first + SignedDuration::from_mins(n * minutes));
        counts.extend(all.map(|from| (begin(&from, minutes), 0)));
    }
    let minutes = minutes.unwrap_or(1440);
    for at in &starts {
        *counts.entry(begin(at, minutes)).or_default() += 1;
    }
    let slots = counts.into_iter().map(|(from, seen)| Slot { from: from.to_string(), seen });
    OverTime { minutes, slots: slots.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(starts: &[&str]) -> (i64, Vec<(String, u64)>) {
        let over = over_time(starts.iter().map(|at| at.parse().unwrap()).collect());
        (over.minutes, over.slots.into_iter().map(|slot| (slot.from, slot.seen)).collect())
    }

    #[test]
    fn an_afternoon_is_counted_in_quarters_and_a_day_in_hours() {
        let slot = |from: &str, seen| (from.to_owned(), seen);
        let (minutes, slots) =
            counted(&["2026-07-03T13:05:00Z", "2026-07-03T13:14:59Z", "2026-07-03T13:31:00Z"]);
        assert_eq!(minutes, 15);
        let expected =
            [("2026-07-03T13:00:00Z", 2), ("2026-07-03T13:15:00Z", 0), ("2026-07-03T13:30:00Z", 1)];
        assert_eq!(slots, expected.map(|(from, seen)| slot(from, seen)));
        let (minutes, slots) = counted(&["2026-07-03T08:05:00Z", "2026-07-03T18:31:00Z"]);
        assert_eq!((minutes, slots.len()), (60, 11));
        assert_eq!(counted(&[]), (0, vec![]));
    }

    #[test]
    fn a_clock_that_is_years_wrong_does_not_make_a_thousand_bars() {
        let (minutes, slots) =
            counted(&["1970-01-01T00:00:00Z", "2026-07-03T13:05:00Z", "2026-07-03T14:05:00Z"]);
        assert_eq!((minutes, slots.len()), (1440, 2));
        assert_eq!(slots[1].1, 2);
    }

    #[test]
    fn hours_that_the_clocks_skip_or_repeat_count_everybody_once() {
        for day in ["2026-03-29", "2026-10-25"] {
            let starts: Vec<String> = (0..24).map(|hour| format!("{day}T{hour:02}:30:00Z")).collect();
            let (_, slots) = counted(&starts.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(slots.iter().map(|(_, seen)| seen).sum::<u64>(), 24, "{day}: {slots:?}");
        }
    }
}
