-- The audit trail as a chain: each row covers the hash of the one before it.

ALTER TABLE audit ADD COLUMN account INTEGER; -- Of an account its number.
ALTER TABLE audit ADD COLUMN address TEXT NOT NULL DEFAULT ''; -- From where, if that is known.
-- Its place in the chain, from 1 without a gap; NULL for a row that is not in it.
ALTER TABLE audit ADD COLUMN place INTEGER;
-- The chain covers the reason by a digest of it with this salt: what is erased takes both away, and breaks nothing.
ALTER TABLE audit ADD COLUMN salt BLOB;
ALTER TABLE audit ADD COLUMN digest BLOB;
ALTER TABLE audit ADD COLUMN hash BLOB;

CREATE UNIQUE INDEX audit_by_place ON audit (place);
CREATE INDEX audit_by_record ON audit (record, place);
CREATE INDEX audit_by_account ON audit (account, place);
CREATE INDEX audit_by_act ON audit (act, at);

-- Where the chain ends.
CREATE TABLE audit_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    place INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- A row is chained once, and loses its reason when its record is erased.
DROP TRIGGER audit_is_never_updated;
CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
WHEN new.n <> old.n OR new.at <> old.at OR new.who <> old.who OR new.act <> old.act OR new.record IS NOT old.record
    OR new.account IS NOT old.account OR new.address <> old.address
    OR NOT (
        (old.place IS NULL AND new.reason = old.reason)
        OR (
            new.place IS old.place AND new.digest IS old.digest AND new.hash IS old.hash
            AND new.reason = '' AND new.salt IS NULL
            AND EXISTS (SELECT 1 FROM erased WHERE record = old.record)
        )
    )
BEGIN
    SELECT raise(ABORT, 'the audit trail is append-only');
END;

-- Erasing a person is asked for by one administrator and confirmed by another.
CREATE TABLE erase_request (
    person BLOB PRIMARY KEY CHECK (length(person) = 16),
    account INTEGER NOT NULL REFERENCES account (n),
    reason TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
