//! What happens in the demo, step by step, and what is said about it.

use std::io::Write;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use wayside_client_core::{Edit, Kind, Page, RecordId};
use wayside_server::views::Views;

use super::{Demo, Summary, print};

/// How many contacts the worklist shows before it says how many more there are.
const WORKLIST: usize = 15;

impl Demo {
    /// The whole day, told on `out`.
    pub async fn tell(&mut self, out: &mut impl Write) -> Result<Summary> {
        writeln!(out, "\nMorning, at base. {} tablets are enrolled.", self.tablets.len())?;
        let shared = self.morning().await?;

        writeln!(out, "They drive out. There is no signal.\n")?;
        for tablet in &mut self.tablets {
            tablet.link.cut().await;
        }
        let bars = print::Bars::new(self.tablets.iter().map(|t| (t.name, t.day.len() as u64)));
        self.record_the_day(&bars).await?;
        self.disagree(&shared)?;
        for tablet in &self.tablets {
            let report = tablet.tablet.sync(|_| {}).await;
            let status = tablet.tablet.status()?;
            let why = report.error.map_or("synced?", |error| {
                if error.code == "no_signal" { "no signal" } else { "base does not answer" }
            });
            writeln!(
                out,
                "  {:<11} {} contacts, {} changes waiting: nobody at base can see them ({why})",
                tablet.name, status.records.contact, status.waiting
            )?;
        }

        writeln!(out, "\nThe signal is back.\n")?;
        for tablet in &mut self.tablets {
            tablet.link.restore().await?;
        }
        let mut waiting = Vec::new();
        for tablet in &self.tablets {
            waiting.push((tablet.name, tablet.tablet.status()?.waiting));
        }
        let bars = print::Bars::new(waiting.into_iter());
        self.sync_all(&bars).await?;
        let summary = self.check().await?.clone();
        self.report(out, &summary).await?;
        Ok(summary)
    }

    /// Somebody known comes by before the vans leave, so that every tablet holds her record.
    async fn morning(&mut self) -> Result<Shared> {
        let date = self.plan.date.to_string();
        let first = self.tablet(0)?;
        // The places of the day are known to every tablet before it goes out.
        for (_, _, site, site_type, setting) in super::TABLETS {
            let known = first.tablet.list(Some(Kind::Site), Page::default())?;
            if known.iter().any(|record| record["name"] == site) {
                continue;
            }
            let id =
                first.tablet.create(Kind::Site, json!({"name": site, "type": site_type}), &first.by())?;
            let session = json!({"site": id.to_string(), "date": date, "setting": setting});
            first.tablet.create(Kind::Session, session, &first.by())?;
        }
        let line = json!({
            "session": {"site": super::TABLETS[0].2, "date": date},
            "person": {"name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1968-02-03",
                       "nhs_number": "999 000 0018", "ethnic_category": "J"},
            "contact": {"started_at": format!("{date}T08:40:00Z"), "reason": "follow_up", "check_type": "bp_only",
                "bp": {"readings": [{"taken_at": format!("{date}T08:41:00Z"), "systolic": 125, "diastolic": 100,
                                     "arm": "left", "position": "sitting", "setting": "clinic"}]}},
        });
        let recorded = first.tablet.record(line, &first.by())?;
        let shown = first.tablet.show(recorded.contact)?.json;
        let reading =
            shown["bp"]["readings"].as_object().and_then(|readings| readings.keys().next().cloned());
        let bars = print::Bars::hidden(self.tablets.len());
        self.sync_all(&bars).await?;
        Ok(Shared {
            contact: recorded.contact,
            person: recorded.person.context("the line names a person")?,
            reading: reading.context("the line has a reading")?,
        })
    }

    /// Every tablet records its day, all at the same time.
    async fn record_the_day(&mut self, bars: &print::Bars) -> Result<()> {
        let mut recording = tokio::task::JoinSet::new();
        for (index, tablet) in self.tablets.iter_mut().enumerate() {
            let (bar, day, by) = (bars.bar(index), std::mem::take(&mut tablet.day), tablet.by());
            let tablet = tablet.tablet.clone();
            recording.spawn_blocking(move || -> Result<()> {
                for line in day {
                    tablet.record(line, &by)?;
                    bar.inc(1);
                }
                Ok(())
            });
        }
        while let Some(done) = recording.join_next().await {
            done??;
        }
        bars.finish();
        Ok(())
    }

    /// Out of each other's sight, two tablets change the same things.
    fn disagree(&mut self, shared: &Shared) -> Result<()> {
        for (index, family, systolic) in [(0, "Kahn", 152), (2, "Khan-Ali", 182)] {
            let tablet = self.tablet(index)?;
            tablet.tablet.edit(shared.person, Edit::set("name/family", family), &tablet.by())?;
            let right = vec![("systolic".to_owned(), json!(systolic))];
            tablet.tablet.correct(
                shared.contact,
                &shared.reading,
                right,
                Some("misread the display"),
                None,
                &tablet.by(),
            )?;
        }
        Ok(())
    }

    /// What base holds now, in words.
    async fn report(&self, out: &mut impl Write, summary: &Summary) -> Result<()> {
        writeln!(
            out,
            "\nAt base: {} of {} records, in the views {}. {} up, {} down.",
            summary.on_server,
            summary.recorded,
            summary.in_views,
            print::bytes(summary.bytes_up),
            print::bytes(summary.bytes_down)
        )?;
        let data = self.data.clone();
        let (records, worklist) = tokio::task::spawn_blocking(move || -> Result<(Vec<Value>, Vec<Value>)> {
            let views = Views::open(&data)?;
            Ok((views.list(None)?, views.worklist()?))
        })
        .await??;

        writeln!(
            out,
            "\nRecords that disagree ({}): every value is kept until somebody settles it.",
            summary.conflicts
        )?;
        for record in &records {
            for conflict in record["conflicts"].as_array().into_iter().flatten() {
                print::conflict(out, record, conflict, |tablet| self.name_of(tablet))?;
            }
        }
        writeln!(out, "\nWorklist ({}):", worklist.len())?;
        for item in worklist.iter().take(WORKLIST) {
            print::work(out, item, &records)?;
        }
        if worklist.len() > WORKLIST {
            writeln!(out, "  … and {} more", worklist.len() - WORKLIST)?;
        }
        Ok(())
    }

    fn name_of(&self, tablet: &str) -> String {
        let found = self.tablets.iter().find(|known| known.tablet.id() == tablet);
        found.map_or_else(|| tablet.to_owned(), |tablet| tablet.name.to_owned())
    }
}

/// What all tablets know in the morning.
struct Shared {
    contact: RecordId,
    person: RecordId,
    reading: String,
}
