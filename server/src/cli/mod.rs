//! The command line, over what the library offers. Exit 0 only if what was asked happened; otherwise
//! one JSON object `{code, message, retry}` on standard error and exit 1.

mod account;
mod archive;
mod extract;
mod log;
mod quarantine;
mod reference;
mod tablet;
mod team;
#[cfg(test)]
mod tests;
mod text;
mod trace;
mod views;

use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use serde_json::{Map, Value, json};
use tracing_subscriber::EnvFilter;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, RecordId, Scalar, chunk, tablet_id};
use wayside_protocol::staff::shown_value;
use wayside_protocol::sync::frame::{PROTOCOL_VERSION, STREAMED_VERSION};

use self::account::AccountCommand;
use self::quarantine::Quarantine;
use self::reference::ReferenceCommand;
use self::tablet::TabletCommand;
use self::team::{ServiceCommand, StaffCommand, TeamCommand};
use self::views::ViewsCommand;
use crate::accounts;
use crate::archive::{DAYS, daily};
use crate::backup;
use crate::base::{Base, Places};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::keys::TlsFiles;
use crate::log::{Place, Quarantined};
use crate::serve::{Server, ServerConfig};
use crate::views::Views;
use crate::web::DEFAULT_NAME;

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
    Serve(Serve),
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
    /// Copies the log below a directory, proves the copy whole, and prints where it lies. Keys and ledger are not in it.
    Backup {
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        #[command(flatten)]
        data: Data,
    },
    /// Makes a server from a backup, in a directory that holds its keys and ledger (DIR/keys) and nothing else.
    Restore {
        /// As `backup` printed it.
        #[arg(long, value_name = "BACKUP")]
        from: PathBuf,
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Args)]
struct Data {
    /// The server's data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Args)]
struct Shared {
    /// A log that nodes share: postgres://USER@HOST/DATABASE, or file:PATH of a file with such an address. Also from
    /// WAYSIDE_LOG_URL. Who may list this machine's processes reads what stands here: put no password here.
    #[arg(long, value_name = "URL")]
    log: Option<String>,
    /// The ledger of such a log, in another database. Also from WAYSIDE_LEDGER_URL.
    #[arg(long, value_name = "URL")]
    ledger: Option<String>,
}

impl Data {
    fn places(&self) -> Result<Places> {
        places(self.shared.log.as_ref(), self.shared.ledger.as_ref())
    }

    fn open(&self) -> Result<Base> {
        Base::open_at(&self.data, &self.places()?, Clock::default())
    }
}

fn places(log: Option<&String>, ledger: Option<&String>) -> Result<Places> {
    for typed in log.into_iter().chain(ledger) {
        Place::typed(typed)?;
    }
    let given = |said: Option<&String>, name| said.cloned().or_else(|| std::env::var(name).ok());
    let (log, ledger) = (given(log, "WAYSIDE_LOG_URL"), given(ledger, "WAYSIDE_LEDGER_URL"));
    Places::parse(log.as_deref(), ledger.as_deref())
}

#[derive(Args)]
struct Print {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: Data,
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    data: Data,
    /// Port 0 takes any that is free.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    listen: String,
    /// Where tablets reach this server, if that is not where it listens.
    #[arg(long)]
    url: Option<String>,
    /// Tablets that speak an older version of the sync protocol only send, and are told to be updated.
    #[arg(long, value_name = "N", default_value_t = PROTOCOL_VERSION, value_parser = clap::value_parser!(u8).range(i64::from(PROTOCOL_VERSION)..=i64::from(STREAMED_VERSION)))]
    oldest_version: u8,
    /// Once a day, what nobody has changed for so many days leaves the tablets; 0 for never.
    #[arg(long, value_name = "DAYS", default_value_t = DAYS)]
    archive_after: u32,
    /// A certificate chain (PEM) instead of our own.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM). Tablets pin this key: keep it when the certificate is renewed.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// An administrator without a second factor may do nothing on the pages but set one up.
    #[arg(long)]
    administrators_need_second_factor: bool,
    /// What the pages call your service.
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
    /// Serves the pages without TLS, too, for a browser on this machine, as in 127.0.0.1:8080.
    #[arg(long, value_name = "ADDR")]
    pages: Option<String>,
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
        Command::Serve(serve) => serve_until_signal(serve, out),
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
        Command::Backup { to, data } => {
            let made = backup::backup(&existing(&data)?, &to)?;
            writeln!(out, "{}", made.display()).map_err(printing)
        }
        Command::Restore { from, data } => {
            let (places, clock) = (data.places()?, Clock::default());
            let restored = match places.are_shared() {
                true => backup::restore_shared(&from, &data.data, &places, &clock)?,
                false => backup::restore(&from, &data.data, &clock)?,
            };
            let made_at = restored.made_at;
            writeln!(out, "Restored as of {made_at}. Tablets give back what came later when they sync next.")
                .map_err(printing)
        }
    }
}

/// The directory of a server that is there already: a mistyped one must not become a new server.
fn existing(data: &Data) -> Result<Base> {
    is_there(data)?;
    data.open()
}

fn is_there(data: &Data) -> Result<()> {
    if !data.places()?.are_shared() && !data.data.join("log.db").is_file() {
        return Err(Error::File("data directory", ErrorKind::NotFound.into()));
    }
    Ok(())
}

/// The views, as far as the log has got.
fn views(print: &Print) -> Result<Views> {
    let base = existing(&print.data)?;
    let mut views = Views::open(base.data())?;
    views.catch_up(&base.log)?;
    Ok(views)
}

fn serve_until_signal(serve: Serve, out: &mut impl Write) -> Result<()> {
    // Nothing of ours carries personal data; what dependencies say is kept to warnings.
    let filter =
        EnvFilter::try_from_env("WAYSIDE_LOG").unwrap_or_else(|_| EnvFilter::new("warn,wayside_server=info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::File("async runtime", error))?;
    runtime.block_on(async {
        let tls = serve.tls_cert.zip(serve.tls_key).map(|(cert, key)| TlsFiles { cert, key });
        let places = serve.data.places()?;
        let (data, listen, url, clock) = (serve.data.data, serve.listen, serve.url, Clock::default());
        let (name, pages) = (serve.name, serve.pages);
        let running =
            Server::start(ServerConfig { data, places, listen, url, tls, name, pages, clock }).await?;
        running.base().require_version(serve.oldest_version);
        if serve.administrators_need_second_factor {
            running.base().require_second_factor();
        }
        let daily = (serve.archive_after > 0)
            .then(|| tokio::spawn(daily(running.base().clone(), serve.archive_after)));
        let mut said = writeln!(out, "Wayside is listening on https://{}", running.addr);
        if let Some(addr) = running.pages_addr() {
            said = said.and_then(|()| writeln!(out, "The pages are at http://{addr}"));
        }
        let said = said.and_then(|()| out.flush());
        let served = match said {
            Ok(()) => running.until_signal().await,
            Err(error) => running.shutdown().await.and(Err(printing(error))),
        };
        if let Some(daily) = daily {
            let _ = daily.await;
        }
        served
    })
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
