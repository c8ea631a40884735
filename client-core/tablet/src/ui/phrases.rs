//! The page's own phrases in another language: `languages/<code>.json` beside the database, made by a person from
//! `page/phrases.json`, in which each English phrase has an empty translation.
//!
//! The English phrase is the key, so that what nobody translated yet is English. What the rules say (steps, categories,
//! advice, the card) comes from `languages/<code>.ftl`, as in every program on this core. Both files are optional.

use std::{collections::BTreeMap, fs, path::Path};

use serde::{Deserialize, Serialize};
use wayside_client_core::Tablet;

pub const ENGLISH: &str = "en-GB";
const DIRECTORY: &str = "languages";
/// All phrases in English have some 25 kB.
const LARGEST: u64 = 1 << 20;

/// Languages written from right to left, by the first part of their code.
const RIGHT_TO_LEFT: &[&str] = &["ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"];

/// As in the file: `{"name": "ਪੰਜਾਬੀ", "phrases": {"New check": "…"}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Phrases {
    /// What its speakers call the language.
    name: String,
    phrases: BTreeMap<String, String>,
}

/// A language that the page can be had in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Language {
    pub code: String,
    /// Empty where the file does not say: then the browser knows.
    pub label: String,
}

impl Phrases {
    /// `None` where nothing can be said in this language.
    pub fn load(dir: &Path, code: &str) -> Option<Phrases> {
        // The code becomes part of a path: letters, digits and hyphens only.
        if code.is_empty() || !code.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') {
            return None;
        }
        if code == ENGLISH {
            return Some(Phrases::default());
        }
        let file = |ending: &str| dir.join(DIRECTORY).join(format!("{code}.{ending}"));
        let own = file("json");
        if !own.exists() {
            return file("ftl").exists().then(Phrases::default);
        }
        if fs::metadata(&own).ok()?.len() > LARGEST {
            return None;
        }
        let mut phrases: Phrases = serde_json::from_str(&fs::read_to_string(&own).ok()?).ok()?;
        phrases.phrases.retain(|_, translated| !translated.is_empty());
        Some(phrases)
    }

    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.phrases
    }

    /// A phrase, in English where it was not translated, with `{name}` filled in.
    pub fn say(&self, english: &str, values: &[(&str, &str)]) -> String {
        let said = self.phrases.get(english).map_or(english, String::as_str);
        values.iter().fold(said.to_owned(), |said, (name, value)| said.replace(&format!("{{{name}}}"), value))
    }
}

pub fn direction(code: &str) -> &'static str {
    let first = code.split('-').next().unwrap_or_default();
    if RIGHT_TO_LEFT.contains(&first) { "rtl" } else { "ltr" }
}

/// English, and whatever has a file that can be read.
pub fn languages(tablet: &Tablet) -> Vec<Language> {
    let mut codes: Vec<String> =
        tablet.languages().into_iter().filter(|one| one.problem.is_none()).map(|one| one.code).collect();
    let files = fs::read_dir(tablet.dir().join(DIRECTORY)).into_iter().flatten().filter_map(Result::ok);
    codes.extend(files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".json")?.to_owned())));
    codes.retain(|code| code != ENGLISH);
    codes.sort_unstable();
    codes.dedup();
    let others = codes.into_iter().filter_map(|code| {
        let Phrases { name, .. } = Phrases::load(tablet.dir(), &code)?;
        Some(Language { code, label: name })
    });
    [Language { code: ENGLISH.to_owned(), label: "English".to_owned() }].into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::LazyLock};

    use super::*;
    use crate::ui::{assets, lists, notices, person_form, sync, words};

    /// What the program says without the rules' help, as far as it is not a text of the page's own files.
    fn from_the_program() -> impl Iterator<Item = String> {
        let tables = [words::TOLD, words::FOLLOW_UPS, words::STATUS];
        let labels = tables.into_iter().flatten().map(|(_, label)| (*label).to_owned());
        let asked = words::asked().into_iter().map(|(label, ..)| label.to_owned());
        let codes = notices::TOLD.iter().map(|code| code.message().to_owned());
        let chip = sync::PHRASES.iter().map(|phrase| (*phrase).to_owned());
        let single = [words::CLOSE, person_form::NAMELESS].map(str::to_owned);
        labels.chain(single).chain(asked).chain(codes).chain(chip).chain(lists::labels())
    }

    /// `t("…")`, `count(n, "…", "…")`: the first one or two texts after the name.
    fn in_scripts() -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (name, text) in assets::scripts() {
            for (at, call) in text.match_indices("t(\"").chain(text.match_indices("count(")) {
                let before = &text[..at];
                let other = before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
                if other || before.ends_with("function ") {
                    continue;
                }
                let literals = text[at + call.len() - usize::from(call == "t(\"")..].split('"');
                let wanted = if call == "t(\"" { 1 } else { 2 };
                for phrase in literals.skip(1).step_by(2).take(wanted) {
                    assert!(
                        !phrase.is_empty() && phrase.len() < 300 && !phrase.contains('\n'),
                        "{name}: {phrase:?}"
                    );
                    found.insert(phrase.to_owned());
                }
            }
        }
        found
    }

    static TEMPLATE: LazyLock<BTreeMap<String, String>> =
        LazyLock::new(|| serde_json::from_str(include_str!("../../page/phrases.json")).unwrap());

    #[test]
    fn the_template_for_translators_holds_every_phrase_and_no_other() {
        let all: BTreeSet<String> = in_scripts().into_iter().chain(from_the_program()).collect();
        if std::env::var_os("WAYSIDE_UPDATE_PHRASES").is_some() {
            let empty: BTreeMap<&String, &str> = all.iter().map(|phrase| (phrase, "")).collect();
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/page/phrases.json");
            fs::write(file, serde_json::to_string_pretty(&empty).unwrap() + "\n").unwrap();
            return;
        }
        let there: BTreeSet<String> = TEMPLATE.keys().cloned().collect();
        let (lacks, stale): (Vec<_>, Vec<_>) =
            (all.difference(&there).collect(), there.difference(&all).collect());
        let how = "run this test once with WAYSIDE_UPDATE_PHRASES=1";
        assert!(lacks.is_empty() && stale.is_empty(), "{how}: lacks {lacks:#?}, has for nothing {stale:#?}");
    }

    #[test]
    fn what_is_not_translated_is_english_and_a_bad_file_is_not_offered() {
        let dir = tempfile::tempdir().unwrap();
        let languages = dir.path().join("languages");
        fs::create_dir(&languages).unwrap();
        let file = r#"{"name": "Test", "phrases": {"{n} waiting": "[{n} w.]", "Back": ""}}"#;
        fs::write(languages.join("qps.json"), file).unwrap();
        fs::write(languages.join("xx.json"), "[1]").unwrap();
        let phrases = Phrases::load(dir.path(), "qps").unwrap();
        assert_eq!(phrases.say("{n} waiting", &[("n", "3")]), "[3 w.]");
        assert_eq!(phrases.say("Back", &[]), "Back");
        assert_eq!(Phrases::load(dir.path(), "xx"), None);
        assert_eq!(Phrases::load(dir.path(), "../qps"), None);
        let key = wayside_client_core::Key::from_bytes([7; 32]);
        let tablet = Tablet::open(dir.path(), &key).unwrap();
        let codes: Vec<String> = super::languages(&tablet).into_iter().map(|one| one.code).collect();
        assert_eq!(codes, [ENGLISH, "qps"]);
        assert_eq!((direction("ur-PK"), direction("pa")), ("rtl", "ltr"));
    }
}
