-- State: folded from the log, rebuilt from it at will. Times are microseconds since 1970 UTC.
CREATE TABLE consumers (
    name     TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT;

CREATE TABLE dead_letters (
    consumer  TEXT NOT NULL,
    position  INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    event     TEXT NOT NULL,
    parked_at INTEGER NOT NULL,
    PRIMARY KEY (consumer, position)
) STRICT;

CREATE TABLE organizations (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    display_name TEXT,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    username      TEXT NOT NULL,
    email         TEXT,
    display_name  TEXT,
    organization  TEXT,
    status        TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'deleted')),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    last_login_at INTEGER
) STRICT;

CREATE TABLE user_roles (
    user_id      TEXT NOT NULL,
    role         TEXT NOT NULL,
    organization TEXT NOT NULL DEFAULT '',
    granted_at   INTEGER NOT NULL,
    PRIMARY KEY (user_id, role, organization)
) STRICT;

CREATE TABLE groups (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    display_name    TEXT,
    organization    TEXT,
    quota_allowance INTEGER NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('active', 'deleted')),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE group_members (
    group_id  TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    user_name TEXT,
    added_at  INTEGER NOT NULL,
    PRIMARY KEY (group_id, user_id)
) STRICT;

CREATE TABLE templates (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    display_name   TEXT,
    description    TEXT,
    organization   TEXT,
    status         TEXT NOT NULL CHECK (status IN ('active', 'deprecated', 'deleted')),
    deprecation    TEXT,
    active_version TEXT,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE template_versions (
    template_id TEXT NOT NULL,
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    message     TEXT,
    sha256      TEXT NOT NULL,
    size_bytes  INTEGER NOT NULL,
    archived    INTEGER NOT NULL DEFAULT 0,
    pushed_by   TEXT,
    pushed_at   INTEGER NOT NULL,
    PRIMARY KEY (template_id, id)
) STRICT;

CREATE TABLE template_access (
    template_id  TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id   TEXT NOT NULL,
    permission   TEXT NOT NULL,
    subject_name TEXT,
    granted_at   INTEGER NOT NULL,
    PRIMARY KEY (template_id, subject_kind, subject_id, permission)
) STRICT;

CREATE TABLE workspaces (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    owner           TEXT,
    owner_id        TEXT,
    organization    TEXT,
    template_id     TEXT,
    template_name   TEXT,
    status          TEXT NOT NULL CHECK (status IN ('pending', 'starting', 'running', 'stopping', 'stopped',
                        'failed', 'canceled', 'deleting', 'deleted')),
    dormant         INTEGER NOT NULL DEFAULT 0,
    last_build      INTEGER NOT NULL DEFAULT 0,
    daily_cost      INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id             TEXT PRIMARY KEY,
    kind           TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('open', 'closed', 'denied')),
    user_id        TEXT NOT NULL,
    user_name      TEXT,
    ip             TEXT,
    host           TEXT,
    workspace_id   TEXT,
    workspace_name TEXT,
    organization   TEXT,
    opened_at      INTEGER,
    closed_at      INTEGER,
    duration_ms    INTEGER,
    bytes_in       INTEGER,
    bytes_out      INTEGER
) STRICT;

CREATE TABLE tokens (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    secret_sha256  TEXT NOT NULL,
    scopes         TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    revoked_at     INTEGER,
    stream_version INTEGER NOT NULL
) STRICT;
