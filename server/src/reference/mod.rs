//! Reference data: what official files say of postcodes, deprivation, practices and populations. It lies in
//! `DIR/reference.db`, on the server alone, comes in by `wayside reference import`, and holds nothing of people.
//!
//! `layout` knows the files, `import` brings one in whole or not at all, and the rest here reads. Two years of the
//! index of deprivation stand side by side and are never mixed: each decile is given with its year (clinical pack, 7.3).

mod import;
mod layout;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row};
use rusqlite_migration::{M, Migrations};
use wayside_protocol::clinical::identity::{Postcode, PostcodeStatus};

pub use import::{Imported, import};

use crate::error::Result;
use crate::log::{connect, migrate};

const MIGRATIONS: &[M<'static>] = &[M::up(include_str!("../../migrations/reference/1.sql"))];

/// What a file is about. One dataset of each counts at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postcodes,
    Deprivation(Year),
    Practices,
    Population,
}

/// Of the English indices of deprivation. Their areas and ranks cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Year {
    /// By the areas of the census of 2011.
    Y2019,
    /// By those of 2021.
    Y2025,
}

impl Kind {
    pub const ALL: [Kind; 5] = [
        Kind::Postcodes,
        Kind::Deprivation(Year::Y2019),
        Kind::Deprivation(Year::Y2025),
        Kind::Practices,
        Kind::Population,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Postcodes => "postcodes",
            Kind::Deprivation(Year::Y2019) => "deprivation-2019",
            Kind::Deprivation(Year::Y2025) => "deprivation-2025",
            Kind::Practices => "practices",
            Kind::Population => "population",
        }
    }

    fn table(self) -> &'static str {
        match self {
            Kind::Postcodes => "postcode",
            Kind::Deprivation(_) => "deprivation",
            Kind::Practices => "practice",
            Kind::Population => "population",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One import that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    pub kind: String,
    pub release: String,
    pub rows: u64,
    /// Rows of the file that say nothing that is used here.
    pub skipped: u64,
    /// Milliseconds since 1970.
    pub imported_at: u64,
}

/// Where a postcode lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// Codes of the census areas of 2011 and of 2021; empty where unknown.
    pub lsoa11: String,
    pub lsoa21: String,
    pub ward: String,
    pub district: String,
    pub country: String,
    /// No longer in use. People go on naming it.
    pub terminated: bool,
}

/// How deprived an area is among all of England. It says nothing of any one person who lives there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deprivation {
    pub year: Year,
    /// 1 is most deprived.
    pub rank: u32,
    /// 1 to 10; 1 is most deprived.
    pub decile: u8,
}

impl Deprivation {
    /// 1 to 5; 1 is most deprived.
    pub fn quintile(self) -> u8 {
        self.decile.div_ceil(2)
    }

    /// The most deprived fifth of England (clinical pack, 7.4).
    pub fn is_core20(self) -> bool {
        self.decile <= 2
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Practice {
    pub code: String,
    pub name: String,
    /// Lines, one below the other.
    pub address: String,
    pub postcode: String,
    pub phone: String,
    pub active: bool,
}

/// The reference data of one data directory.
pub struct Reference {
    conn: Connection,
}

impl Reference {
    /// Opens `DIR/reference.db`, or makes an empty one.
    pub fn open(data: &Path) -> Result<Reference> {
        let mut conn = connect(&data.join("reference.db"))?;
        // What a power cut takes away is imported again.
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        migrate(&mut conn, &Migrations::from_slice(MIGRATIONS))?;
        Ok(Reference { conn })
    }

    /// What counts now, by kind.
    pub fn datasets(&self) -> Result<Vec<Dataset>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT d.kind, d.release, d.rows, d.skipped, d.imported_at
             FROM current c JOIN dataset d ON d.n = c.dataset ORDER BY d.kind",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Dataset {
                kind: row.get(0)?,
                release: row.get(1)?,
                rows: row.get(2)?,
                skipped: row.get(3)?,
                imported_at: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// `None` for a postcode that no file knows, and for one that stands for no place (no fixed abode, say).
    pub fn area(&self, postcode: &str) -> Result<Option<Area>> {
        let postcode = Postcode::parse(postcode);
        if postcode.status != PostcodeStatus::ValidFormat {
            return Ok(None);
        }
        let mut statement = self.conn.prepare_cached(
            "SELECT lsoa11, lsoa21, ward, district, country, terminated FROM postcode
             WHERE dataset = (SELECT dataset FROM current WHERE kind = 'postcodes') AND postcode = ?",
        )?;
        let area = statement.query_row([&postcode.normalised], |row| {
            Ok(Area {
                lsoa11: row.get(0)?,
                lsoa21: row.get(1)?,
                ward: row.get(2)?,
                district: row.get(3)?,
                country: row.get(4)?,
                terminated: !row.get::<_, String>(5)?.is_empty(),
            })
        });
        Ok(area.optional()?)
    }

    /// `None` outside England, and where that year was not imported.
    pub fn deprivation(&self, area: &Area, year: Year) -> Result<Option<Deprivation>> {
        let lsoa = match year {
            Year::Y2019 => &area.lsoa11,
            Year::Y2025 => &area.lsoa21,
        };
        let mut statement = self.conn.prepare_cached(
            "SELECT rank, decile FROM deprivation
             WHERE dataset = (SELECT dataset FROM current WHERE kind = ?) AND lsoa = ?",
        )?;
        let found = statement.query_row((Kind::Deprivation(year).as_str(), lsoa), |row| {
            Ok(Deprivation { year, rank: row.get(0)?, decile: row.get(1)? })
        });
        Ok(found.optional()?)
    }

    /// The newest year of the index that was imported.
    pub fn deprivation_year(&self) -> Result<Option<Year>> {
        let mut statement = self.conn.prepare_cached("SELECT 1 FROM current WHERE kind = ?")?;
        for year in [Year::Y2025, Year::Y2019] {
            if statement.exists([Kind::Deprivation(year).as_str()])? {
                return Ok(Some(year));
            }
        }
        Ok(None)
    }

    pub fn practice(&self, code: &str) -> Result<Option<Practice>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT code, name, address, postcode, phone, active FROM practice
             WHERE dataset = (SELECT dataset FROM current WHERE kind = 'practices') AND code = ?",
        )?;
        let read = |row: &Row| {
            Ok(Practice {
                code: row.get(0)?,
                name: row.get(1)?,
                address: row.get(2)?,
                postcode: row.get(3)?,
                phone: row.get(4)?,
                active: row.get(5)?,
            })
        };
        Ok(statement.query_row([code], read).optional()?)
    }

    /// Who live in a district, by quintile of deprivation (1 first): the index's own denominators. `None` where they
    /// were not imported.
    pub fn people_by_quintile(&self, district: &str, year: Year) -> Result<Option<[u64; 5]>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT (decile + 1) / 2, sum(people) FROM deprivation
             WHERE dataset = (SELECT dataset FROM current WHERE kind = ?) AND district = ? AND people IS NOT NULL
             GROUP BY 1",
        )?;
        let mut rows = statement.query((Kind::Deprivation(year).as_str(), district))?;
        let (mut people, mut any) = ([0; 5], false);
        while let Some(row) = rows.next()? {
            let (quintile, count): (usize, u64) = (row.get(0)?, row.get(1)?);
            if let Some(place) = quintile.checked_sub(1).and_then(|index| people.get_mut(index)) {
                (*place, any) = (count, true);
            }
        }
        Ok(any.then_some(people))
    }

    /// What an area is called whose population was imported, or a district of the index of deprivation.
    pub fn area_name(&self, area: &str) -> Result<Option<String>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT area_name FROM population
             WHERE dataset = (SELECT dataset FROM current WHERE kind = 'population') AND area = ?1 AND area_name <> ''
             UNION ALL
             SELECT district_name FROM deprivation
             WHERE dataset IN (SELECT dataset FROM current) AND district = ?1 AND district_name <> ''
             LIMIT 1",
        )?;
        Ok(statement.query_row([area], |row| row.get(0)).optional()?)
    }

    /// What the population file says of an area: (code, people) of one measure, in the order of the codes.
    pub fn population(&self, area: &str, measure: &str) -> Result<Vec<(String, u64)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT code, people FROM population
             WHERE dataset = (SELECT dataset FROM current WHERE kind = 'population') AND area = ? AND measure = ?
             ORDER BY code",
        )?;
        let rows = statement.query_map((area, measure), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
