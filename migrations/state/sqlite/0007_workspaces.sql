-- Builds and their queue, the quota ledger and what bounds it. Only adds, so that nodes of the version before can go on
-- meanwhile. A build in progress that was told to end is `canceling`: its workspace's status is that of the build.
ALTER TABLE workspaces ADD COLUMN canceling INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN started_at INTEGER;
ALTER TABLE workspaces ADD COLUMN finished_at INTEGER;
ALTER TABLE workspaces ADD COLUMN last_used_at INTEGER;
ALTER TABLE workspaces ADD COLUMN dormant_at INTEGER;
ALTER TABLE workspaces ADD COLUMN schedule TEXT;
CREATE INDEX workspaces_own ON workspaces (id) WHERE own = 1 AND status <> 'deleted';

ALTER TABLE groups ADD COLUMN allowance_set INTEGER NOT NULL DEFAULT 0;
CREATE INDEX groups_with_allowance ON groups (organization) WHERE quota_allowance > 0;
CREATE INDEX groups_with_allowance_set ON groups (organization) WHERE allowance_set = 1;
CREATE INDEX organizations_by_name ON organizations (name);

-- Every build; those that are queued are the jobs that runners take. `previous_*` is what the workspace was before it.
CREATE TABLE builds (
    workspace_id     TEXT NOT NULL,
    number           INTEGER NOT NULL,
    job_id           TEXT,
    organization     TEXT,
    transition       TEXT NOT NULL,
    status           TEXT NOT NULL CHECK (status IN ('requested', 'queued', 'started', 'planned', 'applying', 'succeeded',
                     'failed', 'canceled', 'rejected')),
    cause            TEXT,
    reason           TEXT,
    requested_by     TEXT,
    template_version TEXT,
    parameters       TEXT,
    tags             TEXT,
    runner_id        TEXT,
    previous_status  TEXT,
    previous_remain  INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    daily_cost       INTEGER,
    unknown          TEXT,
    applied          INTEGER,
    resources_remain INTEGER,
    error            TEXT,
    requested_at     INTEGER,
    queued_at        INTEGER,
    started_at       INTEGER,
    planned_at       INTEGER,
    finished_at      INTEGER,
    own              INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, number)
) STRICT;
CREATE INDEX builds_of_job ON builds (job_id);
CREATE INDEX builds_queued ON builds (organization, queued_at, job_id) WHERE status = 'queued' AND own = 1;
CREATE INDEX builds_in_progress ON builds (requested_at) WHERE finished_at IS NULL AND own = 1;

-- What each workspace takes of its owner's quota: `committed` by what its last finished build left running, `reserved` by
-- the build in progress; the larger one is `counted`.
CREATE TABLE quota_ledger (
    quota_id       TEXT NOT NULL,
    workspace_id   TEXT NOT NULL,
    organization   TEXT,
    user_id        TEXT NOT NULL,
    user_name      TEXT,
    workspace_name TEXT,
    template_id    TEXT,
    template_name  TEXT,
    committed      INTEGER NOT NULL,
    reserved       INTEGER,
    build_number   INTEGER,
    counted        INTEGER NOT NULL,
    running        INTEGER NOT NULL,
    unknown        TEXT,
    own            INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (quota_id, workspace_id)
) STRICT;
CREATE INDEX quota_ledger_of_user ON quota_ledger (user_id, organization, counted) WHERE own = 1;
CREATE INDEX quota_ledger_of_organization ON quota_ledger (organization, counted) WHERE own = 1;

-- What was in use from when to when: one row for each span in which a workspace's committed cost stayed the same.
-- `*_position` is where in the log that became known. `running` is 0 for what a stopped workspace still costs.
CREATE TABLE quota_usage (
    quota_id       TEXT NOT NULL,
    began_version  INTEGER NOT NULL,
    organization   TEXT,
    user_id        TEXT NOT NULL,
    user_name      TEXT,
    workspace_id   TEXT NOT NULL,
    workspace_name TEXT,
    template_id    TEXT,
    template_name  TEXT,
    cost           INTEGER NOT NULL,
    running        INTEGER NOT NULL,
    began_at       INTEGER NOT NULL,
    began_position INTEGER NOT NULL,
    ended_at       INTEGER,
    ended_position INTEGER,
    own            INTEGER NOT NULL,
    PRIMARY KEY (quota_id, began_version)
) STRICT;
CREATE INDEX quota_usage_open ON quota_usage (quota_id, workspace_id) WHERE ended_at IS NULL;
CREATE INDEX quota_usage_open_of_organization ON quota_usage (organization, user_id) WHERE ended_at IS NULL;
CREATE INDEX quota_usage_of_user ON quota_usage (user_id, organization, ended_at);
CREATE INDEX quota_usage_of_organization ON quota_usage (organization, ended_at);

CREATE TABLE quota_caps (
    id           TEXT NOT NULL,
    organization TEXT NOT NULL,
    bounds       TEXT NOT NULL,
    subject_id   TEXT NOT NULL DEFAULT '',
    most         INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX quota_caps_of_organization ON quota_caps (organization);

CREATE TABLE quota_budgets (
    id           TEXT NOT NULL,
    organization TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id   TEXT NOT NULL DEFAULT '',
    period       TEXT NOT NULL,
    credit_hours INTEGER NOT NULL,
    hard         INTEGER NOT NULL,
    warned_since INTEGER,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX quota_budgets_of_organization ON quota_budgets (organization);

CREATE TABLE quota_settings (
    organization  TEXT NOT NULL,
    unknown_costs TEXT NOT NULL,
    time_zone     TEXT,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (organization)
) STRICT;
