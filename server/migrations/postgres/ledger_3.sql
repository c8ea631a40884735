-- Where the audit trail ended: see `ledger/3_trail.sql`.
CREATE TABLE trail (
    n BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    place BIGINT NOT NULL,
    hash BYTEA NOT NULL CHECK (length(hash) = 32),
    restored BIGINT NOT NULL CHECK (restored IN (0, 1))
);
