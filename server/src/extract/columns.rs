//! Which columns a file has: those of the schema, in its order, between a few of our own.

use std::sync::LazyLock;

use wayside_protocol::record::Kind;
use wayside_protocol::record::schema::{
    AMENDMENTS, BIRTH, COMMON, Field, MEASUREMENTS_PATH, Member, READINGS_PATH, Shape, Type,
};

use super::notes::{Note, Shared, note};

/// One file of an extract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum File {
    People,
    Contacts,
    Readings,
    Measurements,
    FollowUps,
    Referrals,
    Sessions,
    Sites,
}

impl File {
    pub const ALL: [File; 8] = [
        File::People,
        File::Contacts,
        File::Readings,
        File::Measurements,
        File::FollowUps,
        File::Referrals,
        File::Sessions,
        File::Sites,
    ];

    /// Its name in addresses and directories, without the ending.
    pub const fn as_str(self) -> &'static str {
        match self {
            File::People => "people",
            File::Contacts => "contacts",
            File::Readings => "readings",
            File::Measurements => "measurements",
            File::FollowUps => "follow_ups",
            File::Referrals => "referrals",
            File::Sessions => "sessions",
            File::Sites => "sites",
        }
    }

    pub fn parse(text: &str) -> Option<File> {
        File::ALL.into_iter().find(|file| file.as_str() == text)
    }

    /// The kind of the records that it is made from.
    pub const fn kind(self) -> Kind {
        match self {
            File::People => Kind::Person,
            File::Sessions => Kind::Session,
            File::Sites => Kind::Site,
            _ => Kind::Contact,
        }
    }

    /// The map of its records whose entries are its rows; `None` where each record is a row.
    pub const fn entries(self) -> Option<&'static str> {
        match self {
            File::Readings => Some(READINGS_PATH),
            File::Measurements => Some(MEASUREMENTS_PATH),
            File::FollowUps => Some("follow_ups"),
            File::Referrals => Some("referrals"),
            File::People | File::Contacts | File::Sessions | File::Sites => None,
        }
    }

    /// Whether there is a pseudonymised one: of sites only their ids could go, and sessions have them.
    pub const fn is_shared(self) -> bool {
        !matches!(self, File::Sites)
    }

    /// In the order in which they stand in the file.
    pub fn columns(self) -> &'static [Column] {
        static ALL: LazyLock<Vec<(File, Vec<Column>)>> =
            LazyLock::new(|| File::ALL.into_iter().map(|file| (file, columns(file))).collect());
        ALL.iter().find(|(of, _)| *of == self).map_or(&[], |(_, columns)| columns.as_slice())
    }

    /// Those of the pseudonymised file.
    pub fn shared_columns(self) -> impl Iterator<Item = &'static Column> {
        self.columns().iter().filter(|column| column.note.shared != Shared::Never)
    }
}

/// Where the value of a column comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// How the row stands; of the last row, that the file is whole.
    Status,
    /// The id of the record.
    Record,
    /// The id of the entry that was written first at its place.
    Entry,
    Team,
    /// The record that stands for the person.
    Person,
    /// A field of the record, by the names on the way to it at the doors.
    Field(Vec<&'static str>),
    /// A member of the entry.
    Member(&'static str),
    /// What the rules make of a contact.
    Derived(&'static str),
    /// How a follow-up or referral stands after its events.
    Task(&'static str),
    /// Whether a reading decided what the contact came to.
    Counts,
    /// Whether the entry stands in the place of an earlier one.
    Corrected,
    /// Why the entry was struck out.
    StruckOut,
    /// The sum of one tally.
    Tally(&'static str),
    /// Which columns nobody has settled.
    Unsettled,
}

/// What a cell holds, beside being empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ty {
    Text,
    Integer,
    Number,
    Boolean,
    /// `YYYY-MM-DD`.
    Date,
    /// ISO 8601 with the offset of London.
    Time,
    Id,
    /// One of the column's codes; one that a newer or another program wrote may stand there, too.
    Code,
    /// A JSON list of texts.
    List,
    Json,
    /// A text as it is, anything else as JSON.
    Any,
}

impl Ty {
    pub const fn as_str(self) -> &'static str {
        match self {
            Ty::Text => "text",
            Ty::Integer => "integer",
            Ty::Number => "number",
            Ty::Boolean => "true or false",
            Ty::Date => "date",
            Ty::Time => "time with offset",
            Ty::Id => "id",
            Ty::Code => "code",
            Ty::List => "JSON list",
            Ty::Json => "JSON",
            Ty::Any => "text or JSON",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub origin: Origin,
    pub ty: Ty,
    /// Its path in the record, as in `conflicts`; empty where no field has it.
    pub path: String,
    /// Every code, with its label: those of the schema, then those of its note.
    pub codes: Vec<(String, String)>,
    pub note: Note,
}

/// Maps whose entries have a file of their own, or are told in one.
const ELSEWHERE: &[&str] =
    &[READINGS_PATH, MEASUREMENTS_PATH, "follow_ups", "follow_up_events", "referrals", "referral_events"];

/// Fields of every record that are columns.
const KEPT: &[&str] = &["declined", "entered_in_error", "ext"];

/// Of what is counted at a session (records, `tallies`): those that have a column.
const TALLIES: &[&str] = &["approached", "conversations", "declined", "leaflets", "helped_to_register"];

/// Members of entries that only tell which entry they replace: [`Origin::Corrected`] says so.
const REPLACES: &[&str] = &["corrects", "supersedes"];

struct Growing {
    file: File,
    columns: Vec<Column>,
}

fn columns(file: File) -> Vec<Column> {
    let mut growing = Growing { file, columns: Vec::new() };
    growing.own("status", Origin::Status, Ty::Code);
    match file.entries() {
        None => growing.record(),
        Some(map) => growing.entry(map),
    }
    growing.own("unsettled", Origin::Unsettled, Ty::Json);
    growing.columns
}

impl Growing {
    fn push(&mut self, name: String, origin: Origin, ty: Ty, path: String, listed: &'static [&'static str]) {
        let note = note(self.file, &name).unwrap_or(Note::MISSING);
        // Texts of which we know the codes.
        let ty = if ty == Ty::Text && note.has_codes() { Ty::Code } else { ty };
        let listed = listed.iter().map(|code| ((*code).to_owned(), code.replace('_', " ")));
        let codes = listed.chain((note.codes)()).collect();
        self.columns.push(Column { name, origin, ty, path, codes, note });
    }

    fn own(&mut self, name: &str, origin: Origin, ty: Ty) {
        self.push(name.to_owned(), origin, ty, String::new(), &[]);
    }

    fn record(&mut self) {
        self.own("id", Origin::Record, Ty::Id);
        self.own("team", Origin::Team, Ty::Id);
        if matches!(self.file, File::People | File::Contacts) {
            self.own("person", Origin::Person, Ty::Id);
        }
        for field in self.file.kind().fields() {
            // A contact's person is told by the record that stands for it.
            if !(self.file == File::Contacts && field.name == "person") {
                self.field(&[], field);
            }
        }
        if self.file == File::Contacts {
            for (name, ty) in [
                ("category", Ty::Code),
                ("actions", Ty::List),
                ("urgency", Ty::Code),
                ("systolic", Ty::Integer),
                ("diastolic", Ty::Integer),
                ("why", Ty::Text),
                ("another_reading_due", Ty::Boolean),
                ("bmi", Ty::Number),
                ("age", Ty::Integer),
                ("rules", Ty::Text),
            ] {
                self.own(name, Origin::Derived(name), ty);
            }
        }
        for field in COMMON.iter().filter(|field| KEPT.contains(&field.name)) {
            self.field(&[], field);
        }
        for (name, ty) in [("at", Ty::Time), ("by", Ty::Text), ("tablet", Ty::Text)] {
            self.own(&format!("created_{name}"), Origin::Field(vec!["created", name]), ty);
        }
    }

    fn field(&mut self, parents: &[&'static str], field: &Field) {
        let way = [parents, &[field.name]].concat();
        let path = way.join("/");
        match field.shape {
            Shape::One(ty) => self.at(way, path, ty),
            Shape::Composite([]) | Shape::Open => self.whole(way, path, Ty::Json),
            Shape::Composite(members) => {
                for member in members {
                    // At the doors the ways to know an age stand beside the other fields.
                    let way =
                        if path == BIRTH { vec![member.name] } else { [&way[..], &[member.name]].concat() };
                    self.at(way, path.clone(), member.ty);
                }
            }
            Shape::Set(_) => self.whole(way, path, Ty::List),
            Shape::Entries(_) if ELSEWHERE.contains(&path.as_str()) || path == AMENDMENTS => {}
            Shape::Entries(_) => self.whole(way, path, Ty::Json),
            Shape::Tallies => {
                for name in TALLIES {
                    self.own(&format!("{}_{name}", way.join("_")), Origin::Tally(name), Ty::Integer);
                }
                self.whole(way, path, Ty::Json);
            }
            Shape::Group(fields) => fields.iter().for_each(|field| self.field(&way, field)),
        }
    }

    fn whole(&mut self, way: Vec<&'static str>, path: String, ty: Ty) {
        self.push(way.join("_"), Origin::Field(way), ty, path, &[]);
    }

    fn at(&mut self, way: Vec<&'static str>, path: String, ty: Type) {
        let (ty, listed) = cell_type(ty);
        self.push(way.join("_"), Origin::Field(way), ty, path, listed);
    }

    fn entry(&mut self, map: &'static str) {
        self.own("contact", Origin::Record, Ty::Id);
        self.own("id", Origin::Entry, Ty::Id);
        self.own("team", Origin::Team, Ty::Id);
        self.own("person", Origin::Person, Ty::Id);
        self.whole(vec!["session"], "session".to_owned(), Ty::Id);
        for member in members(map).iter().filter(|member| !REPLACES.contains(&member.name)) {
            let (ty, listed) = cell_type(member.ty);
            self.push(member.name.to_owned(), Origin::Member(member.name), ty, String::new(), listed);
        }
        match self.file {
            File::FollowUps | File::Referrals => {
                for (name, ty) in [
                    ("state", Ty::Code),
                    ("due", Ty::Date),
                    ("since", Ty::Date),
                    ("attempts", Ty::Integer),
                    ("reasons_missed", Ty::List),
                    ("last_status", Ty::Code),
                    ("last_at", Ty::Time),
                    ("last_by", Ty::Text),
                    ("last_outcome", Ty::Text),
                ] {
                    self.own(name, Origin::Task(name), ty);
                }
            }
            _ => {
                if self.file == File::Readings {
                    self.own("counts", Origin::Counts, Ty::Boolean);
                }
                self.own("corrected", Origin::Corrected, Ty::Boolean);
            }
        }
        self.own("struck_out_reason", Origin::StruckOut, Ty::Text);
    }
}

/// What the entries of a map of contacts hold.
fn members(map: &str) -> &'static [Member] {
    let mut fields = Kind::Contact.fields();
    for name in map.split('/') {
        match fields.iter().find(|field| field.name == name).map(|field| field.shape) {
            Some(Shape::Group(inner)) => fields = inner,
            Some(Shape::Entries(members)) => return members,
            _ => break,
        }
    }
    &[]
}

fn cell_type(ty: Type) -> (Ty, &'static [&'static str]) {
    match ty {
        Type::Text => (Ty::Text, &[]),
        Type::Int => (Ty::Integer, &[]),
        Type::Number => (Ty::Number, &[]),
        Type::Bool => (Ty::Boolean, &[]),
        Type::Date => (Ty::Date, &[]),
        Type::Time => (Ty::Time, &[]),
        Type::Id | Type::Entry => (Ty::Id, &[]),
        Type::Code(codes) => (Ty::Code, codes),
        Type::EthnicCategory => (Ty::Code, &[]),
        Type::Any => (Ty::Any, &[]),
    }
}
