//! How the page looks on this tablet and which language it speaks. Kept in `page.json` beside the database: nothing in
//! it is about a person.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use wayside_client_core::Code;

use super::{
    Answer,
    app::{App, Body},
    fail::Fail,
    phrases::{self, ENGLISH, Phrases},
};

pub const FILE: &str = "page.json";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextSize {
    Normal,
    Large,
    Largest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contrast {
    Normal,
    High,
}

/// What somebody chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Display {
    pub text: TextSize,
    pub contrast: Contrast,
    /// BCP-47, as the file of the language is named.
    pub language: String,
    /// Notices that were put away: by code, when they had been given.
    pub put_away: BTreeMap<String, String>,
}

impl Default for Display {
    fn default() -> Self {
        Display {
            text: TextSize::Normal,
            contrast: Contrast::Normal,
            language: ENGLISH.to_owned(),
            put_away: BTreeMap::new(),
        }
    }
}

/// The choices, where they are kept, and the phrases of the language.
#[derive(Debug)]
pub struct Shown {
    pub display: Display,
    pub phrases: Arc<Phrases>,
    dir: PathBuf,
}

impl Shown {
    /// As it was left; as it is usual where there is no file or nobody can read it.
    pub fn open(dir: &Path) -> Shown {
        let text = fs::read_to_string(dir.join(FILE)).unwrap_or_default();
        let mut shown = Shown {
            display: serde_json::from_str(&text).unwrap_or_default(),
            phrases: Arc::default(),
            dir: dir.to_owned(),
        };
        shown.load();
        shown
    }

    fn load(&mut self) {
        match Phrases::load(&self.dir, &self.display.language) {
            Some(phrases) => self.phrases = Arc::new(phrases),
            // Its file is gone, or nobody can read it.
            None => {
                self.display.language = ENGLISH.to_owned();
                self.phrases = Arc::default();
            }
        }
    }

    /// Changes something, for this run and the next. What cannot be written down counts as long as the program runs.
    pub fn change(&mut self, change: impl FnOnce(&mut Display)) {
        let before = self.display.clone();
        change(&mut self.display);
        if before.language != self.display.language {
            self.load();
        }
        if before != self.display {
            let text = serde_json::to_vec(&self.display).unwrap_or_default();
            let (new, file) = (self.dir.join("page.json.new"), self.dir.join(FILE));
            fs::write(&new, text).and_then(|()| fs::rename(&new, &file)).ok();
        }
    }
}

/// What the page needs before it draws anything.
pub async fn show(State(app): State<Arc<App>>) -> Answer {
    app.with(|app| {
        let (display, phrases) = {
            let shown = app.shown();
            (shown.display.clone(), shown.phrases.clone())
        };
        Ok(Json(json!({
            "text": display.text,
            "contrast": display.contrast,
            "language": display.language,
            "dir": phrases::direction(&display.language),
            "languages": phrases::languages(&app.tablet),
            "phrases": phrases.all(),
        })))
    })
    .await
}

#[derive(Deserialize)]
pub struct Chosen {
    text: TextSize,
    contrast: Contrast,
    language: String,
}

pub async fn set(State(app): State<Arc<App>>, Body(chosen): Body<Chosen>) -> Answer {
    app.with(move |app| {
        if !phrases::languages(&app.tablet).iter().any(|one| one.code == chosen.language) {
            return Err(Fail::field(Code::UnknownValue, "language", Code::UnknownValue.message()));
        }
        app.shown().change(|display| {
            display.text = chosen.text;
            display.contrast = chosen.contrast;
            display.language = chosen.language;
        });
        app.tell();
        Ok(Json(json!({})))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_is_there_in_the_next_run_and_a_broken_file_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let mut shown = Shown::open(dir.path());
        assert_eq!(shown.display, Display::default());
        shown.change(|display| (display.text, display.contrast) = (TextSize::Largest, Contrast::High));
        assert_eq!(Shown::open(dir.path()).display, shown.display);
        // A language whose file is not there is English.
        shown.change(|display| display.language = "pa".into());
        assert_eq!(Shown::open(dir.path()).display.language, ENGLISH);
        fs::write(dir.path().join(FILE), "{\"text\": \"huge\"").unwrap();
        assert_eq!(Shown::open(dir.path()).display, Display::default());
    }
}
