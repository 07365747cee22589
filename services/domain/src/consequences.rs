//! What losing access entails: tokens stop working, sessions end, workspaces stop.

use crate::decision::Draft;
use crate::directory::{OpenSession, OwnedWorkspace, Possessions};
use crate::event::Resource;
use crate::events::Bare;
use crate::events::directory::Suspension;
use crate::events::sessions::SessionClosed;
use crate::events::workspaces::{Build, Transition};
use crate::tokens::Token;

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
    if workspace.running {
        let number = workspace.last_build.saturating_add(1);
        let stop = Build { cause: Some(CAUSE.to_owned()), ..Build::new(number, Transition::Stop) };
        let mut event = draft.event("workspace.build.requested", resource.clone(), &stop);
        event.organization.clone_from(&workspace.organization);
        draft.entail(cause, event);
    }
    if !workspace.dormant {
        let mut event = draft.event("workspace.dormant", resource, &Bare {});
        event.organization.clone_from(&workspace.organization);
        draft.entail(cause, event);
    }
}
