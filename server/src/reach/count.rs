//! Adding up, in people.

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use wayside_protocol::clinical::ethnic_category;
use wayside_protocol::record::RecordId;

use super::places::{Place, Places};
use super::suppress::{self, Funnel};
use super::{Asked, Completeness, Cut, Line, Reach};
use crate::error::Result;
use crate::views::{BAND_ACROSS, DECLINED, ReachRow, SessionPlaces, Step, Views, age_band};

const STEPS: usize = Step::ALL.len();
/// What is known of everybody, in this order.
const CODES: [&str; 9] =
    ["ethnic_category", "quintile", "age", "sex", "registered", "language", "site", "ward", "postcode"];
/// By these everybody is cut up.
const CUTS: &[&str] = CODES.split_at(8).0;
/// Whose answers are counted.
const QUESTIONS: [&str; 6] = ["ethnic_category", "postcode", "age", "sex", "registered", "language"];

/// Somebody, over all their contacts of these days. Kept small: there may be hundreds of thousands.
struct Somebody {
    /// Of the earliest contact: where they were reached.
    first: Day,
    /// By [`CODES`].
    codes: [Word; CODES.len()],
    groups: Vec<Word>,
    district: Word,
    step: usize,
    /// Each once, with the furthest step.
    months: Vec<(Word, usize)>,
}

/// The first ten characters of `YYYY-MM-DD`.
type Day = [u8; 10];

/// The place of a text among all that was met; 0 is the empty one.
type Word = u32;

struct Words {
    known: HashMap<Box<str>, Word>,
    all: Vec<Box<str>>,
}

impl Words {
    fn new() -> Words {
        let mut words = Words { known: HashMap::new(), all: Vec::new() };
        words.number("");
        words
    }

    fn number(&mut self, text: &str) -> Word {
        if let Some(number) = self.known.get(text) {
            return *number;
        }
        let number = self.all.len() as Word;
        self.all.push(text.into());
        self.known.insert(text.into(), number);
        number
    }

    fn text(&self, word: Word) -> &str {
        self.all.get(word as usize).map_or("", |text| text)
    }
}

/// Counts who was reached on these days. Blocks.
pub fn reach(views: &Views, places: &mut Places, asked: &Asked) -> Result<Reach> {
    let team: Option<RecordId> = asked.team.parse().ok();
    let sessions = views.places_of_sessions()?;
    let mut count = Count::new(&sessions, places);
    views.reach(&asked.from.to_string(), &asked.to.to_string(), |row| {
        if team.is_none_or(|team| *team.as_bytes() == row.team) { count.add(row) } else { Ok(()) }
    })?;
    count.figures(asked)
}

/// What contacts come to, one after the other.
pub struct Count<'a> {
    /// Of each session where and on which day it was.
    sessions: &'a SessionPlaces,
    places: &'a mut Places,
    words: Words,
    everybody: HashMap<[u8; 16], Somebody>,
}

impl<'a> Count<'a> {
    pub fn new(sessions: &'a SessionPlaces, places: &'a mut Places) -> Count<'a> {
        Count { sessions, places, words: Words::new(), everybody: HashMap::new() }
    }

    pub fn add(&mut self, row: ReachRow) -> Result<()> {
        let place = self.places.of(&row.postcode)?;
        let site = self.sessions.get(&row.session).and_then(|(site, _)| *site);
        let site = site.map(|site| site.to_string()).unwrap_or_default();
        let who = row.who;
        let now = Somebody::of(&row, &place, &site, &mut self.words);
        match self.everybody.entry(who) {
            Occupied(mut entry) => entry.get_mut().and(now),
            Vacant(entry) => {
                entry.insert(now);
            }
        }
        Ok(())
    }

    pub fn figures(self, asked: &Asked) -> Result<Reach> {
        let Count { places, words, everybody, .. } = self;
        let people: Vec<&Somebody> = everybody.values().collect();
        let district = most_usual_district(&people, &words);
        let mut cuts = Vec::new();
        for (index, by) in CUTS.iter().enumerate() {
            let mut cut = cut_up(by, people.iter().map(|one| (words.text(one.codes[index]), one.step)));
            compare(&mut cut, district, places)?;
            cuts.push(cut);
        }
        let groups: BTreeSet<Word> = people.iter().flat_map(|one| &one.groups).copied().collect();
        let groups: BTreeMap<&str, Word> = groups.into_iter().map(|word| (words.text(word), word)).collect();
        for (group, word) in groups {
            // Whoever belongs to it and whoever does not: of the two the first is shown.
            let within =
                people.iter().map(|one| (if one.groups.contains(&word) { "in" } else { "out" }, one.step));
            cuts.push(cut_up(&format!("plus:{group}"), within));
        }
        let compared_with =
            district.map(|district| places.reference().area_name(district)).transpose()?.flatten();
        Ok(Reach {
            from: asked.from.to_string(),
            to: asked.to.to_string(),
            people: suppress::total(&funnel(people.iter().map(|one| one.step))),
            cuts,
            months: months(&people, &words),
            completeness: QUESTIONS.iter().map(|field| complete(&people, &words, field)).collect(),
            deprivation: places.year,
            compared_with,
        })
    }
}

impl Somebody {
    fn of(row: &ReachRow, place: &Place, site: &str, words: &mut Words) -> Somebody {
        let mut first = Day::default();
        first.iter_mut().zip(row.day.bytes()).for_each(|(to, from)| *to = from);
        let groups = row.plus_groups.split(',').filter(|group| !group.is_empty());
        let codes = [
            &row.ethnic,
            &place.quintile,
            &row.age,
            &row.sex,
            &row.registered,
            &row.language,
            site,
            &place.ward,
            &row.postcode,
        ];
        Somebody {
            first,
            groups: groups.map(|group| words.number(group)).collect(),
            codes: codes.map(|code| words.number(code)),
            district: words.number(&place.district),
            step: row.step,
            months: vec![(words.number(row.day.get(..7).unwrap_or_default()), row.step)],
        }
    }

    /// The same person, at another contact.
    fn and(&mut self, other: Somebody) {
        let later = if other.first < self.first { std::mem::replace(self, other) } else { other };
        self.also(later);
    }

    /// A later contact: says what the first did not.
    fn also(&mut self, later: Somebody) {
        for (code, later) in self.codes.iter_mut().zip(later.codes) {
            if *code == 0 {
                *code = later;
            }
        }
        if self.district == 0 {
            self.district = later.district;
        }
        for group in later.groups {
            if !self.groups.contains(&group) {
                self.groups.push(group);
            }
        }
        self.step = self.step.max(later.step);
        for (month, step) in later.months {
            match self.months.iter_mut().find(|(held, _)| *held == month) {
                Some((_, held)) => *held = (*held).max(step),
                None => self.months.push((month, step)),
            }
        }
    }
}

/// How many came at least so far, step by step.
fn funnel(steps: impl Iterator<Item = usize>) -> Funnel {
    let mut counts = vec![0; STEPS];
    steps.for_each(|step| count_in(&mut counts, step));
    counts
}

/// One more, who came so far.
fn count_in(counts: &mut Funnel, step: usize) {
    counts.iter_mut().take(step + 1).for_each(|count| *count += 1);
}

fn cut_up<'a>(by: &str, people: impl Iterator<Item = (&'a str, usize)>) -> Cut {
    let mut cells: BTreeMap<&str, Funnel> = BTreeMap::new();
    for (code, step) in people {
        count_in(cells.entry(code).or_insert_with(|| vec![0; STEPS]), step);
    }
    let mut cells: Vec<(&str, Funnel)> = cells.into_iter().collect();
    // Who said nothing comes last.
    cells.sort_by_key(|(code, _)| (code.is_empty(), *code == DECLINED));
    let (codes, funnels): (Vec<&str>, Vec<Funnel>) = cells.into_iter().unzip();
    let figures = suppress::cut(&funnels);
    let lines = codes.into_iter().zip(figures).map(|(code, people)| Line {
        code: code.to_owned(),
        people,
        population_percent: None,
    });
    Cut { by: by.to_owned(), lines: lines.collect() }
}

/// In which most of them live.
fn most_usual_district<'a>(people: &[&Somebody], words: &'a Words) -> Option<&'a str> {
    let mut districts: BTreeMap<&str, u64> = BTreeMap::new();
    for one in people.iter().filter(|one| one.district != 0) {
        *districts.entry(words.text(one.district)).or_default() += 1;
    }
    districts.into_iter().max_by_key(|(_, people)| *people).map(|(district, _)| district)
}

/// Puts beside each line what part of the district's population it is.
fn compare(cut: &mut Cut, district: Option<&str>, places: &Places) -> Result<()> {
    let Some(district) = district else { return Ok(()) };
    let population: Vec<(String, u64)> = match (cut.by.as_str(), places.year) {
        ("quintile", Some(year)) => match places.reference().people_by_quintile(district, year)? {
            Some(people) => (1..).map(|quintile: u8| quintile.to_string()).zip(people).collect(),
            None => return Ok(()),
        },
        ("ethnic_category" | "sex", _) => places.reference().population(district, &cut.by)?,
        ("age", _) => {
            let people = places.reference().population(district, "age_band")?;
            let ours = |(code, people): (String, u64)| (age_band(&code).to_owned(), people);
            let mut people: Vec<(String, u64)> = people.into_iter().map(ours).collect();
            if people.iter().any(|(code, _)| code == BAND_ACROSS) {
                // Its bands are not ours: nothing can be put beside them.
                return Ok(());
            }
            people.sort();
            people.dedup_by(|from, into| {
                from.0 == into.0 && {
                    into.1 += from.1;
                    true
                }
            });
            people
        }
        _ => return Ok(()),
    };
    let all: u64 = population.iter().map(|(_, people)| people).sum();
    for line in &mut cut.lines {
        let of = population.iter().find(|(code, _)| *code == line.code);
        line.population_percent = of.filter(|_| all > 0).map(|(_, people)| percent(*people, all));
    }
    Ok(())
}

/// To one decimal place.
fn percent(part: u64, of: u64) -> f64 {
    (part as f64 * 1000.0 / of as f64).round() / 10.0
}

fn months(people: &[&Somebody], words: &Words) -> Vec<Line> {
    let mut months: BTreeMap<&str, Funnel> = BTreeMap::new();
    for (month, step) in people.iter().flat_map(|one| &one.months) {
        count_in(months.entry(words.text(*month)).or_insert_with(|| vec![0; STEPS]), *step);
    }
    let line = |(month, funnel): (&str, Funnel)| Line {
        code: month.to_owned(),
        people: suppress::total(&funnel),
        population_percent: None,
    };
    months.into_iter().map(line).collect()
}

fn complete(people: &[&Somebody], words: &Words, field: &'static str) -> Completeness {
    let index = CODES.iter().position(|code| *code == field).unwrap_or(0);
    let mut counts = [0; 3];
    for one in people {
        let code = words.text(one.codes[index]);
        let place = match (field, code) {
            (_, DECLINED) | ("ethnic_category", "Z") => 1,
            (_, "") | ("ethnic_category", "99") => 2,
            ("ethnic_category", code) if ethnic_category(code).is_none() => 2,
            _ => 0,
        };
        counts[place] += 1;
    }
    let figures = suppress::cut(&counts.map(|count| vec![count]));
    let figure = |place: usize| figures[place][0];
    Completeness { field, given: figure(0), declined: figure(1), missing: figure(2) }
}
