//! Questions before the measurement, and which reading comes next.

use super::facts::Facts;
use super::{GuideSettings, NextReading, Step, StepCode};
use crate::clinical::choose::choose_with;
use crate::clinical::readings::{
    Arms, Position, Reading, arms_of, by_position, is_postural_drop, pairs, standing_test,
};
use crate::clinical::text::Text;
use crate::clinical::{Arm, PULSE_AGAIN, Setting, codes, is_raised};

pub(super) fn next(facts: &Facts<'_>, settings: &GuideSettings) -> Option<Step> {
    questions(facts, settings).or_else(|| {
        if facts.series && facts.readings.is_empty() {
            series(facts)
        } else {
            reading(facts, settings).or_else(|| after(facts, settings))
        }
    })
}

/// Age and pregnancy decide which ladder is used; the pulse is felt before the cuff goes on (1.1).
fn questions(facts: &Facts<'_>, settings: &GuideSettings) -> Option<Step> {
    if !facts.has_age() && !facts.is_declined("age_band") && !facts.is_declined("date_of_birth") {
        let fields: &[_] = match facts.person {
            Some(_) => &["person/date_of_birth", "person/age_years", "age_band"],
            None => &["age_band"],
        };
        return Some(Step::new(StepCode::AskAge).fields(fields).skip("age_band"));
    }
    if may_be_pregnant(facts, settings) && !facts.has("pregnant") && !facts.is_declined("pregnant") {
        return Some(Step::new(StepCode::AskPregnant).fields(&["pregnant"]).skip("pregnant"));
    }
    if facts.series {
        return None;
    }
    if !facts.has("bp/pulse_rhythm") && !facts.is_declined("bp/pulse_rhythm") {
        let step = Step::new(StepCode::AskPulseRhythm).fields(&["bp/pulse_rhythm"]).skip("bp/pulse_rhythm");
        return Some(step.choices("pulse", &["regular", "irregular", "not_checked"]));
    }
    // The service asks about known atrial fibrillation first (HCF-H): then there is nothing to find out.
    if facts.pulse_waits() && !facts.diagnosed("af") && !facts.is_declined(PULSE_AGAIN) {
        return Some(Step {
            wait_seconds: Some(settings.pulse_wait_seconds),
            ..Step::new(StepCode::RecheckPulse)
                .fields(&[PULSE_AGAIN, "prior_diagnosis"])
                .skip(PULSE_AGAIN)
                .choices("pulse", &["regular", "irregular", "not_checked"])
                .note(Text::new("note-ask-known-af"))
        });
    }
    None
}

/// Women of 12 to 55 (D). An unknown sex or age is asked, too: the wrong ladder is the greater harm.
fn may_be_pregnant(facts: &Facts<'_>, settings: &GuideSettings) -> bool {
    let man = facts.sex().is_some_and(|sex| matches!(sex, "male" | "m" | "M" | "1"));
    let age =
        facts.derived.age.is_none_or(|age| (settings.pregnancy_from..=settings.pregnancy_to).contains(&age));
    !man && age
}

/// A diary that is not long enough yet (1.10, 1.11).
fn series(facts: &Facts<'_>) -> Option<Step> {
    let wanted = facts.derived.another_reading_due && !facts.is_declined("bp/home_readings");
    wanted.then(|| {
        let step = Step::new(StepCode::EnterHomeReadings).fields(&["bp/readings"]).skip("bp/home_readings");
        step.note(Text::new("note-mean-not-ready"))
    })
}

/// The next clinic reading sitting: the first, the other arm, a second or third (1.4, 1.5).
fn reading(facts: &Facts<'_>, settings: &GuideSettings) -> Option<Step> {
    if facts.taken >= settings.most_readings || facts.is_declined("bp/readings") {
        return None;
    }
    let counted = by_position(&facts.readings);
    let Some(last) = counted.last() else {
        return Some(take(facts, settings, None, Text::new("why-first-reading")));
    };
    // Under 18 is recorded, not classified: there is nothing to decide by another one (2.13).
    if facts.circumstances.under_18 && !facts.circumstances.pregnant {
        return None;
    }
    let arms = if considers_diagnosis(facts, settings, &counted) { arms_of(&counted) } else { Arms::Alike };
    let settled = match arms {
        Arms::OneOnly => {
            if let Some(other) = other_arm(&counted) {
                return Some(other_arm_step(facts, settings, other));
            }
            None
        }
        Arms::Alike => None,
        Arms::Repeat { next, .. } if !facts.is_declined("bp/other_arm") => {
            let step = take(facts, settings, Some(next), Text::new("why-arms-differ"));
            return Some(Step { skip: Some("bp/other_arm"), ..step });
        }
        Arms::Repeat { higher, .. } | Arms::Differ { higher } => Some(higher),
    };
    if let Some(arm) = settled {
        let of_arm: Vec<Reading<'_>> =
            counted.iter().copied().filter(|r| r.arm != Some(arm.other())).collect();
        let due = choose_with(&pairs(&of_arm), &settings.choice()).is_some_and(|c| c.another_reading_due);
        return due.then(|| take(facts, settings, Some(arm), Text::new("why-higher-arm")));
    }
    let due = choose_with(&pairs(&counted), &settings.choice()).is_some_and(|c| c.another_reading_due);
    let why = if counted.len() > 1 { "why-readings-differ" } else { "why-raised" };
    due.then(|| take(facts, settings, last.arm, Text::new(why)))
}

/// Raised, in an adult who is not pregnant and has no diagnosis yet (1.4).
fn considers_diagnosis(facts: &Facts<'_>, settings: &GuideSettings, counted: &[Reading<'_>]) -> bool {
    settings.both_arms
        && !facts.circumstances.pregnant
        && !facts.diagnosed("hypertension")
        && !facts.is_declined("bp/other_arm")
        && counted.iter().any(|reading| is_raised(reading.pair.systolic, reading.pair.diastolic))
}

/// The arm that no reading names, when another one is named.
fn other_arm(counted: &[Reading<'_>]) -> Option<Arm> {
    counted.iter().rev().find_map(|reading| reading.arm).map(Arm::other)
}

fn other_arm_step(facts: &Facts<'_>, settings: &GuideSettings, arm: Arm) -> Step {
    let step = take(facts, settings, Some(arm), Text::new("why-other-arm"));
    Step { skip: Some("bp/other_arm"), ..step }
}

/// Symptoms where they change what a low reading means (HCF), then standing (1.8).
fn after(facts: &Facts<'_>, settings: &GuideSettings) -> Option<Step> {
    let counted = by_position(&facts.readings);
    if counted.is_empty() || (facts.circumstances.under_18 && !facts.circumstances.pregnant) {
        return None;
    }
    let low = facts.derived.systolic.is_some_and(|value| value < 90)
        || facts.derived.diastolic.is_some_and(|value| value < 60);
    let symptoms = facts.symptoms();
    if low && symptoms.is_empty() && !facts.is_declined("bp/symptoms") {
        const SYMPTOMS: &[&str] =
            &["fainting", "falls", "near_faint", "dizzy", "nausea", "tired", codes::NO_SYMPTOMS];
        let step = Step::new(StepCode::AskSymptoms).fields(&["bp/symptoms"]).skip("bp/symptoms");
        return Some(step.choices("symptom", SYMPTOMS));
    }
    let postural = symptoms.iter().any(|symptom| codes::SYMPTOMS_POSTURAL.contains(symptom));
    if postural { standing(facts, settings) } else { None }
}

/// Standing for a minute after sitting or lying; after a smaller drop from sitting once more from lying.
fn standing(facts: &Facts<'_>, settings: &GuideSettings) -> Option<Step> {
    if facts.is_declined("bp/standing") || facts.taken >= settings.most_readings + 3 {
        return None;
    }
    let stand = || {
        let mut step = Step::new(StepCode::TakeStanding).fields(&["bp/readings"]).skip("bp/standing");
        step.required = false;
        step.wait_seconds = Some(settings.standing_wait_seconds);
        step.reading =
            Some(NextReading { number: facts.taken + 1, arm: last_arm(facts), position: "standing" });
        Some(step)
    };
    let (before, upright) = match standing_test(&facts.readings) {
        None => return stand(),
        Some(test) => test,
    };
    if is_postural_drop(before.pair, upright.pair) || before.position == Position::Lying {
        return None;
    }
    // A smaller drop from sitting: again from lying, unless that cannot be done.
    let lying = facts.readings.iter().rposition(|reading| reading.position == Position::Lying);
    let last_standing = facts.readings.iter().rposition(|reading| reading.position == Position::Standing);
    if lying > last_standing {
        return stand();
    }
    let dropped =
        before.pair.systolic > upright.pair.systolic || before.pair.diastolic > upright.pair.diastolic;
    if !dropped || lying.is_some() || facts.is_declined("bp/lying") {
        return None;
    }
    let mut step = Step::new(StepCode::TakeLying).fields(&["bp/readings"]).skip("bp/lying");
    step.required = false;
    step.notes.push(Text::new("note-smaller-drop"));
    step.reading = Some(NextReading { number: facts.taken + 1, arm: last_arm(facts), position: "lying" });
    Some(step)
}

fn last_arm(facts: &Facts<'_>) -> Option<Arm> {
    facts.readings.last().and_then(|reading| reading.arm)
}

fn take(facts: &Facts<'_>, settings: &GuideSettings, arm: Option<Arm>, why: Text) -> Step {
    let mut step = Step::new(StepCode::TakeReading).fields(&["bp/readings"]).skip("bp/readings").note(why);
    let number = facts.taken + 1;
    step.text = Text::new(match arm {
        Some(Arm::Left) => "step-take_reading-left",
        Some(Arm::Right) => "step-take_reading-right",
        None => "step-take_reading",
    })
    .number("number", i64::try_from(number).unwrap_or(i64::MAX));
    if number > 1 {
        step.wait_seconds = Some(settings.wait_seconds);
        let last =
            facts.readings.iter().filter(|r| r.setting == Setting::Clinic).filter_map(|r| r.taken_at).max();
        let wait = jiff::SignedDuration::from_secs(settings.wait_seconds);
        step.not_before = last.and_then(|at| at.checked_add(wait).ok()).map(|at| at.to_string());
    }
    if facts.circumstances.irregular_pulse {
        step.notes.push(Text::new("note-measure-by-hand"));
    }
    step.reading = Some(NextReading { number, arm, position: "sitting" });
    step
}
