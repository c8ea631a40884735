//! Follow-ups and referrals that are due: whom to phone, where to ask.

use askama::Template;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::lists::Choice;
use super::pager::Pager;
use super::table::Fact;
use super::task::{TaskCard, call};
use crate::api::{self, Part, TaskItem};

#[derive(Template)]
#[template(path = "follow-ups.html")]
struct FollowUpsPage {
    frame: Frame,
    first: String,
    choices: Vec<Choice>,
    cards: Vec<TaskCard>,
    pager: Pager,
}

pub async fn follow_ups(ask: Ask, part: Result<Query<Part>, QueryRejection>) -> Response {
    let part = part.map(|Query(part)| part).unwrap_or_default();
    ask.page(move |door, frame| {
        let list = api::follow_ups(&door.web.base, &door.web.readers, &part)?;
        let dated = list.overdue + list.due + list.coming;
        let choice = |part: &str, text: &str, count: u64| Choice {
            text: format!("{text} ({count})"),
            href: address(part, 1),
            current: list.part == part,
        };
        Ok(FollowUpsPage {
            frame: frame.titled("Follow-ups", "/follow-ups", "follow-up"),
            first: match (list.overdue, list.due) {
                (0, 0) => "Nothing is due today.".to_owned(),
                (overdue, due) => format!("{overdue} overdue, {due} due today."),
            },
            choices: vec![
                choice("all", "All", dated),
                choice("overdue", "Overdue", list.overdue),
                choice("due", "Due today", list.due),
                choice("coming", "Coming", list.coming),
                choice("undated", "No day said", list.undated),
            ],
            cards: list.items.iter().map(card).collect(),
            pager: Pager::new(list.page, list.pages, |page| address(list.part, page)),
        })
    })
    .await
}

fn address(part: &str, page: u64) -> String {
    let page = if page > 1 { format!("&page={page}") } else { String::new() };
    format!("/follow-ups?show={part}{page}")
}

fn card(item: &TaskItem) -> TaskCard {
    let mut card = TaskCard::of(&item.check, &item.task, item.last_by.as_deref());
    // Entries' ids are unique in their own check only.
    card.id = format!("{}-{}", item.check, card.id);
    let mut facts = Vec::new();
    let name = match &item.person {
        Some(person) => {
            let name = person.name.clone().unwrap_or_else(|| "Name not given".to_owned());
            facts.push(Fact::link("Person", name.clone(), format!("/people/{}", person.id)));
            name
        }
        None => {
            facts.push(Fact::new("Person", "No details given"));
            "No details given".to_owned()
        }
    };
    let phone = item.reach.phone.as_deref().map(words::phone);
    facts.push(Fact::new("Phone", phone.unwrap_or_else(|| "None written down".to_owned())));
    if item.reach.interpreter_needed {
        let language = item.reach.language.as_deref().map(|code| format!(" ({})", words::language(code)));
        facts.push(Fact::new("Interpreter", format!("Needed{}", language.unwrap_or_default())));
    }
    facts.append(&mut card.facts);
    if let Some(last) = item.calls.last() {
        facts.push(Fact::new("Last call", call(last, item.last_call_by.as_deref())));
    }
    facts.push(Fact::link("From", words::when(&item.started_at), format!("/checks/{}", item.check)));
    card.facts = facts;
    card.title = format!("{}: {name}", card.title);
    card
}
