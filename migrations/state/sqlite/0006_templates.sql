-- What versions of templates declare, promotions that wait for a second person, and whose versions are whose. Only adds,
-- so that nodes of the version before can go on meanwhile.
ALTER TABLE template_versions ADD COLUMN contents TEXT;
ALTER TABLE template_versions ADD COLUMN own INTEGER NOT NULL DEFAULT 0;

CREATE TABLE template_promotions (
    template_id       TEXT PRIMARY KEY,
    version_id        TEXT NOT NULL,
    version_name      TEXT,
    requested_by      TEXT NOT NULL,
    requested_by_name TEXT,
    requested_at      INTEGER NOT NULL,
    event             TEXT NOT NULL
) STRICT;

CREATE INDEX template_access_of_subject ON template_access (subject_id, subject_kind);
