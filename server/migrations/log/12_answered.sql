-- Requests of programs that name themselves (`Idempotency-Key`), with what they were answered: sent again within a day they
-- are not done again.
CREATE TABLE answered (
    account INTEGER NOT NULL REFERENCES account (n),
    -- SHA-256 of the key, and of method, address and body.
    key BLOB NOT NULL CHECK (length(key) = 32),
    request BLOB NOT NULL CHECK (length(request) = 32),
    -- The record in the address: when it is erased, this goes too.
    record BLOB CHECK (length(record) = 16),
    at INTEGER NOT NULL,
    -- 0 as long as there is no answer.
    status INTEGER NOT NULL,
    answer BLOB NOT NULL,
    PRIMARY KEY (account, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX answered_by_time ON answered (at);
CREATE INDEX answered_by_record ON answered (record) WHERE record IS NOT NULL;
