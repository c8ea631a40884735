//! The schema of the five records, as data: what `flatten` accepts, `check` admits and `view` shows.
//!
//! A field that is not in these tables is kept and passed on, whatever it holds.

/// Version of these tables, written into every record that is begun.
pub const SCHEMA_VERSION: i64 = 1;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Team,
    Site,
    Session,
    Person,
    Contact,
}

impl Kind {
    pub const ALL: [Kind; 5] = [Kind::Team, Kind::Site, Kind::Session, Kind::Person, Kind::Contact];

    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Team => "team",
            Kind::Site => "site",
            Kind::Session => "session",
            Kind::Person => "person",
            Kind::Contact => "contact",
        }
    }

    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The fields of this kind, without those that every record has.
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Kind::Team => TEAM,
            Kind::Site => SITE,
            Kind::Session => SESSION,
            Kind::Person => PERSON,
            Kind::Contact => CONTACT,
        }
    }
}

/// The type of one scalar, or of one member of a composite value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Text,
    Int,
    Number,
    Bool,
    /// `YYYY-MM-DD`.
    Date,
    /// RFC 3339; stored in UTC.
    Time,
    /// A record's id.
    Id,
    /// An entry's id in the same record.
    Entry,
    /// One of a closed list of codes.
    Code(&'static [&'static str]),
    /// An ethnic category of the pack: national code, optional local second character.
    EthnicCategory,
    /// Whatever JSON holds.
    Any,
}

/// A member of a composite value.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    pub name: &'static str,
    pub ty: Type,
    pub required: bool,
}

/// How a field lies in the document.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// One scalar at the field's path.
    One(Type),
    /// One canonical-JSON object at the field's path: values that only make sense together.
    Composite(&'static [Member]),
    /// A key for each member, true when it is in the set.
    Set(Type),
    /// Entries by id, each one canonical-JSON object written once.
    Entries(&'static [Member]),
    /// Entries `{name, n}`, shown as sums by name.
    Tallies,
    /// A nested object whose fields are paths of their own.
    Group(&'static [Field]),
    /// Members that an integrator adds: each one value, kept as is.
    Open,
}

#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    pub shape: Shape,
    pub required: bool,
}

const fn field(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false }
}

const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: true }
}

const fn member(name: &'static str, ty: Type) -> Member {
    Member { name, ty, required: false }
}

const fn needed(name: &'static str, ty: Type) -> Member {
    Member { name, ty, required: true }
}

const fn text(name: &'static str) -> Field {
    field(name, Shape::One(Type::Text))
}

/// Fields of every record. `team`, `created`, `conflicts` and `derived` are not here: they are
/// shown, never stored.
pub const COMMON: &[Field] = &[
    required("id", Shape::One(Type::Id)),
    required("kind", Shape::One(Type::Text)),
    required("schema", Shape::One(Type::Int)),
    field("declined", Shape::Set(Type::Text)),
    field(
        "entered_in_error",
        Shape::Composite(&[member("at", Type::Time), member("by", Type::Text), needed("reason", Type::Text)]),
    ),
    field("ext", Shape::Open),
    field(
        AMENDMENTS,
        Shape::Entries(&[
            needed("entry", Type::Text),
            needed("set", Type::Any),
            member("supersedes", Type::Any),
        ]),
    ),
];

/// Where a later entry says what happened to an earlier one: `{entry: path, set: {struck_out: ...}}`.
pub const AMENDMENTS: &str = "amendments";

/// What an amendment may set: nothing that the entry itself says.
pub const AMENDABLE: &[Member] = &[
    member("struck_out", Type::Any),
    member("withdrawn_at", Type::Time),
    member("returned_at", Type::Time),
    member("active", Type::Bool),
];

/// Maps of a team's record whose entries base amends as a whole: people and services change their names and
/// numbers, and stay who they are.
const AMENDED_AT_BASE: &[&str] = &["staff", "services", "devices"];

/// What an amendment of the entry at this path may set.
pub fn amendable(entry: &str) -> Vec<Member> {
    let at_base = entry.split('/').next().is_some_and(|map| AMENDED_AT_BASE.contains(&map));
    let own = match at(Kind::Team, entry) {
        At::Entry(members) if at_base => members,
        _ => &[],
    };
    own.iter().chain(AMENDABLE).map(|member| Member { required: false, ..*member }).collect()
}

/// Names that a door shows in an entry but no entry holds.
pub const FOLDED_IN: &[&str] = &["corrected_by", "struck_out", "withdrawn_at", "returned_at"];

/// Names that a door shows but no document holds.
pub const SHOWN_ONLY: &[&str] = &["team", "created", "conflicts", "derived", "quarantined"];

const NOTES: Shape =
    Shape::Entries(&[needed("text", Type::Text), member("at", Type::Time), member("by", Type::Text)]);
const ADDRESS: Shape = Shape::Composite(&[member("lines", Type::Any), member("postcode", Type::Text)]);

const TEAM: &[Field] = &[
    required("name", Shape::One(Type::Text)),
    field(
        "staff",
        Shape::Entries(&[
            needed("name", Type::Text),
            member("role", Type::Text),
            member("pin", Type::Any),
            member("active", Type::Bool),
        ]),
    ),
    field(
        "services",
        Shape::Entries(&[
            needed("name", Type::Text),
            member("kind", Type::Text),
            member("phone", Type::Text),
            member("hours", Type::Any),
            member("area", Type::Any),
            member("active", Type::Bool),
        ]),
    ),
    field("plus_groups", Shape::Set(Type::Text)),
    field(
        "devices",
        Shape::Entries(&[
            member("make", Type::Text),
            member("model", Type::Text),
            member("validated", Type::Bool),
            member("calibrated_on", Type::Date),
        ]),
    ),
    field("settings", Shape::Open),
];

/// What a site may be.
pub const SITE_TYPES: &[&str] = &[
    "mosque",
    "church",
    "gurdwara",
    "mandir",
    "synagogue",
    "community_centre",
    "market",
    "shop",
    "workplace",
    "hostel",
    "school",
    "library",
    "car_park",
    "other",
];

/// Attendance at a place of worship can reveal religion (clinical pack, 10.1).
pub const PLACES_OF_WORSHIP: &[&str] = &["mosque", "church", "gurdwara", "mandir", "synagogue"];

const SITE: &[Field] = &[
    required("name", Shape::One(Type::Text)),
    field("type", Shape::One(Type::Code(SITE_TYPES))),
    field("address", ADDRESS),
    text("notes"),
    field("active", Shape::One(Type::Bool)),
    field("merged_into", Shape::One(Type::Id)),
];

const SESSION: &[Field] = &[
    required("site", Shape::One(Type::Id)),
    required("date", Shape::One(Type::Date)),
    field("starts_at", Shape::One(Type::Time)),
    field("ends_at", Shape::One(Type::Time)),
    field("setting", Shape::One(Type::Code(&["van", "bus", "pop_up", "home_visit"]))),
    text("vehicle"),
    field("staff", Shape::Set(Type::Text)),
    field("languages", Shape::Set(Type::Text)),
    field("audience", Shape::Set(Type::Text)),
    field("tallies", Shape::Tallies),
    field("notes", NOTES),
    field("merged_into", Shape::One(Type::Id)),
];

/// Where the two ways to know somebody's age are kept as one value. At the doors its members stand
/// beside the other fields of a person.
pub const BIRTH: &str = "birth";
pub const BIRTH_MEMBERS: &[Member] = &[
    member("date_of_birth", Type::Date),
    member("age_years", Type::Int),
    member("age_as_of", Type::Date),
    member("age_is_estimate", Type::Bool),
];

const PERSON: &[Field] = &[
    field("name", Shape::Group(&[text("given"), text("family")])),
    field(BIRTH, Shape::Composite(BIRTH_MEMBERS)),
    text("sex"),
    text("gender"),
    field("nhs_number", Shape::Composite(&[needed("value", Type::Text), member("status", Type::Text)])),
    text("nhs_number_absent_reason"),
    field("address", ADDRESS),
    text("postcode_status"),
    text("phone"),
    text("email"),
    field("contact_preference", Shape::One(Type::Any)),
    text("language"),
    field("interpreter_needed", Shape::One(Type::Bool)),
    field("communication_needs", Shape::Set(Type::Text)),
    field("ethnic_category", Shape::One(Type::EthnicCategory)),
    field("plus_groups", Shape::Set(Type::Text)),
    field(
        "gp",
        Shape::Group(&[
            field("registered", Shape::One(Type::Code(&["yes", "no", "refused", "unknown"]))),
            text("ods_code"),
            text("practice_name"),
            field("wants_help_to_register", Shape::One(Type::Bool)),
        ]),
    ),
    field(
        "consents",
        Shape::Entries(&[
            needed("purpose", Type::Text),
            member("given", Type::Bool),
            member("at", Type::Time),
            member("by", Type::Text),
        ]),
    ),
    field("merged_into", Shape::One(Type::Id)),
    // What a coordinator decided after looking at two who seemed to be one; undone by striking it out.
    field(
        "not_same_as",
        Shape::Entries(&[needed("person", Type::Id), member("at", Type::Time), member("by", Type::Text)]),
    ),
    field("religion", Shape::One(Type::Any)),
    field("disability", Shape::One(Type::Any)),
    field("sexual_orientation", Shape::One(Type::Any)),
    field("gender_identity", Shape::One(Type::Any)),
];

/// The members of a blood-pressure reading: mmHg and beats a minute, whole numbers.
pub const READING: &[Member] = &[
    needed("taken_at", Type::Time),
    needed("systolic", Type::Int),
    needed("diastolic", Type::Int),
    member("pulse", Type::Int),
    member("arm", Type::Text),
    member("position", Type::Text),
    member("cuff", Type::Text),
    member("method", Type::Text),
    member("device", Type::Any),
    member("setting", Type::Code(&["clinic", "hbpm", "abpm"])),
    member("by", Type::Text),
    member("confirmed_unusual", Type::Bool),
    member("corrects", Type::Entry),
    member("supersedes", Type::Any),
    member("reason", Type::Text),
];

/// The members of a measurement; units are those of the clinical pack (cm, kg, mmol/L, mmol/mol).
pub const MEASUREMENT: &[Member] = &[
    needed("what", Type::Text),
    needed("value", Type::Number),
    member("unit", Type::Text),
    member("taken_at", Type::Time),
    member("confirmed_unusual", Type::Bool),
    member("corrects", Type::Entry),
    member("supersedes", Type::Any),
    member("reason", Type::Text),
];

/// Paths of the readings and measurements of a contact.
pub const READINGS_PATH: &str = "bp/readings";
pub const MEASUREMENTS_PATH: &str = "measurements";

const PULSE_RHYTHMS: &[&str] = &["regular", "irregular", "not_checked"];
const URGENCIES: &[&str] = &["emergency", "same_day", "within_7_days", "within_3_weeks", "routine"];

const CONTACT: &[Field] = &[
    required("session", Shape::One(Type::Id)),
    field("person", Shape::One(Type::Id)),
    text("age_band"),
    text("sex"),
    field("ethnic_category", Shape::One(Type::EthnicCategory)),
    required("started_at", Shape::One(Type::Time)),
    field(
        "ended",
        Shape::Composite(&[
            member("at", Type::Time),
            member("how", Type::Code(&["completed", "left_early", "parked"])),
        ]),
    ),
    field(
        "check_type",
        Shape::One(Type::Code(&["bp_only", "nhs_health_check", "smi_physical", "learning_disability"])),
    ),
    field("reason", Shape::One(Type::Code(&["walk_up", "invited", "follow_up", "referred"]))),
    field("prior_diagnosis", Shape::Set(Type::Text)),
    field("on_treatment", Shape::One(Type::Any)),
    field("pregnant", Shape::One(Type::Bool)),
    field(
        "bp",
        Shape::Group(&[
            field("readings", Shape::Entries(READING)),
            field("pulse_rhythm", Shape::One(Type::Code(PULSE_RHYTHMS))),
            field("pulse_rhythm_again", Shape::One(Type::Code(PULSE_RHYTHMS))),
            field(
                "red_flags",
                Shape::Entries(&[
                    needed("flag", Type::Text),
                    needed("present", Type::Bool),
                    member("asked_at", Type::Time),
                ]),
            ),
            field("symptoms", Shape::Set(Type::Text)),
        ]),
    ),
    field(MEASUREMENTS_PATH, Shape::Entries(MEASUREMENT)),
    field(
        "lifestyle",
        Shape::Group(&[
            field("smoking", Shape::One(Type::Any)),
            field(
                "audit_c",
                Shape::Composite(&[
                    member("q1", Type::Int),
                    member("q2", Type::Int),
                    member("q3", Type::Int),
                ]),
            ),
            field("gppaq", Shape::Composite(&[])),
            field("family_history", Shape::Set(Type::Text)),
            field(
                "risk_score",
                Shape::Composite(&[
                    needed("name", Type::Text),
                    needed("value", Type::Number),
                    member("source", Type::Text),
                ]),
            ),
        ]),
    ),
    field(
        "advice",
        Shape::Entries(&[
            needed("code", Type::Text),
            member("category", Type::Text),
            member("rules", Type::Any),
            member("given_at", Type::Time),
            member("by", Type::Text),
            member("language", Type::Text),
        ]),
    ),
    field(
        "referrals",
        Shape::Entries(&[
            needed("to", Type::Any),
            member("urgency", Type::Code(URGENCIES)),
            member("reason", Type::Text),
            member("made_at", Type::Time),
            member("by", Type::Text),
            member("how", Type::Text),
        ]),
    ),
    field(
        "referral_events",
        Shape::Entries(&[
            needed("referral", Type::Entry),
            needed(
                "status",
                Type::Code(&["sent", "received", "attended", "did_not_attend", "declined", "closed"]),
            ),
            member("outcome", Type::Any),
            member("at", Type::Time),
            member("by", Type::Text),
        ]),
    ),
    field(
        "follow_ups",
        Shape::Entries(&[needed("type", Type::Text), member("due_on", Type::Date), member("for", Type::Any)]),
    ),
    field(
        "follow_up_events",
        Shape::Entries(&[
            needed("follow_up", Type::Entry),
            needed("status", Type::Code(&["done", "rearranged", "not_reached", "declined"])),
            member("reason_missed", Type::Any),
            // Of one that was rearranged.
            member("due_on", Type::Date),
            member("at", Type::Time),
            member("by", Type::Text),
        ]),
    ),
    field(
        "calls",
        Shape::Entries(&[
            needed("outcome", Type::Code(&["tried", "no_answer", "reached"])),
            member("at", Type::Time),
            member("by", Type::Text),
            member("spoke_to", Type::Text),
            member("about", Type::Text),
        ]),
    ),
    field("monitor_loan", Shape::Composite(&[member("device", Type::Any), member("lent_at", Type::Time)])),
    field("notes", NOTES),
    field("satisfaction", Shape::One(Type::Int)),
];

/// What lies at a path of the document.
#[derive(Debug, Clone, Copy)]
pub enum At {
    /// The whole of a field.
    Field(Shape),
    /// A member of a set.
    SetMember,
    /// An entry, with the members it may hold.
    Entry(&'static [Member]),
    /// One entry of a tally.
    TallyEntry,
    /// A value below an open field.
    OpenMember,
    /// Not in the schema: kept and passed on.
    Unknown,
}

/// Finds what the schema says of a document path.
pub fn at(kind: Kind, path: &str) -> At {
    let (first, rest) = first_of(path);
    let found = COMMON.iter().chain(kind.fields()).find(|field| field.name == first);
    found.map_or(At::Unknown, |field| below(field.shape, rest))
}

/// A path's first segment as it stands (no field's name needs escaping), and the path below it.
fn first_of(path: &str) -> (&str, Option<&str>) {
    path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)))
}

fn below(shape: Shape, rest: Option<&str>) -> At {
    let Some(rest) = rest else { return At::Field(shape) };
    let (first, further) = first_of(rest);
    match (shape, further) {
        (Shape::Group(fields), further) => {
            let found = fields.iter().find(|field| field.name == first);
            found.map_or(At::Unknown, |field| below(field.shape, further))
        }
        (Shape::Set(_), None) => At::SetMember,
        (Shape::Entries(members), None) => At::Entry(members),
        (Shape::Tallies, None) => At::TallyEntry,
        (Shape::Open, None) => At::OpenMember,
        _ => At::Unknown,
    }
}
