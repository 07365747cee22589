//! The statements on the way of a build, and the index each must go by.

use crate::{builds, quotas, runners, workspaces};

pub(crate) const HOT: [(&str, &str); 25] = [
    (builds::BUILD, "sqlite_autoindex_builds_1 (workspace_id=? AND number=?)"),
    (builds::OF_JOB, "builds_of_job (job_id=?)"),
    (builds::OF_WORKSPACE, "sqlite_autoindex_builds_1 (workspace_id=? AND number<?)"),
    (builds::QUEUE, "builds_queue (queued_at>?)"),
    (builds::DONE, "builds_done (organization=? AND transition=? AND finished_at>?)"),
    (runners::RUNNER, "sqlite_autoindex_runners_1 (id=?)"),
    (runners::OF_PUBLIC_KEY, "runners_of_public_key (public_key=?)"),
    (runners::OF_KEY, "runners_of_key (key_id=?)"),
    (runners::KEY, "sqlite_autoindex_runner_keys_1 (id=?)"),
    (workspaces::LIFE, "sqlite_autoindex_workspaces_1 (id=?)"),
    (workspaces::LIVES, "workspaces_own (id>?)"),
    (workspaces::OF_OWNER, "workspaces_of_owner (owner_id=?)"),
    (workspaces::COUNT_OF_TEMPLATE, "workspaces_of_template (template_id=?)"),
    (workspaces::COUNT_OF_TEMPLATE_AND_OWNER, "workspaces_of_"),
    (quotas::LEDGER, "quota_ledger_of_user (user_id=? AND organization=?)"),
    (quotas::ENFORCED, "groups_with_allowance_set (organization=?)"),
    (quotas::ENFORCED, "groups_with_allowance (organization=?)"),
    (quotas::CAPS, "quota_caps_of_organization (organization=?)"),
    (quotas::BUDGETS, "quota_budgets_of_organization (organization=?)"),
    (quotas::SETTINGS, "sqlite_autoindex_quota_settings_1 (organization=?)"),
    (quotas::COUNTED_OF_ORGANIZATION, "quota_ledger_of_organization (organization=?)"),
    (quotas::COUNTED_OF_GROUP, "quota_ledger_of_user (user_id=? AND organization=?)"),
    (quotas::USED_BY_USER, "quota_usage_of_user (user_id=? AND organization=? AND ended_at>?)"),
    (quotas::USED_BY_ORGANIZATION, "quota_usage_of_organization (organization=? AND ended_at>?)"),
    (quotas::USED_BY_ORGANIZATION, "quota_usage_of_organization (organization=? AND ended_at=?)"),
];
