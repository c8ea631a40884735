//! What fails, and when: moments are numbers of changes that the log holds, and lengths are from a seed.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use anyhow::Result;
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use tokio::time::sleep;

use super::{NODES, Numbered, Region, Report, Size, follower::Follower, tablets::Tablets};

#[derive(Debug, Clone, Copy)]
enum Fault {
    KillNode,
    PauseNode,
    /// The server goes on, and reaches no database.
    CutOffNode,
    /// Every commit hangs.
    PausePrimary,
}

const ANY: [Fault; 4] = [Fault::KillNode, Fault::PauseNode, Fault::CutOffNode, Fault::PausePrimary];

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Fault::KillNode => "server killed",
            Fault::PauseNode => "server paused",
            Fault::CutOffNode => "server cut off from the database",
            Fault::PausePrimary => "primary paused",
        }
    }

    /// How long it lasts, in milliseconds.
    fn lasts(self) -> Range<u64> {
        match self {
            // As soon as whoever looks after it has noticed.
            Fault::KillNode => 0..1_500,
            Fault::PauseNode | Fault::CutOffNode => 200..6_000,
            Fault::PausePrimary => 200..2_500,
        }
    }

    async fn begin(self, region: &mut Region, node: usize) -> Result<()> {
        match self {
            Fault::KillNode => region.nodes.nodes[node].kill()?,
            Fault::PauseNode => region.nodes.nodes[node].pause()?,
            Fault::CutOffNode => {
                for link in &mut region.links[node] {
                    link.cut().await;
                }
            }
            Fault::PausePrimary => region.primary.pause(),
        }
        Ok(())
    }

    async fn end(self, region: &mut Region, node: usize) -> Result<()> {
        match self {
            Fault::KillNode => tokio::task::block_in_place(|| region.nodes.nodes[node].start())?,
            Fault::PauseNode => region.nodes.nodes[node].resume()?,
            Fault::CutOffNode => {
                for link in &mut region.links[node] {
                    link.restore().await?;
                }
            }
            Fault::PausePrimary => region.primary.resume(),
        }
        Ok(())
    }
}

/// One fault after the other while tablets work, and among them the end of the primary. Returns what each tablet had been
/// told is at base when the primary was gone, and when the standby had taken over.
pub async fn happen(
    region: &mut Region,
    tablets: &Tablets,
    follower: &Follower,
    size: Size,
    rng: &mut StdRng,
    report: &mut Report,
) -> Result<Vec<(String, Numbered)>> {
    let fatal = rng.random_range(0..=size.faults);
    let mut kept = Vec::new();
    for n in 0..=size.faults {
        follower.until_seen(follower.seen() + rng.random_range(size.apart / 4..=size.apart)).await?;
        if n == fatal {
            kept = failover(region, tablets, follower, rng, report).await?;
            continue;
        }
        let fault = *ANY.choose(rng).unwrap_or(&Fault::KillNode);
        // The one that is left.
        let fault = if n > fatal && matches!(fault, Fault::PausePrimary) { Fault::KillNode } else { fault };
        let node = rng.random_range(0..NODES);
        eprintln!("after {} changes: {} ({node})", follower.seen(), fault.name());
        fault.begin(region, node).await?;
        sleep(Duration::from_millis(rng.random_range(fault.lasts()))).await;
        fault.end(region, node).await?;
        *report.faults.entry(fault.name()).or_default() += 1;
    }
    follower.until_seen(follower.seen() + size.apart).await?;
    Ok(kept)
}

/// The primary's machine is gone from one moment to the next, and whoever looks after it promotes the standby; in half of the
/// cases a server is killed with it.
async fn failover(
    region: &mut Region,
    tablets: &Tablets,
    follower: &Follower,
    rng: &mut StdRng,
    report: &mut Report,
) -> Result<Vec<(String, Numbered)>> {
    let with_it = rng.random::<bool>().then(|| rng.random_range(0..NODES));
    eprintln!("after {} changes: the primary is killed", follower.seen());
    let begun = Instant::now();
    tokio::task::block_in_place(|| region.primary.kill())?;
    if let Some(node) = with_it {
        Fault::KillNode.begin(region, node).await?;
        *report.faults.entry("server killed with the primary").or_default() += 1;
    }
    *report.faults.entry("primary killed, standby promoted").or_default() += 1;
    let mut kept = tablets.acknowledged().await?;
    sleep(Duration::from_millis(rng.random_range(0..2_000))).await;
    tokio::task::block_in_place(|| region.standby.promote())?;
    let before = follower.seen();
    if let Some(node) = with_it {
        Fault::KillNode.end(region, node).await?;
    }
    follower.until_seen(before + 1).await?;
    report.without_primary = begun.elapsed().as_secs_f64();
    kept.extend(tablets.acknowledged().await?);
    Ok(kept)
}
