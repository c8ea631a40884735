//! The layouts of the official files. A file says by its header what it is; nobody has to.
//!
//! | file | known by | read of it |
//! | --- | --- | --- |
//! | ONS postcode directory (ONSPD), national statistics postcode lookup (NSPL) | `pcds` | `doterm`, ward, district, country, `lsoa11…`, `lsoa21…`. Until 2024 a column was called `osward` or `ward`, since then `wd25cd`, with the year in it |
//! | English indices of deprivation 2019 and 2025, File 7 | `LSOA code (2011)` or `(2021)` beside the IMD decile | rank and decile of the index (IMD), district, the total population |
//! | ODS GP practices (`epraccur`) | no header: 27 columns, a practice code first | name, address, telephone, status |
//! | population | `area,area_name,measure,code,people`, our own layout | all of it |

use csv::ByteRecord;
use wayside_protocol::clinical::identity::{Postcode, PostcodeStatus, check_practice};

use super::{Kind, Year};

/// How many columns `epraccur` has.
const PRACTICE_COLUMNS: usize = 27;
const POPULATION: [&str; 5] = ["area", "area_name", "measure", "code", "people"];
pub const MEASURES: [&str; 4] = ["total", "ethnic_category", "sex", "age_band"];

/// Where in a row each value stands, in the order of the table's columns; `None` for a column that this file lacks.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    pub kind: Kind,
    columns: Vec<Option<usize>>,
    /// Whether the first row is data already.
    pub headless: bool,
}

/// A row of the table, or why the file's row is none.
pub enum Fields {
    Row(Vec<String>),
    /// Says nothing that is used here.
    Skip,
    /// The file is not what it seems: where it goes wrong.
    Wrong(&'static str),
}

impl Layout {
    /// By the first row of a file; `None` for a file that is none of these.
    pub fn of(first: &ByteRecord) -> Option<Layout> {
        let names: Vec<String> = first.iter().map(|field| text(field).to_lowercase()).collect();
        let at = |name: &str| names.iter().position(|held| held == name);
        let begins = |name: &str| names.iter().position(|held| held.starts_with(name));
        // With a year inside, as in wd25cd.
        let yearly = |name: &str| {
            let is = |held: &String| {
                let year = held.strip_prefix(name).and_then(|rest| rest.strip_suffix("cd"));
                year.is_some_and(|year| year.len() == 2 && year.bytes().all(|byte| byte.is_ascii_digit()))
            };
            names.iter().position(is)
        };
        if at("pcds").is_some() && at("doterm").is_some() {
            let lsoa11 = at("lsoa11").or_else(|| at("lsoa11cd"));
            let lsoa21 = at("lsoa21").or_else(|| at("lsoa21cd"));
            let ward = at("osward").or_else(|| at("ward")).or_else(|| yearly("wd"));
            let district = at("oslaua").or_else(|| at("laua")).or_else(|| yearly("lad"));
            let country = at("ctry").or_else(|| yearly("ctry"));
            lsoa11.or(lsoa21)?;
            let columns = vec![at("pcds"), lsoa11, lsoa21, ward, district, country, at("doterm")];
            return Some(Layout { kind: Kind::Postcodes, columns, headless: false });
        }
        for (year, lsoa) in [(Year::Y2019, "lsoa code (2011)"), (Year::Y2025, "lsoa code (2021)")] {
            let rank = begins("index of multiple deprivation (imd) rank");
            let decile = begins("index of multiple deprivation (imd) decile");
            if let (Some(lsoa), Some(rank), Some(decile)) = (at(lsoa), rank, decile) {
                let district = begins("local authority district code");
                let name = begins("local authority district name");
                let people = begins("total population: mid");
                let columns = vec![Some(lsoa), district, name, Some(rank), Some(decile), people];
                return Some(Layout { kind: Kind::Deprivation(year), columns, headless: false });
            }
        }
        if names == POPULATION {
            let columns = (0..POPULATION.len()).map(Some).collect();
            return Some(Layout { kind: Kind::Population, columns, headless: false });
        }
        let code = first.get(0).map(text).unwrap_or_default();
        if first.len() == PRACTICE_COLUMNS && is_practice(&code) {
            // Code, name, address lines 4 to 8, postcode 9, status 12, telephone 17.
            let columns = [0, 1, 4, 5, 6, 7, 8, 9, 12, 17].map(Some).to_vec();
            return Some(Layout { kind: Kind::Practices, columns, headless: true });
        }
        None
    }

    /// What a row says, in the order of its table's columns.
    pub fn row(&self, record: &ByteRecord) -> Fields {
        let field = |place: &Option<usize>| match place {
            Some(index) => record.get(*index).map(text),
            None => Some(String::new()),
        };
        let Some(mut fields) = self.columns.iter().map(field).collect::<Option<Vec<String>>>() else {
            return Fields::Wrong("a column is missing");
        };
        match self.kind {
            Kind::Postcodes => {
                let postcode = Postcode::parse(&fields[0]);
                if postcode.status != PostcodeStatus::ValidFormat {
                    return Fields::Skip;
                }
                fields[0] = postcode.normalised;
                for area in &mut fields[1..=5] {
                    if is_no_area(area) {
                        area.clear();
                    }
                }
                Fields::Row(fields)
            }
            Kind::Deprivation(_) => {
                // Ranks were published with and without separators.
                for number in &mut fields[3..] {
                    number.retain(|c| c != ',');
                }
                let rank = fields[3].parse::<u32>().is_ok_and(|rank| rank > 0);
                let decile = fields[4].parse::<u8>().is_ok_and(|decile| (1..=10).contains(&decile));
                let people = fields[5].is_empty() || fields[5].parse::<u32>().is_ok();
                match (is_area(&fields[0]), rank, decile && people) {
                    (true, true, true) => Fields::Row(fields),
                    (false, ..) => Fields::Wrong("this is no code of an area"),
                    _ => Fields::Wrong("a rank, decile or population is no number that it can be"),
                }
            }
            Kind::Practices => {
                let lines = fields.drain(2..7).filter(|line| !line.is_empty()).collect::<Vec<_>>();
                let [code, name, postcode, status, phone] = fields.try_into().unwrap_or_default();
                if !is_practice(&code) {
                    // The file has prisons, clinics and the like too.
                    return Fields::Skip;
                }
                let active = if status == "A" { "1" } else { "0" }.to_owned();
                let postcode = Postcode::parse(&postcode).normalised;
                Fields::Row(vec![code, name, lines.join("\n"), postcode, phone, active])
            }
            Kind::Population => {
                if !MEASURES.contains(&fields[2].as_str()) {
                    return Fields::Wrong("a measure is total, ethnic_category, sex or age_band");
                }
                match is_area(&fields[0]) && fields[4].parse::<u32>().is_ok() {
                    true => Fields::Row(fields),
                    false => Fields::Wrong("an area is a code such as E08000035, people a whole number"),
                }
            }
        }
    }
}

/// Of a field; files come in UTF-8, some with a byte order mark, some older ones in another encoding.
fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).trim_start_matches('\u{feff}').trim().to_owned()
}

fn is_practice(code: &str) -> bool {
    let checked = check_practice(code);
    checked.value.as_deref() == Some(code) && checked.level.is_none()
}

/// As in E01000001.
fn is_area(code: &str) -> bool {
    let mut chars = code.chars();
    code.len() == 9
        && chars.next().is_some_and(|c| c.is_ascii_uppercase())
        && chars.all(|c| c.is_ascii_digit())
}

/// Codes such as E99999999 say that there is none.
fn is_no_area(code: &str) -> bool {
    code.get(1..).is_some_and(|rest| rest == "99999999")
}
