//! When somebody was born: a date, or an age that may be a guess.
//!
//! Days come before months, as everybody here writes them. Today is passed in. That 120 years need a
//! second look, and that 130 are none, is D.

use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use super::{Checked, Text};

/// Beyond this staff are asked; beyond [`MOST`] it is a slip of the pen.
const UNUSUAL: i64 = 120;
const MOST: i64 = 130;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A date in one of the forms that people type: `1968-02-03`, `3/2/1968`, `3.2.1968`, `3 2 1968`,
/// `03021968`, `3 Feb 1968`, `3rd February 1968`. `None` for anything else, two-digit years too: of 21
/// nobody knows the century.
pub fn parse_date(text: &str) -> Option<Date> {
    let lower = text.trim().to_lowercase();
    let parts: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let (year, month, day) = match parts.as_slice() {
        [year, month, day] if year.len() == 4 => (*year, *month, *day),
        [day, month, year] if year.len() == 4 => (*year, *month, *day),
        [run] if run.len() == 8 && run.bytes().all(|c| c.is_ascii_digit()) => {
            (run.get(4..)?, run.get(2..4)?, run.get(..2)?)
        }
        _ => return None,
    };
    let day = ["st", "nd", "rd", "th"].iter().find_map(|suffix| day.strip_suffix(suffix)).unwrap_or(day);
    let number = |text: &str| text.parse::<i16>().ok().filter(|_| text.bytes().all(|c| c.is_ascii_digit()));
    let month = match number(month) {
        Some(month) => i8::try_from(month).ok()?,
        None => named_month(month)?,
    };
    Date::new(number(year)?, month, i8::try_from(number(day)?).ok()?).ok()
}

fn named_month(text: &str) -> Option<i8> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let at = NAMES
        .iter()
        .zip(MONTHS)
        .position(|(name, short)| *name == text || short == text || text == "sept" && short == "sep");
    at.and_then(|at| i8::try_from(at + 1).ok())
}

/// A date of birth as typed, on `today`.
pub fn check_date_of_birth(text: &str, today: Date) -> Checked {
    let text = text.trim();
    if text.is_empty() {
        return Checked::empty();
    }
    let Some(date) = parse_date(text) else {
        return Checked::block(text, Text::new("birth-not-a-date"));
    };
    let shown = shown(date);
    if date > today {
        return Checked::block(&shown, Text::new("birth-in-future"));
    }
    let age = whole_years(date, today);
    let fine = Checked::fine(date.to_string(), shown);
    if age > UNUSUAL { fine.confirm(Text::new("birth-long-ago").number("age", age)) } else { fine }
}

/// As the service manual writes dates: 6 August 2018.
fn shown(date: Date) -> String {
    date.strftime("%-d %B %Y").to_string()
}

/// An age in years as somebody said or staff guessed it.
pub fn check_estimated_age(years: i64) -> Checked {
    let fine = Checked::fine(years.to_string(), years.to_string());
    match years {
        0..=UNUSUAL => fine,
        ..=MOST if years > UNUSUAL => fine.confirm(Text::new("birth-long-ago").number("age", years)),
        _ => Checked::block(&years.to_string(), Text::new("birth-not-an-age")),
    }
}

/// How old somebody is, and whether that is a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Age {
    pub years: i64,
    /// `age_is_estimate`, or years without the day on which they were right.
    pub is_estimate: bool,
}

/// Age on a day, from the date of birth, or from years known on some day. An age of years alone may be a
/// year behind. `None` when unknown, or beyond what anybody reaches: that is a slip of the pen, and no
/// ground to treat somebody as a child.
pub fn age_on(person: &Value, day: Date) -> Option<Age> {
    let date = |field| person.get(field).and_then(Value::as_str).and_then(|text| text.parse::<Date>().ok());
    let (years, is_estimate) = match (date("date_of_birth"), person.get("age_years").and_then(Value::as_i64))
    {
        (Some(birth), _) => (whole_years(birth, day), false),
        (None, Some(known)) => {
            let since = date("age_as_of").map(|as_of| whole_years(as_of, day));
            let guess = person.get("age_is_estimate") == Some(&Value::Bool(true)) || since.is_none();
            (known.checked_add(since.unwrap_or(0))?, guess)
        }
        (None, None) => return None,
    };
    (0..=MOST).contains(&years).then_some(Age { years, is_estimate })
}

/// Birthdays passed between two days; negative, and rounded away from zero, when `to` is the earlier.
fn whole_years(from: Date, to: Date) -> i64 {
    let not_yet = (to.month(), to.day()) < (from.month(), from.day());
    i64::from(to.year()) - i64::from(from.year()) - i64::from(not_yet)
}
