-- What somebody must still do, a row for each thing, in the order in which people take it up. Everything is derived
-- again after this step.
DELETE FROM made_by;

CREATE TABLE todo (
    -- 1 urgent, 2 follow-up, 3 to arrange, 4 referral, 5 values that disagree, 7 in somebody's hands.
    part INTEGER NOT NULL,
    -- Higher is more urgent; above 0 only where urgency orders the part.
    rank INTEGER NOT NULL,
    -- YYYY-MM-DD by which it should be done; empty where time does not order the part, 9999-12-31 where no day was said.
    day TEXT NOT NULL,
    started_at TEXT NOT NULL,
    contact BLOB NOT NULL CHECK (length(contact) = 16),
    -- The follow-up or referral that it is about; empty for the check itself.
    entry TEXT NOT NULL,
    team BLOB NOT NULL,
    PRIMARY KEY (contact, part, entry)
) STRICT, WITHOUT ROWID;

-- Holds all that lists and counts need.
CREATE INDEX todo_in_order ON todo (part, rank DESC, day, started_at, contact, entry, team);

-- Records other than checks in which values disagree.
CREATE INDEX record_disputed ON record (kind, created, id) WHERE conflict_count > 0;

-- Who was merged: few, and each changes which pairs may be one.
CREATE INDEX person_merged ON person (standing) WHERE standing <> id;
