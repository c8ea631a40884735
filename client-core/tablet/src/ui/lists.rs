//! The code lists that the page offers.

use axum::Json;
use serde_json::{Value, json};
use wayside_protocol::{
    clinical::codes::{ETHNIC_CATEGORIES, RED_FLAGS},
    record::schema::{At, Kind, Shape, Type, at},
};

use super::{Answer, person_form, words};

/// What people call these; the codes themselves are the schema's.
const LABELS: &[(&str, &str)] = &[
    ("pop_up", "Pop-up"),
    ("approached", "Approached"),
    ("conversations", "Conversations"),
    ("declined", "Declined"),
    ("leaflets", "Leaflets"),
];

const TALLIES: &[&str] = &["approached", "conversations", "declined", "leaflets"];

/// A code as people read it: `community_centre` is `Community centre`.
pub fn label(code: &str) -> String {
    if let Some((_, label)) = LABELS.iter().find(|(known, _)| *known == code) {
        return (*label).to_owned();
    }
    capital(&code.replace('_', " "))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The codes that the schema allows in a field.
fn codes(kind: Kind, path: &str) -> Vec<Value> {
    match at(kind, path) {
        At::Field(Shape::One(Type::Code(list))) => {
            list.iter().map(|code| json!({"code": code, "label": label(code)})).collect()
        }
        _ => Vec::new(),
    }
}

pub async fn lists() -> Answer {
    Ok(Json(all()))
}

fn all() -> Value {
    let ethnic = ETHNIC_CATEGORIES.iter().map(|one| {
        // "Not stated" and "not known" stand apart, each in its own words.
        let group = if matches!(one.code, "Z" | "99") { "No answer" } else { one.group };
        json!({"code": one.code, "label": capital(one.label), "group": group})
    });
    let red_flags = RED_FLAGS
        .iter()
        .map(|(code, label)| json!({"code": code, "label": label, "ask": words::red_flag_question(code)}));
    json!({
        "ethnic_categories": ethnic.collect::<Vec<_>>(),
        "site_types": codes(Kind::Site, "type"),
        "settings": codes(Kind::Session, "setting"),
        "tallies": TALLIES.iter().map(|code| json!({"code": code, "label": label(code)})).collect::<Vec<_>>(),
        "sexes": [{"code": "female", "label": "Female"}, {"code": "male", "label": "Male"},
            {"code": "other", "label": "Other"}, {"code": "unknown", "label": "Not known"}],
        "nhs_number_absent": person_form::absent_reasons(),
        "red_flags": red_flags.collect::<Vec<_>>(),
    })
}

/// The labels that are made here, for whoever translates the page.
#[cfg(test)]
pub(super) fn labels() -> impl Iterator<Item = String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(
                    ["label", "ask", "group"]
                        .iter()
                        .filter_map(|name| Some(members.get(*name)?.as_str()?.to_owned())),
                );
                members.values().for_each(|value| collect(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&all(), &mut found);
    found.into_iter().filter(|label| !label.is_empty())
}
