//! What losing access entails: tokens stop working, sessions end, workspaces stop.

use crate::decision::Draft;
use crate::directory::{OwnedWorkspace, Possessions};
use crate::event::Resource;
use crate::events::Bare;
use crate::events::directory::Suspension;
use crate::events::sessions::{SessionClosed, SessionRequest};
use crate::events::workspaces::{Build, Transition};
use crate::sessions::LiveSession;
use crate::time::Timestamp;
use crate::tokens::Token;

/// Recorded as the cause of a build.
const CAUSE: &str = "suspension";
/// Why a session ends then.
const TAKEN: &str = "access was taken";

/// Takes from `owner` what `policy` says, because of the event `cause`.
pub(crate) fn take(draft: &mut Draft, cause: &str, policy: Suspension, possessions: &Possessions, owner: &str) {
    if policy.revoke_tokens {
        revoke_tokens(draft, cause, &possessions.tokens);
    }
    if policy.end_sessions {
        possessions.sessions.iter().for_each(|session| end(draft, Some(cause), session, Some(TAKEN)));
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

/// Ends a session, or takes back what was allowed, because of the event `cause`.
pub(crate) fn end(draft: &mut Draft, cause: Option<&str>, session: &LiveSession, reason: Option<&str>) {
    let owner = session.user_name.clone().unwrap_or_else(|| session.user_id.clone());
    let resource = Resource::new("session", &session.id).owned_by(owner);
    let mut event = if session.open {
        let closed = closed(session, draft.context.now);
        draft.event("session.closed", resource, &closed)
    } else {
        let revoked = SessionRequest {
            certificate: None,
            client: session.client.clone(),
            expires_at: None,
            kind: session.kind,
            user_id: Some(session.user_id.clone()),
            workspace_id: session.workspace_id.clone(),
            workspace_name: session.workspace_name.clone(),
        };
        draft.event("session.revoked", resource, &revoked)
    };
    event.organization.clone_from(&session.organization);
    event.reason = reason.map(str::to_owned);
    event.causation = cause.map(str::to_owned);
    draft.push(event);
}

/// What there is to say of a session that ends now.
pub(crate) fn closed(session: &LiveSession, now: Timestamp) -> SessionClosed {
    let lasted = session.opened_at.map(|opened| now.as_micros().saturating_sub(opened.as_micros()));
    SessionClosed {
        agent: None,
        bytes_in: None,
        bytes_out: None,
        duration_ms: lasted.and_then(|micros| u64::try_from(micros / 1000).ok()),
        exit_code: None,
        kind: session.kind,
        serial: None,
        user_id: Some(session.user_id.clone()),
        workspace_id: session.workspace_id.clone(),
        workspace_name: session.workspace_name.clone(),
    }
}

/// A dormant workspace does not start by itself, and wakes when someone starts it.
fn stop_workspace(draft: &mut Draft, cause: &str, workspace: &OwnedWorkspace, owner: &str) {
    let resource = Resource::new("workspace", &workspace.id).named(&workspace.name).owned_by(owner);
    if workspace.running {
        let stop = Build {
            build_number: workspace.last_build.saturating_add(1),
            cause: Some(CAUSE.to_owned()),
            daily_cost: None,
            duration_ms: None,
            error: None,
            job_id: None,
            resources_remain: None,
            template_version: None,
            transition: Transition::Stop,
        };
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
