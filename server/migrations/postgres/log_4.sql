-- The audit trail as a chain, and erasing by two: see `log/11_trail.sql`. A program that does not know of the chain
-- writes rows outside it, which `wayside audit verify` counts.

ALTER TABLE audit ADD COLUMN account BIGINT;
ALTER TABLE audit ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN place BIGINT;
ALTER TABLE audit ADD COLUMN salt BYTEA;
ALTER TABLE audit ADD COLUMN digest BYTEA;
ALTER TABLE audit ADD COLUMN hash BYTEA;

CREATE UNIQUE INDEX audit_by_place ON audit (place);
CREATE INDEX audit_by_record ON audit (record, place);
CREATE INDEX audit_by_account ON audit (account, place);
CREATE INDEX audit_by_act ON audit (act, at);

-- Locked by whoever appends, so that several nodes make one chain.
CREATE TABLE audit_head (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    place BIGINT NOT NULL,
    hash BYTEA NOT NULL CHECK (length(hash) = 32)
);

CREATE TABLE erase_request (
    person BYTEA PRIMARY KEY CHECK (length(person) = 16),
    account BIGINT NOT NULL REFERENCES account (n),
    reason TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
