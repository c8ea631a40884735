-- Roles by team, tokens of programs, second factors, and the places that accounts sign in from.

-- 1: what the account may do stands in `account_role`, team by team, and `role` is the least there is, for programs that
-- do not know of this yet. 0: it has `role` in every team.
ALTER TABLE account ADD COLUMN by_team INTEGER NOT NULL DEFAULT 0 CHECK (by_team IN (0, 1));

CREATE TABLE account_role (
    account INTEGER NOT NULL REFERENCES account (n),
    team INTEGER NOT NULL REFERENCES team (n),
    role TEXT NOT NULL CHECK (role IN ('viewer', 'coordinator', 'administrator')),
    PRIMARY KEY (account, team)
) STRICT, WITHOUT ROWID;

-- What a program signs in with, in the name of an account.
CREATE TABLE api_token (
    n INTEGER PRIMARY KEY,
    -- SHA-256 of the token: who reads this file cannot use it.
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    account INTEGER NOT NULL REFERENCES account (n),
    -- What people call it.
    name TEXT NOT NULL,
    -- What it may do, as words with spaces between them.
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    revoked_at INTEGER,
    -- The last that it wrote, as of a login.
    wrote_team BLOB,
    wrote_epoch BLOB,
    wrote_seq INTEGER
) STRICT;

CREATE INDEX api_token_by_account ON api_token (account);

-- The second factor of an account. The secret itself is derived from this salt and the server's identity key, which is
-- in no backup.
CREATE TABLE second_factor (
    account INTEGER PRIMARY KEY REFERENCES account (n),
    salt BLOB NOT NULL CHECK (length(salt) = 32),
    -- Null until the account has shown one right code.
    confirmed_at INTEGER,
    -- The step of the last code that was taken: none up to it is taken again.
    last_step INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What signs in in its place, each once; gone when it was used.
CREATE TABLE recovery_code (
    account INTEGER NOT NULL REFERENCES account (n),
    -- SHA-256 of 80 random bits.
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (account, digest)
) STRICT, WITHOUT ROWID;

-- Addresses from which an account has signed in: guessing from elsewhere does not keep it out.
CREATE TABLE known_address (
    account INTEGER NOT NULL REFERENCES account (n),
    -- HMAC of the address under a key of this server's.
    address BLOB NOT NULL CHECK (length(address) = 32),
    last_at INTEGER NOT NULL,
    PRIMARY KEY (account, address)
) STRICT, WITHOUT ROWID;
