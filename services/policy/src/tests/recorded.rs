//! Every event type was thought of.

use std::path::Path;

use crate::{Permission, permission_of};

/// What no permission was used for: sign-ins, what the server does by itself, what runners report.
const UNPERMITTED: &[&str] = &[
    "checkpoint.signed",
    "directory.conflict.found",
    "job.acquired",
    "job.completed",
    "job.expired",
    "job.failed",
    "node.joined",
    "node.left",
    "node.lost",
    "quota.budget.warned",
    "quota.committed",
    "quota.denied",
    "quota.released",
    "quota.reserved",
    "retention.applied",
    "runner.connected",
    "runner.identity.rotated",
    "runner.key.used",
    "runner.lost",
    "runner.refused",
    "runner.registered",
    "session.closed",
    "session.opened",
    "session.revoked",
    "sink.delivered-until",
    "token.refused",
    "token.used",
    "user.login.failed",
    "user.login.succeeded",
    "user.logout",
    "workspace.build.apply-started",
    "workspace.build.failed",
    "workspace.build.log-closed",
    "workspace.build.planned",
    "workspace.build.queued",
    "workspace.build.rejected",
    "workspace.build.requeued",
    "workspace.build.started",
    "workspace.build.succeeded",
    "workspace.dormant",
    "workspace.state.lock.broken",
    "workspace.state.locked",
    "workspace.state.read",
    "workspace.state.unlocked",
    "workspace.state.written",
    "workspace.woken",
];

/// The event types of the domain's catalogue.
fn event_types() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/src/events");
    let mut types = Vec::new();
    for file in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let declared = text.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" v "));
        types.extend(declared.map(|(name, _)| name.to_owned()));
    }
    types
}

#[test]
fn every_event_type_records_a_permission_or_is_known_not_to() {
    let types = event_types();
    assert!(types.len() > 70, "{types:?}");
    for name in types {
        let unpermitted = UNPERMITTED.contains(&name.as_str());
        assert_ne!(permission_of(&name).is_some(), unpermitted, "{name}: say so in recorded.rs");
    }
}

#[test]
fn some_event_types_and_their_permissions() {
    assert_eq!(permission_of("audit.exported"), Some(Permission::AuditExport));
    assert_eq!(permission_of("user.suspended"), Some(Permission::UsersWrite));
    assert_eq!(permission_of("directory.request.unchanged"), Some(Permission::ScimPush));
    assert_eq!(permission_of("user.login.succeeded"), None);
    assert_eq!(permission_of("com.example.else"), None);
}
