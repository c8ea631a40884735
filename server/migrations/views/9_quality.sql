-- How well contacts were recorded, counted for each session, day and tablet: a page adds up some thousand rows instead of
-- reading every contact. Everything is derived again after this step.
DELETE FROM made_by;

-- The tablet that recorded a contact first; empty where its record does not say.
ALTER TABLE reach ADD COLUMN tablet TEXT NOT NULL DEFAULT '';
CREATE INDEX reach_by_session ON reach (session);

CREATE TABLE quality (
    team BLOB NOT NULL,
    session BLOB NOT NULL CHECK (length(session) = 16),
    -- As in `reach`.
    day TEXT NOT NULL,
    tablet TEXT NOT NULL,
    contacts INTEGER NOT NULL,
    ethnicity_missing INTEGER NOT NULL,
    odd_times INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    -- Systolic, in mmHg: 130 to 139, and 140 to 149.
    just_below INTEGER NOT NULL,
    just_above INTEGER NOT NULL,
    -- How many systolic values end in 0, 1, ... 9, then how many diastolic ones: twenty numbers with a comma between them.
    digits TEXT NOT NULL,
    PRIMARY KEY (session, team, day, tablet)
) STRICT, WITHOUT ROWID;
