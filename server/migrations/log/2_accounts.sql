-- Who may see the pages. These are facts of the one server, not views: an account that was disabled must be
-- disabled everywhere at once.

CREATE TABLE account (
    n INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'coordinator', 'administrator')),
    -- Argon2id, as a PHC string.
    password TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    disabled_at INTEGER
) STRICT;

-- Who is signed in. ("Session" is the word for a pop-up.)
CREATE TABLE login (
    -- SHA-256 of the cookie: who reads this file cannot use it.
    token BLOB PRIMARY KEY CHECK (length(token) = 32),
    account INTEGER NOT NULL REFERENCES account (n),
    began_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX login_by_account ON login (account);

-- Links that sign in once. Gone when they were used.
CREATE TABLE sign_in_link (
    -- SHA-256 of the code in the link.
    code BLOB PRIMARY KEY CHECK (length(code) = 32),
    account INTEGER NOT NULL REFERENCES account (n),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
