//! How often this process refused something, by code and by kind of limit. Numbers alone: nobody can be told from them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wayside_protocol::error::Code;

/// What was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Connections from one address.
    Connections,
    /// Requests from one address within a time, and at once.
    AddressRate,
    AddressAtOnce,
    /// The same of one tablet.
    TabletRate,
    TabletAtOnce,
    /// Requests of all tablets that are open at once.
    Open,
    /// Tablets that wait for news at once.
    News,
    /// A body that is too large.
    TooLarge,
    /// A change that was not kept for now, because too much of its tablet or team waits or is in quarantine.
    Waiting,
    /// A request of a tablet that may not write any more, of which quarantine has no room for more.
    Held,
    /// Attempts to sign in.
    SignIn,
}

impl Limit {
    pub const ALL: [Limit; 11] = [
        Limit::Connections,
        Limit::AddressRate,
        Limit::AddressAtOnce,
        Limit::TabletRate,
        Limit::TabletAtOnce,
        Limit::Open,
        Limit::News,
        Limit::TooLarge,
        Limit::Waiting,
        Limit::Held,
        Limit::SignIn,
    ];

    /// The stable spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Limit::Connections => "connections",
            Limit::AddressRate => "address_rate",
            Limit::AddressAtOnce => "address_at_once",
            Limit::TabletRate => "tablet_rate",
            Limit::TabletAtOnce => "tablet_at_once",
            Limit::Open => "open",
            Limit::News => "news",
            Limit::TooLarge => "too_large",
            Limit::Waiting => "waiting",
            Limit::Held => "held",
            Limit::SignIn => "sign_in",
        }
    }

    /// The one that a code says by itself.
    fn of(code: Code) -> Option<Limit> {
        match code {
            Code::TooLarge => Some(Limit::TooLarge),
            Code::HoldFull => Some(Limit::Held),
            Code::TryLater => Some(Limit::SignIn),
            _ => None,
        }
    }
}

/// What was counted since the process began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Requests that were refused, of tablets, pages and API, by the code of the answer; those of which there was one.
    pub refusals: Vec<(Code, u64)>,
    /// Every limit, with how often it was met.
    pub limits: Vec<(Limit, u64)>,
}

impl Counted {
    pub fn of(&self, limit: Limit) -> u64 {
        self.limits.iter().find(|(met, _)| *met == limit).map_or(0, |(_, times)| *times)
    }
}

pub struct Counts {
    codes: [AtomicU64; Code::ALL.len()],
    limits: [AtomicU64; Limit::ALL.len()],
}

impl Default for Counts {
    fn default() -> Counts {
        Counts { codes: [const { AtomicU64::new(0) }; _], limits: [const { AtomicU64::new(0) }; _] }
    }
}

impl Counts {
    pub fn met(&self, limit: Limit) {
        self.limits[limit as usize].fetch_add(1, Relaxed);
    }

    pub fn refused(&self, code: Code) {
        self.codes[code as usize].fetch_add(1, Relaxed);
        if let Some(limit) = Limit::of(code) {
            self.met(limit);
        }
    }

    pub fn counted(&self) -> Counted {
        let read = |count: &AtomicU64| count.load(Relaxed);
        let codes = Code::ALL.iter().copied().zip(self.codes.iter().map(read));
        Counted {
            refusals: codes.filter(|(_, times)| *times > 0).collect(),
            limits: Limit::ALL.into_iter().zip(self.limits.iter().map(read)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_under_its_own_name() {
        let counts = Counts::default();
        Limit::ALL.into_iter().enumerate().for_each(|(n, limit)| (0..=n).for_each(|_| counts.met(limit)));
        let counted = counts.counted();
        for (n, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(counted.of(limit), n as u64 + 1, "{}", limit.as_str());
        }
        for code in Code::ALL {
            counts.refused(*code);
        }
        assert_eq!(counts.counted().refusals, Code::ALL.iter().map(|code| (*code, 1)).collect::<Vec<_>>());
    }
}
