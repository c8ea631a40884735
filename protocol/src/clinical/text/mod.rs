//! Words for staff, by Project Fluent: one English file, complete; another language is another file.
//!
//! Nothing is read from a file system: the English text is compiled in, and whoever wants another
//! language passes its text. A message that is missing or broken there is said in English, never left
//! out: half a warning in the right language is worse than a whole one in English. Translations are made
//! by people, never by a machine (issue 4), and checked by [`Texts::missing`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use serde::Serialize;
use unic_langid::LanguageIdentifier;

/// All messages, in English.
pub const ENGLISH: &str = include_str!("en-GB.ftl");

/// What a message is filled in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Arg {
    Number(i64),
    Words(String),
    /// Other messages, said one after the other with commas between.
    Texts {
        texts: Vec<String>,
    },
}

/// A message that somebody should see: its id, and what it is filled in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    pub id: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<&'static str, Arg>,
}

impl Text {
    pub fn new(id: impl Into<String>) -> Self {
        Text { id: id.into(), args: BTreeMap::new() }
    }

    pub fn number(self, name: &'static str, value: i64) -> Self {
        self.with(name, Arg::Number(value))
    }

    pub fn words(self, name: &'static str, value: impl Into<String>) -> Self {
        self.with(name, Arg::Words(value.into()))
    }

    pub fn texts(self, name: &'static str, ids: impl IntoIterator<Item = String>) -> Self {
        self.with(name, Arg::Texts { texts: ids.into_iter().collect() })
    }

    /// What a code means: its message `<prefix>-<code>`, or for one that has none its own words.
    pub fn coded(self, name: &'static str, prefix: &str, code: &str) -> Self {
        let id = format!("{prefix}-{code}");
        if IDS.contains(id.as_str()) {
            self.texts(name, [id])
        } else {
            self.words(name, code.replace('_', " "))
        }
    }

    fn with(mut self, name: &'static str, arg: Arg) -> Self {
        self.args.insert(name, arg);
        self
    }
}

/// Every id of the English file.
static IDS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| Texts::ids().collect());

/// Why the text of another language cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("This is not the code of a language, as in pa or ur-PK.")]
    Language,
    /// As many as the parser found; the messages that it could read are not used either.
    #[error("The text is not valid Fluent: {0} mistakes.")]
    Syntax(usize),
}

/// The messages of one language over the English ones.
pub struct Texts {
    chosen: Option<Messages>,
    english: Messages,
}

type Messages = FluentBundle<FluentResource>;

fn messages(language: LanguageIdentifier, resource: FluentResource, isolate: bool) -> Messages {
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    bundle.set_use_isolating(isolate);
    // Of a message that is there twice the first counts; that there is none in English is a test.
    let _ = bundle.add_resource(resource);
    bundle
}

impl Texts {
    pub fn english() -> Self {
        // That the file has no mistakes is a test; the messages around one would still be there.
        let resource = FluentResource::try_new(ENGLISH.to_owned()).unwrap_or_else(|(resource, _)| resource);
        Texts { chosen: None, english: messages(LanguageIdentifier::default(), resource, false) }
    }

    /// Another language, such as `pa` (BCP-47), from the text of its file.
    pub fn in_language(language: &str, ftl: &str) -> Result<Self, TextError> {
        let language: LanguageIdentifier = language.parse().map_err(|_| TextError::Language)?;
        let resource = FluentResource::try_new(ftl.to_owned())
            .map_err(|(_, mistakes)| TextError::Syntax(mistakes.len()))?;
        // Isolation keeps `152/94` in its order inside a line that runs from right to left.
        Ok(Texts { chosen: Some(messages(language, resource, true)), ..Texts::english() })
    }

    /// The message in words. An id that nobody knows comes back as it is: it is a fault, and to be seen.
    pub fn say(&self, text: &Text) -> String {
        let found = self.chosen.as_ref().and_then(|messages| format(messages, self, text));
        found.or_else(|| format(&self.english, self, text)).unwrap_or_else(|| text.id.clone())
    }

    /// A message without anything to fill in.
    pub fn say_id(&self, id: &str) -> String {
        self.say(&Text::new(id))
    }

    /// Whether there is a message of this id, in English at least.
    pub fn knows(&self, id: &str) -> bool {
        self.english.has_message(id)
    }

    /// Every id, in the order of the English file.
    pub fn ids() -> impl Iterator<Item = &'static str> {
        // In Fluent only a message begins at the beginning of a line with a letter.
        let starts = |line: &&str| line.starts_with(|first: char| first.is_ascii_alphabetic());
        ENGLISH.lines().filter(starts).filter_map(|line| Some(line.split_once('=')?.0.trim()))
    }

    /// What the other language does not say yet.
    pub fn missing(&self) -> Vec<&'static str> {
        let lacks = |id: &&str| self.chosen.as_ref().is_some_and(|messages| !messages.has_message(id));
        Texts::ids().filter(lacks).collect()
    }
}

/// `None` without the message, or when something that it wants to be filled in with is not there.
fn format(messages: &Messages, texts: &Texts, text: &Text) -> Option<String> {
    let pattern = messages.get_message(&text.id)?.value()?;
    let mut args = FluentArgs::new();
    for (name, arg) in &text.args {
        let value = match arg {
            Arg::Number(number) => FluentValue::from(*number),
            Arg::Words(words) => FluentValue::from(words.as_str()),
            Arg::Texts { texts: ids } => {
                let said: Vec<String> = ids.iter().map(|id| texts.say_id(id)).collect();
                FluentValue::from(said.join(", "))
            }
        };
        args.set(*name, value);
    }
    let mut mistakes = Vec::new();
    let said = messages.format_pattern(pattern, Some(&args), &mut mistakes);
    mistakes.is_empty().then(|| said.into_owned())
}
