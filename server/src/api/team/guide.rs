//! Which groups of people a team asks about, how its guided measurement is set, and when its tablets lock.

use serde_json::json;
use wayside_protocol::clinical::guide::GuideSettings;
use wayside_protocol::error::Code;
use wayside_protocol::record::{RecordId, Rules};

use super::{ensure_record, needed};
use crate::api::author;
use crate::base::Base;
use crate::error::{Error, Result};

/// Adds a group to the team's list, or takes it out. Blocks.
pub fn set_group(base: &Base, team: RecordId, by: &str, group: &str, there: bool) -> Result<()> {
    let group = needed("A group", group)?;
    ensure_record(base, team)?;
    author::edit(base, team, by, None, move |opened| {
        opened.write("plus_groups", json!({&group: there}), Rules::Entry)
    })?;
    Ok(())
}

/// Sets all of the guided measurement. `before` is what the form showed, if there was one. Blocks.
pub fn set_guide(
    base: &Base,
    team: RecordId,
    by: &str,
    before: Option<GuideSettings>,
    settings: &GuideSettings,
) -> Result<()> {
    check(settings)?;
    let value = serde_json::to_value(settings).map_err(|_| Error::Internal("JSON of settings"))?;
    ensure_record(base, team)?;
    author::edit(base, team, by, None, move |opened| {
        let now = GuideSettings::of_team(&serde_json::Value::Object(opened.record.view().fields));
        if before.as_ref().is_some_and(|before| *before != now) {
            return Err(Code::ChangedMeanwhile.into());
        }
        opened.write("settings/guide", value.clone(), Rules::Entry)
    })?;
    Ok(())
}

/// Minutes without a touch after which a tablet's page locks. Blocks.
pub fn set_lock_minutes(base: &Base, team: RecordId, by: &str, minutes: u64) -> Result<()> {
    if !(1..=60).contains(&minutes) {
        return Err(Error::Said(Code::OutOfRange, "A tablet locks after 1 to 60 minutes.".into()));
    }
    ensure_record(base, team)?;
    author::edit(base, team, by, None, move |opened| {
        opened.write("settings/lock_minutes", json!(minutes), Rules::Entry)
    })?;
    Ok(())
}

/// Limits within which the guide still guides. They are ours: no source gives any.
fn check(settings: &GuideSettings) -> Result<()> {
    let most = i64::try_from(settings.most_readings).unwrap_or(i64::MAX);
    let difference = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let limits = [
        ("systolic_difference", difference(settings.systolic_difference), 1, 60),
        ("diastolic_difference", difference(settings.diastolic_difference), 1, 60),
        ("most_readings", most, 2, 12),
        ("wait_seconds", settings.wait_seconds, 0, 900),
        ("pulse_wait_seconds", settings.pulse_wait_seconds, 0, 1800),
        ("standing_wait_seconds", settings.standing_wait_seconds, 0, 900),
        ("pregnancy_from", settings.pregnancy_from, 0, 120),
        ("pregnancy_to", settings.pregnancy_to, settings.pregnancy_from, 120),
    ];
    for (name, value, least, most) in limits {
        if !(least..=most).contains(&value) {
            return Err(Error::Said(Code::OutOfRange, format!("{name} is from {least} to {most}.")));
        }
    }
    Ok(())
}
