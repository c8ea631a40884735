//! One health-check contact.

use serde::{Deserialize, Serialize};

use crate::{Note, StruckOut, json};

/// One health-check contact with one person, or with somebody who gave no details.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Contact {
    /// The session's id. In what is recorded it stands beside the contact.
    #[uniffi(default)]
    pub session: Option<String>,
    /// The person's id. In what is recorded it stands beside the contact.
    #[uniffi(default)]
    pub person: Option<String>,
    /// Of somebody who gave no details: a code of the guide's choices.
    #[uniffi(default)]
    pub age_band: Option<String>,
    /// Of somebody who gave no details.
    #[uniffi(default)]
    pub sex: Option<String>,
    /// Of somebody who gave no details: a national code.
    #[uniffi(default)]
    pub ethnic_category: Option<String>,
    /// A time. Required in a new one.
    #[uniffi(default)]
    pub started_at: Option<String>,
    /// How it ended, or that it was parked.
    #[uniffi(default)]
    pub ended: Option<Ended>,
    /// `bp_only`, `nhs_health_check`, `smi_physical`, `learning_disability`.
    #[uniffi(default)]
    pub check_type: Option<String>,
    /// `walk_up`, `invited`, `follow_up`, `referred`.
    #[uniffi(default)]
    pub reason: Option<String>,
    /// A set: `hypertension`, `af`, `diabetes`, `smi`, `learning_disability`, ...
    #[uniffi(default)]
    pub prior_diagnosis: Vec<String>,
    /// Whether they take medicine for blood pressure, as the app asks it.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub on_treatment: Option<String>,
    /// Whether they are pregnant.
    #[uniffi(default)]
    pub pregnant: Option<bool>,
    /// Blood pressure.
    #[serde(deserialize_with = "json::group")]
    #[uniffi(default)]
    pub bp: BloodPressure,
    /// Height, weight, cholesterol, ...
    #[serde(deserialize_with = "json::entries")]
    #[uniffi(default)]
    pub measurements: Vec<Measurement>,
    /// What was asked about how they live.
    #[serde(deserialize_with = "json::group")]
    #[uniffi(default)]
    pub lifestyle: Lifestyle,
    /// What they were told.
    #[serde(deserialize_with = "json::entries")]
    #[uniffi(default)]
    pub advice: Vec<Advice>,
    /// Where they were sent.
    #[serde(deserialize_with = "json::entries")]
    #[uniffi(default)]
    pub referrals: Vec<Referral>,
    /// What became of referrals.
    #[serde(deserialize_with = "json::entries")]
    #[uniffi(default)]
    pub referral_events: Vec<ReferralEvent>,
    /// What is still to be done.
    #[serde(deserialize_with = "json::entries")]
    #[uniffi(default)]
    pub follow_ups: Vec<FollowUp>,
    /// What became of follow-ups.
    #[serde(deserialize_with = "json::entries")]
    #[uniffi(default)]
    pub follow_up_events: Vec<FollowUpEvent>,
    /// Telephone calls.
    #[serde(deserialize_with = "json::entries")]
    #[uniffi(default)]
    pub calls: Vec<Call>,
    /// A monitor that they took home.
    #[uniffi(default)]
    pub monitor_loan: Option<Loan>,
    /// In the order in which they were written.
    #[serde(deserialize_with = "json::entries")]
    #[uniffi(default)]
    pub notes: Vec<Note>,
    /// 1 to 5.
    #[uniffi(default)]
    pub satisfaction: Option<i32>,
    /// Words of fields or steps that they declined, as in a step's `skip`.
    #[uniffi(default)]
    pub declined: Vec<String>,
    /// What your app adds: the JSON text of an object, whose members are kept as they are.
    #[serde(with = "json::raw")]
    #[uniffi(default)]
    pub ext: Option<String>,
}

/// How a contact ended.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Ended {
    /// A time.
    #[uniffi(default)]
    pub at: Option<String>,
    /// `completed`, `left_early`, `parked`.
    #[uniffi(default)]
    pub how: Option<String>,
}

/// Blood pressure and what was asked beside it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct BloodPressure {
    /// In the order of their times.
    #[serde(deserialize_with = "json::entries")]
    #[uniffi(default)]
    pub readings: Vec<Reading>,
    /// `regular`, `irregular`, `not_checked`.
    #[uniffi(default)]
    pub pulse_rhythm: Option<String>,
    /// The same, felt again after an irregular one.
    #[uniffi(default)]
    pub pulse_rhythm_again: Option<String>,
    /// What was asked after a very high reading.
    #[serde(deserialize_with = "json::entries")]
    #[uniffi(default)]
    pub red_flags: Vec<RedFlag>,
    /// A set; `none` says that somebody was asked and has none.
    #[uniffi(default)]
    pub symptoms: Vec<String>,
}

/// One reading: mmHg and beats a minute.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Reading {
    /// Of the entry; `None` for a new one.
    #[uniffi(default)]
    pub id: Option<String>,
    /// A time.
    pub taken_at: String,
    /// mmHg; what is outside the limits is refused with its limit.
    pub systolic: i32,
    /// mmHg.
    pub diastolic: i32,
    /// Beats a minute.
    #[uniffi(default)]
    pub pulse: Option<i32>,
    /// `left`, `right`.
    #[uniffi(default)]
    pub arm: Option<String>,
    /// `sitting`, `standing`, `lying`.
    #[uniffi(default)]
    pub position: Option<String>,
    /// The cuff's size.
    #[uniffi(default)]
    pub cuff: Option<String>,
    /// How it was taken.
    #[uniffi(default)]
    pub method: Option<String>,
    /// The monitor.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub device: Option<String>,
    /// `clinic`, `hbpm` (at home), `abpm` (over 24 hours).
    #[uniffi(default)]
    pub setting: Option<String>,
    /// Staff id; filled in by `add_reading`.
    #[uniffi(default)]
    pub by: Option<String>,
    /// Staff measured again or looked again: save an unusual value.
    #[uniffi(default)]
    pub confirmed_unusual: Option<bool>,
    /// The ids of the entries that correct it; only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub corrected_by: Vec<String>,
    /// The id of the entry that it corrects; only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub corrects: Option<String>,
    /// Why it was corrected; only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub reason: Option<String>,
    /// Only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub struck_out: Option<StruckOut>,
}

/// What was wrong in a reading; what is `None` stays as it was.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct ReadingCorrection {
    /// A time.
    #[uniffi(default)]
    pub taken_at: Option<String>,
    /// mmHg.
    #[uniffi(default)]
    pub systolic: Option<i32>,
    /// mmHg.
    #[uniffi(default)]
    pub diastolic: Option<i32>,
    /// Beats a minute.
    #[uniffi(default)]
    pub pulse: Option<i32>,
    /// `left`, `right`.
    #[uniffi(default)]
    pub arm: Option<String>,
    /// `sitting`, `standing`, `lying`.
    #[uniffi(default)]
    pub position: Option<String>,
    /// The cuff's size.
    #[uniffi(default)]
    pub cuff: Option<String>,
    /// Save an unusual value.
    #[uniffi(default)]
    pub confirmed_unusual: Option<bool>,
}

/// An answer to one of the questions after a very high reading.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct RedFlag {
    /// Of the entry; `None` for a new one.
    #[uniffi(default)]
    pub id: Option<String>,
    /// As in `chest_pain`.
    pub flag: String,
    /// Whether it is there.
    pub present: bool,
    /// When; filled in when it is saved after the contact was recorded.
    #[uniffi(default)]
    pub asked_at: Option<String>,
    /// Only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub struck_out: Option<StruckOut>,
}

/// Something that was measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Measurement {
    /// Of the entry; `None` for a new one.
    #[uniffi(default)]
    pub id: Option<String>,
    /// `height`, `weight`, `waist`, `total_cholesterol`, `hdl`, `hba1c`, ...
    pub what: String,
    /// In the unit below.
    pub value: f64,
    /// `cm`, `kg`, `mmol/L`, `mmol/mol`.
    #[uniffi(default)]
    pub unit: Option<String>,
    /// A time.
    #[uniffi(default)]
    pub taken_at: Option<String>,
    /// Staff measured again or looked again: save an unusual value.
    #[uniffi(default)]
    pub confirmed_unusual: Option<bool>,
    /// The ids of the entries that correct it; only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub corrected_by: Vec<String>,
    /// The id of the entry that it corrects; only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub corrects: Option<String>,
    /// Why it was corrected; only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub reason: Option<String>,
    /// Only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub struck_out: Option<StruckOut>,
}

/// What was wrong in a measurement; what is `None` stays as it was.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct MeasurementCorrection {
    /// In the unit of what is corrected, or the one below.
    #[uniffi(default)]
    pub value: Option<f64>,
    /// `cm`, `kg`, `mmol/L`, `mmol/mol`.
    #[uniffi(default)]
    pub unit: Option<String>,
    /// A time.
    #[uniffi(default)]
    pub taken_at: Option<String>,
    /// Save an unusual value.
    #[uniffi(default)]
    pub confirmed_unusual: Option<bool>,
}

/// What was asked about how somebody lives.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Lifestyle {
    /// Smoking: a code.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub smoking: Option<String>,
    /// Alcohol.
    #[uniffi(default)]
    pub audit_c: Option<AuditC>,
    /// Activity.
    #[uniffi(default)]
    pub gppaq: Option<Gppaq>,
    /// A set, as in `chd_under_60`.
    #[uniffi(default)]
    pub family_history: Vec<String>,
    /// Typed in, never computed.
    #[uniffi(default)]
    pub risk_score: Option<RiskScore>,
}

/// Three questions about alcohol, each 0 to 4.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct AuditC {
    /// How often.
    #[uniffi(default)]
    pub q1: Option<i32>,
    /// How much.
    #[uniffi(default)]
    pub q2: Option<i32>,
    /// How often much.
    #[uniffi(default)]
    pub q3: Option<i32>,
}

/// Three questions about activity, as codes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Gppaq {
    /// At work.
    #[uniffi(default)]
    pub work: Option<String>,
    /// Exercise.
    #[uniffi(default)]
    pub exercise: Option<String>,
    /// Cycling.
    #[uniffi(default)]
    pub cycling: Option<String>,
}

/// A risk score that another program computed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct RiskScore {
    /// Which.
    pub name: String,
    /// In per cent.
    pub value: f64,
    /// Where it comes from.
    #[uniffi(default)]
    pub source: Option<String>,
}

/// Something that somebody was told.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Advice {
    /// Of the entry; `None` for a new one.
    #[uniffi(default)]
    pub id: Option<String>,
    /// An action of the rules, as in `AMBULATORY_OR_HOME_MONITORING`.
    pub code: String,
    /// The category that the screen showed.
    #[uniffi(default)]
    pub category: Option<String>,
    /// The version of the rules that the screen showed: `derived.rules`.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub rules: Option<String>,
    /// When; filled in by `add_advice`.
    #[uniffi(default)]
    pub given_at: Option<String>,
    /// Staff id; filled in by `add_advice`.
    #[uniffi(default)]
    pub by: Option<String>,
    /// BCP-47.
    #[uniffi(default)]
    pub language: Option<String>,
    /// Only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub struck_out: Option<StruckOut>,
}

/// Where somebody was sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Referral {
    /// Of the entry; `None` for a new one.
    #[uniffi(default)]
    pub id: Option<String>,
    /// To whom: a service's id, or as in `gp`.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub to: Option<String>,
    /// `emergency`, `same_day`, `within_7_days`, `within_3_weeks`, `routine`.
    #[uniffi(default)]
    pub urgency: Option<String>,
    /// Why.
    #[uniffi(default)]
    pub reason: Option<String>,
    /// When; filled in by `add_referral`.
    #[uniffi(default)]
    pub made_at: Option<String>,
    /// Staff id; filled in by `add_referral`.
    #[uniffi(default)]
    pub by: Option<String>,
    /// As in `phone`, `letter`.
    #[uniffi(default)]
    pub how: Option<String>,
    /// Only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub struck_out: Option<StruckOut>,
}

/// What became of a referral.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct ReferralEvent {
    /// Of the entry; `None` for a new one.
    #[uniffi(default)]
    pub id: Option<String>,
    /// The entry's id in `referrals`.
    pub referral: String,
    /// `sent`, `received`, `attended`, `did_not_attend`, `declined`, `closed`.
    pub status: String,
    /// What came of it.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub outcome: Option<String>,
    /// When; filled in by `add_referral_event`.
    #[uniffi(default)]
    pub at: Option<String>,
    /// Staff id; filled in by `add_referral_event`.
    #[uniffi(default)]
    pub by: Option<String>,
    /// Only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub struck_out: Option<StruckOut>,
}

/// Something still to be done.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct FollowUp {
    /// Of the entry; `None` for a new one.
    #[uniffi(default)]
    pub id: Option<String>,
    /// `repeat_bp`, `hbpm_diary`, `call`, `register_gp`, ...
    #[serde(rename = "type")]
    pub what: String,
    /// A date.
    #[uniffi(default)]
    pub due_on: Option<String>,
    /// What for.
    #[serde(rename = "for", deserialize_with = "json::text")]
    #[uniffi(default)]
    pub reason: Option<String>,
    /// Only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub struck_out: Option<StruckOut>,
}

/// What became of a follow-up.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct FollowUpEvent {
    /// Of the entry; `None` for a new one.
    #[uniffi(default)]
    pub id: Option<String>,
    /// The entry's id in `follow_ups`.
    pub follow_up: String,
    /// `done`, `rearranged` (with `due_on`), `not_reached`, `declined`.
    pub status: String,
    /// Why they were not reached.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub reason_missed: Option<String>,
    /// The new date of one that was rearranged.
    #[uniffi(default)]
    pub due_on: Option<String>,
    /// When; filled in by `add_follow_up_event`.
    #[uniffi(default)]
    pub at: Option<String>,
    /// Staff id; filled in by `add_follow_up_event`.
    #[uniffi(default)]
    pub by: Option<String>,
    /// Only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub struck_out: Option<StruckOut>,
}

/// A telephone call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Call {
    /// Of the entry; `None` for a new one.
    #[uniffi(default)]
    pub id: Option<String>,
    /// `tried`, `no_answer`, `reached`.
    pub outcome: String,
    /// When; filled in by `add_call`.
    #[uniffi(default)]
    pub at: Option<String>,
    /// Staff id; filled in by `add_call`.
    #[uniffi(default)]
    pub by: Option<String>,
    /// Who was spoken to.
    #[uniffi(default)]
    pub spoke_to: Option<String>,
    /// What it was about.
    #[uniffi(default)]
    pub about: Option<String>,
    /// Only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub struck_out: Option<StruckOut>,
}

/// A monitor that somebody took home.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Loan {
    /// Which.
    #[serde(deserialize_with = "json::text")]
    #[uniffi(default)]
    pub device: Option<String>,
    /// A time.
    #[uniffi(default)]
    pub lent_at: Option<String>,
    /// A time. Only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub returned_at: Option<String>,
}
