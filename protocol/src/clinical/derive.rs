//! What a contact means: computed from its nested JSON whenever it is shown, listed or exported, and
//! never stored as truth. All choices here are D unless the rule called names another source.

use serde::Serialize;
use serde_json::Value;

use super::bp::urgency;
use super::disputed::{self, Disputed, Otherwise, Side, sides};
use super::entries::{Slot, slots, values_at};
use super::readings::{
    Arms, Reading, alternatives, arms_of, by_position, is_postural_drop, pairs, standing_test,
};
use super::text::Text;
use super::{
    Action, Category, Circumstances, Mean, Pair, RULES_VERSION, Setting, Urgency, bmi, choose, classify,
    codes, home_mean, waking_mean,
};

/// The derived values of one contact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Derived {
    /// `None` without a reading that can be classified.
    pub category: Option<Category>,
    pub actions: Vec<Action>,
    pub urgency: Urgency,
    /// The id of the reading that decided; `None` when a mean did.
    pub chosen_reading: Option<String>,
    /// mmHg, of the chosen reading or the mean.
    pub systolic: Option<i64>,
    pub diastolic: Option<i64>,
    /// Why this reading, in words for staff.
    pub why: String,
    pub another_reading_due: bool,
    /// kg/m², one decimal place.
    pub bmi: Option<f64>,
    /// Whole years on the day of the contact.
    pub age: Option<i64>,
    /// [`RULES_VERSION`].
    pub rules: &'static str,
    /// Where values disagree: which, and what else the contact could come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disputed: Option<Disputed>,
}

/// Whether the contact belongs on the worklist.
pub fn needs_attention(derived: &Derived) -> bool {
    derived.urgency > Urgency::Routine
}

/// Where the second finding stands, five minutes after an irregular one: `regular`, `irregular` or
/// `not_checked`.
pub const PULSE_AGAIN: &str = "bp/pulse_rhythm_again";

/// So many combinations of unsettled corrections are tried. One more pair of corrections than this
/// covers is somebody playing; the highest values are tried first.
const MAX_COMBINATIONS: usize = 64;
/// So many other outcomes are named.
const MOST_OTHERWISE: usize = 4;

/// Derives a contact, with its person if it has one, both with their `conflicts`. Never fails: malformed
/// values are passed over.
pub fn derive(contact: &Value, person: Option<&Value>) -> Derived {
    if disputed::is_in_error(contact) {
        return Outcome::none(Vec::new(), "Entered in error".to_owned()).derived(None, None);
    }
    let slots = slots(contact.pointer("/bp/readings"));
    let (outcome, side, otherwise) = most_urgent(&slots, &sides(contact, person));
    let mut derived = outcome.derived(latest_bmi(contact.get("measurements")), side.age);
    let paths = disputed::paths(contact, person, &slots);
    if !paths.is_empty() {
        let differ = if otherwise.is_empty() { "disputed-all-the-same" } else { "disputed-more-urgent" };
        derived.disputed = Some(Disputed { paths, otherwise, text: Text::new(differ) });
    }
    derived
}

/// [`Derived`], as far as blood pressure goes.
struct Outcome {
    category: Option<Category>,
    actions: Vec<Action>,
    chosen: Option<String>,
    pair: Option<Pair>,
    why: String,
    due: bool,
}

impl Outcome {
    fn none(actions: Vec<Action>, why: String) -> Self {
        Outcome { category: None, actions, chosen: None, pair: None, why, due: false }
    }

    fn of(pair: Pair, circumstances: &Circumstances, why: String) -> Self {
        let classification = classify(pair.systolic, pair.diastolic, circumstances);
        Outcome {
            category: Some(classification.category),
            actions: classification.actions,
            pair: Some(pair),
            ..Outcome::none(Vec::new(), why)
        }
    }

    fn of_reading(reading: &Reading<'_>, circumstances: &Circumstances, why: String) -> Self {
        let mut outcome = Outcome::of(reading.pair, circumstances, why);
        outcome.chosen = Some(reading.id.to_owned());
        outcome.actions.retain(|action| !(reading.confirmed && *action == Action::ConfirmEntry));
        outcome
    }

    fn derived(self, bmi: Option<f64>, age: Option<i64>) -> Derived {
        Derived {
            category: self.category,
            urgency: urgency(&self.actions),
            actions: self.actions,
            chosen_reading: self.chosen,
            systolic: self.pair.map(|pair| pair.systolic),
            diastolic: self.pair.map(|pair| pair.diastolic),
            why: self.why,
            another_reading_due: self.due,
            bmi,
            age,
            rules: RULES_VERSION,
            disputed: None,
        }
    }

    fn otherwise(&self) -> Otherwise {
        Otherwise {
            category: self.category,
            actions: self.actions.clone(),
            urgency: urgency(&self.actions),
            systolic: self.pair.map(|pair| pair.systolic),
            diastolic: self.pair.map(|pair| pair.diastolic),
        }
    }
}

/// The most urgent outcome of all that the record can be read as, and the others: that a conflict is open
/// must never make anybody wait longer.
fn most_urgent(slots: &[Slot<'_>], sides: &[Side]) -> (Outcome, Side, Vec<Otherwise>) {
    let mut places: Vec<Vec<Reading<'_>>> = slots.iter().map(alternatives).collect();
    places.retain(|place| !place.is_empty());
    let unreadable = slots.len() - places.len();

    let mut best: Option<(Outcome, Side)> = None;
    let mut others: Vec<Otherwise> = Vec::new();
    let mut due = false;
    for side in sides {
        let mut chosen = vec![0; places.len()];
        for _ in 0..MAX_COMBINATIONS {
            let readings: Vec<Reading<'_>> =
                places.iter().zip(&chosen).filter_map(|(place, index)| place.get(*index).copied()).collect();
            let next = evaluate(&readings, &side.circumstances);
            // With a red flag nobody waits for another reading.
            due |= next.due && !side.circumstances.red_flag;
            let other = next.otherwise();
            if best.as_ref().is_none_or(|(best, _)| other.urgency > urgency(&best.actions)) {
                best = Some((next, *side));
            }
            if !others.iter().any(|known| known.same_outcome(&other)) {
                others.push(other);
            }
            if !advance(&mut chosen, &places) {
                break;
            }
        }
    }

    let nothing = Side { circumstances: Circumstances::default(), age: None };
    let (mut outcome, side) = best.unwrap_or_else(|| {
        (without_reading(&nothing.circumstances, "No blood pressure reading".to_owned()), nothing)
    });
    if unreadable > 0 {
        outcome.why = format!("{}. Left out, without usable values: {unreadable}", outcome.why);
    }
    if places.iter().any(|place| place.len() > 1) {
        outcome.why =
            format!("Readings disagree: the more urgent is shown until somebody settles it. {}", outcome.why);
    } else if sides.len() > 1 {
        outcome.why =
            format!("Answers disagree: the more urgent is shown until somebody settles it. {}", outcome.why);
    }
    outcome.due = due && !side.circumstances.red_flag;
    let shown = outcome.otherwise();
    others.retain(|other| !other.same_outcome(&shown));
    others.sort_by_key(|other| std::cmp::Reverse(other.urgency));
    others.truncate(MOST_OTHERWISE);
    (outcome, side, others)
}

/// Steps to the next combination, the last place fastest: the last readings are those that decide.
fn advance(chosen: &mut [usize], places: &[Vec<Reading<'_>>]) -> bool {
    for (index, place) in chosen.iter_mut().zip(places).rev() {
        *index += 1;
        if *index < place.len() {
            return true;
        }
        *index = 0;
    }
    false
}

/// Clinic readings decide if there are any; else home readings, else those of 24 hours.
fn evaluate(readings: &[Reading<'_>], circumstances: &Circumstances) -> Outcome {
    let of = |setting| readings.iter().copied().filter(|reading| reading.setting == setting).collect();
    let (clinic, home, day): (Vec<_>, Vec<_>, Vec<_>) =
        (of(Setting::Clinic), of(Setting::Hbpm), of(Setting::Abpm));
    if !clinic.is_empty() {
        evaluate_clinic(&clinic, &Circumstances { setting: Setting::Clinic, ..*circumstances })
    } else if !home.is_empty() {
        let circumstances = Circumstances { setting: Setting::Hbpm, ..*circumstances };
        evaluate_series(&home, &circumstances, "Home mean as typed in", |possible| {
            let dated: Vec<_> = possible
                .iter()
                .filter_map(|reading| Some((reading.day()?, reading.pair.systolic, reading.pair.diastolic)))
                .collect();
            home_mean(&dated)
        })
    } else if !day.is_empty() {
        let circumstances = Circumstances { setting: Setting::Abpm, ..*circumstances };
        evaluate_series(&day, &circumstances, "24-hour mean as typed in", |possible| {
            waking_mean(&pairs(possible))
        })
    } else {
        without_reading(circumstances, "No blood pressure reading".to_owned())
    }
}

fn evaluate_clinic(readings: &[Reading<'_>], circumstances: &Circumstances) -> Outcome {
    let possible: Vec<Reading<'_>> = readings.iter().copied().filter(Reading::is_possible).collect();
    let impossible = readings.len() - possible.len();
    let mut counted = by_position(if possible.is_empty() { readings } else { &possible });
    let arms = arms_of(&counted);
    if let Some(arm) = arms.deciding() {
        counted.retain(|reading| reading.arm != Some(arm.other()));
    }
    let decided = choose(&pairs(&counted)).and_then(|choice| Some((counted.get(choice.index)?, choice)));
    let Some((reading, choice)) = decided else {
        return without_reading(circumstances, "No blood pressure reading".to_owned());
    };
    let mut outcome = Outcome::of_reading(reading, circumstances, choice.why);
    outcome.due = choice.another_reading_due || matches!(arms, Arms::Repeat { .. });
    if let Some(arm) = arms.deciding() {
        let arm = arm.label().to_lowercase();
        outcome.why = format!("{}. The arms differ by more than 15: the {arm} counts", outcome.why);
    }
    if let Some((before, standing)) = standing_test(&possible)
        && is_postural_drop(before.pair, standing.pair)
    {
        outcome.why = format!("{}. Drop on standing ({}, then {})", outcome.why, before.pair, standing.pair);
        review_of_drop(&mut outcome, circumstances);
    }
    if impossible > 0 && !possible.is_empty() {
        outcome.why = format!("{}. Left out as impossible: {impossible}", outcome.why);
    }
    outcome
}

/// NG136 1.1.6-1.1.8: a drop on standing needs a review, which an appointment that is due anyway gives.
fn review_of_drop(outcome: &mut Outcome, circumstances: &Circumstances) {
    let arranged = outcome
        .actions
        .iter()
        .any(|action| *action != Action::ElseGpWithin3Weeks && action.urgency() > Urgency::Routine);
    if !arranged && !circumstances.under_18 {
        outcome.actions.push(Action::SymptomGpReview);
    }
}

/// A single value is a mean that somebody typed in. A series that is too short has no category, unless
/// what there is already calls for action today: nobody should wait out the days for that.
fn evaluate_series(
    readings: &[Reading<'_>],
    circumstances: &Circumstances,
    typed_in: &str,
    mean: impl FnOnce(&[Reading<'_>]) -> Mean,
) -> Outcome {
    if let [only] = readings {
        return Outcome::of_reading(only, circumstances, format!("{typed_in} ({})", only.pair));
    }
    let possible: Vec<Reading<'_>> = readings.iter().copied().filter(Reading::is_possible).collect();
    let mean = mean(&possible);
    if let Some(pair) = mean.pair {
        return Outcome::of(pair, circumstances, mean.why);
    }
    let mut outcome = match mean.so_far.map(|pair| (pair, Outcome::of(pair, circumstances, String::new()))) {
        Some((pair, outcome))
            if matches!(
                outcome.category,
                Some(Category::VeryHigh | Category::PregHigh | Category::PregSevere)
            ) =>
        {
            Outcome {
                why: format!("{}; but those are already too high to wait ({pair})", mean.why),
                ..outcome
            }
        }
        _ => without_reading(circumstances, mean.why),
    };
    outcome.due = true;
    outcome
}

/// Signs and symptoms count whether or not there is a reading.
fn without_reading(circumstances: &Circumstances, why: String) -> Outcome {
    let mut actions = Vec::new();
    if circumstances.red_flag {
        actions.push(Action::Emergency999Ae);
    } else {
        if circumstances.fainting || circumstances.dizzy {
            actions.push(Action::SymptomGpReview);
        }
        if circumstances.irregular_pulse {
            actions.push(Action::IrregularPulseGpSameDay);
        }
    }
    Outcome::none(actions, why)
}

/// What was asked and seen. Where a field is in conflict, either value counts; symptoms that only some say
/// are there count if `disputed_symptoms`. A red flag counts from the list of symptoms too: whoever sends it
/// there means it no less.
pub(super) fn circumstances(contact: &Value, age: Option<i64>, disputed_symptoms: bool) -> Circumstances {
    let symptoms = disputed::symptoms(contact, disputed_symptoms);
    let has = |list: codes::CodeList| symptoms.iter().any(|symptom| codes::label(list, symptom).is_some());
    let present = slots(contact.pointer("/bp/red_flags"))
        .iter()
        .flat_map(|slot| &slot.alternatives)
        .any(|(_, flag)| flag.get("present") == Some(&Value::Bool(true)));
    Circumstances {
        setting: Setting::Clinic,
        red_flag: present || has(codes::RED_FLAGS),
        fainting: has(codes::SYMPTOMS_FAINTING),
        dizzy: has(codes::SYMPTOMS_DIZZY),
        irregular_pulse: irregular_pulse(contact),
        pregnant: values_at(contact, "pregnant").any(|pregnant| *pregnant == Value::Bool(true)),
        under_18: match age {
            Some(age) => age < 18,
            // Of disputed bands one alone does not make a child.
            None => {
                let mut bands = values_at(contact, "age_band").peekable();
                bands.peek().is_some() && bands.all(|band| band == "under_18")
            }
        },
    }
}

/// Still irregular after five minutes (HCF). The second finding has a field of its own; until it is there
/// the first one counts.
pub(super) fn irregular_pulse_of(first: Option<&Value>, again: Option<&Value>) -> bool {
    first.is_some_and(|rhythm| rhythm == "irregular") && again.is_none_or(|rhythm| rhythm != "regular")
}

fn irregular_pulse(contact: &Value) -> bool {
    let is = |path, wanted: &str| values_at(contact, path).any(|rhythm| rhythm == wanted);
    let again = is(PULSE_AGAIN, "regular") && !is(PULSE_AGAIN, "irregular");
    is("bp/pulse_rhythm", "irregular") && !again
}

/// BMI from the latest height and weight.
fn latest_bmi(measurements: Option<&Value>) -> Option<f64> {
    bmi(latest_measurement(measurements, "height", "cm")?, latest_measurement(measurements, "weight", "kg")?)
}

/// The latest measurement of something, in its unit; none while corrections of it disagree.
pub(super) fn latest_measurement(measurements: Option<&Value>, what: &str, unit: &str) -> Option<f64> {
    let values = |slot: &Slot<'_>| -> Vec<f64> {
        let entries = slot.alternatives.iter().map(|(_, entry)| *entry);
        entries
            .filter(|entry| entry.get("what").and_then(Value::as_str) == Some(what))
            .filter(|entry| entry.get("unit").is_none_or(|given| given.is_null() || given == unit))
            .filter_map(|entry| entry.get("value")?.as_f64())
            .collect()
    };
    let found = slots(measurements).iter().rev().map(values).find(|values| !values.is_empty())?;
    let first = *found.first()?;
    found.iter().all(|value| *value == first).then_some(first)
}
