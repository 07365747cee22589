-- What builds report, Terraform states of workspaces, their locks, and logs of builds.
CREATE TABLE build_reports (
    workspace_id       TEXT NOT NULL,
    number             INTEGER NOT NULL,
    resources          TEXT,
    resources_left_out INTEGER,
    outputs            TEXT,
    log                TEXT,
    own                INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, number)
) STRICT;

CREATE TABLE workspace_states (
    workspace_id      TEXT NOT NULL,
    version           INTEGER NOT NULL,
    serial            INTEGER NOT NULL,
    lineage           TEXT,
    sha256            TEXT NOT NULL,
    size              INTEGER NOT NULL,
    blob              TEXT NOT NULL,
    key_id            TEXT NOT NULL,
    resources         INTEGER NOT NULL,
    terraform_version TEXT,
    job_id            TEXT,
    build_number      INTEGER,
    restored_from     INTEGER,
    written_by        TEXT,
    written_at        INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, version)
) STRICT;

CREATE TABLE state_locks (
    workspace_id TEXT PRIMARY KEY,
    lock_id      TEXT NOT NULL,
    job_id       TEXT,
    operation    TEXT,
    who          TEXT,
    locked_at    INTEGER NOT NULL
) STRICT;

-- Lines of logs that are not closed yet, as they arrive; not folded from the log. What is closed is a blob.
CREATE TABLE build_log_chunks (
    job_id     TEXT NOT NULL,
    attempt    TEXT NOT NULL,
    first_line INTEGER NOT NULL,
    last_line  INTEGER NOT NULL,
    hash       TEXT NOT NULL,
    gap        INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    lines      BLOB NOT NULL,
    arrived_at INTEGER NOT NULL,
    PRIMARY KEY (job_id, attempt, first_line)
) STRICT;
CREATE INDEX build_log_chunks_in_order ON build_log_chunks (job_id, arrived_at, first_line);
