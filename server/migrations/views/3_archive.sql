-- Records that left the tablets stay here, marked. Everything is derived again after this step (made_by is emptied).
DELETE FROM made_by;
ALTER TABLE record ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
CREATE INDEX record_active ON record (team, kind) WHERE archived = 0;
