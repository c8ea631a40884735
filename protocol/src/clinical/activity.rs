//! GPPAQ: how active somebody of 16 to 74 is, in four levels, from work, exercise and cycling.
//!
//! Levels: the GP-PAQ sheet. That nobody's job counts as sedentary is unsourced; that of exercise and
//! cycling the longer counts, not the two together, is D: it never makes anybody out more active than
//! they said. Walking, housework and gardening are not scored. SNOMED: DHC.

use serde_json::Value;

spelt! {
    /// The work that somebody does. The keys of the answers are D.
    Work {
        None = "none", "Not in work";
        Sedentary = "sedentary", "Mostly sitting";
        Standing = "standing", "Mostly standing or walking";
        Physical = "physical", "Definite physical effort";
        HeavyManual = "heavy_manual", "Heavy manual work";
    }
}

spelt! {
    /// Hours in the last week, of exercise or of cycling.
    Hours {
        None = "none", "None";
        Under1 = "under_1h", "Some, but less than 1 hour";
        From1To3 = "1_to_3h", "1 hour, but less than 3";
        Over3 = "3h_or_more", "3 hours or more";
    }
}

spelt! {
    Activity {
        Inactive = "inactive", "Inactive";
        ModeratelyInactive = "moderately_inactive", "Moderately inactive";
        ModeratelyActive = "moderately_active", "Moderately active";
        Active = "active", "Active";
    }
}

/// SNOMED CT of the questionnaire itself.
pub const GPPAQ_SNOMED: &str = "1086511000000107";

impl Activity {
    pub const fn snomed(self) -> &'static str {
        match self {
            Activity::Inactive => "366121000000108",
            Activity::ModeratelyInactive => "366171000000107",
            Activity::ModeratelyActive => "366211000000105",
            Activity::Active => "366241000000106",
        }
    }
}

/// The level of three answers.
pub fn gppaq(work: Work, exercise: Hours, cycling: Hours) -> Activity {
    // The sheet is a diagonal: each kind of work that is harder stands for one step more of exercise.
    let work = match work {
        Work::None | Work::Sedentary => 0,
        Work::Standing => 1,
        Work::Physical => 2,
        Work::HeavyManual => 3,
    };
    let hours = match exercise.max(cycling) {
        Hours::None => 0,
        Hours::Under1 => 1,
        Hours::From1To3 => 2,
        Hours::Over3 => 3,
    };
    match work + hours {
        0 => Activity::Inactive,
        1 => Activity::ModeratelyInactive,
        2 => Activity::ModeratelyActive,
        _ => Activity::Active,
    }
}

/// The level of `lifestyle/gppaq` as `{work, exercise, cycling}`; `None` while an answer is missing or
/// unknown. Heavy manual work needs no other answer.
pub fn gppaq_of(answers: &Value) -> Option<Activity> {
    let answer = |key: &str| answers.get(key).and_then(Value::as_str);
    let work = Work::parse(answer("work")?)?;
    if work == Work::HeavyManual {
        return Some(Activity::Active);
    }
    Some(gppaq(work, Hours::parse(answer("exercise")?)?, Hours::parse(answer("cycling")?)?))
}

/// Whether the questionnaire is made for this age.
pub fn gppaq_applies(age: i64) -> bool {
    (16..=74).contains(&age)
}
