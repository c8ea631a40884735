-- What a restore must not undo. Append-only.

PRAGMA application_id = 0x57614c64; -- WaLd

CREATE TABLE ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- Random: a log knows its own ledger by it.
    id BLOB NOT NULL CHECK (length(id) = 16)
) STRICT;

CREATE TABLE entry (
    n INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    -- JSON with a `kind`.
    body TEXT NOT NULL UNIQUE
) STRICT;

CREATE TRIGGER ledger_is_never_updated BEFORE UPDATE ON ledger BEGIN
    SELECT raise(ABORT, 'the ledger is append-only');
END;
CREATE TRIGGER entry_is_never_updated BEFORE UPDATE ON entry BEGIN
    SELECT raise(ABORT, 'the ledger is append-only');
END;
CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry BEGIN
    SELECT raise(ABORT, 'the ledger is append-only');
END;
