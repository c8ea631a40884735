//! Which records are worth comparing at all: those that share a key. All D.
//!
//! Comparing everybody with everybody grows with the square of a team. Two records of one person nearly
//! always agree in one of these, however badly the rest was heard or typed.

use super::facts::{Birth, PersonFacts};
use crate::clinical::identity::sound;

impl PersonFacts {
    /// The keys under which this person may be found, in no order that means anything. They hold personal
    /// data: for an index beside the records, and nowhere else.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        keys.extend(self.nhs_number.map(|number| format!("nhs {}", number.as_str())));
        keys.extend(self.phone.as_ref().map(|phone| format!("phone {phone}")));
        if let Some(Birth::On(date)) = self.birth {
            // Day and month in one order, so that a swapped date is found.
            let (low, high) = (date.month().min(date.day()), date.month().max(date.day()));
            keys.push(format!("birth {} {low} {high}", date.year()));
        }
        let parts = self.parts();
        if parts.len() > 1 {
            keys.push(format!("name {}", sorted(parts.iter().map(|part| (*part).to_owned()))));
            keys.push(format!("sound {}", sorted(parts.iter().map(|part| sound(part)))));
        }
        let year = match self.birth {
            Some(Birth::On(date)) => Some(i64::from(date.year())),
            Some(Birth::Year { year, guessed: false }) => Some(year),
            _ => None,
        };
        if let Some(year) = year {
            keys.extend(parts.iter().map(|part| format!("part {year} {}", sound(part))));
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

fn sorted(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<String> = parts.collect();
    parts.sort_unstable();
    parts.join(" ")
}
