//! What staff read, in one place: what each category and action means in plain words. The rules decide which ones
//! apply (`protocol::clinical`); nothing here decides anything. "Raised reading", never a diagnosis.

use jiff::civil::Date;
use serde_json::{Value, json};
use wayside_protocol::clinical::{Action, Category};

/// A category's words, and the look that goes with it.
pub fn category(category: Category, close: bool) -> Value {
    let (words, tone) = match category {
        Category::Normal if close => ("Normal, close to raised", "normal"),
        Category::Normal => ("Normal", "normal"),
        Category::High => ("Raised reading", "high"),
        Category::HighStage1 | Category::HighStage2 => ("Raised average", "high"),
        Category::VeryHigh => ("Very high reading", "very_high"),
        Category::Low => ("Low reading", "low"),
        Category::PregNotHigh => ("Pregnant, not raised", "pregnant"),
        Category::PregHigh => ("Pregnant, raised reading", "high"),
        Category::PregSevere => ("Pregnant, very high reading", "very_high"),
        Category::NotClassified => ("Under 18: recorded only", "none"),
        Category::Invalid => ("Not a possible reading", "none"),
    };
    json!({"code": category.as_str(), "words": words, "tone": tone})
}

/// One thing to do: what, and how.
pub fn action(action: Action) -> Value {
    let (title, how) = match action {
        Action::AdviceRecheck5y => {
            ("In the usual range", "Give the leaflet. Check again within 5 years; every year with diabetes.")
        }
        Action::AdviceRecheckSooner => (
            "Close to raised",
            "Give the leaflet and talk about what helps. Check again sooner than 5 years.",
        ),
        Action::AdviceLow => {
            ("Lower than usual", "Ask about dizziness and fainting, below. Give the leaflet.")
        }
        Action::OfferAbpmHbpm => (
            "Offer monitoring at home or over 24 hours",
            "One raised reading says little by itself. Monitoring shows how it is over time.",
        ),
        Action::ElseGpWithin3Weeks => {
            ("If they would rather not: GP within 3 weeks", "Write the reading down for them to take along.")
        }
        Action::GpWithin3Weeks => ("GP within 3 weeks", "Write the reading down for them to take along."),
        Action::GpWithin7Days => ("GP within 7 days", "Help them to book now, if they like."),
        Action::GpSameDay => (
            "Same-day GP",
            "Phone the practice now and give the reading. No GP, or shut: NHS 111, urgent treatment centre or A&E.",
        ),
        Action::Emergency999Ae => ("Call 999 now", "Stay with them. Do not wait for another reading."),
        Action::NoteLowDiastolic => {
            ("Tell the GP that the lower number is low", "Write it beside the reading.")
        }
        Action::SymptomGpReview => ("GP about the symptoms, within 3 weeks", "Whatever the reading says."),
        Action::ManualBpIfTrained => (
            "Irregular pulse: measure by hand",
            "Only if you are trained to. The monitor is not reliable with an irregular pulse.",
        ),
        Action::IrregularPulseGpSameDay => (
            "Irregular pulse: same-day GP",
            "Wait 5 minutes and feel again. Still irregular: phone the practice now.",
        ),
        Action::RoutineAntenatal => ("Go on with routine antenatal care", "Nothing more is needed today."),
        Action::MaternitySameDay => {
            ("Maternity unit today", "Phone their maternity unit now and give the reading.")
        }
        Action::MaternityEmergencyNow => {
            ("Maternity emergency now", "Phone the maternity unit’s emergency line, or 999. Stay with them.")
        }
        Action::RecordOnly => ("Only recorded", "Readings of people under 18 are not judged here."),
        Action::LocalPaediatricAdvice => ("Follow the local advice for children", "Ask your coordinator."),
        Action::ConfirmEntry => ("Unusual value", "Measure again, or correct the reading."),
        Action::ReEnter => ("This cannot be right", "Measure again and enter the new reading."),
    };
    json!({"code": action.as_str(), "urgency": action.urgency(), "title": title, "how": how})
}

/// Who can be told, by code: what staff tap, where it is sent, and how urgent that makes it.
pub const TOLD: &[(&str, &str)] = &[
    ("gp", "GP practice phoned"),
    ("maternity", "Maternity unit phoned"),
    ("nhs111", "NHS 111 phoned"),
    ("999", "999 called"),
];

/// What changes the advice besides the numbers: code, question.
pub const ASKED: &[(&str, &str)] = &[
    ("irregular", "Pulse feels irregular"),
    ("dizzy", "Dizzy, sick or tired"),
    ("fainting", "Faints or falls"),
    ("pregnant", "Pregnant"),
];

/// What to ask for, where the name of a red flag alone is not a question that everybody understands.
pub fn red_flag_question(code: &str) -> Option<&'static str> {
    Some(match code {
        "new_confusion" => "Muddled, not themselves",
        "breathlessness" => "More than usual for them",
        "stroke_signs" => "Face drooping, arm weak, speech slurred",
        "sudden_sight_change" => "Blurred, double or lost sight",
        "severe_headache" => "Sudden, or the worst ever",
        "collapse" => "Passed out, or nearly",
        _ => return None,
    })
}

/// The label of a field in which two people may disagree.
pub fn field(path: &str) -> String {
    let known = match path {
        "name/given" => "Given name",
        "name/family" => "Family name",
        "birth" => "Date of birth or age",
        "nhs_number" => "NHS number",
        "ethnic_category" => "Ethnic category",
        "phone" => "Phone",
        "ended" => "How the check ended",
        "pregnant" => "Pregnant",
        "bp/pulse_rhythm" => "Pulse rhythm",
        "name" => "Name",
        "type" => "Kind of place",
        path if path.starts_with("bp/readings/") => "Corrected reading",
        _ => "",
    };
    if known.is_empty() { path.replace(['_', '/'], " ") } else { known.to_owned() }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `3 February 1968`.
pub fn date(date: Date) -> String {
    let month = usize::try_from(date.month() - 1).ok().and_then(|month| MONTHS.get(month));
    format!("{} {} {}", date.day(), month.copied().unwrap_or_default(), date.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_and_category_has_words_and_none_names_a_disease() {
        let shown: Vec<Value> = Action::ALL
            .iter()
            .map(|one| action(*one))
            .chain(Category::ALL.iter().map(|one| category(*one, false)))
            .collect();
        for one in shown {
            let text = one.to_string().to_lowercase();
            assert!(!text.contains("hypertension") && !text.contains("hypotension"), "{text}");
            assert!(!one["title"].as_str().or(one["words"].as_str()).unwrap().is_empty());
        }
        assert_eq!(date("1968-02-03".parse().unwrap()), "3 February 1968");
    }
}
