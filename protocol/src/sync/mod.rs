//! The sync protocol: what goes over the wire, and how two sides prove that they hold the same.
//!
//! `frame` holds the frames and their bytes, `signing` what is signed, `fingerprint` the digest of a
//! set of changes, `enrolment` the one-time code, `order` what base may order. `docs/sync-protocol.md` is the specification.

pub mod capability;
mod enrolment;
mod fingerprint;
pub mod frame;
mod order;
mod receipt;
pub mod reconcile;
mod signing;
pub mod wire;

pub use enrolment::EnrolmentCode;
pub use fingerprint::{Fingerprint, SetSum, combined};
pub use frame::Frame;
pub use order::{Duty, NewKey, Order};
pub use receipt::{Position, Receipt, Token};
pub use signing::{
    CLOCK_WINDOW_MS, ListItem, PublicKey, SignatureBytes, UNKNOWN_SERVER, sign_certificate, sign_list,
    sign_request, verify_certificate, verify_list, verify_request,
};
