-- The ledger on PostgreSQL: see `ledger/1.sql`.

CREATE TABLE ledger (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    id BYTEA NOT NULL CHECK (length(id) = 16)
);

-- Numbered without a gap, under a lock on the one row above.
CREATE TABLE entry (
    n BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    body TEXT NOT NULL UNIQUE
);
