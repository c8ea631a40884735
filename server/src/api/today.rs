//! Today: what somebody must do, why, and who is on it.

use std::collections::HashMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use wayside_protocol::clinical::Urgency;
use wayside_protocol::clinical::follow_up::{self, Call, Task, TaskKind};
use wayside_protocol::error::Code;
use wayside_protocol::record::{Hash, Kind, RecordId};

use super::changes::rfc3339;
use super::items::{Item, Reachable, TabletSeen, alarms, item_of, now, tablets};
use super::records::{read, standing};
use super::{Alarm, Names, Readers, cursor};
use crate::accounts::{Account, Role, Teams};
use crate::base::Base;
use crate::error::Result;
use crate::log::{self, Claimed, Conn};
use crate::openapi::shapes;
use crate::views::{Part, Todo, TodoPlace, Views, Wanted, Whose};

/// Things on one page.
const PAGE: u64 = 40;
const MOST_PAGES: u64 = 10_000;
/// Of its cursors.
const LIST: u8 = b't';

/// What is asked for, as in the address: `part`, `team`, `site`, `when` (`today`: checks that began today), `who` (`me`:
/// what I am on) and `page`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Wish {
    part: Option<String>,
    team: Option<String>,
    site: Option<String>,
    when: Option<String>,
    who: Option<String>,
    page: Option<u64>,
    /// A cursor, which counts for more than a page.
    #[serde(default)]
    after: String,
}

/// Which part of the list is asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub part: Option<Part>,
    pub team: Option<RecordId>,
    /// Only checks of sessions at this site.
    pub site: Option<RecordId>,
    /// Only what whoever asks is on.
    pub mine: bool,
    /// Only checks that began today. Nobody drops off the whole list because a day went by.
    pub begun_today: bool,
    /// From 1.
    pub page: u64,
    /// A cursor, which counts for more than a page; empty for none.
    pub after: String,
}

impl Filter {
    /// Whether less than everything is asked for, parts apart.
    pub fn narrows(&self) -> bool {
        self.team.is_some() || self.of_checks()
    }

    /// Whether what is of no check, a held change, is left out.
    fn of_checks(&self) -> bool {
        self.site.is_some() || self.mine || self.begun_today
    }
}

impl From<Wish> for Filter {
    /// What is not understood filters nothing: it must not hide anybody.
    fn from(wish: Wish) -> Filter {
        Filter {
            part: wish.part.as_deref().and_then(Part::parse),
            team: wish.team.and_then(|team| team.parse().ok()),
            site: wish.site.and_then(|site| site.parse().ok()),
            mine: wish.who.as_deref() == Some("me"),
            begun_today: wish.when.as_deref() == Some("today"),
            page: wish.page.unwrap_or(1),
            after: wish.after,
        }
    }
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Today {
    /// The day that decides, in London.
    pub today: String,
    /// How many there are of each part, whatever part is asked for, in the order of the list; what is in hand last.
    pub counts: Vec<(&'static str, u64)>,
    /// In the urgent part, whatever is filtered.
    pub urgent: u64,
    /// In the part that was asked for.
    pub total: u64,
    pub page: u64,
    pub pages: u64,
    pub things: Vec<Thing>,
    /// Send it as `after` for the things that follow; null where these are the last by now.
    pub next: Option<String>,
    /// Held changes at which nobody has looked: after all things.
    pub held: Vec<Held>,
    /// Ids and names, by name.
    pub teams: Vec<(String, String)>,
    /// Sites likewise.
    pub sites: Vec<(String, String)>,
    pub tablets: Vec<TabletSeen>,
    /// What happened to the log itself, the latest first.
    pub alarms: Vec<Alarm>,
    /// How far the views have come.
    pub position: u64,
}

/// One thing to do about a check.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Thing {
    /// Why it is here: a code of [`Part`].
    pub part: &'static str,
    #[serde(flatten)]
    pub item: Item,
    #[serde(flatten)]
    pub reach: Reachable,
    /// The follow-up or referral that it is about.
    #[schema(value_type = Option<shapes::Task>)]
    pub task: Option<Task>,
    /// Of an urgent check: the referral that, once it is confirmed, takes it in hand.
    #[schema(value_type = Option<shapes::Task>)]
    pub confirm: Option<Task>,
    /// By when it should be done.
    pub due_on: Option<Date>,
    /// The last call of the check, with who made it.
    #[schema(value_type = Option<shapes::Call>)]
    pub last_call: Option<Call>,
    pub last_call_by: Option<String>,
    /// Who is on it.
    pub claim: Option<Claim>,
}

/// Somebody rings this person, or looks into it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Claim {
    /// The account's name.
    pub by: String,
    pub at: String,
    /// Whoever asks.
    pub mine: bool,
}

/// A change that could not be accepted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Held {
    pub hash: String,
    pub message: String,
    pub tablet_name: String,
    pub received_at: String,
}

/// What is to be done today, the most urgent first. Blocks.
pub fn today(base: &Base, readers: &Readers, filter: &Filter, account: &Account) -> Result<Today> {
    let after: Option<TodoPlace> = cursor::after(LIST, &filter.after)?;
    let moment = now(base);
    let day = moment.date();
    let since = match filter.begun_today {
        true => moment.start_of_day().map(|start| start.timestamp().to_string()).unwrap_or_default(),
        false => String::new(),
    };
    read(base, readers, |log, views| {
        let today = day.to_string();
        let claims = claims(base, log, views)?;
        let sessions = filter.site.map(|site| sessions_at(views, site)).transpose()?;
        let checks = filter.mine.then(|| checks_of(views, &claims, account)).transpose()?;
        let (sessions, checks) = (sessions.as_deref(), checks.as_deref());
        let wanted = Wanted { part: filter.part, team: filter.team, since: &since, sessions, checks };
        // Of no check, so of no day, site or person.
        let held_of = if filter.of_checks() { Vec::new() } else { held_of(filter.team, readers) };
        let counted = counts(log, views, &wanted, &held_of, &today)?;
        let of = |part: Part| of_part(&counted, part);
        let urgent = match filter.narrows() {
            true => of_part(&views.todo_counts(&Wanted::default(), &today)?, Part::Urgent),
            false => of(Part::Urgent),
        };
        let total = match filter.part {
            Some(part) => of(part),
            None => Part::ALL.into_iter().filter(|part| *part != Part::InHand).map(of).sum(),
        };
        let pages = total.div_ceil(PAGE).clamp(1, MOST_PAGES);
        let page = filter.page.clamp(1, pages);
        let skip = match &after {
            Some(place) => views.todos_through(&wanted, &today, place)?,
            None => (page - 1) * PAGE,
        };
        let names = Names::read(base, log, views)?;
        let desk = DeskNow { names: &names, today: day, claims, account };
        let (mut things, mut next) = (Vec::new(), None);
        if filter.part != Some(Part::Held) {
            let todos = views.todos(&wanted, &today, skip, PAGE)?;
            if let Some(last) = todos.last().filter(|_| todos.len() as u64 == PAGE) {
                next = Some(cursor::told(LIST, &views.place_of(last)?)?);
            }
            for todo in todos {
                things.extend(thing(views, &todo, &desk)?);
            }
        }
        // They come after everything else, wherever that ends.
        let before = if filter.part.is_none() { total - of(Part::Held) } else { 0 };
        let (from, until) = (skip.saturating_sub(before), (skip + PAGE).saturating_sub(before));
        let held = match filter.part {
            None | Some(Part::Held) if of(Part::Held) > 0 && until > from => {
                held(log, &names, &held_of, from, until - from)?
            }
            _ => Vec::new(),
        };
        let mut teams: Vec<(String, String)> =
            readers.known_teams(log)?.into_iter().map(|team| (team.id.to_string(), team.name)).collect();
        teams.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
        Ok(Today {
            counts: counted.iter().map(|(part, count)| (part.as_str(), *count)).collect(),
            urgent,
            today,
            total,
            page,
            pages,
            things,
            next,
            held,
            teams,
            sites: sites(views)?,
            tablets: tablets(log, readers)?,
            alarms: alarms(log, readers, base.clock.now_ms())?,
            position: views.position()?,
        })
    })
}

/// Ids and names, by name.
fn sites(views: &Views) -> Result<Vec<(String, String)>> {
    let text = |site: &Value, name: &str| site.get(name).and_then(Value::as_str).map(str::to_owned);
    let sites = views.list(Some(Kind::Site))?;
    let mut named: Vec<(String, String)> =
        sites.iter().filter_map(|site| Some((text(site, "id")?, text(site, "name")?))).collect();
    named.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
    Ok(named)
}

/// The ids of all sessions at a site, as `Wanted` takes them.
fn sessions_at(views: &Views, site: RecordId) -> Result<String> {
    let site = site.to_string();
    let whose = Whose { site: Some(&site), team: None };
    let ids = views.sessions(whose, "", "~")?.into_iter().map(|session| session.id.to_string());
    Ok(json!(ids.collect::<Vec<_>>()).to_string())
}

/// The ids of all checks that an account is on, as `Wanted` takes them: a claim of a person is one of all their checks.
fn checks_of(views: &Views, claims: &HashMap<RecordId, Claimed>, account: &Account) -> Result<String> {
    let mut ids = Vec::new();
    for about in claims.iter().filter(|(_, claim)| claim.account == account.n).map(|(about, _)| *about) {
        ids.push(about);
        ids.extend(views.of_person(about)?.into_iter().map(|seen| seen.id));
    }
    let hex = |id: &RecordId| data_encoding::HEXLOWER.encode(id.as_bytes());
    Ok(json!(ids.iter().map(hex).collect::<Vec<_>>()).to_string())
}

/// Of which teams what is held is shown, one after the other; `None` is every team's.
fn held_of(asked: Option<RecordId>, readers: &Readers) -> Vec<Option<RecordId>> {
    match (readers.teams(), asked) {
        (Teams::All, asked) => vec![asked],
        (Teams::These(own), None) => own.iter().copied().map(Some).collect(),
        (own, Some(team)) => {
            if own.holds(team) {
                vec![Some(team)]
            } else {
                Vec::new()
            }
        }
    }
}

fn counts(
    log: &Conn,
    views: &Views,
    wanted: &Wanted,
    held_of: &[Option<RecordId>],
    today: &str,
) -> Result<Vec<(Part, u64)>> {
    let found = views.todo_counts(wanted, today)?;
    let mut held = 0;
    for team in held_of {
        held += log::held_unseen_count(log, *team)?;
    }
    let of = |part: Part| if part == Part::Held { held } else { of_part(&found, part) };
    Ok(Part::ALL.into_iter().map(|part| (part, of(part))).collect())
}

fn of_part(counts: &[(Part, u64)], part: Part) -> u64 {
    counts.iter().find(|(one, _)| *one == part).map_or(0, |(_, count)| *count)
}

/// What every thing on the list is seen against.
struct DeskNow<'a> {
    names: &'a Names,
    today: Date,
    /// By the record that stands for the person, or by the check.
    claims: HashMap<RecordId, Claimed>,
    account: &'a Account,
}

/// Claims by whom they are about today: people may have been merged since.
fn claims(base: &Base, log: &Conn, views: &Views) -> Result<HashMap<RecordId, Claimed>> {
    let claims = log::claims(log, base.clock.now_ms())?.into_iter();
    claims.map(|claim| Ok((views.standing(claim.record)?, claim))).collect()
}

fn thing(views: &Views, todo: &Todo, desk: &DeskNow) -> Result<Option<Thing>> {
    let Some(check) = views.show(todo.contact)? else { return Ok(None) };
    let person = standing(views, &check)?;
    let item = item_of(views, &check, person.as_ref())?;
    let tasks = follow_up::tasks(&check, desk.today);
    let kind = if todo.part == Part::FollowUp { TaskKind::FollowUp } else { TaskKind::Referral };
    let task = tasks.iter().find(|task| task.kind == kind && task.entry == todo.entry).cloned();
    let confirm = tasks
        .iter()
        .filter(|task| todo.part == Part::Urgent && task.kind == TaskKind::Referral && task.state.is_open())
        .filter(|task| task.urgency >= Some(Urgency::SameDay))
        .max_by_key(|task| task.urgency)
        .cloned();
    let last_call = follow_up::calls(&check).pop();
    let claim = desk.claims.get(&about(todo.contact, person.as_ref()));
    Ok(Some(Thing {
        part: todo.part.as_str(),
        reach: Reachable::of(person.as_ref()),
        due_on: todo.due_on(),
        task,
        confirm,
        last_call_by: last_call.as_ref().and_then(|call| call.by.as_ref()).map(|by| desk.names.staff(by)),
        last_call,
        claim: claim.map(|claim| Claim {
            by: claim.name.clone(),
            at: rfc3339(claim.at),
            mine: claim.account == desk.account.n,
        }),
        item,
    }))
}

/// Whom a claim of a check is about: the person, by the record that stands for them, else the check.
fn about(check: RecordId, person: Option<&Value>) -> RecordId {
    let id = person.and_then(|person| person.get("id")?.as_str()?.parse().ok());
    id.unwrap_or(check)
}

fn held(log: &Conn, names: &Names, of: &[Option<RecordId>], skip: u64, limit: u64) -> Result<Vec<Held>> {
    let mut found = Vec::new();
    for team in of {
        found.extend(log::held_unseen(log, *team, 0, skip + limit)?);
    }
    found.sort_by_key(|held| held.received_at);
    Ok(found
        .into_iter()
        .skip(usize::try_from(skip).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .map(|held| Held {
            hash: data_encoding::HEXLOWER.encode(&held.hash),
            message: held.message,
            tablet_name: names.tablet(&held.tablet),
            received_at: rfc3339(held.received_at),
        })
        .collect())
}

/// What somebody says about who is on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// I am; refused where somebody else is.
    On,
    /// I am, whoever was.
    Over,
    /// I am no longer.
    Off,
}

/// Takes on whom a check is about, so that nobody else rings them meanwhile. Blocks.
pub fn claim(base: &Base, readers: &Readers, check: RecordId, account: &Account, take: Take) -> Result<()> {
    let whom = read(base, readers, |_, views| {
        let shown = views.show(check)?.filter(|shown| shown.get("kind") == Some(&Value::from("contact")));
        let shown = shown.ok_or(Code::RecordNotFound)?;
        Ok(about(check, standing(views, &shown)?.as_ref()))
    })?;
    let (account, now) = (account.n, base.clock.now_ms());
    base.log.write(move |txn| match take {
        Take::Off => log::leave(txn.conn, whom, account),
        take => log::claim(txn.conn, whom, account, take == Take::Over, now),
    })?;
    tell(base, readers)
}

/// Says that somebody has looked at what is held under this hash, or that nobody has after all. Blocks.
pub fn seen_held(base: &Base, readers: &Readers, hash: &str, account: &Account, seen: bool) -> Result<()> {
    let hash = data_encoding::HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).map_err(|_| Code::NotFound)?;
    let hash: Hash = hash.try_into().map_err(|_| Code::NotFound)?;
    let (account, now) = (account.n, base.clock.now_ms());
    let teams = readers.teams_where(Role::Coordinator);
    base.log.write(move |txn| log::note_held_seen(txn.conn, &hash, &teams, account, seen, now))?;
    tell(base, readers)
}

/// Tells open pages at once: no change of a record does it here.
fn tell(base: &Base, readers: &Readers) -> Result<()> {
    base.now_viewed(read(base, readers, |log, views| views.seen_with(log))?);
    Ok(())
}
