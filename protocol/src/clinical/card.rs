//! The card for the person who was seen: large figures, plain words, the next step.
//!
//! It says what was measured and what to do now, never what somebody has (NG136 1.2.8). The wording is D.

use serde::Serialize;
use serde_json::Value;

use super::codes::RED_FLAGS;
use super::derive::Derived;
use super::text::Text;
use super::{Action, Category};

/// What stands on the card.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResultCard {
    /// RFC 3339: when the person was seen.
    pub seen_at: Option<String>,
    /// mmHg, the pair that counts. `None`: there is nothing to show yet.
    pub systolic: Option<i64>,
    pub diastolic: Option<i64>,
    /// Whether the figures are an average.
    pub is_average: bool,
    pub title: Text,
    /// The figures in one line, for reading aloud.
    pub figures: Option<Text>,
    pub meaning: Text,
    /// The most urgent first.
    pub next: Vec<Text>,
    /// When to call for help.
    pub warning: Option<Text>,
}

/// Actions that are for staff alone: the card does not speak of them.
pub const FOR_STAFF: &[Action] =
    &[Action::ManualBpIfTrained, Action::RecordOnly, Action::ConfirmEntry, Action::ReEnter];

/// The card of a contact and what it was derived to.
pub fn result_card(contact: &Value, derived: &Derived) -> ResultCard {
    let shown = derived.category.filter(|category| *category != Category::Invalid);
    let pair = derived.systolic.zip(derived.diastolic).filter(|_| shown.is_some());
    let is_average = pair.is_some() && derived.chosen_reading.is_none();
    let mut actions: Vec<Action> =
        derived.actions.iter().copied().filter(|action| !FOR_STAFF.contains(action)).collect();
    actions.sort_by_key(|action| std::cmp::Reverse(action.urgency()));
    // What stands in place of monitoring comes after the offer of it.
    actions.sort_by_key(|action| *action == Action::ElseGpWithin3Weeks);
    let raised = matches!(
        shown,
        Some(
            Category::High
                | Category::HighStage1
                | Category::HighStage2
                | Category::VeryHigh
                | Category::PregHigh
                | Category::PregSevere
        )
    );
    let meaning = match shown {
        None => Text::new("card-no-result"),
        Some(Category::Normal) if actions.contains(&Action::AdviceRecheckSooner) => {
            Text::new("card-category-NORMAL-close")
        }
        Some(category) => Text::new(format!("card-category-{category}")),
    };
    ResultCard {
        seen_at: contact.get("started_at").and_then(Value::as_str).map(str::to_owned),
        systolic: pair.map(|(systolic, _)| systolic),
        diastolic: pair.map(|(_, diastolic)| diastolic),
        is_average,
        title: Text::new(if is_average { "card-title-average" } else { "card-title" }),
        figures: pair.map(|(systolic, diastolic)| {
            Text::new("card-figures").number("systolic", systolic).number("diastolic", diastolic)
        }),
        meaning,
        next: actions.iter().map(|action| Text::new(format!("card-action-{action}"))).collect(),
        warning: raised.then(|| {
            Text::new("card-warning")
                .texts("signs", RED_FLAGS.iter().map(|(flag, _)| format!("red-flag-{flag}")))
        }),
    }
}
