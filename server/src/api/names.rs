//! Names for what records only have ids of: tablets and staff.

use std::collections::HashMap;

use serde_json::Value;
use wayside_protocol::record::{Kind, tablet_id};

use crate::base::Base;
use crate::error::Result;
use crate::log::db::Conn;
use crate::views::Views;

/// What stands where the server itself made a change.
const SERVER: &str = "This server";

#[derive(Debug, Default)]
pub struct Names {
    tablets: HashMap<String, String>,
    staff: HashMap<String, String>,
}

impl Names {
    pub fn read(base: &Base, log: &Conn, views: &Views) -> Result<Names> {
        let named: Vec<(String, String)> =
            log.all("SELECT id, name FROM tablet", &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut times: HashMap<&str, usize> = HashMap::new();
        for (_, name) in &named {
            *times.entry(name).or_default() += 1;
        }
        // Nobody stops two vans from calling their tablets alike.
        let mut tablets: HashMap<String, String> = named
            .iter()
            .map(|(id, name)| {
                let alone = times.get(name.as_str()) == Some(&1) && !name.is_empty();
                let shown =
                    if alone { name.clone() } else { format!("{name} ({})", short(id)).trim().to_owned() };
                (id.clone(), shown)
            })
            .collect();
        tablets.insert(tablet_id(base.identity.public()), SERVER.to_owned());
        let mut staff = HashMap::new();
        for team in views.list(Some(Kind::Team))? {
            for (id, member) in team.get("staff").and_then(Value::as_object).into_iter().flatten() {
                if let Some(name) = member.get("name").and_then(Value::as_str) {
                    staff.insert(id.clone(), name.to_owned());
                }
            }
        }
        Ok(Names { tablets, staff })
    }

    /// A tablet's name; the beginning of its id where nobody here knows it.
    pub fn tablet(&self, id: &str) -> String {
        self.tablets.get(id).cloned().unwrap_or_else(|| format!("Unknown tablet ({})", short(id)))
    }

    /// Whether this is a tablet's id.
    pub fn knows_tablet(&self, id: &str) -> bool {
        self.tablets.contains_key(id)
    }

    /// A staff member's name, or what the record says where the team's list does not have it.
    pub fn staff(&self, id: &str) -> String {
        self.staff.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }
}

fn short(id: &str) -> String {
    id.chars().take(4).collect()
}
