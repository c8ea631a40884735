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
/// No place on Earth is further from UTC, in minutes.
const MAX_OFFSET: i32 = 18 * 60;

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
        let utc = at.parse::<jiff::Timestamp>().ok()?.to_string() == at;
        let offset = i32::try_from(value.get("offset")?.as_i64()?).ok()?;
        let message = Message { at, by: field("by")?, offset, tablet: field("tablet")? };
        let plausible = utc && !message.by.is_empty() && message.offset.abs() <= MAX_OFFSET;
        (plausible && canonical(&value) == text).then_some(message)
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
        let newer = r#"{"at":"2026-11-20T13:05:00Z","by":"x","offset":0,"shift":2,"tablet":"y"}"#;
        assert!(Message::parse(newer).is_some());
        assert_eq!(Message::parse(&newer.replace(":0", ":1500")), None);
        assert_eq!(Message::parse(&newer.replace("00Z", "00+00:00")), None);
        assert_eq!(Message::parse(&newer.replace(",", ", ")), None);
        for text in ["", "{}", "null", r#"{"at":"yesterday","by":"x","offset":0,"tablet":"y"}"#] {
            assert_eq!(Message::parse(text), None);
        }
    }
}
