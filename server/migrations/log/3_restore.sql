-- What a restore has to know.

-- Whose log this is, and how far it knows the ledger that is kept outside the backups. A log that knows less
-- than the ledger was set back to an older copy.
CREATE TABLE keeper (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    identity BLOB NOT NULL CHECK (length(identity) = 32),
    ledger BLOB NOT NULL CHECK (length(ledger) = 16),
    position INTEGER NOT NULL
) STRICT;

-- Backups that were opened again and compared. The oldest that somebody may still restore from says how far
-- back tablets must be able to refill the log.
CREATE TABLE restore_point (
    n INTEGER PRIMARY KEY,
    made_at INTEGER NOT NULL
) STRICT;

CREATE TABLE restore_point_head (
    point INTEGER NOT NULL REFERENCES restore_point (n),
    team INTEGER NOT NULL REFERENCES team (n),
    head INTEGER NOT NULL,
    PRIMARY KEY (point, team)
) STRICT, WITHOUT ROWID;

-- What coordinators should know of the log itself.
CREATE TABLE alarm (
    n INTEGER PRIMARY KEY,
    code TEXT NOT NULL,
    -- The id of the tablet that it is about; empty where it is about the server.
    tablet TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    times INTEGER NOT NULL,
    UNIQUE (code, tablet)
) STRICT;

-- Random, given to the tablet with each receipt: the one it showed last, and the one it was given last. It shows
-- either, since an answer may be lost; one that shows another is a copy.
ALTER TABLE tablet ADD COLUMN token_shown BLOB;
ALTER TABLE tablet ADD COLUMN token_given BLOB;
