//! The words for staff: complete, never a diagnosis, and safe to translate.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use wayside_protocol::clinical::activity::*;
use wayside_protocol::clinical::alcohol::AlcoholBand;
use wayside_protocol::clinical::card::FOR_STAFF;
use wayside_protocol::clinical::diabetes::*;
use wayside_protocol::clinical::follow_up::TaskState;
use wayside_protocol::clinical::guide::StepCode;
use wayside_protocol::clinical::health_check::*;
use wayside_protocol::clinical::smoking::Smoking;
use wayside_protocol::clinical::text::*;
use wayside_protocol::clinical::*;
use wayside_protocol::matching::weights;

/// `prefix-code` of every code that can reach a screen.
fn codes() -> Vec<String> {
    let mut ids = Vec::new();
    let mut all =
        |prefix: &str, codes: Vec<&str>| ids.extend(codes.iter().map(|code| format!("{prefix}-{code}")));
    macro_rules! spelt {
        ($($prefix:literal $list:ident),*) => { $(all($prefix, $list::ALL.iter().map(|code| code.as_str()).collect());)* };
    }
    spelt!("category" Category, "action" Action, "urgency" Urgency, "step" StepCode, "bmi" BmiCategory, "thresholds" BmiThresholds,
        "waist" WaistBand, "alcohol" AlcoholBand, "activity" Activity, "work" Work, "hours" Hours, "smoking" Smoking,
        "diabetes" DiabetesFilter, "hba1c" Hba1cBand, "item" Item, "check-type" CheckType);
    let list = |list: codes::CodeList| list.iter().map(|(code, _)| *code).collect();
    all("red-flag", list(codes::RED_FLAGS));
    all("symptom", list(codes::SYMPTOMS_FAINTING));
    all("symptom", list(codes::SYMPTOMS_DIZZY));
    all("symptom", vec![codes::NO_SYMPTOMS]);
    all("exclusion", list(NHS_HEALTH_CHECK_EXCLUSIONS));
    all("match", weights::ALL.iter().map(|outcome| outcome.id).collect());
    all("pulse", vec!["regular", "irregular", "not_checked"]);
    all("answer", vec!["answered", "declined", "not_asked"]);
    all("eligibility", vec!["eligible", "age_not_known", "too_young", "too_old", "excluded", "not_yet"]);
    all("likeness", vec!["possible", "likely"]);
    all("task", TaskState::ALL.iter().map(|state| state.as_str()).collect());
    all("status", vec!["sent", "received", "attended", "did_not_attend", "declined", "closed"]);
    all("status", vec!["done", "rearranged", "not_reached", "declined"]);
    all("call", vec!["tried", "no_answer", "reached"]);
    let on_card = Category::ALL.iter().filter(|category| **category != Category::Invalid);
    all("card-category", on_card.map(|category| category.as_str()).collect());
    let on_card = Action::ALL.iter().filter(|action| !FOR_STAFF.contains(action));
    all("card-action", on_card.map(|action| action.as_str()).collect());
    all("step-arrange", vec!["within_3_weeks", "within_7_days", "same_day", "emergency"]);
    ids
}

/// A text with everything filled in that its message names.
fn filled(id: &str) -> Text {
    let start = ENGLISH.find(&format!("\n{id} =")).unwrap();
    let message = ENGLISH[start + 1..].lines().next().unwrap();
    let mut text = Text::new(id);
    for name in [
        "number",
        "limit",
        "unit",
        "what",
        "postcode",
        "age",
        "done",
        "of",
        "declined",
        "by",
        "from",
        "urgency",
        "purpose",
        "at",
        "reason",
        "site",
        "date",
        "open",
        "flags",
        "pair",
        "pulse",
        "detail",
        "was",
        "to",
        "value",
        "category",
        "days",
        "status",
        "outcome",
        "device",
        "name",
        "about",
        "text",
        "how",
        "then",
        "rules",
        "now",
        "systolic",
        "diastolic",
        "signs",
    ] {
        if message.contains(&format!("${name} ")) {
            text = text.words(name, "7");
        }
    }
    text
}

#[test]
fn clinical_every_code_has_a_text() {
    let texts = Texts::english();
    for id in codes() {
        assert!(texts.knows(&id), "{id}");
    }
    assert!(!texts.knows("category-unheard-of"));
    assert_eq!(texts.say_id("category-unheard-of"), "category-unheard-of");
}

#[test]
fn clinical_the_english_file_has_no_mistakes() {
    assert!(Texts::in_language("en", ENGLISH).is_ok(), "it parses without any");
    let ids: Vec<&str> = Texts::ids().collect();
    assert!(ids.len() > 200);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each once");
    let texts = Texts::english();
    for id in ids {
        let said = texts.say(&filled(id));
        assert!(said != id && !said.contains('{') && !said.contains('$') && !said.is_empty(), "{id}: {said}");
        let lower = said.to_lowercase();
        assert!(!lower.contains("hypertension"), "{id}: a reading is raised, not a diagnosis");
        assert!(!lower.contains("bame"), "{id}");
    }
    // A placeable that nobody filled in never reaches a screen half said.
    assert_eq!(texts.say_id("limit-less"), "limit-less");
}

#[test]
fn clinical_findings_and_problems_say_the_same_in_fluent() {
    let texts = Texts::english();
    let readings = [
        (301, 94, None),
        (49, 30, None),
        (120, 120, None),
        (69, 39, Some(30)),
        (190, 185, Some(200)),
        (120, 80, Some(19)),
    ];
    let mut said = 0;
    for (systolic, diastolic, pulse) in readings {
        for finding in &check_reading(systolic, diastolic, pulse) {
            assert_eq!(texts.say(&finding.text), finding.message);
            said += 1;
        }
    }
    for (what, value) in
        [("height", 251.0), ("height", 129.0), ("weight", 19.0), ("waist", 300.0), ("weight", f64::NAN)]
    {
        for finding in &check_measurement(what, value) {
            assert_eq!(texts.say(&finding.text), finding.message);
            said += 1;
        }
    }
    assert_eq!(said, 15);
    for problem in [
        NhsNumberProblem::Empty,
        NhsNumberProblem::NationalInsurance,
        NhsNumberProblem::NotTenDigits,
        NhsNumberProblem::CheckDigit,
        NhsNumberProblem::NeverIssued,
        NhsNumberProblem::Placeholder,
    ] {
        assert_eq!(texts.say_id(problem.text_id()), problem.to_string());
    }
    for range in [
        NhsNumberRange::EnglandWalesIsleOfMan,
        NhsNumberRange::Scotland,
        NhsNumberRange::NorthernIreland,
        NhsNumberRange::Test,
        NhsNumberRange::NotIssued,
    ] {
        assert_eq!(range.text_id().map(|id| texts.say_id(id)).as_deref(), range.warning());
    }
}

#[test]
fn clinical_the_card_has_no_jargon() {
    let texts = Texts::english();
    for id in Texts::ids().filter(|id| id.starts_with("card-")) {
        let said = texts.say(&filled(id));
        for jargon in ["ABPM", "HBPM", "systolic", "diastolic", "mmHg", "stage", "clinic", "contact"] {
            assert!(!said.contains(jargon), "{id}: {said}");
        }
    }
}

#[test]
fn clinical_another_language_falls_back_to_english_for_what_it_lacks() {
    // Not a translation: a stand-in for one, with one message broken.
    let ftl = "category-HIGH = HIGH-XX\nbirth-long-ago = XX { $age }\npostcode-suggestion = XX { $nothing }\nred-flag-fit = FIT-XX\nlimit-less = { $what } XX\n";
    let texts = Texts::in_language("ur-PK", ftl).unwrap();
    assert_eq!(texts.say_id("category-HIGH"), "HIGH-XX");
    assert_eq!(texts.say_id("category-LOW"), "Low reading");
    assert!(texts.say(&Text::new("birth-long-ago").number("age", 121)).contains("121"));
    let meant = texts.say(&Text::new("postcode-suggestion").words("postcode", "LS9 0TF"));
    assert_eq!(meant, "This is not the form of a postcode. Did you mean LS9 0TF?");
    let both =
        Text::new("limit-less").texts("what", ["red-flag-fit".to_owned(), "red-flag-collapse".to_owned()]);
    assert!(texts.say(&both).contains("FIT-XX, Collapse"), "{}", texts.say(&both));
    assert_eq!(texts.missing().len(), Texts::ids().count() - 5);
    assert!(Texts::english().missing().is_empty());
    assert_eq!(Texts::in_language("not a language", "").err(), Some(TextError::Language));
    assert_eq!(Texts::in_language("pa", "category-HIGH = { $").err(), Some(TextError::Syntax(1)));
}
