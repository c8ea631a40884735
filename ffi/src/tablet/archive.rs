//! Asking base for people whose records have left this tablet.

use wayside_client_core as facade;

use super::Tablet;
use crate::{convert, error::Result, guard};

/// What base shows of somebody whose records it has archived; empty where it knows nothing.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ArchivedPerson {
    /// For `fetch`.
    pub id: String,
    pub name: String,
    /// A date of birth or an age, in words.
    pub birth: String,
    /// The last four digits.
    pub nhs_number: String,
    pub sex: String,
    pub postcode_area: String,
    /// `YYYY-MM-DD`.
    pub last_seen: String,
}

impl ArchivedPerson {
    fn of(person: facade::Archived) -> Option<ArchivedPerson> {
        let facade::Archived { id, name, birth, nhs_number, sex, postcode_area, last_seen } = person;
        Some(ArchivedPerson { id: id?.to_string(), name, birth, nhs_number, sex, postcode_area, last_seen })
    }
}

/// What was found at base.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct LookedUp {
    /// At most 20.
    pub people: Vec<ArchivedPerson>,
    /// There are others: say more of whom you mean.
    pub more: bool,
}

#[uniffi::export]
impl Tablet {
    /// Finds people at base whose records are archived, by all these words. `team` is only needed on a tablet of several.
    /// Base keeps who asked and the reason (1 to 500 characters), not the words. Throws without signal.
    #[uniffi::method(default(team = None))]
    pub async fn look_up(
        &self,
        query: String,
        staff: String,
        reason: String,
        team: Option<String>,
    ) -> Result<LookedUp> {
        let (tablet, team) = (self.inner()?, team.as_deref().map(convert::id).transpose()?);
        let asked = async move { tablet.look_up(team, &query, &staff, &reason).await };
        let facade::LookedUp { people, more } = guard::apart(asked).await??;
        Ok(LookedUp { people: people.into_iter().filter_map(ArchivedPerson::of).collect(), more })
    }

    /// Brings archived people (1 to 64 ids) back to their team's tablets, with their contacts: they are here when this
    /// returns. Returns the ids of those whom base has. Throws without signal.
    #[uniffi::method(default(team = None))]
    pub async fn fetch(
        &self,
        people: Vec<String>,
        staff: String,
        reason: String,
        team: Option<String>,
    ) -> Result<Vec<String>> {
        let (tablet, team) = (self.inner()?, team.as_deref().map(convert::id).transpose()?);
        let people = people.iter().map(|id| convert::id(id)).collect::<Result<Vec<_>>>()?;
        let asked = async move { tablet.fetch(team, &people, &staff, &reason).await };
        let found = guard::apart(asked).await??;
        Ok(found.iter().map(facade::RecordId::to_string).collect())
    }
}
