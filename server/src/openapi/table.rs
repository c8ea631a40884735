//! What each address of the API takes and gives. The order is that of the page about the API.

use utoipa::ToSchema;
use wayside_protocol::error::Code;

use super::shapes;
use super::{Component, component};
use crate::api::{self, team};
use crate::{quality, reach};

/// One address.
pub struct Op {
    pub method: &'static str,
    pub path: &'static str,
    pub group: &'static str,
    pub says: &'static str,
    /// Beside those of its path.
    pub query: &'static [Param],
    /// Headers that it wants.
    pub headers: &'static [Param],
    pub body: Option<Component>,
    pub gives: Gives,
    /// Beside those that every address has.
    pub errors: &'static [Code],
    /// Takes an `Idempotency-Key`.
    pub writes: bool,
}

/// A parameter after `?`.
#[derive(Clone, Copy)]
pub struct Param {
    pub name: &'static str,
    pub says: &'static str,
    pub ty: ParamType,
}

#[derive(Clone, Copy)]
pub enum ParamType {
    Text,
    Number,
    /// From 1.
    UpTo(u64),
    OneOf(&'static [&'static str]),
}

/// The answer when all went well.
#[derive(Clone, Copy)]
pub enum Gives {
    Json(Component),
    /// With an `ETag`: 304 where the asker has it.
    Tagged(Component),
    /// 201.
    Made(Component),
    TaggedList(Component),
    /// A bundle of FHIR.
    Fhir,
    /// A line for each resource, and from where to ask next in a header.
    Lines,
    /// Server-sent events.
    Events,
    /// A table of text, by its media type.
    Text(&'static str),
    /// This very document.
    Document,
}

impl Op {
    const fn new(method: &'static str, path: &'static str, says: &'static str, gives: Gives) -> Op {
        Op {
            method,
            path,
            group: "",
            says,
            query: &[],
            headers: &[],
            body: None,
            gives,
            errors: &[],
            writes: false,
        }
    }

    const fn of(mut self, group: &'static str) -> Op {
        self.group = group;
        self
    }

    const fn query(mut self, query: &'static [Param]) -> Op {
        self.query = query;
        self
    }

    const fn headers(mut self, headers: &'static [Param]) -> Op {
        self.headers = headers;
        self
    }

    const fn body(mut self, body: Component) -> Op {
        self.body = Some(body);
        self
    }

    const fn fails(mut self, errors: &'static [Code]) -> Op {
        self.errors = errors;
        self
    }

    const fn writes(mut self) -> Op {
        self.writes = true;
        self
    }
}

const fn get(path: &'static str, says: &'static str, gives: Gives) -> Op {
    Op::new("GET", path, says, gives)
}

const fn post(path: &'static str, says: &'static str, gives: Gives) -> Op {
    Op::new("POST", path, says, gives)
}

const fn json<T: ToSchema>() -> Gives {
    Gives::Json(component::<T>)
}

const fn text(name: &'static str, says: &'static str) -> Param {
    Param { name, says, ty: ParamType::Text }
}

const fn number(name: &'static str, says: &'static str) -> Param {
    Param { name, says, ty: ParamType::Number }
}

const fn one_of(name: &'static str, says: &'static str, of: &'static [&'static str]) -> Param {
    Param { name, says, ty: ParamType::OneOf(of) }
}

const PAGE: Param = number("page", "The page, from 1, for people who leaf; programs use `after`.");
const AFTER: Param = text("after", "The `next` of the page before.");
const LIMIT: Param = Param { name: "limit", says: "How many at the most.", ty: ParamType::UpTo(200) };
const FROM: Param =
    text("after", "The `next` that you have, or an event's id; `now` for what comes from now on.");
const TEAM: Param = text("team", "The id of a team: only what is its.");
const FROM_MONTH: Param = text("from", "The first month, `YYYY-MM`.");
const TO_MONTH: Param = text("to", "The last month, `YYYY-MM`.");
const MONTHS: &[Param] = &[FROM_MONTH, TO_MONTH, TEAM];
const GONE: &[Code] = &[Code::BadId, Code::RecordNotFound];
/// Of an edit of a record.
const EDIT: &[Code] = &[
    Code::BadId,
    Code::RecordNotFound,
    Code::EntryNotFound,
    Code::WrongKind,
    Code::WrongType,
    Code::MissingField,
    Code::UnknownValue,
    Code::BadPath,
    Code::OutOfRange,
    Code::ConfirmUnusual,
    Code::EntryWrittenOnce,
    Code::HeadsUnknown,
    Code::NotInConflict,
    Code::NotSettleable,
    Code::ChangedMeanwhile,
    Code::RecordTooLarge,
    Code::TooLarge,
    Code::TeamNotAllowed,
    Code::NhsNumberInvalid,
    Code::ChangeTooLarge,
    Code::RecordErased,
];

const WORK: &str = "Work";
const RECORDS: &str = "Records";
const FIGURES: &str = "Figures";
const PLACES: &str = "Places and people of the service";
const FHIR: &str = "FHIR";
const EXTRACTS: &str = "Extracts";
const ABOUT: &str = "About";
const EXTRACT: &[Param] = &[
    text("after", "The place that an earlier answer gave; everything without it."),
    number("limit", "Records at the most."),
];

pub const OPS: &[Op] = &[
    get("/api/v1/today", "What is to be done, the most urgent first.", json::<api::Today>())
        .of(WORK)
        .query(&[
            one_of(
                "part",
                "Only this part of the list.",
                &["urgent", "follow_up", "arrange", "referral", "conflict", "held", "in_hand"],
            ),
            TEAM,
            text("site", "Only checks of sessions at the site with this id."),
            one_of("when", "`today`: only checks that began today.", &["today"]),
            one_of("who", "`me`: only what this account is on.", &["me"]),
            PAGE,
            AFTER,
        ])
        .fails(&[Code::CursorInvalid]),
    get("/api/v1/follow-ups", "Follow-ups and referrals that wait for the team.", json::<api::FollowUps>())
        .of(WORK)
        .query(&[
            one_of("show", "Only these.", &["overdue", "due", "coming", "undated", "all"]),
            PAGE,
            AFTER,
        ])
        .fails(&[Code::CursorInvalid]),
    get("/api/v1/duplicates", "People who may be one, the likeliest first.", json::<api::Duplicates>())
        .of(WORK)
        .query(&[PAGE, AFTER])
        .fails(&[Code::CursorInvalid]),
    get("/api/v1/conflicts", "Records other than checks in which values disagree.", json::<api::Disputed>())
        .of(WORK)
        .query(&[PAGE, AFTER])
        .fails(&[Code::CursorInvalid]),
    get(
        "/api/v1/quarantine",
        "Changes that could not be accepted, whole, and why; the latest first.",
        json::<api::HeldChanges>(),
    )
    .of(WORK)
    .query(&[AFTER, LIMIT])
    .fails(&[Code::CursorInvalid]),
    post("/api/v1/quarantine/{hash}/seen", "Says that somebody has looked at it.", json::<shapes::Looked>())
        .of(WORK)
        .body(component::<shapes::LookedAt>)
        .fails(&[Code::NotFound])
        .writes(),
    post("/api/v1/records/{id}/claim", "Takes on whom a check is about.", json::<shapes::Taken>())
        .of(WORK)
        .body(component::<shapes::Take>)
        .fails(&[Code::BadId, Code::RecordNotFound, Code::ChangedMeanwhile])
        .writes(),
    get("/api/v1/urgent", "Checks that call for somebody today, as they came to be.", json::<api::UrgentChecks>())
        .of(WORK)
        .query(&[FROM, LIMIT])
        .fails(&[Code::CursorInvalid]),
    get("/api/v1/urgent/stream", "The same as a stream of events that stays open.", Gives::Events)
        .of(WORK)
        .query(&[FROM])
        .fails(&[Code::CursorInvalid, Code::Busy]),
    get("/api/v1/checks", "Checks in the order in which they began, a page at a time.", json::<api::Checks>())
        .of(RECORDS)
        .query(&[
            text("from", "The first day, `YYYY-MM-DD`, in London."),
            text("to", "The last day."),
            text("category", "Only these categories, with commas between them: NORMAL, HIGH, HIGH_STAGE1, HIGH_STAGE2, VERY_HIGH, LOW, PREG_NOT_HIGH, PREG_HIGH, PREG_SEVERE."),
            TEAM,
            AFTER,
            LIMIT,
        ])
        .fails(&[Code::BadId, Code::CursorInvalid]),
    post("/api/v1/find", "People, sites and sessions, by what somebody typed.", json::<api::Found>())
        .of(RECORDS)
        .body(component::<shapes::Wanted>)
        .fails(&[Code::OutOfRange]),
    get(
        "/api/v1/people/{id}",
        "A person with all checks, and with those of everybody who was merged with them.",
        Gives::Tagged(component::<api::Person>),
    )
    .of(RECORDS)
    .fails(GONE),
    get("/api/v1/people/{id}/beside/{other}", "Two people next to each other.", json::<api::SideBySide>())
        .of(RECORDS)
        .fails(GONE),
    get(
        "/api/v1/checks/{id}",
        "A check or conversation, with what it refers to.",
        Gives::Tagged(component::<api::Check>),
    )
    .of(RECORDS)
    .fails(GONE),
    get(
        "/api/v1/records/{id}/history",
        "All changes of a record, in their order.",
        Gives::TaggedList(component::<api::Change>),
    )
    .of(RECORDS)
    .fails(GONE),
    post(
        "/api/v1/records/{id}/settle",
        "Settles values that disagree, on the heads that were shown.",
        Gives::Made(component::<shapes::Written>),
    )
    .of(RECORDS)
    .body(component::<shapes::Decided>)
    .fails(EDIT)
    .writes(),
    post(
        "/api/v1/records/{id}/act",
        "Does one thing to a record: a call, what became of a referral, a correction.",
        Gives::Made(component::<shapes::Written>),
    )
    .of(RECORDS)
    .body(component::<shapes::Act>)
    .fails(EDIT)
    .writes(),
    get("/api/v1/sessions", "The sessions of one month.", json::<api::Sessions>()).of(PLACES).query(&[
        text("month", "`YYYY-MM`; the last one that has sessions by now where it is missing."),
        text("site", "The id of a site."),
        TEAM,
    ]),
    get(
        "/api/v1/sessions/{id}",
        "A session with whom it saw.",
        Gives::Tagged(component::<api::PopUp>),
    )
    .of(PLACES)
    .fails(GONE),
    get("/api/v1/sites", "Sites, a page at a time.", json::<api::Sites>())
        .of(PLACES)
        .query(&[AFTER, LIMIT])
        .fails(&[Code::CursorInvalid]),
    get("/api/v1/teams", "Teams, a page at a time.", json::<team::Teams>())
        .of(PLACES)
        .query(&[AFTER, LIMIT])
        .fails(&[Code::CursorInvalid]),
    get("/api/v1/teams/{id}", "A team's staff, services and settings.", json::<team::Team>())
        .of(PLACES)
        .fails(GONE),
    get("/api/v1/fleet", "The tablets, the one that was silent longest first.", json::<api::Fleet>())
        .of(PLACES)
        .query(&[AFTER, LIMIT])
        .fails(&[Code::CursorInvalid]),
    get("/api/v1/reach", "Whom the team reaches. No small numbers.", json::<reach::Reach>())
        .of(FIGURES)
        .query(MONTHS),
    get("/api/v1/quality", "Whether the records can be trusted. No small numbers.", json::<quality::Quality>())
        .of(FIGURES)
        .query(MONTHS),
    get("/api/v1/checks/{id}/fhir", "A check and all it refers to: a transaction.", Gives::Fhir)
        .of(FHIR)
        .fails(GONE),
    get("/api/v1/sessions/{id}/fhir", "Every check of a session: a transaction.", Gives::Fhir)
        .of(FHIR)
        .fails(GONE),
    get("/api/v1/checks/{id}/gp-summary", "A document for the practice.", Gives::Fhir).of(FHIR).fails(&[
        Code::BadId,
        Code::RecordNotFound,
        Code::WrongKind,
        Code::ConsentMissing,
    ]),
    get("/api/v1/fhir/{name}", "A resource a line, of one type: what changed since a place.", Gives::Lines)
        .of(FHIR)
        .query(&[
            text("after", "The place that an earlier answer gave; everything without it."),
            number("limit", "Records at the most."),
        ])
        .fails(&[Code::NotFound, Code::CursorInvalid, Code::Busy]),
    get(
        "/api/v1/extracts/{name}",
        "A CSV file that names people (`people.csv`, `contacts.csv`, ...): what changed since a place.",
        Gives::Text("text/csv"),
    )
    .of(EXTRACTS)
    .query(EXTRACT)
    .headers(&[text("wayside-reason", "Why, for the audit trail.")])
    .fails(&[Code::NotFound, Code::CursorInvalid, Code::Busy, Code::MissingField, Code::OutOfRange]),
    get(
        "/api/v1/pseudonymous/{recipient}/{name}",
        "The same without names, with the pseudonyms of a recipient, by its number.",
        Gives::Text("text/csv"),
    )
    .of(EXTRACTS)
    .query(EXTRACT)
    .fails(&[Code::NotFound, Code::RecipientUnknown, Code::CursorInvalid, Code::Busy]),
    get("/api/v1/extracts/dictionary.csv", "What every column means.", Gives::Text("text/csv")).of(EXTRACTS),
    get("/api/v1/extracts/dictionary.json", "The same as JSON.", json::<shapes::Dictionary>()).of(EXTRACTS),
    get("/api/v1/openapi.json", "This document.", Gives::Document).of(ABOUT),
];
