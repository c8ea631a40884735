//! The command line, over what the library offers. Exit 0 only if what was asked happened; otherwise
//! one JSON object `{code, message, retry}` on standard error and exit 1.

mod account;
mod archive;
mod backup;
mod config;
mod data;
mod doctor;
mod extract;
mod log;
mod quarantine;
mod reference;
mod serve;
mod tablet;
mod team;
#[cfg(test)]
mod tests;
mod text;
mod trace;
mod views;

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use serde_json::{Map, Value, json};
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, RecordId, Scalar, chunk, tablet_id};
use wayside_protocol::staff::shown_value;

use self::account::AccountCommand;
use self::config::ConfigCommand;
use self::data::Data;
use self::quarantine::Quarantine;
use self::reference::ReferenceCommand;
use self::tablet::TabletCommand;
use self::team::{ServiceCommand, StaffCommand, TeamCommand};
use self::views::ViewsCommand;
use crate::accounts;
use crate::base::Base;
use crate::error::{Error, Result};
use crate::log::Quarantined;
use crate::views::Views;

/// The server of Wayside: what was recorded in the field comes together here.
#[derive(Parser)]
#[command(name = "wayside", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Listens for tablets until it is asked to end.
    Serve(Box<serve::Serve>),
    /// The configuration: what is wrong with it, what holds, and an example.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Looks at the server from all sides and says of each what it means and what to do. Exit 1 where something fails.
    Doctor(doctor::Doctor),
    /// Teams: who shares which records.
    Team {
        #[command(subcommand)]
        command: TeamCommand,
    },
    /// Prints a code with which one tablet joins a team, within 24 hours.
    EnrolCode {
        #[arg(long)]
        team: String,
        /// Where tablets reach this server; by default where it listened last.
        #[arg(long)]
        url: Option<String>,
        #[command(flatten)]
        data: Data,
    },
    /// Tablets: which there are, and revoking one.
    Tablet {
        #[command(subcommand)]
        command: TabletCommand,
    },
    /// A team's staff, who sign in on its tablets.
    Staff {
        #[command(subcommand)]
        command: StaffCommand,
    },
    /// The services that a team refers to.
    Service {
        #[command(subcommand)]
        command: ServiceCommand,
    },
    /// Accounts: who may see the pages.
    Account {
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Prints a link that signs an account in once, within ten minutes.
    SignInLink {
        name: String,
        /// Where people find the pages; by default where they were served last.
        #[arg(long, value_name = "URL")]
        base: Option<String>,
        #[command(flatten)]
        data: Data,
    },
    /// Shows a record by its id; or list, worklist, quarantine.
    Show {
        #[arg(value_name = "ID|list|worklist|quarantine")]
        what: String,
        #[command(flatten)]
        print: Print,
    },
    /// Lists records.
    List {
        /// team, site, session, person or contact.
        #[arg(long)]
        kind: Option<String>,
        #[command(flatten)]
        print: Print,
    },
    /// Finds records in which all these words occur.
    Search {
        #[arg(required = true)]
        text: Vec<String>,
        #[command(flatten)]
        print: Print,
    },
    /// Contacts that somebody must look at, the most urgent first.
    Worklist(Print),
    /// Changes that could not be accepted, and why.
    Quarantine(Quarantine),
    /// Takes off the tablets what nobody has changed for a while; the server keeps it.
    Archive(archive::Archive),
    /// Erases a person with all contacts, here and on every tablet.
    Erase(archive::Erase),
    /// The audit trail: who looked, searched, took away, signed in and administered; and whether it is whole.
    Audit(archive::Audit),
    /// Writes CSV files for a data warehouse or a spreadsheet, whole or what changed since an earlier extract.
    Extract(extract::Extract),
    /// Who is given extracts without names.
    Recipient {
        #[command(subcommand)]
        command: extract::RecipientCommand,
    },
    /// Reference data: postcodes, deprivation, practices, populations.
    Reference {
        #[command(subcommand)]
        command: ReferenceCommand,
    },
    /// What pages read: derived from the log, and made again when it is missing.
    Views {
        #[command(subcommand)]
        command: ViewsCommand,
    },
    /// Where the log lies: moving it, and proving and announcing what a database's own tools restored.
    Log {
        #[command(subcommand)]
        command: log::LogCommand,
    },
    /// Copies the log below a directory, encrypted if a public key is given, proves the copy whole, and prints where it lies.
    /// Keys and ledger are not in it.
    Backup(self::backup::Backup),
    /// Makes a server from a backup, in a directory that holds its keys and ledger (DIR/keys) and nothing else.
    Restore(self::backup::Restore),
}

#[derive(Args)]
struct Print {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: Data,
}

/// Runs one command line and returns the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let parsed = Cli::command()
        .try_get_matches_from(args)
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let done = match parsed {
        Ok((cli, matches)) => command(cli.command, out).and_then(|()| trace::trace(&matches)),
        // Help and version are what was asked for.
        Err(error) if !error.use_stderr() => write!(out, "{error}").map_err(printing),
        Err(error) => Err(Error::Said(Code::BadArguments, usage(&error))),
    };
    match done.and_then(|()| out.flush().map_err(printing)) {
        Ok(()) => 0,
        // Whoever read enough closed the pipe.
        Err(Error::File(_, error)) if error.kind() == ErrorKind::BrokenPipe => 0,
        Err(error) => {
            tracing::debug!(detail = error.detail(), "failed");
            let _ = writeln!(err, "{}", error.to_json());
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

fn printing(error: io::Error) -> Error {
    Error::File("output", error)
}

fn command(command: Command, out: &mut impl Write) -> Result<()> {
    match command {
        Command::Serve(serve) => serve::serve(*serve, out),
        Command::Config { command } => config::config(command, out),
        Command::Doctor(doctor) => doctor::doctor(&doctor, out),
        Command::Team { command } => team::team(command, out),
        Command::Tablet { command } => tablet::run(command, out),
        Command::Staff { command } => team::staff(command, out),
        Command::Service { command } => team::service(command, out),
        Command::EnrolCode { team, url, data } => {
            let code = existing(&data)?.enrol_code(&team, url.as_deref())?;
            writeln!(out, "{}", code.to_text()).map_err(printing)
        }
        Command::Account { command } => account::run(command, out),
        Command::SignInLink { name, base, data } => {
            let server = existing(&data)?;
            let url = base.map_or_else(|| server.pages_url(), Ok)?;
            let link = accounts::sign_in_link(&server, &name, &url)?;
            writeln!(out, "{link}").map_err(printing)
        }
        Command::Show { what, print } => match what.as_str() {
            "list" => list(None, &print, out),
            "worklist" => worklist(&print, out),
            "quarantine" => quarantine::list(&print, out),
            id => show(id, &print, out),
        },
        Command::List { kind, print } => list(kind.as_deref(), &print, out),
        Command::Search { text, print } => {
            let found = views(&print)?.search(&text.join(" "))?;
            print_records(found, &print, out)
        }
        Command::Worklist(print) => worklist(&print, out),
        Command::Quarantine(command) => quarantine::run(command, out),
        Command::Archive(args) => archive::archive(&args, out),
        Command::Erase(args) => archive::erase(&args, out),
        Command::Audit(args) => archive::audit(&args, out),
        Command::Extract(args) => extract::extract(&args, out),
        Command::Recipient { command } => extract::recipient(command, out),
        Command::Reference { command } => reference::reference(command, out),
        Command::Views { command } => self::views::views(command, out),
        Command::Log { command } => log::log(command, out),
        Command::Backup(args) => self::backup::backup(args, out),
        Command::Restore(args) => self::backup::restore(args, out),
    }
}

/// A server that is there already: a mistyped directory must not become a new one.
fn existing(data: &Data) -> Result<Base> {
    data.existing()
}

/// The views, as far as the log has got.
fn views(print: &Print) -> Result<Views> {
    let base = existing(&print.data)?;
    let mut views = Views::open(base.data())?;
    views.catch_up(&base.log)?;
    Ok(views)
}

fn show(id: &str, print: &Print, out: &mut impl Write) -> Result<()> {
    let id: RecordId = id.parse().map_err(|_| Code::BadId)?;
    let record = views(print)?.show(id)?.ok_or(Code::RecordNotFound)?;
    if print.json {
        return writeln!(out, "{record}").map_err(printing);
    }
    text::record(&record, out).map_err(printing)
}

fn list(kind: Option<&str>, print: &Print, out: &mut impl Write) -> Result<()> {
    let kind = kind.map(|kind| {
        Kind::parse(kind).ok_or_else(|| {
            let kinds = Kind::ALL.map(Kind::as_str).join(", ");
            Error::Said(Code::UnknownValue, format!("A kind is one of: {kinds}."))
        })
    });
    let records = views(print)?.list(kind.transpose()?)?;
    print_records(records, print, out)
}

fn print_records(records: Vec<Value>, print: &Print, out: &mut impl Write) -> Result<()> {
    if print.json {
        return writeln!(out, "{}", Value::Array(records)).map_err(printing);
    }
    text::records(&records, out).map_err(printing)
}

fn worklist(print: &Print, out: &mut impl Write) -> Result<()> {
    let mut items = views(print)?.worklist()?;
    if print.json {
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.remove("started_at");
        }
        return writeln!(out, "{}", Value::Array(items)).map_err(printing);
    }
    text::worklist(&items, out).map_err(printing)
}

/// One change in quarantine, with what it would have written where that can be read.
pub fn quarantined(change: &Quarantined) -> Value {
    let values = chunk::parse(&change.raw).ok().map(|chunk| {
        let values = chunk.writes().map(|(path, value)| {
            let value = Scalar::from_chunk(&value).map_or(Value::Null, |value| value.to_json());
            (path.to_owned(), shown_value(path, value))
        });
        values.collect::<Map<_, _>>()
    });
    let received_at = i64::try_from(change.received_at)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|at| at.to_string());
    json!({
        "team": change.team.to_string(),
        "record": change.record.to_string(),
        "hash": data_encoding::HEXLOWER.encode(&change.hash),
        "code": change.code,
        "path": change.path,
        "message": change.message,
        "tablet": change.tablet,
        "author": tablet_id(&change.author),
        "received_at": received_at,
        "values": values,
    })
}
