-- Whom the team reaches: what each contact says of the person and of what became of a raised reading, in one narrow
-- row, so that a page can count all of them. Everything is derived again after this step.
DELETE FROM made_by;

CREATE TABLE reach (
    contact BLOB NOT NULL PRIMARY KEY CHECK (length(contact) = 16),
    team BLOB NOT NULL,
    -- As in `contact`; who it is by now says `person`.
    person BLOB,
    -- All zeros where it names none.
    session BLOB NOT NULL CHECK (length(session) = 16),
    -- YYYY-MM-DD, of the beginning, in London.
    day TEXT NOT NULL,
    -- Codes as in the records; empty where nothing was said. `?` where it was asked and declined.
    sex TEXT NOT NULL,
    ethnic TEXT NOT NULL,
    age TEXT NOT NULL,
    language TEXT NOT NULL,
    registered TEXT NOT NULL,
    postcode TEXT NOT NULL,
    -- Codes with a comma between them, in order.
    plus_groups TEXT NOT NULL,
    -- How far it came: 0 seen, 1 measured, 2 newly raised, 3 handed on, 4 followed through.
    step INTEGER NOT NULL
) STRICT;

CREATE INDEX reach_by_day ON reach (day);
