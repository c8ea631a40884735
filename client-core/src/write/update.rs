//! Saving a form as an object: what it says is set, what it does not name stays.

use serde_json::{Map, Value};
use wayside_protocol::record::{
    Hash, Kind, RecordId, Write,
    path::join,
    schema::{self, At, Shape},
};

use super::{By, Pen, object};
use crate::{error::Result, tablet::Tablet};

impl Tablet {
    /// Saves the fields of a record as one change, and returns its heads after it. Fields that are absent or null stay
    /// as they are; paths in `clear` are emptied. Members of sets are added. Entries in an array are new: who and when
    /// are filled in where they can hold them and do not say. `base` are the heads that the screen showed, as in
    /// [`crate::Edit::base`]: what is the same there is not written again.
    pub fn update(
        &self,
        id: RecordId,
        fields: Value,
        clear: &[String],
        base: Option<&[Hash]>,
        by: &By,
    ) -> Result<Vec<Hash>> {
        self.write(by, |pen| {
            let mut open = pen.open(id)?;
            let kind = open.kind()?;
            let mut fields = object(fields, "")?;
            pen.stamp_new(kind, "", &mut fields);
            let mut writes = pen.flattening(kind, |flattener| flattener.object(fields))?;
            let cleared = clear.iter().map(|path| (path.clone(), Value::Null));
            writes.extend(pen.setting(kind, cleared.collect())?);
            if open.record.heads().is_empty() {
                let set = writes.into_iter().map(|Write { path, value }| (path, value.to_json()));
                return pen.resubmit(&open, set.collect());
            }
            pen.edit(&mut open, base, &writes)
        })
    }
}

impl Pen<'_> {
    /// As [`Pen::stamp`], for every new entry below a path.
    fn stamp_new(&self, kind: Kind, path: &str, fields: &mut Map<String, Value>) {
        for (name, value) in fields {
            let path = if path.is_empty() { name.clone() } else { join(path, name) };
            match (value, schema::at(kind, &path)) {
                (Value::Object(group), At::Field(Shape::Group(_))) => self.stamp_new(kind, &path, group),
                (Value::Array(entries), At::Field(Shape::Entries(members))) => {
                    for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                        self.stamp(members, entry);
                    }
                }
                _ => {}
            }
        }
    }
}
