//! The table of agreement weights. All D: guesses of the right size, to be replaced by counts from real
//! pairs that coordinators have settled, and listed for the Clinical Safety Officer.
//!
//! `m`: how often a field comes out so for two records of one person; `u`: how often for two different
//! people who came to the same team. Weight = log2(m / u). Within one field the outcomes exclude each
//! other. The fields are not independent (a family shares its address and telephone), which is why some
//! disagreements keep a pair from ever being called likely.

/// One way in which a field of two records can come out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Its text is `match-<id>`.
    pub id: &'static str,
    pub m: f64,
    pub u: f64,
}

impl Outcome {
    /// In bits; for it when positive, against it when negative.
    pub fn weight(&self) -> f64 {
        (self.m / self.u).log2()
    }
}

const fn outcome(id: &'static str, m: f64, u: f64) -> Outcome {
    Outcome { id, m, u }
}

/// Weight from which a pair is worth a look, and from which it is shown before saving.
pub const POSSIBLE: f64 = 8.0;
pub const LIKELY: f64 = 15.0;

/// A digit slips in one of twenty numbers; numbers are the person's own, so nearly never shared by two.
pub const NHS_NUMBER_SAME: Outcome = outcome("nhs-number-same", 0.95, 0.000_001);
pub const NHS_NUMBER_DIFFERS: Outcome = outcome("nhs-number-differs", 0.05, 0.999_999);

/// Whole names: in one community a few names are very common, so 1 pair in 500 agrees by chance.
pub const NAME_SAME: Outcome = outcome("name-same", 0.70, 0.002);
/// The same parts, given and family name the other way round.
pub const NAME_SWAPPED: Outcome = outcome("name-swapped", 0.06, 0.000_3);
/// Each part is the same or nearly so: heard, and spelt differently.
pub const NAME_CLOSE: Outcome = outcome("name-close", 0.16, 0.004);
/// One part is the same or nearly so, the other missing or added (a middle name, a name in short).
pub const NAME_PARTLY: Outcome = outcome("name-partly", 0.05, 0.02);
/// One part agrees, another one clearly does not: mostly families.
pub const NAME_FAMILY: Outcome = outcome("name-one-part", 0.02, 0.05);
pub const NAME_DIFFERS: Outcome = outcome("name-differs", 0.01, 0.92);

/// Some 20,000 days of birth among adults, and more on the first of January.
pub const BIRTH_SAME: Outcome = outcome("birth-same", 0.88, 0.000_1);
pub const BIRTH_SWAPPED: Outcome = outcome("birth-day-and-month-swapped", 0.02, 0.000_1);
pub const BIRTH_ONE_DIGIT: Outcome = outcome("birth-one-digit", 0.05, 0.001);
pub const BIRTH_DIFFERS: Outcome = outcome("birth-differs", 0.05, 0.998);

/// A date against an estimated age, or two ages: a window of some ten years out of sixty.
pub const AGE_FITS: Outcome = outcome("age-fits", 0.95, 0.20);
pub const AGE_DIFFERS: Outcome = outcome("age-differs", 0.05, 0.80);

/// Outreach stays in one place: neighbours come together, and families live together.
pub const POSTCODE_SAME: Outcome = outcome("postcode-same", 0.75, 0.005);
pub const POSTCODE_NEAR: Outcome = outcome("postcode-near", 0.12, 0.20);
pub const POSTCODE_DIFFERS: Outcome = outcome("postcode-differs", 0.13, 0.795);

/// One telephone often serves a family, and people change numbers.
pub const PHONE_SAME: Outcome = outcome("phone-same", 0.70, 0.003);
pub const PHONE_DIFFERS: Outcome = outcome("phone-differs", 0.30, 0.997);

pub const SEX_SAME: Outcome = outcome("sex-same", 0.98, 0.5);
pub const SEX_DIFFERS: Outcome = outcome("sex-differs", 0.02, 0.5);

/// With one of these a pair is never called likely, whatever the weight: twins share everything but a
/// given name, and two valid NHS numbers are two people until somebody has found out which is wrong.
pub const NEVER_LIKELY_WITH: &[Outcome] = &[NHS_NUMBER_DIFFERS, NAME_FAMILY, NAME_DIFFERS, SEX_DIFFERS];

/// All outcomes, for texts and tests.
pub const ALL: &[Outcome] = &[
    NHS_NUMBER_SAME,
    NHS_NUMBER_DIFFERS,
    NAME_SAME,
    NAME_SWAPPED,
    NAME_CLOSE,
    NAME_PARTLY,
    NAME_FAMILY,
    NAME_DIFFERS,
    BIRTH_SAME,
    BIRTH_SWAPPED,
    BIRTH_ONE_DIGIT,
    BIRTH_DIFFERS,
    AGE_FITS,
    AGE_DIFFERS,
    POSTCODE_SAME,
    POSTCODE_NEAR,
    POSTCODE_DIFFERS,
    PHONE_SAME,
    PHONE_DIFFERS,
    SEX_SAME,
    SEX_DIFFERS,
];

/// From this Jaro-Winkler similarity two parts of a name count as nearly the same.
pub const NEARLY: f64 = 0.90;

/// Years by which an age may be off: one that was guessed, one that was said.
pub const GUESSED_WITHIN: i64 = 7;
pub const SAID_WITHIN: i64 = 1;
