-- The last that a login wrote: a server whose views are not there yet shows it nothing.
ALTER TABLE login ADD COLUMN wrote_team BLOB;
ALTER TABLE login ADD COLUMN wrote_epoch BLOB;
ALTER TABLE login ADD COLUMN wrote_seq INTEGER;
