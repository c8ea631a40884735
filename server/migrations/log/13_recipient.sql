-- Who is given pseudonymised extracts. What pseudonyms are made with lies half here and half in the server's identity key,
-- so that neither a backup nor the key file alone can make them again.
CREATE TABLE recipient (
    n INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    secret BLOB NOT NULL CHECK (length(secret) = 32),
    made_at INTEGER NOT NULL,
    -- From then on nothing more is made for it.
    ended_at INTEGER
) STRICT;
