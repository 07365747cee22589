-- Runner keys, runners, and what jobs are handed out by. Only adds, so that nodes of the version before can go on meanwhile.
ALTER TABLE builds ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
CREATE INDEX builds_queue ON builds (queued_at, job_id) WHERE status = 'queued' AND own = 1;
CREATE INDEX builds_held ON builds (runner_id) WHERE status IN ('started', 'planned', 'applying') AND own = 1;
CREATE INDEX builds_done ON builds (organization, transition, finished_at) WHERE status = 'succeeded' AND own = 1;

CREATE TABLE runner_keys (
    id             TEXT NOT NULL,
    name           TEXT NOT NULL,
    organization   TEXT NOT NULL,
    owner_id       TEXT,
    tags           TEXT NOT NULL,
    one_time       INTEGER NOT NULL,
    runner_seconds INTEGER,
    secret_sha256  TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    revoked_at     INTEGER,
    replaced_by    TEXT,
    used_at        INTEGER,
    PRIMARY KEY (id)
) STRICT;

CREATE TABLE runners (
    id            TEXT NOT NULL,
    name          TEXT NOT NULL,
    organization  TEXT NOT NULL,
    owner_id      TEXT,
    tags          TEXT NOT NULL,
    public_key    TEXT NOT NULL,
    key_id        TEXT,
    hostname      TEXT,
    version       TEXT,
    status        TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    expires_at    INTEGER,
    connected_at  INTEGER,
    lost_at       INTEGER,
    revoked_at    INTEGER,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX runners_of_key ON runners (key_id);
CREATE INDEX runners_of_public_key ON runners (public_key);

-- When runners, and the jobs that they have, were last heard of. Not folded from the log: it would drown in it.
CREATE TABLE runner_beats (
    id      TEXT PRIMARY KEY,
    seen_at INTEGER NOT NULL
) STRICT;

-- What runners have signed, so that nothing of it is taken twice by nodes that share these tables. Not folded.
CREATE TABLE runner_nonces (
    id      TEXT PRIMARY KEY,
    seen_at INTEGER NOT NULL
) STRICT;
CREATE INDEX runner_nonces_by_age ON runner_nonces (seen_at);
