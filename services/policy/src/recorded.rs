//! Which permission an event is the record of.

use crate::Permission;

/// The permission whose use events of a type record; none if no permission was used, as when the server did it by
/// itself, when someone signed in, or when the type is unknown.
///
/// The type alone does not say everything. What a connection did (an actor of kind `idp`) was done with
/// [`Permission::ScimPush`], and what someone did with a token of their own with [`Permission::OwnTokensWrite`].
pub fn permission_of(event_type: &str) -> Option<Permission> {
    USES.iter().find(|(_, types)| types.contains(&event_type)).map(|(permission, _)| *permission)
}

/// Permissions and the event types that record their use.
const USES: &[(Permission, &[&str])] = &[
    (Permission::AuditRead, &["audit.queried"]),
    (Permission::AuditExport, &["audit.exported"]),
    (Permission::EventsWrite, &["audit.event.rejected"]),
    (
        Permission::UsersWrite,
        &[
            "user.created",
            "user.updated",
            "user.suspended",
            "user.reactivated",
            "user.deleted",
            "role.assigned",
            "role.revoked",
            "subject.erased",
        ],
    ),
    (
        Permission::GroupsWrite,
        &["group.created", "group.updated", "group.deleted", "group.member.added", "group.member.removed"],
    ),
    (Permission::OrganizationsWrite, &["organization.created", "organization.updated"]),
    (Permission::TemplatesRead, &["template.version.downloaded"]),
    (
        Permission::TemplatesWrite,
        &[
            "template.created",
            "template.updated",
            "template.deprecated",
            "template.undeprecated",
            "template.deleted",
            "template.version.pushed",
            "template.version.promotion.requested",
            "template.version.promotion.withdrawn",
            "template.version.promoted",
            "template.version.archived",
            "template.version.unarchived",
            "template.access.granted",
            "template.access.revoked",
        ],
    ),
    (
        Permission::WorkspacesWrite,
        &[
            "workspace.created",
            "workspace.deleted",
            "workspace.transferred",
            "workspace.renamed",
            "workspace.schedule.set",
            "workspace.used",
            "workspace.build.requested",
            "workspace.build.cancel-requested",
            "workspace.build.canceled",
        ],
    ),
    (
        Permission::QuotasWrite,
        &[
            "quota.allowance.set",
            "quota.cap.set",
            "quota.cap.removed",
            "quota.budget.set",
            "quota.budget.removed",
            "quota.settings.changed",
        ],
    ),
    (Permission::WorkspacesState, &["workspace.state.restored"]),
    (Permission::RunnersRun, &["session.host.certified"]),
    (Permission::SessionsConnect, &["session.authorized", "session.denied"]),
    (Permission::RunnersWrite, &["runner.key.created", "runner.key.rotated", "runner.key.revoked", "runner.revoked"]),
    (Permission::TokensWrite, &["token.created", "token.rotated", "token.revoked"]),
    (Permission::ConnectionsWrite, &["connection.created", "connection.updated", "connection.deleted"]),
    (
        Permission::ScimPush,
        &[
            "directory.resource.created",
            "directory.resource.updated",
            "directory.resource.deleted",
            "directory.request.unchanged",
            "directory.request.refused",
        ],
    ),
    (Permission::RolesWrite, &["role.defined", "role.withdrawn"]),
    (Permission::PoliciesWrite, &["policy.published", "policy.withdrawn"]),
    (
        Permission::SettingsWrite,
        &[
            "settings.changed",
            "session.key.created",
            "session.key.retired",
            "sink.created",
            "sink.updated",
            "sink.deleted",
            "hold.placed",
            "hold.released",
        ],
    ),
];
