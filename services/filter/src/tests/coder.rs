//! Filters as people wrote them for Coder.

use super::{assert_differs, assert_matches, event, parse};
use crate::{Expr, Filter};

#[test]
fn audit_keys_mean_what_they_mean_there() {
    assert_matches("resource_type:workspace_build action:start build_reason:autostart");
    assert_differs("resource_type:workspace");
    assert_differs("action:stop");
    assert_differs("action:\"start\"");
    assert_matches("resource_id:w-7 resource_target:\"dev box\" request_id:r-5 organization:acme");
    assert_matches("username:ALICE email:Alice@example.com date_from:2026-03-28 date_to:2026-03-28");
    assert_differs("date_to:2026-03-27");
    assert_differs("date_from:2026-03-29");
    assert_matches("resource_type:(template, workspace_build)");
}

#[test]
fn connection_keys_ask_for_sessions() {
    let mut session = event();
    session.event_type = "session.opened".to_owned();
    session.resource.kind = "session".to_owned();
    session.data = serde_json::json!({"kind": "desktop_ide", "client": "VS Code 1.99", "workspace_id": "w-1"});
    let asked = [
        "type:vscode workspace_owner:bob user_email:alice@example.com workspace_owner_email:bob",
        "connected_after:2026-03-28T23:59 connected_before:2026-03-29 workspace_id:w-1 connection_id:w-7",
        "status:ongoing -status:completed",
        "type:(ssh, vscode)",
        "type:(ssh, session.opened)",
    ];
    for text in asked {
        assert!(parse(text).matches(&session, 1), "{text}");
    }
    for text in ["type:ssh", "type:jetbrains", "status:completed", "resource_type:workspace_app"] {
        assert!(!parse(text).matches(&session, 1), "{text}");
    }
    assert_eq!(parse("status:ongoing"), Filter { root: Expr::OngoingSession });
}
