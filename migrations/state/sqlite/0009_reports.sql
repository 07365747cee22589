-- What reports over time are computed from: what began and ended when, and at which position of the log each became
-- known, so that a report as of a past position finds what was known there. A span is ended once and never changed
-- otherwise; a change is never changed at all. Folded from now on; `state rebuild` folds what was before as well.
-- Most spans are short: those of a period began in it or a day before, and the few longer ones have an index of their
-- own. Indexes by time hold all that a report reads.
CREATE INDEX quota_usage_by_time ON quota_usage
    (began_at, ended_at, ended_position, began_position, cost, running, own, organization, user_id, workspace_id,
    template_id, quota_id);
CREATE INDEX quota_usage_long ON quota_usage (began_at) WHERE ended_at IS NULL OR ended_at - began_at > 86400000000;
CREATE INDEX quota_usage_ended ON quota_usage (ended_position);
CREATE INDEX quota_usage_own ON quota_usage (quota_id, began_position) WHERE own = 1;

CREATE TABLE session_spans (
    position       INTEGER PRIMARY KEY,
    session_id     TEXT NOT NULL,
    workspace_id   TEXT NOT NULL,
    began_at       INTEGER NOT NULL,
    ended_at       INTEGER,
    ended_position INTEGER,
    own            INTEGER NOT NULL
) STRICT;
CREATE INDEX session_spans_open ON session_spans (session_id) WHERE ended_at IS NULL;
CREATE INDEX session_spans_by_time ON session_spans (began_at, ended_at, ended_position, position, workspace_id);
CREATE INDEX session_spans_long ON session_spans (began_at)
    WHERE ended_at IS NULL OR ended_at - began_at > 86400000000;
CREATE INDEX session_spans_ended ON session_spans (ended_position);

-- A user or a group in a group; or, with the kind `organization`, a user in an organization, by `via`: `home` or a role.
CREATE TABLE membership_spans (
    position       INTEGER PRIMARY KEY,
    kind           TEXT NOT NULL,
    group_id       TEXT NOT NULL,
    member_id      TEXT NOT NULL,
    via            TEXT NOT NULL,
    began_at       INTEGER NOT NULL,
    expires_at     INTEGER,
    ended_at       INTEGER,
    ended_position INTEGER,
    own            INTEGER NOT NULL
) STRICT;
CREATE INDEX membership_spans_open ON membership_spans (group_id, member_id) WHERE ended_at IS NULL;
CREATE INDEX membership_spans_of_member ON membership_spans (member_id, kind) WHERE ended_at IS NULL;

CREATE TABLE allowance_changes (
    position   INTEGER PRIMARY KEY,
    group_id   TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    allowance  INTEGER NOT NULL
) STRICT;

CREATE TABLE quota_denials (
    position     INTEGER PRIMARY KEY,
    organization TEXT,
    user_id      TEXT NOT NULL,
    workspace_id TEXT,
    template_id  TEXT,
    cost         INTEGER NOT NULL,
    denied_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX quota_denials_by_time ON quota_denials (denied_at);

-- How things were called and whose they were.
CREATE TABLE label_changes (
    position     INTEGER PRIMARY KEY,
    kind         TEXT NOT NULL,
    id           TEXT NOT NULL,
    name         TEXT NOT NULL,
    organization TEXT,
    owner_id     TEXT,
    template_id  TEXT,
    everyone     INTEGER NOT NULL DEFAULT 0,
    changed_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX label_changes_of ON label_changes (kind, id, position);
