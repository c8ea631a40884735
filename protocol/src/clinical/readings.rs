//! Readings of a contact as the rules count them, and which of them count where arms or positions differ.
//!
//! Sources: NG136 1.2.1 (both arms), 1.1.5-1.1.8 (standing). NICE does not say whether the difference
//! between the arms is systolic: D, and strictly more than 15. That a difference nobody has measured again
//! yet counts as one, so that the higher arm decides meanwhile, and that standing and lying readings
//! decide only where there is no other, is D: both keep a low number from hiding a high one.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Setting;
use super::choose::Pair;
use super::entries::{Entry, Slot, timestamp};
use super::limits::check_reading;

spelt! {
    Arm {
        Left = "left", "Left arm";
        Right = "right", "Right arm";
    }
}

impl Arm {
    pub const fn other(self) -> Self {
        match self {
            Arm::Left => Arm::Right,
            Arm::Right => Arm::Left,
        }
    }
}

/// Where the body was. Any other spelling counts as sitting: no reading is passed over for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    Sitting,
    Lying,
    Standing,
}

/// A reading as it counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading<'a> {
    pub(super) id: &'a str,
    pub(super) pair: Pair,
    pub(super) setting: Setting,
    pub(super) arm: Option<Arm>,
    pub(super) position: Position,
    pub(super) taken_at: Option<Timestamp>,
    pub(super) confirmed: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn of((id, entry): Entry<'a>) -> Option<Self> {
        let word = |field: &str| entry.get(field).and_then(Value::as_str);
        let setting = match word("setting") {
            Some("hbpm") => Setting::Hbpm,
            Some("abpm") => Setting::Abpm,
            // Absent, or one that a newer version knows: never pass over a reading for that.
            _ => Setting::Clinic,
        };
        let position = match word("position") {
            Some("standing") => Position::Standing,
            Some("lying") => Position::Lying,
            _ => Position::Sitting,
        };
        Some(Reading {
            id,
            pair: Pair::new(whole(entry.get("systolic"))?, whole(entry.get("diastolic"))?),
            setting,
            arm: word("arm").and_then(Arm::parse),
            position,
            taken_at: timestamp(entry.get("taken_at")),
            confirmed: entry.get("confirmed_unusual") == Some(&Value::Bool(true)),
        })
    }

    /// An impossible reading must not hide a possible one by being the lower of two.
    pub(super) fn is_possible(&self) -> bool {
        !check_reading(self.pair.systolic, self.pair.diastolic, None).blocked()
    }

    pub(super) fn day(&self) -> Option<Date> {
        self.taken_at.map(utc_date)
    }
}

/// What one place may hold: equal values are no disagreement. The highest first, so that the cap on
/// combinations cannot cut it off.
pub(super) fn alternatives<'a>(slot: &Slot<'a>) -> Vec<Reading<'a>> {
    let mut kept: Vec<Reading<'a>> = Vec::new();
    for reading in slot.alternatives.iter().copied().filter_map(Reading::of) {
        let same = |other: &Reading<'_>| {
            (other.pair, other.setting, other.arm, other.position)
                == (reading.pair, reading.setting, reading.arm, reading.position)
        };
        if !kept.iter().any(same) {
            kept.push(reading);
        }
    }
    kept.sort_by_key(|reading| std::cmp::Reverse(reading.pair));
    kept
}

/// Days are days in UTC: within an hour of the local ones in England, and the same on every machine.
pub(super) fn utc_date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

pub(super) fn pairs(readings: &[Reading<'_>]) -> Vec<Pair> {
    readings.iter().map(|reading| reading.pair).collect()
}

/// A whole number, also when written as `152.0`.
fn whole(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    value.as_i64().or_else(|| {
        let float = value.as_f64()?;
        // Inside this range the conversion is exact.
        (float.fract() == 0.0 && float.abs() < 1e9).then_some(float as i64)
    })
}

/// What readings of both arms say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arms {
    /// Only one arm, or none that is named.
    OneOnly,
    /// No more than 15 systolic between the first of each, or between the second of each.
    Alike,
    /// More than 15 between the first of each: measure both again, this arm next.
    Repeat { higher: Arm, next: Arm },
    /// Still more than 15: this arm from now on.
    Differ { higher: Arm },
}

impl Arms {
    /// The arm whose readings decide; `None` when it does not matter.
    pub const fn deciding(self) -> Option<Arm> {
        match self {
            Arms::OneOnly | Arms::Alike => None,
            Arms::Repeat { higher, .. } | Arms::Differ { higher } => Some(higher),
        }
    }
}

/// Compares the arms, from readings in the order taken (NG136 1.2.1).
pub fn arms(readings: &[(Option<Arm>, Pair)]) -> Arms {
    let systolic = |arm: Arm| {
        let mut of =
            readings.iter().filter(move |(taken, _)| *taken == Some(arm)).map(|(_, pair)| pair.systolic);
        (of.next(), of.next())
    };
    let (left, right) = (systolic(Arm::Left), systolic(Arm::Right));
    let higher = |left: i64, right: i64| if left > right { Arm::Left } else { Arm::Right };
    let differ = |left: i64, right: i64| left.abs_diff(right) > 15;
    match (left, right) {
        ((None, _), _) | (_, (None, _)) => Arms::OneOnly,
        ((Some(left), _), (Some(right), _)) if !differ(left, right) => Arms::Alike,
        ((_, Some(left)), (_, Some(right))) if !differ(left, right) => Arms::Alike,
        ((_, Some(left)), (_, Some(right))) => Arms::Differ { higher: higher(left, right) },
        ((Some(first_left), again_left), (Some(first_right), again_right)) => {
            let higher = higher(first_left, first_right);
            let lower_again = if higher == Arm::Left { again_right } else { again_left };
            // The higher arm last: then its two readings are the last ones.
            let next = if lower_again.is_none() { higher.other() } else { higher };
            Arms::Repeat { higher, next }
        }
    }
}

pub(super) fn arms_of(readings: &[Reading<'_>]) -> Arms {
    let placed: Vec<_> = readings.iter().map(|reading| (reading.arm, reading.pair)).collect();
    arms(&placed)
}

/// A fall of 20 systolic or 10 diastolic or more on standing (NG136 1.1.6).
pub const fn is_postural_drop(before: Pair, standing: Pair) -> bool {
    before.systolic.saturating_sub(standing.systolic) >= 20
        || before.diastolic.saturating_sub(standing.diastolic) >= 10
}

/// The last standing reading and the last one before it that was not: lying or sitting.
pub(super) fn standing_test<'a, 'b>(
    readings: &'b [Reading<'a>],
) -> Option<(&'b Reading<'a>, &'b Reading<'a>)> {
    let at = readings.iter().rposition(|reading| reading.position == Position::Standing)?;
    let before = readings.iter().take(at).rfind(|reading| reading.position != Position::Standing)?;
    Some((before, readings.get(at)?))
}

/// The readings that may decide: sitting ones, else lying, else standing.
pub(super) fn by_position<'a>(readings: &[Reading<'a>]) -> Vec<Reading<'a>> {
    let of = |position| -> Vec<Reading<'a>> {
        readings.iter().copied().filter(|reading| reading.position == position).collect()
    };
    [Position::Sitting, Position::Lying, Position::Standing]
        .into_iter()
        .map(of)
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}
