//! Lists the surface of the bindings as text, from the built library: every function and type of every language.
//!
//! `surface LIBRARY` prints it; `surface LIBRARY --renew FILE` writes it to a file, but not over another list of the
//! same version: who changes the surface raises `SURFACE_VERSION`.

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    io::{self, Write},
};

use uniffi_bindgen::macro_metadata::extract_from_bytes;
use uniffi_meta::{
    DefaultValueMetadata, EnumMetadata, FieldMetadata, FnParamMetadata, LiteralMetadata, Metadata, Type,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let listed = |library: &str| -> Result<String, Box<dyn Error>> {
        let version = format!("version {}\n", wayside_ffi::SURFACE_VERSION);
        Ok(version + &list(extract_from_bytes(&fs::read(library)?)?))
    };
    match words.as_slice() {
        [library] => Ok(io::stdout().write_all(listed(library)?.as_bytes())?),
        [library, "--renew", file] => {
            let (new, old) = (listed(library)?, fs::read_to_string(file).unwrap_or_default());
            if new != old && new.lines().next() == old.lines().next() {
                return Err("The surface has changed: raise SURFACE_VERSION in ffi/src/lib.rs first.".into());
            }
            Ok(fs::write(file, new)?)
        }
        _ => Err("Usage: surface LIBRARY [--renew FILE]".into()),
    }
}

/// Each type and function with what belongs to it, by name.
fn list(items: Vec<Metadata>) -> String {
    let mut heads: BTreeMap<String, &str> = BTreeMap::new();
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut add = |of: String, line: String| lines.entry(of).or_default().push(line);
    for item in items {
        match item {
            Metadata::Func(f) => {
                heads.insert(f.name.clone(), "function");
                let line =
                    call("", f.is_async, &f.name, &f.inputs, f.return_type.as_ref(), f.throws.as_ref());
                add(f.name, line);
            }
            Metadata::Object(object) => {
                let kind = if object.imp.has_callback_interface() { "callback" } else { "object" };
                heads.insert(object.name, kind);
            }
            Metadata::Constructor(c) => {
                let line = call("constructor ", c.is_async, &c.name, &c.inputs, None, c.throws.as_ref());
                add(c.self_name, line);
            }
            Metadata::Method(m) => {
                let line =
                    call("", m.is_async, &m.name, &m.inputs, m.return_type.as_ref(), m.throws.as_ref());
                add(m.self_name, line);
            }
            Metadata::TraitMethod(m) => {
                let line =
                    call("", m.is_async, &m.name, &m.inputs, m.return_type.as_ref(), m.throws.as_ref());
                add(m.trait_name, line);
            }
            Metadata::Record(record) => {
                heads.insert(record.name.clone(), "record");
                for field in &record.fields {
                    add(record.name.clone(), self::field(field));
                }
            }
            Metadata::Enum(of) => {
                heads.insert(of.name.clone(), "enum");
                for line in variants(&of) {
                    add(of.name.clone(), line);
                }
            }
            // Of the crate, not of its surface.
            Metadata::Namespace(_) | Metadata::UdlFile(_) => {}
            other => {
                heads.insert(format!("{other:?}"), "other");
            }
        }
    }
    let mut text = String::new();
    for (name, kind) in heads {
        let mut of = lines.remove(&name).unwrap_or_default();
        // Fields and variants stand in their order, which some languages go by; methods have none.
        if matches!(kind, "object" | "callback") {
            of.sort();
        }
        text.push_str(&format!("\n{kind} {name}\n"));
        for line in of {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

fn variants(of: &EnumMetadata) -> impl Iterator<Item = String> {
    of.variants.iter().map(|variant| {
        let fields: Vec<String> = variant.fields.iter().map(field).collect();
        if fields.is_empty() {
            variant.name.clone()
        } else {
            format!("{}({})", variant.name, fields.join(", "))
        }
    })
}

fn field(field: &FieldMetadata) -> String {
    format!("{}: {}{}", field.name, ty(&field.ty), default(field.default.as_ref()))
}

fn default(default: Option<&DefaultValueMetadata>) -> String {
    match default {
        None => String::new(),
        Some(DefaultValueMetadata::Default) => " = default".to_owned(),
        Some(DefaultValueMetadata::Literal(value)) => format!(" = {}", literal(value)),
    }
}

fn literal(value: &LiteralMetadata) -> String {
    match value {
        LiteralMetadata::Boolean(value) => value.to_string(),
        LiteralMetadata::String(value) => format!("{value:?}"),
        LiteralMetadata::UInt(value, ..) => value.to_string(),
        LiteralMetadata::EmptySequence => "[]".to_owned(),
        other => format!("{other:?}"),
    }
}

fn call(
    before: &str,
    is_async: bool,
    name: &str,
    inputs: &[FnParamMetadata],
    returns: Option<&Type>,
    throws: Option<&Type>,
) -> String {
    let inputs = inputs.iter().map(|input| {
        let default = default(input.default.as_ref());
        format!("{}: {}{default}", input.name, ty(&input.ty))
    });
    let inputs = inputs.collect::<Vec<_>>().join(", ");
    let is_async = if is_async { "async " } else { "" };
    let returns = returns.map(|of| format!(" -> {}", ty(of))).unwrap_or_default();
    let throws = throws.map(|of| format!(" throws {}", ty(of))).unwrap_or_default();
    format!("{before}{is_async}{name}({inputs}){returns}{throws}")
}

fn ty(of: &Type) -> String {
    match of {
        Type::Optional { inner_type } => format!("{}?", ty(inner_type)),
        Type::Sequence { inner_type } => format!("[{}]", ty(inner_type)),
        Type::Map { key_type, value_type } => format!("{{{}: {}}}", ty(key_type), ty(value_type)),
        Type::Object { name, .. }
        | Type::Record { name, .. }
        | Type::Enum { name, .. }
        | Type::CallbackInterface { name, .. }
        | Type::Custom { name, .. } => name.clone(),
        other => format!("{other:?}"),
    }
}
