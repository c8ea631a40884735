//! What every change says of itself: who saved it, when, and on which tablet.

use serde_json::{Value, json};

use super::value::canonical;

/// A change's message, stored as canonical JSON `{at, by, offset, tablet}`, once for all its fields.
/// The staff member is asserted by the tablet; the time is the tablet's own and orders nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Message {
    /// RFC 3339 in UTC, to the second.
    pub at: String,
    /// Staff id, or a coordinator's account at the server.
    pub by: String,
    /// The tablet's offset from UTC in minutes, east positive.
    pub offset: i32,
    /// Tablet id.
    pub tablet: String,
}

const MAX_LENGTH: usize = 512;

impl Message {
    pub fn to_text(&self) -> String {
        canonical(&json!({"at": self.at, "by": self.by, "offset": self.offset, "tablet": self.tablet}))
    }

    /// Reads a message; members that a newer version adds are ignored here and kept in the change.
    pub fn parse(text: &str) -> Option<Message> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let value: Value = serde_json::from_str(text).ok()?;
        let field = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let at = field("at")?;
        at.parse::<jiff::Timestamp>().ok()?;
        let offset = i32::try_from(value.get("offset")?.as_i64()?).ok()?;
        Some(Message { at, by: field("by")?, offset, tablet: field("tablet")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_and_nonsense_does_not() {
        let message = Message {
            at: "2026-11-20T13:05:00Z".into(),
            by: "nurse-01".into(),
            offset: 60,
            tablet: "abcdefgh234567ab".into(),
        };
        assert_eq!(Message::parse(&message.to_text()), Some(message));
        for text in ["", "{}", "null", r#"{"at":"yesterday","by":"x","offset":0,"tablet":"y"}"#] {
            assert_eq!(Message::parse(text), None);
        }
    }
}
