//! What the limits are.

use std::time::Duration;

use super::{Pace, Proxies};
use crate::log::{Quota, Quotas};

/// What one server allows. The defaults are far beyond what an honest fleet does: a tablet that keeps up with a busy team
/// makes some requests a second for a while; a van park of two hundred comes into signal behind one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Requests of one tablet.
    pub tablet: Pace,
    /// Requests from one address.
    pub address: Pace,
    /// Requests of one tablet at once. One waits for news while another syncs; more are left over from links that were cut.
    pub tablet_at_once: u32,
    pub address_at_once: u32,
    /// Connections from one address, that of a proxy excepted.
    pub connections: u32,
    /// How long a connection may take nothing of what is sent to it.
    pub unread_within: Duration,
    /// What may lie in quarantine.
    pub held: Quotas,
    /// How long the body of a form, or of JSON, may take.
    pub form_within: Duration,
    /// Whose word on where a request comes from is believed.
    pub proxies: Proxies,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            tablet: Pace { burst: 2_000, per_minute: 1_200 },
            address: Pace { burst: 20_000, per_minute: 30_000 },
            tablet_at_once: 16,
            address_at_once: 2_000,
            // A tablet has two, or four for a moment.
            connections: 4_000,
            unread_within: Duration::from_secs(120),
            held: Quotas {
                tablet: Quota { changes: 20_000, bytes: 64 << 20 },
                team: Quota { changes: 100_000, bytes: 512 << 20 },
            },
            // What a person types fits through any link within that.
            form_within: Duration::from_secs(60),
            proxies: Proxies::default(),
        }
    }
}

impl Settings {
    /// Nothing is limited here: for measuring, and for tests of something else.
    pub fn unlimited() -> Settings {
        let pace = Pace { burst: u32::MAX, per_minute: u32::MAX };
        let quota = Quota { changes: u64::MAX, bytes: u64::MAX };
        Settings {
            tablet: pace,
            address: pace,
            tablet_at_once: u32::MAX,
            address_at_once: u32::MAX,
            connections: u32::MAX,
            held: Quotas { tablet: quota, team: quota },
            ..Settings::default()
        }
    }
}
