-- How much of a tablet, and of a team, lies in quarantine, without reading what it is.
CREATE INDEX quarantine_by_tablet ON quarantine (tablet, length(raw));
CREATE INDEX quarantine_by_team ON quarantine (team, length(raw));
