//! The form about a person: as it is typed, checked by the identity rules, and stored.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wayside_client_core::Code;
use wayside_protocol::clinical::{
    Level, NhsNumber,
    identity::{
        Checked, check_date_of_birth, check_estimated_age, check_name, check_phone, check_postcode,
        check_practice, show_phone,
    },
    text::Text,
};

use super::{app::today_here, fail::Fail};

/// Puts what the rules say of a field into the language of the page.
pub type Say<'a> = &'a dyn Fn(&Text) -> String;

/// What is said of a form without a name.
pub const NAMELESS: &str =
    "Type a name, or tick that it was declined. For nobody’s details go back to No details.";

/// The form as it is typed and shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Form {
    pub given: String,
    pub family: String,
    pub date_of_birth: String,
    pub age_years: String,
    pub sex: String,
    pub nhs_number: String,
    pub nhs_number_absent_reason: String,
    pub ethnic_category: String,
    pub phone: String,
    /// One line; kept as it is typed.
    pub address: String,
    pub postcode: String,
    pub practice: String,
    pub registered: String,
    pub language: String,
    pub interpreter: String,
    /// Names of fields that were asked for and declined.
    pub declined: Vec<String>,
    /// Names of fields whose unusual value somebody confirmed.
    pub confirmed: Vec<String>,
}

/// A form's field and the name under which it stands in `declined`.
pub const DECLINABLE: &[(&str, &str)] = &[
    ("given", "name/given"),
    ("family", "name/family"),
    ("date_of_birth", "date_of_birth"),
    ("sex", "sex"),
    ("nhs_number", "nhs_number"),
    ("ethnic_category", "ethnic_category"),
    ("phone", "phone"),
    ("postcode", "address"),
];

/// What is to be said of one field.
#[derive(Debug, Clone)]
pub struct Finding {
    pub field: &'static str,
    /// `None`: fine, and something to be said all the same.
    pub level: Option<Level>,
    pub message: String,
    /// The value as people write it.
    pub shown: String,
}

pub fn here() -> Date {
    today_here().parse().unwrap_or_default()
}

fn nhs_number(typed: &str) -> Checked {
    let checked =
        |value: Option<String>, shown: String, level, notices| Checked { value, shown, level, notices };
    if typed.trim().is_empty() {
        return checked(None, String::new(), None, Vec::new());
    }
    match NhsNumber::parse(typed) {
        Ok(number) => {
            let notices = number.range().text_id().map(Text::new).into_iter().collect();
            checked(Some(number.as_str().to_owned()), number.to_string(), None, notices)
        }
        Err(problem) => {
            checked(None, typed.to_owned(), Some(Level::Block), vec![Text::new(problem.text_id())])
        }
    }
}

fn age(typed: &str) -> Checked {
    match (typed.trim(), typed.trim().parse::<i64>()) {
        ("", _) => check_phone(""),
        (_, Ok(years)) => check_estimated_age(years),
        // No number at all is no age either.
        (_, Err(_)) => check_estimated_age(-1),
    }
}

impl Form {
    pub fn of(json: &Value) -> Form {
        let text =
            |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let date = json["date_of_birth"].as_str().and_then(|date| date.parse::<Date>().ok());
        let declined: Vec<&str> =
            json["declined"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let number = NhsNumber::parse(&text("/nhs_number/value"));
        let lines = json.pointer("/address/lines").and_then(Value::as_array);
        let lines: Vec<&str> = lines.into_iter().flatten().filter_map(Value::as_str).collect();
        Form {
            given: text("/name/given"),
            family: text("/name/family"),
            date_of_birth: date
                .map(|date| format!("{:02}/{:02}/{}", date.day(), date.month(), date.year()))
                .unwrap_or_default(),
            age_years: json["age_years"].as_i64().map(|age| age.to_string()).unwrap_or_default(),
            sex: text("/sex"),
            nhs_number: number.map(|number| number.to_string()).unwrap_or_default(),
            nhs_number_absent_reason: text("/nhs_number_absent_reason"),
            ethnic_category: text("/ethnic_category"),
            phone: show_phone(&text("/phone")),
            address: if lines.is_empty() { text("/address/lines") } else { lines.join(", ") },
            postcode: text("/address/postcode"),
            practice: text("/gp/ods_code"),
            registered: text("/gp/registered"),
            language: text("/language"),
            interpreter: match json["interpreter_needed"].as_bool() {
                Some(needed) => if needed { "yes" } else { "no" }.to_owned(),
                None => String::new(),
            },
            declined: DECLINABLE
                .iter()
                .filter(|(_, stored)| declined.contains(stored))
                .map(|(field, _)| (*field).to_owned())
                .collect(),
            confirmed: Vec::new(),
        }
    }

    /// Fields with rules that say the same as before.
    pub fn unchanged_since(&self, was: &Form) -> Vec<String> {
        let (before, today) = (was.checked(here()), here());
        let same = self.checked(today).into_iter().zip(before).filter(|(now, before)| now == before);
        same.map(|((field, _), _)| field.to_owned()).collect()
    }

    /// The typed fields that have rules, each as the rules find it.
    fn checked(&self, today: Date) -> [(&'static str, Checked); 8] {
        [
            ("given", check_name(&self.given)),
            ("family", check_name(&self.family)),
            ("date_of_birth", check_date_of_birth(&self.date_of_birth, today)),
            ("age_years", age(&self.age_years)),
            ("nhs_number", nhs_number(&self.nhs_number)),
            ("phone", check_phone(&self.phone)),
            ("postcode", check_postcode(&self.postcode)),
            ("practice", check_practice(&self.practice)),
        ]
    }

    /// What is to be said of what was typed, field by field. `whole` also says what is missing.
    pub fn findings(&self, say: Say, today: Date, whole: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let nameless = [&self.given, &self.family].iter().all(|text| text.trim().is_empty())
            && !self.declined.iter().any(|field| field == "given" || field == "family");
        if whole && nameless {
            findings.push(Finding {
                field: "given",
                level: Some(Level::Block),
                message: NAMELESS.to_owned(),
                shown: String::new(),
            });
        }
        for (field, checked) in self.checked(today) {
            let said: Vec<String> = checked.notices.iter().map(say).collect();
            let plain =
                matches!(field, "nhs_number" | "postcode" | "date_of_birth") && checked.value.is_some();
            if !said.is_empty() || plain {
                findings.push(Finding {
                    field,
                    level: checked.level,
                    message: said.join(" "),
                    shown: checked.shown,
                });
            }
        }
        findings
    }

    /// The fields by path, null where nothing was typed; or everything that is wrong.
    pub fn fields(&self, say: Say, today: Date) -> Result<Vec<(&'static str, Value)>, Fail> {
        let confirmed = |field: &str| self.confirmed.iter().any(|one| one == field);
        let wrong: Vec<Fail> = self
            .findings(say, today, true)
            .into_iter()
            .filter_map(|finding| match finding.level {
                Some(Level::Block) => Some(Fail::field(Code::WrongType, finding.field, finding.message)),
                Some(Level::Confirm) if !confirmed(finding.field) => {
                    Some(Fail::field(Code::ConfirmUnusual, finding.field, finding.message))
                }
                _ => None,
            })
            .collect();
        if let Some(fail) = Fail::fields(wrong) {
            return Err(fail);
        }
        let checked = self.checked(today);
        let value = |field: &str| {
            checked.iter().find(|(name, _)| *name == field).and_then(|(_, checked)| checked.value.clone())
        };
        let text = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        let birth = match (value("date_of_birth"), value("age_years").and_then(|age| age.parse::<i64>().ok()))
        {
            (Some(date), _) => json!({"date_of_birth": date}),
            (None, Some(age)) => {
                json!({"age_years": age, "age_as_of": today.to_string(), "age_is_estimate": true})
            }
            (None, None) => Value::Null,
        };
        let lines: Vec<&str> =
            self.address.split([',', '\n']).map(str::trim).filter(|line| !line.is_empty()).collect();
        let address = match (lines.is_empty(), value("postcode")) {
            (true, None) => Value::Null,
            (true, Some(postcode)) => json!({"postcode": postcode}),
            (false, None) => json!({"lines": lines}),
            (false, Some(postcode)) => json!({"lines": lines, "postcode": postcode}),
        };
        Ok(vec![
            ("name/given", json!(value("given"))),
            ("name/family", json!(value("family"))),
            ("birth", birth),
            ("sex", json!(text(&self.sex))),
            (
                "nhs_number",
                value("nhs_number").map_or(Value::Null, |number| json!({"value": number, "status": "02"})),
            ),
            ("nhs_number_absent_reason", json!(text(&self.nhs_number_absent_reason))),
            ("ethnic_category", json!(text(&self.ethnic_category))),
            ("phone", json!(value("phone"))),
            ("address", address),
            ("gp/ods_code", json!(value("practice"))),
            ("gp/registered", json!(text(&self.registered))),
            ("language", json!(text(&self.language))),
            (
                "interpreter_needed",
                match self.interpreter.as_str() {
                    "yes" => json!(true),
                    "no" => json!(false),
                    _ => Value::Null,
                },
            ),
        ])
    }
}

/// A finding as the page shows it beside its field.
pub fn shown(finding: &Finding) -> Value {
    let level = match finding.level {
        None => "fine",
        Some(Level::Confirm) => "confirm",
        Some(Level::Block) => "block",
    };
    json!({"path": finding.field, "level": level, "message": finding.message, "shown": finding.shown})
}

/// Reasons why there is no NHS number, for a choice.
pub fn absent_reasons() -> Vec<Value> {
    wayside_protocol::clinical::codes::NHS_NUMBER_ABSENT_REASON
        .iter()
        .map(|(code, label)| json!({"code": code, "label": label}))
        .collect()
}

#[cfg(test)]
mod tests {
    use wayside_protocol::clinical::text::Texts;

    use super::*;

    fn english(text: &Text) -> String {
        Texts::english().say(text)
    }

    fn said(form: &Form) -> Vec<(&'static str, Option<Level>)> {
        let today = "2026-11-22".parse().unwrap();
        form.findings(&english, today, true)
            .into_iter()
            .map(|finding| (finding.field, finding.level))
            .collect()
    }

    #[test]
    fn what_may_be_confirmed_is_told_apart_from_what_cannot_be_saved() {
        let form = Form {
            family: "K4ur".into(),
            phone: "x".into(),
            postcode: "B1 1Z".into(),
            nhs_number: "123".into(),
            ..Form::default()
        };
        let found = said(&form);
        assert!(found.contains(&("family", Some(Level::Confirm))), "{found:?}");
        assert!(found.contains(&("nhs_number", Some(Level::Block))), "{found:?}");
        assert!(found.contains(&("phone", Some(Level::Block))), "{found:?}");
        let refused = format!("{:?}", form.fields(&english, here()).unwrap_err());
        for field in ["family", "nhs_number", "phone"] {
            assert!(refused.contains(&format!("\"{field}\"")), "{refused}");
        }
    }

    #[test]
    fn what_was_confirmed_is_saved_and_shown_again_as_it_was() {
        let form = Form {
            given: "Am1na".into(),
            date_of_birth: "3.2.1968".into(),
            phone: "07700 900 123".into(),
            address: "Flat 2, 14 High Street".into(),
            postcode: "b11aa".into(),
            interpreter: "no".into(),
            confirmed: vec!["given".into()],
            ..Form::default()
        };
        let fields = form.fields(&english, here()).unwrap();
        let of = |path: &str| fields.iter().find(|(other, _)| *other == path).unwrap().1.clone();
        assert_eq!(of("name/given"), "Am1na");
        assert_eq!(of("birth"), json!({"date_of_birth": "1968-02-03"}));
        assert_eq!(of("phone"), "07700900123");
        assert_eq!(of("address"), json!({"lines": ["Flat 2", "14 High Street"], "postcode": "B1 1AA"}));
        let stored = json!({"name": {"given": "Am1na"}, "date_of_birth": "1968-02-03", "phone": "07700900123",
            "address": of("address"), "interpreter_needed": false});
        let again = Form::of(&stored);
        assert_eq!((again.date_of_birth.as_str(), again.postcode.as_str()), ("03/02/1968", "B1 1AA"));
        assert_eq!((again.address.as_str(), again.interpreter.as_str()), ("Flat 2, 14 High Street", "no"));
    }

    #[test]
    fn nobody_is_saved_without_a_name_or_a_refusal() {
        assert!(Form::default().fields(&english, here()).is_err());
        assert!(Form { declined: vec!["given".into()], ..Form::default() }.fields(&english, here()).is_ok());
    }
}
