//! What comes from outside: backups, quarantine, the tablets, alarms.

use super::{Finding, Patient, State, ago};
use crate::health::facts::{DAY_MS, Facts};
use crate::log::RESTORE_WINDOW_MS;

/// One a day, with two hours to make it.
const BACKUP_MS: u64 = DAY_MS + 2 * 60 * 60 * 1000;
/// A server that is so far off the tablets is off itself.
const SKEW_MS: u64 = 2 * 60 * 1000;
/// What was written at a later time than now is from before the clock was set back.
const BACK_MS: u64 = 2 * 60 * 1000;

pub fn look(patient: &Patient, facts: &Facts) -> Vec<Finding> {
    vec![
        backup(patient, facts),
        quarantine(facts),
        waiting(facts),
        tablets(facts),
        clocks(patient, facts),
        alarms(facts),
    ]
}

fn backup(patient: &Patient, facts: &Facts) -> Finding {
    const CHECK: &str = "backup";
    let do_this = "`wayside backup`, or set backup.to; then find out why none was made.";
    let Some(made_at) = facts.figures.last_backup else {
        let means = "If this disk is lost, what tablets no longer hold is lost.";
        return Finding::warn(CHECK, "There has never been one.", means, do_this);
    };
    let age = patient.clock.now_ms().saturating_sub(made_at);
    let found = format!("The newest that was verified is {} old.", ago(age));
    match age {
        age if age > RESTORE_WINDOW_MS => {
            let means = "Older than tablets keep what they sent: a restore would lose something.";
            Finding::fail(CHECK, found, means, do_this)
        }
        age if age > BACKUP_MS => {
            let means = "A restore would depend on the tablets for what came since.";
            Finding::warn(CHECK, found, means, do_this)
        }
        _ => Finding::ok(CHECK, found),
    }
}

fn quarantine(facts: &Facts) -> Finding {
    const CHECK: &str = "quarantine";
    let held: u64 = facts.figures.quarantine.values().sum();
    let codes: Vec<_> =
        facts.figures.quarantine.iter().map(|(code, count)| format!("{count} {code}")).collect();
    match facts.figures.unseen {
        0 => Finding::ok(CHECK, format!("{held} changes, and somebody has looked at all of them.")),
        unseen => Finding::warn(
            CHECK,
            format!("{unseen} of {held} changes have not been looked at: {}.", codes.join(", ")),
            "What staff recorded is kept whole and is not part of the record.",
            "A coordinator looks at *Quarantine* on the pages; after an update `wayside quarantine readmit`.",
        ),
    }
}

fn waiting(facts: &Facts) -> Finding {
    const CHECK: &str = "waiting";
    match facts.figures.waiting {
        few @ 0..1000 => Finding::ok(CHECK, format!("{few} changes wait for what they depend on.")),
        many => Finding::warn(
            CHECK,
            format!("{many} changes wait for what they depend on."),
            "A tablet that has what they depend on has not synced yet, or never will.",
            "On *Fleet*: which tablet was silent longest?",
        ),
    }
}

fn tablets(facts: &Facts) -> Finding {
    const CHECK: &str = "tablets";
    let fleet = &facts.fleet;
    let found = format!(
        "{} tablets, {} of them here within a week; {} changes not sent yet.",
        fleet.tablets, fleet.lately, fleet.outbox
    );
    if fleet.silent > 0 {
        return Finding::warn(
            CHECK,
            format!("{found} {} with something to send were silent for three days.", fleet.silent),
            "What was recorded there is on no other disk.",
            "On *Fleet*: who has them? Ask them to bring the tablet into signal.",
        );
    }
    if fleet.unwiped > 0 {
        return Finding::warn(
            CHECK,
            format!("{found} {} revoked ones have not been heard to wipe themselves.", fleet.unwiped),
            "Their records are still on them, encrypted.",
            "If one is in strange hands, that is for the organisation's data protection officer.",
        );
    }
    Finding::ok(CHECK, found)
}

fn clocks(patient: &Patient, facts: &Facts) -> Finding {
    const CHECK: &str = "clocks";
    let now = patient.clock.now_ms();
    let fleet = &facts.fleet;
    if fleet.last_seen_at.is_some_and(|at| at > now + BACK_MS) {
        return Finding::fail(
            CHECK,
            "A tablet was here at a time that has not come yet.",
            "The clock of this machine was set back: times of receipt and logins are wrong.",
            "Set it right. Nothing is lost: order does not depend on it.",
        );
    }
    if let Some(off) = fleet.skew_ms.filter(|off| off.unsigned_abs() >= SKEW_MS) {
        return Finding {
            check: CHECK,
            state: State::Warn,
            found: format!(
                "The tablets' clocks are {} {} of this one in the middle.",
                ago(off.unsigned_abs()),
                if off > 0 { "ahead" } else { "behind" }
            ),
            means: "They are many and this is one: it is rather this one that is wrong.",
            do_this: "Compare this machine's clock with another, and turn on a time service.",
        };
    }
    match fleet.skewed {
        0 => Finding::ok(CHECK, "Tablets and server agree about the time."),
        some => Finding::warn(
            CHECK,
            format!("{some} tablets' clocks are off by two minutes or more."),
            "They sync all the same; the times that staff read on them are wrong.",
            "On *Fleet*: which? Have their time set from the network.",
        ),
    }
}

fn alarms(facts: &Facts) -> Finding {
    const CHECK: &str = "alarms";
    if facts.alarms.is_empty() {
        return Finding::ok(CHECK, "None within a week.");
    }
    let said: Vec<_> = facts.alarms.iter().map(|(code, times)| format!("{code} ({times})")).collect();
    Finding::warn(
        CHECK,
        format!("Within a week: {}.", said.join(", ")),
        "An older log was put back, or a tablet's storage was copied.",
        "*Today* and *Fleet* say which; docs/operations/alarms.md says what to do about each.",
    )
}
