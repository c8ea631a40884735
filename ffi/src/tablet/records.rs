//! Recording, correcting, saving forms.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};
use wayside_client_core as facade;

use super::Tablet;
use crate::{
    Advice, By, Call, Check, Consent, Contact, FollowUp, FollowUpEvent, Kind, Measurement,
    MeasurementCorrection, Note, Person, Reading, ReadingCorrection, Recorded, Referral, ReferralEvent,
    Session, Site,
    convert::{assignments, heads, heads_out, id},
    error::Result,
    json,
};

#[uniffi::export]
impl Tablet {
    /// Records one contact with its session and person, all or nothing, as one call.
    pub fn record(&self, check: Check, by: By) -> Result<Recorded> {
        self.with(|tablet| Ok(tablet.record(check.line()?, &by.try_into()?)?.into()))
    }

    /// As `record`, from the JSON text of `{session, person, contact}`: the session and its site are found or made;
    /// `person` is an id, an object, which makes a new person, or null.
    pub fn record_json(&self, line: String, by: By) -> Result<Recorded> {
        self.with(|tablet| Ok(tablet.record(json::parse(&line, "")?, &by.try_into()?)?.into()))
    }

    /// Makes a person and returns their id. Ask `likely_duplicates` first.
    pub fn create_person(&self, person: Person, by: By) -> Result<String> {
        self.create(Kind::Person, json::said(&person)?, by)
    }

    /// Makes a site and returns its id.
    pub fn create_site(&self, site: Site, by: By) -> Result<String> {
        self.create(Kind::Site, json::said(&site)?, by)
    }

    /// The session at a site on a date, found or made: its id. One that is there keeps what it says; what it lacks is
    /// added.
    pub fn open_session(&self, session: Session, by: By) -> Result<String> {
        self.create(Kind::Session, json::said(&session)?, by)
    }

    /// As the three above, from the JSON text of the fields.
    pub fn create_json(&self, kind: Kind, fields: String, by: By) -> Result<String> {
        self.create(kind, json::parse(&fields, "")?, by)
    }

    /// Saves a form about a person as one change and returns the record's heads after it. What is `None` stays as it
    /// is; `clear` names paths to empty, as in `phone`. `base` is `about.heads` of what the screen showed: what came in
    /// since then stays beside this save as a conflict, instead of being overwritten unseen.
    #[uniffi::method(default(base = None, clear = []))]
    pub fn update_person(
        &self,
        id: String,
        person: Person,
        by: By,
        base: Option<String>,
        clear: Vec<String>,
    ) -> Result<String> {
        self.update(&id, &person, by, base, &clear)
    }

    /// Saves a form about a contact, as `update_person` does. New entries (readings, advice, ...) are those without an
    /// id; who and when are filled in.
    #[uniffi::method(default(base = None, clear = []))]
    pub fn update_contact(
        &self,
        id: String,
        contact: Contact,
        by: By,
        base: Option<String>,
        clear: Vec<String>,
    ) -> Result<String> {
        self.update(&id, &contact, by, base, &clear)
    }

    /// Saves a form about a session, as `update_person` does.
    #[uniffi::method(default(base = None, clear = []))]
    pub fn update_session(
        &self,
        id: String,
        session: Session,
        by: By,
        base: Option<String>,
        clear: Vec<String>,
    ) -> Result<String> {
        self.update(&id, &session, by, base, &clear)
    }

    /// Saves a form about a site, as `update_person` does.
    #[uniffi::method(default(base = None, clear = []))]
    pub fn update_site(
        &self,
        id: String,
        site: Site,
        by: By,
        base: Option<String>,
        clear: Vec<String>,
    ) -> Result<String> {
        self.update(&id, &site, by, base, &clear)
    }

    /// Saves a form of any kind of record. `set` holds paths, as in `name/family`, and their new values as JSON text
    /// (text in quotes; null clears); `base` as for `update_person`.
    #[uniffi::method(default(base = None))]
    pub fn edit_json(
        &self,
        id: String,
        set: HashMap<String, String>,
        by: By,
        base: Option<String>,
    ) -> Result<String> {
        self.with(|tablet| {
            let edit = facade::Edit { base: heads(base)?, set: assignments(set)? };
            Ok(heads_out(&tablet.edit(self::id(&id)?, edit, &by.try_into()?)?))
        })
    }

    /// Says which of several values is right: `path` and `json` are those of `about.conflicts`, or for a field another
    /// value as JSON text; `base` is `about.heads`.
    #[uniffi::method(default(base = None))]
    pub fn settle(&self, id: String, path: String, json: String, by: By, base: Option<String>) -> Result<()> {
        self.with(|tablet| {
            let (value, base) = (json::parse(&json, &path)?, heads(base)?);
            Ok(tablet.settle(self::id(&id)?, &path, value, base.as_deref(), &by.try_into()?)?)
        })
    }

    /// Marks a record as entered in error: it stays, and does not count any more.
    #[uniffi::method(default(base = None))]
    pub fn enter_in_error(&self, id: String, reason: String, by: By, base: Option<String>) -> Result<()> {
        self.with(|tablet| {
            let edit = facade::Edit { base: heads(base)?, ..facade::Edit::default() };
            let edit = edit.and("entered_in_error", json!({"reason": reason, "by": by.staff}));
            tablet.edit(self::id(&id)?, edit, &by.try_into()?)?;
            Ok(())
        })
    }

    /// Corrects a reading by a new entry, whose id is returned; the first one stays in the record. `base` is
    /// `about.heads` of what the screen showed.
    #[uniffi::method(default(reason = None, base = None))]
    pub fn correct_reading(
        &self,
        contact: String,
        reading: String,
        right: ReadingCorrection,
        by: By,
        reason: Option<String>,
        base: Option<String>,
    ) -> Result<String> {
        self.correct(&contact, "bp/readings", &reading, &right, by, reason, base)
    }

    /// Corrects a measurement, as `correct_reading` does.
    #[uniffi::method(default(reason = None, base = None))]
    pub fn correct_measurement(
        &self,
        contact: String,
        measurement: String,
        right: MeasurementCorrection,
        by: By,
        reason: Option<String>,
        base: Option<String>,
    ) -> Result<String> {
        self.correct(&contact, "measurements", &measurement, &right, by, reason, base)
    }

    /// Strikes out an entry: it stays, and no longer counts. `entry` is its path, or the id of a reading or
    /// measurement.
    pub fn strike_out(&self, id: String, entry: String, reason: String, by: By) -> Result<()> {
        self.with(|tablet| Ok(tablet.strike_out(self::id(&id)?, &entry, &reason, &by.try_into()?)?))
    }

    /// Adds to one of a session's counts, as in `leaflets`; a negative number takes back.
    pub fn tally(&self, session: String, name: String, n: i64, by: By) -> Result<()> {
        self.with(|tablet| Ok(tablet.tally(id(&session)?, &name, n, &by.try_into()?)?))
    }

    /// Adds a reading to a contact and returns the entry's id, as all below.
    pub fn add_reading(&self, contact: String, reading: Reading, by: By) -> Result<String> {
        self.add(&contact, "bp/readings", &reading, by)
    }

    /// Adds a measurement to a contact.
    pub fn add_measurement(&self, contact: String, measurement: Measurement, by: By) -> Result<String> {
        self.add(&contact, "measurements", &measurement, by)
    }

    /// Notes on a contact what somebody was told.
    pub fn add_advice(&self, contact: String, advice: Advice, by: By) -> Result<String> {
        self.add(&contact, "advice", &advice, by)
    }

    /// Notes on a contact where somebody was sent.
    pub fn add_referral(&self, contact: String, referral: Referral, by: By) -> Result<String> {
        self.add(&contact, "referrals", &referral, by)
    }

    /// Notes what became of a referral.
    pub fn add_referral_event(&self, contact: String, event: ReferralEvent, by: By) -> Result<String> {
        self.add(&contact, "referral_events", &event, by)
    }

    /// Notes on a contact what is still to be done.
    pub fn add_follow_up(&self, contact: String, follow_up: FollowUp, by: By) -> Result<String> {
        self.add(&contact, "follow_ups", &follow_up, by)
    }

    /// Notes what became of a follow-up.
    pub fn add_follow_up_event(&self, contact: String, event: FollowUpEvent, by: By) -> Result<String> {
        self.add(&contact, "follow_up_events", &event, by)
    }

    /// Notes a telephone call.
    pub fn add_call(&self, contact: String, call: Call, by: By) -> Result<String> {
        self.add(&contact, "calls", &call, by)
    }

    /// Adds a note to a contact or a session.
    pub fn add_note(&self, id: String, note: Note, by: By) -> Result<String> {
        self.add(&id, "notes", &note, by)
    }

    /// Notes what a person agreed to, or refused.
    pub fn add_consent(&self, person: String, consent: Consent, by: By) -> Result<String> {
        self.add(&person, "consents", &consent, by)
    }
}

impl Tablet {
    fn create(&self, kind: Kind, fields: Value, by: By) -> Result<String> {
        self.with(|tablet| Ok(tablet.create(kind.into(), fields, &by.try_into()?)?.to_string()))
    }

    pub(super) fn update(
        &self,
        id: &str,
        fields: &impl Serialize,
        by: By,
        base: Option<String>,
        clear: &[String],
    ) -> Result<String> {
        self.with(|tablet| {
            let (fields, base) = (json::said(fields)?, heads(base)?);
            Ok(heads_out(&tablet.update(self::id(id)?, fields, clear, base.as_deref(), &by.try_into()?)?))
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the two callers are right above")]
    fn correct(
        &self,
        contact: &str,
        map: &str,
        entry: &str,
        right: &impl Serialize,
        by: By,
        reason: Option<String>,
        base: Option<String>,
    ) -> Result<String> {
        self.with(|tablet| {
            let set = json::said(right)?.as_object().cloned().unwrap_or_default().into_iter().collect();
            let (entry, base) = (format!("{map}/{entry}"), heads(base)?);
            let new = tablet.correct(
                id(contact)?,
                &entry,
                set,
                reason.as_deref(),
                base.as_deref(),
                &by.try_into()?,
            )?;
            Ok(new)
        })
    }

    fn add(&self, id: &str, map: &str, entry: &impl Serialize, by: By) -> Result<String> {
        self.with(|tablet| {
            // One that was read from a record would be there twice.
            let mut entry = json::said(entry)?;
            entry.as_object_mut().map(|entry| entry.remove("id"));
            Ok(tablet.add(self::id(id)?, map, entry, &by.try_into()?)?)
        })
    }
}
