//! The API as OpenAPI 3.1: which addresses there are, what they take, what they give, and how each can fail. Made from
//! the types that the handlers print and from one table; a test holds it against the list of addresses, and answers of
//! the real handlers against it.

pub mod shapes;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};
use wayside_protocol::error::Code;

pub use table::{Gives, OPS, Op, Param, ParamType};

use crate::error::Error;
use crate::router::{Route, Who, routes};
use crate::web::status;

/// Adds what a type prints to the components, and says how to refer to it.
pub type Component = fn(&mut BTreeMap<String, Value>) -> Value;

type Components = BTreeMap<String, Value>;

fn component<T: ToSchema>(components: &mut Components) -> Value {
    let mut found: Vec<(String, RefOr<Schema>)> = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    for (name, schema) in found {
        components.entry(name).or_insert_with(|| serde_json::to_value(schema).unwrap_or_default());
    }
    json!({"$ref": format!("#/components/schemas/{}", T::name())})
}

/// How one answer fails: the code of each error, by its status.
pub type Failures = BTreeMap<u16, Vec<&'static str>>;

/// Errors that an address can answer with, whatever it is.
pub fn failures(op: &Op) -> Failures {
    let mut codes = vec![
        Code::HostUnknown,
        Code::Internal,
        Code::StorageFailed,
        Code::StorageFull,
        Code::MethodNotAllowed,
        Code::RateLimited,
    ];
    let route = route(op);
    if route.is_some_and(|route| matches!(route.who, Who::Account(_))) {
        codes.extend([Code::NotSignedIn, Code::RoleNotAllowed, Code::ScopeMissing, Code::Behind]);
    }
    if op.method == "POST" {
        codes.push(Code::CrossOrigin);
    }
    if op.body.is_some() {
        codes.extend([Code::BadJson, Code::MediaType, Code::TooLarge]);
    }
    if !op.query.is_empty() || op.path.contains('{') {
        codes.push(Code::BadArguments);
    }
    if op.writes {
        codes.extend([Code::KeyReused, Code::KeyPending, Code::BadArguments]);
    }
    codes.extend(op.errors);
    codes.sort_unstable();
    codes.dedup();
    let mut failures = Failures::new();
    for code in codes {
        failures.entry(status(&Error::Refused(code)).as_u16()).or_default().push(code.as_str());
    }
    failures
}

/// Whether an address takes an `Idempotency-Key`.
pub(crate) fn is_done_once(route: &Route) -> bool {
    OPS.iter().any(|op| op.writes && (op.method, op.path) == (route.method, route.path))
}

fn route(op: &Op) -> Option<&'static Route> {
    routes().find(|route| (route.method, route.path) == (op.method, op.path))
}

/// The document.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut components: Components = shapes::components().into_iter().collect();
    let mut paths: Map<String, Value> = Map::new();
    for op in OPS {
        let described = operation(op, &mut components);
        let path = paths.entry(op.path).or_insert_with(|| json!({}));
        path[op.method.to_lowercase()] = described;
    }
    // Everything that another type refers to is one of them by now: nothing is left open.
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Wayside",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Community health outreach: records, work lists, figures, FHIR. Not for clinical use.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An account's token, made by an administrator. What it may do, its scopes say.",
                },
            },
        },
    })
});

fn operation(op: &Op, components: &mut Components) -> Value {
    let mut parameters: Vec<Value> = in_path(op.path).map(|name| path_parameter(op, name)).collect();
    parameters.extend(op.query.iter().map(|param| {
        json!({"name": param.name, "in": "query", "description": param.says, "schema": of_param(param.ty)})
    }));
    for wanted in op.headers {
        let mut wanted = header(wanted.name, wanted.says);
        wanted["required"] = json!(true);
        parameters.push(wanted);
    }
    if matches!(op.gives, Gives::Tagged(_) | Gives::TaggedList(_)) {
        parameters.push(header(
            "If-None-Match",
            "The `ETag` of the answer that you have: 304 where it is still so.",
        ));
    }
    if op.writes {
        parameters.push(header("Idempotency-Key", "Yours for this request: sent again with the same body within a day, it is done once, and the answer is the same."));
    }
    let mut described = json!({
        "operationId": operation_id(op),
        "summary": op.says,
        "tags": [op.group],
        "parameters": parameters,
        "responses": responses(op, components),
    });
    if let Some(body) = op.body {
        described["requestBody"] = json!({
            "required": true, "content": {"application/json": {"schema": body(components)}},
        });
    }
    let scope = route(op).and_then(|route| route.token);
    described["security"] = match scope {
        Some(scope) => json!([{"token": [scope.as_str()]}]),
        None => json!([]),
    };
    described
}

fn header(name: &str, says: &str) -> Value {
    json!({"name": name, "in": "header", "required": false, "description": says, "schema": {"type": "string"}})
}

/// Names in braces.
pub fn in_path(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
}

fn path_parameter(op: &Op, name: &str) -> Value {
    let (says, schema) = match name {
        "hash" => ("The hash of a change.", json!({"type": "string", "pattern": "^[0-9a-f]{64}$"})),
        "name" if matches!(op.gives, Gives::Lines) => (
            "A type and `.ndjson`.",
            json!({"type": "string", "enum": crate::fhir::Type::ALL.map(|ty| format!("{}.ndjson", ty.as_str()))}),
        ),
        "name" => (
            "A file and `.csv`.",
            json!({"type": "string", "enum": crate::extract::File::ALL.map(|file| format!("{}.csv", file.as_str()))}),
        ),
        "recipient" => ("The number of a recipient.", json!({"type": "integer", "minimum": 1})),
        _ => ("The id of a record.", json!({"type": "string", "format": "uuid"})),
    };
    json!({"name": name, "in": "path", "required": true, "description": says, "schema": schema})
}

fn of_param(ty: ParamType) -> Value {
    match ty {
        ParamType::Text => json!({"type": "string"}),
        ParamType::Number => json!({"type": "integer", "minimum": 1}),
        ParamType::UpTo(most) => json!({"type": "integer", "minimum": 1, "maximum": most}),
        ParamType::OneOf(of) => json!({"type": "string", "enum": of}),
    }
}

fn operation_id(op: &Op) -> String {
    let words = op.path.trim_start_matches("/api/v1/").split(['/', '-', '.']);
    let words: Vec<&str> = words.map(|word| word.trim_matches(['{', '}'])).collect();
    format!("{}_{}", op.method.to_lowercase(), words.join("_"))
}

fn responses(op: &Op, components: &mut Components) -> Value {
    let content =
        |media: &str, schema: Value| json!({"description": "Done.", "content": {media: {"schema": schema}}});
    let list = |of: Value| json!({"type": "array", "items": of});
    let etag = json!({"ETag": {"description": "Of this very answer.", "schema": {"type": "string"}}});
    let (status, mut done) = match op.gives {
        Gives::Json(of) | Gives::Tagged(of) => ("200", content("application/json", of(components))),
        Gives::Made(of) => ("201", content("application/json", of(components))),
        Gives::TaggedList(of) => ("200", content("application/json", list(of(components)))),
        Gives::Fhir => ("200", content("application/fhir+json", component::<shapes::Bundle>(components))),
        Gives::Lines => ("200", content("application/fhir+ndjson", json!({"type": "string"}))),
        Gives::Events => ("200", content("text/event-stream", json!({"type": "string"}))),
        Gives::Text(media) => ("200", content(media, json!({"type": "string"}))),
        Gives::Document => ("200", content("application/json", json!({"type": "object"}))),
    };
    let mut responses = Map::new();
    if matches!(op.gives, Gives::Lines) {
        done["headers"] = json!({
            "wayside-next": {"description": "From where to ask next.", "schema": {"type": "string"}},
            "wayside-more": {"description": "Whether there is more already.", "schema": {"type": "string", "enum": ["true", "false"]}},
        });
    }
    if matches!(op.gives, Gives::Tagged(_) | Gives::TaggedList(_)) {
        done["headers"] = etag.clone();
        responses
            .insert("304".into(), json!({"description": "You have it: nothing changed.", "headers": etag}));
    }
    responses.insert(status.to_owned(), done);
    for (status, codes) in failures(op) {
        let mut described = content("application/json", error_schema(&codes));
        described["description"] =
            json!(codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", "));
        if matches!(status, 429 | 503) {
            described["headers"] = json!({
                "Retry-After": {"description": "Seconds, where that is known.", "schema": {"type": "integer"}},
            });
        }
        responses.insert(status.to_string(), described);
    }
    Value::Object(responses)
}

fn error_schema(codes: &[&str]) -> Value {
    json!({
        "type": "object",
        "required": ["code", "message", "retry"],
        "properties": {
            "code": {"type": "string", "enum": codes},
            "message": {"type": "string", "description": "For people."},
            "retry": {"type": "boolean", "description": "Whether the same request, unchanged, can succeed later."},
        },
    })
}
