//! Tries to get behind the figures: every pair of those that anybody can have, whatever cut, step, month, period or team
//! they are of. Populations are drawn from seeds; a run that fails says which.

use std::collections::HashMap;

use jiff::civil::date;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wayside_protocol::record::RecordId;

use super::count::Count;
use super::places::Places;
use super::suppress::{Figure, SMALL};
use super::{Asked, Line, Reach};
use crate::reference::Reference;
use crate::views::{DECLINED, ReachRow, SessionPlaces};

const TEAMS: u8 = 2;
const MONTHS: i8 = 3;
const SESSIONS: u8 = 6;
/// People of one population at most: one bit each.
const MOST: usize = 256;

type Bits = [u64; MOST / 64];

fn with(person: usize) -> Bits {
    let mut bits = Bits::default();
    bits[person / 64] |= 1 << (person % 64);
    bits
}

/// Contacts of a few people who share few answers, so that small groups and nested ones are many.
fn population(random: &mut StdRng) -> Vec<ReachRow> {
    let mut rows = Vec::new();
    let people = random.random_range(20..MOST);
    for person in 0..people {
        let one_of = |random: &mut StdRng, codes: &[&str]| {
            // The first is the most usual by far.
            let index = random.random_range(0..codes.len()).min(random.random_range(0..codes.len() * 2));
            codes[index].to_owned()
        };
        let (team, ethnic) = (random.random_range(0..TEAMS), one_of(random, &["A", "J", "N", "", "Z"]));
        let (sex, age) =
            (one_of(random, &["female", "male", DECLINED]), one_of(random, &["50-59", "18-29", "80+"]));
        let (language, plus) = (one_of(random, &["en", "pa", ""]), one_of(random, &["", "homeless"]));
        for _ in 0..random.random_range(1..3) {
            rows.push(ReachRow {
                who: [u8::try_from(person).unwrap(); 16],
                team: [team; 16],
                session: [random.random_range(0..SESSIONS); 16],
                day: format!(
                    "2026-{:02}-{:02}",
                    random.random_range(1..=MONTHS),
                    random.random_range(1..=28)
                ),
                sex: sex.clone(),
                ethnic: ethnic.clone(),
                age: age.clone(),
                language: language.clone(),
                registered: one_of(random, &["yes", "no"]),
                postcode: String::new(),
                plus_groups: plus.clone(),
                step: random.random_range(0..5).min(random.random_range(0..5)),
            });
        }
    }
    rows
}

/// The same contact of several people.
fn alike(row: &ReachRow) -> Vec<ReachRow> {
    let one = |n: u8| {
        let mut row = row.clone();
        row.who[15] = n;
        row
    };
    (0..=SMALL as u8).map(one).collect()
}

/// A figure that was published, and whom it counts in truth.
struct Published {
    what: String,
    figure: Figure,
    people: Bits,
}

/// Everything that can be asked of a population.
fn everything(rows: &[ReachRow], sessions: &SessionPlaces, places: &mut Places) -> Vec<Published> {
    let mut published = Vec::new();
    for from in 1..=MONTHS {
        for to in from..=MONTHS {
            for team in std::iter::once(None).chain((0..TEAMS).map(Some)) {
                let asked = Asked::months(date(2026, from, 1), date(2026, to, 1), String::new());
                let (first, last) = (asked.from.to_string(), asked.to.to_string());
                let mut of: Vec<ReachRow> = rows.to_vec();
                of.retain(|row| first <= row.day && row.day <= last);
                of.retain(|row| team.is_none_or(|team| row.team == [team; 16]));
                let mut count = |of: Vec<ReachRow>| {
                    let mut count = Count::new(sessions, places);
                    of.into_iter().for_each(|row| count.add(row).unwrap());
                    count.figures(&asked).unwrap()
                };
                let shown = flat(&count(of.clone()));
                // Whom each figure counts: of so many who are like one person and nobody else, that none is hidden.
                let mut whom: HashMap<String, Bits> = HashMap::new();
                for person in 0..MOST {
                    let alone = of.iter().filter(|row| usize::from(row.who[0]) == person);
                    let alike: Vec<ReachRow> = alone.flat_map(alike).collect();
                    if alike.is_empty() {
                        continue;
                    }
                    for (what, figure) in flat(&count(alike)) {
                        if figure != Figure::About(0) {
                            let bits = whom.entry(what).or_default();
                            *bits = std::array::from_fn(|n| bits[n] | with(person)[n]);
                        }
                    }
                }
                for (what, figure) in shown {
                    let people = match what.strip_prefix("plus:homeless=out") {
                        // Of somebody alone nothing says that others belong to the group.
                        Some(step) => {
                            let of =
                                |cell: &str| whom.get(&format!("{cell}{step}")).copied().unwrap_or_default();
                            let (all, within) = (of("everybody="), of("plus:homeless=in"));
                            std::array::from_fn(|n| all[n] & !within[n])
                        }
                        None => whom.get(&what).copied().unwrap_or_default(),
                    };
                    let what = format!("{what} of {team:?} from {from} to {to}");
                    published.push(Published { what, figure, people });
                }
            }
        }
    }
    published
}

/// Each figure of an answer under a name of its own.
fn flat(reach: &Reach) -> Vec<(String, Figure)> {
    let mut flat = Vec::new();
    let mut take = |by: &str, lines: &[Line]| {
        for line in lines {
            let steps = line.people.iter().enumerate();
            flat.extend(steps.map(|(step, figure)| (format!("{by}={} step {step}", line.code), *figure)));
        }
    };
    let everybody = Line { code: String::new(), people: reach.people.clone(), population_percent: None };
    take("everybody", &[everybody]);
    reach.cuts.iter().for_each(|cut| take(&cut.by, &cut.lines));
    take("month", &reach.months);
    for one in &reach.completeness {
        for (name, figure) in [("given", one.given), ("declined", one.declined), ("missing", one.missing)] {
            flat.push((format!("{} {name}", one.field), figure));
        }
    }
    flat
}

/// Between what somebody who reads a figure knows the truth to lie.
fn known(figure: Figure) -> Option<(u64, u64)> {
    match figure {
        Figure::About(0) => Some((0, 0)),
        Figure::About(value) => Some((value.saturating_sub(2).max(SMALL + 1), value + 2)),
        Figure::Hidden => None,
    }
}

/// The first pair of which one counts only people whom the other counts too, and whose difference is surely a few.
fn leak(published: &[Published], known: impl Fn(&Published) -> Option<(u64, u64)>) -> Option<String> {
    let open: Vec<(&Published, (u64, u64))> =
        published.iter().filter_map(|one| Some((one, known(one)?))).collect();
    for (whole, (least, most)) in &open {
        for (part, (from, to)) in &open {
            let within = part.people.iter().zip(&whole.people).all(|(part, whole)| part & !whole == 0);
            let (low, high) = (least.saturating_sub(*to), most.saturating_sub(*from));
            if within && low >= 1 && high <= SMALL {
                return Some(format!("{} less {} is {low} to {high}", whole.what, part.what));
            }
        }
    }
    None
}

#[test]
fn no_pair_of_figures_says_for_certain_that_it_is_of_a_few() {
    let folder = tempfile::tempdir().unwrap();
    let sessions: SessionPlaces = (0..SESSIONS)
        .map(|n| ([n; 16], (Some(RecordId::from_bytes([n / 2 + 1; 16])), "2026-01-01".to_owned())))
        .collect();
    for seed in 0..6 {
        let mut places = Places::new(Reference::open(folder.path()).unwrap()).unwrap();
        let rows = population(&mut StdRng::seed_from_u64(seed));
        let published = everything(&rows, &sessions, &mut places);
        assert!(published.len() > 1000, "seed {seed}");
        for one in &published {
            let truth: u32 = one.people.iter().map(|bits| bits.count_ones()).sum();
            match known(one.figure) {
                Some((least, most)) => {
                    assert!((least..=most).contains(&truth.into()), "seed {seed}: {} is {truth}", one.what)
                }
                None => assert!(truth > 0 || one.figure == Figure::Hidden),
            }
        }
        if let Some(found) = leak(&published, |one| known(one.figure)) {
            panic!("seed {seed}: {found}");
        }
        // The search does find something where there is something to be found: the true counts give people away.
        let truth = |one: &Published| {
            let count = one.people.iter().map(|bits| u64::from(bits.count_ones())).sum();
            known(one.figure).map(|_| (count, count))
        };
        assert!(leak(&published, truth).is_some(), "seed {seed}");
    }
}
