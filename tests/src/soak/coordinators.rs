//! Coordinators: each looks at one page after the other.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Result, anyhow, ensure};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use wayside_server::{Base, accounts};

use super::Waits;
use crate::desk::Client;

/// What they look at, by turns.
const PAGES: [&str; 9] = [
    "/",
    "/follow-ups",
    "/api/v1/checks?limit=50",
    "/duplicates",
    "/sessions",
    "/fleet",
    "/reach",
    "/quality",
    "/api/v1/sites?limit=50",
];
/// How long somebody looks at one, in milliseconds.
const LOOKS: std::ops::Range<u64> = 500..2_500;

/// What all of them came to.
pub struct Read {
    pub pages: usize,
    /// Pages that did not come.
    pub failed: usize,
}

pub struct Coordinators {
    /// From the first byte of a request to the last of the answer.
    pub waits: Waits,
    /// While these are there they go on.
    going: Vec<Sender<()>>,
    reading: Vec<JoinHandle<Result<Read>>>,
}

impl Coordinators {
    pub fn start(base: &Arc<Base>, pages: SocketAddr, count: usize, seed: u64) -> Result<Coordinators> {
        let waits = Waits::default();
        let (mut going, mut reading) = (Vec::new(), Vec::new());
        for n in 0..count {
            let name = format!("coordinator-{n}");
            accounts::add(
                base,
                &name,
                accounts::Role::Coordinator,
                &format!("{:032x}", rand::random::<u128>()),
            )?;
            let (stop, stopped) = channel();
            going.push(stop);
            let desk = Desk { base: base.clone(), name, pages, waits: waits.clone() };
            reading.push(thread::spawn(move || desk.read(n, seed, &stopped)));
        }
        Ok(Coordinators { waits, going, reading })
    }

    /// Blocks until the last page is there.
    pub fn end(self) -> Result<Read> {
        drop(self.going);
        let mut all = Read { pages: 0, failed: 0 };
        for one in self.reading {
            let read = one.join().map_err(|_| anyhow!("a panic"))??;
            all.pages += read.pages;
            all.failed += read.failed;
        }
        Ok(all)
    }
}

struct Desk {
    base: Arc<Base>,
    name: String,
    pages: SocketAddr,
    waits: Waits,
}

impl Desk {
    fn signed_in(&self) -> Result<Client> {
        let link = accounts::sign_in_link(&self.base, &self.name, &format!("http://{}", self.pages))?;
        Client::sign_in(self.pages, &link)
    }

    fn read(&self, n: usize, seed: u64, stopped: &Receiver<()>) -> Result<Read> {
        let mut rng = StdRng::seed_from_u64(seed << 8 | n as u64);
        let mut client = self.signed_in()?;
        let mut read = Read { pages: 0, failed: 0 };
        // Each begins with another one.
        for page in PAGES.iter().cycle().skip(n) {
            match client.load("GET", page, "") {
                Ok(answer) if answer.status == 200 => {
                    self.waits.add(answer.taken);
                    read.pages += 1;
                }
                _ => {
                    read.failed += 1;
                    ensure!(read.failed < 100, "{page} does not come");
                    client = self.signed_in()?;
                }
            }
            let looks = Duration::from_millis(rng.random_range(LOOKS));
            if stopped.recv_timeout(looks) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        Ok(read)
    }
}
