//! What anybody may ask of this server within a time and at once, and how often it said no.
//!
//! A limit refuses a request before it is worked on, with a code that a retry helps and a time to come again: a tablet keeps
//! what it has and goes again. Tablets are counted by their key once a signature has proven it, so that nobody uses up
//! another's share; everybody by the network they come from, much more generously: a whole fleet may stand behind one
//! address. Everything here is in memory and bounded, by this process alone; a restart forgives.

mod at_once;
mod connection;
mod counts;
mod front;
mod network;
mod rate;
mod settings;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use wayside_protocol::error::Code;

pub use at_once::Inside;
pub(crate) use connection::Threshold;
pub use counts::{Counted, Limit};
pub(crate) use front::front;
pub use network::{Forward, Net, Proxies};
pub use rate::Pace;
pub use settings::Settings;

use crate::accounts::place;
use crate::error::{Error, Result};
use at_once::AtOnce;
use counts::Counts;
use rate::Rate;

/// Who comes again does so spread over this time: the tablets behind one address were refused together.
const SPREAD_S: u64 = 10;

/// All IPv4 addresses apart, those of IPv6 by their network.
type Place = Vec<u8>;

pub struct Limits {
    settings: RwLock<Arc<Settings>>,
    /// The machine's clock may be set; this one only goes on.
    begun: Instant,
    address_rate: Rate<Place>,
    tablet_rate: Rate<i64>,
    connections: AtOnce<Place>,
    addresses: AtOnce<Place>,
    tablets: AtOnce<i64>,
    counts: Counts,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            settings: RwLock::default(),
            begun: Instant::now(),
            address_rate: Rate::default(),
            tablet_rate: Rate::default(),
            connections: AtOnce::default(),
            addresses: AtOnce::default(),
            tablets: AtOnce::default(),
            counts: Counts::default(),
        }
    }
}

impl Limits {
    /// From now on these hold, and everybody begins anew.
    pub fn set(&self, settings: Settings) {
        self.address_rate.forget();
        self.tablet_rate.forget();
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often this process has refused something since it began.
    pub fn counts(&self) -> Counted {
        self.counts.counted()
    }

    /// Notes that a limit was met.
    pub(crate) fn met(&self, limit: Limit) {
        self.counts.met(limit);
    }

    /// Notes what a request was refused with.
    pub(crate) fn refused(&self, code: Code) {
        self.counts.refused(code);
    }

    /// Lets in a connection; a proxy's without a place of its own.
    fn connect(&self, peer: IpAddr) -> Result<Option<Inside<Place>>> {
        let settings = self.settings();
        if settings.proxies.is_one(peer) {
            return Ok(None);
        }
        let inside = self.connections.enter(place(peer), settings.connections);
        inside.map(Some).ok_or_else(|| self.refuse(Limit::Connections, Duration::ZERO))
    }

    /// Lets in a request from an address, for as long as what is returned is held.
    pub(crate) fn admit(&self, address: IpAddr) -> Result<Inside<Place>> {
        let (settings, place) = (self.settings(), place(address));
        if let Err(wait) = self.address_rate.take(&place, settings.address, self.begun.elapsed()) {
            return Err(self.refuse(Limit::AddressRate, wait));
        }
        let inside = self.addresses.enter(place, settings.address_at_once);
        inside.ok_or_else(|| self.refuse(Limit::AddressAtOnce, Duration::ZERO))
    }

    /// Lets in a request of a tablet that has proven its key.
    pub(crate) fn admit_tablet(&self, tablet: i64) -> Result<Inside<i64>> {
        let settings = self.settings();
        if let Err(wait) = self.tablet_rate.take(&tablet, settings.tablet, self.begun.elapsed()) {
            return Err(self.refuse(Limit::TabletRate, wait));
        }
        let inside = self.tablets.enter(tablet, settings.tablet_at_once);
        inside.ok_or_else(|| self.refuse(Limit::TabletAtOnce, Duration::ZERO))
    }

    fn refuse(&self, limit: Limit, wait: Duration) -> Error {
        self.met(limit);
        let seconds = wait.as_secs() + 1;
        Error::Later(Code::RateLimited, seconds + rand::random_range(0..SPREAD_S))
    }
}
