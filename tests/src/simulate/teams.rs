//! Who belongs where: tablets of two teams, tablets that are taken out of one or revoked, and those that get a new key.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use rand::RngExt;
use wayside_client_core::{Code, RecordId};
use wayside_protocol::sync::EnrolmentCode;
use wayside_server::{api, log};

use super::{wire::Fault, world::World};

/// Any: nobody asks a made-up link for it.
const PIN: [u8; 32] = [1; 32];
const URL: &str = "https://base.invalid";

impl World {
    /// The teams that a tablet believes it belongs to, by number.
    pub fn teams_on(&self, at: usize) -> Result<BTreeSet<usize>> {
        let own = self.vans[at].tablet().teams()?;
        let number = |id: RecordId| self.teams.iter().position(|team| *team == id).context("a team of base");
        own.iter().map(|team| number(team.id)).collect()
    }

    /// One of them, for what is new.
    pub fn a_team(&mut self, at: usize) -> Result<usize> {
        let own: Vec<usize> = self.teams_on(at)?.into_iter().collect();
        ensure!(!own.is_empty(), "a tablet without a team");
        Ok(own[self.any(own.len())])
    }

    fn at_base_in(&self, at: usize) -> BTreeSet<usize> {
        self.members.get(&self.vans[at].tablet().id()).cloned().unwrap_or_default()
    }

    /// Those of a tablet's teams that base has not taken it out of.
    pub fn stays_in(&self, at: usize) -> Result<BTreeSet<usize>> {
        Ok(&self.teams_on(at)? & &self.at_base_in(at))
    }

    /// It joins a team, or is taken out of one of several. Copies of a tablet have its key, and what it may.
    pub async fn change_teams(&mut self, at: usize) -> Result<()> {
        let (team, of) = (self.any(self.teams.len()), self.at_base_in(at));
        // By which key it would come is not known.
        if self.vans[at].renewing {
            return Ok(());
        }
        if !of.contains(&team) {
            self.join(at, team).await?;
            self.did("joined another team");
        } else if of.len() > 1 && !self.teams_on(at)?.is_disjoint(&(&of - &BTreeSet::from([team]))) {
            let id = self.vans[at].tablet().id();
            match api::take_out(self.base(), "simulator", &id, self.teams[team]) {
                Ok(()) => {}
                // Base goes by its new key already, and it has not heard of it.
                Err(error) if error.code() == Code::RecordNotFound => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            self.members.entry(id).or_default().remove(&team);
            self.did("taken out of a team");
        }
        Ok(())
    }

    /// It joins a team by a new code.
    pub async fn join(&mut self, at: usize, n: usize) -> Result<()> {
        let (team, secret, now) = (self.teams[n], self.rng.random(), self.base().clock.now_ms());
        self.base().log.write(move |txn| log::make_code(txn, team, &secret, now))?;
        let code = EnrolmentCode { url: URL.into(), pin: PIN, secret }.to_text();
        let van = &self.vans[at];
        van.line.begin(None);
        van.tablet().enrol(&code, &van.name).await.context("enrolling")?;
        let id = van.tablet().id();
        self.members.entry(id).or_default().insert(n);
        Ok(())
    }

    /// Notes which teams a tablet has left in this moment: it held nothing of them that base has not.
    pub fn has_left(&mut self, at: usize, before: &BTreeSet<usize>) -> Result<()> {
        let left = before - &self.teams_on(at)?;
        let may = self.at_base_in(at);
        for team in left {
            ensure!(!may.contains(&team), "{} left a team that it was not taken out of", self.vans[at].name);
            let of_team = |op: &usize| self.history.team_of.get(&self.history.ops[*op].record) == Some(&team);
            let theirs: BTreeSet<usize> = self.vans[at].holds.iter().copied().filter(of_team).collect();
            self.vans[at].holds.retain(|op| !theirs.contains(op));
            self.history.base.extend(theirs);
            self.did("left a team");
        }
        Ok(())
    }

    /// With its copies: they have its key.
    pub fn revoke(&mut self, at: usize) -> Result<bool> {
        let id = self.vans[at].tablet().id();
        match api::revoke(self.base(), "simulator", &id) {
            Ok(()) => {}
            Err(error) if error.code() == Code::RecordNotFound => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        for van in &mut self.vans {
            van.revoked |= van.tablet.as_ref().is_some_and(|tablet| tablet.id() == id);
        }
        Ok(true)
    }

    /// An administrator takes whatever was held back, and refuses what was said anew since: nothing may be lost by it.
    pub fn admit_all(&mut self) -> Result<()> {
        let held = self.base().log.read(log::quarantine)?;
        let held = held.into_iter().filter(|one| one.code == Code::FromRevokedTablet.as_str());
        for tablet in held.map(|one| one.tablet).collect::<BTreeSet<_>>() {
            api::admit_held(self.base(), "simulator", &tablet)?;
            api::refuse_held(self.base(), "simulator", &tablet)?;
        }
        Ok(())
    }

    /// A tablet asks for a new key. One of which there are copies is left alone: they could never sync again, and whatever
    /// is only on them would stay there.
    pub async fn renew_key(&mut self, at: usize) -> Result<()> {
        let id = self.vans[at].tablet().id();
        let same = self.vans.iter().filter(|van| van.tablet.as_ref().is_some_and(|tablet| tablet.id() == id));
        if same.count() > 1 || self.vans[at].line.own().hidden != 0 {
            return Ok(());
        }
        self.vans[at].copies.clear();
        self.vans[at].renewing = true;
        let share = self.rng.random_range(0.0..=1.0);
        let fault = match self.any(11) {
            0 => Some(Fault::CutUp(share)),
            1 => Some(Fault::CutDown(share)),
            2 => Some(Fault::ServerDies),
            3 => Some(Fault::Twice),
            4 => Some(Fault::TabletDiesSending),
            5 => Some(Fault::TabletDiesStoring),
            6 => Some(Fault::DamagedUp(share)),
            7 => Some(Fault::DamagedDown(share)),
            _ => None,
        };
        let before = self.before(at, fault.map(|fault| (0, fault)))?;
        let asked = self.vans[at].tablet().renew_key().await;
        self.after(at, before)?;
        match asked {
            Ok(()) => Ok(()),
            // It has not synced since it was an older program.
            Err(error) if error.code() == Code::VersionUnsupported => {
                self.vans[at].renewing = false;
                Ok(())
            }
            Err(error) if error.retry() => Ok(()),
            // The next sync asks again.
            Err(_) if matches!(fault, Some(Fault::DamagedUp(_) | Fault::DamagedDown(_))) => Ok(()),
            Err(error) => Err(error).context("a new key"),
        }
    }

    /// Notes that a tablet goes by a new key.
    pub fn goes_by(&mut self, at: usize, before: &str) {
        let now = self.vans[at].tablet().id();
        if now == before {
            return;
        }
        // Copies from before it could never sync again.
        self.vans[at].copies.clear();
        (self.vans[at].renewing, self.vans[at].quiet_at) = (false, 0);
        if let Some(teams) = self.members.remove(before) {
            self.members.insert(now, teams);
        }
        self.did("a new key");
    }
}
