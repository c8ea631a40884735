//! Least data, over weeks made up from a seed: tablets record and edit, base archives what nobody has changed for a month,
//! somebody looks it up and fetches it, somebody is erased, links are cut, and the server is restored from a backup in
//! between. At the end nothing is lost that was not erased, all sides prove that they hold the same, and what was
//! erased can be read nowhere.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use jiff::Timestamp;
use rand::RngExt;
use rusqlite::{Connection, types::ValueRef};
use serde_json::{Value, json};
use wayside_client_core::{By, Code, Edit, Key, Page, RecordId, Tablet};
use wayside_server::{archive, backup, log, views::Views};
use wayside_tests::{
    field::{files_with, holds},
    seeds,
    world::{KEY, World},
};

const DAY: u64 = 24 * 60;
const WHY: &str = "Came back to the van";

/// Somebody who was seen, by a name that nobody else has.
#[derive(Clone)]
struct Seen {
    name: String,
    person: RecordId,
    contact: RecordId,
}

struct Weeks {
    world: World,
    seen: Vec<Seen>,
    erased: Vec<Seen>,
    /// Backups that may still be restored, with when they were made.
    backups: Vec<(u64, PathBuf)>,
    /// How often what happened.
    did: BTreeMap<&'static str, u32>,
}

impl Weeks {
    async fn new(seed: u64) -> Weeks {
        let world = World::new(seed, 3).await;
        Weeks { world, seen: Vec::new(), erased: Vec::new(), backups: Vec::new(), did: BTreeMap::new() }
    }

    fn did(&mut self, what: &'static str) {
        *self.did.entry(what).or_default() += 1;
    }

    fn any(&mut self, n: usize) -> usize {
        self.world.rng.random_range(0..n)
    }

    fn tablet(&self, at: usize) -> &Tablet {
        self.world.tablets[at].tablet()
    }

    fn now(&self) -> u64 {
        self.world.now.load(Ordering::Relaxed)
    }

    /// Somebody comes to the van, and is well.
    fn see(&mut self, at: usize) {
        let n = self.seen.len() + self.erased.len();
        let name = format!("Quillfeather{}", letters(self.world.seed * 10_000 + n as u64));
        let at_ms = i64::try_from(self.now()).unwrap();
        let at_text = Timestamp::from_second(at_ms / 1000).unwrap().to_string();
        let line = json!({
            "session": {"site": format!("Market {at}"), "date": at_text[..10]},
            "person": {"name": {"given": "Amina", "family": name}, "date_of_birth": "1968-02-03"},
            "contact": {"started_at": at_text, "bp": {"readings":
                [{"taken_at": at_text, "systolic": 118, "diastolic": 76}]}},
        });
        let recorded = self.world.record_line(at, line);
        self.seen.push(Seen { name, person: recorded.person.unwrap(), contact: recorded.contact });
        self.did("seen");
    }

    fn archive(&mut self) {
        let archived = archive::archive(self.world.server().base(), 30, "test", false).unwrap();
        if archived.persons > 0 {
            self.did("archived");
        }
    }

    /// Looks somebody up who is not on the tablet, and brings them back.
    async fn look_up(&mut self, at: usize) {
        let tablet = self.tablet(at).clone();
        let away: Vec<Seen> =
            self.seen.iter().filter(|seen| tablet.show(seen.person).is_err()).cloned().collect();
        if away.is_empty() {
            return;
        }
        let Seen { name, person, contact } = away[self.any(away.len())].clone();
        let found = tablet.look_up(None, &name.to_uppercase(), "nurse-03", WHY).await.unwrap();
        let seed = self.world.seed;
        let Some(shown) = found.people.first() else { return };
        assert_eq!((found.people.len(), shown.id), (1, Some(person)), "seed {seed}");
        assert!(shown.name.contains(&name) && shown.birth == "1968-02-03", "seed {seed}: {shown:?}");
        let fetched = tablet.fetch(None, &[person], "nurse-03", WHY).await.unwrap();
        assert_eq!(fetched, [person], "seed {seed}");
        assert_eq!(tablet.show(person).unwrap().json["name"]["family"], name.as_str(), "seed {seed}");
        assert_eq!(tablet.show(contact).unwrap().json["person"], json!(person), "seed {seed}");
        self.did("fetched");
    }

    /// Erases somebody whom base knows, with their contact; perhaps a tablet has more to say of them.
    fn erase(&mut self, at: usize) {
        let base = self.world.server().base().clone();
        let known: Vec<usize> = (0..self.seen.len())
            .filter(|n| {
                let seen = &self.seen[*n];
                let erasure = archive::erasure(&base, seen.person);
                erasure.is_ok_and(|erasure| erasure.contacts.contains(&seen.contact))
            })
            .collect();
        if known.is_empty() {
            return;
        }
        let n = known[self.any(known.len())];
        let seen = self.seen.remove(n);
        if self.tablet(at).show(seen.person).is_ok() {
            let edit = Edit::set("phone", "07700 900222");
            self.tablet(at).edit(seen.person, edit, &By::staff("nurse-02")).unwrap();
            self.did("erased with an edit on its way");
        }
        let erasure = archive::erasure(&base, seen.person).unwrap();
        archive::erase(&base, erasure, "test", "Asked to be forgotten").unwrap();
        self.world.contacts.remove(&seen.contact);
        self.world.edits.retain(|_, contact| *contact != seen.contact);
        self.erased.push(seen);
        self.did("erased");
    }

    fn back_up(&mut self) {
        let shelf = self.world.dir.path().join("shelf");
        let made = backup::backup(self.world.server().base(), &shelf).unwrap();
        self.backups.push((self.now(), made));
        self.did("backed up");
    }

    /// Within the restore window. Later backups are of a time that was not.
    async fn restore(&mut self) {
        let oldest = self.now() - log::RESTORE_WINDOW_MS;
        self.backups.retain(|(made_at, _)| *made_at > oldest);
        if self.backups.is_empty() {
            return;
        }
        let n = self.any(self.backups.len());
        let made = self.backups[n].1.clone();
        self.backups.truncate(n);
        self.world.stop().await;
        self.world.move_keys();
        backup::restore(&made, &self.world.data, &self.world.clock()).unwrap();
        self.world.serve().await;
        self.did("restored");
    }

    async fn live(&mut self, steps: usize) {
        for _ in 0..steps {
            let at = self.any(3);
            match self.any(20) {
                0..=4 => self.see(at),
                5..=7 => self.world.edit(at),
                8..=10 => drop(self.world.sync(at).await),
                11 => {
                    let bytes = self.world.rng.random_range(1_500..12_000);
                    if self.world.cut_sync(at, bytes).await {
                        self.did("cut");
                    }
                }
                12..=14 => {
                    let days = self.world.rng.random_range(1..12);
                    self.world.pass(days * DAY);
                    self.archive();
                }
                15..=16 => self.look_up(at).await,
                17 => self.erase(at),
                18 => self.back_up(),
                _ => self.restore().await,
            }
            self.world.pass(1);
        }
    }

    /// What base has on the tablets.
    fn active(&self) -> BTreeSet<RecordId> {
        let sql = "SELECT record FROM record WHERE archived IS NULL";
        let active = |conn: &log::Conn| conn.all(sql, &[], |row| row.get(0));
        self.world.server().base().log.read(active).unwrap().into_iter().collect()
    }

    async fn check(&mut self) {
        let seed = self.world.seed;
        self.world.everybody_syncs().await;
        let base = self.world.server().base().clone();
        let mut views = Views::open(&self.world.data).unwrap();
        views.catch_up(&base.log).unwrap();
        let of_base = |id: RecordId| views.show(id).unwrap().unwrap_or(Value::Null);
        assert_eq!(base.log.read(log::quarantine).unwrap(), [], "seed {seed}");
        for seen in &self.seen {
            assert_eq!(
                of_base(seen.person)["name"]["family"],
                seen.name.as_str(),
                "seed {seed}: somebody is lost"
            );
            assert_eq!(of_base(seen.contact)["person"], json!(seen.person), "seed {seed}: a check is lost");
        }
        for (n, contact) in &self.world.edits {
            assert_eq!(
                of_base(*contact)["ext"][format!("edit-{n}")],
                json!(n),
                "seed {seed}: an edit is lost"
            );
        }
        let active = self.active();
        for at in 0..3 {
            assert!(self.world.sync(at).await.in_sync, "seed {seed}: the fingerprints of tablet {at} agree");
            let listed = self.tablet(at).list(None, Page::default()).unwrap();
            let ids: BTreeSet<RecordId> =
                listed.iter().map(|record| record["id"].as_str().unwrap().parse().unwrap()).collect();
            assert_eq!(ids, active, "seed {seed}: tablet {at} holds what is active");
            for record in listed {
                let id = record["id"].as_str().unwrap().parse().unwrap();
                assert_eq!(without_archived(of_base(id)), record, "seed {seed}");
            }
        }
        self.nothing_erased_is_left();
    }

    fn nothing_erased_is_left(&self) {
        let seed = self.world.seed;
        let tablets: Vec<Vec<u8>> = (0..3).map(|at| said_by(&self.world.tablets[at].dir, &KEY)).collect();
        for seen in &self.erased {
            assert_eq!(files_with(&self.world.data, &seen.name), [] as [PathBuf; 0], "seed {seed}");
            for (at, said) in tablets.iter().enumerate() {
                assert!(!holds(said, &seen.name), "seed {seed}: tablet {at} still holds an erased name");
            }
        }
        // It would be found.
        let active = self.active();
        for seen in &self.seen {
            assert!(!files_with(&self.world.data, &seen.name).is_empty(), "seed {seed}");
            let held = tablets.iter().filter(|said| holds(said, &seen.name)).count();
            assert!(held == 3 || !active.contains(&seen.person), "seed {seed}");
        }
        assert!(!holds(&tablets.concat(), "900222"), "seed {seed}");
    }
}

/// A number in letters, as a name has them.
fn letters(mut n: u64) -> String {
    let mut text = String::new();
    for _ in 0..5 {
        text.push(char::from(b'a' + (n % 26) as u8));
        n /= 26;
    }
    text
}

fn without_archived(mut record: Value) -> Value {
    if let Some(members) = record.as_object_mut() {
        members.remove("archived");
    }
    record
}

/// Everything that can be read in a tablet's database by whoever has its key.
fn said_by(dir: &Path, key: &Key) -> Vec<u8> {
    let conn = Connection::open(dir.join("tablet.db")).unwrap();
    conn.execute_batch(&format!("PRAGMA key = \"x'{}'\";", key.to_hex())).unwrap();
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut said = Vec::new();
    for table in tables {
        let mut statement = conn.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(column).unwrap() {
                    said.extend_from_slice(bytes);
                }
            }
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn weeks_of_archiving_fetching_and_erasing_lose_nothing_else() {
    let mut did: BTreeMap<&'static str, u32> = BTreeMap::new();
    let few = 3;
    for seed in seeds::slow_seeds(few) {
        let mut weeks = Weeks::new(seed).await;
        for _ in 0..3 {
            weeks.live(40).await;
            weeks.check().await;
        }
        for (what, times) in &weeks.did {
            *did.entry(what).or_default() += times;
        }
        weeks.world.stop().await;
    }
    eprintln!("{did:?}");
    if std::env::var_os("WAYSIDE_SEED").is_none() {
        let kinds = ["archived", "fetched", "erased", "erased with an edit on its way", "restored", "cut"];
        for kind in kinds {
            assert!(did.contains_key(kind), "{kind} never happened: {did:?}");
        }
    }
}

/// Bytes of what is archived stay on the tablets until every backup that may be restored has them.
#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_drops_what_is_archived_only_below_the_watermark() {
    let mut weeks = Weeks::new(1).await;
    for n in 0..12 {
        weeks.see(n % 3);
        weeks.world.edit(n % 3);
    }
    weeks.world.everybody_syncs().await;
    weeks.world.pass(31 * DAY);
    weeks.back_up();
    weeks.archive();
    weeks.world.everybody_syncs().await;
    let archived = |weeks: &Weeks| (0..3).map(|at| weeks.tablet(at).status().unwrap().archived).sum::<u64>();
    let all = archived(&weeks);
    assert!(all >= 3 * 24, "{all}");

    // Backups that know of it are not enough: the one from before may still be restored.
    for days in [1, 5] {
        weeks.world.pass(days * DAY);
        weeks.see(0);
        weeks.back_up();
        weeks.world.everybody_syncs().await;
    }
    weeks.check().await;
    assert_eq!(archived(&weeks), all);
    weeks.world.pass(2 * DAY);
    weeks.see(0);
    weeks.world.everybody_syncs().await;
    assert_eq!(archived(&weeks), 0);
    weeks.check().await;
    let gone = weeks.seen[0].clone();
    assert!(!holds(&said_by(&weeks.world.tablets[0].dir, &KEY), &gone.name));

    // What was dropped is at base, whichever backup is restored, and comes back when it is asked for.
    weeks.restore().await;
    weeks.check().await;
    assert_eq!(weeks.tablet(1).show(gone.person).unwrap_err().code(), Code::RecordNotFound);
    let found = weeks.tablet(1).look_up(None, &gone.name, "nurse-03", WHY).await.unwrap();
    assert_eq!(found.people[0].id, Some(gone.person));
    weeks.tablet(1).fetch(None, &[gone.person], "nurse-03", WHY).await.unwrap();
    assert_eq!(weeks.tablet(1).show(gone.contact).unwrap().json["person"], json!(gone.person));
    weeks.check().await;
    weeks.world.stop().await;
}
