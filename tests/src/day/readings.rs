//! Blood pressures: what the monitor shows, in the order a careful member of staff would take them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::cases::Case;
use super::dice::Dice;
use super::people::Visitor;

/// What the staff member concluded. Enough of the ladder to advise and refer plausibly; the rules themselves
/// live in `protocol::clinical` and these days are test data for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Level {
    NotMeasured,
    NotClassified,
    Low,
    Normal,
    Close,
    High,
    VeryHigh,
    PregnantNotHigh,
    PregnantHigh,
    PregnantSevere,
}

impl Level {
    /// As the clinical pack spells it.
    pub(super) fn category(self) -> Option<&'static str> {
        match self {
            Level::NotMeasured => None,
            Level::NotClassified => Some("NOT_CLASSIFIED"),
            Level::Low => Some("LOW"),
            Level::Normal | Level::Close => Some("NORMAL"),
            Level::High => Some("HIGH"),
            Level::VeryHigh => Some("VERY_HIGH"),
            Level::PregnantNotHigh => Some("PREG_NOT_HIGH"),
            Level::PregnantHigh => Some("PREG_HIGH"),
            Level::PregnantSevere => Some("PREG_SEVERE"),
        }
    }

    fn of(pair: (i64, i64), age: i64, pregnant: bool) -> Level {
        let at_least = |systolic, diastolic| pair.0 >= systolic || pair.1 >= diastolic;
        match () {
            () if pregnant && at_least(160, 110) => Level::PregnantSevere,
            () if pregnant && at_least(140, 90) => Level::PregnantHigh,
            () if pregnant => Level::PregnantNotHigh,
            () if age < 18 => Level::NotClassified,
            () if at_least(180, 120) => Level::VeryHigh,
            () if at_least(140, 90) => Level::High,
            () if pair.0 < 90 || pair.1 < 60 => Level::Low,
            () if at_least(135, 85) => Level::Close,
            () => Level::Normal,
        }
    }
}

/// The measuring half of a contact.
pub(super) struct Measured {
    /// The `bp` member; nothing when nobody wanted a cuff on and nothing was asked.
    pub bp: Option<Value>,
    pub level: Level,
    pub red_flag: bool,
    pub irregular: bool,
    pub symptom: Option<&'static str>,
    pub done_at: Timestamp,
}

const RED_FLAGS: &[&str] = &[
    "chest_pain",
    "new_confusion",
    "breathlessness",
    "stroke_signs",
    "sudden_sight_change",
    "severe_headache",
    "fit",
    "collapse",
];
const SYMPTOMS: &[&str] = &["dizzy", "tired", "nausea", "near_faint", "falls"];

pub(super) fn measure(
    dice: &mut Dice,
    case: &Case,
    visitor: &Visitor,
    pregnant: bool,
    start: Timestamp,
) -> Measured {
    let pairs = match case.readings {
        Some(pairs) => pairs.to_vec(),
        // Some come for a talk, or have a coat that will not come off.
        None if case.is_ordinary() && dice.chance(4) => Vec::new(),
        None => ordinary_pairs(dice, visitor.age),
    };
    let mut at = start + SignedDuration::from_secs(dice.between(120, 300));
    let mut measured = Measured {
        bp: None,
        level: chosen(&pairs).map_or(Level::NotMeasured, |pair| Level::of(pair, visitor.age, pregnant)),
        red_flag: case.red_flag.is_some(),
        irregular: case.irregular,
        symptom: case.symptom,
        done_at: at,
    };
    if pairs.is_empty() {
        return measured;
    }
    let ordinary = case.is_ordinary();
    let rhythm = match dice.below(100) {
        _ if case.irregular => "irregular",
        0..4 if ordinary => "irregular",
        4..12 => "not_checked",
        _ => "regular",
    };
    measured.irregular = rhythm == "irregular";
    if ordinary && dice.chance(5) {
        measured.symptom = Some(dice.pick(SYMPTOMS));
    }

    let arm = dice.weighted(&[("left", 3), ("right", 2)]);
    let cuff = dice.weighted(&[("medium", 12), ("large", 5), ("small", 2), ("extra_large", 1)]);
    // An automated monitor is no judge of an irregular pulse.
    let method = if measured.irregular && dice.chance(50) { "auscultation" } else { "oscillometric" };
    let position = dice.weighted(&[("sitting", 30), ("lying", 1)]);
    let device = format!("monitor-{}", dice.between(1, 3));
    let beats = dice.bell(74, 10);
    let mut readings = Vec::new();
    for (systolic, diastolic) in &pairs {
        let mut reading = json!({
            "taken_at": at.to_string(), "systolic": systolic, "diastolic": diastolic,
            "arm": arm, "position": position, "cuff": cuff, "method": method, "device": device, "setting": "clinic",
        });
        if !dice.chance(5) {
            reading["pulse"] = json!((beats + dice.between(-4, 4)).clamp(42, 140));
        }
        if case.confirmed_unusual {
            reading["confirmed_unusual"] = json!(true);
        }
        readings.push(reading);
        at += SignedDuration::from_secs(dice.between(61, 140));
    }
    measured.done_at = at;

    let mut bp = Map::new();
    bp.insert("readings".into(), Value::Array(readings));
    bp.insert("pulse_rhythm".into(), json!(rhythm));
    let very_high = pairs.iter().any(|pair| pair.0 >= 180 || pair.1 >= 120);
    if very_high || case.red_flag.is_some() {
        // Asked at once, before any repeat (clinical pack, 1.7).
        let flags: Vec<Value> = RED_FLAGS
            .iter()
            .map(|flag| json!({"flag": flag, "present": case.red_flag == Some(*flag), "asked_at": at.to_string()}))
            .collect();
        bp.insert("red_flags".into(), Value::Array(flags));
    }
    if let Some(symptom) = measured.symptom {
        bp.insert("symptoms".into(), json!([symptom]));
    }
    measured.bp = Some(Value::Object(bp));
    measured
}

/// Pressures rise with age and fall as people sit; a raised first one is taken again, and a very different
/// second one a third time.
fn ordinary_pairs(dice: &mut Dice, age: i64) -> Vec<(i64, i64)> {
    let systolic = dice.bell(111 + age * 2 / 5, 15);
    let diastolic = dice.bell(if age < 60 { 71 + age / 6 } else { 88 - age / 9 }, 9);
    let rounder = dice.chance(10);
    let mut throw = |settled: i64| {
        let (mut high, mut low) = (dice.bell(systolic - settled, 4), dice.bell(diastolic - settled / 2, 3));
        if rounder {
            (high, low) = (high / 10 * 10, low / 10 * 10);
        }
        let high = high.clamp(84, 228);
        (high, low.clamp(46, 132).min(high - 16))
    };
    let first = throw(0);
    if first.0 < 140 && first.1 < 90 {
        return vec![first];
    }
    let second = throw(5);
    if (first.0 - second.0).abs() < 10 && (first.1 - second.1).abs() < 5 {
        return vec![first, second];
    }
    vec![first, second, throw(7)]
}

/// The lower of the last two, one real pair (clinical pack, 1.5 and 1.6).
fn chosen(pairs: &[(i64, i64)]) -> Option<(i64, i64)> {
    pairs[pairs.len().saturating_sub(2)..].iter().min().copied()
}
