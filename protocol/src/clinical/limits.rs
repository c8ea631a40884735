//! Entry limits: what cannot be saved, and what must be measured again or confirmed.
//!
//! All D (section 5 of the clinical pack): wider than the systems it was compared with, so that a real
//! extreme can always be recorded. Height and waist are those of Health Check Online.

use super::text::Text;
use crate::error::{Code, Invalid};

/// Whether a value can be saved once confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Cannot be saved.
    Block,
    /// Saved only with `confirmed_unusual`.
    Confirm,
}

/// One limit that a value breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub level: Level,
    /// The field inside the entry: `systolic`, `diastolic`, `pulse` or `value`.
    pub path: &'static str,
    pub message: String,
    /// The same, for other languages.
    pub text: Text,
}

impl Finding {
    pub const fn code(&self) -> Code {
        match self.level {
            Level::Block => Code::OutOfRange,
            Level::Confirm => Code::ConfirmUnusual,
        }
    }

    /// The finding as an error of the entry at `entry`, a path such as `bp/readings/<id>`.
    pub fn invalid(&self, entry: &str) -> Invalid {
        let path = if entry.is_empty() { self.path.to_owned() } else { format!("{entry}/{}", self.path) };
        Invalid::new(self.code(), path, self.message.clone())
    }
}

/// Every limit that an entry breaks; empty when it can simply be saved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the entry cannot be saved, confirmed or not.
    pub fn blocked(&self) -> bool {
        self.0.iter().any(|finding| finding.level == Level::Block)
    }

    /// The finding to refuse the entry with: the first block, else, unless confirmed, the first confirm.
    pub fn refusal(&self, confirmed: bool) -> Option<&Finding> {
        let block = self.0.iter().find(|finding| finding.level == Level::Block);
        block.or_else(|| self.0.first().filter(|_| !confirmed))
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The limits of one value: saved within `block`, saved without a question within `usual`, both inclusive.
struct Limits {
    name: &'static str,
    /// Of its text.
    id: &'static str,
    unit: &'static str,
    block: (i32, i32),
    usual: (i32, i32),
}

const SYSTOLIC: Limits =
    Limits { name: "Systolic", id: "limit-name-systolic", unit: "", block: (50, 300), usual: (70, 300) };
const DIASTOLIC: Limits =
    Limits { name: "Diastolic", id: "limit-name-diastolic", unit: "", block: (20, 200), usual: (40, 180) };
const PULSE: Limits =
    Limits { name: "Pulse", id: "limit-name-pulse", unit: "", block: (20, 300), usual: (40, 150) };
const HEIGHT: Limits =
    Limits { name: "Height", id: "limit-name-height", unit: " cm", block: (50, 250), usual: (130, 210) };
const WAIST: Limits =
    Limits { name: "Waist", id: "limit-name-waist", unit: " cm", block: (50, 200), usual: (50, 200) };
const WEIGHT: Limits =
    Limits { name: "Weight", id: "limit-name-weight", unit: " kg", block: (20, 350), usual: (20, 350) };

impl Limits {
    fn check<T: PartialOrd + From<i32>>(&self, path: &'static str, value: T) -> Option<Finding> {
        let Limits { name, unit, block, usual, .. } = self;
        let (level, id, limit, message) = if value < T::from(block.0) {
            (Level::Block, "limit-less", block.0, format!("{name} cannot be less than {}{unit}.", block.0))
        } else if value > T::from(block.1) {
            (Level::Block, "limit-more", block.1, format!("{name} cannot be more than {}{unit}.", block.1))
        } else if value < T::from(usual.0) {
            let message = format!("{name} below {}{unit} is unusual: measure again, or confirm it.", usual.0);
            (Level::Confirm, "limit-below", usual.0, message)
        } else if value > T::from(usual.1) {
            let message = format!("{name} above {}{unit} is unusual: measure again, or confirm it.", usual.1);
            (Level::Confirm, "limit-above", usual.1, message)
        } else {
            return None;
        };
        let text = self.text(id).number("limit", i64::from(limit)).words("unit", *unit);
        Some(Finding { level, path, message, text })
    }

    fn text(&self, id: &str) -> Text {
        Text::new(id).texts("what", [self.id.to_owned()])
    }
}

/// Checks one reading: mmHg, and the pulse per minute. Systolic must be above diastolic, never equal.
pub fn check_reading(systolic: i64, diastolic: i64, pulse: Option<i64>) -> Findings {
    let values = [SYSTOLIC.check("systolic", systolic), DIASTOLIC.check("diastolic", diastolic)];
    let mut findings: Vec<Finding> = values.into_iter().flatten().collect();
    // A value that is impossible by itself says nothing about the other one.
    let each_possible = findings.iter().all(|finding| finding.level == Level::Confirm);
    if each_possible && systolic <= diastolic {
        let message = "Diastolic must be lower than systolic.".to_owned();
        findings.push(Finding {
            level: Level::Block,
            path: "diastolic",
            message,
            text: Text::new("limit-order"),
        });
    }
    findings.extend(pulse.and_then(|pulse| PULSE.check("pulse", pulse)));
    Findings(findings)
}

/// Checks one measurement: `height` and `waist` in cm, `weight` in kg. Anything else has no limits here.
pub fn check_measurement(what: &str, value: f64) -> Findings {
    let limits = match what {
        "height" => HEIGHT,
        "waist" => WAIST,
        "weight" => WEIGHT,
        _ => return Findings::default(),
    };
    let finding = if value.is_nan() {
        let message = format!("{} must be a number.", limits.name);
        let text = limits.text("limit-not-a-number");
        Some(Finding { level: Level::Block, path: "value", message, text })
    } else {
        limits.check("value", value)
    };
    Findings(finding.into_iter().collect())
}
