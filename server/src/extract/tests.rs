use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use wayside_protocol::clinical::derive;
use wayside_protocol::record::schema::{COMMON, Field, Shape};
use wayside_protocol::record::{Kind, RecordId};

use super::cells::undone;
use super::columns::Ty;
use super::*;
use crate::keys::Identity;

const ID: &str = "01a20221-57e6-7f0f-b5c6-452956d7cfbb";

fn pseudonyms(secret: u8) -> Pseudonyms {
    let dir = tempfile::tempdir().unwrap();
    Pseudonyms::new(&Identity::open(dir.path()).unwrap(), &[secret; 32]).unwrap()
}

/// The rows of one record as somebody reads them, by the names of their columns.
fn read(extract: &Extract, record: Value) -> Vec<Value> {
    let id: RecordId = ID.parse().unwrap();
    let derived = extract.needs_rules().then(|| derive(&record, None));
    let mut bytes = Vec::new();
    let mut sheet = Sheet::begin(extract, &mut bytes).unwrap();
    sheet.record(&Source { id, team: id, record, person: Some(id), derived }).unwrap();
    sheet.end("place").unwrap();
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let cells = names.iter().cloned().zip(row.iter().map(|cell| json!(undone(cell))));
        Value::Object(cells.collect())
    });
    let mut rows: Vec<Value> = rows.collect();
    let end = rows.pop().unwrap();
    assert_eq!(end["status"], "end");
    rows
}

fn whole(file: File) -> Extract {
    Extract { file, pseudonyms: None }
}

fn reading(systolic: i64, diastolic: i64, more: Value) -> Value {
    let mut entry = json!({"taken_at": "2026-07-20T13:06:00Z", "systolic": systolic, "diastolic": diastolic,
        "pulse": 71, "arm": "left", "position": "sitting", "setting": "clinic"});
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    entry
}

fn contact(more: Value) -> Value {
    let mut record =
        json!({"id": ID, "kind": "contact", "started_at": "2026-07-20T13:05:00Z", "conflicts": []});
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record
}

#[test]
fn every_column_stands_in_the_dictionary_with_all_that_one_needs() {
    for file in File::ALL {
        let mut names = BTreeSet::new();
        for column in file.columns() {
            let (name, note) = (&column.name, &column.note);
            let at = format!("{} {name}", file.as_str());
            assert!(names.insert(name), "{at} twice");
            assert!(!note.about.is_empty(), "{at} has no note: write one in notes.rs");
            assert!(!note.source.is_empty(), "{at}: whose meaning is it?");
            let counted = matches!(column.ty, Ty::Integer | Ty::Number);
            assert_eq!(counted, !note.unit.is_empty(), "{at}: numbers have units, and nothing else has");
            assert!(column.ty != Ty::Code || !column.codes.is_empty(), "{at}: codes are listed");
            let codes: Vec<_> = column.codes.iter().map(|(code, _)| code).collect();
            assert_eq!(
                codes.iter().copied().collect::<BTreeSet<_>>().len(),
                codes.len(),
                "{at}: a code twice"
            );
        }
    }
    let text = dictionary_csv().unwrap();
    let told: Vec<(String, String)> = csv::Reader::from_reader(text.as_bytes())
        .records()
        .map(|row| row.unwrap())
        .map(|row| (row[0].to_owned(), undone(&row[2]).to_owned()))
        .collect();
    let all = File::ALL.into_iter().flat_map(|file| {
        file.columns().iter().map(move |column| (file.as_str().to_owned(), column.name.clone()))
    });
    assert_eq!(told, all.collect::<Vec<_>>());
}

/// What the schema has and no file: each with its reason.
const LEFT_OUT: &[&str] = &[
    "id",
    "kind",
    "schema",
    // Folded into what they amend.
    "amendments",
    // Told by how each follow-up and referral stands.
    "follow_up_events",
    "referral_events",
];

#[test]
fn every_field_of_the_schema_is_in_a_file() {
    let of = |files: &[File]| -> BTreeSet<String> {
        files.iter().flat_map(|file| file.columns()).map(|column| column.path.clone()).collect()
    };
    for (kind, files) in [
        (Kind::Person, &[File::People][..]),
        (Kind::Session, &[File::Sessions]),
        (Kind::Site, &[File::Sites]),
        (
            Kind::Contact,
            &[File::Contacts, File::Readings, File::Measurements, File::FollowUps, File::Referrals],
        ),
    ] {
        let mut paths = of(files);
        paths.extend(files.iter().filter_map(|file| file.entries()).map(str::to_owned));
        // Told as the record that stands for the person.
        paths.insert("person".to_owned());
        let mut missing = Vec::new();
        walk("", kind.fields(), &mut |path| {
            if !paths.contains(path) && !LEFT_OUT.contains(&path) {
                missing.push(path.to_owned());
            }
        });
        walk("", COMMON, &mut |path| {
            if !paths.contains(path) && !LEFT_OUT.contains(&path) {
                missing.push(path.to_owned());
            }
        });
        assert_eq!(missing, Vec::<String>::new(), "{kind:?}");
    }
}

fn walk(above: &str, fields: &[Field], each: &mut dyn FnMut(&str)) {
    for field in fields {
        let path = if above.is_empty() { field.name.to_owned() } else { format!("{above}/{}", field.name) };
        match field.shape {
            Shape::Group(inner) => walk(&path, inner, each),
            _ => each(&path),
        }
    }
}

#[test]
fn no_pseudonymised_column_can_hold_a_text_of_somebodys() {
    for file in File::ALL {
        for column in file.shared_columns() {
            let safe = match column.note.shared {
                // Numbers, yes and no, and codes of a list; an answer of any type is a code or yes or no.
                Shared::Same => match column.ty {
                    Ty::Integer | Ty::Number | Ty::Boolean | Ty::Code | Ty::Any => true,
                    Ty::List => column.note.has_codes(),
                    _ => column.origin == Origin::Team,
                },
                Shared::Month => matches!(column.ty, Ty::Date | Ty::Time),
                Shared::Pseudonym => column.ty == Ty::Id,
                Shared::AgeBand | Shared::National | Shared::Names => true,
                Shared::Never => false,
            };
            assert!(safe, "{} {}", file.as_str(), column.name);
        }
    }
}

#[test]
fn what_disagrees_is_nobodys_truth_and_a_pressure_is_never_half() {
    let readings = json!({
        "aaaaaaaa": reading(140, 90, json!({"corrected_by": ["bbbbbbbb", "cccccccc"]})),
        "bbbbbbbb": reading(150, 90, json!({"corrects": "aaaaaaaa"})),
        "cccccccc": reading(160, 90, json!({"corrects": "aaaaaaaa", "arm": "right"})),
        "dddddddd": reading(130, 80, json!({})),
        "eeeeeeee": reading(210, 120, json!({"struck_out": {"reason": "=cmd, another person"}})),
    });
    let rows = read(&whole(File::Readings), contact(json!({"bp": {"readings": readings}})));
    assert_eq!(rows.len(), 3);
    let row = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap();
    let open = row("aaaaaaaa");
    assert_eq!(
        (
            &open["status"],
            &open["systolic"],
            &open["diastolic"],
            &open["arm"],
            &open["pulse"],
            &open["corrected"]
        ),
        (&json!("unsettled"), &json!(""), &json!(""), &json!(""), &json!("71"), &json!("true"))
    );
    let told: Value = serde_json::from_str(open["unsettled"].as_str().unwrap()).unwrap();
    assert!(
        told.as_array().unwrap().contains(&json!({"column": "systolic", "values": [150, 160]})),
        "{told}"
    );
    assert_eq!(
        (&row("dddddddd")["status"], &row("dddddddd")["systolic"]),
        (&json!("current"), &json!("130"))
    );
    let struck = row("eeeeeeee");
    assert_eq!(
        (&struck["status"], &struck["struck_out_reason"]),
        (&json!("struck_out"), &json!("=cmd, another person"))
    );
    assert_eq!(struck["taken_at"], "2026-07-20T14:06:00+01:00");
    // The check as a whole could be HIGH by either value, so the category stands and the numbers do not.
    let rows = read(
        &whole(File::Contacts),
        contact(json!({"bp": {"readings": {
        "aaaaaaaa": reading(130, 80, json!({"corrected_by": ["bbbbbbbb", "cccccccc"]})),
        "bbbbbbbb": reading(120, 80, json!({"corrects": "aaaaaaaa"})),
        "cccccccc": reading(190, 124, json!({"corrects": "aaaaaaaa"}))}}})),
    );
    assert_eq!(rows[0]["status"], "unsettled");
    for column in ["category", "actions", "urgency", "systolic", "diastolic", "why"] {
        assert_eq!(rows[0][column], "", "{column}");
    }
    assert!(rows[0]["unsettled"].as_str().unwrap().contains("VERY_HIGH"));
}

#[test]
fn a_field_in_conflict_is_empty_and_named() {
    let person = json!({"id": ID, "name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1968-02-03",
        "sex": "female", "conflicts": [
            {"path": "name/family", "values": [{"value": "Khan"}, {"value": "Kahn"}]},
            {"path": "birth", "values": [{"value": {"date_of_birth": "1968-02-03"}}, {"value": {"age_years": 58}}]}]});
    let row = &read(&whole(File::People), person.clone())[0];
    assert_eq!(
        (&row["name_given"], &row["name_family"], &row["date_of_birth"]),
        (&json!("Amina"), &json!(""), &json!(""))
    );
    let told: Value = serde_json::from_str(row["unsettled"].as_str().unwrap()).unwrap();
    assert_eq!(told[0], json!({"column": "name_family", "values": ["Khan", "Kahn"]}));
    // Who is given no names is not told of them either.
    let row = &read(&Extract { file: File::People, pseudonyms: Some(pseudonyms(1)) }, person)[0];
    assert_eq!(
        (&row["status"], &row["unsettled"], &row["sex"]),
        (&json!("current"), &json!(""), &json!("female"))
    );
}

#[test]
fn an_entry_in_error_marks_every_row_of_it() {
    let record = contact(
        json!({"entered_in_error": {"reason": "a test"}, "bp": {"readings": {"aaaaaaaa": reading(190, 124, json!({}))}},
        "follow_ups": {"bbbbbbbb": {"type": "call", "due_on": "2026-08-01"}}}),
    );
    for file in [File::Contacts, File::Readings, File::FollowUps] {
        assert_eq!(read(&whole(file), record.clone())[0]["status"], "entered_in_error", "{file:?}");
    }
}

#[test]
fn how_a_follow_up_stands_does_not_depend_on_the_day_of_the_extract() {
    let record = contact(json!({
        "follow_ups": {"aaaaaaaa": {"type": "repeat_bp", "due_on": "2020-01-01"}, "bbbbbbbb": {"type": "call", "due_on": "2026-08-01"}},
        "follow_up_events": {"cccccccc": {"follow_up": "bbbbbbbb", "status": "not_reached", "at": "2026-08-01T09:00:00Z", "reason_missed": "no answer"}},
        "referrals": {"dddddddd": {"to": {"name": "Example Surgery"}, "urgency": "same_day"}}}));
    let rows = read(&whole(File::FollowUps), record.clone());
    assert_eq!((&rows[0]["state"], &rows[0]["due"]), (&json!("open"), &json!("2020-01-01")));
    assert_eq!(
        (&rows[1]["state"], &rows[1]["attempts"], &rows[1]["reasons_missed"]),
        (&json!("not_reached"), &json!("1"), &json!("[\"no answer\"]"))
    );
    let made = Extract { file: File::Referrals, pseudonyms: Some(pseudonyms(1)) };
    let rows = read(&made, record);
    assert_eq!(
        (&rows[0]["to"], &rows[0]["urgency"], &rows[0]["due"]),
        (&json!("other"), &json!("same_day"), &json!("2026-07"))
    );
}

#[test]
fn pseudonyms_are_stable_for_one_recipient_and_of_no_use_to_another() {
    let dir = tempfile::tempdir().unwrap();
    let identity = Identity::open(dir.path()).unwrap();
    let of = |secret: u8| Pseudonyms::new(&identity, &[secret; 32]).unwrap().of(ID);
    assert_eq!((of(1).len(), of(1)), (32, of(1)));
    assert_ne!(of(1), of(2));
    // The database alone does not make them.
    assert_ne!(of(1), pseudonyms(1).of(ID));
    assert_ne!(Pseudonyms::new(&identity, &[1; 32]).unwrap().of(&ID.to_uppercase()), of(1));
}

#[test]
fn a_large_number_and_an_unknown_word_do_not_leave() {
    let record = contact(
        json!({"age_band": "44-49", "sex": "Amina Khan", "lifestyle": {"risk_score": {"value": 9_990_000_018_i64, "name": "x"},
        "smoking": "Amina"}, "on_treatment": "Khan", "ethnic_category": "J1", "prior_diagnosis": ["af", "Khan", "Amina"], "satisfaction": 5}),
    );
    let row = &read(&Extract { file: File::Contacts, pseudonyms: Some(pseudonyms(1)) }, record)[0];
    for (column, cell) in [
        ("sex", "other"),
        ("lifestyle_risk_score_value", "other"),
        ("lifestyle_smoking", "other"),
        ("on_treatment", "other"),
        ("ethnic_category", "J"),
        ("prior_diagnosis", "[\"af\",\"other\"]"),
        ("satisfaction", "5"),
        ("age_band", "40-49"),
        ("started_at", "2026-07"),
    ] {
        assert_eq!(row[column], cell, "{column}");
    }
}

/// Texts that break files, spreadsheets and programs, and whatever else comes out of a seed.
fn texts(seed: u64) -> Vec<String> {
    let fixed = [
        "",
        " ",
        "'",
        "''",
        "=1+1",
        "+44 7700 900000",
        "-5",
        "@x",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\u{a0}=1",
        "'=1",
        "\"",
        "\"\"",
        ",",
        ";",
        "a,b",
        "a\"b",
        "a\r\nb",
        "a\nb",
        "a\rb",
        "\u{ff1d}1",
        "=HYPERLINK(\"http://evil.example\",\"x\")",
        "=cmd|' /C calc'!A0",
        "\u{feff}=1",
        "\u{202e}abc",
        "é",
        "शांति",
        "😀",
        "\u{0}",
        "a\u{0}b",
        "\u{1a}",
        "\u{2028}",
        "NULL",
        "#N/A",
        "1e5",
        "0012",
        "end",
        "true",
    ];
    let mut dice = StdRng::seed_from_u64(seed);
    let letters: Vec<char> = "=+-@'\"\t\r\n,; \u{0}\u{7}\u{a0}\u{ff1d}aé😀".chars().collect();
    let random = (0..500).map(|_| {
        let length = dice.random_range(0..8);
        (0..length).map(|_| letters[dice.random_range(0..letters.len())]).collect::<String>()
    });
    fixed.iter().map(|text| (*text).to_owned()).chain(random.collect::<Vec<_>>()).collect()
}

#[test]
fn a_cell_never_begins_a_formula_and_one_rule_undoes_it() {
    for text in texts(7) {
        let cell = defused(&text);
        let first = cell.trim_start_matches([' ', '\u{a0}', '\u{feff}']).chars().next();
        assert!(
            first.is_none_or(|first| !"=+-@\t\r\n\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(first)),
            "{cell:?}"
        );
        assert_eq!(undone(&cell), text);
    }
}

/// Python's reader, with nothing but what the documentation says.
const READER: &str = r#"
import csv, json, sys
rows = list(csv.reader(open(sys.argv[1], encoding="utf-8", newline="")))
print(json.dumps([[cell[1:] if cell.startswith("'") else cell for cell in row] for row in rows]))
"#;

#[test]
fn any_text_survives_a_round_trip_through_pythons_csv_module() {
    let texts = texts(11);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let extract = whole(File::Sites);
    let mut bytes = Vec::new();
    let mut sheet = Sheet::begin(&extract, &mut bytes).unwrap();
    let id: RecordId = ID.parse().unwrap();
    for text in &texts {
        let record = json!({"id": ID, "name": text, "address": {"lines": [text, text]}, "notes": format!("{text}x"), "conflicts": []});
        sheet.record(&Source { id, team: id, record, person: None, derived: None }).unwrap();
    }
    sheet.end("place").unwrap();
    file.write_all(&bytes).unwrap();
    file.flush().unwrap();
    let python =
        Command::new("python3").args(["-c", READER]).arg(file.path()).stderr(Stdio::inherit()).output();
    let python = python.expect("python3, which tests/run installs");
    assert!(python.status.success());
    let rows: Vec<Vec<String>> = serde_json::from_slice(&python.stdout).unwrap();
    let column = |name: &str| rows[0].iter().position(|column| column == name).unwrap();
    let (name, lines, notes) = (column("name"), column("address_lines"), column("notes"));
    assert_eq!(rows.len(), texts.len() + 2);
    for (row, text) in rows[1..].iter().zip(&texts) {
        assert_eq!(row.len(), rows[0].len(), "{text:?}");
        assert_eq!((&row[name], &row[notes]), (text, &format!("{text}x")));
        assert_eq!(serde_json::from_str::<Vec<String>>(&row[lines]).unwrap(), [text.as_str(), text]);
    }
    assert_eq!(rows.last().unwrap()[..2], ["end", "place"]);
    // Every line ends as RFC 4180 has it.
    assert!(bytes.ends_with(b"\r\n"));
}
