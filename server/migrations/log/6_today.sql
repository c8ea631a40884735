-- What coordinators tell each other at the desk. Facts of the one server, not views: whoever comes second must find
-- what the first has said.

-- Who is on it, so that no two people ring the same person. Runs out by itself.
CREATE TABLE claim (
    -- The person, by the record that stood for them; a check's own id where nobody gave details.
    record BLOB PRIMARY KEY CHECK (length(record) = 16),
    account INTEGER NOT NULL REFERENCES account (n),
    at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Changes in quarantine at which somebody has looked: they stay there, and are no longer on today's list.
CREATE TABLE held_seen (
    quarantine INTEGER PRIMARY KEY REFERENCES quarantine (n) ON DELETE CASCADE,
    account INTEGER NOT NULL REFERENCES account (n),
    at INTEGER NOT NULL
) STRICT;
