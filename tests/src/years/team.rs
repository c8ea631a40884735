//! One team's three years: its sessions, who came, and what was written down of them.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Result;
use jiff::{Span, Timestamp, civil::Date};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};
use wayside_protocol::record::{Kind, RecordId};

use super::{
    Plan, Push, at,
    hand::{Hand, Made},
    later::{Later, Step},
};
use crate::{
    bench::{part, prepared::PaperTablet},
    day::{self, CONTACTS_A_DAY, TabletPlan},
};

/// At one session, over its tablets.
const SESSION: usize = 72;
/// In one request.
const LIST: usize = 400;
/// Of a thousand who give their name, so many were here before and are found.
const BACK: u32 = 200;
/// And so many are written down as somebody new, although they were here; of these, so many are merged one day.
const TWICE: u32 = 12;
const MERGED: u32 = 600;
/// Of a thousand contacts, so many are as awkward as the first of a tablet's day in the demo.
const AWKWARD: u32 = 40;
/// Of how many a team remembers what they said.
const RECENT: usize = 40;

pub struct Site {
    pub name: String,
    pub kind: &'static str,
}

pub struct Team {
    plan: Plan,
    /// Its place among the teams.
    n: usize,
    contacts: usize,
    tablets: Vec<PaperTablet>,
    sites: Vec<Site>,
    /// Ids.
    staff: Vec<String>,
    rng: StdRng,
    people: People,
    later: Later,
}

/// Who has been here.
#[derive(Default)]
struct People {
    /// By sex and decade of life: a check of a woman of sixty is not one of a man of twenty.
    known: BTreeMap<(String, i64), Vec<RecordId>>,
    recent: VecDeque<(RecordId, Map<String, Value>)>,
    count: usize,
}

/// One day at one site.
struct Session {
    date: Date,
    /// From 1.
    number: usize,
    site: usize,
    site_id: RecordId,
}

impl Team {
    pub fn new(
        plan: &Plan,
        n: usize,
        contacts: usize,
        tablets: Vec<PaperTablet>,
        sites: Vec<Site>,
        staff: Vec<String>,
    ) -> Team {
        let rng = StdRng::seed_from_u64(plan.seed << 8 | n as u64);
        let (people, later) = (People::default(), Later::default());
        Team { plan: plan.clone(), n, contacts, tablets, sites, staff, rng, people, later }
    }

    /// Hands over every request in the order of its time, until nobody takes it any more.
    pub fn days(mut self, send: &mut dyn FnMut(Result<Push>) -> bool) {
        if let Err(error) = self.all_days(send) {
            send(Err(error));
        }
    }

    fn all_days(&mut self, send: &mut dyn FnMut(Result<Push>) -> bool) -> Result<()> {
        let sites = self.begin_sites(send)?;
        let sessions = self.contacts.div_ceil(SESSION).max(1);
        let mut left = self.contacts;
        for i in 0..sessions {
            // The last one is on the last day.
            let passed = self.plan.days * (i as i64 + 1) / sessions as i64;
            let date = self.plan.first_day().saturating_add(Span::new().days(passed));
            let fair = left / (sessions - i);
            let contacts = match sessions - i {
                1 => left,
                _ => self.rng.random_range(fair / 2..=fair + fair / 2).min(left),
            };
            left -= contacts;
            let site = self.rng.random_range(0..sites.len());
            let session = Session { date, number: i + 1, site, site_id: sites[site] };
            for push in self.session(&session, contacts)? {
                if !send(Ok(push)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn hand(&mut self, tablet: usize, now: u64) -> Hand {
        let staff = &self.staff[self.rng.random_range(0..self.staff.len())];
        Hand::new(StdRng::seed_from_u64(self.rng.random()), &self.tablets[tablet], staff, now)
    }

    fn begin_sites(&mut self, send: &mut dyn FnMut(Result<Push>) -> bool) -> Result<Vec<RecordId>> {
        let morning = at(self.plan.first_day(), 7) + self.n as u64;
        let mut hand = self.hand(0, morning);
        let mut changes: Vec<Made> = Vec::new();
        for (n, site) in self.sites.iter().enumerate() {
            let id = RecordId::fresh(morning, &self.rng.random());
            let postcode = format!("ZB{} {n}AA", self.n % 9 + 1);
            let mut json = Map::new();
            json.insert("name".into(), json!(site.name));
            json.insert("type".into(), json!(site.kind));
            json.insert("active".into(), json!(true));
            json.insert("address".into(), json!({"postcode": postcode}));
            changes.push((id, hand.begin(id, Kind::Site, json)?.change));
        }
        send(Ok(Push { at: morning, body: self.tablets[0].request(&changes, morning) }));
        Ok(changes.into_iter().map(|(id, _)| id).collect())
    }

    /// A session with two tablets, and what its day brings of earlier ones.
    fn session(&mut self, session: &Session, contacts: usize) -> Result<Vec<Push>> {
        let first = self.rng.random_range(0..self.tablets.len());
        let second = (first + self.rng.random_range(1..self.tablets.len())) % self.tablets.len();
        // No two requests of all teams come at once.
        let evening = at(session.date, 18) + self.n as u64 * 10_000;
        let mut hands = [self.hand(first, evening), self.hand(second, evening + 5000)];
        let later = self.later.happens(session.date, &mut hands)?;
        let split = contacts * self.rng.random_range(35..65) / 100;
        let turns = [(first, evening, split), (second, evening + 5000, contacts - split)];
        let mut pushes = Vec::new();
        for (((tablet, at, contacts), mut hand), mut changes) in turns.into_iter().zip(hands).zip(later) {
            self.contacts_of(session, tablet, contacts, &mut hand, &mut changes)?;
            for list in changes.chunks(LIST) {
                pushes.push(Push { at, body: self.tablets[tablet].request(list, at) });
            }
        }
        Ok(pushes)
    }

    /// What one tablet records at one session.
    fn contacts_of(
        &mut self,
        session: &Session,
        tablet: usize,
        contacts: usize,
        hand: &mut Hand,
        changes: &mut Vec<Made>,
    ) -> Result<()> {
        let site = &self.sites[session.site];
        let plan = TabletPlan {
            name: format!("{}-{tablet}", self.n),
            site: site.name.clone(),
            site_type: site.kind.into(),
            setting: if session.site.is_multiple_of(2) { "pop_up" } else { "van" }.into(),
            contacts: 0,
        };
        let first = session.date.saturating_sub(Span::new().days(session.number as i64));
        let session_id = RecordId::session(session.site_id, &session.date.to_string());
        // Spread over the day, and never among the first, which are all awkward.
        let stride = (CONTACTS_A_DAY / contacts.max(1)).clamp(1, 3);
        for i in 0..contacts.min(CONTACTS_A_DAY) {
            let line = if hand.chance(AWKWARD) {
                let awkward =
                    TabletPlan { name: format!("{}-{}-{i}", plan.name, session.number), ..plan.clone() };
                day::contact(self.plan.seed, session.date, &awkward, hand.rng.random_range(0..day::ALL_CASES))
            } else {
                let i = session.number * CONTACTS_A_DAY + i * stride;
                day::contact(self.plan.seed, first, &plan, i)
            };
            if i == 0 {
                let mut json = part(&line, "session");
                json.insert("site".into(), json!(session.site_id.to_string()));
                json.insert("staff".into(), json!(self.staff[..3]));
                changes.push((session_id, hand.begin(session_id, Kind::Session, json)?.change));
            }
            let person = part(&line, "person");
            let mut contact = part(&line, "contact");
            let started = contact.get("started_at").and_then(Value::as_str).unwrap_or_default();
            let ms = u64::try_from(started.parse::<Timestamp>()?.as_millisecond())?;
            contact.insert("session".into(), json!(session_id.to_string()));
            if !person.is_empty() {
                let person = self.person(session.date, ms, person, hand, changes)?;
                contact.insert("person".into(), json!(person.to_string()));
            }
            let id = RecordId::fresh(ms, &hand.rng.random());
            let begun = hand.begin(id, Kind::Contact, contact)?;
            self.later.after_contact(session.date, &begun, hand)?;
            changes.push((id, begun.change));
        }
        Ok(())
    }

    /// Somebody who was here before, or a new one.
    fn person(
        &mut self,
        date: Date,
        ms: u64,
        mut json: Map<String, Value>,
        hand: &mut Hand,
        changes: &mut Vec<Made>,
    ) -> Result<RecordId> {
        let kind = (text(&json, "sex"), decade(&json, date));
        let known = self.people.known.get(&kind).filter(|known| !known.is_empty());
        if let Some(known) = known.filter(|_| hand.chance(BACK)) {
            return Ok(known[hand.rng.random_range(0..known.len())]);
        }
        let again = if hand.chance(TWICE) { self.people.recent.front().cloned() } else { None };
        if let Some((_, earlier)) = &again {
            json = earlier.clone();
            json.remove("nhs_number");
            json.remove("consents");
        } else {
            self.distinct(&mut json);
        }
        let id = RecordId::fresh(ms, &hand.rng.random());
        let begun = hand.begin(id, Kind::Person, json.clone())?;
        match again {
            Some((earlier, _)) if hand.chance(MERGED) => {
                let merged = Step::Edit(json!({"merged_into": earlier.to_string()}));
                self.later.plan(date, &begun, (hand.rng.random_range(2..90), merged), None);
            }
            Some(_) => {}
            None => {
                self.later.after_person(date, &begun, hand);
                self.people.known.entry(kind).or_default().push(id);
                self.people.recent.push_back((id, json));
                if self.people.recent.len() > RECENT {
                    self.people.recent.pop_front();
                }
            }
        }
        changes.push((id, begun.change));
        Ok(id)
    }

    /// A day has few names and test numbers; three years have more. Half of the families are spelt in a way of their own.
    fn distinct(&mut self, json: &mut Map<String, Value>) {
        let count = self.people.count;
        self.people.count += 1;
        if json.contains_key("nhs_number") {
            json.insert("nhs_number".into(), json!(nhs_number(count * 12 + self.n)));
        }
        let family = json.get_mut("name").and_then(|name| name.get_mut("family"));
        if let Some(Value::String(family)) = family.filter(|_| count.is_multiple_of(2)) {
            let mut letters: Vec<char> = family.chars().collect();
            let letter = char::from(b'a' + (count / 2 % 26) as u8);
            letters.insert(1 + count / 52 % letters.len().max(1), letter);
            *family = letters.into_iter().collect();
        }
    }
}

fn text(json: &Map<String, Value>, name: &str) -> String {
    json.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn decade(json: &Map<String, Value>, date: Date) -> i64 {
    let years = json.get("age_years").and_then(Value::as_i64);
    let born = text(json, "date_of_birth").parse::<Date>().ok();
    years.or(born.map(|born| i64::from(date.year() - born.year()))).unwrap_or_default() / 10
}

/// The n-th NHS number of the test range 999.
fn nhs_number(n: usize) -> String {
    // Neighbours do not look alike, and of two that follow each other one at least has a check digit.
    let mut six = n * 7919 % 500_000 * 2;
    loop {
        let digits = format!("999{six:06}");
        let sum: usize = digits
            .bytes()
            .zip((2..=10).rev())
            .map(|(digit, weight)| usize::from(digit - b'0') * weight)
            .sum();
        match 11 - sum % 11 {
            10 => six += 1,
            11 => return format!("{digits}0"),
            check => return format!("{digits}{check}"),
        }
    }
}
