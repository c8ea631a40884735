//! Stable error codes, shared by every door: command lines, API, FFI, frames and quarantine.
//!
//! A code never changes its meaning and is never reused. The message beside it may be reworded at
//! any time and is safe to show: it never holds personal data. Whether a retry can help is a fact
//! about the code, decided here and nowhere else.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, retry $retry:literal, $message:literal;)*) => {
        /// Why something was refused, quarantined or failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* #[doc = $message] $variant,)* }

        impl Code {
            /// Every code, for documentation and tests.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable spelling, as printed, stored and sent.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }

            /// Whether doing the same again, unchanged, can succeed.
            pub const fn retry(self) -> bool {
                match self { $(Code::$variant => $retry,)* }
            }

            /// What a person may read when there is nothing more precise to say.
            pub const fn message(self) -> &'static str {
                match self { $(Code::$variant => $message,)* }
            }
        }
    };
}

codes! {
    // --- entry: what a person or a program typed in ---
    BadArguments = "bad_arguments", retry false, "The command line is not understood.";
    BadJson = "bad_json", retry false, "This is not valid JSON.";
    MissingField = "missing_field", retry false, "A required field is missing.";
    WrongType = "wrong_type", retry false, "A field holds the wrong type of value.";
    UnknownValue = "unknown_value", retry false, "A coded field holds a value that is not in its list.";
    BadPath = "bad_path", retry false, "There is no such field in this kind of record.";
    BadId = "bad_id", retry false, "This is not a record id.";
    EntryWrittenOnce = "entry_written_once", retry false, "An entry is never changed: correct it or strike it out with a new entry.";
    RecordNotFound = "record_not_found", retry false, "There is no such record here.";
    EntryNotFound = "entry_not_found", retry false, "There is no such entry in this record.";
    WrongKind = "wrong_kind", retry false, "This cannot be done to this kind of record.";
    OutOfRange = "out_of_range", retry false, "A value is outside the limits within which it can be saved.";
    ConfirmUnusual = "confirm_unusual", retry false, "A value is unusual: measure again, or confirm it with confirmed_unusual.";
    NhsNumberInvalid = "nhs_number_invalid", retry false, "This is not a valid NHS number.";
    TeamAmbiguous = "team_ambiguous", retry false, "This tablet belongs to several teams: say which one.";
    TooLarge = "too_large", retry false, "This is larger than can be accepted.";
    ReferenceUnknown = "reference_unknown", retry false, "This is none of the files that can be imported: a postcode directory, an index of deprivation, practices, or a population.";
    ReferenceMalformed = "reference_malformed", retry false, "The file holds a line that cannot be. Nothing was changed.";

    // --- the tablet and its storage ---
    StorageFailed = "storage_failed", retry true, "The database could not be read or written.";
    StorageFull = "storage_full", retry true, "The disk is full: nothing more can be saved until there is room again. What was saved before stands.";
    StorageNewer = "storage_newer", retry false, "This database was made by a newer version: update this program.";
    WrongKey = "wrong_key", retry false, "The database cannot be opened with this key.";
    KeyFileInvalid = "key_file_invalid", retry false, "The key file cannot be used.";
    TabletLocked = "tablet_locked", retry false, "This tablet is locked: unlock it first.";
    KeyMissing = "key_missing", retry false, "There are records here and their key is not: without it they cannot be read. Do not make a new one.";
    KeyStoreFailed = "key_store_failed", retry true, "The device's key store could not be read or written.";
    RecordsUnsent = "records_unsent", retry false, "Not everything on this tablet has reached base: sync first.";
    NotEnrolled = "not_enrolled", retry false, "This tablet is not enrolled with a server yet.";
    Internal = "internal", retry false, "Something went wrong inside the program.";

    // --- reaching base ---
    NoSignal = "no_signal", retry true, "There is no network: everything is kept on this tablet.";
    ServerUnreachable = "server_unreachable", retry true, "The network is there but the server does not answer: everything is kept on this tablet.";
    LinkCut = "link_cut", retry true, "The link was cut: what had not arrived will be sent again.";
    ServerNotTrusted = "server_not_trusted", retry false, "The server's key is not the one this tablet was enrolled with.";
    ServerFailed = "server_failed", retry true, "The server could not do this now.";
    SyncCancelled = "sync_cancelled", retry true, "The sync was stopped: what had arrived stays, the rest goes with the next one.";
    SyncRunning = "sync_running", retry true, "A sync is already running.";
    NotSettled = "not_settled", retry true, "Tablet and server do not hold the same yet: sync again.";

    // --- frames and requests ---
    FrameMalformed = "frame_malformed", retry false, "The bytes are not a valid frame.";
    VersionUnsupported = "version_unsupported", retry false, "This version of the sync protocol is not spoken here: update this program.";
    SignatureInvalid = "signature_invalid", retry false, "A signature does not match.";
    Clock = "clock", retry true, "The request's time is too far from the server's.";
    Replayed = "replayed", retry true, "This request was here before: ask anew.";
    Busy = "busy", retry true, "The server has too much to do: try again in a moment.";
    RateLimited = "rate_limited", retry true, "Too many requests came in a short time: wait a moment. Nothing is lost.";
    HoldFull = "hold_full", retry true, "Base keeps apart as much from this tablet as it may: the rest stays on the tablet, and goes again later.";
    UpgradeNeeded = "upgrade_needed", retry false, "This tablet's program is too old to show what is new: update it. What is recorded here is kept, and still goes to base.";
    TabletUnknown = "tablet_unknown", retry false, "This server does not know this tablet.";
    TeamNotAllowed = "team_not_allowed", retry false, "This tablet does not belong to this team.";
    TabletRevoked = "tablet_revoked", retry false, "This tablet was revoked: base gives it nothing more, and keeps apart what it sends.";
    TabletWiped = "tablet_wiped", retry false, "This tablet was revoked. Base has what it had not sent, and nothing is left on it: it has wiped itself.";
    TeamLeft = "team_left", retry false, "This tablet was taken out of a team. Base has what it had not sent, and the team's records are gone from it.";
    KeyReplaced = "key_replaced", retry false, "This tablet has a newer key: an older copy of it may not sync any more.";
    CodeUnknown = "code_unknown", retry false, "This enrolment code is not known.";
    CodeExpired = "code_expired", retry false, "This enrolment code has expired: ask for a new one.";
    CodeUsed = "code_used", retry false, "This enrolment code has been used: ask for a new one.";
    CodeMalformed = "code_malformed", retry false, "This is not an enrolment code: check that it was copied whole.";
    ForeignServer = "foreign_server", retry false, "This tablet is enrolled with another server.";
    NotFound = "not_found", retry false, "There is nothing at this address.";
    MethodNotAllowed = "method_not_allowed", retry false, "This address does not take this method.";
    TeamUnknown = "team_unknown", retry false, "There is no team of this name.";
    TeamExists = "team_exists", retry false, "There is a team of this name already.";

    // --- backups, restores, copies: what went wrong, or what staff should know ---
    BackupDamaged = "backup_damaged", retry false, "This is not a whole backup: it is cut short, damaged or altered.";
    BackupSealed = "backup_sealed", retry false, "This backup is encrypted: give a private key that opens it.";
    BackupKeyInvalid = "backup_key_invalid", retry false, "This is not a key for backups: a public one begins with age1, a private one with AGE-SECRET-KEY-1.";
    DataNotEmpty = "data_not_empty", retry false, "There is a server in this directory already: restore into one that holds nothing but its keys.";
    IdentityMissing = "identity_missing", retry false, "The server's identity key is missing or is another server's: put the keys directory of this server back.";
    LedgerMissing = "ledger_missing", retry false, "The ledger beside the server's keys is missing, older than this log or another server's: put the keys directory of this server back.";
    ServerRestored = "server_restored", retry false, "The server was restored from an older copy: tablets give back what it lacks, and nothing is lost.";
    LogReplaced = "log_replaced", retry false, "The server's records were replaced by an older copy without a restore: tablets give back what they hold.";
    TabletCopied = "tablet_copied", retry false, "This tablet's storage was set back to an older copy, or copied to a second tablet: nothing is lost, but use one of them only.";

    ConfigInvalid = "config_invalid", retry false, "The configuration cannot be used: see what is wrong with it.";
    DoctorFailed = "doctor_failed", retry false, "Something must be put right: see what was found.";
    LogMoved = "log_moved", retry true, "The records of this server were moved to another place, and it takes nothing more: serve them from there. Nothing is lost.";

    RecordErased = "record_erased", retry false, "A record was erased at base, and is gone from this tablet.";
    NotConfirmed = "not_confirmed", retry false, "Nothing was done: it was not confirmed.";

    // --- the pages and their API ---
    NotSignedIn = "not_signed_in", retry false, "Sign in first.";
    RoleNotAllowed = "role_not_allowed", retry false, "Your account may not do this.";
    EraseUnasked = "erase_unasked", retry false, "Nobody has asked to erase this person, or the request has run out: ask again.";
    EraseByTwo = "erase_by_two", retry false, "Another administrator must confirm this.";
    AuditBroken = "audit_broken", retry false, "The audit trail is not as it was written.";
    ScopeMissing = "scope_missing", retry false, "This token was not made for this.";
    TokenUnknown = "token_unknown", retry false, "There is no such token, or it was revoked already.";
    CodeWrong = "code_wrong", retry false, "This code is not correct, or was used already.";
    SecondFactorNeeded = "second_factor_needed", retry false, "Set up a second factor first: administrators need one here.";
    SignInWrong = "sign_in_wrong", retry false, "The name, the password or the code is not correct.";
    LinkInvalid = "link_invalid", retry false, "This link has been used or has expired: ask for a new one.";
    TryLater = "try_later", retry true, "Too many attempts: wait a little and try again.";
    Behind = "behind", retry true, "This server does not show everything yet that was recorded: it is catching up. Nothing is lost. Try again in a moment.";
    CrossOrigin = "cross_origin", retry false, "This request did not come from these pages.";
    HostUnknown = "host_unknown", retry false, "This server does not go by that name.";
    AccountExists = "account_exists", retry false, "There is an account of this name already.";
    AccountUnknown = "account_unknown", retry false, "There is no account of this name.";
    AccountDisabled = "account_disabled", retry false, "This account is disabled.";
    PasswordRefused = "password_refused", retry false, "This password cannot be used.";
    HeadsUnknown = "heads_unknown", retry false, "This record was never in the state that was shown: load it again.";
    NotInConflict = "not_in_conflict", retry false, "There was nothing to settle here: load the record again.";
    NotSettleable = "not_settleable", retry false, "These values stay beside each other: there is nothing that could replace them.";

    ConsentMissing = "consent_missing", retry false, "This person has not agreed that it goes to their GP practice.";
    MediaType = "media_type", retry false, "Send JSON, with `Content-Type: application/json`.";
    KeyReused = "key_reused", retry false, "This Idempotency-Key was sent with something else before: use another one.";
    KeyPending = "key_pending", retry true, "The first request with this Idempotency-Key has no answer yet: ask again. If that stays so, look whether it was done.";
    CursorInvalid = "cursor_invalid", retry false, "This is no place that this server gave: ask without one, and everything comes.";
    RecipientExists = "recipient_exists", retry false, "There is, or was, a recipient of extracts of this name: choose another.";
    RecipientUnknown = "recipient_unknown", retry false, "There is no such recipient of extracts, or no longer.";

    // --- staff ---
    StaffUnknown = "staff_unknown", retry false, "There is no such member of staff here.";
    StaffExists = "staff_exists", retry false, "The team has a member of this name already: add an initial or a second name.";
    PinNotSet = "pin_not_set", retry false, "This member has no PIN yet: a coordinator sets one, or gives an unlock code.";
    PinWrong = "pin_wrong", retry false, "This PIN is not correct.";
    PinRefused = "pin_refused", retry false, "This PIN cannot be used.";
    StaffLocked = "staff_locked", retry true, "Too many wrong PINs: wait, or ask a coordinator for an unlock code.";
    UnlockWrong = "unlock_wrong", retry false, "This unlock code is not correct.";
    UnlockLocked = "unlock_locked", retry true, "Too many wrong unlock codes: wait a little.";
    UnlockNotReady = "unlock_not_ready", retry false, "This tablet cannot take unlock codes before its next sync.";
    ChallengeUnknown = "challenge_unknown", retry false, "No tablet of this team shows these digits: have them read out again.";
    ChangedMeanwhile = "changed_meanwhile", retry false, "Somebody has changed this since it was shown: load it again.";

    // --- admission: why a change is in quarantine ---
    ChangeMalformed = "change_malformed", retry false, "The change is not a well-formed Automerge change.";
    ChangeCompressed = "change_compressed", retry false, "The change is compressed; only plain changes are accepted.";
    ChangeTooLarge = "change_too_large", retry false, "The change is too large, or has too many operations.";
    ChangeChecksum = "change_checksum", retry false, "The change does not match its checksum.";
    ChangeUnreadable = "change_unreadable", retry false, "The change cannot be applied and read back.";
    ChangeMessage = "change_message", retry false, "The change does not say who made it, when and on which tablet.";
    OperationRefused = "operation_refused", retry false, "The change does something else than set a scalar at the root of a record.";
    StartOpWrong = "start_op_wrong", retry false, "The change's first operation has the wrong number.";
    SequenceGap = "sequence_gap", retry false, "The author's previous change is not in this change's history.";
    ActorCollision = "actor_collision", retry false, "The same author has already made another change with this number.";
    ActorOwned = "actor_owned", retry false, "This author belongs to another tablet.";
    BeginningInvalid = "beginning_invalid", retry false, "A record's beginning must set its id and kind, and only a beginning may.";
    RecordElsewhere = "record_elsewhere", retry false, "This record belongs to another team.";
    RecordRefused = "record_refused", retry false, "A tablet may not write this kind of record.";
    DependsOnQuarantined = "depends_on_quarantined", retry false, "The change builds on one that is in quarantine.";
    WaitingFull = "waiting_full", retry true, "Too much of this tablet or its team waits at base or is in quarantine there: this stays on the tablet, and goes again later.";
    PersonErased = "person_erased", retry false, "This names a person who was erased: an administrator decides.";
    FromRevokedTablet = "from_revoked_tablet", retry false, "This came from a tablet that was revoked or taken out of the team: an administrator admits or refuses it.";
    RefusedAtBase = "refused_at_base", retry false, "This came from a tablet that was revoked or taken out of the team, and an administrator refused it.";
    RecordTooLarge = "record_too_large", retry false, "The record has become too large.";
}

impl Code {
    /// Whether a disk or a database is the reason, not what was asked for.
    pub fn is_of_storage(self) -> bool {
        matches!(self, Code::StorageFull | Code::StorageFailed)
    }

    /// The code of this spelling; `None` for one that a newer version knows.
    pub fn parse(text: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a value cannot be part of a record: a code, the path of the field, and a sentence that says
/// what to do. The sentence names limits and fields, never the person's data beyond the value typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    pub code: Code,
    /// The field, as in `bp/readings/systolic`; empty when it is about the whole record.
    pub path: String,
    pub message: String,
}

impl Invalid {
    pub fn new(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Invalid { code, path: path.into(), message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_parse_back() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
        }
        let mut texts: Vec<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }
}
