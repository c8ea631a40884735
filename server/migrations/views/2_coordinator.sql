-- What coordinators work from. Everything here is derived again after this step (made_by is emptied).
DELETE FROM made_by;
DROP TABLE contact;

CREATE TABLE contact (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    team BLOB NOT NULL,
    session TEXT,
    -- Its id as it stands in the contact, whether or not that record is here. Who it is by now says `person`.
    person BLOB,
    started_at TEXT NOT NULL,
    category TEXT,
    -- JSON array.
    actions TEXT NOT NULL,
    urgency TEXT NOT NULL,
    -- Higher is more urgent.
    rank INTEGER NOT NULL,
    why TEXT NOT NULL,
    -- 0: nobody need look; 1: on the worklist; 2: was on it, and is in somebody's hands.
    attention INTEGER NOT NULL
) STRICT;

CREATE INDEX contact_by_person ON contact (person);
CREATE INDEX contact_by_session ON contact (session);
CREATE INDEX contact_by_team ON contact (team);
CREATE INDEX contact_worklist ON contact (attention, rank DESC, started_at, id) WHERE attention > 0;

-- Follow-ups and referrals, to find them by their day. How they stand on a day the rules say.
CREATE TABLE task (
    contact BLOB NOT NULL,
    kind TEXT NOT NULL,
    entry TEXT NOT NULL,
    -- NULL where no day was said.
    due_on TEXT,
    -- 1 as long as somebody of the team must still do something.
    open INTEGER NOT NULL,
    PRIMARY KEY (contact, kind, entry)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_open ON task (due_on, contact) WHERE open = 1;

CREATE TABLE person (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    team BLOB NOT NULL,
    merged_into BLOB,
    -- The lowest id of all that were merged with it; its own when none was.
    standing BLOB NOT NULL
) STRICT;

CREATE INDEX person_by_standing ON person (standing);
CREATE INDEX person_by_merge ON person (merged_into) WHERE merged_into IS NOT NULL;

-- Under what a person may be found among possible duplicates. Holds personal data, as `record` does.
CREATE TABLE person_key (
    key TEXT NOT NULL,
    person BLOB NOT NULL,
    PRIMARY KEY (key, person)
) STRICT, WITHOUT ROWID;

CREATE INDEX person_key_by_person ON person_key (person);

-- Two who may be one, by the weights of `matching`; the lower id first.
CREATE TABLE pair (
    a BLOB NOT NULL,
    b BLOB NOT NULL,
    weight REAL NOT NULL,
    -- 1: possible, 2: likely.
    likely INTEGER NOT NULL,
    -- JSON array of the ids of texts.
    reasons TEXT NOT NULL,
    PRIMARY KEY (a, b)
) STRICT, WITHOUT ROWID;

CREATE INDEX pair_by_b ON pair (b);
CREATE INDEX pair_by_weight ON pair (likely DESC, weight DESC, a, b);

-- What coordinators decided: these are two people.
CREATE TABLE not_same (
    holder BLOB NOT NULL,
    entry TEXT NOT NULL,
    other BLOB NOT NULL,
    PRIMARY KEY (holder, entry)
) STRICT, WITHOUT ROWID;

CREATE INDEX not_same_by_other ON not_same (other);
