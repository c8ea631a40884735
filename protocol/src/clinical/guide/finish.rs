//! After the measurement: what to offer, whom to reach, what to say.

use super::facts::Facts;
use super::{Step, StepCode};
use crate::clinical::follow_up::monitoring_arranged;
use crate::clinical::text::Text;
use crate::clinical::{Action, Category, Urgency};

pub(super) fn next(facts: &Facts<'_>) -> Option<Step> {
    // Somebody who has gone cannot be offered or told anything; a call to the practice can still be made.
    if facts.ended {
        return arrange(facts, urgency_to_arrange(facts))
            .filter(|_| facts.derived.urgency >= Urgency::SameDay);
    }
    let needed = urgency_to_arrange(facts);
    if needed >= Urgency::SameDay {
        return arrange(facts, needed).or_else(|| offer(facts)).or_else(|| tell(facts));
    }
    offer(facts).or_else(|| arrange(facts, needed)).or_else(|| tell(facts))
}

/// What was found, for the screen that ends a measurement.
pub(super) fn done(facts: &Facts<'_>) -> Step {
    let category = facts.derived.category.map_or("step-done".to_owned(), |c| format!("category-{c}"));
    let mut step = Step::new(StepCode::Done);
    step.text = Text::new(category);
    step.notes = facts.derived.actions.iter().map(action).collect();
    if facts.circumstances.under_18 {
        step.notes.insert(0, Text::new("note-under-18"));
    }
    step
}

fn action(action: &Action) -> Text {
    Text::new(format!("action-{action}"))
}

fn monitoring_declined(facts: &Facts<'_>) -> bool {
    facts.is_declined("monitoring") || facts.is_declined("monitor_loan")
}

/// 24-hour or home monitoring for a raised reading (NG136 1.2.3-1.2.4).
fn offer(facts: &Facts<'_>) -> Option<Step> {
    // Any referral stands for it: to a pharmacy that does it, or to the practice in its place.
    let arranged = monitoring_arranged(facts.contact) || facts.entries("referrals").next().is_some();
    let due = facts.derived.actions.contains(&Action::OfferAbpmHbpm);
    (due && !arranged && !monitoring_declined(facts)).then(|| {
        Step::new(StepCode::OfferMonitoring)
            .fields(&["monitor_loan", "follow_ups", "referrals"])
            .skip("monitoring")
            .note(Text::new("note-monitoring-declined"))
    })
}

/// How soon somebody else must see the person. That the practice sees a raised reading within 3 weeks is
/// in place of monitoring, and only when that was declined (HCF).
fn urgency_to_arrange(facts: &Facts<'_>) -> Urgency {
    let counts = |action: &&Action| **action != Action::ElseGpWithin3Weeks || monitoring_declined(facts);
    facts
        .derived
        .actions
        .iter()
        .filter(counts)
        .map(|action| action.urgency())
        .max()
        .unwrap_or(Urgency::Routine)
}

/// Phone and send what is urgent, refer what is not (2.8, 2.9).
fn arrange(facts: &Facts<'_>, urgency: Urgency) -> Option<Step> {
    if urgency == Urgency::Routine || facts.is_arranged(urgency) || facts.is_declined("referrals") {
        return None;
    }
    let mut step = Step::new(StepCode::Arrange).fields(&["referrals"]).skip("referrals");
    step.text = Text::new(format!("step-arrange-{urgency}"));
    step.interrupts = urgency == Urgency::Emergency;
    step.notes =
        facts.derived.actions.iter().filter(|action| action.urgency() == urgency).map(action).collect();
    if urgency >= Urgency::SameDay {
        step.notes.push(Text::new("note-no-practice-or-shut"));
        step.notes.push(Text::new("note-tell-who-was-called"));
    }
    if matches!(facts.derived.category, Some(Category::VeryHigh)) && urgency == Urgency::SameDay {
        step.notes.push(Text::new("note-red-flags-later"));
    }
    Some(step)
}

/// The result in words, and what was said of it written down with the version of the rules.
fn tell(facts: &Facts<'_>) -> Option<Step> {
    let due = !facts.derived.actions.is_empty() && facts.entries("advice").next().is_none();
    (due && !facts.is_declined("advice")).then(|| {
        let mut step = Step::new(StepCode::GiveAdvice).fields(&["advice"]).skip("advice");
        step.notes = facts.derived.actions.iter().map(action).collect();
        step
    })
}
