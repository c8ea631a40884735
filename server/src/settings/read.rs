//! What stands in a file, a variable or an argument, and everything that is wrong with it.

use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use tracing_subscriber::EnvFilter;

use super::table::{Kind, SETTINGS, Setting, setting_of};
use crate::limits::Net;
use crate::log::Place;

/// A key that is less alike than this is no misspelling.
const ALIKE: f64 = 0.6;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(u64),
    Flag(bool),
    List(Vec<String>),
}

/// One thing that is wrong. It never quotes a value: there may be a password in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `12` is a line of the file; otherwise the variable or the argument.
    pub place: String,
    pub says: String,
}

/// Reads a file whole: what could be taken from it, with the line of each, and all that is wrong.
pub fn file(text: &str) -> (Vec<(&'static Setting, Value, usize)>, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reading = Reading { text, found: Vec::new(), problems: Vec::new() };
    for error in &errors {
        reading.wrong(error.span().unwrap_or(0..0), error.message().to_owned());
    }
    reading.table(table.get_ref(), "");
    reading.problems.sort_by_key(|(line, _)| *line);
    let place = |(line, says): (usize, String)| Problem { place: line.to_string(), says };
    (reading.found, reading.problems.into_iter().map(place).collect())
}

struct Reading<'a> {
    text: &'a str,
    found: Vec<(&'static Setting, Value, usize)>,
    problems: Vec<(usize, String)>,
}

impl Reading<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn wrong(&mut self, span: Range<usize>, says: String) {
        let line = self.line(&span);
        // One misplaced character makes the parser stumble several times.
        if !self.problems.iter().any(|(known, _)| *known == line) {
            self.problems.push((line, says));
        }
    }

    fn table(&mut self, table: &DeTable, above: &str) {
        for (name, value) in table {
            let key = match above {
                "" => name.get_ref().to_string(),
                above => format!("{above}.{}", name.get_ref()),
            };
            let is_table = SETTINGS.iter().any(|setting| {
                setting.key.strip_prefix(key.as_str()).is_some_and(|rest| rest.starts_with('.'))
            });
            match (setting_of(&key), value.get_ref()) {
                (Some(setting), _) => self.setting(setting, value),
                (None, DeValue::Table(inner)) if is_table => self.table(inner, &key),
                (None, _) if is_table => self.wrong(name.span(), format!("[{key}] is a table of settings.")),
                (None, _) => self.wrong(name.span(), unknown(&key)),
            }
        }
    }

    fn setting(&mut self, setting: &'static Setting, value: &Spanned<DeValue>) {
        let span = value.span();
        let read = match (setting.kind, value.get_ref()) {
            (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
            (Kind::Number(..), DeValue::Integer(number)) => {
                let number = u64::from_str_radix(number.as_str(), number.radix());
                number.map(Value::Number).map_err(|_| wants(setting))
            }
            (Kind::List | Kind::Networks, DeValue::Array(items)) => {
                let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
                texts.collect::<Option<_>>().map(Value::List).ok_or_else(|| wants(setting))
            }
            (Kind::Flag | Kind::Number(..) | Kind::List | Kind::Networks, _) => Err(wants(setting)),
            (_, DeValue::String(text)) => Ok(Value::Text(text.to_string())),
            _ => Err(wants(setting)),
        };
        match read.and_then(|value| checked(setting, value)) {
            Ok(value) => {
                let line = self.line(&span);
                self.found.push((setting, value, line));
            }
            Err(says) => self.wrong(span, says),
        }
    }
}

/// Reads one from the environment or from the command line.
pub fn typed(setting: &'static Setting, text: &str) -> Result<Value, String> {
    let value = match setting.kind {
        Kind::Flag => match text {
            "true" | "yes" | "1" => Value::Flag(true),
            "false" | "no" | "0" => Value::Flag(false),
            _ => return Err(wants(setting)),
        },
        Kind::Number(..) => Value::Number(text.parse().map_err(|_| wants(setting))?),
        Kind::List | Kind::Networks => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::List(items.map(str::to_owned).collect())
        }
        _ => Value::Text(text.to_owned()),
    };
    checked(setting, value)
}

/// A value that its kind allows.
fn checked(setting: &Setting, value: Value) -> Result<Value, String> {
    let fits = match (&value, setting.kind) {
        (Value::Number(number), Kind::Number(least, most)) => (least..=most).contains(number),
        (Value::Text(text), Kind::Address) => is_address(text),
        (Value::Text(text), Kind::Local) => is_address(text) && is_local(text),
        (Value::Text(text), Kind::Url) => {
            text.strip_prefix("https://").is_some_and(|rest| !rest.trim_matches('/').is_empty())
        }
        (Value::Text(text), Kind::One(words)) => words.contains(&text.as_str()),
        (Value::Text(text), Kind::Database) => Place::is_one(text) || text.starts_with(CREDENTIAL),
        (Value::Text(text), Kind::Filter) => EnvFilter::try_new(text).is_ok(),
        (Value::Text(text), Kind::Text | Kind::Path) => !text.trim().is_empty(),
        (Value::List(items), Kind::Networks) => items.iter().all(|item| item.parse::<Net>().is_ok()),
        (Value::Flag(_), Kind::Flag) | (Value::List(_), Kind::List) => true,
        _ => false,
    };
    if fits { Ok(value) } else { Err(wants(setting)) }
}

/// A file of the directory in which systemd puts what a unit names under `LoadCredential`.
pub const CREDENTIAL: &str = "credential:";

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn is_local(text: &str) -> bool {
    let host = text.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']));
    host.is_some_and(|host| {
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

fn wants(setting: &Setting) -> String {
    let what = match setting.kind {
        Kind::Text => "a text in quotes".into(),
        Kind::Path => "the path of a file or directory, in quotes".into(),
        Kind::Address => "an address with a port, as in \"127.0.0.1:8443\"".into(),
        Kind::Local => "an address of this machine with a port, as in \"127.0.0.1:8080\"".into(),
        Kind::Url => "an address as in \"https://base.example:8443\"".into(),
        Kind::Number(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Flag => "true or false".into(),
        Kind::One(words) => format!("one of: {}", words.join(", ")),
        Kind::Database => {
            "the address of a PostgreSQL database (postgres://USER@HOST/DATABASE), file:PATH or credential:NAME".into()
        }
        Kind::Filter => "a filter as in \"warn,wayside_server=info\"".into(),
        Kind::Networks => "a list of addresses or networks, as in [\"192.0.2.7\", \"10.0.0.0/8\"]".into(),
        Kind::List => "a list of texts, as in [\"one\", \"two\"]".into(),
    };
    format!("{} is {what}.", setting.key)
}

fn unknown(key: &str) -> String {
    let tables = SETTINGS.iter().filter_map(|setting| Some(setting.key.split_once('.')?.0));
    let names = SETTINGS.iter().map(|setting| setting.key).chain(tables);
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let nearest = names
        .map(|name| {
            let whole = strsim::normalized_damerau_levenshtein(key, name);
            // Under the wrong table, or under none.
            let tail = strsim::normalized_damerau_levenshtein(&last(key), &last(name));
            (whole.max(tail), whole, name)
        })
        .filter(|(alike, ..)| *alike >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
    match nearest {
        Some((.., name)) => format!("There is no setting {key}. Did you mean {name}?"),
        None => format!("There is no setting {key}."),
    }
}
