//! What an answer comes to in the store: each of its steps is one transaction.

use wayside_protocol::error::Code;

use super::{receipt, step::Step};
use crate::{
    error::Result,
    store::{archive, log, meta, repair, unsettled},
    tablet::Inner,
};

/// The estimate of the server's clock stands while it is about right: an answer that took long to arrive says
/// less about the time than the one before.
const CLOCK_SLACK_MS: i64 = 30_000;

#[derive(Default)]
pub(crate) struct Applied {
    pub answered: u64,
    pub log: log::Applied,
}

/// Takes one step, in one transaction.
pub(crate) fn apply(tablet: &Inner, step: Step) -> Result<Applied> {
    let mut applied = Applied::default();
    match step {
        Step::Verdicts { team, verdicts } => {
            applied.log = tablet.store.write(|conn| log::apply_verdicts(conn, team, &verdicts))?;
            applied.answered = verdicts.len() as u64;
        }
        Step::Pulled { team, lists, mark } => {
            applied.log = tablet.store.write(|conn| {
                let applied = log::apply_pulled(conn, team, &lists)?;
                if let Some((epoch, cursor)) = mark {
                    log::advance(conn, team, epoch, cursor, true)?;
                }
                Ok(applied)
            })?;
        }
        Step::State { team, epoch, cursor, more } => {
            if tablet.store.read(|conn| log::stands_at(conn, team, epoch, cursor, more))? {
                return Ok(applied);
            }
            tablet.store.write(|conn| log::advance(conn, team, epoch, cursor, more))?;
        }
        Step::Refill { team, epoch } => {
            tablet.store.write(|conn| log::begin_refill(conn, team, epoch))?;
        }
        Step::Repaired { team, epoch, head, common } => {
            tablet.store.write(|conn| repair::repaired(conn, team, epoch, head, &common))?;
        }
        Step::Receipt(receipt) => {
            tablet.store.write(|conn| meta::set(conn, meta::RECEIPT, receipt.to_bytes()))?;
        }
        Step::Entries { team, entries } => {
            applied.log.erased = tablet.store.write(|conn| archive::apply_entries(conn, team, &entries))?;
        }
        Step::Notice(code) => {
            let at = tablet.env.now_text();
            tablet.store.write(|conn| match code {
                // It stands until it is mended: not another one with every sync.
                Code::UpgradeNeeded if meta::has_notice(conn, code.as_str())? => Ok(()),
                code => meta::add_notice(conn, code.as_str(), &at),
            })?;
        }
        Step::UnlockSecret { secret } => {
            tablet.store.write(|conn| meta::set(conn, meta::UNLOCK_SECRET, secret))?;
        }
        Step::Time { server_time_ms } => set_clock(tablet, server_time_ms)?,
        // Kept with what else is remembered of the server; and for whoever asked.
        Step::Terms { .. } | Step::Found(_) => {}
    }
    Ok(applied)
}

/// Learns how far the device's clock is off.
pub fn set_clock(tablet: &Inner, server_time_ms: u64) -> Result<()> {
    let Ok(server) = i64::try_from(server_time_ms) else { return Ok(()) };
    let offset = server.saturating_sub(tablet.env.clock.now_ms());
    let known: Option<i64> = tablet.store.read(|conn| meta::get(conn, meta::CLOCK_OFFSET))?;
    if known.is_some_and(|known| known.abs_diff(offset) <= CLOCK_SLACK_MS.unsigned_abs()) {
        return Ok(());
    }
    tablet.store.write(|conn| meta::set(conn, meta::CLOCK_OFFSET, offset))
}

/// The sync has proven that both sides hold the same. Whether all is at base depends on what was recorded since,
/// and on the quarantine. What base has archived and no longer needs of this tablet is dropped.
pub(crate) fn settle(tablet: &Inner) -> Result<bool> {
    let (in_sync, dropped) = tablet.store.write(|conn| {
        meta::set(conn, meta::SETTLED, 1)?;
        meta::set(conn, meta::LAST_SYNCED_AT, tablet.env.now_text())?;
        // Only an old program is not sent everything.
        meta::remove_notice(conn, Code::UpgradeNeeded.as_str())?;
        let positions = receipt(conn)?.map_or(Vec::new(), |receipt| receipt.positions);
        let dropped = positions.iter().map(|position| archive::drop_retained(conn, position));
        let dropped: usize = dropped.sum::<Result<_>>()?;
        let open = unsettled::counts(conn)?;
        Ok((open.waiting == 0 && open.quarantined == 0, dropped))
    })?;
    if dropped > 0 {
        tablet.store.forget_written()?;
    }
    Ok(in_sync)
}
