-- Sessions by their day, counted without a look at any contact's row; teams, sites and sessions without a look at
-- everybody else. Indexes alone: nothing is derived again.
CREATE INDEX session_by_day ON record (json_extract(fields, '$.date'), id) WHERE kind = 'session';
CREATE INDEX record_by_kind ON record (kind, created, id);
DROP INDEX contact_by_session;
CREATE INDEX contact_by_session ON contact (session, attention, team);
