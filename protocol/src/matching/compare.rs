//! How each field of two people comes out. Each function is the same whichever comes first.

use jiff::civil::Date;

use super::facts::{Birth, PersonFacts};
use super::weights::*;
use crate::clinical::identity::sound;

/// The outcomes of all fields that both hold.
pub(super) fn all(a: &PersonFacts, b: &PersonFacts) -> Vec<&'static Outcome> {
    [nhs_number(a, b), name(a, b), birth(a, b), postcode(a, b), phone(a, b), sex(a, b)]
        .into_iter()
        .flatten()
        .collect()
}

fn nhs_number(a: &PersonFacts, b: &PersonFacts) -> Option<&'static Outcome> {
    let same = a.nhs_number? == b.nhs_number?;
    Some(if same { &NHS_NUMBER_SAME } else { &NHS_NUMBER_DIFFERS })
}

fn name(a: &PersonFacts, b: &PersonFacts) -> Option<&'static Outcome> {
    let (left, right) = (a.parts(), b.parts());
    if left.is_empty() || right.is_empty() {
        return None;
    }
    if a.given == b.given && a.family == b.family {
        // A single name is shared by many: it is not the agreement of a whole one.
        return Some(if left.len() > 1 { &NAME_SAME } else { &NAME_PARTLY });
    }
    if left.len() > 1 && sorted(&left) == sorted(&right) {
        return Some(&NAME_SWAPPED);
    }
    let agreed = agreeing(&left, &right);
    let (fewer, more) = (left.len().min(right.len()), left.len().max(right.len()));
    Some(match agreed {
        0 => &NAME_DIFFERS,
        _ if agreed < fewer => &NAME_FAMILY,
        _ if agreed == more && more > 1 => &NAME_CLOSE,
        _ => &NAME_PARTLY,
    })
}

fn sorted<'a>(parts: &[&'a str]) -> Vec<&'a str> {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    parts
}

/// How many parts of one name have one of their own that is nearly the same in the other, the closest
/// taken first.
fn agreeing(left: &[&str], right: &[&str]) -> usize {
    let mut close: Vec<(f64, usize, usize)> = Vec::new();
    for (i, a) in left.iter().enumerate() {
        for (j, b) in right.iter().enumerate() {
            let similarity = similarity(a, b);
            if similarity >= NEARLY {
                close.push((similarity, i, j));
            }
        }
    }
    close.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut used_left, mut used_right) = (vec![false; left.len()], vec![false; right.len()]);
    let mut count = 0;
    for (_, i, j) in close {
        if let (Some(a), Some(b)) = (used_left.get_mut(i), used_right.get_mut(j))
            && !*a
            && !*b
        {
            (*a, *b) = (true, true);
            count += 1;
        }
    }
    count
}

/// Jaro-Winkler. It depends a little on the order of the two in rare cases: they are put in one. Names that
/// are written differently and sound the same, as many that were first written in another script, are nearly
/// the same if there is enough of them to hear.
fn similarity(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    let heard = sound(a);
    let sounds_the_same = heard.chars().count() >= 3 && heard == sound(b);
    strsim::jaro_winkler(a.min(b), a.max(b)).max(if sounds_the_same { NEARLY } else { 0.0 })
}

fn birth(a: &PersonFacts, b: &PersonFacts) -> Option<&'static Outcome> {
    Some(match (a.birth?, b.birth?) {
        (Birth::On(a), Birth::On(b)) => dates(a, b),
        (Birth::On(date), Birth::Year { year, guessed })
        | (Birth::Year { year, guessed }, Birth::On(date)) => {
            ages(i64::from(date.year()), year, within(guessed))
        }
        (Birth::Year { year, guessed }, Birth::Year { year: other, guessed: too }) => {
            ages(year, other, within(guessed).max(within(too)))
        }
    })
}

const fn within(guessed: bool) -> i64 {
    if guessed { GUESSED_WITHIN } else { SAID_WITHIN }
}

const fn ages(a: i64, b: i64, within: i64) -> &'static Outcome {
    if a.abs_diff(b) <= within.unsigned_abs() { &AGE_FITS } else { &AGE_DIFFERS }
}

fn dates(a: Date, b: Date) -> &'static Outcome {
    if a == b {
        return &BIRTH_SAME;
    }
    if a.year() == b.year() && (a.month(), a.day()) == (b.day(), b.month()) {
        return &BIRTH_SWAPPED;
    }
    let (left, right) = (a.to_string(), b.to_string());
    let differing = left.bytes().zip(right.bytes()).filter(|(a, b)| a != b).count();
    if differing == 1 { &BIRTH_ONE_DIGIT } else { &BIRTH_DIFFERS }
}

fn postcode(a: &PersonFacts, b: &PersonFacts) -> Option<&'static Outcome> {
    let (a, b) = (a.postcode.as_ref()?, b.postcode.as_ref()?);
    Some(if a.normalised == b.normalised {
        &POSTCODE_SAME
    } else if a.outward() == b.outward() {
        &POSTCODE_NEAR
    } else {
        &POSTCODE_DIFFERS
    })
}

fn phone(a: &PersonFacts, b: &PersonFacts) -> Option<&'static Outcome> {
    Some(if a.phone.as_ref()? == b.phone.as_ref()? { &PHONE_SAME } else { &PHONE_DIFFERS })
}

fn sex(a: &PersonFacts, b: &PersonFacts) -> Option<&'static Outcome> {
    Some(if a.sex.as_ref()? == b.sex.as_ref()? { &SEX_SAME } else { &SEX_DIFFERS })
}
