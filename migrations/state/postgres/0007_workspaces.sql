-- Builds and their queue, the quota ledger and what bounds it. Only adds, so that nodes of the version before can go on
-- meanwhile. A build in progress that was told to end is `canceling`: its workspace's status is that of the build.
ALTER TABLE workspaces ADD COLUMN canceling BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN started_at BIGINT;
ALTER TABLE workspaces ADD COLUMN finished_at BIGINT;
ALTER TABLE workspaces ADD COLUMN last_used_at BIGINT;
ALTER TABLE workspaces ADD COLUMN dormant_at BIGINT;
ALTER TABLE workspaces ADD COLUMN schedule TEXT COLLATE "C";
CREATE INDEX workspaces_own ON workspaces (id) WHERE own = 1 AND status <> 'deleted';

ALTER TABLE groups ADD COLUMN allowance_set BIGINT NOT NULL DEFAULT 0;
CREATE INDEX groups_with_allowance ON groups (organization) WHERE quota_allowance > 0;
CREATE INDEX groups_with_allowance_set ON groups (organization) WHERE allowance_set = 1;
CREATE INDEX organizations_by_name ON organizations (name);

-- Every build; those that are queued are the jobs that runners take. `previous_*` is what the workspace was before it.
CREATE TABLE builds (
    workspace_id     TEXT COLLATE "C" NOT NULL,
    number           BIGINT NOT NULL,
    job_id           TEXT COLLATE "C",
    organization     TEXT COLLATE "C",
    transition       TEXT COLLATE "C" NOT NULL,
    status           TEXT COLLATE "C" NOT NULL CHECK (status IN ('requested', 'queued', 'started', 'planned', 'applying', 'succeeded',
                     'failed', 'canceled', 'rejected')),
    cause            TEXT COLLATE "C",
    reason           TEXT COLLATE "C",
    requested_by     TEXT COLLATE "C",
    template_version TEXT COLLATE "C",
    parameters       TEXT COLLATE "C",
    tags             TEXT COLLATE "C",
    runner_id        TEXT COLLATE "C",
    previous_status  TEXT COLLATE "C",
    previous_remain  BIGINT NOT NULL DEFAULT 0,
    cancel_requested BIGINT NOT NULL DEFAULT 0,
    daily_cost       BIGINT,
    unknown          TEXT COLLATE "C",
    applied          BIGINT,
    resources_remain BIGINT,
    error            TEXT COLLATE "C",
    requested_at     BIGINT,
    queued_at        BIGINT,
    started_at       BIGINT,
    planned_at       BIGINT,
    finished_at      BIGINT,
    own              BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, number)
);
CREATE INDEX builds_of_job ON builds (job_id);
CREATE INDEX builds_queued ON builds (organization, queued_at, job_id) WHERE status = 'queued' AND own = 1;
CREATE INDEX builds_in_progress ON builds (requested_at) WHERE finished_at IS NULL AND own = 1;

-- What each workspace takes of its owner's quota: `committed` by what its last finished build left running, `reserved` by
-- the build in progress; the larger one is `counted`.
CREATE TABLE quota_ledger (
    quota_id       TEXT COLLATE "C" NOT NULL,
    workspace_id   TEXT COLLATE "C" NOT NULL,
    organization   TEXT COLLATE "C",
    user_id        TEXT COLLATE "C" NOT NULL,
    user_name      TEXT COLLATE "C",
    workspace_name TEXT COLLATE "C",
    template_id    TEXT COLLATE "C",
    template_name  TEXT COLLATE "C",
    committed      BIGINT NOT NULL,
    reserved       BIGINT,
    build_number   BIGINT,
    counted        BIGINT NOT NULL,
    running        BIGINT NOT NULL,
    unknown        TEXT COLLATE "C",
    own            BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (quota_id, workspace_id)
);
CREATE INDEX quota_ledger_of_user ON quota_ledger (user_id, organization, counted) WHERE own = 1;
CREATE INDEX quota_ledger_of_organization ON quota_ledger (organization, counted) WHERE own = 1;

-- What was in use from when to when: one row for each span in which a workspace's committed cost stayed the same.
-- `*_position` is where in the log that became known. `running` is 0 for what a stopped workspace still costs.
CREATE TABLE quota_usage (
    quota_id       TEXT COLLATE "C" NOT NULL,
    began_version  BIGINT NOT NULL,
    organization   TEXT COLLATE "C",
    user_id        TEXT COLLATE "C" NOT NULL,
    user_name      TEXT COLLATE "C",
    workspace_id   TEXT COLLATE "C" NOT NULL,
    workspace_name TEXT COLLATE "C",
    template_id    TEXT COLLATE "C",
    template_name  TEXT COLLATE "C",
    cost           BIGINT NOT NULL,
    running        BIGINT NOT NULL,
    began_at       BIGINT NOT NULL,
    began_position BIGINT NOT NULL,
    ended_at       BIGINT,
    ended_position BIGINT,
    own            BIGINT NOT NULL,
    PRIMARY KEY (quota_id, began_version)
);
CREATE INDEX quota_usage_open ON quota_usage (quota_id, workspace_id) WHERE ended_at IS NULL;
CREATE INDEX quota_usage_open_of_organization ON quota_usage (organization, user_id) WHERE ended_at IS NULL;
CREATE INDEX quota_usage_of_user ON quota_usage (user_id, organization, ended_at);
CREATE INDEX quota_usage_of_organization ON quota_usage (organization, ended_at);

CREATE TABLE quota_caps (
    id           TEXT COLLATE "C" NOT NULL,
    organization TEXT COLLATE "C" NOT NULL,
    bounds       TEXT COLLATE "C" NOT NULL,
    subject_id   TEXT COLLATE "C" NOT NULL DEFAULT '',
    most         BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX quota_caps_of_organization ON quota_caps (organization);

CREATE TABLE quota_budgets (
    id           TEXT COLLATE "C" NOT NULL,
    organization TEXT COLLATE "C" NOT NULL,
    subject_kind TEXT COLLATE "C" NOT NULL,
    subject_id   TEXT COLLATE "C" NOT NULL DEFAULT '',
    period       TEXT COLLATE "C" NOT NULL,
    credit_hours BIGINT NOT NULL,
    hard         BIGINT NOT NULL,
    warned_since BIGINT,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX quota_budgets_of_organization ON quota_budgets (organization);

CREATE TABLE quota_settings (
    organization  TEXT COLLATE "C" NOT NULL,
    unknown_costs TEXT COLLATE "C" NOT NULL,
    time_zone     TEXT COLLATE "C",
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (organization)
);
