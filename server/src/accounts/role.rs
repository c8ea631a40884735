//! Roles, and in which teams an account has them.

use std::collections::{BTreeMap, BTreeSet};

use wayside_protocol::record::RecordId;

/// What somebody may do. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads everything.
    Viewer,
    /// Settles conflicts, too.
    Coordinator,
    /// Everything.
    Administrator,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Coordinator, Role::Administrator];

    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Coordinator => "coordinator",
            Role::Administrator => "administrator",
        }
    }

    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// What an account may do, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roles {
    /// In every team, those that come later too, and over the server itself.
    Everywhere(Role),
    /// In each of these teams.
    Of(BTreeMap<RecordId, Role>),
}

impl Roles {
    /// The most that it may do anywhere; `None` for an account without a team.
    pub fn highest(&self) -> Option<Role> {
        match self {
            Roles::Everywhere(role) => Some(*role),
            Roles::Of(teams) => teams.values().copied().max(),
        }
    }

    pub fn in_team(&self, team: RecordId) -> Option<Role> {
        match self {
            Roles::Everywhere(role) => Some(*role),
            Roles::Of(teams) => teams.get(&team).copied(),
        }
    }

    /// What it may do to what belongs to no team: accounts, tokens, alarms.
    pub fn everywhere(&self) -> Option<Role> {
        match self {
            Roles::Everywhere(role) => Some(*role),
            Roles::Of(_) => None,
        }
    }

    /// The teams in which it has at least this role.
    pub fn teams(&self, least: Role) -> Teams {
        match self {
            Roles::Everywhere(role) if *role >= least => Teams::All,
            Roles::Everywhere(_) => Teams::These(BTreeSet::new()),
            Roles::Of(teams) => {
                let of = teams.iter().filter(|(_, role)| **role >= least);
                Teams::These(of.map(|(team, _)| *team).collect())
            }
        }
    }
}

/// Of which teams somebody may see what there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Teams {
    All,
    These(BTreeSet<RecordId>),
}

impl Teams {
    pub const fn none() -> Teams {
        Teams::These(BTreeSet::new())
    }

    pub fn holds(&self, team: RecordId) -> bool {
        match self {
            Teams::All => true,
            Teams::These(teams) => teams.contains(&team),
        }
    }
}
