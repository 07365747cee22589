-- State: folded from the log, rebuilt from it at will. Times are microseconds since 1970 UTC.
CREATE TABLE consumers (
    name     TEXT COLLATE "C" PRIMARY KEY,
    position BIGINT NOT NULL
);

CREATE TABLE dead_letters (
    consumer  TEXT COLLATE "C" NOT NULL,
    position  BIGINT NOT NULL,
    reason    TEXT COLLATE "C" NOT NULL,
    event     TEXT COLLATE "C" NOT NULL,
    parked_at BIGINT NOT NULL,
    PRIMARY KEY (consumer, position)
);

CREATE TABLE organizations (
    id           TEXT COLLATE "C" PRIMARY KEY,
    name         TEXT COLLATE "C" NOT NULL,
    display_name TEXT COLLATE "C",
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL
);

CREATE TABLE users (
    id            TEXT COLLATE "C" PRIMARY KEY,
    username      TEXT COLLATE "C" NOT NULL,
    email         TEXT COLLATE "C",
    display_name  TEXT COLLATE "C",
    organization  TEXT COLLATE "C",
    status        TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'suspended', 'deleted')),
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    last_login_at BIGINT
);

CREATE TABLE user_roles (
    user_id      TEXT COLLATE "C" NOT NULL,
    role         TEXT COLLATE "C" NOT NULL,
    organization TEXT COLLATE "C" NOT NULL DEFAULT '',
    granted_at   BIGINT NOT NULL,
    PRIMARY KEY (user_id, role, organization)
);

CREATE TABLE groups (
    id              TEXT COLLATE "C" PRIMARY KEY,
    name            TEXT COLLATE "C" NOT NULL,
    display_name    TEXT COLLATE "C",
    organization    TEXT COLLATE "C",
    quota_allowance BIGINT NOT NULL,
    status          TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'deleted')),
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);

CREATE TABLE group_members (
    group_id  TEXT COLLATE "C" NOT NULL,
    user_id   TEXT COLLATE "C" NOT NULL,
    user_name TEXT COLLATE "C",
    added_at  BIGINT NOT NULL,
    PRIMARY KEY (group_id, user_id)
);

CREATE TABLE templates (
    id             TEXT COLLATE "C" PRIMARY KEY,
    name           TEXT COLLATE "C" NOT NULL,
    display_name   TEXT COLLATE "C",
    description    TEXT COLLATE "C",
    organization   TEXT COLLATE "C",
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'deprecated', 'deleted')),
    deprecation    TEXT COLLATE "C",
    active_version TEXT COLLATE "C",
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);

CREATE TABLE template_versions (
    template_id TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    message     TEXT COLLATE "C",
    sha256      TEXT COLLATE "C" NOT NULL,
    size_bytes  BIGINT NOT NULL,
    archived    BIGINT NOT NULL DEFAULT 0,
    pushed_by   TEXT COLLATE "C",
    pushed_at   BIGINT NOT NULL,
    PRIMARY KEY (template_id, id)
);

CREATE TABLE template_access (
    template_id  TEXT COLLATE "C" NOT NULL,
    subject_kind TEXT COLLATE "C" NOT NULL,
    subject_id   TEXT COLLATE "C" NOT NULL,
    permission   TEXT COLLATE "C" NOT NULL,
    subject_name TEXT COLLATE "C",
    granted_at   BIGINT NOT NULL,
    PRIMARY KEY (template_id, subject_kind, subject_id, permission)
);

CREATE TABLE workspaces (
    id              TEXT COLLATE "C" PRIMARY KEY,
    name            TEXT COLLATE "C" NOT NULL,
    owner           TEXT COLLATE "C",
    owner_id        TEXT COLLATE "C",
    organization    TEXT COLLATE "C",
    template_id     TEXT COLLATE "C",
    template_name   TEXT COLLATE "C",
    status          TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'starting', 'running', 'stopping', 'stopped',
                        'failed', 'canceled', 'deleting', 'deleted')),
    dormant         BIGINT NOT NULL DEFAULT 0,
    last_build      BIGINT NOT NULL DEFAULT 0,
    daily_cost      BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);

CREATE TABLE sessions (
    id             TEXT COLLATE "C" PRIMARY KEY,
    kind           TEXT COLLATE "C" NOT NULL,
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN ('open', 'closed', 'denied')),
    user_id        TEXT COLLATE "C" NOT NULL,
    user_name      TEXT COLLATE "C",
    ip             TEXT COLLATE "C",
    host           TEXT COLLATE "C",
    workspace_id   TEXT COLLATE "C",
    workspace_name TEXT COLLATE "C",
    organization   TEXT COLLATE "C",
    opened_at      BIGINT,
    closed_at      BIGINT,
    duration_ms    BIGINT,
    bytes_in       BIGINT,
    bytes_out      BIGINT
);

CREATE TABLE tokens (
    id             TEXT COLLATE "C" PRIMARY KEY,
    name           TEXT COLLATE "C" NOT NULL,
    secret_sha256  TEXT COLLATE "C" NOT NULL,
    scopes         TEXT COLLATE "C" NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT,
    revoked_at     BIGINT,
    stream_version BIGINT NOT NULL
);
