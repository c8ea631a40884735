//! Settling values that disagree.

use serde_json::Value;
use wayside_protocol::{
    error::Code,
    record::{
        Hash, Kind, RecordId,
        path::join,
        schema::{self, At, MEASUREMENTS_PATH, READINGS_PATH, Shape},
    },
};

use crate::{
    error::{Error, Result},
    tablet::Tablet,
    write::{By, Edit},
};

/// Whether somebody can say which of several values at a path is right: those of a field, and those of a reading or
/// measurement that was corrected twice. What was said twice of one entry stays as it is.
pub fn can_settle(kind: Kind, path: &str) -> bool {
    match schema::at(kind, path) {
        At::Field(Shape::One(_) | Shape::Composite(_)) | At::SetMember | At::OpenMember => true,
        At::Entry(_) => corrected(path).is_some(),
        _ => false,
    }
}

impl Tablet {
    /// Says which value is right where several disagree. `path` and `value` are those of `conflicts` in what
    /// [`Tablet::show`] gives, or for a field another value; `base` are its heads. [`Code::NotSettleable`] where
    /// nothing can be replaced, [`Code::NotInConflict`] for a reading that nobody here corrected so.
    pub fn settle(
        &self,
        id: RecordId,
        path: &str,
        value: Value,
        base: Option<&[Hash]>,
        by: &By,
    ) -> Result<()> {
        let shown = self.show(id)?.json;
        let kind = shown["kind"].as_str().and_then(Kind::parse).ok_or(Error::Failed(Code::WrongKind))?;
        if !can_settle(kind, path) {
            return Err(Error::Failed(Code::NotSettleable));
        }
        match corrected(path) {
            Some(parent) if kind == Kind::Contact => {
                let right = entry_with(&shown, parent, &value).ok_or(Error::Failed(Code::NotInConflict))?;
                self.correct(id, &right, Vec::new(), Some("Settled"), base, by)?;
            }
            _ => {
                let edit = Edit { base: base.map(<[Hash]>::to_vec), set: vec![(path.to_owned(), value)] };
                self.edit(id, edit, by)?;
            }
        }
        Ok(())
    }
}

/// The map of an entry that can be corrected.
fn corrected(path: &str) -> Option<&'static str> {
    let within = |parent: &&str| path.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'));
    [READINGS_PATH, MEASUREMENTS_PATH].into_iter().find(within)
}

/// The path of the entry that holds these values.
fn entry_with(shown: &Value, parent: &str, value: &Value) -> Option<String> {
    let wanted = value.as_object()?;
    let entries = shown.pointer(&format!("/{parent}"))?.as_object()?;
    let holds = |entry: &Value| wanted.iter().all(|(name, value)| entry[name] == *value);
    entries.iter().find(|(_, entry)| holds(entry)).map(|(id, _)| join(parent, id))
}
