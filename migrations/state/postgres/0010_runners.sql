-- Runner keys, runners, and what jobs are handed out by. Only adds, so that nodes of the version before can go on meanwhile.
ALTER TABLE builds ADD COLUMN attempt BIGINT NOT NULL DEFAULT 1;
CREATE INDEX builds_queue ON builds (queued_at, job_id) WHERE status = 'queued' AND own = 1;
CREATE INDEX builds_held ON builds (runner_id) WHERE status IN ('started', 'planned', 'applying') AND own = 1;
CREATE INDEX builds_done ON builds (organization, transition, finished_at) WHERE status = 'succeeded' AND own = 1;

CREATE TABLE runner_keys (
    id             TEXT COLLATE "C" NOT NULL,
    name           TEXT COLLATE "C" NOT NULL,
    organization   TEXT COLLATE "C" NOT NULL,
    owner_id       TEXT COLLATE "C",
    tags           TEXT COLLATE "C" NOT NULL,
    one_time       BIGINT NOT NULL,
    runner_seconds BIGINT,
    secret_sha256  TEXT COLLATE "C" NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT,
    revoked_at     BIGINT,
    replaced_by    TEXT COLLATE "C",
    used_at        BIGINT,
    PRIMARY KEY (id)
);

CREATE TABLE runners (
    id            TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    organization  TEXT COLLATE "C" NOT NULL,
    owner_id      TEXT COLLATE "C",
    tags          TEXT COLLATE "C" NOT NULL,
    public_key    TEXT COLLATE "C" NOT NULL,
    key_id        TEXT COLLATE "C",
    hostname      TEXT COLLATE "C",
    version       TEXT COLLATE "C",
    status        TEXT COLLATE "C" NOT NULL,
    registered_at BIGINT NOT NULL,
    expires_at    BIGINT,
    connected_at  BIGINT,
    lost_at       BIGINT,
    revoked_at    BIGINT,
    PRIMARY KEY (id)
);
CREATE INDEX runners_of_key ON runners (key_id);
CREATE INDEX runners_of_public_key ON runners (public_key);

-- When runners, and the jobs that they have, were last heard of. Not folded from the log: it would drown in it.
CREATE TABLE runner_beats (
    id      TEXT COLLATE "C" PRIMARY KEY,
    seen_at BIGINT NOT NULL
);

-- What runners have signed, so that nothing of it is taken twice by nodes that share these tables. Not folded.
CREATE TABLE runner_nonces (
    id      TEXT COLLATE "C" PRIMARY KEY,
    seen_at BIGINT NOT NULL
);
CREATE INDEX runner_nonces_by_age ON runner_nonces (seen_at);
