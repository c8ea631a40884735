//! Looking up at base what has left this tablet. It needs signal and a reason, and base keeps who asked and why.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wayside_protocol::{
    error::{Code, Invalid},
    record::RecordId,
    sync::frame::{Found, LookUp, MAX_FETCH, MAX_QUERY, MAX_REASON, Wish},
};

use super::Run;
use crate::{
    error::{Error, Result},
    tablet::Tablet,
};

/// A sync in the background is waited for, for ten seconds.
const WAITS: u32 = 100;
const WAIT: Duration = Duration::from_millis(100);

/// What base shows of somebody who is archived; empty where it knows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Archived {
    #[serde(skip_deserializing)]
    pub id: Option<RecordId>,
    pub name: String,
    pub birth: String,
    /// The last four digits.
    pub nhs_number: String,
    pub sex: String,
    pub postcode_area: String,
    /// YYYY-MM-DD.
    pub last_seen: String,
}

/// What was found at base.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LookedUp {
    /// At most 20.
    pub people: Vec<Archived>,
    /// There are others beside these: say more of whom you mean.
    pub more: bool,
}

impl Tablet {
    /// Finds archived persons of a team at base by all these words. `team` is only needed on a tablet of several. The
    /// reason, 1 to 500 characters, is kept at base with who asked; the query is not. Fails offline.
    pub async fn look_up(
        &self,
        team: Option<RecordId>,
        query: &str,
        staff: &str,
        reason: &str,
    ) -> Result<LookedUp> {
        let query = said("query", query, MAX_QUERY)?;
        let found = self.ask_base(team, staff, reason, Wish::Search { query }).await?;
        let people = found.records.into_iter().map(|(id, summary)| Archived {
            id: Some(id),
            ..serde_json::from_str(&summary).unwrap_or_default()
        });
        Ok(LookedUp { people: people.collect(), more: found.more })
    }

    /// Brings archived persons back to the tablets of their team, with their contacts and sessions: they are here
    /// when this returns. At most 64. Returns who was found at base, archived or not. Fails offline.
    pub async fn fetch(
        &self,
        team: Option<RecordId>,
        persons: &[RecordId],
        staff: &str,
        reason: &str,
    ) -> Result<Vec<RecordId>> {
        if persons.is_empty() || persons.len() > MAX_FETCH {
            return Err(Invalid::new(Code::BadArguments, "persons", "Fetch 1 to 64 people at a time.").into());
        }
        let wish = Wish::Fetch { records: persons.to_vec() };
        let found = self.ask_base(team, staff, reason, wish).await?;
        Ok(found.records.into_iter().map(|(id, _)| id).collect())
    }

    /// A sync whose first request asks something.
    async fn ask_base(&self, team: Option<RecordId>, staff: &str, reason: &str, wish: Wish) -> Result<Found> {
        let staff = said("staff", staff, MAX_QUERY)?;
        let reason = said("reason", reason, MAX_REASON)?;
        let team = self.0.store.read(|conn| self.0.team_for(conn, team))?;
        let team = team.ok_or(Error::Failed(Code::NotEnrolled))?;
        let look_up = LookUp { team, staff, reason, wish };
        for _ in 0..WAITS {
            let mut run = Run::new(Some(look_up.clone()), &|_| {});
            match run.run(&self.0).await {
                Err(Error::Failed(Code::SyncRunning)) => tokio::time::sleep(WAIT).await,
                done => return done.and(run.found.ok_or(Error::Failed(Code::FrameMalformed))),
            }
        }
        Err(Error::Failed(Code::SyncRunning))
    }
}

/// A text that says something, and no more than base takes.
fn said(what: &str, text: &str, most: usize) -> Result<String> {
    let text = text.trim();
    let message = match text.chars().count() {
        0 => format!("{what} is missing."),
        n if n > most => format!("{what} is at most {most} characters long."),
        _ => return Ok(text.to_owned()),
    };
    let code = if text.is_empty() { Code::MissingField } else { Code::TooLarge };
    Err(Invalid::new(code, what, message).into())
}
