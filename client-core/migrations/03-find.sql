-- What people look for, derived from the views; built again when the rules or this program change.

-- Of each contact: whether the guide still has a step for it, and whether something is still to be done.
CREATE TABLE contact (
    record INTEGER PRIMARY KEY REFERENCES record (no) ON DELETE CASCADE,
    session BLOB,
    person BLOB,
    started_at TEXT NOT NULL,
    parked INTEGER NOT NULL,
    -- The code of the next step; `done` where there is none.
    step TEXT NOT NULL,
    -- Whether a referral or follow-up is open.
    open INTEGER NOT NULL
) STRICT;
CREATE INDEX contact_session ON contact (session);
CREATE INDEX contact_person ON contact (person);
CREATE INDEX contact_half_done ON contact (parked, started_at) WHERE step <> 'done';
CREATE INDEX contact_open ON contact (record) WHERE open = 1;

-- Of each person: who stands for them, being the lowest id of all that were found to be one.
CREATE TABLE person (
    record INTEGER PRIMARY KEY REFERENCES record (no) ON DELETE CASCADE,
    id BLOB NOT NULL UNIQUE,
    merged_into BLOB,
    standing BLOB NOT NULL,
    -- By which lists are ordered.
    name TEXT NOT NULL
) STRICT;
CREATE INDEX person_standing ON person (standing);
CREATE INDEX person_merged ON person (merged_into) WHERE merged_into IS NOT NULL;

-- Under what a person is found: `word <part of a name>`, and the keys by which likely duplicates are found.
CREATE TABLE find_key (
    key TEXT NOT NULL,
    record INTEGER NOT NULL REFERENCES record (no) ON DELETE CASCADE,
    PRIMARY KEY (key, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX find_key_record ON find_key (record);
