-- What base has archived leaves every list here. Its bytes stay until every backup that base may still restore has
-- them.

-- The number of the entry that archived it, in the epoch that its team's row names; NULL for an active record.
ALTER TABLE record ADD COLUMN archived INTEGER;
-- 1 while nobody is shown it: archived, and nothing of it is to be sent.
ALTER TABLE record ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
CREATE INDEX record_archived ON record (hidden, archived) WHERE archived IS NOT NULL;
CREATE INDEX record_hidden ON record (kind) WHERE hidden = 1;
-- To know which lists are no longer needed.
CREATE INDEX change_list ON change (list) WHERE list IS NOT NULL;

-- What staff were told, and when last, by this device's clock.
CREATE TABLE notice (
    code TEXT PRIMARY KEY,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO notice (code, at)
    SELECT c.value, a.value FROM meta c JOIN meta a ON a.name = 'notice_at' WHERE c.name = 'notice';
DELETE FROM meta WHERE name IN ('notice', 'notice_at');
