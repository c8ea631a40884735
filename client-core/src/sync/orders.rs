//! What base has ordered in a sync, and when it is time to obey.

use wayside_protocol::{
    error::Code,
    sync::{Duty, Order, PublicKey},
};

use super::step::{Next, Outline};
use crate::error::{Error, Result};

#[derive(Default)]
pub struct Orders {
    /// Of the last request: an order answers it, or is none.
    pub nonce: [u8; 16],
    standing: Vec<Duty>,
    /// For these, what base has in quarantine was offered again.
    sure: Vec<Duty>,
}

impl Orders {
    /// Takes an order of this server for this tablet and its last request.
    pub fn take(&mut self, order: &Order, server: &PublicKey, tablet: &PublicKey) -> Result<()> {
        if !order.verify(server, tablet, &self.nonce) {
            return Err(Error::Failed(Code::SignatureInvalid));
        }
        if !self.standing.contains(&order.duty) {
            self.standing.push(order.duty);
        }
        Ok(())
    }

    /// What is to be done, once base has a verdict on everything: first all is handed over. What it put in quarantine in an
    /// earlier sync is offered once more: no fingerprint tells whether it still has that.
    pub fn due(&mut self, outline: &Outline) -> Option<Next> {
        if outline.offers.total > 0 {
            return None;
        }
        let refilling = outline.places.iter().filter(|place| place.refilling);
        let waits = |duty: &Duty| match duty {
            Duty::Wipe => refilling.clone().next().is_some(),
            Duty::Leave(team) => refilling.clone().any(|place| place.team == *team),
        };
        let at = self.standing.iter().position(|duty| !waits(duty))?;
        let duty = *self.standing.get(at)?;
        if !self.sure.contains(&duty) {
            self.sure.push(duty);
            return Some(Next::OfferAgain(duty));
        }
        Some(Next::Obey(self.standing.swap_remove(at)))
    }
}
