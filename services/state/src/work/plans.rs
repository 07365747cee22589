//! The statements on the way of a build, and the index each must go by.

use crate::{builds, logs, quotas, states, workspaces};

pub(crate) const HOT: [(&str, &str); 28] = [
    (builds::BUILD, "sqlite_autoindex_builds_1 (workspace_id=? AND number=?)"),
    (builds::OF_JOB, "builds_of_job (job_id=?)"),
    (builds::OF_WORKSPACE, "sqlite_autoindex_builds_1 (workspace_id=? AND number<?)"),
    (builds::QUEUED, "builds_queued (organization=?)"),
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
    (states::LAST, "sqlite_autoindex_workspace_states_1 (workspace_id=?)"),
    (states::ONE, "sqlite_autoindex_workspace_states_1 (workspace_id=? AND version=?)"),
    (states::PAGE, "sqlite_autoindex_workspace_states_1 (workspace_id=? AND version<?)"),
    (states::LOCK, "sqlite_autoindex_state_locks_1 (workspace_id=?)"),
    (states::REPORT, "sqlite_autoindex_build_reports_1 (workspace_id=? AND number=?)"),
    (logs::HEAD, "sqlite_autoindex_build_log_chunks_1 (job_id=? AND attempt=?)"),
    (logs::AFTER, "build_log_chunks_in_order (job_id=?"),
    (logs::SIZE, "build_log_chunks_in_order (job_id=?)"),
];
