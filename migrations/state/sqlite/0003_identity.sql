-- Identity providers and what they push, owners of tokens, custom roles, policies. Only adds, so that nodes of the
-- version before can go on meanwhile. `own` marks what Chancery's own events made or changed: events that other systems
-- send do not touch it and give no access. Keys are names in lower case. Rows from before get theirs here; `version`
-- counts changes from now on. `state rebuild` gives both as if this had always been.
-- Indexes of what a connection has name the columns of their condition too: SQLite counts by them alone then.
ALTER TABLE organizations ADD COLUMN own INTEGER NOT NULL DEFAULT 0;

ALTER TABLE users ADD COLUMN own INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN connection TEXT;
ALTER TABLE users ADD COLUMN attributes TEXT;
ALTER TABLE users ADD COLUMN external_id TEXT;
ALTER TABLE users ADD COLUMN username_key TEXT;
ALTER TABLE users ADD COLUMN email_key TEXT;
ALTER TABLE users ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN delete_at INTEGER;
UPDATE users SET username_key = lower(username), email_key = lower(email);
CREATE INDEX users_by_username ON users (username_key, connection);
CREATE INDEX users_by_external_id ON users (external_id, connection);
CREATE INDEX users_by_email ON users (email_key);
CREATE INDEX users_of_connection ON users (connection, id, own, removed, status)
    WHERE own = 1 AND removed = 0 AND status <> 'deleted';
CREATE INDEX users_to_delete ON users (delete_at) WHERE delete_at IS NOT NULL;

ALTER TABLE user_roles ADD COLUMN own INTEGER NOT NULL DEFAULT 0;
ALTER TABLE user_roles ADD COLUMN by_group INTEGER NOT NULL DEFAULT 0;

ALTER TABLE groups ADD COLUMN own INTEGER NOT NULL DEFAULT 0;
ALTER TABLE groups ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE groups ADD COLUMN connection TEXT;
ALTER TABLE groups ADD COLUMN attributes TEXT;
ALTER TABLE groups ADD COLUMN external_id TEXT;
ALTER TABLE groups ADD COLUMN name_key TEXT;
UPDATE groups SET name_key = lower(name);
CREATE INDEX groups_by_name ON groups (name_key, connection);
CREATE INDEX groups_by_external_id ON groups (external_id, connection);
CREATE INDEX groups_of_connection ON groups (connection, id, own, status) WHERE own = 1 AND status <> 'deleted';

ALTER TABLE group_members ADD COLUMN own INTEGER NOT NULL DEFAULT 0;
ALTER TABLE group_members ADD COLUMN kind TEXT NOT NULL DEFAULT 'user';
CREATE INDEX groups_of_member ON group_members (user_id, group_id);

ALTER TABLE template_access ADD COLUMN own INTEGER NOT NULL DEFAULT 0;

ALTER TABLE tokens ADD COLUMN kind TEXT NOT NULL DEFAULT 'api';
ALTER TABLE tokens ADD COLUMN owner_kind TEXT;
ALTER TABLE tokens ADD COLUMN owner_id TEXT;
ALTER TABLE tokens ADD COLUMN owner_name TEXT;
ALTER TABLE tokens ADD COLUMN last_used_at INTEGER;
ALTER TABLE tokens ADD COLUMN replaced_by TEXT;
CREATE INDEX tokens_of_owner ON tokens (owner_id);

CREATE INDEX sessions_open ON sessions (user_id) WHERE status = 'open';
CREATE INDEX workspaces_of_owner ON workspaces (owner_id);

CREATE TABLE connections (
    id         TEXT PRIMARY KEY,
    settings   TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('active', 'deleted')),
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE directory_resources (
    resource_type TEXT NOT NULL,
    id            TEXT NOT NULL,
    connection    TEXT,
    attributes    TEXT NOT NULL,
    external_id   TEXT,
    name_key      TEXT,
    status        TEXT NOT NULL CHECK (status IN ('active', 'deleted')),
    version       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (resource_type, id)
) STRICT;
CREATE INDEX directory_resources_by_name ON directory_resources (resource_type, name_key, connection);
CREATE INDEX directory_resources_by_external_id ON directory_resources (resource_type, external_id, connection);
CREATE INDEX directory_resources_of_connection ON directory_resources (resource_type, connection, id, status)
    WHERE status <> 'deleted';

CREATE TABLE custom_roles (
    name        TEXT PRIMARY KEY,
    description TEXT,
    permissions TEXT NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE policies (
    id           TEXT NOT NULL,
    version      INTEGER NOT NULL,
    text         TEXT NOT NULL,
    sha256       TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    withdrawn_at INTEGER,
    PRIMARY KEY (id, version)
) STRICT;
