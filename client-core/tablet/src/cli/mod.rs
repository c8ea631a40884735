//! The command line. Exit 0 only if what was asked happened; otherwise one JSON object `{code, message, retry}` on
//! standard error and exit 1. (`record` reports each bad line as an object of its own.)

mod care;
mod commands;
mod look_up;
mod staff;
#[cfg(test)]
mod tests;
mod text;

use std::{
    ffi::OsString,
    io::{self, ErrorKind, Write},
    net::SocketAddr,
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};
use wayside_client_core::{Code, Error};

/// Who records, where nobody says.
const UNKNOWN_STAFF: &str = "unknown";

/// A tablet of Wayside: records offline, syncs when there is signal.
#[derive(Parser)]
#[command(name = "wayside-tablet", version)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Common {
    /// Where this tablet keeps its records.
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The file with the key of the records; by default DIR.key, made on first use.
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Who records.
    #[arg(long, global = true, value_name = "ID", default_value = UNKNOWN_STAFF)]
    staff: String,
    /// The team of what is new, by name or id; only needed on a tablet of several teams.
    #[arg(long, global = true)]
    team: Option<String>,
    /// Prints JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Joins a team with a one-time code.
    Enrol {
        code: String,
        /// What people call this tablet; by default the name of its directory.
        #[arg(long)]
        name: Option<String>,
    },
    /// Records contacts, one JSON object a line, and prints the id of each once it is on disk.
    Record {
        /// The lines; `-` is standard input.
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
        /// Saves what no person could.
        #[cfg(feature = "unchecked")]
        #[arg(long)]
        unchecked: bool,
        /// Does not look for people who are here already. Otherwise each line whose new person is likely one of them
        /// is recorded, and named on standard error.
        #[arg(long)]
        no_duplicates: bool,
    },
    /// Sets fields of a record. Setting a field that is in conflict settles it.
    Edit {
        id: String,
        /// A path and its new value: JSON, else text.
        #[arg(long, required = true, num_args = 1.., value_name = "PATH=VALUE")]
        set: Vec<String>,
    },
    /// Corrects a reading or measurement by a new one, whose id is printed.
    Correct {
        id: String,
        reading: String,
        /// What was wrong, and what is right.
        #[arg(long, required = true, num_args = 1.., value_name = "NAME=VALUE")]
        set: Vec<String>,
        #[arg(long)]
        reason: Option<String>,
    },
    /// Strikes out an entry: it stays, and no longer counts.
    StrikeOut {
        id: String,
        /// Its path, or the id of a reading or measurement.
        entry: String,
        #[arg(long)]
        reason: String,
    },
    /// Adds to one of a session's counts.
    Tally {
        session: String,
        name: String,
        #[arg(default_value_t = 1, allow_negative_numbers = true)]
        n: i64,
    },
    /// Shows a record.
    Show { id: String },
    /// Lists records, the last one first.
    List {
        /// site, session, person, contact or team.
        #[arg(long)]
        kind: Option<String>,
    },
    #[command(flatten)]
    Care(care::Care),
    #[command(flatten)]
    InFront(staff::InFront),
    #[command(flatten)]
    AtBase(look_up::AtBase),
    /// Finds persons and sites by all these words: parts of names, dates of birth, numbers.
    Search {
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Sends what is waiting and fetches what is new.
    Sync,
    /// Gives this tablet a new key: copies of it, if there are any, can sync no more.
    RenewKey,
    /// How things stand.
    Status,
    /// Serves the touch page to the browser on this device, and syncs in the background. Prints its address first.
    Ui {
        /// An address of this device only; port 0 is any free one.
        #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
        listen: SocketAddr,
    },
}

/// Why a command did not do what was asked.
enum Failure {
    Error(Error),
    /// What is wrong with the arguments.
    Usage(String),
    Output(io::Error),
    /// Has been said already.
    Said,
}

type Done<T = ()> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

impl Failure {
    fn to_json(&self) -> Option<Value> {
        let (code, message, retry) = match self {
            Failure::Error(error) => (error.code_text().to_owned(), error.to_string(), error.retry()),
            Failure::Usage(message) => {
                (Code::BadArguments.as_str().to_owned(), message.clone(), Code::BadArguments.retry())
            }
            Failure::Output(_) => {
                let message = "The output could not be written.".to_owned();
                (Code::StorageFailed.as_str().to_owned(), message, true)
            }
            Failure::Said => return None,
        };
        let mut said = json!({"code": code, "message": message, "retry": retry});
        if let (Failure::Error(Error::SignIn(refused)), Some(said)) = (self, said.as_object_mut()) {
            said.insert("tries_left".into(), json!(refused.tries_left));
            said.insert("locked_until".into(), json!(refused.locked_until));
            said.insert("locked_seconds".into(), json!(refused.locked_seconds));
        }
        Some(said)
    }
}

/// Runs one command and returns the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let done = match Cli::try_parse_from(args) {
        Ok(cli) => commands::command(&cli.common, cli.command, out, err),
        // Help and version are what was asked for.
        Err(error) if !error.use_stderr() => write!(out, "{error}").map_err(Failure::Output),
        Err(error) => Err(Failure::Usage(usage(&error))),
    };
    match done.and_then(|()| out.flush().map_err(Failure::Output)) {
        Ok(()) => 0,
        // Whoever read enough closed the pipe.
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => 0,
        Err(failure) => {
            if let Some(json) = failure.to_json() {
                let _ = writeln!(err, "{json}");
            }
            1
        }
    }
}

/// What is wrong with the arguments, in one line; clap's advice is for people at a terminal.
fn usage(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.starts_with("Usage")).map(str::trim);
    let joined = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    joined.trim_start_matches("error: ").to_owned()
}
