-- As `log/10_revoked.sql`.

ALTER TABLE tablet ADD COLUMN revoked_at BIGINT;
ALTER TABLE tablet ADD COLUMN ordered_at BIGINT;
ALTER TABLE tablet ADD COLUMN replaced_by TEXT;

CREATE TABLE tablet_left (
    tablet BIGINT NOT NULL REFERENCES tablet (n),
    team BIGINT NOT NULL REFERENCES team (n),
    since BIGINT NOT NULL,
    PRIMARY KEY (tablet, team)
);
