//! How well contacts were recorded, counted for each session, day and tablet.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, Transaction, params};
use wayside_protocol::record::RecordId;

use super::Views;
use crate::error::Result;

/// What was recorded in a team's session on one day with one tablet.
#[derive(Debug, Clone, Default)]
pub struct QualityRow {
    pub team: [u8; 16],
    /// All zeros where the contacts name none.
    pub session: [u8; 16],
    pub day: String,
    /// Empty where the contacts do not say.
    pub tablet: String,
    pub contacts: u64,
    /// Nobody asked, or it is not known. Who declined to say was asked.
    pub ethnicity_missing: u64,
    /// With a reading that was taken long before or after the contact began.
    pub odd_times: u64,
    /// Those that our own people took and that count.
    pub readings: u64,
    /// Systolic readings of 130 to 139 mmHg, and of 140 to 149.
    pub just_below: u64,
    pub just_above: u64,
    /// How many systolic and diastolic values end in 0, 1, ... 9.
    pub digits: [[u64; 10]; 2],
}

impl QualityRow {
    /// One more contact, as `reach` has it.
    fn add(&mut self, ethnic: &str, readings: &str, odd_times: bool) {
        self.contacts += 1;
        self.ethnicity_missing += u64::from(matches!(ethnic, "" | "99"));
        self.odd_times += u64::from(odd_times);
        let pair = |text: &str| {
            let (systolic, diastolic) = text.split_once('/')?;
            Some([systolic.parse::<i64>().ok()?, diastolic.parse::<i64>().ok()?])
        };
        for pair in readings.split(',').filter_map(pair) {
            self.readings += 1;
            self.just_below += u64::from((130..=139).contains(&pair[0]));
            self.just_above += u64::from((140..=149).contains(&pair[0]));
            for (counts, value) in self.digits.iter_mut().zip(pair) {
                let digit = usize::try_from(value % 10).ok();
                if let Some(count) = digit.and_then(|digit| counts.get_mut(digit)) {
                    *count += 1;
                }
            }
        }
    }
}

/// The session that a contact is counted in, as far as it was written.
pub(super) fn counted_in(views: &Transaction, contact: RecordId) -> Result<Option<[u8; 16]>> {
    let mut statement = views.prepare_cached("SELECT session FROM reach WHERE contact = ?")?;
    Ok(statement.query_row([contact.as_bytes()], |row| row.get(0)).optional()?)
}

/// Counts these sessions anew, of which something in `reach` changed.
pub(super) fn write(views: &Transaction, sessions: &BTreeSet<[u8; 16]>) -> Result<()> {
    for session in sessions {
        let mut rows: BTreeMap<([u8; 16], String, String), QualityRow> = BTreeMap::new();
        let mut statement = views.prepare_cached(
            "SELECT team, day, tablet, ethnic, readings, odd_times FROM reach WHERE session = ?",
        )?;
        let mut contacts = statement.query([session])?;
        while let Some(contact) = contacts.next()? {
            let row = rows.entry((contact.get(0)?, contact.get(1)?, contact.get(2)?)).or_default();
            let (ethnic, readings) = (contact.get_ref(3)?.as_str(), contact.get_ref(4)?.as_str());
            row.add(ethnic.unwrap_or_default(), readings.unwrap_or_default(), contact.get(5)?);
        }
        views.prepare_cached("DELETE FROM quality WHERE session = ?")?.execute([session])?;
        let mut statement = views.prepare_cached(
            "INSERT INTO quality (team, session, day, tablet, contacts, ethnicity_missing, odd_times, readings,
                                  just_below, just_above, digits)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        for ((team, day, tablet), row) in rows {
            let digits: Vec<String> = row.digits.iter().flatten().map(ToString::to_string).collect();
            statement.execute(params![
                team,
                session,
                day,
                tablet,
                row.contacts,
                row.ethnicity_missing,
                row.odd_times,
                row.readings,
                row.just_below,
                row.just_above,
                digits.join(","),
            ])?;
        }
    }
    Ok(())
}

impl Views {
    /// How well the contacts of these days (`YYYY-MM-DD`, both included) were recorded, in no order.
    pub fn quality(&self, from: &str, to: &str) -> Result<Vec<QualityRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT team, session, day, tablet, contacts, ethnicity_missing, odd_times, readings, just_below, just_above,
                    digits
             FROM quality WHERE day BETWEEN ? AND ?",
        )?;
        let rows = statement.query_map((from, to), |row| {
            let mut digits = [[0; 10]; 2];
            let written = row.get_ref(10)?.as_str()?;
            for (count, written) in digits.iter_mut().flatten().zip(written.split(',')) {
                *count = written.parse().unwrap_or_default();
            }
            Ok(QualityRow {
                team: row.get(0)?,
                session: row.get(1)?,
                day: row.get(2)?,
                tablet: row.get(3)?,
                contacts: row.get(4)?,
                ethnicity_missing: row.get(5)?,
                odd_times: row.get(6)?,
                readings: row.get(7)?,
                just_below: row.get(8)?,
                just_above: row.get(9)?,
                digits,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
