//! A team's directory of services to refer to.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::staff::SERVICE_KINDS;

use super::{add, amend, line, needed};
use crate::base::Base;
use crate::error::{Error, Result};

const MAP: &str = "services";

/// A service, with what a form about it stands on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Service {
    pub id: String,
    pub name: String,
    /// One of [`SERVICE_KINDS`], or one of a newer version.
    pub kind: String,
    pub phone: String,
    pub hours: String,
    pub area: String,
    /// Tablets offer only those that are.
    pub active: bool,
    pub seen: String,
}

/// What is typed of a service; what is `None` stays as it is.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ServiceFields {
    pub name: Option<String>,
    pub kind: Option<String>,
    pub phone: Option<String>,
    pub hours: Option<String>,
    pub area: Option<String>,
    pub active: Option<bool>,
}

impl ServiceFields {
    fn checked(self) -> Result<Map<String, Value>> {
        let ServiceFields { name, kind, phone, hours, area, active } = self;
        let mut fields = Map::new();
        if let Some(name) = name {
            fields.insert("name".into(), json!(needed("A name", &name)?));
        }
        if let Some(kind) = kind {
            if !SERVICE_KINDS.contains(&kind.as_str()) {
                let message = format!("A kind of service is one of: {}.", SERVICE_KINDS.join(", "));
                return Err(Error::Said(Code::UnknownValue, message));
            }
            fields.insert("kind".into(), json!(kind));
        }
        for (name, what, text) in
            [("phone", "A phone number", phone), ("hours", "Hours", hours), ("area", "An area", area)]
        {
            if let Some(text) = text {
                fields.insert(name.into(), json!(line(what, &text)?));
            }
        }
        fields.extend(active.map(|active| ("active".to_owned(), json!(active))));
        Ok(fields)
    }
}

pub(super) fn services(fields: &Map<String, Value>, seen: impl Fn(&str) -> String) -> Vec<Service> {
    let entries = fields.get(MAP).and_then(Value::as_object).into_iter().flatten();
    let mut services: Vec<Service> = entries
        .filter(|(_, entry)| entry.get("struck_out").is_none_or(Value::is_null))
        .map(|(id, entry)| {
            let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            Service {
                seen: seen(id),
                id: id.clone(),
                name: text("name"),
                kind: text("kind"),
                phone: text("phone"),
                hours: text("hours"),
                area: text("area"),
                active: entry.get("active").and_then(Value::as_bool).unwrap_or(true),
            }
        })
        .collect();
    services.sort_by_key(|service| (service.kind.clone(), service.name.to_lowercase(), service.id.clone()));
    services
}

/// Adds a service and returns the entry's id. Blocks.
pub fn add_service(base: &Base, team: RecordId, by: &str, fields: ServiceFields) -> Result<String> {
    let mut entry = fields.checked()?;
    if !entry.contains_key("name") {
        return Err(Error::Said(Code::MissingField, "A name is missing.".into()));
    }
    entry.entry("active").or_insert(json!(true));
    add(base, team, by, MAP, Value::Object(entry), |_| Ok(()))
}

/// Blocks.
pub fn change_service(
    base: &Base,
    team: RecordId,
    by: &str,
    id: &str,
    seen: Option<String>,
    fields: ServiceFields,
) -> Result<()> {
    let fields = fields.checked()?;
    amend(base, team, by, format!("{MAP}/{id}"), seen, move |set, _| {
        set.extend(fields.clone());
        Ok(())
    })
}
