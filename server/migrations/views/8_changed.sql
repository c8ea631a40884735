-- Where in its team's log each record last changed as it is exported: by its own change or entry, or by one of a person
-- who was found to be its person, or no more. A function of the log alone. Everything is derived again after this step.
DELETE FROM made_by;

CREATE TABLE changed (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    team BLOB NOT NULL,
    seq INTEGER NOT NULL,
    -- 1 where it was erased.
    gone INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX changed_by_seq ON changed (team, seq, id);
