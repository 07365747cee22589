-- Sessions that Chancery allows, the keys it signs with, and settings. Only adds, so that nodes of the version before can
-- go on meanwhile.
ALTER TABLE sessions ADD COLUMN own BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN client TEXT;
ALTER TABLE sessions ADD COLUMN exit_code BIGINT;
ALTER TABLE sessions ADD COLUMN reason TEXT;
CREATE INDEX sessions_open_in_workspace ON sessions (workspace_id) WHERE status = 'open';
CREATE INDEX sessions_open_by_id ON sessions (id) WHERE status = 'open';

-- What was allowed: until it expires a session may come of it.
CREATE TABLE session_grants (
    id             TEXT PRIMARY KEY,
    kind           TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    user_name      TEXT,
    workspace_id   TEXT NOT NULL,
    workspace_name TEXT,
    organization   TEXT,
    ip             TEXT,
    client         TEXT,
    authority      TEXT,
    serial         TEXT,
    authorized_at  BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    revoked_at     BIGINT
);
CREATE INDEX session_grants_of_user ON session_grants (user_id, expires_at) WHERE revoked_at IS NULL;
CREATE INDEX session_grants_of_workspace ON session_grants (workspace_id, expires_at) WHERE revoked_at IS NULL;
CREATE INDEX session_grants_live ON session_grants (expires_at) WHERE revoked_at IS NULL;
CREATE INDEX session_grants_revoked ON session_grants (expires_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE signing_keys (
    id            TEXT PRIMARY KEY,
    purpose       TEXT NOT NULL,
    public_key    TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    signs_from    BIGINT NOT NULL,
    trusted_until BIGINT
);

CREATE TABLE settings (
    section    TEXT PRIMARY KEY,
    value      TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- When agents last said that a session goes on. Not folded from the log: it would drown in it.
CREATE TABLE session_beats (
    id      TEXT PRIMARY KEY,
    seen_at BIGINT NOT NULL
);
