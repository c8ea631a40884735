//! `cargo bench-find`: how long a tablet of many people takes to find one, in milliseconds.

use std::{
    io::{Write, stdout},
    time::Instant,
};

use anyhow::Result;
use clap::Parser;
use serde_json::{Value, json};
use wayside_client_core::{By, Key, Kind, Page, Tablet};
use wayside_tests::day::{self, TabletPlan};

/// Times searches, likely duplicates and the list of half-done contacts, and prints a table.
#[derive(Parser)]
struct Arguments {
    /// So many people.
    #[arg(long, default_value_t = 10_000)]
    people: usize,
    /// Also so many contacts, one in ten of them parked.
    #[arg(long, default_value_t = 0)]
    contacts: usize,
}

const ROUNDS: usize = 25;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let dir = tempfile::tempdir()?;
    let tablet = Tablet::open(dir.path(), &Key::from_bytes([7; 32]))?;
    let mut out = stdout();
    writeln!(out, "{} people, {} contacts:", arguments.people, arguments.contacts)?;
    let known = fill(&tablet, &arguments)?;

    let searches = [
        "kh",
        "khan",
        "kahn",
        "amina khan",
        "muhammad",
        "mohamad husain",
        "begum 1968",
        "14/2/1968",
        "14 Feb 1968",
        "999 0",
        "0770090",
        "zzzzzz",
    ];
    let page = Page { offset: 0, limit: Some(15) };
    for text in searches {
        row(&mut out, &format!("search \"{text}\""), || Ok(tablet.search(text, page)?.len()))?;
    }
    let mut misspelt = known.clone();
    let family = known["name"]["family"].as_str().unwrap_or_default();
    misspelt["name"]["family"] = json!(family.chars().rev().collect::<String>());
    let stranger = json!({"name": {"given": "Zzzz", "family": "Xxxx"}, "nhs_number": "9990000018"});
    for (who, person) in [("somebody here", known), ("somebody misspelt", misspelt), ("a stranger", stranger)]
    {
        row(&mut out, &format!("likely duplicates of {who}"), || {
            Ok(tablet.likely_duplicates(&person)?.len())
        })?;
    }
    row(&mut out, "half done, the first 15", || Ok(tablet.half_done(page)?.len()))?;
    let on = "2026-12-24".parse()?;
    row(&mut out, "due", || Ok(tablet.due(on)?.len()))
}

/// Records people, and returns one of them.
fn fill(tablet: &Tablet, arguments: &Arguments) -> Result<Value> {
    let plan = TabletPlan::new("bench", "Masjid Al-Noor", arguments.people.max(arguments.contacts) * 2);
    let date = "2026-11-20".parse()?;
    let by = By::staff("bench");
    let (mut people, mut contacts) = (0, 0);
    let mut known = Value::Null;
    for i in 0.. {
        if people >= arguments.people && contacts >= arguments.contacts {
            break;
        }
        let mut line = day::contact(11, date, &plan, i);
        // Far more different names than the generator has: half of the families are spelt in a way of their own.
        if let Some(Value::String(family)) = line.pointer_mut("/person/name/family").filter(|_| i % 2 == 0) {
            let mut letters: Vec<char> = family.chars().collect();
            letters.insert(1 + i / 52 % letters.len().max(1), char::from(b'a' + u8::try_from(i / 2 % 26)?));
            *family = letters.into_iter().collect();
        }
        if line.pointer("/person/date_of_birth").is_some() && known.is_null() {
            known = line["person"].clone();
        }
        if contacts < arguments.contacts {
            people += usize::from(line["person"].is_object());
            contacts += 1;
            if i % 10 == 0 {
                line["contact"]["ended"] = json!({"how": "parked"});
            }
            tablet.record(line, &by)?;
        } else if let person @ Value::Object(_) = line["person"].take() {
            tablet.create(Kind::Person, person, &by)?;
            people += 1;
        }
    }
    Ok(known)
}

/// The shortest, which other work on the machine disturbed least, and the middle of some rounds.
fn row(out: &mut impl Write, what: &str, mut find: impl FnMut() -> Result<usize>) -> Result<()> {
    let mut found = find()?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        found = find()?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let middle = times.get(ROUNDS / 2).copied().unwrap_or_default();
    let shortest = times.first().copied().unwrap_or_default();
    writeln!(out, "{what:<36} {shortest:>8.2} ms  middle {middle:>8.2} ms  {found:>5} found")?;
    Ok(())
}
