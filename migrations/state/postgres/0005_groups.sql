-- Groups made by hand, the group of everyone in an organization, memberships that end, users by any of their addresses,
-- lists by organization. Only adds, so that nodes of the version before can go on meanwhile. `user_emails` has the
-- addresses beside the main one; those of users from before are taken from their attributes.
-- Names that other systems send may be longer than a B-tree takes.
ALTER TABLE groups ADD COLUMN everyone BIGINT NOT NULL DEFAULT 0;
CREATE INDEX groups_of_everyone ON groups (organization) WHERE everyone = 1;

ALTER TABLE group_members ADD COLUMN expires_at BIGINT;
ALTER TABLE group_members ADD COLUMN by_attribute BIGINT NOT NULL DEFAULT 0;
CREATE INDEX group_members_to_expire ON group_members (expires_at) WHERE expires_at IS NOT NULL;

ALTER TABLE custom_roles ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

CREATE TABLE user_emails (
    user_id   TEXT COLLATE "C" NOT NULL,
    email_key TEXT COLLATE "C" NOT NULL
);
CREATE INDEX emails_of_user ON user_emails USING hash (user_id);
CREATE INDEX users_of_email ON user_emails USING hash (email_key);
INSERT INTO user_emails (user_id, email_key)
    SELECT DISTINCT users.id, lower(address.entry ->> 'value')
    FROM users, json_array_elements(CASE WHEN attributes IS NULL OR attributes LIKE '%\\u0000%' THEN '[]'::json
        WHEN json_typeof(attributes::json -> 'emails') = 'array' THEN attributes::json -> 'emails'
        ELSE '[]'::json END) AS address (entry)
    WHERE CASE WHEN json_typeof(address.entry) = 'object' THEN json_typeof(address.entry -> 'value') = 'string'
        ELSE false END
    AND address.entry ->> 'value' <> '' AND lower(address.entry ->> 'value') <> users.email_key;

CREATE INDEX users_of_organization ON users (organization, id) WHERE length(organization) <= 256;
CREATE INDEX groups_of_organization ON groups (organization, id) WHERE length(organization) <= 256;
CREATE INDEX templates_of_organization ON templates (organization, id) WHERE length(organization) <= 256;
CREATE INDEX workspaces_of_organization ON workspaces (organization, id) WHERE length(organization) <= 256;
CREATE INDEX sessions_of_organization ON sessions (organization, id) WHERE length(organization) <= 256;
CREATE INDEX roles_of_organization ON user_roles (organization, user_id)
    WHERE organization <> '' AND length(organization) <= 256;
