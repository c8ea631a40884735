//! Who was seen.

use serde::{Deserialize, Serialize};

use crate::json;

/// Somebody who was seen. Nothing is required: people may say as little as they like.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Person {
    /// As they give it.
    #[serde(deserialize_with = "json::group")]
    #[uniffi(default)]
    pub name: Name,
    /// Or an age below.
    #[uniffi(default)]
    pub date_of_birth: Option<String>,
    /// Whole years on `age_as_of`, where no date of birth is known.
    #[uniffi(default)]
    pub age_years: Option<i32>,
    /// A date.
    #[uniffi(default)]
    pub age_as_of: Option<String>,
    /// Whether somebody guessed it.
    #[uniffi(default)]
    pub age_is_estimate: Option<bool>,
    /// `female`, `male`, ...
    #[uniffi(default)]
    pub sex: Option<String>,
    /// As they say it.
    #[uniffi(default)]
    pub gender: Option<String>,
    /// Ten digits with a check digit.
    #[uniffi(default)]
    pub nhs_number: Option<NhsNumber>,
    /// `nhs-number-not-known`, `overseas-patient`, `devolved-nation`.
    #[uniffi(default)]
    pub nhs_number_absent_reason: Option<String>,
    /// Where they live.
    #[uniffi(default)]
    pub address: Option<Address>,
    /// A code, where there is no postcode.
    #[uniffi(default)]
    pub postcode_status: Option<String>,
    /// As typed; `check_person` says how it is stored.
    #[uniffi(default)]
    pub phone: Option<String>,
    /// As typed.
    #[uniffi(default)]
    pub email: Option<String>,
    /// How they want to be reached.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub contact_preference: Option<String>,
    /// BCP-47, as in `ur`.
    #[uniffi(default)]
    pub language: Option<String>,
    /// Whether somebody must interpret.
    #[uniffi(default)]
    pub interpreter_needed: Option<bool>,
    /// A set, as in `large_print`.
    #[uniffi(default)]
    pub communication_needs: Vec<String>,
    /// A national code, A to S, Z or 99, perhaps with a local second character.
    #[uniffi(default)]
    pub ethnic_category: Option<String>,
    /// A set of the team's plus groups.
    #[uniffi(default)]
    pub plus_groups: Vec<String>,
    /// Their general practice.
    #[serde(deserialize_with = "json::group")]
    #[uniffi(default)]
    pub gp: Gp,
    /// What they agreed to.
    #[serde(deserialize_with = "json::entries")]
    #[uniffi(default)]
    pub consents: Vec<Consent>,
    /// The id of the person whom this one turned out to be.
    #[uniffi(default)]
    pub merged_into: Option<String>,
    /// Only where the team's settings ask for it.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub religion: Option<String>,
    /// Only where the team's settings ask for it.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub disability: Option<String>,
    /// Only where the team's settings ask for it.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub sexual_orientation: Option<String>,
    /// Only where the team's settings ask for it.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub gender_identity: Option<String>,
    /// Names of fields that they were asked for and declined.
    #[uniffi(default)]
    pub declined: Vec<String>,
    /// What your app adds: the JSON text of an object, whose members are kept as they are.
    #[serde(with = "json::raw")]
    #[uniffi(default)]
    pub ext: Option<String>,
}

/// A person's name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Name {
    /// First and further names.
    #[uniffi(default)]
    pub given: Option<String>,
    /// Family name.
    #[uniffi(default)]
    pub family: Option<String>,
}

/// A number of the National Health Service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct NhsNumber {
    /// Ten digits; spaces do not matter.
    pub value: String,
    /// `01` to `08`; left out, it is `02`, present and not traced.
    #[uniffi(default)]
    pub status: Option<String>,
}

/// An address.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Address {
    /// As on an envelope.
    #[serde(deserialize_with = "json::lines")]
    #[uniffi(default)]
    pub lines: Vec<String>,
    /// As in `LS1 4AB`.
    #[uniffi(default)]
    pub postcode: Option<String>,
}

/// A person's general practice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Gp {
    /// `yes`, `no`, `refused`, `unknown`.
    #[uniffi(default)]
    pub registered: Option<String>,
    /// The practice's code.
    #[uniffi(default)]
    pub ods_code: Option<String>,
    /// The practice's name.
    #[uniffi(default)]
    pub practice_name: Option<String>,
    /// Whether they want help to register.
    #[uniffi(default)]
    pub wants_help_to_register: Option<bool>,
}

/// What a person agreed to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Consent {
    /// Of the entry; `None` for a new one.
    #[uniffi(default)]
    pub id: Option<String>,
    /// `share_with_gp`, `contact_me`, ...
    pub purpose: String,
    /// False for one that was refused.
    #[uniffi(default)]
    pub given: Option<bool>,
    /// When; filled in by `add_consent`.
    #[uniffi(default)]
    pub at: Option<String>,
    /// Staff id; filled in by `add_consent`.
    #[uniffi(default)]
    pub by: Option<String>,
    /// Only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub withdrawn_at: Option<String>,
}
