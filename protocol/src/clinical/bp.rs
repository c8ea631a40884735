//! Classification of one recorded pair of blood pressure, and what to do about it.
//!
//! Sources: the ladder NG136 1.2.2-1.2.10, terms and 1.5; actions and the low category HCF; pregnancy
//! NG133 table 2; the app's own entry limits D. Cut-offs without a source, for the Clinical Safety
//! Officer: "close to 140/90" at 135 or 85, very high home means at 170/115, same-day timing for
//! 140-159 in pregnancy.

use serde::Serialize;

use super::Urgency;
use super::limits::{self, Level};

spelt! {
    /// Where a pair stands. Either value alone puts a person in the higher category (HCF; HCF-D).
    Category {
        Normal = "NORMAL", "Normal";
        High = "HIGH", "Raised reading";
        HighStage1 = "HIGH_STAGE1", "Raised average, stage 1";
        HighStage2 = "HIGH_STAGE2", "Raised average, stage 2";
        VeryHigh = "VERY_HIGH", "Very high reading";
        Low = "LOW", "Low reading";
        PregNotHigh = "PREG_NOT_HIGH", "Pregnant, not raised";
        PregHigh = "PREG_HIGH", "Pregnant, raised reading";
        PregSevere = "PREG_SEVERE", "Pregnant, severely raised reading";
        NotClassified = "NOT_CLASSIFIED", "Not classified: under 18";
        Invalid = "INVALID", "Not a possible reading";
    }
}

spelt! {
    /// One thing to do. The labels restate the code; local wording is the front end's.
    Action {
        AdviceRecheck5y = "ADVICE_RECHECK_5Y", "Give advice; check again within 5 years";
        AdviceRecheckSooner = "ADVICE_RECHECK_SOONER", "Give advice; close to raised, check again sooner than 5 years";
        AdviceLow = "ADVICE_LOW", "Give advice on low blood pressure";
        OfferAbpmHbpm = "OFFER_ABPM_HBPM", "Offer 24-hour or home monitoring";
        ElseGpWithin3Weeks = "ELSE_GP_WITHIN_3_WEEKS", "If monitoring is declined or not done: GP within 3 weeks";
        GpWithin3Weeks = "GP_WITHIN_3_WEEKS", "GP within 3 weeks";
        GpWithin7Days = "GP_WITHIN_7_DAYS", "GP within 7 days";
        GpSameDay = "GP_SAME_DAY", "GP today";
        Emergency999Ae = "EMERGENCY_999_AE", "Call 999 or go to A&E now";
        NoteLowDiastolic = "NOTE_LOW_DIASTOLIC", "Tell the GP that the lower number is low";
        SymptomGpReview = "SYMPTOM_GP_REVIEW", "GP review of the symptoms";
        ManualBpIfTrained = "MANUAL_BP_IF_TRAINED", "Irregular pulse: measure by hand, if trained";
        IrregularPulseGpSameDay = "IRREGULAR_PULSE_GP_SAME_DAY", "Irregular pulse: GP today";
        RoutineAntenatal = "ROUTINE_ANTENATAL", "Routine antenatal care";
        MaternitySameDay = "MATERNITY_SAME_DAY", "Maternity unit today";
        MaternityEmergencyNow = "MATERNITY_EMERGENCY_NOW", "Maternity emergency, now";
        RecordOnly = "RECORD_ONLY", "Record only";
        LocalPaediatricAdvice = "LOCAL_PAEDIATRIC_ADVICE", "Follow local advice for children";
        ConfirmEntry = "CONFIRM_ENTRY", "Unusual value: measure again or confirm";
        ReEnter = "RE_ENTER", "Enter the reading again";
    }
}

impl Action {
    /// How soon this must happen. `SYMPTOM_GP_REVIEW` has no time in any source: 3 weeks is D, as for
    /// dizziness with a low reading (HCF).
    pub const fn urgency(self) -> Urgency {
        match self {
            Action::Emergency999Ae | Action::MaternityEmergencyNow => Urgency::Emergency,
            Action::GpSameDay | Action::IrregularPulseGpSameDay | Action::MaternitySameDay => {
                Urgency::SameDay
            }
            Action::GpWithin7Days => Urgency::Within7Days,
            Action::GpWithin3Weeks | Action::ElseGpWithin3Weeks | Action::SymptomGpReview => {
                Urgency::Within3Weeks
            }
            _ => Urgency::Routine,
        }
    }
}

/// The most urgent of some actions.
pub fn urgency(actions: &[Action]) -> Urgency {
    actions.iter().map(|action| action.urgency()).max().unwrap_or(Urgency::Routine)
}

/// What the pair is: one of the clinic readings, or the mean of a day's (ABPM) or a week's (HBPM).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Setting {
    #[default]
    Clinic,
    Abpm,
    Hbpm,
}

/// What was asked and seen beside the two numbers. The default is a clinic reading and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circumstances {
    pub setting: Setting,
    /// Any of the red flags that staff ask for ([`super::codes::RED_FLAGS`]).
    pub red_flag: bool,
    /// Regular fainting, falls, or near-daily near-fainting.
    pub fainting: bool,
    /// Dizzy, nausea, tired.
    pub dizzy: bool,
    /// Still irregular after five minutes.
    pub irregular_pulse: bool,
    pub pregnant: bool,
    pub under_18: bool,
}

/// The outcome for one pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Classification {
    pub category: Category,
    /// In the order in which staff see them.
    pub actions: Vec<Action>,
    pub urgency: Urgency,
}

/// From which values on (mmHg) a pair is in a category, either alone being enough: the lines that charts draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    pub category: Category,
    pub systolic: i64,
    pub diastolic: i64,
}

const fn threshold(category: Category, systolic: i64, diastolic: i64) -> Threshold {
    Threshold { category, systolic, diastolic }
}

const OF_CLINIC: &[Threshold] =
    &[threshold(Category::VeryHigh, 180, 120), threshold(Category::High, 140, 90)];
const OF_MEANS: &[Threshold] = &[
    threshold(Category::VeryHigh, 170, 115),
    threshold(Category::HighStage2, 150, 95),
    threshold(Category::HighStage1, 135, 85),
];
const OF_PREGNANCY: &[Threshold] =
    &[threshold(Category::PregSevere, 160, 110), threshold(Category::PregHigh, 140, 90)];

/// The thresholds that [`classify`] goes by, the highest first; none under 18.
pub const fn thresholds(circumstances: &Circumstances) -> &'static [Threshold] {
    match (circumstances.pregnant, circumstances.under_18, circumstances.setting) {
        (true, ..) => OF_PREGNANCY,
        (_, true, _) => &[],
        (_, _, Setting::Clinic) => OF_CLINIC,
        (_, _, Setting::Abpm | Setting::Hbpm) => OF_MEANS,
    }
}

/// At or above 140/90, either value: a raised clinic reading (NG136 1.2.1-1.2.2).
pub fn is_raised(systolic: i64, diastolic: i64) -> bool {
    at_least(systolic, diastolic, 140, 90)
}

fn at_least(systolic: i64, diastolic: i64, systolic_cut: i64, diastolic_cut: i64) -> bool {
    systolic >= systolic_cut || diastolic >= diastolic_cut
}

/// Classifies the recorded pair (mmHg), whatever the values. High beats low (D).
///
/// Several circumstances at once are D, each time the safer reading:
/// - a red flag is 999 whatever else is true, and nothing beside it distracts from that (NG136 1.5.2
///   at 180/120 and above, else D); the category stays;
/// - pregnancy comes before age: the clinic ladder is never used, and it applies under 18 too (D);
/// - pregnancy and settings other than the clinic never make a symptom or a raised mean less urgent;
/// - an irregular pulse takes away only what rests on trusting an automated reading.
pub fn classify(systolic: i64, diastolic: i64, circumstances: &Circumstances) -> Classification {
    let findings = limits::check_reading(systolic, diastolic, None);
    let (category, mut actions) = if findings.blocked() {
        (Category::Invalid, vec![Action::ReEnter])
    } else if circumstances.pregnant {
        pregnancy(systolic, diastolic, circumstances.setting)
    } else if circumstances.under_18 {
        // NG136 is for adults only; D.
        (Category::NotClassified, vec![Action::RecordOnly, Action::LocalPaediatricAdvice])
    } else if circumstances.setting == Setting::Clinic {
        clinic(systolic, diastolic)
    } else {
        mean(systolic, diastolic)
    };

    symptoms(category, systolic, diastolic, circumstances, &mut actions);
    if circumstances.irregular_pulse {
        irregular_pulse(&mut actions);
    }
    if circumstances.red_flag {
        actions.retain(|action| *action == Action::ReEnter);
        actions.push(Action::Emergency999Ae);
    }
    let unusual = findings.iter().any(|finding| finding.level == Level::Confirm);
    if unusual && !matches!(category, Category::Invalid | Category::NotClassified) {
        actions.insert(0, Action::ConfirmEntry);
    }
    Classification { category, urgency: urgency(&actions), actions }
}

/// NG136 1.2.2-1.2.4, terms, 1.5 and 1.2.10; HCF. "Close to 140/90" has no number in NICE: unsourced.
fn clinic(systolic: i64, diastolic: i64) -> (Category, Vec<Action>) {
    let close = at_least(systolic, diastolic, 135, 85);
    let low = is_low(systolic, diastolic);
    let (category, mut actions) = if at_least(systolic, diastolic, 180, 120) {
        (Category::VeryHigh, vec![Action::GpSameDay])
    } else if is_raised(systolic, diastolic) {
        (Category::High, vec![Action::OfferAbpmHbpm, Action::ElseGpWithin3Weeks])
    } else if low {
        (Category::Low, vec![Action::AdviceLow])
    } else if close {
        (Category::Normal, vec![Action::AdviceRecheckSooner])
    } else {
        (Category::Normal, vec![Action::AdviceRecheck5y])
    };
    match category {
        Category::Low if close => actions.push(Action::AdviceRecheckSooner),
        Category::High | Category::VeryHigh if low => actions.push(Action::NoteLowDiastolic),
        _ => {}
    }
    (category, actions)
}

/// Means of ABPM or HBPM: NG136 1.2.8 and terms; HCF for ABPM actions, HBPM by analogy (D); the very
/// high cut for HBPM is unsourced. There is no low category for a mean.
fn mean(systolic: i64, diastolic: i64) -> (Category, Vec<Action>) {
    if at_least(systolic, diastolic, 170, 115) {
        (Category::VeryHigh, vec![Action::GpSameDay])
    } else if at_least(systolic, diastolic, 150, 95) {
        (Category::HighStage2, vec![Action::GpWithin7Days])
    } else if at_least(systolic, diastolic, 135, 85) {
        (Category::HighStage1, vec![Action::GpWithin3Weeks])
    } else {
        (Category::Normal, vec![Action::AdviceRecheck5y])
    }
}

/// NG133 table 2; same-day timing for 140-159 or 90-109 is unsourced. A mean between 135/85 and 140/90
/// keeps the GP review that it would have without the pregnancy (D).
fn pregnancy(systolic: i64, diastolic: i64, setting: Setting) -> (Category, Vec<Action>) {
    if at_least(systolic, diastolic, 160, 110) {
        return (Category::PregSevere, vec![Action::MaternityEmergencyNow]);
    }
    if is_raised(systolic, diastolic) {
        return (Category::PregHigh, vec![Action::MaternitySameDay]);
    }
    let mut actions = vec![Action::RoutineAntenatal];
    if setting != Setting::Clinic && at_least(systolic, diastolic, 135, 85) {
        actions.push(Action::GpWithin3Weeks);
    }
    (Category::PregNotHigh, actions)
}

/// HCF: <90/60; that either value is enough is D.
fn is_low(systolic: i64, diastolic: i64) -> bool {
    systolic < 90 || diastolic < 60
}

/// HCF for a low reading with symptoms; a GP review of symptoms with any other reading is D. For a child
/// the adult's low cut-off is not used; for an impossible reading neither.
fn symptoms(
    category: Category,
    systolic: i64,
    diastolic: i64,
    circumstances: &Circumstances,
    actions: &mut Vec<Action>,
) {
    if !(circumstances.fainting || circumstances.dizzy) {
        return;
    }
    let low = match category {
        Category::Low => true,
        Category::Normal | Category::PregNotHigh => is_low(systolic, diastolic),
        _ => false,
    };
    let action = match (low, circumstances.fainting) {
        (true, true) => Action::GpSameDay,
        (true, false) => Action::GpWithin3Weeks,
        (false, _) => Action::SymptomGpReview,
    };
    if let Some(advice) = actions.iter_mut().find(|kept| **kept == Action::AdviceLow) {
        *advice = action;
    } else if !actions.contains(&action) {
        actions.push(action);
    }
}

/// NG136 1.1.2 (automated monitors are unreliable); HCF (same-day GP); that no ABPM is offered, nor
/// advice given, on an automated reading is D. Appointments that the reading or the symptoms call for
/// stay, except the one in place of ABPM, which the same-day one replaces.
fn irregular_pulse(actions: &mut Vec<Action>) {
    actions.retain(|action| {
        !matches!(
            action,
            Action::AdviceRecheck5y
                | Action::AdviceRecheckSooner
                | Action::AdviceLow
                | Action::OfferAbpmHbpm
                | Action::ElseGpWithin3Weeks
                | Action::NoteLowDiastolic
        )
    });
    let impossible = actions.contains(&Action::ReEnter);
    actions.insert(usize::from(impossible), Action::ManualBpIfTrained);
    actions.push(Action::IrregularPulseGpSameDay);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_chart_are_where_the_category_changes() {
        let plain = Circumstances::default();
        for circumstances in [
            plain,
            Circumstances { setting: Setting::Hbpm, ..plain },
            Circumstances { setting: Setting::Abpm, ..plain },
            Circumstances { pregnant: true, ..plain },
            Circumstances { pregnant: true, under_18: true, ..plain },
        ] {
            let lines = thresholds(&circumstances);
            assert!(lines.len() >= 2);
            for (n, line) in lines.iter().enumerate() {
                let at = |systolic, diastolic| classify(systolic, diastolic, &circumstances).category;
                assert_eq!(at(line.systolic, 70), line.category);
                assert_eq!(at(125, line.diastolic), line.category);
                let below = at(line.systolic - 1, line.diastolic - 1);
                assert_ne!(below, line.category);
                // And nothing lies between two lines.
                let next = lines.get(n + 1).map_or(at(120, 75), |next| next.category);
                assert_eq!(below, next);
            }
        }
        assert!(thresholds(&Circumstances { under_18: true, ..plain }).is_empty());
    }
}
