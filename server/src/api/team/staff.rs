//! A team's staff, and their PINs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::staff::{self, Pin};

use super::{Team, add, amend, line, needed};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::openapi::shapes;

pub const MAP: &str = "staff";

/// A member, with what a form about them stands on.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StaffMember)]
pub struct Member {
    #[serde(flatten)]
    #[schema(value_type = shapes::Staff)]
    pub member: staff::Member,
    pub seen: String,
}

/// What is typed of a member; what is `None` stays as it is.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct MemberFields {
    pub name: Option<String>,
    pub role: Option<String>,
    pub active: Option<bool>,
}

pub(super) fn members(fields: &Map<String, Value>, seen: impl Fn(&str) -> String) -> Vec<Member> {
    let members = staff::members(fields).into_iter();
    members.map(|member| Member { seen: seen(&member.id), member }).collect()
}

/// A member by entry id, else by name. [`Code::StaffUnknown`] where there is none.
pub fn find_member<'a>(team: &'a Team, text: &str) -> Result<&'a Member> {
    let text = text.trim();
    let by_id = team.staff.iter().find(|one| one.member.id == text);
    let by_name = || team.staff.iter().find(|one| one.member.name.eq_ignore_ascii_case(text));
    by_id.or_else(by_name).ok_or(Error::Refused(Code::StaffUnknown))
}

/// Adds a member and returns the entry's id, to which their records will be attributed. Blocks.
pub fn add_member(base: &Base, team: RecordId, by: &str, name: &str, role: &str) -> Result<String> {
    let (name, role) = (needed("A name", name)?, line("A role", role)?);
    let entry = json!({"name": name, "role": role, "active": true});
    add(base, team, by, MAP, entry, move |fields| is_free(fields, &name, ""))
}

/// Blocks.
pub fn change_member(
    base: &Base,
    team: RecordId,
    by: &str,
    id: &str,
    seen: Option<String>,
    fields: MemberFields,
) -> Result<()> {
    let name = fields.name.as_deref().map(|name| needed("A name", name)).transpose()?;
    let role = fields.role.as_deref().map(|role| line("A role", role)).transpose()?;
    let own = id.to_owned();
    amend(base, team, by, format!("{MAP}/{id}"), seen, move |set, whole| {
        if let Some(name) = &name {
            is_free(whole, name, &own)?;
        }
        set.extend(name.as_ref().map(|name| ("name".to_owned(), json!(name))));
        set.extend(role.as_ref().map(|role| ("role".to_owned(), json!(role))));
        set.extend(fields.active.map(|active| ("active".to_owned(), json!(active))));
        Ok(())
    })
}

/// Two of one name could not tell which of them they are.
fn is_free(fields: &Map<String, Value>, name: &str, own: &str) -> Result<()> {
    let name = name.to_lowercase();
    let taken = staff::members(fields)
        .into_iter()
        .any(|member| member.active && member.id != own && member.name.to_lowercase() == name);
    if taken { Err(Code::StaffExists.into()) } else { Ok(()) }
}

/// A PIN that nobody chose.
pub fn draw_pin() -> Pin {
    Pin::draw(rand::random)
}

/// Sets a member's PIN: it holds on every tablet from its next sync on. Blocks, for as long as a hash takes.
pub fn set_pin(
    base: &Base,
    team: RecordId,
    by: &str,
    id: &str,
    seen: Option<String>,
    pin: &Pin,
) -> Result<()> {
    let verifier = pin.verifier(&rand::random())?;
    amend(base, team, by, format!("{MAP}/{id}"), seen, move |set, _| {
        set.insert("pin".into(), json!(verifier.as_str()));
        Ok(())
    })
}
