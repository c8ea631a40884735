-- Views: derived from the log alone, deleted at any time, the same again when they come back.

-- By which rules these rows were derived. Others mean: derive again.
CREATE TABLE made_by (rules TEXT NOT NULL) STRICT;

CREATE TABLE cursor (
    team BLOB PRIMARY KEY CHECK (length(team) = 16),
    epoch BLOB NOT NULL,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE record (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    team BLOB NOT NULL,
    kind TEXT NOT NULL,
    -- As `show` prints them, without what depends on other records.
    fields TEXT NOT NULL,
    conflicts TEXT NOT NULL,
    conflict_count INTEGER NOT NULL,
    -- Every text and number of the record, in lower case, concurrent values included.
    search TEXT NOT NULL,
    -- When its beginning says that it was made; empty when that says nothing.
    created TEXT NOT NULL
) STRICT;

CREATE INDEX record_by_creation ON record (created, id);
CREATE INDEX record_by_team ON record (team);

CREATE TABLE contact (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    team BLOB NOT NULL,
    session TEXT,
    -- Its id as it stands in the contact, whether or not that record is here.
    person TEXT,
    started_at TEXT NOT NULL,
    category TEXT,
    -- JSON array.
    actions TEXT NOT NULL,
    urgency TEXT NOT NULL,
    -- Higher is more urgent.
    rank INTEGER NOT NULL,
    why TEXT NOT NULL,
    attention INTEGER NOT NULL
) STRICT;

CREATE INDEX contact_by_person ON contact (person);
CREATE INDEX contact_by_team ON contact (team);
CREATE INDEX contact_worklist ON contact (rank DESC, started_at, id) WHERE attention = 1;
