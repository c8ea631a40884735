//! The data dictionary: every column of every file, from the same tables that the files are made by.

use serde_json::{Value, json};

use super::cells::defused;
use super::columns::{Column, File, Origin};
use crate::error::{Error, Result};

const HEAD: [&str; 10] =
    ["file", "position", "column", "type", "unit", "codes", "field", "source", "meaning", "pseudonymised"];

/// As a CSV file, a column of a file on each line.
pub fn dictionary_csv() -> Result<String> {
    let failed = || Error::Internal("the data dictionary");
    let mut sheet = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    sheet.write_record(HEAD).map_err(|_| failed())?;
    for file in File::ALL {
        for (position, column) in (1_usize..).zip(file.columns()) {
            let codes: Vec<String> =
                column.codes.iter().map(|(code, label)| format!("{code}: {label}")).collect();
            let cells = [
                file.as_str().to_owned(),
                position.to_string(),
                column.name.clone(),
                column.ty.as_str().to_owned(),
                column.note.unit.to_owned(),
                codes.join("; "),
                field(file, column),
                column.note.source.to_owned(),
                column.note.about.to_owned(),
                column.note.shared.as_str().to_owned(),
            ];
            sheet.write_record(cells.iter().map(|cell| defused(cell).into_owned())).map_err(|_| failed())?;
        }
    }
    String::from_utf8(sheet.into_inner().map_err(|_| failed())?).map_err(|_| failed())
}

/// The same as JSON: `{files: [{file, columns: [...]}]}`.
pub fn dictionary_json() -> Value {
    let files = File::ALL.into_iter().map(|file| {
        let columns = (1_usize..).zip(file.columns()).map(|(position, column)| {
            let codes = column.codes.iter().map(|(code, label)| json!({"code": code, "label": label}));
            json!({"position": position, "column": column.name, "type": column.ty.as_str(),
                "unit": column.note.unit, "codes": codes.collect::<Vec<_>>(), "field": field(file, column),
                "source": column.note.source, "meaning": column.note.about,
                "pseudonymised": column.note.shared.as_str()})
        });
        json!({"file": file.as_str(), "columns": columns.collect::<Vec<_>>()})
    });
    json!({"files": files.collect::<Vec<_>>()})
}

/// Where it stands in the records (`contact: bp/pulse_rhythm`); empty where it is found by us.
fn field(file: File, column: &Column) -> String {
    let kind = file.kind().as_str();
    match (&column.origin, file.entries()) {
        (Origin::Field(way), _) => format!("{kind}: {}", way.join("/")),
        (Origin::Member(name), Some(map)) => format!("{kind}: {map}/*/{name}"),
        (Origin::Tally(name), _) => format!("{kind}: tallies/{name}"),
        (Origin::StruckOut, Some(map)) => format!("{kind}: {map}/*/struck_out/reason"),
        (Origin::Record, _) => format!("{kind}: id"),
        _ => String::new(),
    }
}
