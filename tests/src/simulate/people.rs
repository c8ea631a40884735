//! What people do on tablets and at base, and what is noted of it in the simulator's own history.

use anyhow::{Context, Result};
use jiff::Timestamp;
use rand::RngExt;
use serde_json::{Value, json};
use wayside_client_core::{By, Code, Edit, RecordId, Rules};
use wayside_server::{
    api::{self, Acted, Readers, Settle},
    archive,
};

use super::{
    disk::Mark as Disk,
    history::{Mark, Op, Over, member, values_at},
    world::World,
};

/// Fields that several people write.
const OF_PERSON: [&str; 3] = ["name/given", "email", "gp/practice_name"];
const OF_CONTACT: &str = "ext/shared";
const NURSE: &str = "nurse-01";
const COORDINATOR: &str = "coordinator-01";
/// So many are looked at for one that something can be done with.
const LOOKS: usize = 40;
const WHY: &str = "Came back to the van";

fn op(record: RecordId, mark: Mark) -> Op {
    Op { record, mark, over: None, tally: 0, bad: false, gone: false }
}

/// A number in letters: a value that nobody else writes, and that reads like a name.
pub fn letters(mut n: usize) -> String {
    // Without a q: an id may end with a Q, and another's name in small letters follow it.
    const LETTERS: &[u8; 25] = b"abcdefghijklmnoprstuvwxyz";
    let mut text = String::from("Q");
    for _ in 0..5 {
        text.push(char::from(LETTERS[n % LETTERS.len()]));
        n /= LETTERS.len();
    }
    text
}

fn unique(path: &str, n: usize) -> String {
    if path == "email" { format!("{}@example.org", letters(n)) } else { letters(n) }
}

impl World {
    fn next(&self) -> usize {
        self.history.ops.len()
    }

    /// Notes what was done on a tablet and is on its disk.
    fn done(&mut self, at: usize, op: Op) -> usize {
        let record = op.record;
        let n = self.history.add(op);
        self.vans[at].holds.insert(n);
        self.tell(&format!("{} holds {n}, of {record}", self.vans[at].name));
        n
    }

    /// Something that somebody whom this tablet holds is written into.
    fn held_by(&mut self, at: usize, persons: bool) -> Option<(RecordId, Value, Vec<[u8; 32]>)> {
        let team = self.a_team(at).ok()?;
        for _ in 0..6 {
            let known = self.history.of_team.get(&team).map_or(0, Vec::len);
            let n = self.any(known);
            let n = *self.history.of_team.get(&team)?.get(n)?;
            let record = self.history.ops[n].record;
            if self.history.names.contains_key(&record) != persons
                || !persons && !self.history.person_of.contains_key(&record)
            {
                continue;
            }
            if let Ok(shown) = self.vans[at].tablet().show(record)
                && !shown.heads.is_empty()
            {
                return Some((record, shown.json, shown.heads));
            }
        }
        None
    }

    /// Somebody comes to the van. The program may die while this is written; `bad` is what base will refuse.
    pub fn see(&mut self, at: usize, dies: bool, bad: bool) -> Result<()> {
        self.see_with(at, dies, bad, 0)
    }

    /// Somebody about whom there is much to say: frames of a bad link hold only some of them.
    pub fn see_at_length(&mut self, at: usize) -> Result<()> {
        let length = self.rng.random_range(500..3000);
        self.see_with(at, false, false, length)
    }

    fn see_with(&mut self, at: usize, dies: bool, bad: bool, length: usize) -> Result<()> {
        let before = Disk::of(&self.vans[at].dir.join("tablet.db"));
        let at_ms = self.vans[at].clock_ms();
        let text = Timestamp::from_second(at_ms.div_euclid(1000))?.to_string();
        let team = self.a_team(at)?;
        let site = format!("Market {team}");
        let (person_op, contact_op) = (self.next(), self.next() + 1);
        let back = if self.rng.random_bool(0.2) { self.held_by(at, true) } else { None };
        let back = back.filter(|(id, ..)| self.history.team_of.get(id) == Some(&team));
        let name = letters(person_op);
        let person = match &back {
            Some((id, ..)) => json!(id),
            None => json!({"name": {"family": name}, "date_of_birth": "1968-02-03",
                           "ext": {(member(person_op)): person_op}}),
        };
        let systolic = if bad { 301 } else { self.rng.random_range(100..180) };
        let story: String = (0..length).map(|_| char::from(self.rng.random_range(b'a'..=b'z'))).collect();
        let mut line = json!({
            "session": {"site": site, "date": text[..10]},
            "person": person,
            "contact": {"started_at": text, "ext": {(member(contact_op)): contact_op}, "bp": {"readings":
                [{"taken_at": text, "systolic": systolic, "diastolic": 76}]}},
        });
        if length > 0 {
            line["contact"]["ext"]["story"] = json!(story);
        }
        let checks = if bad { Rules::Unchecked } else { Rules::Entry };
        let by = By { checks, team: Some(self.teams[team]), ..By::staff(NURSE) };
        let recorded = self.vans[at].tablet().record(line, &by).context("recording")?;
        let person = recorded.person.context("a person")?;
        if back.is_none() {
            self.history.names.insert(person, name);
        }
        for record in [person, recorded.contact, recorded.session] {
            self.history.team_of.insert(record, team);
        }
        let seen_again = Op { gone: back.is_some(), ..op(person, Mark::Member) };
        self.done(at, seen_again);
        self.done(at, Op { bad, ..op(recorded.contact, Mark::Member) });
        self.history.person_of.insert(recorded.contact, person);
        self.sessions.insert(recorded.session);
        self.did(if bad { "recorded what base refuses" } else { "recorded" });
        if dies {
            self.dies_writing(at, &before, &[person_op, contact_op])?;
        }
        Ok(())
    }

    /// The program died while the last writes were under way: they are there whole, or not at all.
    fn dies_writing(&mut self, at: usize, before: &Disk, ops: &[usize]) -> Result<()> {
        let to = self.fresh("tablet");
        self.tablet_died(at, to, Some(before.clone()))?;
        for op in ops {
            let shown = self.vans[at].tablet().show(self.history.ops[*op].record);
            let there = shown.is_ok_and(|shown| {
                let text = shown.json.to_string();
                self.history.is_in(*op, &shown.json, &text) || text.contains(&member(*op))
            });
            if !there {
                self.history.ops[*op].gone = true;
                self.vans[at].holds.remove(op);
            }
        }
        self.did("a tablet died recording");
        Ok(())
    }

    /// Somebody adds something of their own to what is there.
    pub fn add_to(&mut self, at: usize) -> Result<()> {
        let persons = self.rng.random();
        let Some((record, shown, _)) = self.held_by(at, persons) else { return Ok(()) };
        let n = self.next();
        let bad = has_quarantined(&shown) || self.is_bad(record);
        let edit = Edit::set(&format!("ext/{}", member(n)), n);
        self.vans[at].tablet().edit(record, edit, &By::staff(NURSE)).context("adding")?;
        self.done(at, Op { bad, ..op(record, Mark::Member) });
        self.did("added to");
        Ok(())
    }

    /// What somebody will add while the tablet syncs.
    pub fn prepare_meanwhile(&mut self, at: usize) {
        let persons = self.rng.random();
        let Some((record, shown, _)) = self.held_by(at, persons) else { return };
        let (n, tablet) = (self.next(), self.vans[at].tablet().clone());
        let bad = has_quarantined(&shown) || self.is_bad(record);
        // It counts once it was done.
        let n = self.history.add(Op { bad, gone: true, ..op(record, Mark::Member) }).max(n);
        let done = self.meanwhile.clone();
        let act = move || {
            let edit = Edit::set(&format!("ext/{}", member(n)), n);
            if tablet.edit(record, edit, &By::staff(NURSE)).is_ok() {
                *super::wire::lock(&done) = Some(n);
            }
        };
        self.vans[at].line.own().meanwhile = Some(Box::new(act));
    }

    /// Notes what was added, after the sync: base need not have it.
    pub fn done_meanwhile(&mut self, at: usize) {
        self.vans[at].line.own().meanwhile = None;
        let done = super::wire::lock(&self.meanwhile).take();
        if let Some(n) = done {
            self.history.ops[n].gone = false;
            let team = self.history.team_of.get(&self.history.ops[n].record);
            let has_team = |team| {
                self.vans[at].tablet.is_some() && self.teams_on(at).is_ok_and(|own| own.contains(team))
            };
            // Whoever wiped itself or left the team in this very sync has handed it over.
            let holder =
                if team.is_some_and(has_team) { &mut self.vans[at].holds } else { &mut self.history.base };
            holder.insert(n);
        }
    }

    /// A program of tomorrow writes a field that nobody else knows, which all keep and pass on.
    pub fn say_something_new(&mut self, at: usize) -> Result<()> {
        let persons = self.rng.random();
        let Some((record, shown, _)) = self.held_by(at, persons) else { return Ok(()) };
        let n = self.next();
        let bad = has_quarantined(&shown) || self.is_bad(record);
        let by = By { checks: Rules::Unchecked, ..By::staff(NURSE) };
        let said = letters(n);
        // Who writes the one field of all that are new replaces what stood there; an entry of its own stays.
        let (edit, mark) = if self.rng.random() {
            let edit =
                Edit::set(&format!("tomorrow/{}", letters(n)), json!({"said": said, "of": [1, 2.5, null]}));
            (edit, Mark::Text(said))
        } else {
            (Edit::set("of_tomorrow", said), Mark::Member)
        };
        self.vans[at]
            .tablet()
            .edit(record, edit.and(&format!("ext/{}", member(n)), n), &by)
            .context("something new")?;
        self.done(at, Op { bad, ..op(record, mark) });
        self.did("said what nobody knows yet");
        Ok(())
    }

    /// Whether this record was refused whole, or will be.
    fn is_bad(&self, record: RecordId) -> bool {
        self.history.of_record(record).any(|op| self.history.ops[op].bad)
    }

    /// Somebody opens a form, or saves one that they had open for a while.
    pub fn fill_in(&mut self, at: usize) -> Result<()> {
        let form = match self.vans[at].form.take().filter(|_| self.step.is_multiple_of(2)) {
            Some(form) => Some(form),
            None => {
                let persons = self.rng.random();
                self.held_by(at, persons)
            }
        };
        let Some((record, shown, heads)) = form else { return Ok(()) };
        if self.rng.random_bool(0.4) {
            self.vans[at].form = Some((record, shown, heads));
            return Ok(());
        }
        let person = self.history.names.contains_key(&record);
        let path = if person { OF_PERSON[self.any(OF_PERSON.len())] } else { OF_CONTACT };
        let seen = self.history.writers(record, path, &values_at(&shown, path));
        let n = self.next();
        let value = unique(path, n);
        let edit = Edit::set(path, value.clone()).and(&format!("ext/{}", member(n)), n).on(&heads);
        match self.vans[at].tablet().edit(record, edit, &By::staff(NURSE)) {
            Ok(_) => {}
            // It was erased, archived or refused since it was opened.
            Err(error) if matches!(error.code(), Code::RecordNotFound | Code::HeadsUnknown) => return Ok(()),
            // It was refused since, and saving it means to offer it again: what was wrong with it still is.
            Err(error) if error.code() == Code::OutOfRange && self.is_bad(record) => return Ok(()),
            Err(error) => return Err(error).context("saving a form"),
        }
        let bad = has_quarantined(&shown) || self.is_bad(record);
        let over = Some(Over { path, value, seen });
        self.done(at, Op { bad, over, ..op(record, Mark::Member) });
        self.did("saved a form");
        Ok(())
    }

    pub fn count(&mut self, at: usize) -> Result<()> {
        let own = self.teams_on(at)?;
        let mine = |id: &&RecordId| self.history.team_of.get(id).is_some_and(|team| own.contains(team));
        let mine: Vec<RecordId> = self.sessions.iter().filter(mine).copied().collect();
        if mine.is_empty() {
            return Ok(());
        }
        let session = mine[self.any(mine.len())];
        let n = self.rng.random_range(1..5);
        if self.vans[at].tablet().tally(session, "conversations", n, &By::staff(NURSE)).is_ok() {
            self.done(at, Op { tally: n, ..op(session, Mark::Sum) });
            self.did("counted");
        }
        Ok(())
    }

    /// Corrects a reading, plans something, says what became of it, or says that a check was no check.
    pub fn put_right(&mut self, at: usize) -> Result<()> {
        let Some((contact, shown, heads)) = self.held_by(at, false) else { return Ok(()) };
        let by = By::staff(NURSE);
        let bad = has_quarantined(&shown) || self.is_bad(contact);
        let (what, entry) = match self.any(4) {
            0 => {
                let readings = shown.pointer("/bp/readings").and_then(Value::as_object);
                let Some(reading) = readings.and_then(|readings| readings.keys().next()) else {
                    return Ok(());
                };
                let set = vec![("systolic".to_owned(), json!(self.rng.random_range(100..180)))];
                let why = Some("Typed wrongly");
                let done = self.vans[at].tablet().correct(contact, reading, set, why, Some(&heads), &by);
                // Two corrections may disagree about something else.
                let Ok(entry) = done else { return Ok(()) };
                ("corrected a reading", entry)
            }
            1 => {
                let plan = json!({"type": "repeat_bp", "due_on": "2026-12-01", "for": "nurse"});
                let entry = self.vans[at].tablet().add(contact, "follow_ups", plan, &by)?;
                self.tasks.push((contact, entry.clone()));
                ("planned a follow-up", entry)
            }
            2 => {
                let planned = self.tasks.iter().find(|(of, _)| *of == contact).cloned();
                let Some((_, task)) = planned else { return Ok(()) };
                let done = self.vans[at].tablet().follow_up_event(contact, &task, "done", None, None, &by);
                let Ok(entry) = done else { return Ok(()) };
                ("settled a follow-up on a tablet", entry)
            }
            _ => {
                let n = self.next();
                let error = json!({"at": "2026-11-21T10:00:00Z", "by": NURSE, "reason": "Somebody else"});
                let edit = Edit::set("entered_in_error", error).and(&format!("ext/{}", member(n)), n);
                self.vans[at].tablet().edit(contact, edit, &by).context("entered in error")?;
                self.done(at, Op { bad, ..op(contact, Mark::Member) });
                self.did("said that it was an error");
                return Ok(());
            }
        };
        self.done(at, Op { bad, ..op(contact, Mark::Text(entry)) });
        self.did(what);
        Ok(())
    }

    /// What a coordinator does at base.
    pub fn coordinate(&mut self) -> Result<()> {
        self.follow()?;
        match self.any(4) {
            0 => self.follow_up_at_base(),
            1 => self.merge(),
            _ => self.settle(),
        }
    }

    fn follow_up_at_base(&mut self) -> Result<()> {
        let tasks = self.tasks.len();
        let n = self.any(tasks);
        let Some((contact, task)) = self.tasks.get(n).cloned() else { return Ok(()) };
        let act: Acted =
            serde_json::from_value(json!({"act": "follow_up_event", "follow_up": task, "status": "done"}))?;
        let Ok(done) = act.carry_out(self.base(), &Readers::whole(), contact, COORDINATOR) else {
            return Ok(());
        };
        let entry = done.entry.context("an entry")?;
        let id = entry.rsplit('/').next().unwrap_or_default().to_owned();
        let n = self.history.add(op(contact, Mark::Text(id)));
        self.history.base.insert(n);
        self.did("settled a follow-up at base");
        Ok(())
    }

    fn merge(&mut self) -> Result<()> {
        let people: Vec<RecordId> = self.history.names.keys().copied().collect();
        if people.len() < 2 {
            return Ok(());
        }
        let (a, b) = (people[self.any(people.len())], people[self.any(people.len())]);
        let act: Acted = serde_json::from_value(json!({"act": "merge", "with": b}))?;
        if a != b && act.carry_out(self.base(), &Readers::whole(), a, COORDINATOR).is_ok() {
            self.did("merged two people");
        }
        Ok(())
    }

    /// Settles values that disagree: all that are shown, by one of them or by a new one.
    fn settle(&mut self) -> Result<()> {
        let (any, ops) = (self.any(usize::MAX), self.next());
        let all = (0..ops).map(|n| &self.history.ops[(n + any % ops) % ops]);
        let written = all.filter_map(|op| Some((op.record, op.over.as_ref()?.path)));
        for (record, path) in written.take(LOOKS).collect::<Vec<_>>() {
            let Ok((shown, _)) = api::record(self.base(), &Readers::whole(), record) else { continue };
            let values = values_at(&shown.record, path);
            if values.len() < 2 {
                continue;
            }
            let seen = self.history.writers(record, path, &values);
            let n = self.next();
            let value = unique(path, n);
            let heads = Settle::heads(shown.heads.iter().map(String::as_str))?;
            let settle =
                Settle { path: path.to_owned(), value: json!(value), heads, reason: "Asked again".into() };
            api::settle(self.base(), record, COORDINATOR, settle).context("settling")?;
            let over = Some(Over { path, value: value.clone(), seen });
            let n = self.history.add(Op { over, ..op(record, Mark::Text(value)) });
            self.history.base.insert(n);
            self.did("settled values at base");
            return Ok(());
        }
        Ok(())
    }

    /// Somebody whom base knows asks to be forgotten.
    pub fn erase(&mut self) -> Result<()> {
        self.follow()?;
        let people: Vec<RecordId> = self.history.names.keys().copied().collect();
        if people.is_empty() {
            return Ok(());
        }
        // Half of those who ask were not seen for long.
        let any = self.any(people.len());
        let archived = |id: &RecordId| {
            self.at_base(*id).is_ok_and(|json| json.is_some_and(|json| json["archived"] == true))
        };
        let some = people.iter().cycle().skip(any).take(LOOKS.min(people.len()));
        let off: Vec<RecordId> = some.copied().filter(archived).collect();
        let people = if off.is_empty() || self.rng.random() { people } else { off };
        let person = people[self.any(people.len())];
        let Ok(erasure) = archive::erasure(self.base(), person) else { return Ok(()) };
        if erasure.is_empty() {
            return Ok(());
        }
        for id in &erasure.persons {
            self.history.erased_names.extend(self.history.names.remove(id));
        }
        self.history.erased.extend(erasure.persons.iter().chain(&erasure.contacts));
        archive::erase(self.base(), erasure, COORDINATOR, "Asked to be forgotten")?;
        self.did("erased somebody");
        Ok(())
    }

    pub fn archive(&mut self) -> Result<()> {
        let done = archive::archive(self.base(), 1, "simulator", false)?;
        if done.persons > 0 {
            self.did("archived");
        }
        Ok(())
    }

    /// Brings somebody back who is off the tablets.
    pub async fn fetch(&mut self, at: usize) -> Result<()> {
        self.follow()?;
        let people: Vec<RecordId> = self.history.names.keys().copied().collect();
        let n = self.a_team(at)?;
        let (id, team) = (self.teams[n], self.teams[n].to_string());
        let any = self.any(people.len());
        let some = people.iter().copied().cycle().skip(any).take(LOOKS.min(people.len()));
        for person in some.collect::<Vec<_>>() {
            let Some(json) = self.at_base(person)? else { continue };
            if json["archived"] != true || json["team"] != team {
                continue;
            }
            let before = self.before(at, None)?;
            let fetched = self.vans[at].tablet().fetch(Some(id), &[person], NURSE, WHY).await;
            self.after(at, before)?;
            if fetched.is_ok() {
                self.did("fetched from the archive");
            }
            return Ok(());
        }
        Ok(())
    }
}

/// Whether something of it was refused.
pub fn has_quarantined(shown: &Value) -> bool {
    shown["quarantined"].as_array().is_some_and(|all| !all.is_empty())
}
