-- Tablets that were revoked, that go by another key now, and teams that they were taken out of.

ALTER TABLE tablet ADD COLUMN revoked_at INTEGER;
-- When a tablet that was revoked was first ordered to wipe itself and had nothing left to hand over, as it said.
ALTER TABLE tablet ADD COLUMN ordered_at INTEGER;
-- The id of the tablet, by its newer key: this key may not sync any more. What it signed stays valid.
ALTER TABLE tablet ADD COLUMN replaced_by TEXT;

-- What a tablet sends of these goes to quarantine, and then it is ordered to delete them. A tablet that was revoked
-- was taken out of all its teams.
CREATE TABLE tablet_left (
    tablet INTEGER NOT NULL REFERENCES tablet (n),
    team INTEGER NOT NULL REFERENCES team (n),
    since INTEGER NOT NULL,
    PRIMARY KEY (tablet, team)
) STRICT, WITHOUT ROWID;
