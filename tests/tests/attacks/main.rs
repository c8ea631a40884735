//! What attackers try, each against a real server over TLS, or a real tablet: everything is refused by its code. Each test
//! also does the same honestly, which works: so that a refusal proves something.
#![allow(clippy::unwrap_used)]

mod bombs;
mod forged;
mod left_behind;
mod other_team;
mod pages;
mod paper;
mod paths;
mod rebinding;
mod smuggled;
mod sql;
mod stolen;
mod target;
mod tls;
mod wire;
