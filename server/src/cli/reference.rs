//! `wayside reference`: what official files say of places and practices.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{Data, Print, existing, printing};
use crate::error::{Error, Result};
use crate::reference::{Dataset, Reference, import};

#[derive(Subcommand)]
pub enum ReferenceCommand {
    /// Brings in an official CSV file, whole or not at all, in place of the last one of its kind: ONSPD or NSPL, the
    /// indices of deprivation 2019 or 2025 (File 7), ODS practices (epraccur), or a population.
    Import {
        file: PathBuf,
        /// What it is called in lists; by default the file's name.
        #[arg(long)]
        release: Option<String>,
        #[command(flatten)]
        data: Data,
    },
    /// Lists what was imported.
    List(Print),
}

pub fn reference(command: ReferenceCommand, out: &mut impl Write) -> Result<()> {
    match command {
        ReferenceCommand::Import { file, release, data } => import_file(&file, release, &data, out),
        ReferenceCommand::List(print) => list(&print, out),
    }
}

fn import_file(path: &Path, release: Option<String>, data: &Data, out: &mut impl Write) -> Result<()> {
    let base = existing(data)?;
    let file = File::open(path).map_err(|error| Error::File("file", error))?;
    let size = file.metadata().map_err(|error| Error::File("file", error))?.len();
    let name = || path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let release = release.unwrap_or_else(name);
    let bar = ProgressBar::new(size);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left") {
        bar.set_style(style);
    }
    let imported =
        import(base.data(), file, &release, base.clock.now_ms(), &mut |bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    let imported = imported?;
    writeln!(
        out,
        "{} rows of {} are in, as \u{201c}{}\u{201d}; {} rows say nothing that is used.",
        imported.rows, imported.kind, imported.release, imported.skipped
    )
    .map_err(printing)
}

fn list(print: &Print, out: &mut impl Write) -> Result<()> {
    let datasets = Reference::open(existing(&print.data)?.data())?.datasets()?;
    if print.json {
        return writeln!(out, "{}", Value::Array(datasets.iter().map(to_json).collect())).map_err(printing);
    }
    for Dataset { kind, release, rows, .. } in &datasets {
        writeln!(out, "{kind:<18}{rows:>10} rows   {release}").map_err(printing)?;
    }
    Ok(())
}

fn to_json(dataset: &Dataset) -> Value {
    let Dataset { kind, release, rows, skipped, imported_at } = dataset;
    let imported_at =
        i64::try_from(*imported_at).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    json!({"kind": kind, "release": release, "rows": rows, "skipped": skipped,
        "imported_at": imported_at.map(|at| at.to_string())})
}
