//! Commands about who is in front of the tablet. PINs are read from standard input, where no list of processes
//! shows them.

use std::io::{self, BufRead, Write};

use clap::Subcommand;
use serde_json::json;
use wayside_client_core::{Code, Error, StaffMember, Tablet};

use super::{Common, Done};

#[derive(Subcommand)]
pub enum InFront {
    /// Lists the team's staff, as far as this tablet knows it.
    Staff,
    /// Checks a member's PIN, the first line of standard input. What is recorded by `--staff` needs none: a PIN gates the
    /// screen.
    SignIn {
        /// The member's id, from `staff`.
        member: String,
    },
    /// Lets in a member who forgot their PIN or is locked. Without `--code`, prints the digits to read to a coordinator.
    Unlock {
        member: String,
        /// The coordinator's answer. The new PIN is the first line of standard input.
        #[arg(long)]
        code: Option<String>,
    },
}

pub fn command(tablet: &Tablet, common: &Common, command: InFront, out: &mut impl Write) -> Done {
    match command {
        InFront::Staff => {
            let staff = tablet.staff()?;
            if common.json {
                writeln!(out, "{}", json!(staff))?;
            } else if staff.is_empty() {
                writeln!(out, "The team has no list of its staff: say who records with --staff.")?;
            } else {
                staff.iter().try_for_each(|member| writeln!(out, "{}", line(member)))?;
            }
        }
        InFront::SignIn { member } => {
            let signed_in = tablet.sign_in(&member, &first_line()?)?;
            if common.json {
                writeln!(out, "{}", json!(signed_in))?;
            } else {
                writeln!(out, "{} may use this tablet.", signed_in.name)?;
            }
        }
        InFront::Unlock { member, code: None } => {
            let challenge = tablet.unlock_challenge(&member)?;
            if common.json {
                writeln!(out, "{}", json!(challenge))?;
            } else {
                writeln!(out, "{}", challenge.digits)?;
            }
        }
        InFront::Unlock { member, code: Some(code) } => {
            tablet.unlock(&member, &code, &first_line()?)?;
            if common.json {
                writeln!(out, "{}", json!({"staff": member}))?;
            } else {
                writeln!(out, "The new PIN holds on this tablet.")?;
            }
        }
    }
    Ok(())
}

fn line(member: &StaffMember) -> String {
    let state = match (&member.locked_until, member.has_pin) {
        (Some(until), _) => format!("locked until {until}"),
        (None, true) => String::new(),
        (None, false) => "no PIN yet".to_owned(),
    };
    [&member.id, &member.name, &member.role, &state].map(String::as_str).join("\t")
}

fn first_line() -> Done<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|_| Error::Failed(Code::PinRefused))?;
    Ok(line.trim().to_owned())
}
