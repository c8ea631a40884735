//! Who wrote what, when and on which tablet: a Provenance for each change of a record.

use serde_json::{Map, Value, json};

use super::values::{clean, instant};
use super::{Resource, Type, id_of};

/// One change of a record.
#[derive(Debug, Clone)]
pub struct Made {
    /// Lower-case hex.
    pub hash: String,
    /// By the tablet's own clock, RFC 3339; empty where the change does not say.
    pub at: String,
    /// When the server took it in, RFC 3339.
    pub received_at: String,
    /// Ids, and what people call them.
    pub by: String,
    pub by_name: String,
    pub tablet: String,
    pub tablet_name: String,
    /// The paths that it wrote; of an amendment the entry that it amends.
    pub paths: Vec<String>,
    /// Whether it began the record.
    pub begins: bool,
}

/// The provenance of `resources`, all of one record. A change is that of the record, and of each place that it wrote.
pub fn provenance(record: &str, changes: &[Made], resources: &[Resource]) -> Vec<Resource> {
    let told = changes.iter().filter_map(|change| {
        let targets: Vec<Value> = resources
            .iter()
            .filter(|made| made.ty != Type::Provenance)
            .filter(|made| made.path.is_empty() || change.paths.iter().any(|path| covers(&made.path, path)))
            .map(Resource::reference)
            .collect();
        let (code, display) = if change.begins { ("CREATE", "create") } else { ("UPDATE", "revise") };
        let agent = |what: &str, id: &str, name: &str| {
            Some(json!({"type": {"text": what}, "who": {"identifier": {"value": clean(id)?}, "display": clean(name)?}}))
        };
        let agents: Vec<Value> = agent("Recorded by", &change.by, &change.by_name)
            .into_iter()
            .chain(agent("Tablet", &change.tablet, &change.tablet_name))
            .collect();
        // A resource without a target or an agent says nothing.
        if targets.is_empty() || agents.is_empty() {
            return None;
        }
        let mut fields = Map::from_iter([
            ("target".to_owned(), targets.into()),
            ("recorded".to_owned(), instant(&change.received_at)?.into()),
            (
                "activity".to_owned(),
                json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation",
                    "code": code, "display": display}]}),
            ),
            ("agent".to_owned(), agents.into()),
        ]);
        fields.extend(instant(&change.at).map(|at| ("occurredDateTime".to_owned(), at.into())));
        let path = format!("changes/{}", change.hash);
        Some(Resource::new(Type::Provenance, id_of(Type::Provenance, record, &path), &path, fields))
    });
    told.collect()
}

/// Whether a write at `path` is one of the place `place`, or of something inside it.
fn covers(place: &str, path: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
