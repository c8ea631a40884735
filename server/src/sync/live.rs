//! News for tablets that are in signal: a request that is answered when the log of one of its teams goes beyond what the
//! tablet holds, or after a while. The answer says where the logs stand, never what is in them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use wayside_protocol::error::Code;
use wayside_protocol::sync::frame::{Frame, Head, State, TeamState};

use super::{Exchange, pull, stream::Gate};
use crate::base::Base;
use crate::error::Result;
use crate::limits::Limit;
use crate::log::{self, End, Ends};

/// Answered after this at the latest, plus up to as much again of [`JITTER_MS`]: before a proxy takes it for dead, and
/// spread, so that a thousand tablets do not all come at once.
const HOLD: Duration = Duration::from_secs(35);
const JITTER_MS: u64 = 10_000;

/// Waits until there is news, and returns the answer's body.
pub async fn live(base: Arc<Base>, gate: &Gate, head: Head, from: String) -> Result<Vec<u8>> {
    let _waiting = gate.enter_live().inspect_err(|_| base.limits.met(Limit::News))?;
    let _counted = base.metrics.channel("tablets");
    let (mut ends, mut closing) = (base.log.watch(), base.closing());
    let opening = base.clone();
    let (exchange, _) = gate.work(move || Exchange::open(&opening, head, &from)).await?;
    let exchange = Arc::new(exchange);
    let until = Instant::now() + HOLD + Duration::from_millis(rand::random_range(0..JITTER_MS));
    // Most of what is committed is other teams'.
    let own = |ends: &Ends| -> Vec<Option<End>> {
        exchange.hello.teams.iter().map(|place| ends.get(&place.team).copied()).collect()
    };
    loop {
        // Before the look, so that nothing falls between.
        let seen = own(&ends.borrow_and_update());
        let (looking, held) = (base.clone(), exchange.clone());
        let states = gate
            .work(move || look(&looking, &held).inspect_err(|error| held.is_refused(&looking, error.code())));
        let states = states.await?;
        let over = Instant::now() >= until || *closing.borrow();
        if over || states.iter().any(|state| state.more) {
            let mut answer = Vec::new();
            let state = State { server_time_ms: base.clock.now_ms(), teams: states };
            Frame::State(state).encode(&mut answer);
            return Ok(answer);
        }
        tokio::select! {
            moved = ends.wait_for(|ends| own(ends) != seen) => drop(moved.map_err(|_| Code::ServerFailed)?),
            _ = closing.wait_for(|closing| *closing) => {}
            () = sleep_until(until) => {}
        }
    }
}

/// Where the logs of the places end; `more` says that this is not what the tablet holds.
fn look(base: &Base, exchange: &Exchange) -> Result<Vec<TeamState>> {
    base.log.read(|conn| {
        // Again each time: the tablet may have been put out of a team meanwhile.
        let (tablet, teams, _) = super::standing(conn, &exchange.hello.tablet)?;
        if tablet.revoked {
            return Err(Code::TabletRevoked.into());
        }
        let states = exchange.hello.teams.iter().map(|place| {
            let team = teams.iter().find(|team| team.id == place.team).ok_or(Code::TeamNotAllowed)?;
            let fingerprint = log::sum_at(conn, team.n, team.head)?.fingerprint();
            // Who cannot be told of it need not come for it.
            let news = team.epoch != place.epoch || !place.holds(team.head);
            let more = news && !pull::is_too_old(conn, &exchange.hello, place, team)?;
            Ok(TeamState { team: team.id, epoch: team.epoch, cursor: team.head, fingerprint, more })
        });
        states.collect()
    })
}
