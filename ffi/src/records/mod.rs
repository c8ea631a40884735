//! Records as typed structs, in the shape of `records.md`: the same names, nested the same way.
//!
//! Every field is optional. In what is read, `None` is not there; in what is saved, `None` and an empty list leave the
//! field as it is, and members of lists are added. Codes are text, because a newer version may know more of them.
//! Times are RFC 3339, dates `YYYY-MM-DD`, ids those of records or entries.

mod contact;
mod person;
mod places;
mod shown;

pub use contact::{
    Advice, AuditC, BloodPressure, Call, Contact, Ended, FollowUp, FollowUpEvent, Gppaq, Lifestyle, Loan,
    Measurement, MeasurementCorrection, Reading, ReadingCorrection, RedFlag, Referral, ReferralEvent,
    RiskScore,
};
pub use person::{Address, Consent, Gp, Name, NhsNumber, Person};
pub use places::{Note, Session, Site};
pub use shown::{
    About, Conflict, ContactShown, Created, Derived, Disputed, Draft, EnteredInError, Opinion, Outcome,
    PersonShown, SessionShown, SiteShown, StruckOut,
};
