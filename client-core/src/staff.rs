//! Who of the team uses this tablet: signing in by PIN, and by a coordinator's unlock code, offline.
//!
//! A PIN gates the screen and nothing else. Records are recorded, kept and synced whether or not anybody is
//! signed in or locked; what somebody records names their staff entry.

use rusqlite::Connection;
use serde::Serialize;
use wayside_protocol::{
    error::Code,
    record::{Kind, RecordId},
    staff::{self, LOCK_MS, MOST_TRIES, Member, Pin, PinVerifier, unlock_code},
};

use crate::{
    env::Env,
    error::{Error, Result, SignInRefused},
    store::{
        meta, records,
        staff::{self as kept, Tries, What},
    },
    tablet::Tablet,
};

/// A member of a team that this tablet belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StaffMember {
    /// The staff entry's id: what [`crate::By::staff`] takes.
    pub id: String,
    pub name: String,
    /// Empty where none was given.
    pub role: String,
    pub team: RecordId,
    /// Whether there is a PIN to sign in with; without one an unlock code sets it.
    pub has_pin: bool,
    /// Wrong PINs before the lock; 0 while it is on.
    pub tries_left: u32,
    /// When the lock ends, by this device's clock, RFC 3339.
    pub locked_until: Option<String>,
    pub locked_seconds: u64,
}

/// Who is in front of the tablet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedIn {
    pub id: String,
    pub name: String,
    pub role: String,
    pub team: RecordId,
}

/// What a member reads to a coordinator, who answers with a code of eight digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Challenge {
    pub staff: String,
    /// Ten digits in two groups, as in `48210 93755`.
    pub digits: String,
}

/// A member with what their team's record keeps of their PIN.
struct Known {
    member: Member,
    team: RecordId,
    /// Base's verifier.
    base: Option<PinVerifier>,
}

impl Tablet {
    /// Active staff of this tablet's teams, by name; empty for a team without a list, whose staff type who they are.
    pub fn staff(&self) -> Result<Vec<StaffMember>> {
        let env = &self.0.env;
        self.0.store.read(|conn| {
            let members = team_staff(conn)?.into_iter().filter(|(_, member)| member.active);
            let members = members.map(|(team, member)| {
                let tries = kept::tries(conn, &member.id, What::Pin)?;
                let left = tries.locked_ms(env);
                Ok(StaffMember {
                    has_pin: member.has_pin || kept::pin(conn, &member.id)?.is_some(),
                    tries_left: if left > 0 { 0 } else { MOST_TRIES.saturating_sub(tries.wrong(env)) },
                    locked_until: (left > 0).then(|| env.text_after(left)),
                    locked_seconds: left.div_ceil(1000),
                    id: member.id,
                    name: member.name,
                    role: member.role,
                    team,
                })
            });
            members.collect()
        })
    }

    /// The name of whoever a staff id stands for, also of those who left; `None` for one that no team here has.
    pub fn staff_name(&self, id: &str) -> Result<Option<String>> {
        let staff = self.0.store.read(team_staff)?;
        Ok(staff.into_iter().find(|(_, member)| member.id == id).map(|(_, member)| member.name))
    }

    /// Lets a member in who knows their PIN. [`Code::PinWrong`] and [`Code::StaffLocked`] come as
    /// [`Error::SignIn`]; further [`Code::StaffUnknown`] and [`Code::PinNotSet`]. Takes as long as a hash takes.
    pub fn sign_in(&self, staff: &str, pin: &str) -> Result<SignedIn> {
        let known = self.0.store.read(|conn| known(conn, staff))?;
        let verifier = self.0.store.read(|conn| verifier(conn, &known))?.ok_or(Code::PinNotSet)?;
        // Counted before it is looked at: whoever ends the program meanwhile gains nothing.
        let tries = self.begin_try(staff, What::Pin)?;
        if !verifier.matches(pin) {
            return Err(tries.refused(What::Pin, &self.0.env));
        }
        self.0.store.write(|conn| kept::forget_tries(conn, staff, What::Pin))?;
        Ok(known.signed_in())
    }

    /// What a member who cannot sign in reads to a coordinator. It stays the same until it was answered or tried
    /// [`MOST_TRIES`] times. [`Code::UnlockNotReady`] on a tablet that has not synced since it was enrolled.
    pub fn unlock_challenge(&self, staff: &str) -> Result<Challenge> {
        let random = u32::from_le_bytes(self.0.env.bytes());
        self.0.store.write(|conn| {
            known(conn, staff)?;
            secret(conn)?;
            let challenge = match kept::challenge(conn, staff)? {
                Some(challenge) => challenge,
                None => {
                    let challenge = staff::Challenge::new(&self.0.identity(conn)?.id, random);
                    kept::set_challenge(conn, staff, &challenge)?;
                    challenge
                }
            };
            Ok(Challenge { staff: staff.to_owned(), digits: challenge.to_string() })
        })
    }

    /// Lets a member in by a coordinator's code, whatever locks them, and sets a new PIN. It holds on this tablet until
    /// base changes the member's PIN. [`Code::UnlockWrong`] and [`Code::UnlockLocked`] come as [`Error::SignIn`];
    /// [`Code::PinRefused`] for a PIN that is none costs no try.
    pub fn unlock(&self, staff: &str, code: &str, new_pin: &str) -> Result<()> {
        let env = &self.0.env;
        let pin = Pin::parse(new_pin)?;
        let (known, secret, challenge) = self.0.store.read(|conn| {
            let challenge = kept::challenge(conn, staff)?.ok_or(Code::UnlockWrong)?;
            Ok((known(conn, staff)?, secret(conn)?, challenge))
        })?;
        let tries = self.begin_try(staff, What::Unlock)?;
        let right = unlock_code(&secret, known.team, staff, &challenge);
        let typed: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        if typed != right {
            if tries.is_locked() {
                self.0.store.write(|conn| kept::forget_challenge(conn, staff))?;
            }
            return Err(tries.refused(What::Unlock, env));
        }
        let verifier = pin.verifier(&env.bytes())?;
        self.0.store.write(|conn| {
            kept::set_pin(conn, staff, &verifier, known.base.as_ref())?;
            kept::forget_challenge(conn, staff)?;
            kept::forget_tries(conn, staff, What::Pin)?;
            kept::forget_tries(conn, staff, What::Unlock)
        })
    }

    /// Counts one more try, on disk; refused while the lock is on.
    fn begin_try(&self, staff: &str, what: What) -> Result<Tries> {
        let env = &self.0.env;
        self.0.store.write(|conn| {
            let before = kept::tries(conn, staff, what)?;
            if before.locked_ms(env) > 0 {
                // What has passed of it is kept, in case that the device is switched off.
                kept::set_tries(conn, staff, what, &before.now(env))?;
                return Ok(Err(before.refused(what, env)));
            }
            let tries = before.one_more(env);
            kept::set_tries(conn, staff, what, &tries)?;
            Ok(Ok(tries))
        })?
    }
}

impl Known {
    fn signed_in(self) -> SignedIn {
        let Member { id, name, role, .. } = self.member;
        SignedIn { id, name, role, team: self.team }
    }
}

impl Tries {
    /// How many were wrong in a row; a lock that is over forgives them.
    fn wrong(&self, env: &Env) -> u32 {
        if self.is_locked() && self.locked_ms(env) == 0 { 0 } else { self.wrong }
    }

    fn is_locked(&self) -> bool {
        self.locked_ms > 0
    }

    /// What is left of the lock. Only time that nobody can set counts: what has passed since by the device's uptime,
    /// or, when that is less than it was, since the device was switched on. Both are at most what has really passed.
    fn locked_ms(&self, env: &Env) -> u64 {
        let up = env.clock.uptime_ms();
        self.locked_ms.saturating_sub(up.checked_sub(self.uptime_ms).unwrap_or(up))
    }

    fn now(&self, env: &Env) -> Tries {
        Tries { wrong: self.wrong, locked_ms: self.locked_ms(env), uptime_ms: env.clock.uptime_ms() }
    }

    fn one_more(&self, env: &Env) -> Tries {
        let wrong = self.wrong(env) + 1;
        let locked_ms = if wrong >= MOST_TRIES { LOCK_MS } else { 0 };
        Tries { wrong, locked_ms, uptime_ms: env.clock.uptime_ms() }
    }

    fn refused(&self, what: What, env: &Env) -> Error {
        let left = self.locked_ms(env);
        let code = match (what, left > 0) {
            (What::Pin, false) => Code::PinWrong,
            (What::Pin, true) => Code::StaffLocked,
            (What::Unlock, false) => Code::UnlockWrong,
            (What::Unlock, true) => Code::UnlockLocked,
        };
        Error::SignIn(SignInRefused {
            code,
            tries_left: if left > 0 { 0 } else { MOST_TRIES.saturating_sub(self.wrong) },
            locked_until: (left > 0).then(|| env.text_after(left)),
            locked_seconds: left.div_ceil(1000),
        })
    }
}

/// The staff of all teams, those who left included, by name within a team.
pub(crate) fn team_staff(conn: &Connection) -> Result<Vec<(RecordId, Member)>> {
    let mut staff = Vec::new();
    for (team, _) in meta::teams(conn)? {
        let row = records::find(conn, team)?.filter(|row| row.kind() == Some(Kind::Team));
        let view = row.and_then(|row| row.view);
        let members = view.map(|view| staff::members(&view.fields)).unwrap_or_default();
        staff.extend(members.into_iter().map(|member| (team, member)));
    }
    Ok(staff)
}

/// An active member, with what base keeps of their PIN, which no view holds.
fn known(conn: &Connection, staff: &str) -> Result<Known> {
    let mut members = team_staff(conn)?.into_iter();
    let found = members.find(|(_, member)| member.id == staff && member.active);
    let (team, member) = found.ok_or(Error::Failed(Code::StaffUnknown))?;
    let row = records::get(conn, team)?;
    let record = records::load(team, &records::changes(conn, row.no)?)?;
    let base = record.pin_verifiers().remove(staff);
    Ok(Known { member, team, base })
}

/// What the member's PIN is checked against: the one chosen here as long as base's is the one it stands in for.
fn verifier(conn: &Connection, known: &Known) -> Result<Option<PinVerifier>> {
    let base = known.base.as_ref().map_or("", PinVerifier::as_str);
    let own = kept::pin(conn, &known.member.id)?.filter(|own| own.instead_of == base);
    Ok(own.map(|own| own.verifier).or_else(|| known.base.clone()))
}

fn secret(conn: &Connection) -> Result<staff::UnlockSecret> {
    meta::get(conn, meta::UNLOCK_SECRET)?.ok_or(Error::Failed(Code::UnlockNotReady))
}
