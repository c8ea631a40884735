//! How the page says things: looks, labels, dates. What a category or an action is called is said by the rules' own
//! messages; nothing here decides anything.

use jiff::civil::Date;
use serde_json::{Value, json};
use wayside_protocol::clinical::{Action, Category, text::Text};

use super::{app::App, phrases::ENGLISH};

/// A category's words, and the look that goes with it.
pub fn category(app: &App, category: Category, close: bool) -> Value {
    let said = Text::new(format!("category-{category}"));
    let words = if category == Category::Normal && close { app.phrase(CLOSE) } else { app.say(&said) };
    // What a form keeps of it is English, as base reads it.
    let recorded = app.tablet.words(&said, ENGLISH);
    json!({"code": category.as_str(), "words": words, "recorded": recorded, "tone": tone(category)})
}

/// Said of a normal reading that is to be checked again sooner.
pub const CLOSE: &str = "Normal, close to raised";

fn tone(category: Category) -> &'static str {
    match category {
        Category::Normal => "normal",
        Category::High | Category::HighStage1 | Category::HighStage2 | Category::PregHigh => "high",
        Category::VeryHigh | Category::PregSevere => "very_high",
        Category::Low => "low",
        Category::PregNotHigh => "pregnant",
        Category::NotClassified | Category::Invalid => "none",
    }
}

/// One thing to do: what, and how.
pub fn action(app: &App, action: Action) -> Value {
    let words = app.say_id(&format!("action-{action}"));
    // The first sentence is what to do; the rest, if any, is how.
    let (title, how) = words.split_once(". ").unwrap_or((words.trim_end_matches('.'), ""));
    json!({"code": action.as_str(), "urgency": action.urgency(), "title": title, "how": how})
}

/// Who can be told: code, and what people call them.
pub const TOLD: &[(&str, &str)] = &[
    ("gp", "GP practice"),
    ("maternity", "Maternity unit"),
    ("nhs111", "NHS 111"),
    ("999", "999"),
    ("pharmacy", "Pharmacy"),
];

/// What there is to come back to.
pub const FOLLOW_UPS: &[(&str, &str)] = &[
    ("hbpm_diary", "Home diary back"),
    ("abpm", "24-hour monitoring"),
    ("repeat_bp", "Measure again"),
    ("call", "Phone them"),
    ("register_gp", "Help to register with a GP"),
];

/// What became of a referral, a follow-up or a call.
pub const STATUS: &[(&str, &str)] = &[
    ("sent", "Sent"),
    ("received", "Received"),
    ("attended", "They went"),
    ("did_not_attend", "They did not go"),
    ("declined", "Declined"),
    ("closed", "Closed"),
    ("done", "Done"),
    ("rearranged", "Another day"),
    ("not_reached", "Not reached"),
    ("tried", "Tried"),
    ("no_answer", "No answer"),
    ("reached", "Spoke to somebody"),
];

/// What changes the advice besides the numbers, whenever somebody mentions it: label, path, the value of yes, that of
/// no.
pub fn asked() -> [(&'static str, &'static str, Value, Value); 4] {
    [
        ("Pulse feels irregular", "bp/pulse_rhythm", json!("irregular"), json!("regular")),
        ("Dizzy, sick or tired", "bp/symptoms/dizzy", json!(true), json!(false)),
        ("Faints or falls", "bp/symptoms/fainting", json!(true), json!(false)),
        ("Pregnant", "pregnant", json!(true), json!(false)),
    ]
}

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
    use wayside_protocol::clinical::text::Texts;

    use super::*;

    #[test]
    fn every_action_and_category_has_words_and_none_names_a_disease() {
        let texts = Texts::english();
        let ids = Action::ALL.iter().map(|one| format!("action-{one}"));
        for id in ids.chain(Category::ALL.iter().map(|one| format!("category-{one}"))) {
            let text = texts.say_id(&id).to_lowercase();
            assert!(!text.is_empty() && text != id.to_lowercase(), "{id} has no words");
            assert!(!text.contains("hypertension") && !text.contains("hypotension"), "{text}");
        }
    }

    #[test]
    fn dates_are_written_as_people_here_do() {
        assert_eq!(date("1968-02-03".parse().unwrap()), "3 February 1968");
    }
}
