-- Everything here lies inside SQLCipher. Times are RFC 3339 text, ids 16 bytes, hashes 32 bytes.

-- This tablet: its key, its server, how far it has come.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- The teams this tablet is enrolled in, and its place in the log of each.
CREATE TABLE team (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    epoch BLOB NOT NULL DEFAULT (zeroblob(8)),
    cursor INTEGER NOT NULL DEFAULT 0,
    -- The running sum over all (record, hash) held with seq <= cursor, and how many they are.
    sum BLOB NOT NULL DEFAULT (zeroblob(32)),
    count INTEGER NOT NULL DEFAULT 0,
    -- 1 while everything is compared with the server again from the beginning of its log.
    refilling INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- A record and what people see of it. The view is rebuilt from the record's changes and is never the truth.
CREATE TABLE record (
    no INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL DEFAULT '',
    -- NULL until the tablet is enrolled.
    team BLOB,
    heads BLOB NOT NULL DEFAULT (zeroblob(0)),
    conflicts INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    -- Of a contact: the person's record id.
    person BLOB,
    -- Of a site: its name in lower case, by which it is found.
    name TEXT,
    -- JSON {fields, conflicts}; NULL while every change is in quarantine.
    view TEXT
) STRICT;
CREATE INDEX record_kind ON record (kind, no);
CREATE INDEX record_team ON record (no) WHERE team IS NULL;
CREATE INDEX record_name ON record (name) WHERE name IS NOT NULL;
CREATE INDEX record_conflicts ON record (no) WHERE conflicts > 0;

-- Apart from the views, so that a search reads little.
CREATE TABLE search (
    record INTEGER PRIMARY KEY REFERENCES record (no) ON DELETE CASCADE,
    -- Persons first.
    rank INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;

-- The changes themselves: the truth. `no` is the local order, in which each comes after what it depends on.
CREATE TABLE change (
    no INTEGER PRIMARY KEY,
    record INTEGER NOT NULL REFERENCES record (no) ON DELETE CASCADE,
    team BLOB,
    hash BLOB NOT NULL,
    actor BLOB NOT NULL,
    actor_seq INTEGER NOT NULL,
    -- The hashes that it depends on, one after the other.
    deps BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'waiting', 'accepted', 'quarantined')),
    -- Made on this tablet.
    own INTEGER NOT NULL,
    -- Its number in the team's log, in the epoch that the team's row names.
    seq INTEGER,
    -- Whether the server has given a verdict on it in this epoch.
    answered INTEGER NOT NULL DEFAULT 0,
    -- Why it is in quarantine.
    code TEXT,
    list INTEGER REFERENCES signed_list (no),
    raw BLOB NOT NULL,
    UNIQUE (record, hash)
) STRICT;
CREATE INDEX change_seq ON change (team, seq) WHERE seq IS NOT NULL;
CREATE INDEX change_offer ON change (team, no) WHERE seq IS NULL AND answered = 0;
CREATE INDEX change_state ON change (state, record) WHERE state <> 'accepted';
CREATE INDEX change_team ON change (no) WHERE team IS NULL;

-- Lists as their authors signed them, kept to be offered again to a restored server.
CREATE TABLE signed_list (
    no INTEGER PRIMARY KEY,
    team BLOB NOT NULL,
    author BLOB NOT NULL,
    -- The server's word for the author; zeros for the server itself.
    certificate BLOB NOT NULL,
    signature BLOB NOT NULL,
    -- Record id and change hash of each, one after the other.
    items BLOB NOT NULL,
    UNIQUE (signature, author)
) STRICT;
