//! Everything that identifies a person, checked at once as it was typed.

use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use super::{
    Checked, Text, check_date_of_birth, check_estimated_age, check_name, check_phone, check_postcode,
    check_practice,
};
use crate::clinical::NhsNumber;
use crate::clinical::limits::Level;
use crate::error::Code;

/// What became of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonFinding {
    /// As in the person's JSON, `name/given`.
    pub path: &'static str,
    /// Of one that cannot be saved, or only once it is confirmed.
    #[serde(serialize_with = "spell_code")]
    pub code: Option<Code>,
    #[serde(flatten)]
    pub checked: Checked,
}

/// Checks what is there of a person's nested JSON, in the order in which forms ask for it. Fields that are
/// fine are in it too, in their stored form and as people write them.
pub fn check_person(person: &Value, today: Date) -> Vec<PersonFinding> {
    let text = |pointer: &str| match person.pointer(pointer) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let mut findings = Vec::new();
    let mut check = |path: &'static str, typed: Option<String>, check: &dyn Fn(&str) -> Checked| {
        if let Some(typed) = typed.filter(|typed| !typed.trim().is_empty()) {
            let checked = check(&typed);
            findings.push(PersonFinding { path, code: code_of(path, &checked), checked });
        }
    };
    check("name/given", text("/name/given"), &check_name);
    check("name/family", text("/name/family"), &check_name);
    check("date_of_birth", text("/date_of_birth"), &|typed| check_date_of_birth(typed, today));
    check("age_years", text("/age_years"), &|typed| match typed.trim().parse() {
        Ok(years) => check_estimated_age(years),
        Err(_) => Checked::block(typed, Text::new("birth-not-an-age")),
    });
    check("nhs_number", text("/nhs_number/value").or_else(|| text("/nhs_number")), &check_nhs_number);
    check("address/postcode", text("/address/postcode"), &check_postcode);
    check("phone", text("/phone"), &check_phone);
    check("gp/ods_code", text("/gp/ods_code"), &check_practice);
    findings
}

/// An NHS number as typed. A range that is not England's is worth a word, and no reason to refuse.
pub fn check_nhs_number(text: &str) -> Checked {
    match NhsNumber::parse(text) {
        Ok(number) => {
            let fine = Checked::fine(number.as_str().to_owned(), number.to_string());
            match number.range().text_id() {
                Some(id) => fine.note(Text::new(id)),
                None => fine,
            }
        }
        Err(problem) => Checked::block(text.trim(), Text::new(problem.text_id())),
    }
}

fn code_of(path: &str, checked: &Checked) -> Option<Code> {
    Some(match checked.level? {
        Level::Confirm => Code::ConfirmUnusual,
        Level::Block if path == "nhs_number" => Code::NhsNumberInvalid,
        Level::Block if checked.notices.iter().any(|notice| notice.id == "birth-in-future") => {
            Code::OutOfRange
        }
        Level::Block => Code::WrongType,
    })
}

fn spell_code<S: serde::Serializer>(code: &Option<Code>, serializer: S) -> Result<S::Ok, S::Error> {
    match code {
        Some(code) => serializer.serialize_some(code.as_str()),
        None => serializer.serialize_none(),
    }
}
