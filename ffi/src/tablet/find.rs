//! Reading records, one or many, and those to settle.

use serde_json::Value;
use wayside_client_core as facade;

use super::Tablet;
use crate::{
    ContactShown, Kind, PersonShown, PersonSummary, SessionShown, SiteShown, Unsettled,
    convert::{self, page},
    error::Result,
};

#[uniffi::export]
impl Tablet {
    /// A person as a screen shows them.
    pub fn person(&self, id: String) -> Result<PersonShown> {
        self.show(&id, Kind::Person)
    }

    /// A contact as a screen shows it, with what the rules make of it.
    pub fn contact(&self, id: String) -> Result<ContactShown> {
        self.show(&id, Kind::Contact)
    }

    /// A session as a screen shows it.
    pub fn session(&self, id: String) -> Result<SessionShown> {
        self.show(&id, Kind::Session)
    }

    /// A site as a screen shows it.
    pub fn site(&self, id: String) -> Result<SiteShown> {
        self.show(&id, Kind::Site)
    }

    /// Any record as JSON text, with its conflicts and what it means, in the shape of `records.md`.
    pub fn show_json(&self, id: String) -> Result<String> {
        self.with(|tablet| Ok(tablet.show(convert::id(&id)?)?.json.to_string()))
    }

    /// Sites, the last one to arrive here first.
    #[uniffi::method(default(offset = 0, limit = None))]
    pub fn sites(&self, offset: u64, limit: Option<u64>) -> Result<Vec<SiteShown>> {
        self.list(Kind::Site, offset, limit)
    }

    /// Sessions, the last one to arrive here first.
    #[uniffi::method(default(offset = 0, limit = None))]
    pub fn sessions(&self, offset: u64, limit: Option<u64>) -> Result<Vec<SessionShown>> {
        self.list(Kind::Session, offset, limit)
    }

    /// Contacts of a session, the last one to arrive here first.
    #[uniffi::method(default(offset = 0, limit = None))]
    pub fn contacts_of_session(
        &self,
        session: String,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<Vec<ContactShown>> {
        self.with(|tablet| shown(tablet, tablet.contacts_of(convert::id(&session)?)?, offset, limit))
    }

    /// Contacts of a person, and of everybody who was found to be one with them.
    pub fn contacts_of_person(&self, person: String) -> Result<Vec<ContactShown>> {
        self.with(|tablet| shown(tablet, tablet.contacts_of_person(convert::id(&person)?)?, 0, None))
    }

    /// Records of one kind or all, the last one to arrive here first: the JSON text of an array. Ask for a page at a
    /// time.
    #[uniffi::method(default(kind = None, offset = 0, limit = None))]
    pub fn list_json(&self, kind: Option<Kind>, offset: u64, limit: Option<u64>) -> Result<String> {
        self.with(|tablet| {
            let list = tablet.list(kind.map(facade::Kind::from), page(offset, limit))?;
            Ok(Value::Array(list).to_string())
        })
    }

    /// People in whom every word of `text` is found, the best first, of no more than 200: a name in any order, also
    /// misspelt or without its accents, a date of birth as people write it, an NHS or a telephone number or a part of
    /// one. Fewer than two characters find nobody.
    #[uniffi::method(default(offset = 0, limit = None))]
    pub fn search(&self, text: String, offset: u64, limit: Option<u64>) -> Result<Vec<PersonSummary>> {
        self.with(|tablet| {
            let found = tablet.find_people(&text, page(offset, limit))?;
            Ok(found.into_iter().map(PersonSummary::from).collect())
        })
    }

    /// Records in which values disagree or of which base refused something, the last one to arrive here first.
    #[uniffi::method(default(offset = 0, limit = None))]
    pub fn unsettled(&self, offset: u64, limit: Option<u64>) -> Result<Vec<Unsettled>> {
        self.with(|tablet| shown(tablet, tablet.unsettled_records()?, offset, limit))
    }

    /// Ids of records that base does not have all of yet: nobody there can see that.
    pub fn waiting_records(&self) -> Result<Vec<String>> {
        self.with(|tablet| Ok(tablet.waiting_records()?.iter().map(facade::RecordId::to_string).collect()))
    }
}

impl Tablet {
    fn show<T: From<facade::Shown>>(&self, id: &str, kind: Kind) -> Result<T> {
        self.with(|tablet| {
            let shown = tablet.show(convert::id(id)?)?;
            if shown.json["kind"].as_str().and_then(Kind::of_code) == Some(kind) {
                Ok(shown.into())
            } else {
                Err(facade::Code::WrongKind.into())
            }
        })
    }

    fn list<T: From<facade::Shown>>(&self, kind: Kind, offset: u64, limit: Option<u64>) -> Result<Vec<T>> {
        self.with(|tablet| {
            let found = tablet.list_shown(Some(kind.into()), page(offset, limit))?;
            Ok(found.into_iter().map(T::from).collect())
        })
    }
}

/// This part of some records.
fn shown<T: From<facade::Shown>>(
    tablet: &facade::Tablet,
    ids: Vec<facade::RecordId>,
    offset: u64,
    limit: Option<u64>,
) -> Result<Vec<T>> {
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    let take = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let ids = ids.into_iter().skip(skip).take(take);
    ids.map(|id| Ok(tablet.show(id)?.into())).collect()
}
