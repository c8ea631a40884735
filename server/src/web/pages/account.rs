//! Everybody's own account: where it is signed in, its password, its second factor.

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use wayside_protocol::error::Code;

use super::super::sign_in::hashing;
use super::super::words;
use super::fleet::{Picture, picture};
use super::frame::Frame;
use super::table::{Cell, Fact, Row, Table};
use super::{Ask, html};
use crate::accounts::{self, Account, Roles, second};
use crate::api::rfc3339;
use crate::error::{Error, Result};
use crate::web::{Visitor, Web, blocking};

const PART: &str = "/account";

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    facts: Vec<Fact>,
    logins: Table,
    has_second_factor: bool,
    /// Must set one up before anything else.
    needs_second_factor: bool,
    codes_left: String,
    /// Whether they look after everybody's.
    keeps_accounts: bool,
}

pub async fn account(ask: Ask) -> Response {
    let visitor = ask.visitor.clone();
    ask.page(move |door, frame| {
        let web = &door.web;
        let login = visitor.login.as_ref().ok_or(Code::NotSignedIn)?;
        let account = &login.account;
        let mut facts = vec![Fact::new("Name", &account.name)];
        facts.extend(roles(web, &account.roles)?);
        let rows = accounts::logins(&web.base, login)?.into_iter().map(|one| Row {
            key: format!("{}-{}", one.began_at, one.this),
            cells: vec![
                Cell::new(words::when(&rfc3339(one.began_at))),
                Cell::new(words::when(&rfc3339(one.used_at))),
                Cell::new(if one.this { "This one" } else { "" }),
            ],
            ..Row::default()
        });
        let head = vec!["Signed in", "Last used", ""];
        let logins = Table { caption: "Where you are signed in", head, rows: rows.collect() };
        let left = second::codes_left(&web.base, account.n)?;
        Ok(AccountPage {
            facts,
            logins,
            has_second_factor: account.second_factor,
            needs_second_factor: !account.second_factor
                && web.base.second_factor_needed()
                && account.roles.highest() == Some(accounts::Role::Administrator),
            keeps_accounts: account.roles.everywhere() == Some(accounts::Role::Administrator),
            codes_left: words::count(left.cast_signed(), "recovery code"),
            frame: frame.titled("Your account", PART, ""),
        })
    })
    .await
}

/// What an account may do, a line for each team.
fn roles(web: &Web, roles: &Roles) -> Result<Vec<Fact>> {
    let of = match roles {
        Roles::Everywhere(role) => return Ok(vec![Fact::new("In every team", words::spaced(role.as_str()))]),
        Roles::Of(of) => of,
    };
    let teams = web.base.log.read(|log| web.readers.known_teams(log))?;
    let known = teams.into_iter().filter_map(|team| Some((team.name, of.get(&team.id)?.as_str())));
    Ok(known.map(|(name, role)| Fact::new(&name, words::spaced(role))).collect())
}

#[derive(Deserialize)]
pub struct Passwords {
    current: String,
    new: String,
    again: String,
}

pub async fn change_password(ask: Ask, sent: Result<Form<Passwords>, FormRejection>) -> Response {
    let Ok(Form(Passwords { current, new, again })) = sent else {
        return ask.refuse(&Code::BadArguments.into());
    };
    if new != again {
        let says = "The new password was not typed the same twice.".to_owned();
        return ask.refuse(&Error::Said(Code::PasswordRefused, says));
    }
    let (login, by) = (ask.visitor.login.clone(), ask.visitor.by());
    let changed = hashing(&ask.door, move |web| {
        let login = login.ok_or(Code::NotSignedIn)?;
        accounts::change_password(&web.base, &web.throttle, &by, &login, (&current, &new))
    });
    back(&ask, changed.await)
}

pub async fn sign_out_everywhere(ask: Ask) -> Response {
    let (web, visitor) = (ask.door.web.clone(), ask.visitor.clone());
    let done =
        blocking(move || accounts::sign_out_everywhere(&web.base, &visitor.by(), visitor.account()?)).await;
    back(&ask, done)
}

#[derive(Template)]
#[template(path = "second-factor.html")]
struct SetupPage {
    frame: Frame,
    secret: String,
    picture: Picture,
}

/// Begins to set one up, by who knows the password: somebody who finds a browser signed in keeps nobody out of their own
/// account. What the app must know is shown in the answer itself, and nowhere else.
pub async fn begin(ask: Ask, sent: Result<Form<Password>, FormRejection>) -> Response {
    let Ok(Form(Password { password })) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    let visitor = ask.visitor.clone();
    let begun = hashing(&ask.door, move |web| {
        let account = who_knows(web, &visitor, &password)?;
        let setup = second::begin(&web.base, &visitor.by(), account, &web.name)?;
        Ok((picture(&setup.url)?, setup.secret))
    });
    match begun.await {
        Ok((picture, secret)) => {
            let frame = Frame::new(&ask.door, &ask.visitor, "").titled("Set up a second factor", PART, "");
            html(StatusCode::OK, &SetupPage { frame, secret, picture })
        }
        Err(error) => ask.refuse(&error),
    }
}

#[derive(Deserialize)]
pub struct Shown {
    code: String,
}

#[derive(Template)]
#[template(path = "recovery-codes.html")]
struct CodesPage {
    frame: Frame,
    codes: Vec<String>,
}

pub async fn confirm(ask: Ask, sent: Result<Form<Shown>, FormRejection>) -> Response {
    let Ok(Form(Shown { code })) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    let visitor = ask.visitor.clone();
    let confirmed =
        hashing(&ask.door, move |web| second::confirm(&web.base, &visitor.by(), visitor.account()?, &code));
    match confirmed.await {
        Ok(codes) => {
            let frame = Frame::new(&ask.door, &ask.visitor, "").titled("Recovery codes", PART, "");
            html(StatusCode::OK, &CodesPage { frame, codes })
        }
        Err(error) => ask.refuse(&error),
    }
}

#[derive(Deserialize)]
pub struct Password {
    password: String,
}

/// Takes it away, by who knows the password: somebody who finds a browser signed in does not.
pub async fn remove(ask: Ask, sent: Result<Form<Password>, FormRejection>) -> Response {
    let Ok(Form(Password { password })) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    let visitor = ask.visitor.clone();
    let removed = hashing(&ask.door, move |web| {
        let account = who_knows(web, &visitor, &password)?;
        second::remove(&web.base, visitor.by(), account)
    });
    back(&ask, removed.await)
}

/// The account of who is signed in, and knows its password, too.
fn who_knows<'a>(web: &Web, visitor: &'a Visitor, password: &str) -> Result<&'a Account> {
    let account = visitor.account()?;
    accounts::check_password(&web.base, &web.throttle, account, password, web.base.clock.now_ms())?;
    Ok(account)
}

fn back(ask: &Ask, done: Result<()>) -> Response {
    match done {
        Ok(()) => Redirect::to(PART).into_response(),
        Err(error) => ask.refuse(&error),
    }
}
