//! AUDIT-C and AUDIT: how much somebody drinks, as scores.
//!
//! Questions, scores and the cut of 5: the Alcohol Learning Centre's copy (some countries use 4 and 3;
//! the United Kingdom uses 5). The bands of AUDIT-C come from a public specification only, and the names
//! of the full AUDIT's bands are taken over from there: both for the Clinical Safety Officer.

spelt! {
    /// Where a score stands.
    AlcoholBand {
        Lower = "lower", "Lower risk";
        Increasing = "increasing", "Increasing risk";
        Higher = "higher", "Higher risk";
        PossibleDependence = "possible_dependence", "Possible dependence";
    }
}

spelt! {
    /// What to do next.
    AlcoholAction {
        None = "none", "Nothing further";
        FullAudit = "complete remaining 7 AUDIT questions and give brief advice", "Ask the other 7 questions, give brief advice";
        Reject = "reject", "An answer is not possible: enter it again";
        AskAgain = "ask again; do not score", "An answer is missing: ask again, there is no score yet";
    }
}

/// What three answers come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum AuditC {
    /// An answer outside 0 to 4.
    Invalid,
    Incomplete,
    Scored {
        score: i64,
        /// 5 or more.
        positive: bool,
        band: AlcoholBand,
        /// "Never" drinks, and yet drank: kept as scored, with a warning.
        inconsistent: bool,
    },
}

impl AuditC {
    pub const fn action(self) -> AlcoholAction {
        match self {
            AuditC::Invalid => AlcoholAction::Reject,
            AuditC::Incomplete => AlcoholAction::AskAgain,
            AuditC::Scored { positive: true, .. } => AlcoholAction::FullAudit,
            AuditC::Scored { .. } => AlcoholAction::None,
        }
    }
}

/// Scores the answers to the three questions, 0 to 4 each. Who never drinks is not asked the other two:
/// these then count nothing, whether they were stored as 0 or not at all.
pub fn audit_c(frequency: Option<i64>, units: Option<i64>, binge: Option<i64>) -> AuditC {
    if [frequency, units, binge].into_iter().flatten().any(|answer| !(0..=4).contains(&answer)) {
        return AuditC::Invalid;
    }
    let (frequency, units, binge) = match (frequency, units, binge) {
        (Some(0), units, binge) => (0, units.unwrap_or(0), binge.unwrap_or(0)),
        (Some(frequency), Some(units), Some(binge)) => (frequency, units, binge),
        _ => return AuditC::Incomplete,
    };
    let score = frequency + units + binge;
    let band = match score {
        ..5 => AlcoholBand::Lower,
        5..8 => AlcoholBand::Increasing,
        8..11 => AlcoholBand::Higher,
        _ => AlcoholBand::PossibleDependence,
    };
    AuditC::Scored { score, positive: score >= 5, band, inconsistent: frequency == 0 && score > 0 }
}

/// The band of a full AUDIT, ten questions: 0-7, 8-15, 16-19, 20 and over. `None` beyond what ten
/// questions of 0 to 4 can give.
pub const fn audit_band(score: i64) -> Option<AlcoholBand> {
    match score {
        0..=7 => Some(AlcoholBand::Lower),
        8..=15 => Some(AlcoholBand::Increasing),
        16..=19 => Some(AlcoholBand::Higher),
        20..=40 => Some(AlcoholBand::PossibleDependence),
        _ => None,
    }
}

/// The text of the third question: 6 or more units for women, 8 or more for men. Without a known sex the
/// question names both.
pub fn binge_question(sex: Option<&str>) -> &'static str {
    match sex {
        Some("female") => "audit-q3-female",
        Some("male") => "audit-q3-male",
        _ => "audit-q3-both",
    }
}
