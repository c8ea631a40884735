//! Data quality: what is missing, and what was measured or noted in a way that cannot be. By site, never by who took a
//! reading. The figures may be shared: all of them have been through `crate::reach`'s suppression, and whatever is
//! calculated is calculated from what is shown.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use utoipa::ToSchema;
use wayside_protocol::record::RecordId;

use crate::error::Result;
use crate::reach::{Asked, Figure, cut, total};
use crate::views::{QualityRow, Views};

/// A clock that is so far from ours is wrong; less is the time that a request takes.
pub const WRONG_CLOCK_MS: u64 = 2 * 60_000;
/// So many readings say something of how they were read.
const ENOUGH_READINGS: u64 = 100;
/// How far a share of last digits may be from a tenth by chance: three times its standard error.
const BY_CHANCE: f64 = 3.0;

/// What a page and the API show.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Quality {
    pub from: String,
    pub to: String,
    pub everywhere: Recorded,
    pub sites: Vec<Recorded>,
    /// By calendar quarter: `2026-Q4`.
    pub quarters: Vec<Recorded>,
    /// How many readings end in 0, 1, ... 9.
    pub last_digits: Vec<LastDigit>,
    /// Whether last digits are spread as chance spreads them; `None` where there are too few to say.
    pub digits_by_chance: Option<bool>,
}

/// How contacts of one place or time were recorded.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Recorded {
    /// A site's id, empty where it is not known; a quarter.
    pub code: String,
    /// Checks and conversations.
    pub contacts: Figure,
    /// Of these: nobody asked for the ethnic category, or it is not known. Who declined to say was asked.
    pub ethnicity_missing: Figure,
    /// Of these: not on the day of their session, after today, or with a reading taken hours before or after.
    pub impossible_times: Figure,
    /// Of these: recorded on a tablet whose clock was wrong by two minutes or more when it was last heard of.
    pub wrong_clock: Figure,
    /// Our own people's, home diaries apart.
    pub readings: Figure,
    /// Systolic readings of 130 to 139 mmHg, and of 140 to 149.
    pub just_below: Figure,
    pub just_above: Figure,
    /// The first for each of the second. Far more than elsewhere may be a sign of rounding down (threshold fudging).
    pub below_to_above: Option<f64>,
    /// Of 100 readings, how many have a systolic value that ends in 0; by chance 10.
    pub zeros_percent: Option<f64>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LastDigit {
    pub digit: u8,
    pub systolic: Figure,
    pub diastolic: Figure,
}

/// What is counted of a place or time, in the order of [`Recorded`].
const COUNTS: usize = 8;

#[derive(Debug, Clone, Copy, Default)]
struct Counted([u64; COUNTS]);

impl Counted {
    /// `impossible`: that all of these contacts were at a time that cannot be.
    fn add(&mut self, row: &QualityRow, impossible: bool, wrong_clock: bool) {
        let counts = [
            row.contacts,
            row.ethnicity_missing,
            if impossible { row.contacts } else { row.odd_times },
            if wrong_clock { row.contacts } else { 0 },
            row.readings,
            row.just_below,
            row.just_above,
            row.digits[0][0],
        ];
        self.0.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
}

/// How well the contacts of these days were recorded; `today` as `YYYY-MM-DD`, and the ids of tablets with a wrong clock.
/// Blocks.
pub fn quality(views: &Views, asked: &Asked, today: &str, wrong_clocks: &HashSet<String>) -> Result<Quality> {
    let (from, to) = (asked.from.to_string(), asked.to.to_string());
    let team: Option<RecordId> = asked.team.parse().ok();
    let sessions = views.places_of_sessions()?;
    let mut everywhere = Counted::default();
    let mut sites: HashMap<Option<RecordId>, Counted> = HashMap::new();
    let mut quarters: BTreeMap<String, Counted> = BTreeMap::new();
    let mut digits = [[0; 2]; 10];
    for row in views.quality(&from, &to)? {
        if team.is_some_and(|team| *team.as_bytes() != row.team) {
            continue;
        }
        let session = sessions.get(&row.session);
        let elsewhen = session.is_some_and(|(_, day)| !day.is_empty() && *day != row.day);
        let impossible = elsewhen || row.day.as_str() > today;
        let wrong_clock = wrong_clocks.contains(&row.tablet);
        let site = sites.entry(session.and_then(|(site, _)| *site)).or_default();
        let quarter = quarters.entry(quarter(&row.day)).or_default();
        for counted in [&mut everywhere, site, quarter] {
            counted.add(&row, impossible, wrong_clock);
        }
        for (digit, sums) in digits.iter_mut().enumerate() {
            for (sum, counts) in sums.iter_mut().zip(&row.digits) {
                *sum += counts[digit];
            }
        }
    }
    let mut sites: Vec<(String, Counted)> = sites
        .into_iter()
        .map(|(site, counted)| (site.map(|site| site.to_string()).unwrap_or_default(), counted))
        .collect();
    // Where nobody knows the site comes last.
    sites.sort_by(|a, b| (a.0.is_empty(), &a.0).cmp(&(b.0.is_empty(), &b.0)));
    let last_digits = last_digits(&digits);
    Ok(Quality {
        from,
        to,
        everywhere: recorded(String::new(), &total(&everywhere.0)),
        sites: all_recorded(sites),
        quarters: all_recorded(quarters.into_iter().collect()),
        digits_by_chance: by_chance(&last_digits),
        last_digits,
    })
}

/// `2026-Q4`, for a day of it.
fn quarter(day: &str) -> String {
    let month: Option<u8> = day.get(5..7).and_then(|month| month.parse().ok());
    match (day.get(..4), month) {
        (Some(year), Some(month)) => format!("{year}-Q{}", month.div_ceil(3)),
        _ => String::new(),
    }
}

/// Of parts that add up to everything.
fn all_recorded(parts: Vec<(String, Counted)>) -> Vec<Recorded> {
    let counts: Vec<Vec<u64>> = parts.iter().map(|(_, counted)| counted.0.to_vec()).collect();
    parts.into_iter().zip(cut(&counts)).map(|((code, _), figures)| recorded(code, &figures)).collect()
}

fn recorded(code: String, figures: &[Figure]) -> Recorded {
    let figure = |index: usize| figures.get(index).copied().unwrap_or(Figure::Hidden);
    let (readings, below, above, zeros) = (figure(4), figure(5), figure(6), figure(7));
    let enough = readings.value().filter(|readings| *readings >= ENOUGH_READINGS);
    let ratio = match (below.value(), above.value()) {
        (Some(below), Some(above)) if enough.is_some() && above > 0 => Some(to_places(below, above, 100.0)),
        _ => None,
    };
    let zeros = zeros.value().zip(enough).map(|(zeros, readings)| to_places(zeros * 100, readings, 1.0));
    Recorded {
        code,
        contacts: figure(0),
        ethnicity_missing: figure(1),
        impossible_times: figure(2),
        wrong_clock: figure(3),
        readings,
        just_below: below,
        just_above: above,
        below_to_above: ratio,
        zeros_percent: zeros,
    }
}

/// A ratio to so many parts of one.
fn to_places(part: u64, of: u64, parts: f64) -> f64 {
    (part as f64 / of as f64 * parts).round() / parts
}

fn last_digits(digits: &[[u64; 2]; 10]) -> Vec<LastDigit> {
    let cells: Vec<Vec<u64>> = digits.iter().map(|counts| counts.to_vec()).collect();
    let figures = cut(&cells);
    let lines = (0..).zip(figures).map(|(digit, figures)| LastDigit {
        digit,
        systolic: figures[0],
        diastolic: figures[1],
    });
    lines.collect()
}

/// Whether no digit is much more or less frequent than one in ten, on either side.
fn by_chance(digits: &[LastDigit]) -> Option<bool> {
    let sides: [fn(&LastDigit) -> Figure; 2] = [|one| one.systolic, |one| one.diastolic];
    let mut all = true;
    for side in sides {
        let counts: Vec<u64> = digits.iter().map(|one| side(one).value()).collect::<Option<_>>()?;
        let sum: u64 = counts.iter().sum();
        if sum < ENOUGH_READINGS {
            return None;
        }
        let error = (0.1 * 0.9 / sum as f64).sqrt();
        all &= counts.iter().all(|count| (*count as f64 / sum as f64 - 0.1).abs() <= BY_CHANCE * error);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(counts: [u64; 10]) -> Vec<LastDigit> {
        last_digits(&counts.map(|count| [count, 60]))
    }

    #[test]
    fn digits_that_are_rounded_are_told_from_chance() {
        assert_eq!(by_chance(&digits([62, 58, 55, 61, 66, 57, 60, 63, 59, 59])), Some(true));
        assert_eq!(by_chance(&digits([180, 40, 50, 45, 50, 60, 45, 40, 50, 40])), Some(false), "many zeros");
        assert_eq!(by_chance(&digits([9, 9, 9, 9, 9, 9, 9, 0, 0, 0])), None, "too few");
        assert_eq!(by_chance(&digits([60, 60, 60, 60, 60, 60, 60, 60, 60, 3])), None, "one is hidden");
    }

    #[test]
    fn shares_come_from_what_is_shown_and_not_from_a_few() {
        let figures = |counts: [u64; COUNTS]| recorded(String::new(), &total(&counts));
        let many = figures([303, 42, 0, 0, 602, 121, 62, 118]);
        assert_eq!((many.below_to_above, many.zeros_percent), (Some(2.0), Some(20.0)));
        assert_eq!((many.contacts, many.impossible_times), (Figure::About(305), Figure::About(0)));
        let few = figures([40, 3, 0, 0, 80, 20, 10, 8]);
        assert_eq!(
            (few.below_to_above, few.zeros_percent, few.ethnicity_missing),
            (None, None, Figure::Hidden)
        );
        let hidden = figures([300, 0, 0, 0, 600, 200, 4, 5]);
        assert_eq!(
            (hidden.below_to_above, hidden.zeros_percent),
            (None, None),
            "nothing comes of a hidden one"
        );
    }

    #[test]
    fn quarters_are_those_of_the_calendar() {
        assert_eq!(
            ["2026-01-31", "2026-03-31", "2026-04-01", "2026-12-31"].map(quarter),
            ["2026-Q1", "2026-Q1", "2026-Q2", "2026-Q4"]
        );
    }
}
