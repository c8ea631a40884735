//! How long a record of somebody is kept (Records Management Code of Practice 2021, pack 10.5): of an adult eight years
//! from the last contact; of a child until the 25th birthday, or the 26th of somebody who was 17 at the last contact.
//! Nothing is deleted by this: it says from when on somebody should look whether it is still needed.

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::Value;

const YEARS: i32 = 8;
const ADULT: i32 = 18;

/// From which day on a person's record is to be reviewed, by the day of the last contact. Somebody whose birth nobody
/// recorded counts as an adult. `None` where a day is out of all bounds.
pub fn review_from(person: &Value, last_contact: Date) -> Option<Date> {
    let kept = last_contact.checked_add(YEARS.years()).ok()?;
    let Some(born) = born(person) else { return Some(kept) };
    let birthday = |years: i32| born.checked_add(years.years()).ok();
    if last_contact >= birthday(ADULT)? {
        return Some(kept);
    }
    let until = if last_contact >= birthday(ADULT - 1)? { 26 } else { 25 };
    Some(kept.max(birthday(until)?))
}

/// The date of birth, or the latest that an age allows: who may still be a child counts as one.
fn born(person: &Value) -> Option<Date> {
    let date = |name: &str| person.get(name)?.as_str()?.get(..10)?.parse::<Date>().ok();
    date("date_of_birth").or_else(|| {
        let years = i32::try_from(person.get("age_years")?.as_i64()?)
            .ok()
            .filter(|years| (0..150).contains(years))?;
        date("age_as_of")?.checked_sub(years.years()).ok()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn from(person: Value, last: &str) -> String {
        review_from(&person, last.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn adults_are_kept_for_eight_years_and_children_until_they_are_grown() {
        let born = |date: &str| json!({"date_of_birth": date});
        assert_eq!(from(born("1968-02-14"), "2018-11-20"), "2026-11-20");
        assert_eq!(from(born("2000-11-20"), "2018-11-20"), "2026-11-20", "eighteen on that day");
        assert_eq!(from(born("2000-11-21"), "2018-11-20"), "2026-11-21", "seventeen: to the 26th birthday");
        assert_eq!(from(born("2001-11-21"), "2018-11-20"), "2026-11-21", "sixteen: to the 25th");
        assert_eq!(from(born("2016-01-01"), "2018-11-20"), "2041-01-01");
        assert_eq!(from(born("1968-02-14"), "2016-02-29"), "2024-02-29");
    }

    #[test]
    fn who_gave_an_age_is_as_young_as_it_allows_and_who_gave_none_an_adult() {
        let aged = |years: i64| json!({"age_years": years, "age_as_of": "2018-11-20"});
        assert_eq!(from(aged(40), "2018-11-20"), "2026-11-20");
        assert_eq!(from(aged(10), "2018-11-20"), "2033-11-20");
        for nobody in [json!({}), json!({"date_of_birth": "last spring"}), json!({"age_years": -3})] {
            assert_eq!(from(nobody, "2018-11-20"), "2026-11-20");
        }
    }
}
