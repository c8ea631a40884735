//! Realistic van days from a seed, in the shape that the tablet's `record` takes: one JSON object a contact.
//!
//! Everybody is invented. NHS numbers are in the test range 999, phones in the range kept for drama, e-mail at
//! example.org, postcodes in areas never allocated, practices unknown to anybody.
//!
//! Contact `i` of a tablet depends on the seed, the tablet's name and plan, and `i`, and on nothing else: not on
//! how many contacts or tablets there are, not on the clock. So a small day is the beginning of a large one, and
//! a failing run replays from its printed seed.

mod care;
mod cases;
mod dice;
mod names;
mod people;
mod readings;
#[cfg(test)]
mod tests;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde_json::{Map, Value, json};

use cases::Case;
use dice::Dice;
use people::Visitor;

/// As many contacts as one tablet sees between opening and packing up. The next one is on the next day, in the
/// next session: ten thousand contacts of one tablet are seven weeks, not one impossible Friday.
pub const CONTACTS_A_DAY: usize = 220;
/// How many contacts of a tablet it takes until every awkward case has come by.
pub const ALL_CASES: usize = 60;

const OPENS: Time = Time::constant(9, 0, 0, 0);
const EVERY: i64 = 135;

/// Which tablets go where.
#[derive(Clone, Debug)]
pub struct DayPlan {
    /// The day of the first session.
    pub date: Date,
    pub tablets: Vec<TabletPlan>,
}

#[derive(Clone, Debug)]
pub struct TabletPlan {
    pub name: String,
    /// Tablets with the same site share its session.
    pub site: String,
    /// A site type of the schema: decides audience and languages of the session. Sites are found by name and have
    /// no type in these lines.
    pub site_type: String,
    /// van, bus, pop_up, home_visit.
    pub setting: String,
    pub contacts: usize,
}

impl TabletPlan {
    pub fn new(name: &str, site: &str, contacts: usize) -> TabletPlan {
        TabletPlan {
            name: name.to_owned(),
            site: site.to_owned(),
            site_type: "mosque".to_owned(),
            setting: "pop_up".to_owned(),
            contacts,
        }
    }
}

/// A day as it will happen: what each tablet records, in order.
#[derive(Clone, Debug)]
pub struct Day {
    pub tablets: Vec<TabletDay>,
}

#[derive(Clone, Debug)]
pub struct TabletDay {
    pub name: String,
    pub contacts: Vec<Value>,
}

impl Day {
    pub fn new(seed: u64, plan: &DayPlan) -> Day {
        let tablets = plan.tablets.iter().map(|tablet| TabletDay {
            name: tablet.name.clone(),
            contacts: (0..tablet.contacts).map(|i| contact(seed, plan.date, tablet, i)).collect(),
        });
        Day { tablets: tablets.collect() }
    }

    /// All contacts, tablet by tablet.
    pub fn contacts(&self) -> impl Iterator<Item = &Value> {
        self.tablets.iter().flat_map(|tablet| &tablet.contacts)
    }
}

/// Contact `i` of a tablet, counted from nought.
pub fn contact(seed: u64, date: Date, tablet: &TabletPlan, i: usize) -> Value {
    let slot = Slot::new(seed, date, tablet, i);
    let visitor = slot.returning_visitor().unwrap_or_else(|| slot.visitor());
    let contact = slot.conversation(&visitor);
    json!({"session": slot.session(), "person": visitor.person, "contact": contact})
}

/// One place in the day: who records, when, and what must come by.
struct Slot<'a> {
    seed: u64,
    tablet: &'a TabletPlan,
    i: usize,
    date: Date,
    start: Timestamp,
    case: Case,
}

fn opening(date: Date) -> Timestamp {
    // In range for every date but the very last of the calendar.
    TimeZone::UTC.to_timestamp(date.to_datetime(OPENS)).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl<'a> Slot<'a> {
    fn new(seed: u64, first_date: Date, tablet: &'a TabletPlan, i: usize) -> Slot<'a> {
        let date = first_date.saturating_add(Span::new().days((i / CONTACTS_A_DAY) as i64));
        let case = Case::of(seed, &tablet.name, i);
        let late = Dice::new(seed, &tablet.name, i, "start").between(0, 90);
        let start = opening(date) + SignedDuration::from_secs((i % CONTACTS_A_DAY) as i64 * EVERY + late);
        Slot { seed, tablet, i, date, start, case }
    }

    fn dice(&self, subject: &str) -> Dice {
        Dice::new(self.seed, &self.tablet.name, self.i, subject)
    }

    fn visitor(&self) -> Visitor {
        people::visitor(&mut self.dice("person"), &self.case, self.date, self.start)
    }

    /// Now and then somebody comes back for a second go, and the staff member in a hurry makes a second person.
    fn returning_visitor(&self) -> Option<Visitor> {
        let mut dice = self.dice("return");
        let back = 9 + dice.below(5) as usize;
        if !self.case.is_ordinary() || self.i % CONTACTS_A_DAY <= back || !dice.chance(2) {
            return None;
        }
        let case = Case::of(self.seed, &self.tablet.name, self.i - back);
        let earlier = Slot { i: self.i - back, case, ..*self }.visitor();
        (!earlier.unnamed).then(|| Visitor { person: people::seen_again(&earlier.person), ..earlier })
    }

    /// The whole session with the first contact of the day, afterwards only what finds it again. Tallies are what
    /// was tapped on this tablet by then: sums of entries, so several tablets add up.
    fn session(&self) -> Value {
        let (tablet, opens) = (self.tablet, opening(self.date));
        let mut session =
            json!({"site": tablet.site, "date": self.date.to_string(), "setting": tablet.setting});
        if !self.i.is_multiple_of(CONTACTS_A_DAY) {
            return session;
        }
        let mut dice = self.dice("session");
        session["starts_at"] = json!(opens.to_string());
        session["ends_at"] = json!((opens + SignedDuration::from_hours(9)).to_string());
        if tablet.setting == "van" {
            // The tablets of one van agree about which van it is.
            session["vehicle"] =
                json!(format!("Van {}", Dice::new(self.seed, &tablet.site, 0, "vehicle").between(1, 3)));
        }
        let (languages, audience): (&[&str], &[&str]) = match tablet.site_type.as_str() {
            "mosque" => (&["en", "ur", "pa", "bn", "ar", "so"], &["everyone", "after_prayers", "women_only"]),
            "gurdwara" => (&["en", "pa"], &["everyone", "after_prayers"]),
            "mandir" => (&["en", "gu", "hi"], &["everyone"]),
            "market" | "car_park" => (&["en", "pl", "ro", "ur"], &["everyone"]),
            _ => (&["en", "ur", "so", "pl"], &["everyone", "women_only", "men_only"]),
        };
        session["languages"] = json!(languages);
        session["audience"] = json!([dice.pick(audience)]);
        let conversations = dice.between(3, 25);
        let declined = dice.between(0, 12);
        session["tallies"] = json!({
            "approached": conversations + declined + dice.between(0, 20),
            "conversations": conversations,
            "declined": declined,
            "leaflets": dice.between(0, 40),
        });
        session
    }

    fn conversation(&self, visitor: &Visitor) -> Value {
        let (case, ordinary) = (&self.case, self.case.is_ordinary());
        let mut dice = self.dice("contact");
        let fertile = visitor.sex == Some("female") && (12..=55).contains(&visitor.age);
        let pregnant = case.pregnant || (ordinary && fertile && visitor.age < 45 && dice.chance(4));
        let measured = readings::measure(&mut self.dice("readings"), case, visitor, pregnant, self.start);
        let check_type = self.check_type(&mut dice, visitor.age, pregnant);
        let whole = check_type != "bp_only";

        let mut contact = Map::new();
        let mut declined: Vec<&str> = Vec::new();
        contact.insert("started_at".into(), json!(self.start.to_string()));
        if visitor.unnamed {
            let decade = visitor.age / 10 * 10;
            contact.insert("age_band".into(), json!(format!("{decade}-{}", decade + 9)));
            contact.insert("ethnic_category".into(), json!(visitor.ethnicity));
            if let Some(sex) = visitor.sex {
                contact.insert("sex".into(), json!(sex));
            }
        }
        contact.insert("check_type".into(), json!(check_type));
        let reason = dice.weighted(&[("walk_up", 78), ("invited", 12), ("follow_up", 7), ("referred", 3)]);
        contact.insert("reason".into(), json!(reason));
        if pregnant || (fertile && dice.chance(70)) {
            contact.insert("pregnant".into(), json!(pregnant));
        }
        diagnoses(&mut dice, case, visitor.age, check_type, &mut contact);

        let end =
            measured.done_at + SignedDuration::from_secs(dice.between(40, if whole { 900 } else { 240 }));
        let how = match dice.below(100) {
            _ if case.left_early => "left_early",
            0 | 1 if ordinary => "left_early",
            2 if ordinary => "parked",
            _ => "completed",
        };
        contact.insert("ended".into(), json!({"at": end.to_string(), "how": how}));
        if how != "left_early" {
            let man = visitor.sex == Some("male");
            let smoker =
                care::look(&mut self.dice("care"), whole, man, measured.done_at, &mut contact, &mut declined);
            let closing = care::Closing { visitor, measured: &measured, smoker, date: self.date, at: end };
            closing.fill(&mut self.dice("closing"), &mut contact);
            match dice.below(100) {
                0..45 => {
                    let stars = dice.weighted(&[(5, 60), (4, 28), (3, 8), (2, 3), (1, 1)]);
                    contact.insert("satisfaction".into(), json!(stars));
                }
                45..48 => declined.push("satisfaction"),
                _ => {}
            }
        }
        match measured.bp {
            Some(bp) => {
                contact.insert("bp".into(), bp);
            }
            None => declined.push("bp"),
        }
        if let Some(notes) = care::notes(&mut self.dice("notes"), end) {
            contact.insert("notes".into(), notes);
        }
        if !declined.is_empty() {
            contact.insert("declined".into(), json!(declined));
        }
        Value::Object(contact)
    }

    fn check_type(&self, dice: &mut Dice, age: i64, pregnant: bool) -> &'static str {
        let due = (40..=74).contains(&age) && !pregnant && dice.chance(15);
        match self.case.check_type {
            Some(check_type) => check_type,
            None if !self.case.is_ordinary() || age < 18 => "bp_only",
            None if due => "nhs_health_check",
            None => dice.weighted(&[("bp_only", 96), ("smi_physical", 2), ("learning_disability", 2)]),
        }
    }
}

fn diagnoses(dice: &mut Dice, case: &Case, age: i64, check_type: &str, contact: &mut Map<String, Value>) {
    let mut known: Vec<&str> = Vec::new();
    let hypertension = case.on_treatment || dice.chance(if age >= 65 { 38 } else { 11 });
    if hypertension && age >= 18 && check_type != "nhs_health_check" {
        known.push("hypertension");
        contact.insert("on_treatment".into(), json!(case.on_treatment || dice.chance(75)));
    }
    if age >= 60 && !case.irregular && check_type != "nhs_health_check" && dice.chance(5) {
        known.push("af");
    }
    if age >= 30 && check_type != "nhs_health_check" && dice.chance(11) {
        known.push("diabetes");
    }
    match check_type {
        "smi_physical" => known.push("smi"),
        "learning_disability" => known.push("learning_disability"),
        _ => {}
    }
    if !known.is_empty() {
        contact.insert("prior_diagnosis".into(), json!(known));
    }
}
