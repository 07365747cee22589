-- What builds report, Terraform states of workspaces, their locks, and logs of builds.
CREATE TABLE build_reports (
    workspace_id       TEXT NOT NULL,
    number             BIGINT NOT NULL,
    resources          TEXT,
    resources_left_out BIGINT,
    outputs            TEXT,
    log                TEXT,
    own                BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, number)
);

CREATE TABLE workspace_states (
    workspace_id      TEXT NOT NULL,
    version           BIGINT NOT NULL,
    serial            BIGINT NOT NULL,
    lineage           TEXT,
    sha256            TEXT NOT NULL,
    size              BIGINT NOT NULL,
    blob              TEXT NOT NULL,
    key_id            TEXT NOT NULL,
    resources         BIGINT NOT NULL,
    terraform_version TEXT,
    job_id            TEXT,
    build_number      BIGINT,
    restored_from     BIGINT,
    written_by        TEXT,
    written_at        BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, version)
);

CREATE TABLE state_locks (
    workspace_id TEXT PRIMARY KEY,
    lock_id      TEXT NOT NULL,
    job_id       TEXT,
    operation    TEXT,
    who          TEXT,
    locked_at    BIGINT NOT NULL
);

-- Lines of logs that are not closed yet, as they arrive; not folded from the log. What is closed is a blob.
CREATE TABLE build_log_chunks (
    job_id     TEXT NOT NULL,
    attempt    TEXT NOT NULL,
    first_line BIGINT NOT NULL,
    last_line  BIGINT NOT NULL,
    hash       TEXT NOT NULL,
    gap        BIGINT NOT NULL,
    bytes      BIGINT NOT NULL,
    lines      BYTEA NOT NULL,
    arrived_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, attempt, first_line)
);
CREATE INDEX build_log_chunks_in_order ON build_log_chunks (job_id, arrived_at, first_line);
