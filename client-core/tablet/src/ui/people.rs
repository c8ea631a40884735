//! People: found, new, put right.

use std::{collections::HashSet, sync::Arc};

use axum::{
    Json,
    extract::{Path, Query, State},
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use wayside_client_core::{Code, Edit, Kind, RecordId};
use wayside_protocol::clinical::NhsNumber;

use super::{
    Answer,
    app::{App, Body, today_here},
    contact_view::{heads, heads_text},
    fail::Fail,
    today::{self, id},
    words,
};

const PER_PAGE: usize = 15;

/// Who somebody is, in a line: name, and what tells two of the same name apart.
pub fn shown(json: &Value) -> Value {
    let part = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().trim();
    let name = format!("{} {}", part("/name/given"), part("/name/family"));
    let name = if name.trim().is_empty() { "Name not given" } else { name.trim() };
    let mut about = vec![born(json).unwrap_or_else(|| "Age not known".to_owned())];
    if let Some(end) = part("/nhs_number/value").get(6..) {
        // The last four tell apart; the whole number is nobody's business over a shoulder.
        about.push(format!("NHS number ends {end}"));
    }
    json!({
        "id": json["id"], "name": name, "about": about.join(" · "),
        "conflicts": json["conflicts"].as_array().map_or(0, Vec::len),
    })
}

/// `Born 3 February 1968`, or `About 57 years old`.
pub fn born(json: &Value) -> Option<String> {
    if let Some(date) = json["date_of_birth"].as_str().and_then(|date| date.parse::<Date>().ok()) {
        return Some(format!("Born {}", words::date(date)));
    }
    let years = json["age_years"].as_i64()?;
    let about = if json["age_is_estimate"] == Value::Bool(true) { "About " } else { "" };
    Some(format!("{about}{years} years old"))
}

/// A person by id; `None` while they have not arrived here.
pub fn known(app: &App, person: &str) -> Option<Value> {
    let person: RecordId = person.parse().ok()?;
    app.tablet.show(person).ok().map(|person| shown(&person.json))
}

#[derive(Deserialize)]
pub struct Find {
    session: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    page: usize,
}

/// Found by what was typed, today's people first; without a text, today's people.
pub async fn find(State(app): State<Arc<App>>, Query(find): Query<Find>) -> Answer {
    app.with(move |app| {
        let session = id(&find.session)?;
        let mut todays: Vec<String> = Vec::new();
        for contact in app.tablet.contacts_of(session)? {
            let json = app.tablet.show(contact)?.json;
            if let Some(person) = json["person"].as_str()
                && !todays.iter().any(|other| other == person)
            {
                todays.push(person.to_owned());
            }
        }
        let here: HashSet<&String> = todays.iter().collect();
        let mut found: Vec<Value> = if find.q.trim().chars().count() < 2 {
            todays.iter().filter_map(|person| known(app, person)).collect()
        } else {
            let records = app.tablet.search(find.q.trim())?;
            let people = records.iter().filter(|one| {
                one["kind"] == Kind::Person.as_str()
                    && one["entered_in_error"].is_null()
                    && one["merged_into"].is_null()
            });
            people.map(shown).collect()
        };
        for person in &mut found {
            person["today"] = json!(person["id"].as_str().is_some_and(|id| here.contains(&id.to_owned())));
        }
        // Stable: each part keeps the order of the search.
        found.sort_by_key(|person| person["today"] != Value::Bool(true));
        let total = found.len();
        let people: Vec<Value> =
            found.into_iter().skip(find.page.saturating_mul(PER_PAGE)).take(PER_PAGE).collect();
        Ok(Json(json!({"people": people, "total": total, "page": find.page, "per_page": PER_PAGE})))
    })
    .await
}

/// The form as it is typed and shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Form {
    given: String,
    family: String,
    date_of_birth: String,
    age_years: String,
    nhs_number: String,
    ethnic_category: String,
    phone: String,
    /// Names of fields that were asked for and declined.
    declined: Vec<String>,
}

/// A form's field and the name under which it stands in `declined`.
const DECLINABLE: &[(&str, &str)] = &[
    ("given", "name/given"),
    ("family", "name/family"),
    ("date_of_birth", "date_of_birth"),
    ("nhs_number", "nhs_number"),
    ("phone", "phone"),
];

impl Form {
    fn of(json: &Value) -> Form {
        let text =
            |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let date = json["date_of_birth"].as_str().and_then(|date| date.parse::<Date>().ok());
        let declined: Vec<&str> =
            json["declined"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let number = NhsNumber::parse(&text("/nhs_number/value"));
        Form {
            given: text("/name/given"),
            family: text("/name/family"),
            date_of_birth: date
                .map(|date| format!("{:02}/{:02}/{}", date.day(), date.month(), date.year()))
                .unwrap_or_default(),
            age_years: json["age_years"].as_i64().map(|age| age.to_string()).unwrap_or_default(),
            nhs_number: number.map(|number| number.to_string()).unwrap_or_default(),
            ethnic_category: text("/ethnic_category"),
            phone: text("/phone"),
            declined: DECLINABLE
                .iter()
                .filter(|(_, stored)| declined.contains(stored))
                .map(|(field, _)| (*field).to_owned())
                .collect(),
        }
    }

    /// The fields by path, null where nothing was typed; or everything that is wrong.
    fn fields(&self, today: Date) -> Result<Vec<(&'static str, Value)>, Fail> {
        let mut wrong = Vec::new();
        let mut keep = |field: &str, checked: Result<Value, (Code, String)>| {
            checked.unwrap_or_else(|(code, message)| {
                wrong.push(Fail::field(code, field, message));
                Value::Null
            })
        };
        let text = |text: &str| match text.split_whitespace().collect::<Vec<_>>().join(" ") {
            text if text.is_empty() => Value::Null,
            text => json!(text),
        };
        let nothing = [&self.given, &self.family].iter().all(|text| text.trim().is_empty())
            && !self.declined.iter().any(|field| field == "given" || field == "family");
        let given = if nothing {
            let message =
                "Type a name, or tick that it was declined. For nobody’s details go back to No details.";
            Err((Code::MissingField, message.to_owned()))
        } else {
            Ok(text(&self.given))
        };
        let given = keep("given", given);
        let date = keep("date_of_birth", parse_date(&self.date_of_birth, today));
        let age = keep("age_years", parse_age(&self.age_years));
        let birth = match (date, age) {
            (date @ Value::String(_), _) => json!({"date_of_birth": date}),
            (_, age @ Value::Number(_)) => {
                json!({"age_years": age, "age_as_of": today.to_string(), "age_is_estimate": true})
            }
            _ => Value::Null,
        };
        let number = match self.nhs_number.trim() {
            "" => Ok(Value::Null),
            typed => match NhsNumber::parse(typed) {
                Ok(number) => Ok(json!({"value": number.as_str(), "status": "02"})),
                Err(problem) => Err((problem.code(), problem.to_string())),
            },
        };
        let number = keep("nhs_number", number);
        let phone = keep("phone", parse_phone(&self.phone));
        if let Some(fail) = Fail::fields(wrong) {
            return Err(fail);
        }
        Ok(vec![
            ("name/given", given),
            ("name/family", text(&self.family)),
            ("birth", birth),
            ("nhs_number", number),
            ("ethnic_category", text(&self.ethnic_category)),
            ("phone", phone),
        ])
    }
}

/// A date typed as day, month and year.
fn parse_date(typed: &str, today: Date) -> Result<Value, (Code, String)> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(Value::Null);
    }
    let wrong = |message: &str| Err((Code::WrongType, message.to_owned()));
    let mut parts: Vec<&str> =
        typed.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    if let [whole] = parts.as_slice()
        && whole.len() == 8
    {
        let whole = *whole;
        parts = vec![&whole[..2], &whole[2..4], &whole[4..]];
    }
    let [day, month, year] = parts.as_slice() else {
        return wrong("Type day, month and year, as in 03/02/1968.");
    };
    if year.len() != 4 {
        return wrong("Type the year with 4 digits, as in 1968.");
    }
    let (Ok(day_of), Ok(month_of), Ok(year_of)) =
        (day.parse::<i8>(), month.parse::<i8>(), year.parse::<i16>())
    else {
        return wrong("Type day, month and year, as in 03/02/1968.");
    };
    if !(1..=12).contains(&month_of) {
        return wrong("The month must be 1 to 12. Day first, then month.");
    }
    let Ok(date) = Date::new(year_of, month_of, day_of) else {
        return wrong("There is no such day in this month.");
    };
    if date > today {
        return wrong("A date of birth cannot be in the future.");
    }
    if i32::from(today.year()) - i32::from(year_of) > 120 {
        return wrong("That would be more than 120 years ago. Check the year.");
    }
    Ok(json!(date.to_string()))
}

fn parse_age(typed: &str) -> Result<Value, (Code, String)> {
    match typed.trim() {
        "" => Ok(Value::Null),
        typed => match typed.parse::<i64>() {
            Ok(age) if (0..=120).contains(&age) => Ok(json!(age)),
            Ok(_) => Err((Code::OutOfRange, "Age cannot be more than 120.".to_owned())),
            Err(_) => Err((Code::WrongType, "Type the age in whole years, as in 57.".to_owned())),
        },
    }
}

fn parse_phone(typed: &str) -> Result<Value, (Code, String)> {
    let typed = typed.trim();
    let digits = typed.chars().filter(char::is_ascii_digit).count();
    if typed.is_empty() {
        Ok(Value::Null)
    } else if !typed.chars().all(|c| c.is_ascii_digit() || "+ ()-.".contains(c)) {
        Err((Code::WrongType, "A phone number has digits, spaces and perhaps a + in front.".to_owned()))
    } else if !(7..=15).contains(&digits) {
        Err((Code::WrongType, "A phone number has 7 to 15 digits. Check it again.".to_owned()))
    } else {
        Ok(json!(typed))
    }
}

fn here() -> Date {
    today_here().parse().unwrap_or_default()
}

#[derive(Deserialize)]
pub struct Save {
    #[serde(flatten)]
    form: Form,
    /// What the form showed before anything was typed, and the heads that it was shown on.
    was: Option<Form>,
    base: Option<Vec<String>>,
    session: Option<String>,
}

pub async fn create(State(app): State<Arc<App>>, Body(save): Body<Save>) -> Answer {
    app.saving(move |app| {
        let session = save.session.as_deref().map(id).transpose()?;
        let team =
            session.map(|session| today::place(app, session)).transpose()?.and_then(|place| place.team);
        let mut object = Map::new();
        for (path, value) in save.form.fields(here())? {
            match (path, value) {
                (_, Value::Null) => {}
                // The two ways to know an age stand beside the other fields.
                ("birth", Value::Object(members)) => object.extend(members),
                (path, value) => match path.split_once('/') {
                    Some((group, name)) => object.entry(group).or_insert_with(|| json!({}))[name] = value,
                    None => {
                        object.insert(path.to_owned(), value);
                    }
                },
            }
        }
        let declined =
            DECLINABLE.iter().filter(|(field, _)| save.form.declined.iter().any(|one| one == field));
        let declined: Vec<&str> = declined.map(|(_, stored)| *stored).collect();
        if !declined.is_empty() {
            object.insert("declined".to_owned(), json!(declined));
        }
        let person = app.tablet.create(Kind::Person, Value::Object(object), &app.by(team))?;
        Ok(Json(json!({"id": person})))
    })
    .await
}

pub async fn show(State(app): State<Arc<App>>, Path(person): Path<String>) -> Answer {
    app.with(move |app| {
        let found = app.tablet.show(id(&person)?)?;
        if found.json["kind"] != Kind::Person.as_str() {
            return Err(Fail::code(Code::WrongKind));
        }
        let mut person = shown(&found.json);
        person["heads"] = heads_text(&found.heads);
        person["form"] = json!(Form::of(&found.json));
        Ok(Json(person))
    })
    .await
}

/// Saves what is different from what the form showed, and nothing else.
pub async fn edit(State(app): State<Arc<App>>, Path(person): Path<String>, Body(save): Body<Save>) -> Answer {
    app.saving(move |app| {
        let person = id(&person)?;
        today::record(app, person, Kind::Person)?;
        let now = save.form.fields(here())?;
        let was = save.was.unwrap_or_default();
        let before = was.fields(here()).unwrap_or_default();
        let mut edit = Edit { base: save.base.as_deref().map(heads).transpose()?, set: Vec::new() };
        // An estimated age was of another day: only what was typed tells whether it changed.
        let same_birth =
            (&was.date_of_birth, &was.age_years) == (&save.form.date_of_birth, &save.form.age_years);
        for (path, value) in now {
            let known =
                before.iter().find(|(other, _)| *other == path).map_or(&Value::Null, |(_, value)| value);
            if *known != value && !(path == "birth" && same_birth) {
                edit.set.push((path.to_owned(), value));
            }
        }
        for (field, stored) in DECLINABLE {
            let declines = |form: &Form| form.declined.iter().any(|one| one == field);
            if declines(&was) != declines(&save.form) {
                let path = wayside_protocol::record::path::join("declined", stored);
                edit.set.push((path, json!(declines(&save.form))));
            }
        }
        if !edit.set.is_empty() {
            app.tablet.edit(person, edit, &app.by(None))?;
        }
        Ok(Json(json!({"id": person})))
    })
    .await
}

#[derive(Deserialize)]
pub struct Typed {
    value: String,
}

pub async fn check_nhs_number(Body(Typed { value }): Body<Typed>) -> Answer {
    let number = NhsNumber::parse(&value)
        .map_err(|problem| Fail::field(problem.code(), "nhs_number", problem.to_string()))?;
    Ok(Json(json!({"shown": number.to_string(), "warning": number.range().warning()})))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(typed: &str) -> Result<Value, String> {
        parse_date(typed, "2026-11-22".parse().unwrap()).map_err(|(_, message)| message)
    }

    #[test]
    fn dates_are_typed_day_first_in_several_ways() {
        for typed in ["03/02/1968", "3/2/1968", "3.2.1968", "03-02-1968", "03021968", " 3 2 1968 "] {
            assert_eq!(date(typed), Ok(json!("1968-02-03")), "{typed}");
        }
        assert_eq!(date(""), Ok(Value::Null));
    }

    #[test]
    fn a_wrong_date_is_told_what_is_wrong() {
        let said = |typed: &str| date(typed).unwrap_err();
        assert!(said("30/02/1968").contains("no such day"));
        assert!(said("02/13/1968").contains("month"));
        assert!(said("3/2/68").contains("4 digits"));
        assert!(said("23/11/2026").contains("future"));
        assert!(said("1/1/1905").contains("120 years"));
        assert!(said("tomorrow").contains("as in"));
    }

    #[test]
    fn every_wrong_field_is_told_at_once() {
        let form = Form { nhs_number: "123".into(), phone: "x".into(), ..Form::default() };
        let fail = form.fields(here()).unwrap_err();
        let text = format!("{fail:?}");
        for field in ["given", "nhs_number", "phone"] {
            assert!(text.contains(&format!("\"{field}\"")), "{text}");
        }
    }
}
