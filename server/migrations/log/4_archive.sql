-- Records that leave the tablets, come back, or are gone for good.

-- Entries of a team's log that name a record. They take numbers of the same sequence as changes.
CREATE TABLE entry (
    n INTEGER PRIMARY KEY,
    team INTEGER NOT NULL REFERENCES team (n),
    seq INTEGER NOT NULL CHECK (seq > 0),
    -- 1: archive, 2: activate, 3: erase.
    what INTEGER NOT NULL CHECK (what IN (1, 2, 3)),
    record BLOB NOT NULL CHECK (length(record) = 16),
    made_at INTEGER NOT NULL,
    -- The id of the tablet whose change or wish made it, else `server`.
    made_by TEXT NOT NULL,
    -- As in `log`.
    sum BLOB NOT NULL CHECK (length(sum) = 32),
    count INTEGER NOT NULL,
    UNIQUE (team, seq)
) STRICT;

CREATE INDEX entry_by_record ON entry (team, record, seq);

CREATE TRIGGER entry_is_never_updated BEFORE UPDATE ON entry BEGIN
    SELECT raise(ABORT, 'the log is append-only');
END;
CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry BEGIN
    SELECT raise(ABORT, 'the log is append-only');
END;

-- The number of the entry that took it off the tablets; NULL while it is active.
ALTER TABLE record ADD COLUMN archived INTEGER;

-- Nothing of these is taken any more: also of those that this log never held, as after a restore.
CREATE TABLE erased (
    record BLOB PRIMARY KEY CHECK (length(record) = 16)
) STRICT, WITHOUT ROWID;

-- The log is append-only, but for the bytes of a record that was erased.
DROP TRIGGER log_is_never_updated;
CREATE TRIGGER log_is_never_updated BEFORE UPDATE ON log
WHEN new.raw <> x'' OR new.n <> old.n OR new.team <> old.team OR new.seq <> old.seq OR new.record <> old.record
    OR new.hash <> old.hash OR new.actor <> old.actor OR new.actor_seq <> old.actor_seq OR new.list <> old.list
    OR new.received_at <> old.received_at OR new.sum <> old.sum OR new.count <> old.count
    OR NOT EXISTS (SELECT 1 FROM erased WHERE record = old.record)
BEGIN
    SELECT raise(ABORT, 'the log is append-only');
END;

-- Who looked at what left the tablets, who archived and erased. Append-only. No personal data but ids and the
-- reason as it was typed.
CREATE TABLE audit (
    n INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    -- The id of the tablet and the member of staff, or the account or command.
    who TEXT NOT NULL,
    act TEXT NOT NULL,
    record BLOB,
    reason TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit BEGIN
    SELECT raise(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit BEGIN
    SELECT raise(ABORT, 'the audit trail is append-only');
END;
