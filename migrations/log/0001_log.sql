-- Beside the log in Kafka: what is admitted of it, what waits to be published to it, and who works on it.
-- None of this is folded from the log, and a rebuild of the state leaves it alone.

-- How far each partition of the topic is admitted: places up to this one are decided.
CREATE TABLE partitions (
    partition SMALLINT PRIMARY KEY,
    place     BIGINT NOT NULL DEFAULT 0,
    events    BIGINT NOT NULL DEFAULT 0  -- admitted ones, dense
);

-- Which event has an identity, the digest of (source, id); the first to be admitted.
CREATE TABLE identities (
    identity UUID PRIMARY KEY,
    content  UUID NOT NULL,  -- digest of what was sent
    timeless UUID,           -- the same without its time, where the time was filled in on arrival
    position BIGINT NOT NULL
);

-- Places of the topic that hold no event: another with the same identity came first.
CREATE TABLE refusals (
    position BIGINT PRIMARY KEY,
    original BIGINT NOT NULL,
    conflict BOOLEAN NOT NULL  -- whether it says something else
);

-- The version of each stream that decisions are taken on. A decision holds the lock of its row.
CREATE TABLE streams (
    stream  UUID PRIMARY KEY,
    version BIGINT NOT NULL
);

-- Decisions that are not yet published. The relay numbers them in the order of their ids; the number of the last one
-- published is committed in Kafka together with the events.
CREATE TABLE outbox (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sequence BIGINT UNIQUE,
    stream   TEXT NOT NULL,
    identity UUID NOT NULL,
    content  UUID NOT NULL,
    event    TEXT NOT NULL
);

CREATE INDEX outbox_not_numbered ON outbox (id) WHERE sequence IS NULL;

CREATE SEQUENCE outbox_sequence;

-- What one process may do at a time, and until when.
CREATE TABLE leases (
    work  TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until TIMESTAMPTZ NOT NULL
);

CREATE TABLE nodes (
    name       TEXT PRIMARY KEY,
    instance   TEXT NOT NULL,
    version    TEXT NOT NULL,
    roles      TEXT NOT NULL,
    address    TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('up', 'left', 'lost')),
    partitions TEXT NOT NULL DEFAULT '{}',
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    seen_at    TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Where events stand that were taken over from an embedded log, by their positions there.
CREATE TABLE origins (
    original BIGINT PRIMARY KEY,
    position BIGINT NOT NULL
);

-- Which topic this is about, so that another one is never mistaken for it.
CREATE TABLE topic (
    single     BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (single),
    name       TEXT NOT NULL,
    partitions SMALLINT NOT NULL
);
