//! Sessions of a month, as a calendar or as a list.

use askama::Template;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use serde::Deserialize;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::lists::{Choice, grouped};
use super::table::{Cell, Row, Table};
use crate::api::{self, Listed, Month, Named, Sessions};

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    month: String,
    site: String,
    team: String,
    /// `list` instead of the calendar.
    view: String,
}

/// From Monday to Sunday.
struct Week {
    days: Vec<Day>,
    /// Without a session.
    empty: bool,
}

struct Day {
    /// "Friday 20 November 2026".
    long: String,
    number: i8,
    /// Of another month: an empty cell.
    outside: bool,
    today: bool,
    sessions: Vec<Held>,
}

/// A session in its day.
struct Held {
    href: String,
    site: String,
    seen: String,
    attention: String,
}

/// A choice of the filter's lists.
struct Choosable {
    id: String,
    name: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    /// "November 2026".
    month: String,
    before: Choice,
    after: Choice,
    this: Choice,
    views: Vec<Choice>,
    asked: Asked,
    sites: Vec<Choosable>,
    teams: Vec<Choosable>,
    /// Of a month without sessions: where there are some.
    earlier: Option<Choice>,
    empty: bool,
    weeks: Vec<Week>,
    table: Table,
}

pub async fn sessions(ask: Ask, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    ask.page(move |door, frame| {
        let month = Month { month: asked.month.clone(), site: asked.site.clone(), team: asked.team.clone() };
        let found = api::sessions(&door.web.base, &door.web.readers, &month)?;
        Ok(page(found, asked, frame))
    })
    .await
}

fn page(found: Sessions, asked: Asked, frame: Frame) -> SessionsPage {
    let asked = Asked { month: found.month.clone(), ..asked };
    let list = asked.view == "list";
    let first = format!("{}-01", found.month).parse::<Date>().unwrap_or_default();
    let choice = |text: String, asked: Asked, current: bool| Choice { text, href: address(&asked), current };
    let month = |day: Date| Asked { month: day.strftime("%Y-%m").to_string(), ..asked.clone() };
    let to = |day: Date| choice(words::month(&day.strftime("%Y-%m").to_string()), month(day), false);
    let earlier = found.earlier.as_deref().filter(|_| found.sessions.is_empty());
    let earlier = earlier
        .and_then(|day| day.parse::<Date>().ok())
        .map(|day| Choice { text: words::date(&day.to_string()), ..to(day) });
    let today = found.today.parse::<Date>().unwrap_or_default();
    let view = |text: &str, view: &str, current| {
        choice(text.to_owned(), Asked { view: view.to_owned(), ..asked.clone() }, current)
    };
    SessionsPage {
        month: words::month(&found.month),
        before: to(first.saturating_sub(1.month())),
        after: to(first.saturating_add(1.month())),
        this: choice("This month".to_owned(), month(today), false),
        views: vec![view("Calendar", "", !list), view("List", "list", list)],
        sites: choosable(&found.sites, &asked.site),
        teams: choosable(&found.teams, &asked.team),
        earlier,
        empty: found.sessions.is_empty(),
        weeks: if list { Vec::new() } else { weeks(first, today, &found.sessions) },
        table: if list { table(&found) } else { Table::default() },
        frame: frame.titled(format!("Sessions, {}", words::month(&found.month)), "/sessions", "session"),
        asked,
    }
}

fn address(asked: &Asked) -> String {
    let parts =
        [("month", &asked.month), ("site", &asked.site), ("team", &asked.team), ("view", &asked.view)];
    // Ids and codes: what else came in an address does not go into another.
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let parts = parts.iter().filter(|(_, value)| !value.is_empty() && plain(value));
    let parts: Vec<String> = parts.map(|(name, value)| format!("{name}={value}")).collect();
    format!("/sessions?{}", parts.join("&"))
}

fn choosable(all: &[Named], chosen: &str) -> Vec<Choosable> {
    let choosable = all.iter().map(|one| Choosable {
        id: one.id.clone(),
        name: one.name.clone(),
        chosen: one.id == chosen,
    });
    choosable.collect()
}

/// Weeks from Monday to Sunday; the days of other months are empty.
fn weeks(first: Date, today: Date, sessions: &[Listed]) -> Vec<Week> {
    let back = i64::from(first.weekday().since(Weekday::Monday));
    let start = first.saturating_sub(back.days());
    let mut weeks = Vec::new();
    let mut monday = start;
    while monday <= first.last_of_month() && weeks.len() < 6 {
        let days = (0..7_i64).map(|n| day(monday.saturating_add(n.days()), first, today, sessions));
        let days: Vec<Day> = days.collect();
        weeks.push(Week { empty: days.iter().all(|day| day.sessions.is_empty()), days });
        monday = monday.saturating_add(7.days());
    }
    weeks
}

fn day(day: Date, first: Date, today: Date, sessions: &[Listed]) -> Day {
    let text = day.to_string();
    let outside = day.month() != first.month();
    let held = sessions.iter().filter(|session| session.date == text && !outside).map(|session| Held {
        href: format!("/sessions/{}", session.id),
        site: site(session),
        seen: format!("{} seen", grouped(session.seen)),
        attention: match session.attention {
            0 => String::new(),
            many => format!("{} on the worklist", grouped(many)),
        },
    });
    Day {
        long: words::date(&text),
        number: day.day(),
        outside,
        today: day == today,
        sessions: held.collect(),
    }
}

fn site(session: &Listed) -> String {
    session.site.clone().unwrap_or_else(|| "Site not known yet".to_owned())
}

fn table(found: &Sessions) -> Table {
    let several = found.teams.len() > 1;
    let rows = found.sessions.iter().map(|listed| {
        let mut cells = vec![
            Cell::link(site(listed), format!("/sessions/{}", listed.id)),
            Cell::new(words::date(&listed.date)),
            Cell::new(listed.setting.as_deref().map(words::spaced).unwrap_or_default()),
            Cell::new(grouped(listed.seen)),
            Cell::new(grouped(listed.attention)),
        ];
        if several {
            cells.push(Cell::new(&listed.team));
        }
        Row { key: listed.id.clone(), class: "", cells }
    });
    let mut head = vec!["Site", "Date", "Setting", "Checks and conversations", "On the worklist"];
    head.extend(several.then_some("Team"));
    Table { caption: "Sessions, the latest first", head, rows: rows.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_stands_in_weeks_from_monday_with_every_day_once() {
        for month in ["2026-02", "2026-11", "2027-05", "2028-02"] {
            let first: Date = format!("{month}-01").parse().unwrap();
            let weeks = weeks(first, first, &[]);
            assert!(weeks.iter().all(|week| week.days.len() == 7 && week.days[0].long.starts_with("Monday")));
            let days: Vec<i8> = weeks
                .iter()
                .flat_map(|week| &week.days)
                .filter(|day| !day.outside)
                .map(|day| day.number)
                .collect();
            assert_eq!(days, (1..=first.days_in_month()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_address_carries_only_what_it_may() {
        let asked = Asked {
            month: "2026-11".into(),
            site: "a&b=\"c".into(),
            view: "list".into(),
            ..Asked::default()
        };
        assert_eq!(address(&asked), "/sessions?month=2026-11&view=list");
    }
}
