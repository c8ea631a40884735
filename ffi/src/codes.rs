//! Closed lists of what the rules of this very version can say.

use wayside_client_core::{
    self as facade, EventKind, Likeness, Standing, StepCode, TaskKind, TaskState, Urgency,
};

/// The five kinds of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Kind {
    /// Staff, services to refer to, settings. Tablets read it.
    Team,
    /// A venue.
    Site,
    /// One pop-up at a site on a day.
    Session,
    /// Who was seen.
    Person,
    /// One check or conversation.
    Contact,
}

impl From<Kind> for facade::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Team => facade::Kind::Team,
            Kind::Site => facade::Kind::Site,
            Kind::Session => facade::Kind::Session,
            Kind::Person => facade::Kind::Person,
            Kind::Contact => facade::Kind::Contact,
        }
    }
}

impl From<facade::Kind> for Kind {
    fn from(kind: facade::Kind) -> Self {
        match kind {
            facade::Kind::Team => Kind::Team,
            facade::Kind::Site => Kind::Site,
            facade::Kind::Session => Kind::Session,
            facade::Kind::Person => Kind::Person,
            facade::Kind::Contact => Kind::Contact,
        }
    }
}

impl Kind {
    pub(crate) fn of_code(code: &str) -> Option<Kind> {
        facade::Kind::parse(code).map(Kind::from)
    }
}

/// How soon somebody must act, the least urgent first.
#[uniffi::remote(Enum)]
pub enum Urgency {
    /// Whenever it suits.
    Routine,
    /// Within three weeks.
    Within3Weeks,
    /// Within seven days.
    Within7Days,
    /// Today.
    SameDay,
    /// Now: 999.
    Emergency,
}

/// What to do next with a contact.
#[uniffi::remote(Enum)]
pub enum StepCode {
    /// Ask for red flags now.
    AskRedFlags,
    /// Call 999 now.
    CallEmergency,
    /// Ask for the age.
    AskAge,
    /// Ask about pregnancy.
    AskPregnant,
    /// Feel the pulse.
    AskPulseRhythm,
    /// Feel the pulse again.
    RecheckPulse,
    /// Take a reading.
    TakeReading,
    /// Ask for symptoms.
    AskSymptoms,
    /// Take a reading standing.
    TakeStanding,
    /// Take a reading lying down.
    TakeLying,
    /// Enter the home readings.
    EnterHomeReadings,
    /// Offer home or 24-hour monitoring.
    OfferMonitoring,
    /// Arrange who sees the person next.
    Arrange,
    /// Tell the result and give advice.
    GiveAdvice,
    /// Nothing is left.
    Done,
}

/// Which of the two.
#[uniffi::remote(Enum)]
pub enum TaskKind {
    /// An entry of `follow_ups`.
    FollowUp,
    /// An entry of `referrals`.
    Referral,
}

/// How a follow-up or a referral stands on a day.
#[uniffi::remote(Enum)]
pub enum TaskState {
    /// To come.
    Open,
    /// Due on that day.
    Due,
    /// Its day is over.
    Overdue,
    /// Tried, and not reached.
    NotReached,
    /// A referral has arrived where it was sent.
    Received,
    /// Over.
    Done,
    /// The person did not want it.
    Declined,
}

/// How much speaks for two records being of one person.
#[uniffi::remote(Enum)]
pub enum Likeness {
    /// Not worth anybody's time.
    None,
    /// Worth a look.
    Possible,
    /// Show it before a new record is saved.
    Likely,
}

/// What a line of somebody's story is about.
#[uniffi::remote(Enum)]
pub enum EventKind {
    /// They were written down for the first time.
    Registered,
    /// They were seen.
    Seen,
    /// Questions after a very high reading.
    RedFlags,
    /// A reading in a session.
    Reading,
    /// A reading at home.
    HomeReading,
    /// A measurement.
    Measurement,
    /// What the readings come to, by the rules of today.
    Result,
    /// What they were told.
    Advice,
    /// Where they were sent.
    Referral,
    /// What became of it.
    ReferralEvent,
    /// A monitor that they took home.
    Loan,
    /// What is still to be done.
    FollowUp,
    /// What became of it.
    FollowUpEvent,
    /// A telephone call.
    Call,
    /// A note.
    Note,
    /// What they agreed to.
    Consent,
    /// They turned out to be somebody else.
    Merged,
    /// A record does not count.
    EnteredInError,
    /// The contact ended.
    Ended,
}

/// Whether an entry still counts.
#[uniffi::remote(Enum)]
pub enum Standing {
    /// It counts.
    Counts,
    /// Another entry replaces it.
    Corrected,
    /// It does not count.
    StruckOut,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_counterpart() {
        let here = [Kind::Team, Kind::Site, Kind::Session, Kind::Person, Kind::Contact];
        let mut there: Vec<&str> = here.into_iter().map(|kind| facade::Kind::from(kind).as_str()).collect();
        assert_eq!(there.len(), facade::Kind::ALL.len());
        there.sort_unstable();
        there.dedup();
        assert_eq!(there, ["contact", "person", "session", "site", "team"]);
    }
}
