//! For administrators of every team: who may do what, and the tokens of programs.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::super::words;
use super::frame::Frame;
use super::table::{Cell, Row, Table};
use super::{Ask, html};
use crate::accounts::{self, ApiToken, LONGEST_DAYS, Role, Roles, Scope, Wish};
use crate::api::rfc3339;
use crate::error::{Error, Result};
use crate::log::{By, Team};
use crate::web::{Web, blocking};

const PART: &str = "/accounts";
/// In place of a team's id in the form: all of them.
const EVERY: &str = "every";

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    frame: Frame,
    accounts: Table,
    /// Those that may still sign in, by name.
    names: Vec<String>,
    teams: Vec<Team>,
    roles: Vec<&'static str>,
    tokens: Table,
    /// Those that can be revoked.
    working: Vec<Working>,
    scopes: Vec<(&'static str, &'static str)>,
    longest: u32,
}

struct Working {
    n: i64,
    name: String,
}

pub async fn accounts(ask: Ask) -> Response {
    ask.page(|door, frame| {
        let base = &door.web.base;
        let (now, teams) = (base.clock.now_ms(), base.log.read(crate::log::teams)?);
        let all = accounts::list(base)?;
        let rows = all.iter().map(|account| Row {
            key: account.n.to_string(),
            cells: vec![
                Cell::new(&account.name),
                Cell::default().lines(roles(&account.roles, &teams)),
                Cell::new(if account.second_factor { "Yes" } else { "No" }),
                if account.disabled { Cell::tag("Disabled", "nhsuk-tag--grey") } else { Cell::new("") },
            ],
            ..Row::default()
        });
        let head = vec!["Name", "May do", "Second factor", ""];
        let table = Table { caption: "Accounts", head, rows: rows.collect() };
        let tokens = accounts::tokens(base)?;
        let working = tokens.iter().filter(|token| token.works(now));
        let working = working.map(|token| Working { n: token.n, name: token.name.clone() }).collect();
        Ok(AccountsPage {
            accounts: table,
            names: all.into_iter().filter(|one| !one.disabled).map(|one| one.name).collect(),
            teams,
            roles: Role::ALL.iter().map(|role| role.as_str()).collect(),
            tokens: token_table(&tokens, now),
            working,
            scopes: Scope::ALL.iter().map(|scope| (scope.as_str(), said(*scope))).collect(),
            longest: LONGEST_DAYS,
            frame: frame.titled("Accounts and tokens", PART, ""),
        })
    })
    .await
}

fn roles(roles: &Roles, teams: &[Team]) -> Vec<String> {
    match roles {
        Roles::Everywhere(role) => vec![format!("{} in every team", words::spaced(role.as_str()))],
        Roles::Of(of) if of.is_empty() => vec!["Nothing".to_owned()],
        Roles::Of(of) => teams
            .iter()
            .filter_map(|team| {
                Some(format!("{} in {}", words::spaced(of.get(&team.id)?.as_str()), team.name))
            })
            .collect(),
    }
}

fn said(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "Read the JSON API",
        Scope::Write => "Write by the JSON API",
        Scope::Fhir => "Read FHIR",
        Scope::Extract => "Fetch extracts with names in them",
        Scope::ExtractPseudonymous => "Fetch extracts without names",
        Scope::Urgent => "Follow the stream of urgent contacts",
    }
}

fn token_table(tokens: &[ApiToken], now: u64) -> Table {
    let rows = tokens.iter().map(|token| {
        let until = words::when(&rfc3339(token.expires_at));
        let used = token.used_at.map_or_else(|| "Never".to_owned(), |at| words::ago(&rfc3339(at), now));
        Row {
            key: token.n.to_string(),
            cells: vec![
                Cell::new(&token.name),
                Cell::new(&token.account),
                Cell::default().lines(token.scopes.iter().map(|scope| said(*scope).to_owned()).collect()),
                match token.revoked_at {
                    Some(at) => Cell::new(format!("Revoked {}", words::when(&rfc3339(at)))),
                    None => Cell::new(until),
                },
                Cell::new(used),
            ],
            ..Row::default()
        }
    });
    let head = vec!["Token", "In the name of", "May", "Works until", "Last used"];
    Table { caption: "Tokens of programs", head, rows: rows.collect() }
}

/// The fields of a form, some of them several times.
type Sent = Result<Form<Vec<(String, String)>>, FormRejection>;

fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
}

pub async fn set_role(ask: Ask, sent: Sent) -> Response {
    let Ok(Form(fields)) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    done(&ask, move |web, by| {
        let team: Option<RecordId> = match field(&fields, "team") {
            EVERY => None,
            id => Some(id.parse().map_err(|_| Code::BadId)?),
        };
        let role = match field(&fields, "role") {
            "" => None,
            role => Some(Role::parse(role).ok_or(Code::UnknownValue)?),
        };
        accounts::set_role(&web.base, by, field(&fields, "account"), team, role)
    })
    .await
}

#[derive(Template)]
#[template(path = "token.html")]
struct TokenPage {
    frame: Frame,
    name: String,
    text: String,
}

/// Makes a token. It is shown in the answer itself, and nowhere else.
pub async fn add_token(ask: Ask, sent: Sent) -> Response {
    let Ok(Form(fields)) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    let (web, by) = (ask.door.web.clone(), ask.visitor.by());
    let made = blocking(move || {
        let scopes = fields.iter().filter(|(name, _)| name == "scope");
        let wish = Wish {
            account: field(&fields, "account").to_owned(),
            name: field(&fields, "name").trim().to_owned(),
            scopes: scopes.filter_map(|(_, scope)| Scope::parse(scope)).collect(),
            days: field(&fields, "days").trim().parse().unwrap_or_default(),
        };
        Ok((accounts::issue(&web.base, by, &wish)?, wish.name))
    });
    match made.await {
        Ok((text, name)) => {
            let frame = Frame::new(&ask.door, &ask.visitor, "").titled("New token", PART, "");
            html(StatusCode::OK, &TokenPage { frame, name, text })
        }
        Err(error) => ask.refuse(&error),
    }
}

pub async fn revoke_token(ask: Ask, Path(n): Path<String>) -> Response {
    done(&ask, move |web, by| {
        accounts::revoke(&web.base, by, n.parse().map_err(|_| Error::Refused(Code::TokenUnknown))?)
    })
    .await
}

async fn done(ask: &Ask, work: impl FnOnce(&Web, By) -> Result<()> + Send + 'static) -> Response {
    let (web, by) = (ask.door.web.clone(), ask.visitor.by());
    match blocking(move || work(&web, by)).await {
        Ok(()) => Redirect::to(PART).into_response(),
        Err(error) => ask.refuse(&error),
    }
}
