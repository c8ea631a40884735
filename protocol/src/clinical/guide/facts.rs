//! What the record says, read once for all steps.

use serde_json::Value;

use crate::clinical::derive::{Derived, circumstances, derive};
use crate::clinical::disputed::is_in_error;
use crate::clinical::entries::{self, slots, strings, values_at};
use crate::clinical::readings::{Reading, alternatives, pairs};
use crate::clinical::{Circumstances, PULSE_AGAIN, Setting, Urgency, codes, red_flag_questions_due};

pub(super) struct Facts<'a> {
    pub(super) contact: &'a Value,
    pub(super) person: Option<&'a Value>,
    pub(super) derived: Derived,
    pub(super) circumstances: Circumstances,
    pub(super) in_error: bool,
    /// Completed, or left early; parked is neither.
    pub(super) ended: bool,
    /// Any reading, clinic or not, at 180 or 120 and above.
    pub(super) red_flags_due: bool,
    /// Clinic readings that are possible, in the order taken. While corrections of one disagree, the
    /// highest of them.
    pub(super) readings: Vec<Reading<'a>>,
    /// All clinic readings, impossible ones too: what the cap counts.
    pub(super) taken: usize,
    /// Whether there are readings of another setting: a diary is being entered, nobody measures here.
    pub(super) series: bool,
}

impl<'a> Facts<'a> {
    pub(super) fn of(contact: &'a Value, person: Option<&'a Value>) -> Self {
        let derived = derive(contact, person);
        let slots = slots(contact.pointer("/bp/readings"));
        let all: Vec<Vec<Reading<'a>>> = slots.iter().map(alternatives).collect();
        let readings: Vec<Reading<'a>> = all.iter().filter_map(|places| places.first().copied()).collect();
        let every: Vec<Reading<'a>> = all.iter().flatten().copied().filter(Reading::is_possible).collect();
        let is_clinic = |reading: &&Reading<'_>| reading.setting == Setting::Clinic;
        let ended =
            values_at(contact, "ended/how").chain(values_at(contact, "ended").filter_map(|e| e.get("how")));
        Facts {
            circumstances: circumstances(contact, derived.age, true),
            in_error: is_in_error(contact),
            ended: ended.into_iter().any(|how| how == "completed" || how == "left_early"),
            red_flags_due: red_flag_questions_due(&pairs(&every)),
            // An entry without usable values counts as taken, too: it must not be asked for for ever.
            taken: readings.iter().filter(is_clinic).count() + all.iter().filter(|p| p.is_empty()).count(),
            series: readings.iter().any(|reading| reading.setting != Setting::Clinic),
            readings: readings.into_iter().filter(|r| is_clinic(&r) && r.is_possible()).collect(),
            contact,
            person,
            derived,
        }
    }

    pub(super) fn is_declined(&self, path: &str) -> bool {
        entries::is_declined(self.contact, path)
    }

    pub(super) fn has(&self, path: &str) -> bool {
        values_at(self.contact, path).any(|value| !value.is_null())
    }

    /// A word that a field holds, if it holds one.
    pub(super) fn word(&self, path: &str) -> Option<&'a str> {
        self.contact.pointer(&format!("/{path}")).and_then(Value::as_str)
    }

    pub(super) fn sex(&self) -> Option<&'a str> {
        let persons = self.person.and_then(|person| person.get("sex")).and_then(Value::as_str);
        persons.or_else(|| self.word("sex")).filter(|sex| !sex.is_empty())
    }

    /// From the person, or the band that stands in for one.
    pub(super) fn has_age(&self) -> bool {
        self.derived.age.is_some() || self.word("age_band").is_some()
    }

    pub(super) fn diagnosed(&self, what: &str) -> bool {
        let known = self.contact.get("prior_diagnosis").and_then(Value::as_array);
        known.into_iter().flatten().any(|code| code == what)
    }

    pub(super) fn symptoms(&self) -> Vec<&'a str> {
        strings(self.contact.pointer("/bp/symptoms")).collect()
    }

    /// Red flags that there is no answer to yet.
    pub(super) fn flags_not_asked(&self) -> Vec<&'static str> {
        let asked: Vec<&Value> = slots(self.contact.pointer("/bp/red_flags"))
            .iter()
            .flat_map(|slot| &slot.alternatives)
            .filter(|(_, entry)| entry.get("present").is_some_and(Value::is_boolean))
            .filter_map(|(_, entry)| entry.get("flag"))
            .collect();
        let open = |flag: &&'static str| !asked.iter().any(|asked| *asked == flag);
        codes::RED_FLAGS.iter().map(|(flag, _)| *flag).filter(open).collect()
    }

    /// An irregular pulse that was felt once only.
    pub(super) fn pulse_waits(&self) -> bool {
        values_at(self.contact, "bp/pulse_rhythm").any(|rhythm| rhythm == "irregular")
            && !self.has(PULSE_AGAIN)
    }

    /// Whether something was told and written down.
    pub(super) fn is_told(&self, code: &str) -> bool {
        self.entries("advice").any(|advice| advice.get("code").is_some_and(|told| told == code))
    }

    /// Whether somebody was referred at least as urgently as this.
    pub(super) fn is_arranged(&self, urgency: Urgency) -> bool {
        let of = |referral: &Value| referral.get("urgency").and_then(Value::as_str).and_then(Urgency::parse);
        self.entries("referrals").any(|referral| of(referral).is_some_and(|arranged| arranged >= urgency))
    }

    /// The live entries of a map.
    pub(super) fn entries(&self, path: &str) -> impl Iterator<Item = &'a Value> {
        slots(self.contact.get(path)).into_iter().flat_map(|slot| slot.alternatives).map(|(_, entry)| entry)
    }
}
