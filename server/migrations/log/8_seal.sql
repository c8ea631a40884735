-- When the log was copied to another place: it takes nothing more.
CREATE TABLE seal (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sealed_at INTEGER
) STRICT;

INSERT INTO seal (one) VALUES (1);
