//! A guided measurement: what to do next, as data, so that any front end can draw it.
//!
//! There is no state but the record: [`next_step`] looks at what is there and says what is missing. So a
//! contact can be left between any two steps and taken up on another tablet, and readings that were typed
//! in without the guide are guided from there on. Each step names the fields that answer it and the word
//! in `declined` that skips it; an answer or a refusal is never asked for again, and the number of
//! readings is bounded, so it always ends.
//!
//! Sources: sections 1 and 2 of the clinical pack. The order of the steps, the cap on readings, asking
//! for symptoms only where they change the answer, and arms left alone in pregnancy or where high blood
//! pressure has been diagnosed already are D.

mod facts;
mod finish;
mod measure;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ChoiceSettings;
use super::text::Text;
use facts::Facts;

spelt! {
    StepCode {
        AskRedFlags = "ask_red_flags", "Ask for red flags now";
        CallEmergency = "call_emergency", "Call 999 now";
        AskAge = "ask_age", "Ask for the age";
        AskPregnant = "ask_pregnant", "Ask about pregnancy";
        AskPulseRhythm = "ask_pulse_rhythm", "Feel the pulse";
        RecheckPulse = "recheck_pulse", "Feel the pulse again";
        TakeReading = "take_reading", "Take a reading";
        AskSymptoms = "ask_symptoms", "Ask for symptoms";
        TakeStanding = "take_standing", "Take a reading standing";
        TakeLying = "take_lying", "Take a reading lying down";
        EnterHomeReadings = "enter_home_readings", "Enter the home readings";
        OfferMonitoring = "offer_monitoring", "Offer home or 24-hour monitoring";
        Arrange = "arrange", "Arrange who sees the person next";
        GiveAdvice = "give_advice", "Tell the result and give advice";
        Done = "done", "Done";
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub code: StepCode,
    /// What staff should do.
    pub text: Text,
    /// Why, and what to mind.
    pub notes: Vec<Text>,
    /// Whether it should be done before going on. Anything can be skipped by saying so.
    pub required: bool,
    /// Whether it comes before whatever staff were about to do.
    pub interrupts: bool,
    /// Paths of the contact (or of its person, `person/...`) any of which answers it.
    pub fields: Vec<&'static str>,
    /// The word in the contact's `declined` that skips it.
    pub skip: Option<&'static str>,
    /// What may be answered, as codes; each has a text.
    pub choices: Vec<Choice>,
    /// Wait so long first.
    pub wait_seconds: Option<i64>,
    /// The earliest time, by the clock that timed the last reading; RFC 3339.
    pub not_before: Option<String>,
    /// For a reading: which one in order, on which arm, in which position.
    pub reading: Option<NextReading>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    pub value: &'static str,
    pub text: Text,
}

/// What to fill a new reading in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextReading {
    pub number: usize,
    /// `None`: either.
    pub arm: Option<super::Arm>,
    pub position: &'static str,
}

/// What a team may set, in its record under `settings/guide`. All D but where said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GuideSettings {
    /// A third reading is due from this difference between the first two, mmHg.
    pub systolic_difference: u64,
    pub diastolic_difference: u64,
    /// Measure both arms when a diagnosis is considered (NG136 1.2.1).
    pub both_arms: bool,
    /// No more clinic readings than this.
    pub most_readings: usize,
    /// At least this between two readings (NG136 1.2.7 for home readings; clinic use unsourced).
    pub wait_seconds: i64,
    /// Before an irregular pulse is felt again (HCF).
    pub pulse_wait_seconds: i64,
    /// On the feet before a standing reading (NG136 1.1.6).
    pub standing_wait_seconds: i64,
    /// Ages at which women are asked about pregnancy, both inclusive.
    pub pregnancy_from: i64,
    pub pregnancy_to: i64,
}

impl Default for GuideSettings {
    fn default() -> Self {
        let ChoiceSettings { systolic_difference, diastolic_difference } = ChoiceSettings::default();
        GuideSettings {
            systolic_difference,
            diastolic_difference,
            both_arms: true,
            most_readings: 6,
            wait_seconds: 60,
            pulse_wait_seconds: 300,
            standing_wait_seconds: 60,
            pregnancy_from: 12,
            pregnancy_to: 55,
        }
    }
}

impl GuideSettings {
    /// The settings of a team's record; those that it does not name, or names wrongly, are the default.
    pub fn of_team(team: &Value) -> Self {
        team.pointer("/settings/guide")
            .and_then(|settings| GuideSettings::deserialize(settings).ok())
            .unwrap_or_default()
    }

    fn choice(&self) -> ChoiceSettings {
        ChoiceSettings {
            systolic_difference: self.systolic_difference,
            diastolic_difference: self.diastolic_difference,
        }
    }
}

/// The next step of a contact (nested JSON, as a door shows it), with its person if it has one. Never
/// fails: what cannot be read counts as not there.
pub fn next_step(contact: &Value, person: Option<&Value>, settings: &GuideSettings) -> Step {
    let facts = Facts::of(contact, person);
    if facts.in_error {
        return Step::new(StepCode::Done);
    }
    let urgent = urgent(&facts);
    if facts.circumstances.red_flag {
        // Nobody waits for another reading then.
        return urgent.unwrap_or_else(|| finish::done(&facts));
    }
    urgent
        .or_else(|| if facts.ended { None } else { measure::next(&facts, settings) })
        .or_else(|| finish::next(&facts))
        .unwrap_or_else(|| finish::done(&facts))
}

/// Whether a contact still waits for something: begun and parked, or broken off.
pub fn is_half_done(contact: &Value, person: Option<&Value>, settings: &GuideSettings) -> bool {
    next_step(contact, person, settings).code != StepCode::Done
}

/// What comes before everything else: a red flag that is there, then the questions (1.7).
fn urgent(facts: &Facts<'_>) -> Option<Step> {
    if facts.circumstances.red_flag {
        let told = facts.is_told("EMERGENCY_999_AE") || facts.is_arranged(super::Urgency::Emergency);
        return (!told && !facts.is_declined("referrals")).then(|| Step {
            interrupts: true,
            notes: vec![Text::new("note-tell-who-was-called")],
            ..Step::new(StepCode::CallEmergency).fields(&["referrals", "advice"]).skip("referrals")
        });
    }
    let due = facts.red_flags_due && !facts.ended;
    let open = facts.flags_not_asked();
    (due && !open.is_empty() && !facts.is_declined("bp/red_flags")).then(|| Step {
        interrupts: true,
        notes: vec![Text::new("note-any-red-flag-is-999")],
        choices: open
            .iter()
            .map(|flag| Choice { value: flag, text: Text::new(format!("red-flag-{flag}")) })
            .collect(),
        ..Step::new(StepCode::AskRedFlags).fields(&["bp/red_flags"]).skip("bp/red_flags")
    })
}

impl Step {
    fn new(code: StepCode) -> Self {
        Step {
            code,
            text: Text::new(format!("step-{code}")),
            notes: Vec::new(),
            required: true,
            interrupts: false,
            fields: Vec::new(),
            skip: None,
            choices: Vec::new(),
            wait_seconds: None,
            not_before: None,
            reading: None,
        }
    }

    fn fields(mut self, fields: &[&'static str]) -> Self {
        self.fields = fields.to_vec();
        self
    }

    fn skip(mut self, word: &'static str) -> Self {
        self.skip = Some(word);
        self
    }

    fn note(mut self, note: Text) -> Self {
        self.notes.push(note);
        self
    }

    fn choices(mut self, prefix: &str, values: &[&'static str]) -> Self {
        let choice = |value: &&'static str| Choice { value, text: Text::new(format!("{prefix}-{value}")) };
        self.choices = values.iter().map(choice).collect();
        self
    }
}
