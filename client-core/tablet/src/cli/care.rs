//! Commands about one contact or person beyond the record itself: what to do next, the story, what is due.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use serde_json::{Value, json};
use wayside_client_core::{By, Code, Error, Page, Tablet};
use wayside_protocol::clinical::text::Text;

use super::{Common, Done, Failure, commands::record_id};

#[derive(Subcommand)]
pub enum Care {
    /// Adds an entry to one of a record's maps (calls, referrals, referral_events, follow_ups, ...) and prints its id.
    Add {
        id: String,
        map: String,
        /// The entry: a JSON object.
        entry: String,
    },
    /// Says what to do next with a contact.
    Next { id: String },
    /// Lists contacts for which a step is left, those that were parked first.
    HalfDone,
    /// Leaves a contact between two steps.
    Park { id: String },
    /// Takes a parked contact up again.
    Resume { id: String },
    /// Shows what a contact comes to as a health check, and how complete it is.
    HealthCheck { id: String },
    /// Shows the card for the person who was seen.
    Card {
        id: String,
        /// A language whose file lies in DIR/languages.
        #[arg(long, default_value = "en-GB", value_name = "CODE")]
        language: String,
    },
    /// Lists who may be the same as a person: a JSON object as in `record`.
    Duplicates {
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
    },
    /// Checks what identifies a person: a JSON object as in `record`.
    CheckPerson {
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
    },
    /// Tells the story of a person over all contacts, oldest first.
    Timeline { id: String },
    /// Lists every change of a record, oldest first.
    History { id: String },
    /// Lists referrals and follow-ups that are open.
    Due {
        /// The day, as in 2026-11-20; by default today.
        #[arg(long, value_name = "DATE")]
        on: Option<jiff::civil::Date>,
    },
    /// Lists the services to refer to.
    Services,
}

pub fn command(tablet: &Tablet, common: &Common, by: &By, command: Care, out: &mut impl Write) -> Done {
    let teller = Teller { tablet, language: "en-GB" };
    match command {
        Care::Add { id, map, entry } => {
            let id = record_id(&id)?;
            let entry = serde_json::from_str(&entry).map_err(|_| Error::Failed(Code::BadJson))?;
            let entry = tablet.add(id, &map, entry, by)?;
            either(common, out, &json!({"id": id, "entry": entry}), |out| writeln!(out, "{entry}"))
        }
        Care::Next { id } => {
            let step = tablet.next_step(record_id(&id)?)?;
            let notes: Vec<&Text> =
                step.notes.iter().chain(step.choices.iter().map(|choice| &choice.text)).collect();
            let words = teller.all(std::iter::once(&step.text).chain(notes.iter().copied()));
            either(common, out, &with_words(&step, &words)?, |out| {
                writeln!(out, "{}", teller.say(&step.text))?;
                if let Some(not_before) = &step.not_before {
                    writeln!(out, "  Not before {not_before}.")?;
                }
                notes.iter().try_for_each(|note| writeln!(out, "  - {}", teller.say(note)))
            })
        }
        Care::HalfDone => {
            let found = tablet.half_done(Page::default())?;
            either(common, out, &json_of(&found)?, |out| {
                found.iter().try_for_each(|one| {
                    let step = teller.say(&Text::new(format!("step-{}", one.step)));
                    let parked = if one.parked { "  (parked)" } else { "" };
                    writeln!(
                        out,
                        "{}  {}  {}  {}  {step}{parked}",
                        one.id, one.started_at, one.site, one.name
                    )
                })?;
                if found.is_empty() { writeln!(out, "Nothing is half done.") } else { Ok(()) }
            })
        }
        Care::Park { id } => {
            let id = record_id(&id)?;
            tablet.park(id, by)?;
            either(common, out, &json!({"id": id}), |out| writeln!(out, "Parked."))
        }
        Care::Resume { id } => {
            let id = record_id(&id)?;
            tablet.resume(id, by)?;
            either(common, out, &json!({"id": id}), |out| writeln!(out, "Taken up again."))
        }
        Care::HealthCheck { id } => {
            let check = tablet.health_check(record_id(&id)?)?;
            let texts = [&check.progress, &check.eligibility_text];
            let words = teller.all(texts.into_iter().chain(&check.texts));
            either(common, out, &with_words(&check, &words)?, |out| {
                words.iter().try_for_each(|said| writeln!(out, "{said}"))
            })
        }
        Care::Card { id, language } => {
            let teller = Teller { language: &language, ..teller };
            let card = tablet.result_card(record_id(&id)?)?;
            let shown = &card.card;
            let lines =
                [Some(&shown.title), shown.figures.as_ref(), Some(&shown.meaning)].into_iter().flatten();
            let words = teller.all(lines.chain(&shown.next).chain(&shown.warning));
            let mut json = with_words(&card, &words)?;
            if let Some(alone) = &card.nobody_at_base {
                json["nobody_at_base"] = json!(teller.say(alone));
            }
            either(common, out, &json, |out| {
                words.iter().try_for_each(|said| writeln!(out, "{said}"))?;
                card.nobody_at_base
                    .iter()
                    .try_for_each(|alone| writeln!(out, "For staff: {}", teller.say(alone)))
            })
        }
        Care::Duplicates { file } => {
            let found = tablet.likely_duplicates(&read_json(&file)?)?;
            either(common, out, &json_of(&found)?, |out| {
                for one in &found {
                    let likeness = if one.likeness >= wayside_protocol::matching::Likeness::Likely {
                        "likely"
                    } else {
                        "possible"
                    };
                    writeln!(
                        out,
                        "{}  {} {}  {likeness}: {}",
                        one.person.id,
                        one.person.name,
                        one.person.birth,
                        one.words.join("; ")
                    )?;
                }
                if found.is_empty() { writeln!(out, "Nobody here seems to be the same.") } else { Ok(()) }
            })
        }
        Care::CheckPerson { file } => {
            let findings = tablet.check_person(&read_json(&file)?);
            either(common, out, &json_of(&findings)?, |out| {
                findings.iter().try_for_each(|finding| {
                    writeln!(out, "{}: {}", finding.path, finding.checked.shown)?;
                    let code = finding.code.map(|code| format!(" ({code})")).unwrap_or_default();
                    let notices = finding.checked.notices.iter();
                    notices.into_iter().try_for_each(|notice| writeln!(out, "  {}{code}", teller.say(notice)))
                })
            })
        }
        Care::Timeline { id } => {
            let told = tablet.timeline(record_id(&id)?)?;
            let lines: Vec<Value> = told
                .iter()
                .map(|event| {
                    let words = teller.all(std::iter::once(&event.text).chain(&event.notes));
                    with_words(event, &words)
                })
                .collect::<Done<_>>()?;
            either(common, out, &Value::Array(lines), |out| {
                told.iter().try_for_each(|event| {
                    let by = event.by.as_deref().unwrap_or_default();
                    writeln!(out, "{}  {}  {by}", event.at, teller.say(&event.text))?;
                    event.notes.iter().try_for_each(|note| writeln!(out, "    {}", teller.say(note)))
                })
            })
        }
        Care::History { id } => {
            let changes = tablet.history(record_id(&id)?)?;
            either(common, out, &json_of(&changes)?, |out| {
                for change in &changes {
                    writeln!(out, "{}  {}  tablet {}", change.at, change.by, change.tablet)?;
                    for set in &change.set {
                        let before: Vec<String> = set.before.iter().map(Value::to_string).collect();
                        let before =
                            if before.is_empty() { "nothing".to_owned() } else { before.join(" and ") };
                        writeln!(out, "    {}: {before} -> {}", set.path, set.after)?;
                    }
                }
                Ok(())
            })
        }
        Care::Due { on } => {
            let on = on.unwrap_or_else(|| jiff::Zoned::now().date());
            let due = tablet.due(on)?;
            either(common, out, &json_of(&due)?, |out| {
                for one in &due {
                    let task = &one.task;
                    let prefix = match task.kind {
                        wayside_protocol::clinical::follow_up::TaskKind::FollowUp => "follow-up",
                        _ => "referral-to",
                    };
                    let what = teller.say(&Text::new("timeline-detail").coded("detail", prefix, &task.what));
                    let date = task.due_on.map_or("no date".to_owned(), |date| date.to_string());
                    let person =
                        one.person.as_ref().map(|person| format!("{} {}", person.name, person.phone));
                    let state = task.state.label();
                    writeln!(
                        out,
                        "{date}  {state}: {what}  {}  contact {}",
                        person.unwrap_or_default(),
                        one.contact
                    )?;
                }
                if due.is_empty() { writeln!(out, "Nothing is due.") } else { Ok(()) }
            })
        }
        Care::Services => {
            let services = tablet.services()?;
            either(common, out, &json_of(&services)?, |out| {
                for service in &services {
                    writeln!(out, "{}  {}  {}  {}", service.id, service.kind, service.name, service.phone)?;
                }
                if services.is_empty() { writeln!(out, "The team's directory is empty.") } else { Ok(()) }
            })
        }
    }
}

/// Says texts in a language.
#[derive(Clone, Copy)]
struct Teller<'a> {
    tablet: &'a Tablet,
    language: &'a str,
}

impl Teller<'_> {
    fn say(&self, text: &Text) -> String {
        self.tablet.words(text, self.language)
    }

    fn all<'t>(&self, texts: impl Iterator<Item = &'t Text>) -> Vec<String> {
        texts.map(|text| self.say(text)).collect()
    }
}

fn json_of(value: &impl serde::Serialize) -> Done<Value> {
    Ok(serde_json::to_value(value).map_err(|_| Error::Failed(Code::Internal))?)
}

/// An object with its texts in words beside them.
fn with_words(value: &impl serde::Serialize, words: &[String]) -> Done<Value> {
    let mut json = json_of(value)?;
    json["words"] = json!(words);
    Ok(json)
}

fn either<W: Write>(
    common: &Common,
    out: &mut W,
    json: &Value,
    text: impl FnOnce(&mut W) -> io::Result<()>,
) -> Done {
    if common.json {
        writeln!(out, "{json}")?
    } else {
        text(out)?
    }
    Ok(())
}

/// A JSON object from a file, or from standard input.
fn read_json(file: &Path) -> Done<Value> {
    let unreadable = |_| Failure::Usage("The file with the person cannot be read.".to_owned());
    let text = match file.to_str() {
        Some("-") => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map_err(unreadable)?;
            text
        }
        _ => fs::read_to_string(file).map_err(unreadable)?,
    };
    Ok(serde_json::from_str(&text).map_err(|_| Error::Failed(Code::BadJson))?)
}
