//! What a health check comes to, all in one: what is there of it, and what each part means.

use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use super::activity::{Activity, gppaq_of};
use super::alcohol::{AuditC, audit_c, binge_question};
use super::bmi::{BmiResult, WaistBand, bmi_result, waist_to_height};
use super::choose::Pair;
use super::derive::{derive, latest_measurement};
use super::diabetes::{DiabetesFilter, Hba1cBand, diabetes_filter, hba1c_band};
use super::entries::{is_set, slots, strings, values_at};
use super::health_check::{CheckType, Completeness, Eligibility, completeness, eligibility};
use super::smoking::Smoking;
use super::text::Text;

/// A contact as a health check. What was not measured or asked is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HealthCheck {
    pub check_type: CheckType,
    pub completeness: Completeness,
    /// "n of m".
    pub progress: Text,
    pub eligibility: Eligibility,
    pub eligibility_text: Text,
    /// `None` where a height or a weight is missing, or corrections of one disagree.
    pub bmi: Option<BmiResult>,
    /// In hundredths, and its band.
    pub waist_to_height: Option<(f64, WaistBand)>,
    pub audit_c: AuditC,
    /// The text of the third question of AUDIT-C for this person.
    pub audit_c_q3: &'static str,
    pub activity: Option<Activity>,
    pub smoking: Option<Smoking>,
    pub family_history: Vec<String>,
    pub diabetes: DiabetesFilter,
    /// mmol/mol.
    pub hba1c: Option<(f64, Option<Hba1cBand>)>,
    /// mmol/L.
    pub total_cholesterol: Option<f64>,
    pub hdl: Option<f64>,
    /// As typed in, with its source; never computed.
    pub risk_score: Option<Value>,
    /// What staff should be told, the results first.
    pub texts: Vec<Text>,
}

/// Sums up a contact; `last_check` is the day of the person's last NHS Health Check, if it is known.
pub fn health_check(
    contact: &Value,
    person: Option<&Value>,
    last_check: Option<Date>,
    today: Date,
) -> HealthCheck {
    let derived = derive(contact, person);
    let named = contact.get("check_type").and_then(Value::as_str).and_then(CheckType::parse);
    let completeness = completeness(contact, person, derived.age);
    let of_person = |name: &str| {
        person.and_then(|person| person.get(name)).or_else(|| contact.get(name)).and_then(Value::as_str)
    };
    let measured = |what: &str, unit: &str| latest_measurement(contact.get("measurements"), what, unit);
    let answer = |path: &'static str| values_at(contact, path).next();

    let bmi = derived.bmi.map(|bmi| bmi_result(bmi, of_person("ethnic_category")));
    let waist_to_height = measured("waist", "cm")
        .zip(measured("height", "cm"))
        .and_then(|(waist, height)| waist_to_height(waist, height, derived.bmi));
    let question = |name: &str| answer("lifestyle/audit_c").and_then(|said| said.get(name)?.as_i64());
    let audit_c = audit_c(question("q1"), question("q2"), question("q3"));
    let pair = derived.systolic.zip(derived.diastolic).map(|(high, low)| Pair::new(high, low));
    let diagnoses: Vec<&str> = strings(contact.get("prior_diagnosis")).collect();
    let eligibility = eligibility(derived.age, &diagnoses, last_check, today);
    let hba1c = measured("hba1c", "mmol/mol").map(|value| (value, hba1c_band(value)));
    let mut check = HealthCheck {
        check_type: named.unwrap_or(CheckType::BpOnly),
        progress: progress(&completeness),
        completeness,
        eligibility_text: eligibility_text(&eligibility),
        eligibility,
        bmi,
        waist_to_height,
        audit_c,
        audit_c_q3: binge_question(of_person("sex")),
        activity: answer("lifestyle/gppaq").and_then(gppaq_of),
        smoking: answer("lifestyle/smoking").and_then(Value::as_str).and_then(Smoking::parse),
        family_history: strings(contact.pointer("/lifestyle/family_history")).map(str::to_owned).collect(),
        diabetes: diabetes_filter(bmi, pair),
        hba1c,
        total_cholesterol: measured("total_cholesterol", "mmol/L"),
        hdl: measured("hdl", "mmol/L"),
        risk_score: answer("lifestyle/risk_score").cloned(),
        texts: Vec::new(),
    };
    check.texts = texts(&check);
    check
}

fn progress(completeness: &Completeness) -> Text {
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let id = if completeness.declined > 0 { "check-progress-declined" } else { "check-progress" };
    Text::new(id)
        .number("done", number(completeness.done))
        .number("of", number(completeness.of))
        .number("declined", number(completeness.declined))
}

fn eligibility_text(eligibility: &Eligibility) -> Text {
    match eligibility {
        Eligibility::Eligible => Text::new("eligibility-eligible"),
        Eligibility::AgeNotKnown => Text::new("eligibility-age_not_known"),
        Eligibility::TooYoung => Text::new("eligibility-too_young"),
        Eligibility::TooOld => Text::new("eligibility-too_old"),
        Eligibility::Excluded { by } => {
            Text::new("eligibility-excluded").texts("by", by.iter().map(|code| format!("exclusion-{code}")))
        }
        Eligibility::NotYet { from } => Text::new("eligibility-not_yet").words("from", from.to_string()),
    }
}

fn texts(check: &HealthCheck) -> Vec<Text> {
    let mut texts = Vec::new();
    if let Some(bmi) = check.bmi {
        texts.push(Text::new("bmi-ask-first"));
        match bmi.category() {
            Some(category) => texts.push(Text::new(format!("bmi-{category}"))),
            None => {
                texts.extend([bmi.standard, bmi.lower].map(|category| Text::new(format!("bmi-{category}"))))
            }
        }
        texts.push(Text::new(format!("thresholds-{}", bmi.thresholds)));
    }
    texts.extend(check.waist_to_height.map(|(_, band)| Text::new(format!("waist-{band}"))));
    match check.audit_c {
        AuditC::Invalid => texts.push(Text::new("audit-invalid")),
        AuditC::Incomplete => {}
        AuditC::Scored { positive, band, inconsistent, .. } => {
            texts.push(Text::new(format!("alcohol-{band}")));
            texts.extend(positive.then(|| Text::new("audit-positive")));
            texts.extend(inconsistent.then(|| Text::new("audit-inconsistent")));
        }
    }
    texts.extend(check.activity.map(|activity| Text::new(format!("activity-{activity}"))));
    texts.extend(check.smoking.map(|smoking| Text::new(format!("smoking-{smoking}"))));
    texts.push(Text::new(format!("diabetes-{}", check.diabetes)));
    texts.extend(check.hba1c.and_then(|(_, band)| band).map(|band| Text::new(format!("hba1c-{band}"))));
    texts
}

/// The day of the last NHS Health Check among somebody's contacts: one of that type with a reading or a
/// measurement in it.
pub fn last_check<'a>(contacts: impl IntoIterator<Item = &'a Value>) -> Option<Date> {
    let counts = |contact: &&Value| {
        contact.get("check_type").and_then(Value::as_str) == Some(CheckType::NhsHealthCheck.as_str())
            && !is_set(contact.get("entered_in_error"))
            && !(slots(contact.get("measurements")).is_empty()
                && slots(contact.pointer("/bp/readings")).is_empty())
    };
    let days = contacts
        .into_iter()
        .filter(counts)
        .filter_map(|contact| contact.get("started_at")?.as_str()?.get(..10)?.parse::<Date>().ok());
    days.max()
}
