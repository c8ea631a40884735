//! What staff do with a contact: the next step, the card, what is due, the story. Words are in the language asked for.

use wayside_client_core::{
    self as facade, EventKind, Likeness, Standing, StepCode, TaskKind, TaskState, Urgency,
};

use crate::convert;

/// Says texts in one language.
pub struct Say<'a> {
    pub tablet: &'a facade::Tablet,
    pub language: &'a str,
}

impl Say<'_> {
    pub fn one(&self, text: &facade::Text) -> String {
        self.tablet.words(text, self.language)
    }

    fn all(&self, texts: &[facade::Text]) -> Vec<String> {
        texts.iter().map(|text| self.one(text)).collect()
    }

    fn perhaps(&self, text: Option<&facade::Text>) -> Option<String> {
        text.map(|text| self.one(text))
    }
}

/// What to do next with a contact.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Step {
    /// What to draw.
    pub code: StepCode,
    /// What staff should do.
    pub text: String,
    /// Why, and what to mind.
    pub notes: Vec<String>,
    /// Whether it should be done before going on. Anything can be skipped by saying so.
    pub required: bool,
    /// Whether it comes before whatever staff were about to do.
    pub interrupts: bool,
    /// Paths of the contact (or of its person, `person/...`) any of which answers it.
    pub fields: Vec<String>,
    /// Put this word into the contact's `declined` to skip it.
    pub skip: Option<String>,
    /// What may be answered.
    pub choices: Vec<Choice>,
    /// Wait so long first.
    pub wait_seconds: Option<i64>,
    /// The earliest time.
    pub not_before: Option<String>,
    /// For a reading: what to fill it in with.
    pub reading: Option<NextReading>,
    /// What the step was made from: give it back with the answer.
    pub heads: String,
}

impl Step {
    pub(crate) fn of((step, heads): (facade::Step, Vec<facade::Hash>), say: &Say<'_>) -> Step {
        let choices = step.choices.iter();
        Step {
            code: step.code,
            text: say.one(&step.text),
            notes: say.all(&step.notes),
            required: step.required,
            interrupts: step.interrupts,
            fields: step.fields.iter().map(|path| (*path).to_owned()).collect(),
            skip: step.skip.map(str::to_owned),
            choices: choices
                .map(|choice| Choice { value: choice.value.to_owned(), text: say.one(&choice.text) })
                .collect(),
            wait_seconds: step.wait_seconds,
            not_before: step.not_before,
            reading: step.reading.map(|next| NextReading {
                number: u32::try_from(next.number).unwrap_or(u32::MAX),
                arm: next.arm.map(|arm| arm.as_str().to_owned()),
                position: next.position.to_owned(),
            }),
            heads: convert::heads_out(&heads),
        }
    }
}

/// One possible answer.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Choice {
    /// The code to save.
    pub value: String,
    /// Its words.
    pub text: String,
}

/// What to fill a new reading in with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NextReading {
    /// Which one in order.
    pub number: u32,
    /// `left`, `right`; `None`: either.
    pub arm: Option<String>,
    /// `sitting`, `standing`, `lying`.
    pub position: String,
}

/// A contact that was parked, or broken off before the guide was done with it.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct HalfDone {
    /// The contact's id.
    pub contact: String,
    /// Whoever stands for the person; `None` for somebody who gave no details.
    pub person: Option<String>,
    /// The person's name as written; empty where none was.
    pub name: String,
    /// The session's id.
    pub session: Option<String>,
    /// The site's name.
    pub site: String,
    /// A time.
    pub started_at: String,
    /// Whether staff parked it.
    pub parked: bool,
    /// The code of the next step, as in `take_reading`.
    pub step: String,
}

impl From<facade::HalfDone> for HalfDone {
    fn from(one: facade::HalfDone) -> Self {
        HalfDone {
            contact: one.id.to_string(),
            person: one.person.map(|id| id.to_string()),
            name: one.name,
            session: one.session.map(|id| id.to_string()),
            site: one.site,
            started_at: one.started_at,
            parked: one.parked,
            step: one.step,
        }
    }
}

/// The card for the person who was seen: large figures, plain words, the next step.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Card {
    /// When they were seen.
    pub seen_at: Option<String>,
    /// mmHg; `None`: there is nothing to show yet.
    pub systolic: Option<i32>,
    /// mmHg.
    pub diastolic: Option<i32>,
    /// Whether the figures are an average.
    pub is_average: bool,
    /// What stands above the figures.
    pub title: String,
    /// The figures in one line, for reading aloud.
    pub figures: Option<String>,
    /// What they mean.
    pub meaning: String,
    /// What to do, the most urgent first.
    pub next: Vec<String>,
    /// When to call for help.
    pub warning: Option<String>,
    /// For staff, in English: this result calls for somebody today and has not reached base.
    pub nobody_at_base: Option<String>,
}

impl Card {
    pub(crate) fn of(card: &facade::Card, say: &Say<'_>) -> Card {
        let english = Say { language: "en-GB", ..*say };
        let facade::Card { card, nobody_at_base } = card;
        let whole = |value: Option<i64>| value.and_then(|value| i32::try_from(value).ok());
        Card {
            seen_at: card.seen_at.clone(),
            systolic: whole(card.systolic),
            diastolic: whole(card.diastolic),
            is_average: card.is_average,
            title: say.one(&card.title),
            figures: say.perhaps(card.figures.as_ref()),
            meaning: say.one(&card.meaning),
            next: say.all(&card.next),
            warning: say.perhaps(card.warning.as_ref()),
            nobody_at_base: english.perhaps(nobody_at_base.as_ref()),
        }
    }
}

/// A language that texts can be had in.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Language {
    /// BCP-47; `en-GB` is always there.
    pub code: String,
    /// How many texts it lacks: these are said in English.
    pub missing: u32,
    /// Why its file cannot be used; everything is said in English then.
    pub problem: Option<String>,
}

impl From<facade::Language> for Language {
    fn from(language: facade::Language) -> Self {
        let facade::Language { code, missing, problem } = language;
        Language { code, missing: u32::try_from(missing).unwrap_or(u32::MAX), problem }
    }
}

/// A person in one line, as a screen shows them.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PersonSummary {
    /// The person's id.
    pub id: String,
    /// Given name first; empty where none was given.
    pub name: String,
    /// 3 February 1968, or an age; empty where neither is known.
    pub birth: String,
    /// 3 3 4.
    pub nhs_number: String,
    /// In groups.
    pub phone: String,
    /// As people write it.
    pub postcode: String,
    /// A code.
    pub sex: String,
}

impl From<facade::PersonSummary> for PersonSummary {
    fn from(person: facade::PersonSummary) -> Self {
        let facade::PersonSummary { id, name, birth, nhs_number, phone, postcode, sex } = person;
        PersonSummary { id: id.to_string(), name, birth, nhs_number, phone, postcode, sex }
    }
}

/// Somebody who may be the same person.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Likely {
    /// Who.
    pub person: PersonSummary,
    /// How much speaks for it.
    pub likeness: Likeness,
    /// In bits: each more doubles the odds.
    pub weight: f64,
    /// The strongest first, for and against.
    pub reasons: Vec<String>,
}

impl Likely {
    pub(crate) fn of(likely: facade::Likely, say: &Say<'_>) -> Likely {
        Likely {
            likeness: likely.likeness,
            weight: likely.weight,
            reasons: say.all(&likely.reasons),
            person: likely.person.into(),
        }
    }
}

/// What became of one field of a person as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Finding {
    /// As in `name/given`.
    pub path: String,
    /// Of one that cannot be saved, or only once it is confirmed.
    pub code: Option<String>,
    /// What is stored; `None` for what cannot be.
    pub value: Option<String>,
    /// As people write it.
    pub shown: String,
    /// Whether it can be saved at all.
    pub can_save: bool,
    /// Whether staff should be asked once whether it is right.
    pub ask: bool,
    /// For staff.
    pub notices: Vec<String>,
}

impl Finding {
    pub(crate) fn of(finding: &facade::PersonFinding, say: &Say<'_>) -> Finding {
        let checked = &finding.checked;
        Finding {
            path: finding.path.to_owned(),
            code: finding.code.map(|code| code.as_str().to_owned()),
            value: checked.value.clone(),
            shown: checked.shown.clone(),
            can_save: checked.can_save(true),
            ask: checked.can_save(true) && !checked.can_save(false),
            notices: say.all(&checked.notices),
        }
    }
}

/// One referral or follow-up of a contact.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CareTask {
    /// Which of the two.
    pub kind: TaskKind,
    /// The entry's id, in `follow_ups` or `referrals`.
    pub entry: String,
    /// The type of a follow-up, or to whom a referral goes.
    pub what: String,
    /// How it stands.
    pub state: TaskState,
    /// Of a referral.
    pub urgency: Option<Urgency>,
    /// What for.
    pub reason: Option<String>,
    /// A date.
    pub due_on: Option<String>,
    /// The date from which it stands so.
    pub since: Option<String>,
    /// How often somebody tried in vain.
    pub attempts: u32,
    /// Why, each in the words that were written down.
    pub reasons_missed: Vec<String>,
    /// What ended it, or happened last: as in `done`.
    pub last_status: Option<String>,
    /// When that was.
    pub last_at: Option<String>,
}

impl From<facade::Task> for CareTask {
    fn from(task: facade::Task) -> Self {
        let (last_status, last_at) = task.last.map(|last| (last.status, last.at)).unzip();
        CareTask {
            kind: task.kind,
            entry: task.entry,
            what: task.what,
            state: task.state,
            urgency: task.urgency,
            reason: task.reason,
            due_on: task.due_on.map(|date| date.to_string()),
            since: task.since.map(|date| date.to_string()),
            attempts: u32::try_from(task.attempts).unwrap_or(u32::MAX),
            reasons_missed: task.reasons_missed,
            last_status,
            last_at: last_at.flatten(),
        }
    }
}

/// One thing to do, for whom, and where they were seen.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Due {
    /// The contact's id.
    pub contact: String,
    /// `None` for somebody who gave no details.
    pub person: Option<PersonSummary>,
    /// The site's name.
    pub site: String,
    /// A time.
    pub seen_at: String,
    /// What to do.
    pub task: CareTask,
}

impl From<facade::Due> for Due {
    fn from(due: facade::Due) -> Self {
        Due {
            contact: due.contact.to_string(),
            person: due.person.map(PersonSummary::from),
            site: due.site,
            seen_at: due.seen_at,
            task: due.task.into(),
        }
    }
}

/// A referral or follow-up that a result asks for and the contact does not have yet.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Suggestion {
    /// Which of the two.
    pub kind: TaskKind,
    /// The type of a follow-up; to whom a referral goes: `gp`, `maternity`, `999`.
    pub what: String,
    /// Of a referral.
    pub urgency: Option<Urgency>,
    /// A date.
    pub due_on: Option<String>,
    /// For staff.
    pub text: String,
}

impl Suggestion {
    pub(crate) fn of(one: &facade::Suggestion, say: &Say<'_>) -> Suggestion {
        Suggestion {
            kind: one.kind,
            what: one.what.to_owned(),
            urgency: one.urgency,
            due_on: one.due_on.map(|date| date.to_string()),
            text: say.one(&one.text),
        }
    }
}

/// A service to refer to, from the team's record.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Service {
    /// The entry's id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `gp`, `pharmacy`, `stop_smoking`, `social_prescribing`, `housing`, ...
    pub kind: String,
    /// As written.
    pub phone: String,
    /// As the coordinator wrote them, perhaps JSON text.
    pub hours: Option<String>,
    /// As the coordinator wrote it, perhaps JSON text.
    pub area: Option<String>,
}

impl From<facade::Service> for Service {
    fn from(service: facade::Service) -> Self {
        let facade::Service { id, name, kind, phone, hours, area } = service;
        Service { id, name, kind, phone, hours: crate::json::shown(hours), area: crate::json::shown(area) }
    }
}

/// One line of somebody's story.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Event {
    /// When it happened, as somebody wrote it down; else when it was recorded.
    pub at: String,
    /// What it is about.
    pub kind: EventKind,
    /// The record's id.
    pub record: String,
    /// The field or entry in it; empty for the record as a whole.
    pub path: String,
    /// What happened.
    pub text: String,
    /// Details, reasons, what stands beside it.
    pub notes: Vec<String>,
    /// Whether it still counts.
    pub standing: Standing,
    /// Staff id of who did it.
    pub by: Option<String>,
    /// The tablet on which it was recorded.
    pub tablet: Option<String>,
    /// When it was recorded.
    pub recorded_at: Option<String>,
}

impl Event {
    pub(crate) fn of(event: facade::Event, say: &Say<'_>) -> Event {
        Event {
            text: say.one(&event.text),
            notes: say.all(&event.notes),
            at: event.at,
            kind: event.kind,
            record: event.record,
            path: event.path,
            standing: event.standing,
            by: event.by,
            tablet: event.tablet,
            recorded_at: event.recorded_at,
        }
    }
}

/// A record with values that disagree, or of which base refused something.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Unsettled {
    /// The record's kind; `None` for one of a newer version.
    pub kind: Option<crate::Kind>,
    /// Its conflicts and drafts.
    pub about: crate::About,
}

impl From<facade::Shown> for Unsettled {
    fn from(shown: facade::Shown) -> Self {
        let kind = shown.json["kind"].as_str().and_then(crate::Kind::of_code);
        Unsettled { kind, about: shown.into() }
    }
}
