//! What losing access entails: tokens stop working, sessions end, workspaces stop.

use crate::decision::Draft;
use crate::directory::{OpenSession, OwnedWorkspace, Possessions};
use crate::event::Resource;
use crate::events::Bare;
use crate::events::directory::Suspension;
use crate::events::sessions::SessionClosed;
use crate::events::workspaces::{Build, Transition};
use crate::tokens::Token;
use crate::workspaces::WorkspaceRecord;
use crate::workspaces::builds::{self, BuildRecord, RequestBuild};

/// Recorded as the cause of a build.
const CAUSE: &str = "suspension";

/// Takes from `owner` what `policy` says, because of the event `cause`.
pub(crate) fn take(draft: &mut Draft, cause: &str, policy: Suspension, possessions: &Possessions, owner: &str) {
    if policy.revoke_tokens {
        revoke_tokens(draft, cause, &possessions.tokens);
    }
    if policy.end_sessions {
        possessions.sessions.iter().for_each(|session| end_session(draft, cause, session, owner));
    }
    if policy.stop_workspaces {
        possessions.workspaces.iter().for_each(|workspace| stop_workspace(draft, cause, workspace, owner));
    }
}

/// Withdraws the tokens that still work.
pub(crate) fn revoke_tokens(draft: &mut Draft, cause: &str, tokens: &[Token]) {
    let now = draft.context.now;
    for token in tokens.iter().filter(|token| token.works_at(now)) {
        let event = draft.event("token.revoked", token.resource(), &Bare {});
        draft.entail(cause, event);
    }
}

fn end_session(draft: &mut Draft, cause: &str, session: &OpenSession, owner: &str) {
    let lasted = session.opened_at.map(|opened| draft.context.now.as_micros().saturating_sub(opened.as_micros()));
    let closed = SessionClosed {
        bytes_in: None,
        bytes_out: None,
        duration_ms: lasted.and_then(|micros| u64::try_from(micros / 1000).ok()),
        exit_code: None,
        kind: session.kind,
        workspace_id: session.workspace_id.clone(),
        workspace_name: session.workspace_name.clone(),
    };
    let resource = Resource::new("session", &session.id).owned_by(owner);
    let mut event = draft.event("session.closed", resource, &closed);
    event.organization.clone_from(&session.organization);
    draft.entail(cause, event);
}

/// A dormant workspace does not start by itself, and wakes when someone starts it.
fn stop_workspace(draft: &mut Draft, cause: &str, workspace: &OwnedWorkspace, owner: &str) {
    let resource = Resource::new("workspace", &workspace.id).named(&workspace.name).owned_by(owner);
    match &workspace.record {
        Some(record) => halt(draft, cause, record, workspace.build.as_ref()),
        // Whoever builds it hears of it.
        None if workspace.running => {
            let number = workspace.last_build.saturating_add(1);
            let stop = Build { cause: Some(CAUSE.to_owned()), ..Build::new(number, Transition::Stop) };
            let mut event = draft.event("workspace.build.requested", resource.clone(), &stop);
            event.organization.clone_from(&workspace.organization);
            draft.entail(cause, event);
        }
        None => {}
    }
    if !workspace.dormant {
        let mut event = draft.event("workspace.dormant", resource, &Bare {});
        event.organization.clone_from(&workspace.organization);
        draft.entail(cause, event);
    }
}

/// Ends a build that would start the workspace, and stops what runs. What a runner has in its hands is told to end; the
/// clock stops what that leaves.
fn halt(draft: &mut Draft, cause: &str, workspace: &WorkspaceRecord, build: Option<&BuildRecord>) {
    const REASON: &str = "its owner was suspended";
    let current = build.filter(|build| !build.status.is_last());
    let waits = current.is_some_and(|build| build.started_at.is_none());
    if let Some(build) = current.filter(|build| build.transition == Transition::Start) {
        builds::cancel(draft, Some(cause), workspace, build, Some(REASON));
    }
    let runs = match current {
        Some(build) => waits && build.ran_before && build.transition == Transition::Start,
        None => workspace.may_run(),
    };
    if runs {
        let tags = build.map(|build| build.tags.clone()).unwrap_or_default();
        let stop = RequestBuild::stop(CAUSE, Some(REASON.to_owned()));
        builds::order(draft, Some(cause), workspace, stop, None, tags);
    }
}
