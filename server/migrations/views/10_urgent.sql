-- Since which number of its team's log each check calls for somebody today, so that whoever is told of them can go on from
-- where they were; and checks by when they began. Everything is derived again after this step.
DELETE FROM made_by;

CREATE TABLE urgent (
    contact BLOB NOT NULL PRIMARY KEY CHECK (length(contact) = 16),
    team BLOB NOT NULL,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX urgent_by_seq ON urgent (team, seq, contact);

CREATE INDEX contact_by_time ON contact (started_at, id);
