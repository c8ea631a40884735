//! What of a person is compared, normalised once: a list of thousands is scored against one.

use jiff::civil::Date;
use serde_json::Value;

use crate::clinical::NhsNumber;
use crate::clinical::identity::{Postcode, check_phone, fold_name};

/// A person as far as matching goes. Fields that say nothing are empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PersonFacts {
    pub(super) nhs_number: Option<NhsNumber>,
    pub(super) given: Vec<String>,
    pub(super) family: Vec<String>,
    pub(super) birth: Option<Birth>,
    /// Normalised, and no pseudo-postcode.
    pub(super) postcode: Option<Postcode>,
    pub(super) phone: Option<String>,
    pub(super) sex: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Birth {
    On(Date),
    /// The year, give or take.
    Year {
        year: i64,
        guessed: bool,
    },
}

impl PersonFacts {
    /// From a person's nested JSON. What is missing, malformed or no evidence is left out.
    pub fn of(person: &Value) -> Self {
        let word = |path: &str| person.pointer(path).and_then(Value::as_str);
        let parts = |path: &str| -> Vec<String> {
            fold_name(word(path).unwrap_or_default())
                .split(' ')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let nhs_number = word("/nhs_number/value").or_else(|| word("/nhs_number"));
        let postcode = word("/address/postcode").map(Postcode::parse);
        PersonFacts {
            nhs_number: nhs_number.and_then(|text| NhsNumber::parse(text).ok()),
            given: parts("/name/given"),
            family: parts("/name/family"),
            birth: birth(person),
            // Everybody without a home shares one pseudo-postcode: that is no agreement.
            postcode: postcode.filter(|postcode| postcode.status.has_area()),
            phone: word("/phone").and_then(|text| check_phone(text).value),
            sex: word("/sex").filter(|sex| matches!(*sex, "male" | "female")).map(str::to_owned),
        }
    }

    /// Both names together.
    pub(super) fn parts(&self) -> Vec<&str> {
        self.given.iter().chain(&self.family).map(String::as_str).collect()
    }
}

fn birth(person: &Value) -> Option<Birth> {
    let date = |field: &str| person.get(field).and_then(Value::as_str).and_then(|t| t.parse::<Date>().ok());
    if let Some(date) = date("date_of_birth") {
        return Some(Birth::On(date));
    }
    let years = person.get("age_years").and_then(Value::as_i64).filter(|years| (0..=130).contains(years))?;
    // Without the day on which it was right an age says nothing that lasts.
    let as_of = date("age_as_of")?;
    let guessed = person.get("age_is_estimate") == Some(&Value::Bool(true));
    Some(Birth::Year { year: i64::from(as_of.year()) - years, guessed })
}
