//! What an operator sets: one documented file, overridden by the environment, overridden by arguments.
//!
//! `table` lists every setting once, with its default and its meaning; `read` finds what is wrong; `example` writes the
//! commented file that is `docs/wayside.toml`.

mod example;
mod read;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use wayside_protocol::error::Code;

pub use example::example;
pub use read::{Problem, Value};
pub use table::{SETTINGS, Setting, setting_of};

use crate::base::Places;
use crate::error::{Error, Result};
use crate::keys::TlsFiles;
use read::CREDENTIAL;
use table::Default;

/// Read where nobody names another, nor a data directory.
pub const FILE: &str = "/etc/wayside/wayside.toml";
/// Names another.
pub const VARIABLE: &str = "WAYSIDE_CONFIG";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    Default,
    /// A line of the file.
    Line(usize),
    Variable(String),
    Argument(String),
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            From::Default => f.write_str("default"),
            From::Line(line) => write!(f, "line {line}"),
            From::Variable(name) => f.write_str(name),
            From::Argument(flag) => f.write_str(flag),
        }
    }
}

/// What was said at the three places.
#[derive(Default)]
pub struct Said {
    pub file: Option<PathBuf>,
    /// The environment; only what is a setting's variable counts.
    pub environment: BTreeMap<String, String>,
    /// Key, argument, and its text.
    pub arguments: Vec<(&'static str, &'static str, String)>,
}

impl Said {
    /// By the environment of this process; `file` or the one that it names.
    pub fn here(file: Option<PathBuf>) -> Said {
        let environment: BTreeMap<_, _> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let file = file.or_else(|| environment.get(VARIABLE).map(PathBuf::from));
        Said { file, environment, arguments: Vec::new() }
    }

    /// The file of an installed server, if it is there and nobody named another.
    pub fn or_installed(mut self) -> Said {
        self.file = self.file.or_else(|| Some(PathBuf::from(FILE)).filter(|file| file.is_file()));
        self
    }

    /// An argument, if it was given.
    pub fn argument(&mut self, key: &'static str, flag: &'static str, text: Option<String>) {
        self.arguments.extend(text.map(|text| (key, flag, text)));
    }
}

/// Every setting that has a value, and where it comes from.
#[derive(Debug, Clone)]
pub struct Settings {
    values: BTreeMap<&'static str, (Value, From)>,
    /// Where systemd puts credentials.
    credentials: Option<PathBuf>,
}

impl Settings {
    /// Reads all three places. What is wrong is said all at once.
    pub fn load(said: &Said) -> Result<std::result::Result<Settings, Vec<Problem>>> {
        let text = match &said.file {
            Some(file) => {
                std::fs::read_to_string(file).map_err(|error| Error::File("configuration file", error))?
            }
            None => String::new(),
        };
        Ok(Settings::of(&text, said))
    }

    /// The same for a server that is to start.
    pub fn load_or_refuse(said: &Said) -> Result<Settings> {
        Settings::load(said)?.map_err(|problems| refusal(&problems))
    }

    fn of(text: &str, said: &Said) -> std::result::Result<Settings, Vec<Problem>> {
        let (in_file, mut problems) = read::file(text);
        let mut values = BTreeMap::new();
        for setting in SETTINGS {
            if let Some(value) = default(setting) {
                values.insert(setting.key, (value, From::Default));
            }
        }
        values.extend(
            in_file.into_iter().map(|(setting, value, line)| (setting.key, (value, From::Line(line)))),
        );
        for setting in SETTINGS {
            let name = setting.variable();
            // An empty one is as good as none: that is how a unit file takes one back.
            let Some(text) = said.environment.get(&name).filter(|text| !text.is_empty()) else { continue };
            match read::typed(setting, text) {
                Ok(value) => drop(values.insert(setting.key, (value, From::Variable(name)))),
                Err(says) => problems.push(Problem { place: name, says }),
            }
        }
        for (key, flag, text) in &said.arguments {
            let Some(setting) = setting_of(key) else { continue };
            match read::typed(setting, text) {
                Ok(value) => drop(values.insert(setting.key, (value, From::Argument((*flag).to_owned())))),
                Err(says) => problems.push(Problem { place: (*flag).to_owned(), says }),
            }
        }
        let credentials = said.environment.get("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let settings = Settings { values, credentials };
        problems.extend(settings.unpaired());
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// What needs another beside it.
    fn unpaired(&self) -> Vec<Problem> {
        let pairs = [
            ("tls.cert", "tls.key"),
            ("database.log", "database.ledger"),
            ("backup.to", "backup.recipients"),
        ];
        let lacks = |(one, other): (&str, &str)| {
            let (_, from) = self.values.get(one)?;
            let says = format!("{one} needs {other} beside it.");
            let place = match from {
                From::Line(line) => line.to_string(),
                from => from.to_string(),
            };
            (!self.values.contains_key(other)).then_some(Problem { place, says })
        };
        pairs.into_iter().flat_map(|(one, other)| [(one, other), (other, one)]).filter_map(lacks).collect()
    }

    /// Every setting in the order of the example, with its value as it would stand in a file, and where it comes from.
    /// `None` where it has none. What may hold a password is not shown.
    pub fn shown(&self) -> impl Iterator<Item = (&'static Setting, Option<(String, &From)>)> {
        SETTINGS.iter().map(|setting| {
            let value = self.values.get(setting.key).map(|(value, from)| {
                let hidden = setting.is_secret() && !value.names_a_file();
                let text = if hidden { "\"(hidden)\"".to_owned() } else { value.to_string() };
                (text, from)
            });
            (setting, value)
        })
    }

    pub fn text(&self, key: &str) -> Option<String> {
        match &self.values.get(key)?.0 {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The number of a setting that has a default.
    pub fn number(&self, key: &str) -> u64 {
        match self.values.get(key) {
            Some((Value::Number(number), _)) => *number,
            _ => 0,
        }
    }

    pub fn flag(&self, key: &str) -> bool {
        matches!(self.values.get(key), Some((Value::Flag(true), _)))
    }

    pub fn list(&self, key: &str) -> Vec<String> {
        match self.values.get(key) {
            Some((Value::List(items), _)) => items.clone(),
            _ => Vec::new(),
        }
    }

    /// A path, also of a credential.
    pub fn path(&self, key: &str) -> Result<Option<PathBuf>> {
        let Some(text) = self.text(key) else { return Ok(None) };
        match text.strip_prefix(CREDENTIAL) {
            None => Ok(Some(PathBuf::from(text))),
            Some(name) => self.credential(name).map(Some),
        }
    }

    fn credential(&self, name: &str) -> Result<PathBuf> {
        let says = "A setting names a credential, and systemd gave this program no directory of them.";
        let dir = self.credentials.as_deref().ok_or_else(|| Error::Said(Code::ConfigInvalid, says.into()))?;
        // A name, and not a way out of that directory.
        match Path::new(name).file_name().filter(|file| *file == name) {
            Some(file) => Ok(dir.join(file)),
            None => {
                Err(Error::Said(Code::ConfigInvalid, "A credential goes by a name without slashes.".into()))
            }
        }
    }

    /// Where the data lies.
    pub fn data(&self) -> Result<PathBuf> {
        let says = "Say where the data lies: --data DIR, or data = \"...\" in the configuration file.";
        self.path("data")?.ok_or_else(|| Error::Said(Code::BadArguments, says.into()))
    }

    /// Where log and ledger lie, if not there.
    pub fn places(&self) -> Result<Places> {
        let place = |key: &str| -> Result<Option<String>> {
            let Some(text) = self.text(key) else { return Ok(None) };
            match text.strip_prefix(CREDENTIAL) {
                None => Ok(Some(text)),
                Some(name) => Ok(Some(format!("file:{}", self.credential(name)?.display()))),
            }
        };
        Places::parse(place("database.log")?.as_deref(), place("database.ledger")?.as_deref())
    }

    pub fn tls(&self) -> Result<Option<TlsFiles>> {
        Ok(self.path("tls.cert")?.zip(self.path("tls.key")?).map(|(cert, key)| TlsFiles { cert, key }))
    }
}

impl Value {
    /// A database's address that stands elsewhere.
    fn names_a_file(&self) -> bool {
        matches!(self, Value::Text(text) if text.starts_with("file:") || text.starts_with(CREDENTIAL))
    }
}

/// As it stands in a file.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Value::Text(text) => f.write_str(&quoted(text)),
            Value::Number(number) => write!(f, "{number}"),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(|item| quoted(item)).collect();
                write!(f, "[{}]", items.join(", "))
            }
        }
    }
}

fn default(setting: &Setting) -> Option<Value> {
    match setting.default {
        Default::Nothing(_) => None,
        Default::Text(text) => Some(Value::Text(text.to_owned())),
        Default::Number(number) => Some(Value::Number(number)),
        Default::Flag(flag) => Some(Value::Flag(flag)),
    }
}

/// All that is wrong, in one line.
pub fn refusal(problems: &[Problem]) -> Error {
    // One at the command line alone is what somebody has just typed.
    let typed = problems.iter().all(|problem| problem.place.starts_with("--"));
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Error::Said(if typed { Code::BadArguments } else { Code::ConfigInvalid }, said.join(" "))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.parse::<usize>() {
            Ok(line) => write!(f, "Line {line}: {}", self.says),
            Err(_) => write!(f, "{}: {}", self.place, self.says),
        }
    }
}
