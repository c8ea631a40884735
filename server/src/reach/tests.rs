use jiff::civil::date;
use serde_json::{Value, json};
use wayside_protocol::record::{Kind, RecordId};

use super::*;
use crate::api::Readers;
use crate::reference::import;
use crate::testing::Site;
use crate::views::Views;

/// A site with so many people, each described by `person`, each with one contact.
struct Reached {
    site: Site,
}

impl Reached {
    fn new() -> Reached {
        Reached { site: Site::new() }
    }

    fn people(&self, count: usize, person: &Value, contact: &Value) {
        let tablet = self.site.tablet();
        for _ in 0..count {
            let person = tablet.begin(Kind::Person, person.clone()).1;
            let mut contact = contact.clone();
            contact["person"] = person.0.to_string().into();
            contact["session"] = RecordId::from_bytes([7; 16]).to_string().into();
            let contact = tablet.begin(Kind::Contact, contact).1;
            tablet.push(&self.site, &[person, contact]);
        }
    }

    fn read(&self) -> Reach {
        let mut views = Views::open(self.site.base.data()).unwrap();
        views.catch_up(&self.site.base.log).unwrap();
        let asked = Asked { from: date(2026, 11, 1), to: date(2026, 11, 30), team: String::new() };
        let reach = Reaches::default().read(&self.site.base, &Readers::whole(), &asked).unwrap();
        (*reach).clone()
    }
}

fn line<'a>(reach: &'a Reach, by: &str, code: &str) -> &'a Line {
    let cut = reach.cuts.iter().find(|cut| cut.by == by).unwrap();
    cut.lines.iter().find(|line| line.code == code).unwrap_or_else(|| panic!("{by} has no {code:?}: {cut:?}"))
}

fn reading(systolic: i64, diastolic: i64) -> Value {
    json!({"started_at": "2026-11-20T13:05:00Z",
        "bp": {"readings": [{"taken_at": "2026-11-20T13:06:00Z", "systolic": systolic, "diastolic": diastolic}]}})
}

#[test]
fn people_count_once_with_the_furthest_that_they_came() {
    use Figure::About;
    let reached = Reached::new();
    let person = json!({"ethnic_category": "J", "sex": "female", "date_of_birth": "1970-01-01"});
    reached.people(20, &person, &json!({"started_at": "2026-11-20T13:05:00Z"}));
    reached.people(20, &person, &reading(120, 80));
    reached.people(10, &person, &reading(150, 95));
    let mut known = reading(150, 95);
    known["on_treatment"] = json!(true);
    reached.people(10, &person, &known);
    let mut handed_on = reading(150, 95);
    handed_on["referrals"] =
        json!([{"to": "gp", "urgency": "within_3_weeks", "made_at": "2026-11-20T13:10:00Z"}]);
    reached.people(20, &person, &handed_on);
    // Outside these days.
    reached.people(20, &person, &json!({"started_at": "2026-10-20T13:05:00Z"}));
    let reach = reached.read();
    assert_eq!(reach.people, [About(80), About(60), About(30), About(20), About(0)]);
    assert_eq!(line(&reach, "ethnic_category", "J").people, reach.people);
    assert_eq!(line(&reach, "age", "50-59").people, reach.people);
    let months: Vec<_> = reach.months.iter().map(|line| line.code.as_str()).collect();
    assert_eq!(months, ["2026-11"]);
}

#[test]
fn asked_and_declined_is_told_apart_from_not_asked() {
    use Figure::About;
    let reached = Reached::new();
    let contact = json!({"started_at": "2026-11-20T13:05:00Z"});
    reached.people(30, &json!({"sex": "female"}), &contact);
    reached.people(20, &json!({"declined": ["sex"]}), &contact);
    reached.people(10, &json!({}), &contact);
    let reach = reached.read();
    let sex = reach.completeness.iter().find(|one| one.field == "sex").unwrap();
    assert_eq!((sex.given, sex.declined, sex.missing), (About(30), About(20), About(10)));
    assert_eq!(line(&reach, "sex", "?").people[0], About(20));
}

#[test]
fn deprivation_comes_from_the_reference_data_and_stands_beside_the_population() {
    let reached = Reached::new();
    let contact = json!({"started_at": "2026-11-20T13:05:00Z"});
    for (postcode, count) in [("LS9 7TF", 30), ("LS9 7TG", 20), ("ZZ99 3VZ", 10), ("LS1 1ZZ", 10)] {
        reached.people(count, &json!({"address": {"lines": [], "postcode": postcode}}), &contact);
    }
    assert_eq!(line(&reached.read(), "quintile", "").people[0], Figure::About(60), "nothing is imported yet");

    let data = reached.site.base.data();
    let take = |file: &str| import(data, file.as_bytes(), "a test", 0, &mut |_| ()).unwrap();
    take(
        "pcds,doterm,lsoa21,osward,oslaua,ctry\nLS9 7TF,,E01999001,E05999001,E08999999,E92000001\n\
          LS9 7TG,,E01999002,E05999001,E08999999,E92000001\n",
    );
    take(
        "LSOA code (2021),Local Authority District code (2024),Local Authority District name (2024),\
          Index of Multiple Deprivation (IMD) Rank,Index of Multiple Deprivation (IMD) Decile,Total population: mid\n\
          E01999001,E08999999,Invented,1,1,1000\nE01999002,E08999999,Invented,33755,10,3000\n",
    );
    let reach = reached.read();
    assert_eq!(reach.deprivation, Some(Year::Y2025));
    let first = line(&reach, "quintile", "1");
    assert_eq!((first.people[0], first.population_percent), (Figure::About(30), Some(25.0)));
    assert_eq!(line(&reach, "quintile", "5").population_percent, Some(75.0));
    assert_eq!(line(&reach, "quintile", "none").people[0], Figure::About(10), "no fixed abode");
    assert_eq!(line(&reach, "quintile", "").people[0], Figure::About(10), "a postcode that no file knows");
    assert_eq!(line(&reach, "ward", "E05999001").people[0], Figure::About(50));
}

#[test]
fn nobody_is_found_among_a_few() {
    let reached = Reached::new();
    let contact = json!({"started_at": "2026-11-20T13:05:00Z"});
    reached.people(40, &json!({"ethnic_category": "A"}), &contact);
    reached.people(30, &json!({"ethnic_category": "J"}), &contact);
    reached.people(1, &json!({"ethnic_category": "N", "plus_groups": ["homeless"]}), &contact);
    let reach = reached.read();
    assert_eq!(line(&reach, "ethnic_category", "N").people[0], Figure::Hidden);
    assert_eq!(
        line(&reach, "ethnic_category", "J").people[0],
        Figure::Hidden,
        "else 70 less 40 less 30 is found"
    );
    assert_eq!(line(&reach, "plus:homeless", "in").people[0], Figure::Hidden);
    assert_eq!(line(&reach, "plus:homeless", "out").people[0], Figure::Hidden);
    assert!(serde_json::to_string(&reach).unwrap().contains("\"*\""));
}
