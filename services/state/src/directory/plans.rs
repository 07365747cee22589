//! The statements on hot paths, and the index each must go by.

use super::{access, groups, possessions, resources, users};
use crate::{queries, sessions};

pub(crate) const HOT: [(&str, &str); 34] = [
    (users::BY_ID, "sqlite_autoindex_users_1 (id=?)"),
    (users::BY_NAME, "users_by_username (username_key=?)"),
    (users::BY_EXTERNAL_ID, "users_by_external_id (external_id=? AND connection=?)"),
    (users::BY_EMAIL, "users_by_email (email_key=?)"),
    (users::PAGE, "users_of_connection (connection=? AND id>?)"),
    (users::COUNT, "COVERING INDEX users_of_connection (connection=?)"),
    (users::DUE, "users_to_delete (delete_at>? AND delete_at<?)"),
    (users::NAMES, "sqlite_autoindex_users_1 (id=?)"),
    (groups::BY_ID, "sqlite_autoindex_groups_1 (id=?)"),
    (groups::BY_NAME, "groups_by_name (name_key=?)"),
    (groups::BY_EXTERNAL_ID, "groups_by_external_id (external_id=? AND connection=?)"),
    (groups::PAGE, "groups_of_connection (connection=? AND id>?)"),
    (groups::COUNT, "COVERING INDEX groups_of_connection (connection=?)"),
    (groups::MEMBERS, "sqlite_autoindex_group_members_1 (group_id=? AND user_id>?)"),
    (groups::AMONG, "sqlite_autoindex_group_members_1 (group_id=? AND user_id=?)"),
    (groups::MEMBERSHIPS, "groups_of_member (user_id=?)"),
    (resources::BY_ID, "sqlite_autoindex_directory_resources_1 (resource_type=? AND id=?)"),
    (resources::BY_NAME, "directory_resources_by_name (resource_type=? AND name_key=? AND connection=?)"),
    (resources::PAGE, "directory_resources_of_connection (resource_type=? AND connection=? AND id>?)"),
    (
        resources::BY_EXTERNAL_ID,
        "directory_resources_by_external_id (resource_type=? AND external_id=? AND connection=?)",
    ),
    (resources::COUNT, "COVERING INDEX directory_resources_of_connection (resource_type=? AND connection=?)"),
    (access::ROLES, "sqlite_autoindex_user_roles_1 (user_id=?)"),
    (access::GROUPS_AMONG, "groups_of_member (user_id=?)"),
    (sessions::OPEN, "sessions_open_by_id (id>?)"),
    (sessions::OPEN_OF_USER, "sessions_open (user_id=?"),
    (sessions::OPEN_IN_WORKSPACE, "sessions_open_in_workspace (workspace_id=?"),
    (sessions::OPEN_BY_ID, "sqlite_autoindex_sessions_1 (id=?)"),
    (sessions::ALLOWED_TO_USER, "session_grants_of_user (user_id=? AND expires_at>?)"),
    (sessions::ALLOWED_IN_WORKSPACE, "session_grants_of_workspace (workspace_id=? AND expires_at>?)"),
    (sessions::GRANT, "sqlite_autoindex_session_grants_1 (id=?)"),
    (sessions::SHOWN, "sqlite_autoindex_sessions_1 (id=?)"),
    (sessions::REVOKED, "session_grants_revoked (expires_at>?)"),
    (possessions::WORKSPACES, "workspaces_of_owner (owner_id=?)"),
    (queries::TOKENS_OF, "tokens_of_owner (owner_id=?)"),
];
