//! People: found, new, put right.

use std::{collections::HashSet, sync::Arc};

use axum::{
    Json,
    extract::{Path, Query, State},
};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wayside_client_core::{Code, Edit, Kind, RecordId};
use wayside_protocol::{matching::Likeness, record::path::join};

use super::{
    Answer,
    app::{App, Body, now},
    contact_view::{heads, heads_text},
    fail::Fail,
    person_form::{self, DECLINABLE, Form, here},
    today::{self, id},
    words,
};

const PER_PAGE: usize = 15;
/// More than this nobody reads while somebody waits.
const MOST_ALIKE: usize = 5;

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
            let records = app.tablet.search(find.q.trim(), wayside_client_core::Page::default())?;
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

#[derive(Deserialize)]
pub struct Save {
    #[serde(flatten)]
    form: Form,
    /// What the form showed before anything was typed, and the heads that it was shown on.
    was: Option<Form>,
    base: Option<Vec<String>>,
    session: Option<String>,
    /// Persons who seemed to be the same, and of whom staff said that they are not.
    #[serde(default)]
    not_same_as: Vec<String>,
}

/// The fields as a person is written at a door.
fn nest(object: &mut Map<String, Value>, fields: Vec<(&'static str, Value)>) {
    for (path, value) in fields {
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
}

#[derive(Deserialize)]
pub struct Check {
    #[serde(flatten)]
    form: Form,
    /// Everything was typed: also say what is missing, and who may be the same person.
    #[serde(default)]
    whole: bool,
}

/// What is to be said of what was typed, before it is saved.
pub async fn check(State(app): State<Arc<App>>, Body(check): Body<Check>) -> Answer {
    app.with(move |app| {
        let findings = check.form.findings(&|text| app.say(text), here(), check.whole);
        let alike = if check.whole { alike(app, &check.form)? } else { Vec::new() };
        let findings: Vec<Value> = findings.iter().map(person_form::shown).collect();
        Ok(Json(json!({"findings": findings, "alike": alike})))
    })
    .await
}

/// Those who are likely the same person, the likeliest first.
fn alike(app: &App, form: &Form) -> Result<Vec<Value>, Fail> {
    // What cannot be saved yet is compared with nobody.
    let Ok(fields) = form.fields(&|text| app.say(text), here()) else { return Ok(Vec::new()) };
    let mut person = Map::new();
    nest(&mut person, fields);
    let likely = app.tablet.likely_duplicates(&Value::Object(person))?;
    let likely = likely.into_iter().take(MOST_ALIKE).map(|one| {
        let about = [one.person.birth, one.person.postcode].into_iter().filter(|part| !part.is_empty());
        json!({"id": one.person.id, "name": one.person.name, "about": about.collect::<Vec<_>>().join(" · "),
            "likely": app.say_id(if one.likeness == Likeness::Likely { "likeness-likely" } else { "likeness-possible" }), "reasons": one.words})
    });
    Ok(likely.collect())
}

pub async fn create(State(app): State<Arc<App>>, Body(save): Body<Save>) -> Answer {
    app.saving(move |app| {
        let session = save.session.as_deref().map(id).transpose()?;
        let team =
            session.map(|session| today::place(app, session)).transpose()?.and_then(|place| place.team);
        let mut object = Map::new();
        nest(&mut object, save.form.fields(&|text| app.say(text), here())?);
        let declined =
            DECLINABLE.iter().filter(|(field, _)| save.form.declined.iter().any(|one| one == field));
        let declined: Vec<&str> = declined.map(|(_, stored)| *stored).collect();
        if !declined.is_empty() {
            object.insert("declined".to_owned(), json!(declined));
        }
        let by = app.by(team);
        if !save.not_same_as.is_empty() {
            let others = save
                .not_same_as
                .iter()
                .map(|other| Ok(json!({"person": id(other)?, "at": now(), "by": by.staff})));
            object.insert("not_same_as".to_owned(), others.collect::<Result<Vec<_>, Fail>>()?.into());
        }
        let person = app.tablet.create(Kind::Person, Value::Object(object), &by)?;
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
        let mut was = save.was.unwrap_or_default();
        let mut form = save.form;
        // What was stored already was confirmed when it was typed.
        was.confirmed = was
            .findings(&|text| app.say(text), here(), false)
            .iter()
            .map(|finding| finding.field.to_owned())
            .collect();
        form.confirmed.extend(form.unchanged_since(&was));
        let after = form.fields(&|text| app.say(text), here())?;
        let before = was.fields(&|text| app.say(text), here()).unwrap_or_default();
        let mut edit = Edit { base: save.base.as_deref().map(heads).transpose()?, set: Vec::new() };
        // An estimated age was of another day: only what was typed tells whether it changed.
        let same_birth = (&was.date_of_birth, &was.age_years) == (&form.date_of_birth, &form.age_years);
        for (path, value) in after {
            let known =
                before.iter().find(|(other, _)| *other == path).map_or(&Value::Null, |(_, value)| value);
            if *known != value && !(path == "birth" && same_birth) {
                edit.set.push((path.to_owned(), value));
            }
        }
        for (field, stored) in DECLINABLE {
            let declines = |form: &Form| form.declined.iter().any(|one| one == field);
            if declines(&was) != declines(&form) {
                edit.set.push((join("declined", stored), json!(declines(&form))));
            }
        }
        if !edit.set.is_empty() {
            app.tablet.edit(person, edit, &app.by(None))?;
        }
        Ok(Json(json!({"id": person})))
    })
    .await
}
