//! `kill -9` of the tablet's or the server's program at seeded moments: nothing acknowledged is lost.
//! A moment is the n-th line that was acknowledged, or the n-th byte on the link: an event, not a time.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::Stdio,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use wayside_tests::{
    day::{self, TabletPlan},
    field::{Field, TabletCli, ids, write_lines},
    link::Link,
    programs, seeds,
};

struct Afternoon {
    field: Field,
    link: Link,
    runtime: tokio::runtime::Runtime,
    tablets: Vec<TabletCli>,
    /// Ids that a tablet printed: from then on they must never be lost.
    acknowledged: Vec<BTreeSet<String>>,
    recorded: usize,
    /// Syncs that were cut in mid-way by a kill, of the tablet's and of the server's program.
    killed: [u32; 2],
}

impl Afternoon {
    fn new() -> Afternoon {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut field = Field::new(programs!());
        field.serve();
        let link = runtime.block_on(Link::up(field.address())).unwrap();
        field.wayside_text(&["team", "add", "Leeds East"]);
        let tablets: Vec<TabletCli> = ["left", "right"]
            .into_iter()
            .map(|name| {
                let tablet = field.tablet(name);
                let code = field.wayside_text(&["enrol-code", "--team", "Leeds East", "--url", &link.url()]);
                tablet.ok(&["enrol", &code, "--name", name]);
                tablet
            })
            .collect();
        let acknowledged = tablets.iter().map(|_| BTreeSet::new()).collect();
        Afternoon { field, link, runtime, tablets, acknowledged, recorded: 0, killed: [0; 2] }
    }

    fn lines(&mut self, seed: u64, tablet: usize, count: usize) -> Vec<Value> {
        let plan = TabletPlan::new(&self.tablets[tablet].name, "Kirkgate car park", 1000);
        let date = "2026-11-20".parse().unwrap();
        let lines = (0..count).map(|i| day::contact(seed, date, &plan, self.recorded + i)).collect();
        self.recorded += count;
        lines
    }

    /// The tablet's program is killed after it has acknowledged so many lines of a longer file.
    fn kill_while_recording(&mut self, seed: u64, rng: &mut StdRng) {
        let tablet = rng.random_range(0..self.tablets.len());
        let lines = self.lines(seed, tablet, 12);
        let file = self.field.dir.path().join("kill.lines");
        write_lines(&file, &lines);
        let mut child = self.tablets[tablet]
            .command(&["record", file.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let moment = rng.random_range(0..8);
        self.acknowledged[tablet].extend(printed.by_ref().take(moment));
        child.kill().unwrap();
        // What it printed before it died counts as well.
        self.acknowledged[tablet].extend(printed);
        child.wait().unwrap();
    }

    /// Tablet or server is killed when so many bytes of a sync have gone over the link.
    fn kill_while_syncing(&mut self, rng: &mut StdRng, server_dies: bool) {
        let tablet = rng.random_range(0..self.tablets.len());
        let moment = self.link.carried() + rng.random_range(1..6_000);
        let mut child = self.tablets[tablet]
            .command(&["sync", "--json"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let reached = std::thread::scope(|scope| {
            let (link, runtime) = (&self.link, &self.runtime);
            let (done, ended) = tokio::sync::oneshot::channel::<()>();
            let watch = scope.spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = link.has_carried(moment) => true,
                        _ = ended => false,
                    }
                })
            });
            // The sync may end before the moment comes; then there is nothing to kill in mid-way.
            let pid = child.id();
            let waiter = scope.spawn(move || {
                let status = child.wait();
                let _ = done.send(());
                status
            });
            let reached = watch.join().unwrap();
            if reached && server_dies {
                self.field.kill_server();
            } else if reached {
                let _ = std::process::Command::new("kill")
                    .args(["-9", &pid.to_string()])
                    .stderr(Stdio::null())
                    .status();
            }
            waiter.join().unwrap().unwrap();
            reached
        });
        self.killed[usize::from(server_dies)] += u32::from(reached);
        if reached && server_dies {
            self.field.serve();
        }
    }

    fn check_tablets(&self, seed: u64) {
        for (tablet, acknowledged) in self.tablets.iter().zip(&self.acknowledged) {
            let held = ids(&tablet.json(&["list", "--kind", "contact"]));
            let lost: Vec<_> = acknowledged.difference(&held).collect();
            assert!(lost.is_empty(), "seed {seed}: {} lost {lost:?}", tablet.name);
        }
    }
}

#[test]
fn kill_9_of_tablet_or_server_at_seeded_moments_loses_nothing_acknowledged() {
    let mut afternoon = Afternoon::new();
    for seed in seeds::seeds(50) {
        let mut rng = StdRng::seed_from_u64(seed);
        match rng.random_range(0..3) {
            0 => afternoon.kill_while_recording(seed, &mut rng),
            who => {
                let tablet = rng.random_range(0..2);
                let lines = afternoon.lines(seed, tablet, rng.random_range(1..6));
                let ids = afternoon.tablets[tablet].record(&lines);
                afternoon.acknowledged[tablet].extend(ids);
                afternoon.kill_while_syncing(&mut rng, who == 1);
            }
        }
        if seed % 10 == 9 {
            afternoon.check_tablets(seed);
        }
    }
    let rounds = seeds::seeds(50).len() as u32;
    assert!(
        afternoon.killed.iter().all(|killed| *killed >= rounds / 10),
        "kills hit: {:?}",
        afternoon.killed
    );
    for tablet in [0, 1, 0, 1] {
        let report = afternoon.tablets[tablet].json(&["sync"]);
        assert_eq!(report["error"], Value::Null, "{report}");
    }
    afternoon.check_tablets(u64::MAX);
    let at_base = ids(&afternoon.field.wayside_json(&["list", "--kind", "contact"]));
    for (tablet, acknowledged) in afternoon.tablets.iter().zip(&afternoon.acknowledged) {
        assert!(acknowledged.is_subset(&at_base), "{}: acknowledged and not at base", tablet.name);
        let status = tablet.json(&["status"]);
        assert_eq!(
            (&status["waiting"], &status["in_sync"]),
            (&Value::from(0), &Value::from(true)),
            "{status}"
        );
        assert_eq!(
            ids(&tablet.json(&["list", "--kind", "contact"])),
            at_base,
            "{} holds the same",
            tablet.name
        );
    }
}
