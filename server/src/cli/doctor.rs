//! `wayside doctor`.

use std::io::Write;

use clap::Args;
use serde_json::json;
use wayside_protocol::error::Code;

use super::data::Data;
use super::printing;
use crate::clock::Clock;
use crate::error::Result;
use crate::health::doctor::{Finding, Patient, State, examine, worst};

#[derive(Args)]
pub struct Doctor {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Also what takes as long as the log is large: every page, each team's fingerprint, the audit trail.
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    data: Data,
}

pub fn doctor(doctor: &Doctor, out: &mut impl Write) -> Result<()> {
    let settings = doctor.data.settings()?;
    let data = settings.data()?;
    let patient = Patient { settings: &settings, data, clock: Clock::default(), deep: doctor.deep };
    let findings = examine(&patient)?;
    let state = worst(&findings);
    if doctor.json {
        writeln!(out, "{}", json!({"state": state, "checks": findings}))
    } else {
        print(&findings, out)
    }
    .map_err(printing)?;
    match state {
        State::Fail => Err(Code::DoctorFailed.into()),
        State::Ok | State::Warn => Ok(()),
    }
}

fn print(findings: &[Finding], out: &mut impl Write) -> std::io::Result<()> {
    for Finding { check, state, found, means, do_this } in findings {
        let state = match state {
            State::Ok => "ok  ",
            State::Warn => "warn",
            State::Fail => "FAIL",
        };
        writeln!(out, "{state}  {check}: {found}")?;
        for line in [means, do_this].iter().filter(|line| !line.is_empty()) {
            writeln!(out, "      {line}")?;
        }
    }
    Ok(())
}
