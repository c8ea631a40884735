//! What every change says of itself: who saved it, when, and on which tablet.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::{document::Hash, value::canonical};

/// A change's message, stored as canonical JSON `{at, by, offset, tablet}`, once for all its fields.
/// The staff member is asserted by the tablet; the time is the tablet's own and orders nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Message {
    /// RFC 3339 in UTC, to the second.
    pub at: String,
    /// Staff id, or a coordinator's account at the server.
    pub by: String,
    /// The tablet's offset from UTC in minutes, east positive.
    pub offset: i32,
    /// Tablet id.
    pub tablet: String,
    /// Changes in quarantine that this one was saved in place of: they are never accepted any more. At most
    /// [`MAX_SUPERSEDES`]; what builds on one of them need not be named.
    pub supersedes: Vec<ShortHash>,
    /// Why, as somebody typed it who settled what disagreed; mostly empty. See [`Message::fits`].
    pub reason: String,
}

/// The first bytes of a change's hash, which name it within its record.
pub type ShortHash = [u8; 8];

pub fn short_hash(hash: &Hash) -> ShortHash {
    let mut short = [0; 8];
    short.copy_from_slice(&hash[..8]);
    short
}

/// With the longest name of a staff member a message still has room for so many.
pub const MAX_SUPERSEDES: usize = 8;

const MAX_LENGTH: usize = 512;
/// No place on Earth is further from UTC, in minutes.
const MAX_OFFSET: i32 = 18 * 60;

impl Message {
    pub fn to_text(&self) -> String {
        let mut message = json!({"at": self.at, "by": self.by, "offset": self.offset, "tablet": self.tablet});
        if !self.supersedes.is_empty() {
            let briefs = self.supersedes.iter().map(|brief| HEXLOWER.encode(brief));
            message["supersedes"] = briefs.collect();
        }
        if !self.reason.is_empty() {
            message["reason"] = json!(self.reason);
        }
        canonical(&message)
    }

    /// Whether it is short enough for everybody to read: what a person types need not be.
    pub fn fits(&self) -> bool {
        self.to_text().len() <= MAX_LENGTH
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
        let named = value.get("supersedes").and_then(Value::as_array).into_iter().flatten();
        let named =
            named.filter_map(|brief| HEXLOWER.decode(brief.as_str()?.as_bytes()).ok()?.try_into().ok());
        let (supersedes, by, tablet) = (named.collect(), field("by")?, field("tablet")?);
        let reason = field("reason").unwrap_or_default();
        let message = Message { at, by, offset, tablet, supersedes, reason };
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
            supersedes: Vec::new(),
            reason: String::new(),
        };
        let longest =
            Message { by: "n".repeat(256), supersedes: vec![[0xab; 8]; MAX_SUPERSEDES], ..message.clone() };
        assert_eq!(Message::parse(&longest.to_text()), Some(longest));
        assert!(!message.to_text().contains("supersedes") && !message.to_text().contains("reason"));
        let settled = Message { reason: "She said so: \"Khan\", on the phone".into(), ..message.clone() };
        assert_eq!(Message::parse(&settled.to_text()), Some(settled.clone()));
        let long = Message { reason: "\"".repeat(300), ..settled };
        assert!(message.fits() && !long.fits() && Message::parse(&long.to_text()).is_none());
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
