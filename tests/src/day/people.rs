//! Who comes to the van: names, birth, identifiers, where they live, how to reach them.

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde_json::{Map, Value, json};

use super::cases::Case;
use super::dice::Dice;
use super::names::{AWKWARD, COMMUNITIES};

/// What the rest of the contact needs to know about whoever is in the chair.
pub(super) struct Visitor {
    pub age: i64,
    pub sex: Option<&'static str>,
    pub ethnicity: &'static str,
    pub language: &'static str,
    /// Nothing but an age band: no name was given.
    pub unnamed: bool,
    pub person: Value,
}

/// Towns that do not exist, in postcode areas that were never allocated.
const TOWNS: &[(&str, &str)] =
    &[("Hallowby", "ZB"), ("Millbeck", "ZC"), ("Thornwick", "ZF"), ("Eastmere", "ZG")];
const STREETS: &[&str] = &[
    "Wayfarer Row",
    "Tenter Lane",
    "Chapel Fold",
    "Canal Bank",
    "Mafeking Terrace",
    "Back Elm Street",
    "The Crescent",
];
/// No fixed abode, address not known, England, India.
const PSEUDO_POSTCODES: &[(&str, u64)] =
    &[("ZZ99 3VZ", 6), ("ZZ99 3WZ", 2), ("ZZ99 3CZ", 1), ("ZZ99 6CZ", 1)];
/// Inward letters: never C, I, K, M, O or V.
const INWARD: &[u8] = b"ABDEFGHJLNPQRSTUWXYZ";
const PLUS_GROUPS: &[&str] = &[
    "homeless",
    "drug_alcohol_dependence",
    "vulnerable_migrant",
    "gypsy_roma_traveller",
    "sex_worker",
    "justice_contact",
    "modern_slavery_survivor",
];
const NEEDS: &[&str] =
    &["large_print", "easy_read", "reads_no_english", "cannot_read", "hearing_loop", "sign_language"];
const PRACTICES: &[(&str, &str)] = &[
    ("Y99901", "Hallowby Medical Centre"),
    ("Y99902", "Millbeck Surgery"),
    ("Y99903", "Dr Ashworth and Partners"),
    ("Y99904", "The Thornwick Practice"),
    ("Y99905", "Eastmere Health Hub"),
    ("Y99906", "St. Oswald's Group Practice"),
];
const PRACTICE_UNKNOWN: &str = "V81999";

pub(super) fn visitor(dice: &mut Dice, case: &Case, date: Date, at: Timestamp) -> Visitor {
    let community = dice.weighted(COMMUNITIES);
    let age = match case.age {
        Some((low, high)) => dice.between(low, high),
        None if dice.chance(2) => dice.between(12, 17),
        None => dice.bell(52, 16).clamp(18, 99),
    };
    let sex = match case.sex {
        Some(sex) => Some(sex),
        None => dice.weighted(&[(Some("female"), 50), (Some("male"), 47), (None, 3)]),
    };
    let mut visitor = Visitor {
        age,
        sex,
        ethnicity: dice.weighted(community.ethnicities),
        language: dice.weighted(community.languages),
        unnamed: case.unnamed,
        person: Value::Null,
    };
    let ordinary = case.is_ordinary();
    if case.unnamed || (ordinary && dice.chance(6)) {
        visitor.unnamed = true;
        return visitor;
    }

    let man = sex == Some("male") || (sex.is_none() && dice.chance(50));
    let firsts = if man { community.men } else { community.women };
    let (given, family) =
        if dice.chance(4) { dice.pick(AWKWARD) } else { (dice.pick(firsts), dice.pick(community.families)) };
    let mut person = Map::new();
    let mut declined: Vec<&str> = Vec::new();
    let name: Map<String, Value> = [("given", given), ("family", family)]
        .into_iter()
        .filter(|(_, part)| !part.is_empty())
        .map(|(key, part)| (key.to_owned(), json!(part)))
        .collect();
    person.insert("name".into(), Value::Object(name));
    birth(dice, &mut person, age, date);
    if let Some(sex) = sex {
        person.insert("sex".into(), json!(sex));
    }
    if dice.chance(10) {
        person.insert("gender".into(), json!(sex.unwrap_or("non_binary")));
    }
    identifiers(dice, &mut person);
    match dice.below(20) {
        0 => declined.push("ethnic_category"),
        1 => {}
        _ => {
            person.insert("ethnic_category".into(), json!(visitor.ethnicity));
        }
    }
    residence(dice, &mut person, &mut declined);
    reach(dice, &mut person, &mut declined, given, visitor.language);
    practice(dice, &mut person, age);
    person.insert("consents".into(), consents(dice, at));
    if !declined.is_empty() {
        person.insert("declined".into(), json!(declined));
    }
    visitor.person = Value::Object(person);
    visitor
}

/// The same person written down again by somebody in a hurry: shouted family name, no identifiers. A likely
/// duplicate for the server to link.
pub(super) fn seen_again(person: &Value) -> Value {
    let mut again = person.clone();
    if let Some(fields) = again.as_object_mut() {
        for field in ["nhs_number", "phone", "email", "address", "consents", "gp"] {
            fields.remove(field);
        }
    }
    if let Some(family) = again.pointer_mut("/name/family")
        && let Some(shouted) = family.as_str().map(str::to_uppercase)
    {
        *family = json!(shouted);
    }
    again
}

fn birth(dice: &mut Dice, person: &mut Map<String, Value>, age: i64, date: Date) {
    if dice.chance(12) {
        person.insert("age_years".into(), json!(age));
        person.insert("age_as_of".into(), json!(date.to_string()));
        person.insert("age_is_estimate".into(), json!(dice.chance(60)));
        return;
    }
    let born = date.saturating_sub(Span::new().years(age).days(dice.between(0, 364)));
    // Where nobody wrote the day down, the first of January is on the papers.
    let born = if dice.chance(5) { born.first_of_year() } else { born };
    person.insert("date_of_birth".into(), json!(born.to_string()));
}

fn identifiers(dice: &mut Dice, person: &mut Map<String, Value>) {
    if dice.chance(70) {
        let number = nhs_number(dice);
        let value = match dice.below(10) {
            0..4 => json!(number),
            4..8 => json!(format!("{} {} {}", &number[..3], &number[3..6], &number[6..])),
            _ => json!({"value": number, "status": "02"}),
        };
        person.insert("nhs_number".into(), value);
    } else if dice.chance(60) {
        let reason =
            dice.weighted(&[("nhs-number-not-known", 8), ("overseas-patient", 1), ("devolved-nation", 1)]);
        person.insert("nhs_number_absent_reason".into(), json!(reason));
    }
}

/// Ten digits in the test range 999, modulus 11.
fn nhs_number(dice: &mut Dice) -> String {
    loop {
        let nine = 999_000_000 + dice.below(1_000_000);
        let digits = nine.to_string();
        let sum: u64 =
            digits.bytes().zip((2..=10).rev()).map(|(digit, weight)| u64::from(digit - b'0') * weight).sum();
        let number = match 11 - sum % 11 {
            10 => continue,
            11 => format!("{digits}0"),
            check => format!("{digits}{check}"),
        };
        if number != "9999999999" {
            return number;
        }
    }
}

fn residence(dice: &mut Dice, person: &mut Map<String, Value>, declined: &mut Vec<&str>) {
    match dice.below(100) {
        0..5 => declined.push("address"),
        5..12 => {
            person.insert("address".into(), json!({"postcode": dice.weighted(PSEUDO_POSTCODES)}));
        }
        12..20 => {}
        _ => {
            let (town, area) = dice.pick(TOWNS);
            let (first, second) = (dice.pick(INWARD) as char, dice.pick(INWARD) as char);
            let (district, sector) = (dice.between(1, 9), dice.between(0, 9));
            let postcode = match dice.below(20) {
                0 => format!("{area}{district}{sector}{first}{second}").to_lowercase(),
                _ => format!("{area}{district} {sector}{first}{second}"),
            };
            let address = if dice.chance(70) {
                let door = dice.between(1, 180);
                json!({"lines": [format!("{door} {}", dice.pick(STREETS)), town], "postcode": postcode})
            } else {
                json!({"postcode": postcode})
            };
            person.insert("address".into(), address);
        }
    }
}

fn reach(
    dice: &mut Dice,
    person: &mut Map<String, Value>,
    declined: &mut Vec<&str>,
    given: &str,
    language: &str,
) {
    match dice.below(10) {
        0 => declined.push("phone"),
        1 | 2 => {}
        _ => {
            // 07700 900000 to 900999 is kept free for drama.
            let last = dice.below(1000);
            let phone = match dice.below(4) {
                0 => format!("07700900{last:03}"),
                1 => format!("+44 7700 900{last:03}"),
                _ => format!("07700 900{last:03}"),
            };
            person.insert("phone".into(), json!(phone));
        }
    }
    if dice.chance(15) {
        let letters: String = given.chars().filter(char::is_ascii_alphabetic).collect();
        let user = if letters.is_empty() { "visitor".to_owned() } else { letters.to_lowercase() };
        person.insert("email".into(), json!(format!("{user}{}@example.org", dice.below(100))));
    }
    if dice.chance(30) {
        // Letter, telephone, e-mail.
        person.insert("contact_preference".into(), json!(dice.pick(&["1", "3", "4"])));
    }
    person.insert("language".into(), json!(language));
    if language != "en" {
        person.insert("interpreter_needed".into(), json!(dice.chance(45)));
    }
    if dice.chance(9) {
        let first = dice.pick(NEEDS);
        let second = dice.pick(NEEDS);
        let needs = if first == second { vec![first] } else { vec![first, second] };
        person.insert("communication_needs".into(), json!(needs));
    }
    match dice.below(100) {
        0..12 => {
            person.insert("plus_groups".into(), json!([dice.pick(PLUS_GROUPS)]));
        }
        12..16 => declined.push("plus_groups"),
        _ => {}
    }
}

fn practice(dice: &mut Dice, person: &mut Map<String, Value>, age: i64) {
    let registered = dice.weighted(&[("yes", 80), ("no", 12), ("refused", 2), ("unknown", 6)]);
    let gp = match registered {
        "yes" => {
            let (code, name) = dice.pick(PRACTICES);
            match dice.below(10) {
                0 => json!({"registered": "yes", "ods_code": PRACTICE_UNKNOWN}),
                1 => json!({"registered": "yes", "practice_name": name}),
                _ => json!({"registered": "yes", "ods_code": code, "practice_name": name}),
            }
        }
        "unknown" => json!({"registered": "unknown"}),
        other => json!({"registered": other, "wants_help_to_register": age >= 16 && dice.chance(70)}),
    };
    person.insert("gp".into(), gp);
}

fn consents(dice: &mut Dice, at: Timestamp) -> Value {
    let mut given = vec![json!({"purpose": "share_with_gp", "given": dice.chance(88), "at": at.to_string()})];
    if dice.chance(50) {
        given.push(json!({"purpose": "contact_me", "given": dice.chance(75), "at": at.to_string()}));
    }
    Value::Array(given)
}
