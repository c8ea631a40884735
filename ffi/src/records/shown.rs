//! Records as screens show them: the record, what it means, where values disagree.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use wayside_client_core::{self as facade, Action, Category};

use crate::{Contact, Kind, Person, Session, Site, Urgency, convert, json};

/// What every record has beside its fields.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct About {
    /// The record's id.
    pub id: String,
    /// The team that it belongs to; `None` before this tablet was enrolled.
    pub team: Option<String>,
    /// Who made it; `None` where all of it was refused.
    pub created: Option<Created>,
    /// It does not count any more.
    pub entered_in_error: Option<EnteredInError>,
    /// What the screen showed: give it back as `base` with the save that this screen leads to. Text without a meaning
    /// of its own.
    pub heads: String,
    /// Where people disagree: one entry for each field. `settle` says which value is right.
    pub conflicts: Vec<Conflict>,
    /// What base refused, and why: it is kept here and there. Saving it again, put right, sends it anew.
    pub drafts: Vec<Draft>,
    /// All of it as JSON text, with what this version of the bindings does not know.
    pub json: String,
}

/// Who made a record.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Created {
    /// By the tablet's clock then.
    pub at: Option<String>,
    /// Staff id.
    pub by: Option<String>,
    /// On which tablet.
    pub tablet: Option<String>,
}

/// Why a record does not count.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct EnteredInError {
    /// When.
    pub at: Option<String>,
    /// Staff id.
    pub by: Option<String>,
    /// In somebody's words.
    pub reason: String,
}

/// Why an entry does not count: it stays, and the screen strikes it through.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct StruckOut {
    /// When.
    pub at: Option<String>,
    /// Staff id.
    pub by: Option<String>,
    /// In somebody's words.
    pub reason: Option<String>,
}

/// A field of which several values stand beside each other.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Conflict {
    /// As in `name/family`; for two corrections of one reading `bp/readings/<id>`.
    pub path: String,
    /// Two or more.
    pub values: Vec<Opinion>,
    /// Whether `settle` can decide it; otherwise the values stay beside each other.
    pub can_settle: bool,
}

/// One of several values, with who said it.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Opinion {
    /// JSON text: what `settle` takes.
    pub json: String,
    /// To show: text as it is, everything else as JSON text.
    pub text: String,
    /// Staff id.
    pub by: Option<String>,
    /// On which tablet.
    pub tablet: Option<String>,
    /// By that tablet's clock.
    pub at: Option<String>,
}

/// A change that base refused.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Draft {
    /// Which change.
    pub hash: String,
    /// Why, stable.
    pub code: String,
    /// Why, for staff.
    pub message: String,
    /// What it says: JSON text by path.
    pub values: HashMap<String, String>,
}

/// A person with what stands beside them.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct PersonShown {
    /// Id, heads, conflicts, drafts.
    pub about: About,
    /// What is known of them.
    pub person: Person,
}

/// A contact with what it means.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ContactShown {
    /// Id, heads, conflicts, drafts.
    pub about: About,
    /// What was recorded.
    pub contact: Contact,
    /// What the rules make of it today; `None` where all of it was refused.
    pub derived: Option<Derived>,
}

/// A session with what stands beside it.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct SessionShown {
    /// Id, heads, conflicts, drafts.
    pub about: About,
    /// What was recorded.
    pub session: Session,
}

/// A site with what stands beside it.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct SiteShown {
    /// Id, heads, conflicts, drafts.
    pub about: About,
    /// What was recorded.
    pub site: Site,
    /// Attendance there can reveal religion.
    pub sensitive: bool,
}

/// What the rules make of a contact. Show it as it is, and store under `advice` what was shown.
#[derive(Debug, Clone, PartialEq, Deserialize, uniffi::Record)]
pub struct Derived {
    /// As in `HIGH`; `None` without a reading that counts.
    pub category: Option<Outcome>,
    /// What to do.
    pub actions: Vec<Outcome>,
    /// How soon somebody must act.
    #[serde(deserialize_with = "urgency")]
    pub urgency: Urgency,
    /// The id of the reading that counts; `None` where an average does.
    pub chosen_reading: Option<String>,
    /// mmHg, of the reading or the average that counts.
    pub systolic: Option<i32>,
    /// mmHg, of the reading or the average that counts.
    pub diastolic: Option<i32>,
    /// Why this reading, in English words for staff.
    pub why: String,
    /// Whether another reading is due.
    pub another_reading_due: bool,
    /// kg/m², one decimal place.
    pub bmi: Option<f64>,
    /// Whole years on the day of the contact.
    pub age: Option<i32>,
    /// The version of the rules: store it with advice.
    pub rules: String,
    /// Where values disagree, the more urgent outcome counts; this says what else it could be.
    #[serde(default)]
    pub disputed: Option<Disputed>,
}

/// A category or an action: its code and its English words.
#[derive(Debug, Clone, PartialEq, Deserialize, uniffi::Record)]
#[serde(from = "String")]
pub struct Outcome {
    /// Stable, as in `HIGH`.
    pub code: String,
    /// For staff.
    pub label: String,
}

impl From<String> for Outcome {
    fn from(code: String) -> Self {
        let label = Category::parse(&code).map(Category::label);
        let label = label.or_else(|| Action::parse(&code).map(Action::label)).unwrap_or(&code).to_owned();
        Outcome { code, label }
    }
}

/// What a contact means while values disagree.
#[derive(Debug, Clone, PartialEq, Deserialize, uniffi::Record)]
pub struct Disputed {
    /// Paths of the contact, or of its person (`person/birth`).
    pub paths: Vec<String>,
    /// Categories that it could come to instead, the number behind them left out.
    #[serde(rename = "otherwise", deserialize_with = "categories")]
    pub otherwise: Vec<Outcome>,
}

fn urgency<'de, D: Deserializer<'de>>(from: D) -> Result<Urgency, D::Error> {
    let code = String::deserialize(from)?;
    Urgency::parse(&code).ok_or_else(|| serde::de::Error::custom("no urgency"))
}

fn categories<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Outcome>, D::Error> {
    let outcomes = Vec::<Value>::deserialize(from)?;
    let codes = outcomes.iter().filter_map(|outcome| outcome["category"].as_str());
    Ok(codes.map(|code| Outcome::from(code.to_owned())).collect())
}

impl From<facade::Shown> for About {
    fn from(shown: facade::Shown) -> Self {
        About::of(&shown.json, shown.heads)
    }
}

impl About {
    fn of(json: &Value, heads: Vec<facade::Hash>) -> About {
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let kind = json["kind"].as_str().and_then(Kind::of_code);
        let list = |name: &str| json[name].as_array().into_iter().flatten();
        About {
            id: text("id").unwrap_or_default(),
            team: text("team"),
            created: json.get("created").map(|created| json::read(created.clone())),
            entered_in_error: json.get("entered_in_error").map(|why| json::read(why.clone())),
            heads: convert::heads_out(&heads),
            conflicts: list("conflicts").map(|conflict| Conflict::of(kind, conflict)).collect(),
            drafts: list("quarantined").map(Draft::of).collect(),
            json: json.to_string(),
        }
    }
}

impl Conflict {
    fn of(kind: Option<Kind>, json: &Value) -> Conflict {
        let path = json["path"].as_str().unwrap_or_default().to_owned();
        let said = |one: &Value, name: &str| one[name].as_str().map(str::to_owned);
        let values = json["values"].as_array().into_iter().flatten().map(|one| Opinion {
            json: one["value"].to_string(),
            text: json::shown(one["value"].clone()).unwrap_or_default(),
            by: said(one, "by"),
            tablet: said(one, "tablet"),
            at: said(one, "at"),
        });
        let can_settle = kind.is_some_and(|kind| facade::can_settle(kind.into(), &path));
        Conflict { values: values.collect(), can_settle, path }
    }
}

impl Draft {
    fn of(json: &Value) -> Draft {
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let values = json["values"].as_object().into_iter().flatten();
        Draft {
            hash: text("hash"),
            code: text("code"),
            message: text("message"),
            values: values.map(|(path, value)| (path.clone(), value.to_string())).collect(),
        }
    }
}

impl From<facade::Shown> for PersonShown {
    fn from(shown: facade::Shown) -> Self {
        PersonShown { person: json::read(shown.json.clone()), about: shown.into() }
    }
}

impl From<facade::Shown> for ContactShown {
    fn from(shown: facade::Shown) -> Self {
        let derived = shown.json.get("derived").and_then(|derived| Derived::deserialize(derived).ok());
        ContactShown { derived, contact: json::read(shown.json.clone()), about: shown.into() }
    }
}

impl From<facade::Shown> for SessionShown {
    fn from(shown: facade::Shown) -> Self {
        SessionShown { session: json::read(shown.json.clone()), about: shown.into() }
    }
}

impl From<facade::Shown> for SiteShown {
    fn from(shown: facade::Shown) -> Self {
        let sensitive = shown.json["derived"]["sensitive"] == true;
        SiteShown { sensitive, site: json::read(shown.json.clone()), about: shown.into() }
    }
}
