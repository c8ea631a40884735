//! What happens to records after the day on which they were made: calls and referrals that end, corrections,
//! disagreements and how they are settled, merges, and now and then something that the base cannot accept.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::{Span, civil::Date};
use rand::RngExt;
use serde_json::{Value, json};
use wayside_protocol::{
    clinical::{derive, needs_attention},
    record::{Kind, Record, RecordId, Scalar, View, Write, entry_id},
};

use super::hand::{Begun, Hand, Made};

/// Of a thousand contacts about which something is to be done, so many are left for good.
const LEFT: u32 = 4;
/// Of a thousand that end, so many take a call that nobody answers first.
const NO_ANSWER: u32 = 120;
/// Of a thousand people, about so many two people write different things.
const DISAGREE: u32 = 3;
/// Of ten thousand contacts: two correct one reading differently, or the base cannot accept an edit.
const CORRECTED_TWICE: u32 = 5;
const REFUSED: u32 = 4;
/// Of a thousand disagreements, so many are settled.
const SETTLED: u32 = 850;

/// What is still to happen, by the day from which on it may.
#[derive(Default)]
pub struct Later(BTreeMap<Date, Vec<Due>>);

struct Due {
    id: RecordId,
    kind: Kind,
    /// All changes so far, as the base has them.
    raws: Vec<Vec<u8>>,
    step: Step,
    then: Option<(i64, Step)>,
}

pub enum Step {
    /// These members, by one hand.
    Edit(Value),
    /// Each by a hand that did not see the other.
    Disagree(Value, Value),
    /// What no honest tablet writes.
    Refused,
}

impl Later {
    /// A step in so many days, and perhaps one so many days after that.
    pub fn plan(&mut self, from: Date, begun: &Begun, (days, step): (i64, Step), then: Option<(i64, Step)>) {
        let raws = vec![begun.change.raw.clone()];
        self.put(from, days, Due { id: begun.id, kind: begun.kind, raws, step, then });
    }

    fn put(&mut self, from: Date, days: i64, due: Due) {
        self.0.entry(from.saturating_add(Span::new().days(days))).or_default().push(due);
    }

    /// Throws the dice about a person.
    pub fn after_person(&mut self, date: Date, person: &Begun, hand: &mut Hand) {
        if !hand.chance(DISAGREE) {
            return;
        }
        let one = hand.rng.random_range(0..500);
        let said = |n: u32| json!({"phone": format!("07700 900{n:03}")});
        let settled = hand.chance(SETTLED).then(|| (hand.rng.random_range(1..40), Step::Edit(said(one))));
        let disagree = (hand.rng.random_range(3..60), Step::Disagree(said(one), said(one + 1)));
        self.plan(date, person, disagree, settled);
    }

    /// Throws the dice about a contact. Whether something must be done about it is what the rules say.
    pub fn after_contact(&mut self, date: Date, contact: &Begun, hand: &mut Hand) -> Result<()> {
        let dice = hand.rng.random_range(0..10_000);
        let ordinary =
            |reading: &&(&str, &Value)| (110..170).contains(&reading.1["systolic"].as_i64().unwrap_or(0));
        let readings: Vec<_> = entries(contact, "bp/readings").collect();
        if let Some((id, reading)) = readings.iter().find(ordinary).filter(|_| dice < CORRECTED_TWICE) {
            let ids: [String; 3] = std::array::from_fn(|_| entry_id(hand.rng.random()));
            let again = |n: usize, less: i64, supersedes: Option<&[String]>| {
                let mut again = (*reading).clone();
                again["systolic"] = json!(again["systolic"].as_i64().unwrap_or_default() - less);
                again["corrects"] = json!(id);
                again["reason"] = json!("Misread");
                again["supersedes"] = json!(supersedes);
                json!({"bp": {"readings": {&ids[n]: again}}})
            };
            let settled = hand.chance(SETTLED).then(|| (9, Step::Edit(again(2, 2, Some(&ids[..2])))));
            let disagree = Step::Disagree(again(0, 2, None), again(1, 4, None));
            self.plan(date, contact, (hand.rng.random_range(1..30), disagree), settled);
        } else if (CORRECTED_TWICE..CORRECTED_TWICE + REFUSED).contains(&dice) {
            self.plan(date, contact, (hand.rng.random_range(1..30), Step::Refused), None);
        } else {
            self.ends(date, contact, hand)?;
        }
        Ok(())
    }

    fn ends(&mut self, date: Date, contact: &Begun, hand: &mut Hand) -> Result<()> {
        let (view, _) = View::of_changes(contact.id, std::slice::from_ref(&contact.change.raw))?;
        let urgent = needs_attention(&derive(&view.whole(), None));
        let mut maps = ["follow_ups", "referrals"].into_iter().flat_map(|map| entries(contact, map));
        if !(urgent || maps.next().is_some()) || hand.chance(LEFT) {
            return Ok(());
        }
        let done = |(id, _)| json!({"follow_up": id, "status": "done"});
        let attended = |(id, _)| json!({"referral": id, "status": "attended", "outcome": "Seen and advised"});
        let mut end = json!({
            "follow_up_events": entries(contact, "follow_ups").map(done).collect::<Value>(),
            "referral_events": entries(contact, "referrals").map(attended).collect::<Value>(),
        });
        if urgent {
            end["calls"] = json!([{"outcome": "reached", "spoke_to": "the person"}]);
        }
        let days = hand.rng.random_range(1..if urgent { 6 } else { 24 });
        if hand.chance(NO_ANSWER) {
            let nobody = Step::Edit(json!({"calls": [{"outcome": "no_answer"}]}));
            self.plan(date, contact, (1, nobody), Some((days, Step::Edit(end))));
        } else {
            self.plan(date, contact, (days, Step::Edit(end)), None);
        }
        Ok(())
    }

    /// What is due by this day, by the hands that are there: the changes of each.
    pub fn happens(&mut self, date: Date, hands: &mut [Hand; 2]) -> Result<[Vec<Made>; 2]> {
        let mut made = [Vec::new(), Vec::new()];
        while let Some(day) = self.0.first_entry().filter(|day| *day.key() <= date) {
            for due in day.remove() {
                let (one, two) = (Record::load(due.id, &due.raws)?, Record::load(due.id, &due.raws)?);
                let [first, second] = hands;
                let changes = match &due.step {
                    Step::Edit(json) => {
                        let json = stamped(json, first.at());
                        [first.edit(one, due.kind, json)?, None]
                    }
                    Step::Disagree(this, that) => {
                        [first.edit(one, due.kind, this.clone())?, second.edit(two, due.kind, that.clone())?]
                    }
                    Step::Refused => {
                        let reading = impossible(first);
                        [first.write(one, &[reading])?, None]
                    }
                };
                let raws = changes.iter().flatten().map(|(_, change)| change.raw.clone());
                let raws = due.raws.iter().cloned().chain(raws).collect();
                if let Some((days, step)) = due.then {
                    self.put(date, days, Due { raws, step, then: None, ..due });
                }
                for (made, change) in made.iter_mut().zip(changes) {
                    made.extend(change);
                }
            }
        }
        Ok(made)
    }
}

/// Events know when they were written down.
fn stamped(json: &Value, at: &str) -> Value {
    let mut json = json.clone();
    for map in ["follow_up_events", "referral_events", "calls"] {
        for event in json.get_mut(map).and_then(Value::as_array_mut).into_iter().flatten() {
            event["at"] = json!(at);
        }
    }
    json
}

fn impossible(hand: &mut Hand) -> Write {
    let reading = json!({"taken_at": hand.at(), "systolic": 1520, "diastolic": 94});
    let path = format!("bp/readings/{}", entry_id(hand.rng.random()));
    Write { path, value: Scalar::Json(reading) }
}

/// The entries of a map, as they were begun.
fn entries<'a>(begun: &'a Begun, map: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    begun.writes.iter().filter_map(move |write| match &write.value {
        Scalar::Json(entry) => Some((write.path.strip_prefix(map)?.strip_prefix('/')?, entry)),
        _ => None,
    })
}
