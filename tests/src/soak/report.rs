//! A page that stands by itself: what happened, whether it was flat, and every figure as a plot.

use std::{collections::BTreeMap, fmt::Write, fs, path::PathBuf};

use anyhow::Result;

use super::{
    Plan,
    judge::{Judged, judge},
    plot::{Line, plot},
    sampler::{PARTS, Sample, Spread},
};

const STYLE: &str = "body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #212b32; background: #fff }
table { border-collapse: collapse; margin: 1rem 0 } th, td { text-align: left; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid #d8dde0 }
svg { width: 100%; height: auto; margin: .5rem 0; font: 12px system-ui, sans-serif } svg .title { font-weight: 600 }
.grid { stroke: #d8dde0 } .judged { fill: #f0f4f5 } .missed { color: #a2180b; font-weight: 600 }";

pub struct Report<'a> {
    pub plan: &'a Plan,
    pub samples: &'a [Sample],
    /// Contacts, and pages that were read.
    pub recorded: usize,
    pub pages: usize,
    /// Syncs that failed, by code; pages that did not come.
    pub failed: BTreeMap<String, usize>,
    pub unread: usize,
}

impl Report<'_> {
    pub fn judged(&self) -> Vec<Judged> {
        judge(self.samples)
    }

    pub fn is_flat(&self) -> bool {
        self.judged().iter().all(Judged::is_flat)
    }

    /// Writes `report.html`, and beside it `samples.csv`. Returns where the report is.
    pub fn write(&self) -> Result<PathBuf> {
        fs::create_dir_all(&self.plan.report)?;
        let path = self.plan.report.join("report.html");
        fs::write(&path, self.html())?;
        self.table()?;
        Ok(path)
    }

    fn html(&self) -> String {
        let Report { plan, samples, recorded, pages, unread, .. } = self;
        let verdict = if self.is_flat() { "Flat" } else { "<span class=\"missed\">Not flat</span>" };
        let minutes = plan.lasts.as_secs_f64() / 60.0;
        let mut html = format!(
            "<!doctype html><html lang=\"en-GB\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>Wayside under load</title><style>{STYLE}</style><h1>Wayside {} under load: {verdict}</h1>\
             <p>{} tablets and {} coordinators for {minutes:.0} minutes, seed {}: {recorded} contacts, all of them on the \
             pages at the end; {pages} pages read, {unread} that did not come. Syncs that failed: {}.</p>",
            env!("CARGO_PKG_VERSION"),
            plan.tablets,
            plan.coordinators,
            plan.seed,
            self.failures()
        );
        html.push_str("<h2>The second half</h2><table><tr><th>What<th>On average<th>Over it<th>At most</tr>");
        for one in self.judged() {
            let class = if one.is_flat() { "" } else { " class=\"missed\"" };
            let _ = write!(
                html,
                "<tr{class}><td>{}<td>{:.1} {}<td>{:+.1}<td>+{:.1}</tr>",
                one.what, one.mean, one.unit, one.grew, one.bound
            );
        }
        html.push_str("</table><h2>All of it</h2><table><tr><th>Milliseconds<th>p50<th>p95<th>p99</tr>");
        for (what, of) in [
            ("From recording until at base", (|seen| seen.sync) as fn(&Sample) -> Spread),
            ("A page, to its last byte", |seen| seen.page),
        ] {
            let _ = write!(html, "<tr><td>{what}, the middle of all moments");
            for n in 0..PARTS.len() {
                let mut all: Vec<f64> = samples.iter().filter_map(|seen| of(seen)[n]).collect();
                all.sort_by(f64::total_cmp);
                let _ = write!(html, "<td>{:.0}", super::quantile(&all, 0.5).unwrap_or_default());
            }
            html.push_str("</tr>");
        }
        html.push_str("</table>");
        for (title, unit, lines) in self.plots() {
            html.push_str(&plot(title, unit, &lines));
        }
        html + "</html>\n"
    }

    fn failures(&self) -> String {
        let told: Vec<String> = self.failed.iter().map(|(code, count)| format!("{count} {code}")).collect();
        if told.is_empty() { "none".to_owned() } else { told.join(", ") }
    }

    fn plots(&self) -> Vec<(&'static str, &'static str, Vec<Line>)> {
        let line = |name: &'static str, of: &dyn Fn(&Sample) -> Option<f64>| {
            let points = self.samples.iter().map(|seen| (seen.at / 60.0, of(seen)));
            Line { name, points: points.collect() }
        };
        let spread = |of: fn(&Sample) -> Spread| {
            PARTS.iter().enumerate().map(|(n, (name, _))| line(name, &|seen| of(seen)[n])).collect()
        };
        vec![
            ("Memory", "MB", vec![line("memory", &|seen| Some(seen.memory))]),
            (
                "Handles and threads",
                "",
                vec![
                    line("handles", &|seen| Some(seen.handles)),
                    line("threads", &|seen| Some(seen.threads)),
                ],
            ),
            ("From recording until at base", "ms", spread(|seen| seen.sync)),
            ("A page, to its last byte", "ms", spread(|seen| seen.page)),
            ("Views behind the log", "changes", vec![line("behind", &|seen| Some(seen.behind))]),
            ("The data directory", "MB", vec![line("disk", &|seen| Some(seen.disk))]),
            ("Write-ahead logs", "MB", vec![line("WAL", &|seen| Some(seen.wal))]),
            ("Changes in the log", "", vec![line("changes", &|seen| Some(seen.changes))]),
            ("CPU of the server", "% of one core", vec![line("CPU", &|seen| Some(seen.cpu * 100.0))]),
        ]
    }

    fn table(&self) -> Result<()> {
        let mut csv = csv::Writer::from_path(self.plan.report.join("samples.csv"))?;
        let spreads =
            ["sync", "page"].into_iter().flat_map(|what| PARTS.map(|(part, _)| format!("{what}_{part}_ms")));
        let names =
            ["seconds", "memory_mb", "handles", "threads", "cpu", "disk_mb", "wal_mb", "changes", "behind"];
        csv.write_record(names.into_iter().map(str::to_owned).chain(spreads))?;
        for seen in self.samples {
            let Sample { at, memory, handles, threads, cpu, disk, wal, changes, behind, sync, page } = seen;
            let plain = [at, memory, handles, threads, cpu, disk, wal, changes, behind].map(|one| Some(*one));
            let cells = plain.iter().chain(sync).chain(page);
            csv.write_record(cells.map(|cell| cell.map_or(String::new(), |value| format!("{value:.3}"))))?;
        }
        Ok(csv.flush()?)
    }
}
