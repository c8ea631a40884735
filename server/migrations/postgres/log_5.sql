-- What `log/12_answered.sql` makes on SQLite, where each column is explained.
CREATE TABLE answered (
    account BIGINT NOT NULL REFERENCES account (n),
    key BYTEA NOT NULL CHECK (length(key) = 32),
    request BYTEA NOT NULL CHECK (length(request) = 32),
    record BYTEA CHECK (length(record) = 16),
    at BIGINT NOT NULL,
    status BIGINT NOT NULL,
    answer BYTEA NOT NULL,
    PRIMARY KEY (account, key)
);

CREATE INDEX answered_by_time ON answered (at);
CREATE INDEX answered_by_record ON answered (record) WHERE record IS NOT NULL;
