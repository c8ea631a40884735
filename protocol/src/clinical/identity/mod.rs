//! Who somebody is: numbers, places, dates and names, normalised as they are typed.
//!
//! Each check gives what to store, what to show, and what to tell staff. Almost nothing blocks: the person
//! stands there now, and a form that cannot be saved is a person who was never seen. What is only odd is
//! asked about once and kept. The NHS number has its own file, [`super::NhsNumber`].

mod birth;
mod name;
mod ods;
mod person;
mod phone;
mod postcode;

pub use birth::{Age, age_on, check_date_of_birth, check_estimated_age, parse_date};
pub use name::{check_name, fold_name, name_key, name_tokens, sound};
pub use ods::{OdsDefault, check_practice, ods_default};
pub use person::{PersonFinding, check_nhs_number, check_person};
pub use phone::{check_phone, show_phone};
pub use postcode::{Postcode, PostcodeStatus, check_postcode};

use serde::Serialize;

use super::limits::Level;
use super::text::Text;

/// What became of something that was typed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// To store; `None` when there is nothing that can be stored.
    pub value: Option<String>,
    /// As people write it.
    pub shown: String,
    /// `Block`: cannot be saved. `Confirm`: saved once staff say so. `None`: fine.
    #[serde(serialize_with = "spell_level")]
    pub level: Option<Level>,
    /// For staff; one that does not need an answer may stand beside a value that is fine.
    pub notices: Vec<Text>,
}

impl Checked {
    fn fine(value: String, shown: String) -> Self {
        Checked { value: Some(value), shown, level: None, notices: Vec::new() }
    }

    fn empty() -> Self {
        Checked { value: None, shown: String::new(), level: None, notices: Vec::new() }
    }

    fn confirm(mut self, notice: Text) -> Self {
        self.level = self.level.or(Some(Level::Confirm));
        self.notices.push(notice);
        self
    }

    fn note(mut self, notice: Text) -> Self {
        self.notices.push(notice);
        self
    }

    fn block(shown: &str, notice: Text) -> Self {
        Checked { value: None, shown: shown.to_owned(), level: Some(Level::Block), notices: vec![notice] }
    }

    /// Whether it can be saved, given whether staff have confirmed it.
    pub fn can_save(&self, confirmed: bool) -> bool {
        match self.level {
            None => true,
            Some(Level::Confirm) => confirmed,
            Some(Level::Block) => false,
        }
    }
}

fn spell_level<S: serde::Serializer>(level: &Option<Level>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match level {
        None => "fine",
        Some(Level::Confirm) => "confirm",
        Some(Level::Block) => "block",
    })
}
