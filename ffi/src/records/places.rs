//! Where people are seen.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{Address, StruckOut, json};

/// A venue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Site {
    /// Required in a new one.
    #[uniffi(default)]
    pub name: Option<String>,
    /// `mosque`, `church`, `gurdwara`, `mandir`, `synagogue`, `community_centre`, `market`, `shop`, `workplace`, `hostel`,
    /// `school`, `library`, `car_park`, `other`.
    #[serde(rename = "type")]
    #[uniffi(default)]
    pub venue: Option<String>,
    /// Where it is.
    #[uniffi(default)]
    pub address: Option<Address>,
    /// As in where to park.
    #[uniffi(default)]
    pub notes: Option<String>,
    /// False for one that is not visited any more.
    #[uniffi(default)]
    pub active: Option<bool>,
    /// The id of the site that this one turned out to be.
    #[uniffi(default)]
    pub merged_into: Option<String>,
    /// Names of fields that were asked for and declined.
    #[uniffi(default)]
    pub declined: Vec<String>,
    /// What your app adds: the JSON text of an object, whose members are kept as they are.
    #[serde(with = "json::raw")]
    #[uniffi(default)]
    pub ext: Option<String>,
}

/// One pop-up at a site on a day.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Session {
    /// The site's id or, in a new session, its name: it is found or made. Required in a new one.
    #[uniffi(default)]
    pub site: Option<String>,
    /// A date. Required in a new one.
    #[uniffi(default)]
    pub date: Option<String>,
    /// A time.
    #[uniffi(default)]
    pub starts_at: Option<String>,
    /// A time.
    #[uniffi(default)]
    pub ends_at: Option<String>,
    /// `van`, `bus`, `pop_up`, `home_visit`.
    #[uniffi(default)]
    pub setting: Option<String>,
    /// Which van.
    #[uniffi(default)]
    pub vehicle: Option<String>,
    /// A set of staff ids.
    #[uniffi(default)]
    pub staff: Vec<String>,
    /// A set of languages that staff speak there.
    #[uniffi(default)]
    pub languages: Vec<String>,
    /// A set: `everyone`, `women_only`, `men_only`, `after_prayers`, ...
    #[uniffi(default)]
    pub audience: Vec<String>,
    /// Sums by name, as in `leaflets`. Only read: `tally` adds to them.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub tallies: HashMap<String, i64>,
    /// In the order in which they were written.
    #[serde(deserialize_with = "json::entries")]
    #[uniffi(default)]
    pub notes: Vec<Note>,
    /// The id of the session that this one turned out to be.
    #[uniffi(default)]
    pub merged_into: Option<String>,
    /// Names of fields that were asked for and declined.
    #[uniffi(default)]
    pub declined: Vec<String>,
    /// What your app adds: the JSON text of an object, whose members are kept as they are.
    #[serde(with = "json::raw")]
    #[uniffi(default)]
    pub ext: Option<String>,
}

/// A note on a session or a contact.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Note {
    /// Of the entry; `None` for a new one.
    #[uniffi(default)]
    pub id: Option<String>,
    /// What it says.
    pub text: String,
    /// When; filled in by `add_note`.
    #[uniffi(default)]
    pub at: Option<String>,
    /// Staff id; filled in by `add_note`.
    #[uniffi(default)]
    pub by: Option<String>,
    /// Only read.
    #[serde(skip_serializing)]
    #[uniffi(default)]
    pub struck_out: Option<StruckOut>,
}
