//! Where the teams' logs end, as far as this process knows: for whoever waits that one of them goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use wayside_protocol::record::RecordId;

use super::{Conn, heads};
use crate::error::Result;

/// The end of one team's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct End {
    /// The last sequence number.
    pub head: u64,
    /// Another each time that whoever waits should look, though the log may not have gone on: a tablet was taken out of the team.
    pub told: u64,
}

pub type Ends = BTreeMap<RecordId, End>;

/// What tells of them.
#[derive(Clone)]
pub(super) struct Teller(Arc<watch::Sender<Ends>>);

impl Teller {
    pub fn begin(conn: &Conn) -> Result<Teller> {
        let teller = Teller(Arc::new(watch::Sender::default()));
        teller.look(conn)?;
        Ok(teller)
    }

    pub fn watch(&self) -> watch::Receiver<Ends> {
        self.0.subscribe()
    }

    /// What a commit of this process did.
    pub fn moved(&self, moved: &[(RecordId, u64)]) {
        if moved.is_empty() {
            return;
        }
        self.0.send_modify(|ends| {
            for (team, head) in moved {
                let end = ends.entry(*team).or_default();
                *end = End { head: end.head.max(*head), told: end.told + 1 };
            }
        });
    }

    /// What others appended, of which somebody has heard.
    pub fn heard(&self, heads: impl IntoIterator<Item = (RecordId, u64)>) {
        self.0.send_if_modified(|ends| {
            let mut new = false;
            for (team, head) in heads {
                let end = ends.entry(team).or_default();
                if head > end.head {
                    *end = End { head, told: end.told + 1 };
                    new = true;
                }
            }
            new
        });
    }

    /// Hears of it from the log itself.
    pub fn look(&self, conn: &Conn) -> Result<()> {
        self.heard(heads(conn)?.into_iter().map(|(team, _, head)| (team, head)));
        Ok(())
    }
}
