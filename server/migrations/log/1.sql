-- The log: the one source of truth. Names that stand in many rows (teams, actors, lists) are numbers
-- here; records, changes and public keys are their bytes.

PRAGMA application_id = 0x5761794c; -- WayL

CREATE TABLE team (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    name TEXT NOT NULL UNIQUE,
    -- Random, and new after every restore: a cursor of another epoch means nothing here.
    epoch BLOB NOT NULL CHECK (length(epoch) = 8),
    head INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;

-- A list of changes as its author signed it, kept whole: also the parts that went to quarantine, since
-- without them nobody could verify the signature.
CREATE TABLE signed_list (
    n INTEGER PRIMARY KEY,
    team INTEGER NOT NULL REFERENCES team (n),
    author BLOB NOT NULL CHECK (length(author) = 32),
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    -- (record, 16 bytes; change hash, 32 bytes) in the signed order.
    items BLOB NOT NULL CHECK (length(items) % 48 = 0),
    UNIQUE (team, signature)
) STRICT;

-- The first valid signer owns an actor.
CREATE TABLE actor (
    n INTEGER PRIMARY KEY,
    actor BLOB NOT NULL UNIQUE,
    author BLOB NOT NULL CHECK (length(author) = 32)
) STRICT;

-- What is known of a record without reading its changes. Bound to its team at first acceptance.
CREATE TABLE record (
    n INTEGER PRIMARY KEY,
    record BLOB NOT NULL UNIQUE CHECK (length(record) = 16),
    team INTEGER NOT NULL REFERENCES team (n),
    kind TEXT NOT NULL,
    changes INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;

CREATE TABLE log (
    n INTEGER PRIMARY KEY,
    team INTEGER NOT NULL REFERENCES team (n),
    seq INTEGER NOT NULL CHECK (seq > 0),
    record BLOB NOT NULL CHECK (length(record) = 16),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    actor INTEGER NOT NULL REFERENCES actor (n),
    actor_seq INTEGER NOT NULL,
    -- The bytes as they were received; they keep their hash.
    raw BLOB NOT NULL,
    list INTEGER NOT NULL REFERENCES signed_list (n),
    received_at INTEGER NOT NULL,
    -- The set sum of the team's active changes up to this row, which gives the fingerprint at any cursor.
    sum BLOB NOT NULL CHECK (length(sum) = 32),
    count INTEGER NOT NULL,
    UNIQUE (team, seq),
    UNIQUE (team, record, hash),
    UNIQUE (team, record, actor, actor_seq)
) STRICT;

CREATE TRIGGER log_is_never_updated BEFORE UPDATE ON log BEGIN
    SELECT raise(ABORT, 'the log is append-only');
END;
CREATE TRIGGER log_is_never_deleted BEFORE DELETE ON log BEGIN
    SELECT raise(ABORT, 'the log is append-only');
END;

-- What cannot be accepted, kept whole with the reason.
CREATE TABLE quarantine (
    n INTEGER PRIMARY KEY,
    team INTEGER NOT NULL REFERENCES team (n),
    record BLOB NOT NULL CHECK (length(record) = 16),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    raw BLOB NOT NULL,
    code TEXT NOT NULL,
    path TEXT NOT NULL,
    message TEXT NOT NULL,
    -- The id of who sent it, which need not be its author.
    tablet TEXT NOT NULL,
    author BLOB NOT NULL CHECK (length(author) = 32),
    list INTEGER NOT NULL REFERENCES signed_list (n),
    received_at INTEGER NOT NULL,
    UNIQUE (team, record, hash)
) STRICT;

-- What depends on changes that have not arrived.
CREATE TABLE waiting (
    n INTEGER PRIMARY KEY,
    team INTEGER NOT NULL REFERENCES team (n),
    record BLOB NOT NULL CHECK (length(record) = 16),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    raw BLOB NOT NULL,
    tablet TEXT NOT NULL,
    author BLOB NOT NULL CHECK (length(author) = 32),
    list INTEGER NOT NULL REFERENCES signed_list (n),
    received_at INTEGER NOT NULL,
    UNIQUE (team, record, hash)
) STRICT;

CREATE INDEX waiting_by_tablet ON waiting (tablet);

-- Which missing change each of them waits for.
CREATE TABLE waiting_for (
    team INTEGER NOT NULL,
    record BLOB NOT NULL,
    missing BLOB NOT NULL CHECK (length(missing) = 32),
    waiting INTEGER NOT NULL REFERENCES waiting (n) ON DELETE CASCADE,
    PRIMARY KEY (team, record, missing, waiting)
) STRICT, WITHOUT ROWID;

CREATE INDEX waiting_for_by_waiting ON waiting_for (waiting);

CREATE TABLE tablet (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 32),
    name TEXT NOT NULL,
    certificate BLOB NOT NULL CHECK (length(certificate) = 64),
    enrolled_at INTEGER NOT NULL,
    last_seen_at INTEGER,
    -- The tablet's estimate of the server's time less the server's time.
    clock_skew_ms INTEGER
) STRICT;

CREATE TABLE tablet_team (
    tablet INTEGER NOT NULL REFERENCES tablet (n),
    team INTEGER NOT NULL REFERENCES team (n),
    since INTEGER NOT NULL,
    PRIMARY KEY (tablet, team)
) STRICT, WITHOUT ROWID;

CREATE TABLE enrol_code (
    -- SHA-256 of the secret: who reads this file cannot enrol with it.
    secret BLOB PRIMARY KEY CHECK (length(secret) = 32),
    team INTEGER NOT NULL REFERENCES team (n),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- The id of the tablet that used it.
    used_by TEXT,
    used_at INTEGER
) STRICT, WITHOUT ROWID;
