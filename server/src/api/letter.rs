//! What a letter to the GP practice about one check says, as data.

use serde::Serialize;
use serde_json::Value;
use wayside_protocol::clinical::card::{ResultCard, result_card};
use wayside_protocol::clinical::gp_message::{GpMessage, Sender, gp_message, share_with_gp};
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::Readers;
use super::records::{Check, check, read};
use crate::base::Base;
use crate::error::Result;

#[derive(Debug, Clone, Serialize)]
pub struct Letter {
    #[serde(flatten)]
    pub check: Check,
    pub message: GpMessage,
    /// For the person, in plain words.
    pub card: ResultCard,
    /// The team that saw the person.
    pub organisation: String,
}

/// The letter about one check. Blocks.
pub fn letter(base: &Base, readers: &Readers, id: RecordId) -> Result<Letter> {
    let check = check(base, readers, id)?;
    let derived = check.shown.derived.as_ref().ok_or(Code::WrongKind)?;
    let text = |record: &Value, pointer: &str| record.pointer(pointer)?.as_str().map(str::to_owned);
    let record = &check.shown.record;
    let by = text(record, "/created/by").unwrap_or_default();
    let (others, team) = read(base, readers, |_, views| {
        // What somebody said on a record that was merged with this one, they said.
        let mut others = Vec::new();
        let standing = check.person.as_ref().and_then(|person| text(person, "/id")?.parse::<RecordId>().ok());
        if let Some(standing) = standing {
            for (other, _) in views.merged(standing)?.into_iter().filter(|(other, _)| *other != standing) {
                others.extend(views.show(other)?);
            }
        }
        let team = text(record, "/team").and_then(|team| team.parse::<RecordId>().ok());
        Ok((others, team.map(|team| views.show(team)).transpose()?.flatten().unwrap_or_default()))
    })?;
    let organisation = text(&team, "/name").unwrap_or_default();
    let role = team.get("staff").and_then(|staff| text(staff.get(&by)?, "/role")).unwrap_or_default();
    let clinician = check.names.staff(&by);
    let sender = Sender { organisation: &organisation, clinician: &clinician, role: &role };
    let share = share_with_gp(check.person.iter().chain(&others));
    let message = gp_message(record, check.person.as_ref(), share, sender);
    let card = result_card(record, derived);
    Ok(Letter { message, card, organisation, check })
}
