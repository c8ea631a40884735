//! Through what somebody reads the views: those of their teams, and no others.

use std::sync::{Arc, Mutex, PoisonError};

use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use crate::accounts::{Role, Roles, Teams};
use crate::base::Base;
use crate::error::Result;
use crate::log::{self, Conn, Team};
use crate::views::Views;

/// Idle connections to the views that are kept, of either kind.
const KEPT: usize = 4;

/// Idle connections to the views of every team, and to those of some, which may be any.
#[derive(Default)]
struct Pool {
    whole: Mutex<Vec<Views>>,
    limited: Mutex<Vec<Views>>,
}

/// What somebody reads by. It knows their roles, so that whatever is read or done for them can ask.
#[derive(Clone)]
pub struct Readers {
    pool: Arc<Pool>,
    roles: Roles,
    teams: Teams,
}

impl Readers {
    /// Of somebody who may see nothing: what there is before anybody has signed in.
    pub fn nobody() -> Readers {
        Readers { pool: Arc::default(), roles: Roles::Of(Default::default()), teams: Teams::none() }
    }

    /// Of a command line, which may do everything.
    pub fn whole() -> Readers {
        Readers::nobody().of(&Roles::Everywhere(Role::Administrator))
    }

    /// Of an account, over the same connections.
    pub fn of(&self, roles: &Roles) -> Readers {
        Readers { pool: self.pool.clone(), roles: roles.clone(), teams: roles.teams(Role::Viewer) }
    }

    /// The same, limited to the teams in which whoever reads may do so much: for what leaves.
    pub fn who_may(&self, least: Role) -> Readers {
        Readers { teams: self.roles.teams(least), ..self.clone() }
    }

    /// The teams of which they show what there is.
    pub fn teams(&self) -> &Teams {
        &self.teams
    }

    /// Those teams, in the order in which they were added.
    pub fn known_teams(&self, log: &Conn) -> Result<Vec<Team>> {
        let mut teams = log::teams(log)?;
        teams.retain(|team| self.teams.holds(team.id));
        Ok(teams)
    }

    /// Whether a tablet of these teams is shown: one that is in any of theirs.
    pub fn shows_tablet(&self, teams: &[RecordId]) -> bool {
        self.teams == Teams::All || teams.iter().any(|team| self.teams.holds(*team))
    }

    /// In which teams whoever reads may do so much.
    pub fn teams_where(&self, least: Role) -> Teams {
        self.roles.teams(least)
    }

    /// Whether whoever reads may do so much with a record that no address names, or with a team. One of a team that is not
    /// theirs is not there. Blocks.
    pub fn may(&self, base: &Base, record: RecordId, least: Role) -> Result<()> {
        if self.roles.everywhere() >= Some(least) {
            return Ok(());
        }
        let team = base.log.read(|conn| log::team_of(conn, record))?;
        let role = team.and_then(|team| self.roles.in_team(team)).ok_or(Code::RecordNotFound)?;
        if role < least { Err(Code::RoleNotAllowed.into()) } else { Ok(()) }
    }

    /// Reads the views in one snapshot. Blocks.
    pub fn read<T>(&self, base: &Base, work: impl FnOnce(&Views) -> Result<T>) -> Result<T> {
        let pool = if self.teams == Teams::All { &self.pool.whole } else { &self.pool.limited };
        let kept = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let views = match kept {
            Some(views) => {
                views.limit(&self.teams)?;
                views
            }
            None => Views::open_limited(base.data(), &self.teams)?,
        };
        let result = views.snapshot(work);
        let mut kept = pool.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(views);
        }
        result
    }
}
