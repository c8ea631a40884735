-- What this tablet alone knows of the team's staff. Nothing of it is ever sent. `staff` is the member's entry id.

-- Wrong tries in a row, of PINs and of unlock codes.
CREATE TABLE staff_tries (
    staff TEXT NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('pin', 'unlock')),
    wrong INTEGER NOT NULL,
    -- What was left of the lock when the device had been up for so long; 0 without one.
    locked_ms INTEGER NOT NULL,
    uptime_ms INTEGER NOT NULL,
    PRIMARY KEY (staff, what)
) STRICT, WITHOUT ROWID;

-- The challenge that stands open.
CREATE TABLE staff_challenge (
    staff TEXT PRIMARY KEY,
    challenge TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A PIN that a member chose after an unlock code. It holds until base's, which it stands in for, changes.
CREATE TABLE staff_pin (
    staff TEXT PRIMARY KEY,
    verifier TEXT NOT NULL,
    -- Base's verifier at that time; empty for none.
    instead_of TEXT NOT NULL
) STRICT, WITHOUT ROWID;
