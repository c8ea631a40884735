//! The guided measurement, the card, what is due, the story.

use super::Tablet;
use crate::{
    By, Card, CareTask, Contact, Due, Event, HalfDone, Language, Service, Step, Suggestion,
    care::Say,
    convert::{date, id, page},
    error::Result,
};

#[uniffi::export]
impl Tablet {
    /// What to do next with a contact.
    #[uniffi::method(default(language = "en-GB"))]
    pub fn next_step(&self, contact: String, language: String) -> Result<Step> {
        self.with(|tablet| {
            let say = Say { tablet, language: &language };
            Ok(Step::of(tablet.guide(id(&contact)?)?, &say))
        })
    }

    /// Saves what a step asked for, as one change, and says what comes next: one call for each step. `base` is the
    /// step's `heads`. New entries (readings, advice, ...) are those without an id; who and when are filled in.
    #[uniffi::method(default(base = None, language = "en-GB"))]
    pub fn answer(
        &self,
        contact: String,
        given: Contact,
        by: By,
        base: Option<String>,
        language: String,
    ) -> Result<Step> {
        self.update(&contact, &given, by, base, &[])?;
        self.next_step(contact, language)
    }

    /// Contacts for which a step is left: those that were parked first, then the last begun first.
    #[uniffi::method(default(offset = 0, limit = None))]
    pub fn half_done(&self, offset: u64, limit: Option<u64>) -> Result<Vec<HalfDone>> {
        self.with(|tablet| {
            Ok(tablet.half_done(page(offset, limit))?.into_iter().map(HalfDone::from).collect())
        })
    }

    /// Leaves a contact between two steps.
    pub fn park(&self, contact: String, by: By) -> Result<()> {
        self.with(|tablet| Ok(tablet.park(id(&contact)?, &by.try_into()?).map(drop)?))
    }

    /// Takes a parked contact up again.
    pub fn resume(&self, contact: String, by: By) -> Result<()> {
        self.with(|tablet| Ok(tablet.resume(id(&contact)?, &by.try_into()?).map(drop)?))
    }

    /// Ends a contact: completed, or where the person went before it was done, left early.
    #[uniffi::method(default(left_early = false))]
    pub fn finish(&self, contact: String, by: By, left_early: bool) -> Result<()> {
        self.with(|tablet| Ok(tablet.finish(id(&contact)?, left_early, &by.try_into()?).map(drop)?))
    }

    /// The card for the person who was seen, in their language.
    #[uniffi::method(default(language = "en-GB"))]
    pub fn result_card(&self, contact: String, language: String) -> Result<Card> {
        self.with(|tablet| {
            let say = Say { tablet, language: &language };
            Ok(Card::of(&tablet.result_card(id(&contact)?)?, &say))
        })
    }

    /// English, and the languages whose files lie beside the records, in `languages`.
    pub fn languages(&self) -> Result<Vec<Language>> {
        self.with(|tablet| Ok(tablet.languages().into_iter().map(Language::from).collect()))
    }

    /// What a contact comes to as a health check and how complete it is, as JSON text.
    pub fn health_check_json(&self, contact: String) -> Result<String> {
        self.with(|tablet| Ok(crate::json::out(&tablet.health_check(id(&contact)?)?)))
    }

    /// Referrals and follow-ups that are open on a date, what is overdue longest first.
    pub fn due(&self, on: String) -> Result<Vec<Due>> {
        self.with(|tablet| Ok(tablet.due(date(&on, "on")?)?.into_iter().map(Due::from).collect()))
    }

    /// What is open on a date for one person, and for everybody who was found to be one with them.
    pub fn due_of(&self, person: String, on: String) -> Result<Vec<Due>> {
        self.with(|tablet| {
            let due = tablet.due_of(id(&person)?, date(&on, "on")?)?;
            Ok(due.into_iter().map(Due::from).collect())
        })
    }

    /// All referrals and follow-ups of a contact as they stand on a date, those that are done too.
    pub fn tasks(&self, contact: String, on: String) -> Result<Vec<CareTask>> {
        self.with(|tablet| {
            let tasks = tablet.tasks(id(&contact)?, date(&on, "on")?)?;
            Ok(tasks.into_iter().map(CareTask::from).collect())
        })
    }

    /// The referrals and follow-ups that a contact's result asks for and that it does not have yet.
    #[uniffi::method(default(language = "en-GB"))]
    pub fn suggestions(&self, contact: String, language: String) -> Result<Vec<Suggestion>> {
        self.with(|tablet| {
            let say = Say { tablet, language: &language };
            let found = tablet.suggestions(id(&contact)?)?;
            Ok(found.iter().map(|one| Suggestion::of(one, &say)).collect())
        })
    }

    /// The directory of services of this tablet's teams, by kind and name.
    pub fn services(&self) -> Result<Vec<Service>> {
        self.with(|tablet| Ok(tablet.services()?.into_iter().map(Service::from).collect()))
    }

    /// The story of a person and of everybody who was found to be one with them, oldest first.
    #[uniffi::method(default(language = "en-GB"))]
    pub fn timeline(&self, person: String, language: String) -> Result<Vec<Event>> {
        self.with(|tablet| {
            let say = Say { tablet, language: &language };
            let events = tablet.timeline(id(&person)?)?;
            Ok(events.into_iter().map(|event| Event::of(event, &say)).collect())
        })
    }
}
