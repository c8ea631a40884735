//! The document by itself. That answers are what it says stands in the tests of the pages.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_address_of_the_api_is_in_the_document_and_the_other_way_round() {
    let listed: BTreeSet<(&str, &str)> = routes()
        .filter(|route| route.path.starts_with("/api/") || route.path.starts_with("/fhir/"))
        .map(|route| (route.method, route.path))
        .collect();
    let described: BTreeSet<(&str, &str)> = OPS.iter().map(|op| (op.method, op.path)).collect();
    let missing: Vec<_> = listed.difference(&described).collect();
    let gone: Vec<_> = described.difference(&listed).collect();
    assert!(missing.is_empty(), "add these to openapi/table.rs: {missing:?}");
    assert!(gone.is_empty(), "these are no addresses: {gone:?}");
    assert_eq!(described.len(), OPS.len(), "an address stands there twice");
}

#[test]
fn every_schema_of_the_document_is_one_and_refers_to_nothing_that_is_not_there() {
    let schemas = DOCUMENT["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{name}: {schema}");
    }
    let mut refers = Vec::new();
    fn walk<'a>(value: &'a Value, refers: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                refers.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| walk(value, refers));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, refers)),
            _ => {}
        }
    }
    walk(&DOCUMENT, &mut refers);
    for to in refers {
        let name = to.strip_prefix("#/components/schemas/").unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
    let names: Vec<&Value> = DOCUMENT["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|op| &op["operationId"])
        .collect();
    let distinct: BTreeSet<&str> = names.iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(distinct.len(), names.len());
}
