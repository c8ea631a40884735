//! How the server does, for those who look after it: numbers for Prometheus (`metrics`, `page`, `door`) and what
//! `wayside doctor` finds (`doctor`). Nothing here names a person, a team, a staff member or an address.

mod certificate;
mod disk;
pub mod doctor;
mod door;
mod facts;
mod metrics;
mod page;
#[cfg(test)]
mod tests;

pub(crate) use door::{Door, observe};
pub use metrics::Metrics;
pub(crate) use metrics::{Channel, note_panic};
