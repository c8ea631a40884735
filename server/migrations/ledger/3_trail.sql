-- Where the audit trail of the log ended, noted now and then: who cuts it off or writes it anew is found out.
CREATE TABLE trail (
    n INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    place INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    -- 1: the log was restored, and goes on from here.
    restored INTEGER NOT NULL CHECK (restored IN (0, 1))
) STRICT;

CREATE TRIGGER trail_is_never_updated BEFORE UPDATE ON trail BEGIN
    SELECT raise(ABORT, 'the ledger is append-only');
END;
CREATE TRIGGER trail_is_never_deleted BEFORE DELETE ON trail BEGIN
    SELECT raise(ABORT, 'the ledger is append-only');
END;
