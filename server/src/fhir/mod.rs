//! FHIR R4 (UK Core) of what the views show: pure mapping, from a record's JSON to resources.
//!
//! Facts: section 9 of the clinical pack, with codes of its sections 3, 4 and 8; nothing is coded here that the pack
//! does not name, it stands as text then. What the pack leaves open is ours (D):
//!
//! - **Ids are derived**: a record's own id, or the UUIDv5 of record and place. The same record gives the same
//!   resources on any server, so that loading an export twice changes nothing.
//! - **A place in a record is one resource.** A reading that was corrected is `corrected`, one that was struck out
//!   `entered-in-error`, under the id that it always had.
//! - **What disagrees is nobody's truth**: `preliminary`, without a value, with every value in its note. A disputed
//!   detail of a person is left out, and said in the narrative.
//! - **Never half a blood pressure**: both components, or none.
//!
//! By hand with `serde_json`, not by a typed crate: see decision 0013.

mod bundle;
mod care;
mod observation;
mod people;
mod provenance;
mod summary;
#[cfg(test)]
mod tests;
mod values;

use serde_json::{Map, Value, json};
use uuid::Uuid;
use wayside_protocol::record::RecordId;

pub use bundle::{deletions, transaction};
pub use care::encounter;
pub use people::{organization, patient, session_location, site_location};
pub use provenance::{Made, provenance};
pub use summary::summary;
pub(crate) use values::{Place, disputed, instant, places};

/// A type of resource that goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    Organization,
    Location,
    Patient,
    Consent,
    Encounter,
    Observation,
    ServiceRequest,
    Task,
    Provenance,
    /// Stands first in a summary, and nowhere else.
    Composition,
}

impl Type {
    /// Those that go out by themselves.
    pub const ALL: [Type; 9] = [
        Type::Organization,
        Type::Location,
        Type::Patient,
        Type::Consent,
        Type::Encounter,
        Type::Observation,
        Type::ServiceRequest,
        Type::Task,
        Type::Provenance,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Type::Organization => "Organization",
            Type::Location => "Location",
            Type::Patient => "Patient",
            Type::Consent => "Consent",
            Type::Encounter => "Encounter",
            Type::Observation => "Observation",
            Type::ServiceRequest => "ServiceRequest",
            Type::Task => "Task",
            Type::Provenance => "Provenance",
            Type::Composition => "Composition",
        }
    }

    pub fn parse(text: &str) -> Option<Type> {
        Type::ALL.into_iter().find(|ty| ty.as_str() == text)
    }
}

/// One resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    pub ty: Type,
    pub id: String,
    /// The path in its record from which it comes; empty for the record itself.
    pub path: String,
    /// With `resourceType` and `id`; references as `Type/id`.
    pub json: Value,
}

impl Resource {
    /// The resource that stands for a record as a whole.
    fn of_record(ty: Type, id: &str, fields: Map<String, Value>) -> Resource {
        Resource::new(ty, id.to_owned(), "", fields)
    }

    /// The resource of a place in a record.
    fn of_place(ty: Type, record: &str, path: &str, fields: Map<String, Value>) -> Resource {
        Resource::new(ty, id_of(ty, record, path), path, fields)
    }

    fn new(ty: Type, id: String, path: &str, mut fields: Map<String, Value>) -> Resource {
        fields.insert("resourceType".into(), ty.as_str().into());
        fields.insert("id".into(), id.clone().into());
        Resource { ty, id, path: path.to_owned(), json: Value::Object(fields) }
    }

    /// As others refer to it.
    pub fn reference(&self) -> Value {
        refer(self.ty, &self.id)
    }
}

/// The id of a place's resource, the same wherever it is made. Namespace: the record's id; name: type and path.
fn id_of(ty: Type, record: &str, path: &str) -> String {
    // What the views hold has ids; anything else still gets one that stays.
    let record =
        record.parse::<Uuid>().unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, record.as_bytes()));
    Uuid::new_v5(&record, format!("{}/{path}", ty.as_str()).as_bytes()).to_string()
}

fn refer(ty: Type, id: &str) -> Value {
    json!({"reference": format!("{}/{id}", ty.as_str())})
}

/// The identifier of a record of ours.
fn identifier(id: &str) -> Value {
    json!({"system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{id}")})
}

/// A check or conversation in the hands of those who map it.
pub struct Seen<'a> {
    /// As the views show it, with `derived` and `conflicts`.
    pub contact: &'a Value,
    /// The id of the record that stands for its person.
    pub person: Option<RecordId>,
}

impl Seen<'_> {
    fn id(&self) -> &str {
        values::text(self.contact, "/id").unwrap_or_default()
    }

    fn is_in_error(&self) -> bool {
        self.contact.get("entered_in_error").is_some_and(Value::is_object)
    }

    /// Whom it is about: somebody who gave no details is a patient of this one contact.
    fn subject(&self) -> Value {
        match self.person {
            Some(person) => refer(Type::Patient, &person.to_string()),
            None => refer(Type::Patient, &id_of(Type::Patient, self.id(), "")),
        }
    }

    fn encounter(&self) -> Value {
        refer(Type::Encounter, self.id())
    }

    /// The team that saw the person.
    fn organization(&self) -> Option<Value> {
        Some(refer(Type::Organization, values::text(self.contact, "/team")?))
    }
}

/// Everything that a contact comes to, but for its provenance.
pub fn contact(seen: &Seen<'_>) -> Vec<Resource> {
    let mut resources = Vec::new();
    if seen.person.is_none() {
        resources.push(people::nobody(seen));
    }
    resources.push(encounter(seen));
    resources.extend(observation::observations(seen));
    resources.extend(care::requests(seen, &resources));
    resources.extend(care::tasks(seen));
    resources
}
