//! Today: what somebody must do, why, and the clicks that do it.

use askama::Template;
use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::super::{Door, blocking, words};
use super::Ask;
use super::frame::Frame;
use super::lists::{Choice, fresh, grouped, tablets};
use super::pager::Pager;
use super::table::Table;
use super::task::{TaskCard, call};
use crate::api::{self, Attention, Filter, Held, Take, Thing, Wish};
use crate::error::Result;
use crate::views::Part;

#[derive(Template)]
#[template(path = "today.html")]
struct TodayPage {
    frame: Frame,
    urgent: u64,
    choices: Vec<Choice>,
    /// Empty where there is one team only.
    teams: Vec<Choice>,
    days: Vec<Choice>,
    /// Whoever is on it, or only me.
    whose: Vec<Choice>,
    sites: Vec<SiteChoice>,
    /// What the form of sites sends beside the site, so that other filters stay.
    kept: Vec<(&'static str, String)>,
    /// Whether anything is filtered: then the filters are not folded away.
    filtered: bool,
    /// The filters that are set, in words.
    showing: String,
    sections: Vec<Section>,
    pager: Pager,
    /// What forms send to come back here.
    back: String,
    /// What was just done, and how to take it back.
    said: Option<Said>,
    tablets: Table,
    /// The first thing to know of how fresh this is.
    fresh: String,
    /// What happened to the log itself, in sentences.
    alarms: Vec<String>,
}

struct SiteChoice {
    id: String,
    name: String,
    chosen: bool,
}

/// A part of the list.
struct Section {
    id: &'static str,
    title: &'static str,
    cards: Vec<Card>,
}

#[derive(Default)]
struct Card {
    /// Finds it again when the page refreshes.
    id: String,
    check: String,
    class: &'static str,
    tag: String,
    colour: &'static str,
    reading: String,
    /// Who, or what; in what the buttons are called.
    name: String,
    href: String,
    lines: Vec<String>,
    why: Vec<String>,
    next: Vec<String>,
    /// As people write it, and for a link; empty where none is known.
    phone: String,
    dial: String,
    last_call: String,
    /// Who is on it, in words; empty where nobody is.
    on_it: String,
    mine: bool,
    /// Whether anybody can be rung.
    calls: bool,
    /// What ends it, the first by one key; without any it is a call that reaches somebody.
    doings: Vec<Doing>,
}

/// A button that says what became of it.
struct Doing {
    words: String,
    address: String,
    fields: Vec<(&'static str, String)>,
}

/// What was just done.
struct Said {
    words: String,
    record: String,
    /// Where it can still be taken back.
    heads: String,
    path: String,
    /// Of a held change.
    hash: String,
}

/// What a form led here with: `RECORD.MAP.ENTRY`, or the hash of a held change.
#[derive(Debug, Default, Deserialize)]
pub struct Done {
    done: Option<String>,
    looked: Option<String>,
}

pub async fn today(
    ask: Ask,
    wish: Result<Query<Wish>, QueryRejection>,
    done: Result<Query<Done>, QueryRejection>,
) -> Response {
    let filter: Filter = wish.map(|Query(wish)| wish).unwrap_or_default().into();
    let done = done.map(|Query(done)| done).unwrap_or_default();
    let visitor = ask.visitor.clone();
    ask.page(move |door, frame| {
        let now = door.web.base.clock.now_ms();
        let list = api::today(&door.web.base, &door.web.readers, &filter, visitor.account()?)?;
        let title = match list.urgent {
            0 => "Today".to_owned(),
            urgent => format!("({} urgent) Today", grouped(urgent)),
        };
        let whole: u64 = list.counts.iter().filter(|(part, _)| *part != "in_hand").map(|(_, n)| n).sum();
        let choice = |part: Option<Part>, text: &str, count: u64| Choice {
            text: format!("{text} ({})", grouped(count)),
            href: address(&Filter { part, page: 1, ..filter.clone() }),
            current: filter.part == part,
        };
        let mut choices = vec![choice(None, "All", whole)];
        choices.extend(list.counts.iter().filter_map(|(code, count)| {
            let part = Part::parse(code)?;
            Some(choice(Some(part), part_words(part), *count))
        }));
        let day = |begun_today: bool, text: &str| Choice {
            text: text.to_owned(),
            href: address(&Filter { begun_today, page: 1, ..filter.clone() }),
            current: filter.begun_today == begun_today,
        };
        let team = |team: Option<RecordId>, text: &str| Choice {
            text: text.to_owned(),
            href: address(&Filter { team, page: 1, ..filter.clone() }),
            current: filter.team == team,
        };
        let mut teams = vec![team(None, "Every team")];
        teams.extend(list.teams.iter().filter_map(|(id, name)| Some(team(Some(id.parse().ok()?), name))));
        let who = |mine: bool, text: &str| Choice {
            text: text.to_owned(),
            href: address(&Filter { mine, page: 1, ..filter.clone() }),
            current: filter.mine == mine,
        };
        let days = vec![day(false, "Any day"), day(true, "Today’s checks only")];
        let whose = vec![who(false, "Everybody’s"), who(true, "Only what I am on")];
        let sites = sites(&list.sites, filter.site);
        let mut sections: Vec<Section> = Vec::new();
        let cards = list.things.iter().map(|thing| (thing.part, card(thing, &list.today)));
        for (part, card) in cards.chain(list.held.iter().map(|held| (Part::Held.as_str(), held_card(held)))) {
            match sections.last_mut().filter(|section| section.id == part) {
                Some(section) => section.cards.push(card),
                None => {
                    let title = Part::parse(part).map_or("", part_words);
                    sections.push(Section { id: part, title, cards: vec![card] });
                }
            }
        }
        Ok(TodayPage {
            frame: frame.titled(title, "/", "thing to do"),
            urgent: list.urgent,
            showing: showing(&choices, [&teams, &days, &whose], &sites),
            filtered: filter.part.is_some() || filter.narrows(),
            kept: parameters(&Filter { site: None, page: 1, ..filter.clone() }),
            choices,
            teams: if list.teams.len() > 1 { teams } else { Vec::new() },
            days,
            whose,
            sites,
            sections,
            pager: Pager::new(list.page, list.pages, |page| address(&Filter { page, ..filter.clone() })),
            back: format!("today{}", address(&filter).trim_start_matches('/')),
            said: said(door, &done)?,
            fresh: fresh(&list.tablets, now),
            alarms: list.alarms.iter().map(alarm).collect(),
            tablets: tablets(&list.tablets, now),
        })
    })
    .await
}

const fn part_words(part: Part) -> &'static str {
    match part {
        Part::Urgent => "Urgent",
        Part::FollowUp => "Follow-ups due",
        Part::Arrange => "To arrange",
        Part::Referral => "Referrals without outcome",
        Part::Conflict => "Values disagree",
        Part::Held => "Quarantine",
        Part::InHand => "In hand",
    }
}

fn alarm(alarm: &api::Alarm) -> String {
    let code = Code::parse(&alarm.code);
    let what = match (code, &alarm.tablet) {
        (Some(Code::TabletCopied), Some(name)) => format!(
            "The tablet {name} was set back to an older copy of itself, or copied to a second tablet: nothing is \
             lost, but only one of them should be used."
        ),
        (Some(code), _) => code.message().to_owned(),
        (None, _) => words::spaced(&alarm.code),
    };
    format!("{}: {what}", words::when(&alarm.last_at))
}

fn sites(all: &[(String, String)], chosen: Option<RecordId>) -> Vec<SiteChoice> {
    let chosen = chosen.map(|site| site.to_string());
    let choice = |(id, name): &(String, String)| SiteChoice {
        id: id.clone(),
        name: name.clone(),
        chosen: chosen.as_ref() == Some(id),
    };
    let mut sites: Vec<SiteChoice> = all.iter().map(choice).collect();
    // Its record may be on its way; nobody must take an empty list for that of every site.
    if let (Some(id), false) = (&chosen, sites.iter().any(|site| site.chosen)) {
        sites.push(SiteChoice { id: id.clone(), name: "Site not known yet".to_owned(), chosen: true });
    }
    sites
}

/// The part that is shown, and of all other filters those that are not as at first.
fn showing(parts: &[Choice], others: [&Vec<Choice>; 3], sites: &[SiteChoice]) -> String {
    let part = parts.iter().filter(|choice| choice.current);
    let narrower = others.into_iter().flat_map(|choices| choices.iter().skip(1)).filter(|one| one.current);
    let site = sites.iter().filter(|site| site.chosen).map(|site| site.name.as_str());
    let set = part.chain(narrower).map(|choice| choice.text.as_str()).chain(site);
    set.collect::<Vec<_>>().join(", ")
}

/// What says in an address which part of the list is meant.
fn parameters(filter: &Filter) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    all.extend(filter.part.map(|part| ("part", part.as_str().to_owned())));
    all.extend(filter.team.map(|team| ("team", team.to_string())));
    all.extend(filter.site.map(|site| ("site", site.to_string())));
    all.extend(filter.begun_today.then(|| ("when", "today".to_owned())));
    all.extend(filter.mine.then(|| ("who", "me".to_owned())));
    all.extend((filter.page > 1).then(|| ("page", filter.page.to_string())));
    all
}

/// Where this part of the list is.
pub fn address(filter: &Filter) -> String {
    let parts: Vec<String> =
        parameters(filter).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    if parts.is_empty() { "/".to_owned() } else { format!("/?{}", parts.join("&")) }
}

/// Where a form that stood on this page leads back to: made anew of what it sent, which could lead anywhere. `None`
/// where it stood elsewhere. `said` is added for the page to tell what was done.
pub fn way_back(back: &str, said: &str) -> Option<String> {
    let query = back.strip_prefix("today")?.trim_start_matches('?');
    let wish: Wish = Query::try_from_uri(&format!("/?{query}").parse().ok()?).map(|Query(wish)| wish).ok()?;
    let address = address(&wish.into());
    if said.is_empty() {
        return Some(address);
    }
    let joint = if address.contains('?') { '&' } else { '?' };
    Some(format!("{address}{joint}{said}"))
}

fn card(thing: &Thing, today: &str) -> Card {
    let item = &thing.item;
    let id = match &thing.task {
        Some(task) => format!("{}-{}", item.check, task.entry),
        None => item.check.clone(),
    };
    let name = match &item.person {
        Some(person) => person.name.clone().unwrap_or_else(|| "Name not given".to_owned()),
        None => "No details given".to_owned(),
    };
    let mut lines = Vec::new();
    lines.extend(item.person.as_ref().and_then(|person| person.age).map(|age| format!("Aged {age}")));
    lines.push(item.site.clone().unwrap_or_else(|| "Site not known yet".to_owned()));
    lines.push(words::when(&item.started_at));
    if thing.reach.interpreter_needed {
        let language = thing.reach.language.as_deref().map(|code| format!(" ({})", words::language(code)));
        lines.push(format!("Interpreter needed{}", language.unwrap_or_default()));
    }
    let phone = thing.reach.phone.as_deref();
    let mut card = Card {
        id,
        check: item.check.clone(),
        class: words::urgency_row(&item.urgency),
        tag: words::urgency(&item.urgency),
        colour: words::urgency_colour(&item.urgency),
        reading: reading(item),
        name,
        href: format!("/checks/{}", item.check),
        lines,
        why: Vec::new(),
        next: item.actions.iter().map(|action| words::action(action)).collect(),
        phone: phone.map(words::phone).unwrap_or_default(),
        dial: phone.map(|phone| phone.replace(' ', "")).unwrap_or_default(),
        last_call: thing
            .last_call
            .as_ref()
            .map(|last| call(last, thing.last_call_by.as_deref()))
            .unwrap_or_default(),
        on_it: thing.claim.as_ref().map(on_it).unwrap_or_default(),
        mine: thing.claim.as_ref().is_some_and(|claim| claim.mine),
        calls: item.person.is_some(),
        doings: Vec::new(),
    };
    match Part::parse(thing.part) {
        Some(Part::FollowUp | Part::Referral) => of_task(&mut card, thing),
        Some(Part::Conflict) => {
            card.why = vec!["Different values were recorded side by side".to_owned()];
            card.next = vec!["Open it and settle which value counts".to_owned()];
            card.calls = false;
        }
        part => of_check(&mut card, thing, part, today),
    }
    card
}

/// A check that waits for somebody, or did.
fn of_check(card: &mut Card, thing: &Thing, part: Option<Part>, today: &str) {
    card.why = words::signs(&thing.item.signs);
    card.why.push(thing.item.why.clone());
    if thing.item.conflicts > 0 {
        let fields = words::count(i64::try_from(thing.item.conflicts).unwrap_or(0), "field");
        card.why.push(format!("{fields} to settle"));
    }
    if let Some(task) = &thing.confirm {
        let referral = TaskCard::of(&card.check, task, None);
        card.why.push(format!("{}: nobody has confirmed that they have it", referral.title));
        card.doings.push(Doing {
            words: "They have it".to_owned(),
            address: format!("/records/{}/act", card.check),
            fields: referral_event(&task.entry, "received"),
        });
    }
    if let (Some(Part::Arrange), Some(due)) = (part, thing.due_on) {
        let due = due.to_string();
        let late = if due.as_str() < today { ", which has gone by" } else { "" };
        card.why.push(format!("Nothing is arranged yet. By {}{late}", words::date(&due)));
    }
    if part == Some(Part::InHand) {
        card.next = vec!["Open it to see what took it in hand, or to take that back".to_owned()];
    }
}

/// A follow-up or referral.
fn of_task(card: &mut Card, thing: &Thing) {
    let Some(task) = &thing.task else { return };
    let shown = TaskCard::of(&card.check, task, None);
    card.tag = shown.state.to_owned();
    card.colour = shown.colour;
    card.class = "";
    card.why = vec![shown.title.clone()];
    card.why.extend(shown.facts.iter().map(|fact| format!("{}: {}", fact.key, fact.value)));
    let address = format!("/records/{}/act", card.check);
    let doing = |words: &str, fields| Doing { words: words.to_owned(), address: address.clone(), fields };
    if shown.referral {
        card.next = vec!["Ask whether they have it, and what came of it".to_owned()];
        card.doings = vec![
            doing("They have it", referral_event(&task.entry, "received")),
            doing("Attended", referral_event(&task.entry, "attended")),
        ];
    } else {
        card.next = vec![format!("{}, then say so", shown.title)];
        let fields = vec![
            ("act", "follow_up_event".to_owned()),
            ("follow_up", task.entry.clone()),
            ("status", "done".to_owned()),
        ];
        card.doings = vec![doing("Done", fields)];
    }
}

fn referral_event(entry: &str, status: &str) -> Vec<(&'static str, String)> {
    vec![("act", "referral_event".to_owned()), ("referral", entry.to_owned()), ("status", status.to_owned())]
}

fn held_card(held: &Held) -> Card {
    Card {
        id: held.hash.clone(),
        tag: "Held".to_owned(),
        colour: "nhsuk-tag--grey",
        name: "A change that could not be accepted".to_owned(),
        href: "/quarantine".to_owned(),
        lines: vec![format!("From {}", held.tablet_name), words::when(&held.received_at)],
        why: vec![held.message.clone()],
        next: vec!["Look at what it holds. The tablet asks its staff to put it right".to_owned()],
        doings: vec![Doing {
            words: "Looked at".to_owned(),
            address: format!("/quarantine/{}/seen", held.hash),
            fields: vec![("seen", "true".to_owned())],
        }],
        ..Card::default()
    }
}

fn reading(item: &api::Item) -> String {
    let words = item.category.as_deref().map(words::category);
    match (item.systolic, item.diastolic, words) {
        (Some(systolic), Some(diastolic), Some(words)) => format!("{systolic}/{diastolic}, {words}"),
        (Some(systolic), Some(diastolic), None) => format!("{systolic}/{diastolic}"),
        (_, _, Some(words)) => words,
        _ => "No reading".to_owned(),
    }
}

fn on_it(claim: &api::Claim) -> String {
    let since = words::clock(&claim.at);
    if claim.mine {
        format!("You are on it, since {since}")
    } else {
        format!("{} is on it, since {since}", claim.by)
    }
}

/// What a form that led here did.
fn said(door: &Door, done: &Done) -> Result<Option<Said>> {
    let nothing = |words: &str| Said {
        words: words.to_owned(),
        record: String::new(),
        heads: String::new(),
        path: String::new(),
        hash: String::new(),
    };
    if let Some(hash) = &done.looked {
        return Ok(Some(match hash.strip_prefix('-') {
            Some(_) => nothing("It is on the list again."),
            None => Said { hash: hash.clone(), ..nothing("Noted that somebody has looked at it.") },
        }));
    }
    let mut parts = done.done.as_deref().unwrap_or_default().splitn(3, '.');
    let (Some(id), Some(map), Some(entry)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(None);
    };
    let Ok(id) = id.parse::<RecordId>() else { return Ok(None) };
    let Ok(found) = api::check(&door.web.base, &door.web.readers, id) else { return Ok(None) };
    let Some(made) = found.shown.record.get(map).and_then(|map| map.get(entry)) else { return Ok(None) };
    let whom =
        found.person.as_ref().and_then(api::name_of).map(|name| format!(" for {name}")).unwrap_or_default();
    let text = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or_default();
    let what = if map == "calls" { text("outcome") } else { text("status") };
    let what = match text("spoke_to") {
        "" => words::spaced(what),
        who => format!("{}, spoke to {who}", words::spaced(what)),
    };
    let by = format!("{}, {}", found.names.staff(text("by")), words::clock(text("at")));
    let stands = match found.attention {
        Attention::Handled => " The check is in hand.",
        Attention::Waits => " The check still waits for somebody.",
        Attention::No => "",
    };
    if made.get("struck_out").is_some_and(|struck| !struck.is_null()) {
        return Ok(Some(nothing(&format!("Taken back{whom}: {what} ({by}).{stands}"))));
    }
    Ok(Some(Said {
        record: id.to_string(),
        heads: found.shown.heads.join(" "),
        path: format!("{map}/{entry}"),
        ..nothing(&format!("Noted{whom}: {what} ({by}).{stands}"))
    }))
}

/// What a form sends about who is on it.
#[derive(Debug, Deserialize)]
pub struct Taken {
    take: Take,
    #[serde(default)]
    back: String,
}

pub async fn claim(ask: Ask, Path(id): Path<String>, form: Result<Form<Taken>, FormRejection>) -> Response {
    let Ok(Form(Taken { take, back })) = form else { return ask.refuse(&Code::BadArguments.into()) };
    let (web, visitor) = (ask.door.web.clone(), ask.visitor.clone());
    let anchor = if id.parse::<RecordId>().is_ok() { format!("#thing-{id}") } else { String::new() };
    let done = blocking(move || {
        let check = id.parse().map_err(|_| Code::BadId)?;
        api::claim(&web.base, &web.readers, check, visitor.account()?, take)
    });
    match done.await {
        Ok(()) => {
            let back = way_back(&back, "").unwrap_or_else(|| "/".to_owned());
            Redirect::to(&format!("{back}{anchor}")).into_response()
        }
        Err(error) => ask.refuse(&error),
    }
}

/// What a form sends about a held change.
#[derive(Debug, Deserialize)]
pub struct Looked {
    seen: bool,
    #[serde(default)]
    back: String,
}

pub async fn looked(
    ask: Ask,
    Path(hash): Path<String>,
    form: Result<Form<Looked>, FormRejection>,
) -> Response {
    let Ok(Form(Looked { seen, back })) = form else { return ask.refuse(&Code::BadArguments.into()) };
    let (web, visitor) = (ask.door.web.clone(), ask.visitor.clone());
    let done = blocking(move || {
        api::seen_held(&web.base, &web.readers, &hash, visitor.account()?, seen)?;
        // Known to be a hash by now.
        let said = if seen { format!("looked={hash}") } else { format!("looked=-{hash}") };
        Ok(way_back(&back, &said).unwrap_or_else(|| "/quarantine".to_owned()))
    });
    match done.await {
        Ok(back) => Redirect::to(&back).into_response(),
        Err(error) => ask.refuse(&error),
    }
}
