//! CSV extracts: files for a data warehouse or a spreadsheet, whole or what changed since a place in the logs.
//!
//! `columns` says what a file has (from the schema), `notes` what each column means and whether it leaves without a name,
//! `rows` what a record comes to, `cells` how a value is written, `pseudonym` what ids become, `dictionary` tells all that
//! to people and programs. Pure but for the views, which `write` follows in one snapshot.
//!
//! - **A row says how it stands.** What was struck out, entered in error or erased comes again, marked.
//! - **What disagrees is nobody's truth**: its columns are empty, and `unsettled` names them. Of a blood pressure both
//!   numbers go or none.
//! - **A cut file is noticed**: its last row is not `end`.

mod cells;
mod columns;
mod dictionary;
mod notes;
mod pseudonym;
mod rows;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::Write;

use serde_json::{Value, json};
use wayside_protocol::clinical::{derive, ethnic_category};
use wayside_protocol::record::RecordId;

use self::cells::{defused, text};
use self::columns::{Origin, Ty};
use self::notes::Shared;
use self::rows::{Row, rows};
use crate::error::{Error, Result};
use crate::fhir::instant;
use crate::views::{Position, Views, age_band};

pub use columns::{Column, File};
pub use dictionary::{dictionary_csv, dictionary_json};
pub use pseudonym::Pseudonyms;
pub use rows::Source;

/// A number with more digits than anything that is measured or counted could be somebody's: no pseudonymised file has it.
const MOST: f64 = 9999.0;
/// Bytes that are written at once.
const PIECE: usize = 64 * 1024;
/// What stands for a text that is none of the codes.
const OTHER: &str = "other";

/// Which file, and for whom: without pseudonyms it is identifiable.
#[derive(Clone)]
pub struct Extract {
    pub file: File,
    pub pseudonyms: Option<Pseudonyms>,
}

impl Extract {
    /// What it is called where it is saved: one of a few words of ours.
    pub fn name(&self) -> String {
        let how = if self.pseudonyms.is_some() { "-pseudonymised" } else { "" };
        format!("wayside-{}{how}.csv", self.file.as_str())
    }

    /// Writes the rows of what changed in each part of the logs (after a number, up to a position), and at the end the
    /// place from which to ask next. Nothing is held but one record. Inside a snapshot of the views.
    pub fn write(
        &self,
        views: &Views,
        parts: &[(u64, Position)],
        next: &str,
        out: impl Write,
    ) -> Result<u64> {
        let mut sheet = Sheet::begin(self, out)?;
        for (from, until) in parts {
            let (kind, with_owner) = (self.file.kind(), self.needs_rules());
            views.extracted(until.team, kind, with_owner, (*from, until.seq), |found| match found {
                Extracted::Gone(id) => sheet.gone(id),
                Extracted::There { id, record, owner, person } => {
                    let derived = with_owner.then(|| derive(&record, owner.as_ref()));
                    sheet.record(&Source { id, team: until.team, record, person, derived })
                }
            })?;
        }
        sheet.end(next)
    }

    fn needs_rules(&self) -> bool {
        matches!(self.file, File::Contacts | File::Readings)
    }
}

/// A record that changed, as [`Views::extracted`] finds it.
pub enum Extracted {
    /// It was erased: of what kind it was nobody knows any more.
    Gone(RecordId),
    There {
        id: RecordId,
        /// With its conflicts.
        record: Value,
        /// Of a contact the person that it names, with conflicts, where that was wanted.
        owner: Option<Value>,
        /// The record that stands for the person.
        person: Option<RecordId>,
    },
}

/// A file as it grows.
struct Sheet<'a, W: Write> {
    csv: csv::Writer<W>,
    extract: &'a Extract,
    columns: Vec<&'static Column>,
    rows: u64,
}

fn unwritable(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::File("output", error),
        _ => Error::Internal("a row of an extract"),
    }
}

impl<'a, W: Write> Sheet<'a, W> {
    fn begin(extract: &'a Extract, out: W) -> Result<Self> {
        let columns: Vec<&'static Column> = match extract.pseudonyms {
            Some(_) => extract.file.shared_columns().collect(),
            None => extract.file.columns().iter().collect(),
        };
        // RFC 4180.
        let mut csv = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .buffer_capacity(PIECE)
            .from_writer(out);
        csv.write_record(columns.iter().map(|column| &column.name)).map_err(unwritable)?;
        Ok(Sheet { csv, extract, columns, rows: 0 })
    }

    fn record(&mut self, source: &Source) -> Result<()> {
        let Sheet { csv, extract, columns, rows: count } = self;
        rows(extract.file, source, columns, |row| {
            for column in columns.iter() {
                let cell = extract.cell(row, column);
                csv.write_field(defused(&cell).as_bytes()).map_err(unwritable)?;
            }
            *count += 1;
            csv.write_record(None::<&[u8]>).map_err(unwritable)
        })
    }

    /// The row of a record that was erased.
    fn gone(&mut self, id: RecordId) -> Result<()> {
        let id = id.to_string();
        let id = self.extract.pseudonyms.as_ref().map_or_else(|| id.clone(), |made| made.of(&id));
        self.ours("erased", &id)
    }

    fn end(mut self, next: &str) -> Result<u64> {
        self.ours("end", next)?;
        self.csv.flush().map_err(|error| Error::File("output", error))?;
        // Without the one that says so.
        Ok(self.rows - 1)
    }

    /// A row that says something of no record: its status, and one thing more.
    fn ours(&mut self, status: &str, about: &str) -> Result<()> {
        let rest = self.columns.len().saturating_sub(2);
        let about = defused(about);
        let cells = [status, &about].into_iter().chain(std::iter::repeat_n("", rest));
        self.rows += 1;
        self.csv.write_record(cells).map_err(unwritable)
    }
}

impl Extract {
    fn cell<'a>(&self, row: &Row<'a>, column: &Column) -> Cow<'a, str> {
        if column.origin == Origin::Unsettled {
            return Cow::Owned(self.unsettled(row));
        }
        let settled = !row.is_unsettled(column);
        let Some(value) = row.value(column).filter(|_| settled) else { return Cow::Borrowed("") };
        match &self.pseudonyms {
            Some(pseudonyms) => Cow::Owned(shared(column, &value, pseudonyms, || row.entry_path())),
            None => plain(column, value),
        }
    }

    /// Empty where everything is settled. In a pseudonymised file names of its columns, never values.
    fn unsettled(&self, row: &Row) -> String {
        if row.unsettled.is_empty() {
            return String::new();
        }
        let all = row.unsettled.iter();
        let told: Vec<Value> = match self.pseudonyms {
            Some(_) => all.map(|(name, _)| json!(name)).collect(),
            None => all.map(|(name, values)| json!({"column": name, "values": values})).collect(),
        };
        Value::from(told).to_string()
    }
}

/// As it stands in the record; times with the offset of London.
fn plain<'a>(column: &Column, value: Cow<'a, Value>) -> Cow<'a, str> {
    if let Some(at) = value.as_str().filter(|_| column.ty == Ty::Time).and_then(instant) {
        return Cow::Owned(at);
    }
    match value {
        Cow::Borrowed(value) => text(value),
        Cow::Owned(value) => Cow::Owned(text(&value).into_owned()),
    }
}

/// What a recipient of pseudonyms is told of a value.
fn shared(
    column: &Column,
    value: &Value,
    pseudonyms: &Pseudonyms,
    entry: impl FnOnce() -> Option<String>,
) -> String {
    match column.note.shared {
        Shared::Never | Shared::Names => String::new(),
        // A team is nobody in particular.
        Shared::Same if column.origin == Origin::Team => text(value).into_owned(),
        Shared::Same => same(column, value),
        Shared::Month => value.as_str().and_then(month).unwrap_or_default(),
        Shared::Pseudonym if column.origin == Origin::Entry => {
            entry().map(|path| pseudonyms.of(&path)).unwrap_or_default()
        }
        Shared::Pseudonym => value.as_str().map(|id| pseudonyms.of(id)).unwrap_or_default(),
        Shared::AgeBand => match value {
            Value::String(written) => age_band(written).to_owned(),
            Value::Number(years) => age_band(&format!("{years}-{years}")).to_owned(),
            _ => String::new(),
        },
        Shared::National => {
            let code = value.as_str().unwrap_or_default();
            ethnic_category(code).map_or(OTHER, |category| category.code).to_owned()
        }
    }
}

/// A code, never a text; a small number; true or false.
fn same(column: &Column, value: &Value) -> String {
    let code = |text: &str| {
        let known = column.codes.iter().find(|(code, _)| code == text);
        known.map_or(OTHER, |(code, _)| code.as_str()).to_owned()
    };
    match value {
        Value::String(text) => code(text),
        Value::Array(members) => {
            let mut told: Vec<String> = Vec::new();
            for member in members.iter().map(|member| code(member.as_str().unwrap_or_default())) {
                if !told.contains(&member) {
                    told.push(member);
                }
            }
            json!(told).to_string()
        }
        Value::Bool(_) => text(value).into_owned(),
        Value::Number(number) if number.as_f64().is_some_and(|n| n.abs() <= MOST) => number.to_string(),
        Value::Number(_) | Value::Object(_) => OTHER.to_owned(),
        Value::Null => String::new(),
    }
}

/// `2026-11` of a date, or of a time in London.
fn month(text: &str) -> Option<String> {
    let day: Option<jiff::civil::Date> = text.parse().ok().filter(|_| text.len() == 10);
    let whole = match day {
        Some(day) => day.to_string(),
        None => instant(text)?,
    };
    whole.get(..7).map(str::to_owned)
}
