//! Clinical rules and code lists: pure functions from what was recorded to what it means.
//!
//! One file for each family of rules. Nothing here is stored as truth: records keep what was measured,
//! and every category and action can be computed again from it by [`derive()`]. The app never diagnoses
//! (NG136 1.2.8): it says "raised reading", and who should look at it how soon.
//!
//! Every rule names its source: a recommendation of NICE (`NG136`, `NG133`, `NG246`), the NHS England
//! pharmacy case-finding specification of 2023 (`HCF`), the NHS Data Dictionary (`DD`), or **D** for our
//! own choice. "Unsourced" marks a number for which no source was at hand. The Clinical Safety Officer
//! must sign off every D and every unsourced number before a release.

/// An enum of coded values with their stable spelling and a label for people.
macro_rules! spelt {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal, $label:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $(#[doc = $label] $variant,)* }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The stable spelling, as printed, stored and sent.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $code,)* }
            }

            /// The words for staff.
            pub const fn label(self) -> &'static str {
                match self { $($name::$variant => $label,)* }
            }

            /// The value of this spelling; `None` for one that a newer version knows.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

pub mod activity;
pub mod alcohol;
mod bmi;
mod bp;
pub mod card;
mod choose;
pub mod codes;
mod derive;
pub mod diabetes;
mod disputed;
mod entries;
pub mod follow_up;
pub mod gp_message;
pub mod guide;
pub mod health_check;
pub mod health_summary;
pub mod hindsight;
pub mod identity;
mod limits;
mod nhs_number;
mod readings;
pub mod retention;
pub mod smoking;
pub mod text;

pub use bmi::{
    BmiCategory, BmiResult, BmiThresholds, WaistBand, bmi, bmi_result, bmi_thresholds, waist_to_height,
};
pub use bp::{
    Action, Category, Circumstances, Classification, Setting, Threshold, classify, is_raised, thresholds,
    urgency,
};
pub use choose::{
    Choice, ChoiceSettings, Mean, Pair, choose, choose_with, home_mean, red_flag_questions_due, waking_mean,
};
pub use codes::{EthnicCategory, check_code, ethnic_category};
pub use derive::{Derived, PULSE_AGAIN, derive, needs_attention};
pub use disputed::{Disputed, Otherwise};
pub use limits::{Finding, Findings, Level, check_measurement, check_reading};
pub use nhs_number::{NhsNumber, NhsNumberProblem, NhsNumberRange};
pub use readings::{Arm, Arms, arms, is_postural_drop};

/// The version of this set of rules. Stored beside what was advised, so that a later reader knows by
/// which rules; it changes with every change that can alter a category, an action or a limit.
pub const RULES_VERSION: &str = "2026.3";

spelt! {
    /// How soon somebody must act. Ordered: later variants are more urgent.
    Urgency {
        Routine = "routine", "Routine";
        Within3Weeks = "within_3_weeks", "Within 3 weeks";
        Within7Days = "within_7_days", "Within 7 days";
        SameDay = "same_day", "Today";
        Emergency = "emergency", "Emergency, now";
    }
}
