-- Identity providers and what they push, owners of tokens, custom roles, policies. Only adds, so that nodes of the
-- version before can go on meanwhile. `own` marks what Chancery's own events made or changed: events that other systems
-- send do not touch it and give no access. Keys are names in lower case. Rows from before get theirs here; `version`
-- counts changes from now on. `state rebuild` gives both as if this had always been.
-- Hash indexes take values of any length, which other systems may send.
ALTER TABLE organizations ADD COLUMN own BIGINT NOT NULL DEFAULT 0;

ALTER TABLE users ADD COLUMN own BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN connection TEXT COLLATE "C";
ALTER TABLE users ADD COLUMN attributes TEXT COLLATE "C";
ALTER TABLE users ADD COLUMN external_id TEXT COLLATE "C";
ALTER TABLE users ADD COLUMN username_key TEXT COLLATE "C";
ALTER TABLE users ADD COLUMN email_key TEXT COLLATE "C";
ALTER TABLE users ADD COLUMN removed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN delete_at BIGINT;
UPDATE users SET username_key = lower(username), email_key = lower(email);
CREATE INDEX users_by_username ON users USING hash (username_key);
CREATE INDEX users_by_external_id ON users USING hash (external_id);
CREATE INDEX users_by_email ON users USING hash (email_key);
CREATE INDEX users_of_connection ON users (connection, id) WHERE own = 1 AND removed = 0 AND status <> 'deleted';
CREATE INDEX users_to_delete ON users (delete_at) WHERE delete_at IS NOT NULL;

ALTER TABLE user_roles ADD COLUMN own BIGINT NOT NULL DEFAULT 0;
ALTER TABLE user_roles ADD COLUMN by_group BIGINT NOT NULL DEFAULT 0;

ALTER TABLE groups ADD COLUMN own BIGINT NOT NULL DEFAULT 0;
ALTER TABLE groups ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE groups ADD COLUMN connection TEXT COLLATE "C";
ALTER TABLE groups ADD COLUMN attributes TEXT COLLATE "C";
ALTER TABLE groups ADD COLUMN external_id TEXT COLLATE "C";
ALTER TABLE groups ADD COLUMN name_key TEXT COLLATE "C";
UPDATE groups SET name_key = lower(name);
CREATE INDEX groups_by_name ON groups USING hash (name_key);
CREATE INDEX groups_by_external_id ON groups USING hash (external_id);
CREATE INDEX groups_of_connection ON groups (connection, id) WHERE own = 1 AND status <> 'deleted';

ALTER TABLE group_members ADD COLUMN own BIGINT NOT NULL DEFAULT 0;
ALTER TABLE group_members ADD COLUMN kind TEXT COLLATE "C" NOT NULL DEFAULT 'user';
CREATE INDEX groups_of_member ON group_members USING hash (user_id);

ALTER TABLE template_access ADD COLUMN own BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tokens ADD COLUMN kind TEXT COLLATE "C" NOT NULL DEFAULT 'api';
ALTER TABLE tokens ADD COLUMN owner_kind TEXT COLLATE "C";
ALTER TABLE tokens ADD COLUMN owner_id TEXT COLLATE "C";
ALTER TABLE tokens ADD COLUMN owner_name TEXT COLLATE "C";
ALTER TABLE tokens ADD COLUMN last_used_at BIGINT;
ALTER TABLE tokens ADD COLUMN replaced_by TEXT COLLATE "C";
CREATE INDEX tokens_of_owner ON tokens USING hash (owner_id);

CREATE INDEX sessions_open ON sessions USING hash (user_id) WHERE status = 'open';
CREATE INDEX workspaces_of_owner ON workspaces USING hash (owner_id);

CREATE TABLE connections (
    id         TEXT COLLATE "C" PRIMARY KEY,
    settings   TEXT COLLATE "C" NOT NULL,
    status     TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'deleted')),
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE directory_resources (
    resource_type TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    connection    TEXT COLLATE "C",
    attributes    TEXT COLLATE "C" NOT NULL,
    external_id   TEXT COLLATE "C",
    name_key      TEXT COLLATE "C",
    status        TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'deleted')),
    version       BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (resource_type, id)
);
CREATE INDEX directory_resources_by_name ON directory_resources USING hash (name_key);
CREATE INDEX directory_resources_by_external_id ON directory_resources USING hash (external_id);
CREATE INDEX directory_resources_of_connection ON directory_resources (resource_type, connection, id)
    WHERE status <> 'deleted';

CREATE TABLE custom_roles (
    name        TEXT COLLATE "C" PRIMARY KEY,
    description TEXT COLLATE "C",
    permissions TEXT COLLATE "C" NOT NULL,
    updated_at  BIGINT NOT NULL
);

CREATE TABLE policies (
    id           TEXT COLLATE "C" NOT NULL,
    version      BIGINT NOT NULL,
    text         TEXT COLLATE "C" NOT NULL,
    sha256       TEXT COLLATE "C" NOT NULL,
    published_at BIGINT NOT NULL,
    withdrawn_at BIGINT,
    PRIMARY KEY (id, version)
);
