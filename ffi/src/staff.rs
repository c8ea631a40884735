//! Who of the team is in front of the tablet.

use wayside_client_core as facade;

/// A member of a team that this tablet belongs to.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StaffMember {
    /// Staff id: what `By` takes.
    pub id: String,
    /// What people call them.
    pub name: String,
    /// Empty where none was given.
    pub role: String,
    /// The team's id.
    pub team: String,
    /// Whether there is a PIN to sign in with; without one an unlock code sets it.
    pub has_pin: bool,
    /// Wrong PINs before the lock; 0 while it is on.
    pub tries_left: u32,
    /// When the lock ends, by this device's clock; `None` where there is none.
    pub locked_until: Option<String>,
    /// How long it still lasts, whatever the clock says.
    pub locked_seconds: u64,
}

impl From<facade::StaffMember> for StaffMember {
    fn from(member: facade::StaffMember) -> Self {
        StaffMember {
            id: member.id,
            name: member.name,
            role: member.role,
            team: member.team.to_string(),
            has_pin: member.has_pin,
            tries_left: member.tries_left,
            locked_until: member.locked_until,
            locked_seconds: member.locked_seconds,
        }
    }
}

/// Who is in front of the tablet.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SignedIn {
    /// Staff id: what `By` takes.
    pub id: String,
    /// What people call them.
    pub name: String,
    /// Empty where none was given.
    pub role: String,
    /// The team's id.
    pub team: String,
}

impl From<facade::SignedIn> for SignedIn {
    fn from(signed_in: facade::SignedIn) -> Self {
        let facade::SignedIn { id, name, role, team } = signed_in;
        SignedIn { id, name, role, team: team.to_string() }
    }
}

/// What a member who cannot sign in reads to a coordinator, who answers with a code of eight digits.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct UnlockChallenge {
    /// Staff id.
    pub staff: String,
    /// Ten digits in two groups, as in `48210 93755`.
    pub digits: String,
}

impl From<facade::Challenge> for UnlockChallenge {
    fn from(challenge: facade::Challenge) -> Self {
        let facade::Challenge { staff, digits } = challenge;
        UnlockChallenge { staff, digits }
    }
}
