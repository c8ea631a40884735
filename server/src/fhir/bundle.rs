//! Resources together: a transaction that can be sent again and again.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Resource, Type, identifier};

/// A transaction that puts each resource under its own id, whoever refers to it after it.
pub fn transaction(resources: &[Resource]) -> Value {
    let entries: Vec<Value> = closed(resources)
        .into_iter()
        .map(|made| {
            let url = format!("{}/{}", made.ty.as_str(), made.id);
            json!({"fullUrl": full_url(&made.id), "resource": made.json, "request": {"method": "PUT", "url": url}})
        })
        .collect();
    let profile = "https://fhir.hl7.org.uk/StructureDefinition/UKCore-Bundle";
    json!({"resourceType": "Bundle", "meta": {"profile": [profile]}, "type": "transaction", "entry": entries})
}

fn full_url(id: &str) -> String {
    format!("urn:uuid:{id}")
}

/// The resources, each once, with references to each other by their full URL. To what is not among them they refer by
/// its identifier: nothing in a bundle points nowhere.
pub(super) fn closed(resources: &[Resource]) -> Vec<Resource> {
    let mut there: BTreeSet<(Type, &str)> = BTreeSet::new();
    let mut kept: Vec<Resource> =
        resources.iter().filter(|made| there.insert((made.ty, &made.id))).cloned().collect();
    let there: BTreeSet<String> = there.into_iter().map(|(ty, id)| format!("{}/{id}", ty.as_str())).collect();
    for made in &mut kept {
        close(&mut made.json, &there);
    }
    kept
}

fn close(value: &mut Value, there: &BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(to)) = members.get("reference") {
                let id = to.rsplit('/').next().unwrap_or_default();
                if there.contains(to) {
                    members.insert("reference".into(), full_url(id).into());
                } else {
                    members.insert("identifier".into(), identifier(id));
                    members.remove("reference");
                }
            }
            members.values_mut().for_each(|member| close(member, there));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| close(value, there)),
        _ => {}
    }
}

/// What takes everything of this type back that an erased record came to, as a transaction: its entries are gone, so
/// that only what referred to it can still name them. Nothing for a type that no erased record has.
pub fn deletions(ty: Type, record: &str) -> Option<Value> {
    let by_encounter = format!("{}?encounter=Encounter/{record}", ty.as_str());
    let own = format!("{}/{record}", ty.as_str());
    let urls = match ty {
        Type::Patient => vec![own, format!("Patient/{}", super::id_of(Type::Patient, record, ""))],
        Type::Encounter | Type::Location => vec![own],
        Type::Observation | Type::ServiceRequest | Type::Task => vec![by_encounter],
        Type::Consent => vec![format!("Consent?patient=Patient/{record}")],
        Type::Provenance => vec![
            format!("Provenance?target=Encounter/{record}"),
            format!("Provenance?target=Patient/{record}"),
        ],
        Type::Organization | Type::Composition => return None,
    };
    let entries: Vec<Value> =
        urls.into_iter().map(|url| json!({"request": {"method": "DELETE", "url": url}})).collect();
    Some(json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
}
