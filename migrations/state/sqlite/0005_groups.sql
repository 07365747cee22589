-- Groups made by hand, the group of everyone in an organization, memberships that end, users by any of their addresses,
-- lists by organization. Only adds, so that nodes of the version before can go on meanwhile. `user_emails` has the
-- addresses beside the main one; those of users from before are taken from their attributes.
ALTER TABLE groups ADD COLUMN everyone INTEGER NOT NULL DEFAULT 0;
CREATE INDEX groups_of_everyone ON groups (organization) WHERE everyone = 1;

ALTER TABLE group_members ADD COLUMN expires_at INTEGER;
ALTER TABLE group_members ADD COLUMN by_attribute INTEGER NOT NULL DEFAULT 0;
CREATE INDEX group_members_to_expire ON group_members (expires_at) WHERE expires_at IS NOT NULL;

ALTER TABLE custom_roles ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

CREATE TABLE user_emails (
    user_id   TEXT NOT NULL,
    email_key TEXT NOT NULL,
    PRIMARY KEY (user_id, email_key)
) STRICT;
CREATE INDEX users_of_email ON user_emails (email_key);
INSERT INTO user_emails (user_id, email_key)
    SELECT DISTINCT users.id, lower(json_extract(email.value, '$.value'))
    FROM users, json_each(users.attributes, '$.emails') AS email
    WHERE json_type(users.attributes, '$.emails') = 'array' AND email.type = 'object'
    AND json_type(email.value, '$.value') = 'text' AND json_extract(email.value, '$.value') <> ''
    AND lower(json_extract(email.value, '$.value')) <> users.email_key;

CREATE INDEX users_of_organization ON users (organization, id) WHERE length(organization) <= 256;
CREATE INDEX groups_of_organization ON groups (organization, id) WHERE length(organization) <= 256;
CREATE INDEX templates_of_organization ON templates (organization, id) WHERE length(organization) <= 256;
CREATE INDEX workspaces_of_organization ON workspaces (organization, id) WHERE length(organization) <= 256;
CREATE INDEX sessions_of_organization ON sessions (organization, id) WHERE length(organization) <= 256;
CREATE INDEX roles_of_organization ON user_roles (organization, user_id)
    WHERE organization <> '' AND length(organization) <= 256;
