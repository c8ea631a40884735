//! What goes in and out, as every language has it.

use wayside_client_core as facade;

use crate::{convert, error::Result};

/// Who records.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct By {
    /// Staff id, as asserted on this tablet.
    pub staff: String,
    /// The team of what is new, by its id: only needed on a tablet of several teams.
    #[uniffi(default = None)]
    pub team: Option<String>,
}

impl TryFrom<By> for facade::By {
    type Error = crate::WaysideError;

    fn try_from(by: By) -> Result<Self> {
        let team = by.team.as_deref().map(convert::id).transpose()?;
        Ok(facade::By { team, ..facade::By::staff(&by.staff) })
    }
}

/// What a recorded contact became: ids of records.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Recorded {
    /// The contact itself.
    pub contact: String,
    /// Found or made.
    pub session: String,
    /// Found or made.
    pub site: String,
    /// `None` for somebody who gave no details.
    pub person: Option<String>,
}

impl From<facade::Recorded> for Recorded {
    fn from(recorded: facade::Recorded) -> Self {
        Recorded {
            contact: recorded.contact.to_string(),
            session: recorded.session.to_string(),
            site: recorded.site.to_string(),
            person: recorded.person.map(|person| person.to_string()),
        }
    }
}

/// A team that this tablet is enrolled in.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Team {
    /// Its record id.
    pub id: String,
    /// What people call it.
    pub name: String,
}

impl From<facade::Team> for Team {
    fn from(team: facade::Team) -> Self {
        Team { id: team.id.to_string(), name: team.name }
    }
}

/// What an enrolment came to.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Enrolment {
    /// The team that this tablet belongs to now.
    pub team: String,
    /// What people call it.
    pub team_name: String,
}

impl From<facade::Enrolment> for Enrolment {
    fn from(enrolment: facade::Enrolment) -> Self {
        Enrolment { team: enrolment.team.to_string(), team_name: enrolment.team_name }
    }
}

/// How many records of each kind are on this tablet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Counts {
    /// Venues.
    pub site: u64,
    /// Pop-ups.
    pub session: u64,
    /// People seen.
    pub person: u64,
    /// Checks and conversations.
    pub contact: u64,
    /// Teams.
    pub team: u64,
}

impl From<facade::Counts> for Counts {
    fn from(counts: facade::Counts) -> Self {
        let facade::Counts { site, session, person, contact, team } = counts;
        Counts { site, session, person, contact, team }
    }
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Status {
    /// Changes that the server has not accepted yet: nobody at base can see them.
    pub waiting: u64,
    /// Changes that the server refused; they are kept here and there, with the reason.
    pub quarantined: u64,
    /// Records with conflicts to settle.
    pub conflicts: u64,
    /// By this device's clock, RFC 3339 in UTC; `None` before the first sync that came to an end.
    pub last_synced_at: Option<String>,
    /// As of the last sync everything was at base, and nothing was recorded since.
    pub in_sync: bool,
    /// How many records are on this tablet.
    pub records: Counts,
    /// Whether this tablet has a server.
    pub enrolled: bool,
    /// The teams that it is enrolled in.
    pub teams: Vec<Team>,
    /// This tablet's id.
    pub tablet: String,
    /// What people call this tablet; `None` before enrolment.
    pub name: Option<String>,
    /// How far this device's clock is ahead of the server's, in milliseconds; `None` before it is known.
    pub clock_skew_ms: Option<i64>,
    /// A sync is running now.
    pub syncing: bool,
    /// Records that base has archived: hidden, and kept here until its backups have them.
    pub archived: u64,
    /// What staff should know, the newest first: restores, copies, erasures, a program that is too old.
    pub notices: Vec<Notice>,
}

impl From<facade::Status> for Status {
    fn from(status: facade::Status) -> Self {
        Status {
            waiting: status.waiting,
            quarantined: status.quarantined,
            conflicts: status.conflicts,
            last_synced_at: status.last_synced_at,
            in_sync: status.in_sync,
            records: status.records.into(),
            enrolled: status.enrolled,
            teams: status.teams.into_iter().map(Team::from).collect(),
            tablet: status.tablet,
            name: status.name,
            clock_skew_ms: status.clock_skew_ms,
            syncing: status.syncing,
            archived: status.archived,
            notices: status.notices.into_iter().map(Notice::from).collect(),
        }
    }
}

/// What a sync is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Phase {
    /// Looking for base.
    Connecting,
    /// Sending and fetching.
    Exchanging,
    /// Comparing everything from the beginning, because the two sides did not hold the same.
    Comparing,
    /// Nothing more will come.
    Done,
}

impl From<facade::Phase> for Phase {
    fn from(phase: facade::Phase) -> Self {
        match phase {
            facade::Phase::Connecting => Phase::Connecting,
            facade::Phase::Exchanging => Phase::Exchanging,
            facade::Phase::Comparing => Phase::Comparing,
            facade::Phase::Done => Phase::Done,
        }
    }
}

/// How far a sync has come. Bytes are those of HTTP, before TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Changes that the server has answered for.
    pub pushed: u64,
    /// Of so many.
    pub to_push: u64,
    /// Changes fetched that were not here before.
    pub pulled: u64,
    /// Requests so far.
    pub exchanges: u64,
    /// Bytes sent.
    pub bytes_up: u64,
    /// Bytes received.
    pub bytes_down: u64,
}

impl From<facade::Progress> for Progress {
    fn from(progress: facade::Progress) -> Self {
        Progress {
            phase: progress.phase.into(),
            pushed: progress.pushed,
            to_push: progress.to_push,
            pulled: progress.pulled,
            exchanges: progress.exchanges,
            bytes_up: progress.bytes_up,
            bytes_down: progress.bytes_down,
        }
    }
}

/// What stopped a sync.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Problem {
    /// Stable, as in `server_unreachable`.
    pub code: String,
    /// A sentence for staff.
    pub message: String,
    /// Whether another sync can succeed without anybody doing anything.
    pub retry: bool,
}

impl From<facade::Problem> for Problem {
    fn from(problem: facade::Problem) -> Self {
        let facade::Problem { code, message, retry } = problem;
        Problem { code, message, retry }
    }
}

/// Something that staff should know: nothing is lost and nothing has to be typed again.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Notice {
    /// Stable, as in `server_restored`.
    pub code: String,
    /// A sentence for staff.
    pub message: String,
    /// When, by this device's clock; `None` in a report, which is of just now.
    pub at: Option<String>,
}

impl From<facade::Notice> for Notice {
    fn from(notice: facade::Notice) -> Self {
        let facade::Notice { code, message, at } = notice;
        Notice { code: code.to_owned(), message: message.to_owned(), at }
    }
}

/// What a sync came to, also one that was stopped half way: what was done until then stays done.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncReport {
    /// Changes that the server has answered for.
    pub pushed: u64,
    /// Of these, now in the server's log.
    pub accepted: u64,
    /// Of these, refused: see `drafts` of a record.
    pub quarantined: u64,
    /// Changes that were not here before.
    pub pulled: u64,
    /// Proven: both sides hold the same, nothing waits and nothing is in quarantine.
    pub in_sync: bool,
    /// Requests.
    pub exchanges: u64,
    /// Bytes sent, before TLS.
    pub bytes_up: u64,
    /// Bytes received, before TLS.
    pub bytes_down: u64,
    /// What stopped it; `None` when it came to its end.
    pub error: Option<Problem>,
    /// What staff should know.
    pub notices: Vec<Notice>,
    /// The server has too much to do and wants to be asked again after so many seconds.
    pub retry_after: Option<u64>,
}

impl From<facade::SyncReport> for SyncReport {
    fn from(report: facade::SyncReport) -> Self {
        SyncReport {
            pushed: report.pushed,
            accepted: report.accepted,
            quarantined: report.quarantined,
            pulled: report.pulled,
            in_sync: report.in_sync,
            exchanges: report.exchanges,
            bytes_up: report.bytes_up,
            bytes_down: report.bytes_down,
            error: report.error.map(Problem::from),
            notices: report.notices.into_iter().map(Notice::from).collect(),
            retry_after: report.retry_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_records_is_never_unchecked() {
        let by = facade::By::try_from(By { staff: "amina".into(), team: None }).unwrap();
        assert_eq!(by, facade::By::staff("amina"));
        assert_eq!(by.checks, facade::Rules::Entry);
        let nowhere = By { staff: "amina".into(), team: Some("Leeds East".into()) };
        assert_eq!(facade::By::try_from(nowhere).unwrap_err().details().code, "bad_id");
    }

    #[test]
    fn a_report_keeps_its_numbers_and_its_problem() {
        let problem = facade::Problem { code: "link_cut".into(), message: "Cut.".into(), retry: true };
        let report = facade::SyncReport {
            pushed: 1,
            accepted: 2,
            quarantined: 3,
            pulled: 4,
            in_sync: true,
            exchanges: 5,
            bytes_up: 6,
            bytes_down: 7,
            error: Some(problem),
            ..facade::SyncReport::default()
        };
        let converted = SyncReport::from(report);
        let SyncReport { pushed, accepted, quarantined, pulled, exchanges, bytes_up, bytes_down, .. } =
            converted;
        assert_eq!(
            [pushed, accepted, quarantined, pulled, exchanges, bytes_up, bytes_down],
            [1, 2, 3, 4, 5, 6, 7]
        );
        assert!(converted.in_sync);
        let expected = Problem { code: "link_cut".into(), message: "Cut.".into(), retry: true };
        assert_eq!(converted.error, Some(expected));
    }

    #[test]
    fn progress_keeps_its_numbers() {
        let progress = Progress::from(facade::Progress {
            phase: facade::Phase::Comparing,
            pushed: 1,
            to_push: 2,
            pulled: 3,
            exchanges: 4,
            bytes_up: 5,
            bytes_down: 6,
        });
        let Progress { phase, pushed, to_push, pulled, exchanges, bytes_up, bytes_down } = progress;
        assert_eq!(phase, Phase::Comparing);
        assert_eq!([pushed, to_push, pulled, exchanges, bytes_up, bytes_down], [1, 2, 3, 4, 5, 6]);
    }
}
