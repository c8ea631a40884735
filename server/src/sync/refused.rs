//! What the audit trail keeps of tablets that were refused. A flood must not fill it: of each tablet and code there is a row
//! at once, and then at most one in an hour that says how often it came again. What cannot be pinned on a tablet (an unknown
//! key, a wrong signature, a code of enrolment that is none) counts as one, whoever it was.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wayside_protocol::error::Code;

use crate::base::Base;
use crate::log::Audited;

const HOUR_MS: u64 = 60 * 60 * 1000;
/// Who stands for everybody that is not known.
const STRANGER: &str = "unknown tablet";

/// By tablet and code. There are only so many of either.
#[derive(Default)]
pub struct Refused(Mutex<HashMap<(String, Code), Hour>>);

struct Hour {
    since_ms: u64,
    /// How often it came again, and from where it did last.
    again: u64,
    address: String,
}

impl Base {
    /// Has the audit trail tell of a tablet that was refused, where that says something about it: not of a link that was cut,
    /// or a clock that is wrong. `tablet` where it is known who it was. Blocks.
    pub(crate) fn refused_tablet(&self, tablet: Option<&str>, address: &str, code: Code) {
        let telling = matches!(
            code,
            Code::SignatureInvalid
                | Code::TabletUnknown
                | Code::TabletRevoked
                | Code::KeyReplaced
                | Code::Replayed
                | Code::TeamNotAllowed
                | Code::CodeUnknown
                | Code::CodeExpired
                | Code::CodeUsed
                | Code::RateLimited
                | Code::HoldFull
        );
        if telling {
            self.tell(self.refused.note(tablet.unwrap_or(STRANGER), address, code, self.clock.now_ms()));
        }
    }

    /// Writes down what came again and is not in the trail yet. Blocks.
    pub(crate) fn tell_refused(&self) {
        self.tell(self.refused.take(self.clock.now_ms()));
    }

    fn tell(&self, rows: Vec<Audited>) {
        if rows.is_empty() {
            return;
        }
        // It is refused all the same.
        if let Err(error) = self.audit(rows) {
            tracing::error!(code = %error.code(), detail = error.detail(), "a refusal is not in the audit trail");
        }
    }
}

impl Refused {
    /// The rows that say it.
    fn note(&self, tablet: &str, address: &str, code: Code, now_ms: u64) -> Vec<Audited> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (tablet.to_owned(), code);
        let mut rows = Vec::new();
        match held.get_mut(&key) {
            Some(hour) if now_ms < hour.since_ms.saturating_add(HOUR_MS) => {
                hour.again += 1;
                address.clone_into(&mut hour.address);
                return rows;
            }
            Some(hour) => rows.extend(hour.row(&key, now_ms)),
            None => {}
        }
        let hour = Hour { since_ms: now_ms, again: 0, address: address.to_owned() };
        rows.push(row(&key, &hour.address, code.as_str().to_owned(), now_ms));
        held.insert(key, hour);
        rows
    }

    /// The rows of all that came again, and forgets what is over.
    fn take(&self, now_ms: u64) -> Vec<Audited> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = held.iter_mut().filter_map(|(key, hour)| hour.row(key, now_ms)).collect();
        held.retain(|_, hour| now_ms < hour.since_ms.saturating_add(HOUR_MS));
        rows
    }
}

impl Hour {
    /// How often it came again, which is told then.
    fn row(&mut self, key: &(String, Code), now_ms: u64) -> Option<Audited> {
        let again = std::mem::take(&mut self.again);
        (again > 0).then(|| row(key, &self.address, format!("{}, {again} more times", key.1), now_ms))
    }
}

fn row((tablet, _): &(String, Code), address: &str, reason: String, at: u64) -> Audited {
    let (who, address, act) = (tablet.clone(), address.to_owned(), "refused".to_owned());
    Audited { at, who, address, act, reason, ..Audited::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(rows: &[Audited]) -> Vec<(&str, &str)> {
        rows.iter().map(|row| (row.who.as_str(), row.reason.as_str())).collect()
    }

    #[test]
    fn a_flood_leaves_a_row_and_once_in_an_hour_its_number() {
        let refused = Refused::default();
        let note = |tablet, code, now| refused.note(tablet, "192.0.2.1", code, now);
        assert_eq!(said(&note("van", Code::Replayed, 0)), [("van", "replayed")]);
        for n in 0..10_000 {
            assert!(note("van", Code::Replayed, n % HOUR_MS).is_empty());
        }
        // Another code, another tablet: rows of their own.
        assert_eq!(said(&note("van", Code::HoldFull, 5)), [("van", "hold_full")]);
        assert_eq!(said(&note("car", Code::Replayed, 5)), [("car", "replayed")]);
        let later = note("van", Code::Replayed, HOUR_MS);
        assert_eq!(said(&later), [("van", "replayed, 10000 more times"), ("van", "replayed")]);
        note("van", Code::Replayed, HOUR_MS + 1);
        assert_eq!(said(&refused.take(HOUR_MS + 2)), [("van", "replayed, 1 more times")]);
        assert!(refused.take(3 * HOUR_MS).is_empty() && refused.0.lock().unwrap().is_empty());
    }
}
