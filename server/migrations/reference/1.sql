-- What official files say of places and practices. Nothing of people. Each import is a dataset of its own; rows of
-- one that was replaced are taken out afterwards.

PRAGMA application_id = 0x57617952; -- WayR

CREATE TABLE dataset (
    n INTEGER PRIMARY KEY,
    -- postcodes, deprivation-2019, deprivation-2025, practices, population
    kind TEXT NOT NULL,
    -- As the administrator named it, or the file's name.
    release TEXT NOT NULL,
    -- SHA-256 of the file.
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    rows INTEGER NOT NULL,
    -- Rows that say nothing that is used here, as a postcode of an unknown form.
    skipped INTEGER NOT NULL,
    imported_at INTEGER NOT NULL
) STRICT;

-- Which dataset of a kind counts. Whoever reads joins here, so that an import shows at one moment.
CREATE TABLE current (
    kind TEXT PRIMARY KEY,
    dataset INTEGER NOT NULL REFERENCES dataset (n)
) STRICT, WITHOUT ROWID;

CREATE TABLE postcode (
    dataset INTEGER NOT NULL,
    -- Upper case, one space before the last three characters.
    postcode TEXT NOT NULL,
    -- Areas of the 2011 and of the 2021 census; empty where there is none, or the file has no such column.
    lsoa11 TEXT NOT NULL,
    lsoa21 TEXT NOT NULL,
    ward TEXT NOT NULL,
    district TEXT NOT NULL,
    country TEXT NOT NULL,
    -- YYYYMM; empty while it is in use.
    terminated TEXT NOT NULL,
    PRIMARY KEY (dataset, postcode)
) STRICT, WITHOUT ROWID;

CREATE TABLE deprivation (
    dataset INTEGER NOT NULL,
    lsoa TEXT NOT NULL,
    district TEXT NOT NULL,
    district_name TEXT NOT NULL,
    -- 1 is most deprived.
    rank INTEGER NOT NULL,
    decile INTEGER NOT NULL CHECK (decile BETWEEN 1 AND 10),
    -- Who live there by the file's own denominator; NULL where it has none.
    people INTEGER,
    PRIMARY KEY (dataset, lsoa)
) STRICT, WITHOUT ROWID;

CREATE TABLE practice (
    dataset INTEGER NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The address lines that are not empty, one below the other.
    address TEXT NOT NULL,
    postcode TEXT NOT NULL,
    phone TEXT NOT NULL,
    -- 1: open. Closed ones are kept: people name the practice that they were with.
    active INTEGER NOT NULL,
    PRIMARY KEY (dataset, code)
) STRICT, WITHOUT ROWID;

CREATE TABLE population (
    dataset INTEGER NOT NULL,
    area TEXT NOT NULL,
    area_name TEXT NOT NULL,
    -- total, ethnic_category, sex, age_band
    measure TEXT NOT NULL,
    code TEXT NOT NULL,
    people INTEGER NOT NULL,
    PRIMARY KEY (dataset, area, measure, code)
) STRICT, WITHOUT ROWID;
