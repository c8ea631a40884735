//! Texts in words, in English or in a language whose file lies beside the records.

use std::{fs, sync::Arc};

use wayside_protocol::clinical::text::{Text, Texts};

use crate::tablet::Tablet;

const ENGLISH: &str = "en-GB";
/// Beside the database: one file for each language, named by its code, as in `languages/pa.ftl`.
const DIRECTORY: &str = "languages";
/// The English file has some 40 kB.
const LARGEST: u64 = 1 << 20;

/// A language that texts can be had in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Language {
    /// BCP-47, as the file is named; `en-GB` is always there.
    pub code: String,
    /// How many texts it lacks: these are said in English.
    pub missing: usize,
    /// Why its file cannot be used; everything is said in English then.
    pub problem: Option<String>,
}

impl Tablet {
    /// A text in words. What a language does not say, and everything of one that is not there, is English.
    pub fn words(&self, text: &Text, language: &str) -> String {
        self.texts(language).say(text)
    }

    /// English, and the languages whose files lie beside the records.
    pub fn languages(&self) -> Vec<Language> {
        let mut languages = vec![Language { code: ENGLISH.to_owned(), missing: 0, problem: None }];
        let files = fs::read_dir(self.0.dir.join(DIRECTORY)).into_iter().flatten().filter_map(Result::ok);
        let mut codes: Vec<String> = files
            .filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".ftl")?.to_owned()))
            .collect();
        codes.sort_unstable();
        languages.extend(codes.into_iter().map(|code| match self.load(&code) {
            Ok(texts) => Language { missing: texts.missing().len(), code, problem: None },
            Err(problem) => Language { missing: Texts::ids().count(), code, problem: Some(problem) },
        }));
        languages
    }

    /// The texts of a language, read once for each run.
    pub(crate) fn texts(&self, language: &str) -> Arc<Texts> {
        let mut loaded = self.0.texts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(texts) = loaded.get(language) {
            return texts.clone();
        }
        let texts = Arc::new(self.load(language).unwrap_or_else(|_| Texts::english()));
        // Whoever asks for a thousand languages that are not there fills no memory.
        if loaded.len() < 64 {
            loaded.insert(language.to_owned(), texts.clone());
        }
        texts
    }

    fn load(&self, language: &str) -> Result<Texts, String> {
        // The code becomes part of a path: letters, digits and hyphens only.
        let plain = !language.is_empty() && language.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        if !plain {
            return Err("This is not the code of a language, as in pa or ur-PK.".to_owned());
        }
        if language == ENGLISH {
            return Ok(Texts::english());
        }
        let file = self.0.dir.join(DIRECTORY).join(format!("{language}.ftl"));
        let unreadable = |_| "The file of this language cannot be read.".to_owned();
        if fs::metadata(&file).map_err(unreadable)?.len() > LARGEST {
            return Err("The file of this language is too large.".to_owned());
        }
        let ftl = fs::read_to_string(&file).map_err(unreadable)?;
        Texts::in_language(language, &ftl).map_err(|error| error.to_string())
    }
}
