//! Which pair counts: the chosen one of several clinic readings, the mean of home or 24-hour readings.
//!
//! Sources: NG136 1.2.2 (second and third reading, lower of the last two), 1.2.6 (ABPM), 1.2.7 (HBPM).
//! What "lower" means when values cross, and what "substantially different" means, is D.

use std::fmt;

use jiff::civil::Date;

use super::bp::is_raised;

/// Two values of one measurement, mmHg. Never mixed with another's. Ordered by systolic, then diastolic,
/// which is what "lower" means here (D).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Pair {
    pub systolic: i64,
    pub diastolic: i64,
}

impl Pair {
    pub const fn new(systolic: i64, diastolic: i64) -> Self {
        Pair { systolic, diastolic }
    }

    fn is_raised(self) -> bool {
        is_raised(self.systolic, self.diastolic)
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.systolic, self.diastolic)
    }
}

/// When two readings differ "substantially", so that a third is due. NICE gives no number: D.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChoiceSettings {
    /// A difference of at least this, mmHg.
    pub systolic_difference: u64,
    pub diastolic_difference: u64,
}

impl Default for ChoiceSettings {
    fn default() -> Self {
        ChoiceSettings { systolic_difference: 10, diastolic_difference: 5 }
    }
}

/// The reading that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its place among the readings given.
    pub index: usize,
    /// The rule, in words for staff, with the numbers.
    pub why: String,
    pub another_reading_due: bool,
}

/// Chooses among clinic readings, in the order taken: the lower of the last two (NG136 1.2.2), as one
/// real pair (D); of two equal ones the later. `None` without readings.
pub fn choose(readings: &[Pair]) -> Option<Choice> {
    choose_with(readings, &ChoiceSettings::default())
}

/// [`choose`] with the team's own idea of a substantial difference.
pub fn choose_with(readings: &[Pair], settings: &ChoiceSettings) -> Option<Choice> {
    match readings {
        [] => None,
        [only] => Some(Choice {
            index: 0,
            why: format!("The only reading ({only})"),
            another_reading_due: only.is_raised(),
        }),
        [earlier @ .., before, last] => {
            let index = if before < last { earlier.len() } else { earlier.len() + 1 };
            let differ = before.systolic.abs_diff(last.systolic) >= settings.systolic_difference
                || before.diastolic.abs_diff(last.diastolic) >= settings.diastolic_difference;
            // A reading that rises at the end has not had its own second reading yet (D).
            let rising = last.is_raised() && !before.is_raised();
            Some(Choice {
                index,
                why: format!("Lower of the last two readings ({before}, {last})"),
                another_reading_due: rising || (earlier.is_empty() && before.is_raised() && differ),
            })
        }
    }
}

/// Whether staff must ask for red flags at once, before any repeat: any single reading at 180 or above,
/// or 120 or above (D, after NG136 1.5.2).
pub fn red_flag_questions_due(readings: &[Pair]) -> bool {
    readings.iter().any(|pair| pair.systolic >= 180 || pair.diastolic >= 120)
}

/// The mean of a series of readings, or what is missing for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mean {
    /// The mean, when there is enough for it.
    pub pair: Option<Pair>,
    /// The mean of what would count, whether or not it is enough; never to be shown as a mean.
    pub so_far: Option<Pair>,
    /// What it is a mean of, or what is missing, in words for staff.
    pub why: String,
}

/// HBPM (NG136 1.2.7): readings of at least 4 days, those of the first day dropped, the mean of the rest.
/// In any order.
pub fn home_mean(readings: &[(Date, i64, i64)]) -> Mean {
    let mut days: Vec<Date> = readings.iter().map(|(day, ..)| *day).collect();
    days.sort_unstable();
    days.dedup();
    let counted: Vec<Pair> = readings
        .iter()
        .filter(|(day, ..)| days.len() < 2 || Some(day) != days.first())
        .map(|(_, systolic, diastolic)| Pair::new(*systolic, *diastolic))
        .collect();
    let so_far = mean(&counted);
    match (days.len(), so_far) {
        (4.., Some(pair)) => {
            let why = format!("Mean of {} home readings without the first day's ({pair})", counted.len());
            Mean { pair: so_far, so_far, why }
        }
        (count, _) => {
            let why = format!("No home mean yet: readings on at least 4 days are needed, there are {count}");
            Mean { pair: None, so_far, why }
        }
    }
}

/// ABPM (NG136 1.2.6): the mean of at least 14 readings taken during waking hours.
pub fn waking_mean(readings: &[Pair]) -> Mean {
    let so_far = mean(readings);
    match (readings.len(), so_far) {
        (count @ 14.., Some(pair)) => {
            Mean { pair: so_far, so_far, why: format!("Mean of {count} waking readings ({pair})") }
        }
        (count, _) => {
            let why = format!("No waking mean yet: at least 14 readings are needed, there are {count}");
            Mean { pair: None, so_far, why }
        }
    }
}

/// Rounded half up to whole mmHg (D).
fn mean(readings: &[Pair]) -> Option<Pair> {
    let count = i128::try_from(readings.len()).ok().filter(|count| *count > 0)?;
    let of = |value: fn(&Pair) -> i64| {
        let sum: i128 = readings.iter().map(|pair| i128::from(value(pair))).sum();
        // A mean of 64-bit numbers is one.
        i64::try_from((2 * sum + count).div_euclid(2 * count)).ok()
    };
    Some(Pair::new(of(|pair| pair.systolic)?, of(|pair| pair.diastolic)?))
}
