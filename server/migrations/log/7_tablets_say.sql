-- How many changes a tablet still held back when it was last heard of; NULL where it did not say.
ALTER TABLE tablet ADD COLUMN waiting INTEGER;
-- What a tablet's program can do, as it said when it was last heard of; NULL where it was not here since.
ALTER TABLE tablet ADD COLUMN capabilities INTEGER;
