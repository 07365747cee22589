-- What decisions about templates and workspaces read. Only adds, so that nodes of the version before can go on meanwhile.
ALTER TABLE templates ADD COLUMN own BIGINT NOT NULL DEFAULT 0;
ALTER TABLE templates ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE templates ADD COLUMN settings TEXT;
ALTER TABLE templates ADD COLUMN name_key TEXT;
UPDATE templates SET name_key = lower(name);
CREATE INDEX templates_by_name ON templates (name_key, organization);

ALTER TABLE workspaces ADD COLUMN own BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE workspaces ADD COLUMN name_key TEXT;
ALTER TABLE workspaces ADD COLUMN parameters TEXT;
ALTER TABLE workspaces ADD COLUMN template_version TEXT;
ALTER TABLE workspaces ADD COLUMN resources_remain BIGINT NOT NULL DEFAULT 0;
UPDATE workspaces SET name_key = lower(name);
CREATE INDEX workspaces_by_name ON workspaces (owner_id, name_key);
CREATE INDEX workspaces_of_template ON workspaces (template_id) WHERE status <> 'deleted';
