//! One contact to record, with where it took place and whom it was with.

use serde_json::{Value, json};

use crate::{Contact, Person, Session, error::Result, json};

/// One contact to record.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Check {
    /// Where it took place.
    pub session: WhichSession,
    /// Whom it was with.
    pub person: WhichPerson,
    /// What was done. `started_at` is required; `session` and `person` stand above.
    pub contact: Contact,
}

/// The session of a contact.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
#[expect(clippy::large_enum_variant, reason = "there is one of it, for a moment")]
pub enum WhichSession {
    /// One that is here.
    Known {
        /// Its id.
        id: String,
    },
    /// The one at a site on a date, found or made.
    At {
        /// Its site and date at least.
        session: Session,
    },
}

/// The person of a contact.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
#[expect(clippy::large_enum_variant, reason = "there is one of it, for a moment")]
pub enum WhichPerson {
    /// One who is here.
    Known {
        /// Their id.
        id: String,
    },
    /// One who is made with the contact.
    New {
        /// What they said.
        person: Person,
    },
    /// Somebody who gave no details.
    NoDetails,
}

impl Check {
    /// As the client core takes it.
    pub(crate) fn line(self) -> Result<Value> {
        let session = match self.session {
            WhichSession::Known { id } => json!(id),
            WhichSession::At { session } => json::said(&session)?,
        };
        let person = match self.person {
            WhichPerson::Known { id } => json!(id),
            WhichPerson::New { person } => json::said(&person)?,
            WhichPerson::NoDetails => Value::Null,
        };
        let contact = Contact { session: None, person: None, ..self.contact };
        Ok(json!({"session": session, "person": person, "contact": json::said(&contact)?}))
    }
}
