//! The values that a record's document holds: scalars only.
//!
//! Text, whole numbers, numbers, booleans and null are Automerge's own scalars. Whatever only makes
//! sense together (an entry, an address, an array) is one scalar of type *bytes* that holds
//! canonical JSON, so that a reader tells it from text without knowing the schema.

use std::fmt::{self, Write};

use automerge::ScalarValue;
use serde_json::Value;

use super::chunk;

/// How deep a JSON value inside one scalar may nest.
const MAX_DEPTH: usize = 16;

/// One value in the document.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Cleared: reads as absent, but a concurrent value beside it stays visible.
    Null,
    Bool(bool),
    Int(i64),
    Number(f64),
    Text(String),
    /// An object or array, stored as canonical JSON.
    Json(Value),
}

impl Scalar {
    pub fn from_json(value: Value) -> Scalar {
        match value {
            Value::Null => Scalar::Null,
            Value::Bool(b) => Scalar::Bool(b),
            Value::Number(n) => match n.as_i64() {
                Some(i) => Scalar::Int(i),
                None => Scalar::Number(n.as_f64().unwrap_or_default()),
            },
            Value::String(s) => Scalar::Text(s),
            other => Scalar::Json(other),
        }
    }

    pub fn to_json(&self) -> Value {
        match self {
            Scalar::Null => Value::Null,
            Scalar::Bool(b) => Value::Bool(*b),
            Scalar::Int(i) => Value::from(*i),
            Scalar::Number(n) => Value::from(*n),
            Scalar::Text(s) => Value::String(s.clone()),
            Scalar::Json(value) => value.clone(),
        }
    }

    /// As `to_json`, without a copy.
    pub fn into_json(self) -> Value {
        match self {
            Scalar::Text(s) => Value::String(s),
            Scalar::Json(value) => value,
            plain => plain.to_json(),
        }
    }

    pub fn to_automerge(&self) -> ScalarValue {
        match self {
            Scalar::Null => ScalarValue::Null,
            Scalar::Bool(b) => ScalarValue::Boolean(*b),
            Scalar::Int(i) => ScalarValue::Int(*i),
            Scalar::Number(n) => ScalarValue::F64(*n),
            Scalar::Text(s) => ScalarValue::Str(s.into()),
            Scalar::Json(value) => ScalarValue::Bytes(canonical(value).into_bytes()),
        }
    }

    /// As `from_automerge`, for a change that no document holds yet.
    pub fn from_chunk(value: &chunk::Scalar) -> Option<Scalar> {
        Some(match value {
            chunk::Scalar::Null => Scalar::Null,
            chunk::Scalar::Bool(b) => Scalar::Bool(*b),
            chunk::Scalar::Int(i) => Scalar::Int(*i),
            chunk::Scalar::Uint(u) => Scalar::Int(i64::try_from(*u).ok()?),
            chunk::Scalar::F64(n) if n.is_finite() => Scalar::Number(*n),
            chunk::Scalar::F64(_) => return None,
            chunk::Scalar::Str(s) => Scalar::Text((*s).to_owned()),
            chunk::Scalar::Bytes(bytes) => Scalar::Json(parse_canonical(bytes)?),
        })
    }

    /// `None` for what Wayside never writes: counters, timestamps, types of a future Automerge, and
    /// bytes that are not canonical JSON of an object or array.
    pub fn from_automerge(value: &ScalarValue) -> Option<Scalar> {
        Some(match value {
            ScalarValue::Null => Scalar::Null,
            ScalarValue::Boolean(b) => Scalar::Bool(*b),
            ScalarValue::Int(i) => Scalar::Int(*i),
            ScalarValue::Uint(u) => Scalar::Int(i64::try_from(*u).ok()?),
            ScalarValue::F64(n) if n.is_finite() => Scalar::Number(*n),
            ScalarValue::Str(s) => Scalar::Text(s.to_string()),
            ScalarValue::Bytes(bytes) => Scalar::Json(parse_canonical(bytes)?),
            _ => return None,
        })
    }
}

/// Reads canonical JSON of an object or array; `None` when it is anything else, so that equal values
/// are equal bytes.
pub fn parse_canonical(bytes: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let composite = value.is_object() || value.is_array();
    (composite && depth(&value) <= MAX_DEPTH && is_canonical(&value, bytes)).then_some(value)
}

fn is_canonical(value: &Value, bytes: &[u8]) -> bool {
    let mut expected = Expected(bytes);
    write_canonical(value, &mut expected).is_ok() && expected.0.is_empty()
}

/// What should still be written: compares without a copy.
struct Expected<'a>(&'a [u8]);

impl Write for Expected<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(text.as_bytes()).ok_or(fmt::Error)?;
        Ok(())
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Whether a value nests no deeper than a scalar may.
pub fn is_shallow(value: &Value) -> bool {
    depth(value) <= MAX_DEPTH
}

/// Canonical JSON: members sorted by their UTF-8 bytes, no white space, shortest escapes and
/// numbers. Written here rather than left to the map type, which a build feature elsewhere could
/// turn into one that keeps insertion order.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut impl Write) -> fmt::Result {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(b.0));
            out.write_char('{')?;
            for (i, (name, member)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.write_char(',')?;
                }
                write_text(name, out)?;
                out.write_char(':')?;
                write_canonical(member, out)?;
            }
            out.write_char('}')
        }
        Value::Array(items) => {
            out.write_char('[')?;
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.write_char(',')?;
                }
                write_canonical(item, out)?;
            }
            out.write_char(']')
        }
        // Not the JSON library's own spelling of floats, which has changed between its versions: the
        // shortest digits that read back the same, without an exponent, with at least one decimal.
        Value::Number(n) if n.is_f64() => {
            let digits = n.as_f64().unwrap_or_default().to_string();
            out.write_str(&digits)?;
            if digits.contains('.') { Ok(()) } else { out.write_str(".0") }
        }
        Value::Number(n) => write!(out, "{n}"),
        Value::String(text) => write_text(text, out),
        Value::Bool(true) => out.write_str("true"),
        Value::Bool(false) => out.write_str("false"),
        Value::Null => out.write_str("null"),
    }
}

fn write_text(text: &str, out: &mut impl Write) -> fmt::Result {
    // As good as never is there anything to escape.
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        return write!(out, "{}", Value::from(text));
    }
    out.write_char('"')?;
    out.write_str(text)?;
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn canonical_json_has_one_spelling() {
        let value = json!({"b": [1, 2.5, null], "a": {"z": "é\n", "y": true}});
        let text = canonical(&value);
        assert_eq!(text, r#"{"a":{"y":true,"z":"é\n"},"b":[1,2.5,null]}"#);
        assert_eq!(parse_canonical(text.as_bytes()), Some(value));
        for (number, text) in
            [(1e16, "[10000000000000000.0]"), (0.1, "[0.1]"), (-0.0, "[-0.0]"), (1e-7, "[0.0000001]")]
        {
            assert_eq!(canonical(&json!([number])), text);
            assert_eq!(parse_canonical(text.as_bytes()), Some(json!([number])));
        }
        assert_eq!(parse_canonical(br#"{"b":1,"a":2}"#), None);
        assert_eq!(parse_canonical(br#"{ "a":2}"#), None);
        assert_eq!(parse_canonical(br#""text""#), None);
        assert_eq!(parse_canonical(br#"{"a":1,"a":2}"#), None);
        assert_eq!(parse_canonical(&[0xff, 0xfe]), None);
    }

    #[test]
    fn scalars_survive_the_document() {
        for value in [json!(null), json!(true), json!(-3), json!(36.6), json!("x"), json!({"a": [1]})] {
            let scalar = Scalar::from_json(value.clone());
            assert_eq!(Scalar::from_automerge(&scalar.to_automerge()).map(|s| s.to_json()), Some(value));
        }
        assert_eq!(Scalar::from_automerge(&ScalarValue::counter(3)), None);
        assert_eq!(Scalar::from_automerge(&ScalarValue::Bytes(b"\x00".to_vec())), None);
        assert_eq!(Scalar::from_automerge(&ScalarValue::F64(f64::NAN)), None);
    }
}
