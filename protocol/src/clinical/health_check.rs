//! Health-check contacts: who can have an NHS Health Check, what each type of check needs, and how much
//! of it is there.
//!
//! Eligibility: the GP leaflet and NHS England. The data set of an NHS Health Check: SI 2013/351
//! regulation 5. What the checks for people with severe mental illness or a learning disability need has
//! no source in the clinical pack: our lists hold what a pop-up can measure, unsourced, and never stand
//! for the whole annual check.

use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use super::activity::gppaq_of;
use super::alcohol::{AuditC, audit_c};
use super::entries::{is_declined, is_set, slots, values_at};

spelt! {
    CheckType {
        BpOnly = "bp_only", "Blood pressure only";
        NhsHealthCheck = "nhs_health_check", "NHS Health Check";
        SmiPhysical = "smi_physical", "Physical check, severe mental illness";
        LearningDisability = "learning_disability", "Learning disability check";
    }
}

spelt! {
    /// One thing that a check asks for.
    Item {
        Age = "age", "Age";
        Sex = "sex", "Sex";
        Ethnicity = "ethnicity", "Ethnic category";
        BloodPressure = "blood_pressure", "Blood pressure";
        PulseRhythm = "pulse_rhythm", "Pulse rhythm";
        Height = "height", "Height";
        Weight = "weight", "Weight";
        Waist = "waist", "Waist";
        Smoking = "smoking", "Smoking";
        Alcohol = "alcohol", "Alcohol (AUDIT-C)";
        Activity = "activity", "Physical activity (GPPAQ)";
        FamilyHistory = "family_history", "Heart disease in a parent, brother or sister under 60";
        Cholesterol = "cholesterol", "Cholesterol";
        Hba1c = "hba1c", "HbA1c";
        RiskScore = "risk_score", "Cardiovascular risk score";
        DementiaInformation = "dementia_information", "Information on dementia";
    }
}

/// The code in `advice` that says that information on dementia was given (D).
pub const DEMENTIA_INFORMATION: &str = "DEMENTIA_INFORMATION";

/// The member of `lifestyle/family_history` that says that there is none: an empty set cannot (D).
pub const NO_FAMILY_HISTORY: &str = "none";

impl CheckType {
    /// What it needs. BMI is height and weight. Information on dementia is for ages 65 to 74 only.
    pub const fn items(self) -> &'static [Item] {
        match self {
            CheckType::BpOnly => &[Item::Age, Item::Sex, Item::PulseRhythm, Item::BloodPressure],
            CheckType::NhsHealthCheck => &[
                Item::Age,
                Item::Sex,
                Item::Ethnicity,
                Item::FamilyHistory,
                Item::Smoking,
                Item::Alcohol,
                Item::Activity,
                Item::PulseRhythm,
                Item::BloodPressure,
                Item::Height,
                Item::Weight,
                Item::Cholesterol,
                Item::RiskScore,
                Item::DementiaInformation,
            ],
            CheckType::SmiPhysical => &[
                Item::Age,
                Item::Sex,
                Item::Ethnicity,
                Item::Smoking,
                Item::Alcohol,
                Item::PulseRhythm,
                Item::BloodPressure,
                Item::Height,
                Item::Weight,
                Item::Cholesterol,
                Item::Hba1c,
            ],
            CheckType::LearningDisability => &[
                Item::Age,
                Item::Sex,
                Item::Ethnicity,
                Item::Smoking,
                Item::Alcohol,
                Item::Activity,
                Item::PulseRhythm,
                Item::BloodPressure,
                Item::Height,
                Item::Weight,
            ],
        }
    }
}

/// How an item stands. Each may be refused by the person (SI 2013/351), and a refusal is an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Answered,
    Declined,
    NotAsked,
}

/// "n of m".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// Answered or declined.
    pub done: usize,
    pub of: usize,
    pub declined: usize,
    pub items: Vec<(Item, Answer)>,
}

/// How complete the contact is for its own type of check; one without a type is a blood-pressure check.
/// `age` is that of [`super::derive()`].
pub fn completeness(contact: &Value, person: Option<&Value>, age: Option<i64>) -> Completeness {
    let named = contact.get("check_type").and_then(Value::as_str).and_then(CheckType::parse);
    completeness_of(named.unwrap_or(CheckType::BpOnly).items(), contact, person, age)
}

/// The same for a list of items of one's own.
pub fn completeness_of(
    items: &[Item],
    contact: &Value,
    person: Option<&Value>,
    age: Option<i64>,
) -> Completeness {
    let applies =
        |item: &Item| *item != Item::DementiaInformation || age.is_some_and(|a| (65..=74).contains(&a));
    let items: Vec<(Item, Answer)> = items
        .iter()
        .copied()
        .filter(applies)
        .map(|item| (item, answer(item, contact, person, age)))
        .collect();
    let count = |wanted: Answer| items.iter().filter(|(_, answer)| *answer == wanted).count();
    let declined = count(Answer::Declined);
    Completeness { done: count(Answer::Answered) + declined, of: items.len(), declined, items }
}

/// What was recorded counts before what was declined: somebody changed their mind.
fn answer(item: Item, contact: &Value, person: Option<&Value>, age: Option<i64>) -> Answer {
    if answered(item, contact, person, age) {
        return Answer::Answered;
    }
    let refused =
        |path: &str| is_declined(contact, path) || person.is_some_and(|person| is_declined(person, path));
    if paths(item).iter().any(|path| refused(path)) { Answer::Declined } else { Answer::NotAsked }
}

/// The paths that `declined` may name for an item; a whole group or the last segment alone does, too.
fn paths(item: Item) -> &'static [&'static str] {
    match item {
        Item::Age => &["birth", "date_of_birth", "age_years", "age_band"],
        Item::Sex => &["sex"],
        Item::Ethnicity => &["ethnic_category"],
        Item::BloodPressure => &["bp/readings"],
        Item::PulseRhythm => &["bp/pulse_rhythm"],
        Item::Height => &["measurements/height"],
        Item::Weight => &["measurements/weight"],
        Item::Waist => &["measurements/waist"],
        Item::Smoking => &["lifestyle/smoking"],
        Item::Alcohol => &["lifestyle/audit_c"],
        Item::Activity => &["lifestyle/gppaq"],
        Item::FamilyHistory => &["lifestyle/family_history"],
        Item::Cholesterol => &["measurements/total_cholesterol"],
        Item::Hba1c => &["measurements/hba1c"],
        Item::RiskScore => &["lifestyle/risk_score"],
        Item::DementiaInformation => &["advice/dementia_information"],
    }
}

fn answered(item: Item, contact: &Value, person: Option<&Value>, age: Option<i64>) -> bool {
    let own = |path: &str| values_at(contact, path).find(|value| is_set(Some(value))).cloned();
    let persons = |name: &str| person.and_then(|person| person.get(name)).or_else(|| contact.get(name));
    let measured = |what: &str| {
        slots(contact.get("measurements"))
            .iter()
            .flat_map(|slot| &slot.alternatives)
            .any(|(_, entry)| entry.get("what").and_then(Value::as_str) == Some(what))
    };
    match item {
        Item::Age => age.is_some() || is_set(contact.get("age_band")),
        Item::Sex => is_set(persons("sex")),
        // Z is an answer, 99 is not.
        Item::Ethnicity => {
            persons("ethnic_category").and_then(Value::as_str).is_some_and(|code| code != "99")
        }
        Item::BloodPressure => !slots(contact.pointer("/bp/readings")).is_empty(),
        Item::PulseRhythm => {
            matches!(own("bp/pulse_rhythm").as_ref().and_then(Value::as_str), Some("regular" | "irregular"))
        }
        Item::Height => measured("height"),
        Item::Weight => measured("weight"),
        Item::Waist => measured("waist"),
        Item::Cholesterol => measured("total_cholesterol"),
        Item::Hba1c => measured("hba1c"),
        Item::Smoking => {
            own("lifestyle/smoking").is_some_and(|smoking| smoking != "unknown" && smoking != "9")
        }
        Item::Alcohol => own("lifestyle/audit_c").is_some_and(|answers| {
            let answer = |key: &str| answers.get(key).and_then(Value::as_i64);
            matches!(audit_c(answer("q1"), answer("q2"), answer("q3")), AuditC::Scored { .. })
        }),
        Item::Activity => own("lifestyle/gppaq").is_some_and(|answers| gppaq_of(&answers).is_some()),
        Item::FamilyHistory => own("lifestyle/family_history")
            .is_some_and(|set| set.as_array().is_some_and(|members| !members.is_empty())),
        Item::RiskScore => own("lifestyle/risk_score").is_some_and(|score| score.get("value").is_some()),
        Item::DementiaInformation => slots(contact.get("advice"))
            .iter()
            .flat_map(|slot| &slot.alternatives)
            .any(|(_, advice)| advice.get("code").and_then(Value::as_str) == Some(DEMENTIA_INFORMATION)),
    }
}

/// Codes of `prior_diagnosis` that exclude from an NHS Health Check (GP leaflet; NHS England). The
/// spelling of the codes is D.
pub const NHS_HEALTH_CHECK_EXCLUSIONS: super::codes::CodeList = &[
    ("chd", "Coronary heart disease"),
    ("ckd", "Chronic kidney disease"),
    ("diabetes", "Diabetes"),
    ("hypertension", "High blood pressure, diagnosed"),
    ("af", "Atrial fibrillation"),
    ("stroke_tia", "Stroke or TIA"),
    ("familial_hypercholesterolaemia", "Familial hypercholesterolaemia"),
    ("heart_failure", "Heart failure"),
    ("pad", "Peripheral arterial disease"),
    ("statins", "Takes statins"),
    ("cvd_risk_20", "Earlier cardiovascular risk of 20% or more"),
];

/// Whether somebody can have an NHS Health Check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Eligibility {
    Eligible,
    AgeNotKnown,
    /// Under 40.
    TooYoung,
    /// 75 or over.
    TooOld,
    /// Codes of [`NHS_HEALTH_CHECK_EXCLUSIONS`].
    Excluded {
        by: Vec<&'static str>,
    },
    /// The last one was less than 5 years ago.
    NotYet {
        from: Date,
    },
}

/// Age 40 to 74, none of the exclusions, none within 5 years. An unknown date of the last check is no
/// reason to refuse.
pub fn eligibility(
    age: Option<i64>,
    diagnoses: &[&str],
    last_check: Option<Date>,
    today: Date,
) -> Eligibility {
    let by: Vec<&'static str> = NHS_HEALTH_CHECK_EXCLUSIONS
        .iter()
        .map(|(code, _)| *code)
        .filter(|code| diagnoses.contains(code))
        .collect();
    if !by.is_empty() {
        return Eligibility::Excluded { by };
    }
    match age {
        None => return Eligibility::AgeNotKnown,
        Some(..40) => return Eligibility::TooYoung,
        Some(75..) => return Eligibility::TooOld,
        Some(_) => {}
    }
    // A check on 29 February falls due on the 28th.
    match last_check.and_then(|last| last.checked_add(jiff::Span::new().years(5)).ok()) {
        Some(from) if from > today => Eligibility::NotYet { from },
        _ => Eligibility::Eligible,
    }
}
