//! The calendar, the list and one session.

use serde_json::{Value, json};
use wayside_protocol::record::{Kind, RecordId};

use super::Desk;
use super::coordinating::{get, page, push};
use crate::accounts::Role;
use crate::log::Visit;
use crate::testing::{START, Tablet};

/// Two sites with a session each in November 2026, one of them with four checks, and one in September.
struct World {
    mosque: RecordId,
    market: RecordId,
    friday: RecordId,
}

fn world(desk: &Desk, tablet: &Tablet) -> World {
    let site = |name: &str| push(desk, tablet, Kind::Site, json!({"name": name}));
    let (mosque, market) = (site("Masjid Al-Noor"), site("Kirkgate Market"));
    let session = |site: RecordId, date: &str| {
        let fields =
            json!({"site": site.to_string(), "date": date, "setting": "pop_up", "vehicle": "Van <3>"});
        push(desk, tablet, Kind::Session, fields)
    };
    let friday = session(mosque, "2026-11-20");
    session(market, "2026-11-02");
    session(market, "2026-09-30");
    for (minute, systolic) in [(0, 124), (4, 152), (44, 188)] {
        check(desk, tablet, friday, minute, systolic, None);
    }
    // A person whose record never came.
    check(desk, tablet, friday, 59, 120, Some("01a20221-57e6-7f0f-b5c6-452956d7cfbc"));
    World { mosque, market, friday }
}

fn check(desk: &Desk, tablet: &Tablet, session: RecordId, minute: u8, systolic: i64, person: Option<&str>) {
    let at = format!("2026-11-20T13:{minute:02}:00Z");
    let mut fields = json!({"session": session.to_string(), "started_at": at,
        "bp": {"readings": {"aaaaaaaa": {"taken_at": at, "systolic": systolic, "diastolic": 78}}}});
    if let Some(person) = person {
        fields["person"] = Value::from(person);
    }
    push(desk, tablet, Kind::Contact, fields);
}

#[tokio::test]
async fn a_month_shows_its_sessions_by_day_and_filters_by_site() {
    let desk = Desk::new();
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let World { mosque, market, friday } = world(&desk, &desk.site.tablet());
    // The clock of the tests stands in November 2026.
    let shown = page(&desk, &vic, "/sessions").await;
    assert!(
        shown.contains("November 2026") && shown.contains("October 2026") && shown.contains("December 2026")
    );
    let cell = shown.split("<td").find(|cell| cell.contains("Friday 20 November 2026")).unwrap();
    assert!(cell.contains(&format!("/sessions/{friday}")) && cell.contains("4 seen"), "{cell}");
    assert!(cell.contains("2 on the worklist"), "{cell}");
    let list = page(&desk, &vic, &format!("/sessions?month=2026-11&site={market}&view=list")).await;
    assert!(list.contains("Monday 2 November 2026") && !list.contains("Friday 20 November 2026"));
    assert!(list.contains(&format!("value=\"{market}\" selected")));
    // An empty month says where the last sessions are.
    let empty = page(&desk, &vic, "/sessions?month=2026-10").await;
    assert!(empty.contains("No session has arrived of this month"));
    assert!(empty.contains("/sessions?month=2026-09") && empty.contains("Wednesday 30 September 2026"));
    assert!(!page(&desk, &vic, "/sessions?month=2020-01").await.contains("The last one before"));
    // Where no month is asked for it is the last one that has some.
    let last = get(&desk, &vic, &format!("/api/v1/sessions?site={market}")).await;
    assert_eq!(last["month"], "2026-11");
    // What is not understood hides nothing.
    for nonsense in ["month=x", "month=2026-13", "month=99999-01", "site=x", "team=x", "view=x&site="] {
        let shown = page(&desk, &vic, &format!("/sessions?{nonsense}")).await;
        assert!(shown.contains("Masjid Al-Noor</a>") || shown.contains(&friday.to_string()), "{nonsense}");
    }
    let month = get(&desk, &vic, &format!("/api/v1/sessions?month=2026-11&site={mosque}")).await;
    assert_eq!(month["sessions"].as_array().unwrap().len(), 1);
    let one = &month["sessions"][0];
    assert_eq!((&one["seen"], &one["attention"], &one["team"]), (&json!(4), &json!(2), &json!("North")));
    assert_eq!(month["sites"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_session_says_whom_it_saw_when_and_what_has_not_arrived() {
    let desk = Desk::new();
    let tablet = desk.site.tablet();
    let World { friday, .. } = world(&desk, &tablet);
    let path = format!("/sessions/{friday}");
    let n = desk.site.base.log.read(|conn| Ok(crate::log::tablet_by_key(conn, &tablet.public())?.unwrap().n));
    let n = n.unwrap();
    let visit = |waiting| {
        desk.site.base.log.seen(n, Visit { at: START, skew_ms: 0, waiting, capabilities: 0 });
        desk.site.base.log.write(|_| Ok(())).unwrap();
    };
    visit(Some(14));
    desk.later(3 * 60 * 60 * 1000);
    // A login ends meanwhile.
    let vic = desk.signed_in("vic-again", Role::Viewer).await;
    let shown = page(&desk, &vic, &path).await;
    assert!(shown.contains("van tablet last synced 3 hours ago: 14 changes were still waiting on it."));
    assert!(shown.contains("1 check names a person whose record has not arrived."));
    let found = get(&desk, &vic, &format!("/api/v1{path}")).await;
    let slots = found["over_time"]["slots"].as_array().unwrap();
    let counts: Vec<i64> = slots.iter().map(|slot| slot["seen"].as_i64().unwrap()).collect();
    assert_eq!((&found["over_time"]["minutes"], counts), (&json!(15), vec![2, 0, 1, 1]));
    // Drawn, and in a table for whoever does not see drawings.
    assert_eq!(shown.matches("<rect class=\"app-chart__bar\"").count(), 4);
    let table = shown.split("<caption").find(|part| part.contains("People seen over time")).unwrap();
    assert!(table.contains("1:00pm") && table.contains("1:45pm"));
    assert_eq!(found["tablets"][0]["seen"], 4);
    assert_eq!(found["categories"].as_array().unwrap().len(), 3);
    visit(Some(0));
    let shown = page(&desk, &vic, &path).await;
    assert!(!shown.contains("still waiting on it.") && shown.contains("Nothing</p>"));
}
