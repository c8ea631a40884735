//! What each command does.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Write},
    path::Path,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use wayside_client_core::{
    By, Code, Edit, Error, Kind, Page, Phase, Progress, RecordId, Rules, SyncReport, Tablet,
};

use wayside_protocol::matching::Likeness;

use super::{Command, Common, Done, Failure, UNKNOWN_STAFF, care, look_up, staff, text};
use crate::{
    key_file,
    ui::{self, UiOptions, display},
};

pub fn command(common: &Common, command: Command, out: &mut impl Write, err: &mut impl Write) -> Done {
    let usage = |message: &str| Failure::Usage(message.to_owned());
    let dir = common.dir.as_deref().ok_or_else(|| usage("Say where the tablet's records are: --dir DIR."))?;
    let tablet = open(common, dir)?;
    let by = || by(common, &tablet);
    match command {
        Command::Enrol { code, name } => {
            let name = name.or_else(|| Some(dir.file_name()?.to_string_lossy().into_owned()));
            let name = name.unwrap_or_else(|| "tablet".to_owned());
            let enrolment = runtime()?.block_on(tablet.enrol(&code, &name))?;
            if common.json {
                let json = json!({
                    "team": enrolment.team, "team_name": enrolment.team_name, "tablet": tablet.id(),
                });
                writeln!(out, "{json}")?;
            } else {
                writeln!(out, "This tablet belongs to {} now.", enrolment.team_name)?;
            }
        }
        #[cfg(not(feature = "unchecked"))]
        Command::Record { file, no_duplicates } => {
            record(&tablet, &file, &by()?, !no_duplicates, common.json, out, err)?;
        }
        #[cfg(feature = "unchecked")]
        Command::Record { file, unchecked, no_duplicates } => {
            let checks = if unchecked { Rules::Unchecked } else { Rules::Entry };
            record(&tablet, &file, &By { checks, ..by()? }, !no_duplicates, common.json, out, err)?;
        }
        Command::Edit { id, set } => {
            let id = record_id(&id)?;
            tablet.edit(id, Edit { base: None, set: assignments(&set)? }, &by()?)?;
            answer(common, out, &json!({"id": id}), "Saved.")?;
        }
        Command::Correct { id, reading, set, reason } => {
            let id = record_id(&id)?;
            let set = assignments(&set)?;
            let entry = tablet.correct(id, &reading, set, reason.as_deref(), None, &by()?)?;
            answer(common, out, &json!({"id": id, "entry": entry}), &entry)?;
        }
        Command::StrikeOut { id, entry, reason } => {
            let id = record_id(&id)?;
            tablet.strike_out(id, &entry, &reason, &by()?)?;
            answer(common, out, &json!({"id": id, "entry": entry}), "Struck out.")?;
        }
        Command::Tally { session, name, n } => {
            let id = record_id(&session)?;
            tablet.tally(id, &name, n, &by()?)?;
            answer(common, out, &json!({"id": id, "name": name, "n": n}), "Counted.")?;
        }
        Command::Show { id } => {
            let shown = tablet.show(record_id(&id)?)?.json;
            if common.json {
                writeln!(out, "{shown}")?;
            } else {
                text::record(&shown, out)?;
            }
        }
        Command::List { kind } => {
            let kinds = "There are these kinds: site, session, person, contact, team.";
            let kind = kind.map(|kind| Kind::parse(&kind).ok_or_else(|| usage(kinds))).transpose()?;
            records(common, &tablet.list(kind, Page::default())?, out)?;
        }
        Command::Care(care) => care::command(&tablet, common, &by()?, care, out)?,
        Command::InFront(command) => staff::command(&tablet, common, command, out)?,
        Command::AtBase(command) => look_up::command(&tablet, common, &by()?, command, out)?,
        Command::Search { text } => records(common, &tablet.search(&text.join(" "), Page::default())?, out)?,
        Command::Sync => sync(&tablet, common.json, out, err)?,
        Command::RenewKey => {
            runtime()?.block_on(tablet.renew_key())?;
            answer(common, out, &json!({"tablet": tablet.id()}), "This tablet has a new key.")?;
        }
        Command::Status => {
            let status = tablet.status()?;
            if common.json {
                let json = serde_json::to_value(&status).map_err(|_| Error::Failed(Code::Internal))?;
                writeln!(out, "{json}")?;
            } else {
                text::status(&status, out)?;
            }
        }
        Command::Ui { listen } => {
            let staff = Some(common.staff.clone()).filter(|staff| staff != UNKNOWN_STAFF);
            let team = by()?.team;
            ui(&tablet, UiOptions { listen, staff, team, signal: None }, common.json, out)?;
        }
    }
    Ok(())
}

/// Serves the page until somebody ends the program.
fn ui(tablet: &Tablet, options: UiOptions, json: bool, out: &mut impl Write) -> Done {
    runtime()?.block_on(async {
        let unusable =
            |error: io::Error| Failure::Usage(format!("The page cannot be served there: {error}."));
        let mut running = ui::serve(tablet.clone(), options).await.map_err(unusable)?;
        if json {
            writeln!(out, "{}", json!({"url": running.url}))?;
        } else {
            writeln!(out, "{}", running.url)?;
        }
        // Whoever started this waits for the address.
        out.flush()?;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => running.shutdown().await,
            () = running.ended() => {}
        }
        Ok(())
    })
}

fn open(common: &Common, dir: &Path) -> Done<Tablet> {
    let key_file = match &common.key_file {
        Some(file) => file.clone(),
        None => key_file::beside(dir).map_err(|_| Error::Failed(Code::KeyFileInvalid))?,
    };
    let key = key_file::open(&key_file, dir)?;
    if key_file::is_open_to_others(&key_file) && io::stderr().is_terminal() {
        let _ = writeln!(io::stderr(), "Others on this machine can read the key of these records.");
    }
    let tablet = Tablet::open(dir, &key)?;
    let settings = dir.join(display::FILE);
    tablet.when_wiped(move || {
        key_file::forget(&key_file);
        // Nobody's data, but the tablet's own.
        let _ = std::fs::remove_file(settings);
    });
    Ok(tablet)
}

fn by(common: &Common, tablet: &Tablet) -> Done<By> {
    let team = match &common.team {
        None => None,
        Some(named) => {
            let mut teams = tablet.teams()?.into_iter();
            let found = teams.find(|team| team.name == *named || team.id.to_string() == *named);
            Some(found.ok_or(Error::Failed(Code::TeamNotAllowed))?.id)
        }
    };
    Ok(By { staff: common.staff.clone(), team, checks: Rules::Entry })
}

pub fn record_id(text: &str) -> Done<RecordId> {
    Ok(text.parse::<RecordId>().map_err(Error::from)?)
}

/// `path=value`, the value as JSON, else as text.
fn assignments(set: &[String]) -> Done<Vec<(String, Value)>> {
    let assignment = |text: &String| {
        let (path, value) = text
            .split_once('=')
            .ok_or_else(|| Failure::Usage("What is set looks like path=value.".to_owned()))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok((path.to_owned(), value))
    };
    set.iter().map(assignment).collect()
}

fn answer(common: &Common, out: &mut impl Write, json: &Value, text: &str) -> Done {
    if common.json {
        writeln!(out, "{json}")?
    } else {
        writeln!(out, "{text}")?
    }
    Ok(())
}

fn records(common: &Common, found: &[Value], out: &mut impl Write) -> Done {
    if common.json {
        writeln!(out, "{}", Value::Array(found.to_vec()))?;
        return Ok(());
    }
    for record in found {
        writeln!(out, "{}", text::summary(record))?;
    }
    if found.is_empty() {
        writeln!(out, "Nothing found on this tablet.")?;
    }
    Ok(())
}

fn record(
    tablet: &Tablet,
    file: &Path,
    by: &By,
    duplicates: bool,
    json: bool,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Done {
    let unreadable = |_| Failure::Usage("The file with the lines cannot be read.".to_owned());
    let lines: Box<dyn BufRead> = match file.to_str() {
        Some("-") => Box::new(BufReader::new(io::stdin())),
        _ => Box::new(BufReader::new(File::open(file).map_err(unreadable)?)),
    };
    let mut failed = false;
    for (line, number) in lines.split(b'\n').zip(1u64..) {
        let line = line.map_err(unreadable)?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let value = serde_json::from_slice(&line).map_err(|_| Error::Failed(Code::BadJson));
        // Before the line makes a person of its own.
        let likely =
            value.as_ref().ok().filter(|_| duplicates).map(|value| likely(tablet, value)).transpose()?;
        match value.and_then(|value| tablet.record(value, by)) {
            Ok(recorded) => {
                if let (Some(likely), Some(person)) =
                    (likely.filter(|likely| !likely.is_empty()), recorded.person)
                {
                    let message = "This person is likely here already.";
                    let warning = json!({
                        "line": number, "warning": "likely_duplicate", "message": message, "person": person,
                        "likely": likely,
                    });
                    writeln!(err, "{warning}")?;
                }
                if json {
                    let mut object = serde_json::to_value(recorded).unwrap_or_default();
                    object["line"] = json!(number);
                    writeln!(out, "{object}")?;
                } else {
                    writeln!(out, "{}", recorded.contact)?;
                }
                // Whoever reads the id may rely on it at once.
                out.flush()?;
            }
            Err(error) => {
                failed = true;
                let object = json!({
                    "line": number,
                    "code": error.code_text(),
                    "path": error.path(),
                    "message": error.to_string(),
                });
                writeln!(err, "{object}")?;
            }
        }
    }
    if failed { Err(Failure::Said) } else { Ok(()) }
}

/// Who is likely the new person of a line: ids and reasons, and nothing that identifies anybody.
fn likely(tablet: &Tablet, line: &Value) -> Done<Vec<Value>> {
    let Some(person) = line.get("person").filter(|person| person.is_object()) else { return Ok(Vec::new()) };
    let found = tablet.likely_duplicates(person)?;
    let likely = found.iter().filter(|one| one.likeness == Likeness::Likely);
    Ok(likely.map(|one| json!({"id": one.person.id, "reasons": one.words})).collect())
}

fn sync(tablet: &Tablet, json: bool, out: &mut impl Write, err: &mut impl Write) -> Done {
    let bar = if json || !io::stderr().is_terminal() { ProgressBar::hidden() } else { ProgressBar::new(0) };
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} sent, {msg}") {
        bar.set_style(style);
    }
    let report = runtime()?.block_on(tablet.sync(|progress: Progress| {
        bar.set_length(progress.to_push);
        bar.set_position(progress.pushed);
        bar.set_message(match progress.phase {
            Phase::Connecting => "looking for base".to_owned(),
            Phase::Comparing => "comparing everything".to_owned(),
            _ => format!("{} fetched", progress.pulled),
        });
    }));
    bar.finish_and_clear();
    if json {
        let json = serde_json::to_value(&report).map_err(|_| Error::Failed(Code::Internal))?;
        writeln!(out, "{json}")?;
    } else {
        text::report(&report, tablet.status().ok().as_ref(), out)?;
    }
    match report {
        SyncReport { error: None, .. } => Ok(()),
        SyncReport { error: Some(problem), .. } => {
            out.flush()?;
            writeln!(err, "{}", serde_json::to_value(problem).unwrap_or_default())?;
            Err(Failure::Said)
        }
    }
}

pub fn runtime() -> Done<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|_| Error::Failed(Code::Internal))?)
}
