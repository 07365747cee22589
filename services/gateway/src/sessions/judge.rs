//! Whether someone may connect to a workspace, by the policies.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chancery_domain::directory::UserStatus;
use chancery_domain::events::sessions::SessionKind;
use chancery_domain::sessions::LiveSession;
use chancery_domain::workspaces::{WorkspaceRecord, WorkspaceStatus};
use chancery_domain::{Actor, PolicyReference};
use chancery_policy::{Connecting, Context, Permission, PolicySet, Principal, Request, User};

use crate::authorization::{self, references};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::workspaces::place;

/// What connections are judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bench<'a> {
    pub(crate) policies: &'a PolicySet,
    /// Kinds of session that count as browser.
    pub(crate) browser_kinds: &'a BTreeSet<String>,
    /// Whether policies were published: without, nothing forbids to connect.
    pub(crate) forbids: bool,
}

/// Who wants to connect, how and from where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) circumstances: &'a Context,
    pub(crate) kind: SessionKind,
    pub(crate) client: Option<&'a str>,
}

/// The answer: the policies that determined it, and why not, if not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) policies: Vec<PolicyReference>,
    pub(crate) refusal: Option<String>,
}

impl Verdict {
    fn refused(reason: impl Into<String>) -> Self {
        Self { policies: Vec::new(), refusal: Some(reason.into()) }
    }
}

impl Gateway {
    /// Judges an attempt to connect. Who connects to their own workspace must be allowed to use its template, too.
    pub(crate) async fn judge_attempt(
        &self,
        bench: Bench<'_>,
        attempt: Attempt<'_>,
        workspace: &WorkspaceRecord,
    ) -> Result<Verdict, ApiError> {
        let Attempt { principal, circumstances, kind, client } = attempt;
        let kind = kind.as_str();
        let session = Connecting {
            kind: kind.to_owned(),
            browser: bench.browser_kinds.contains(kind),
            client: client.map(str::to_owned),
        };
        let context = Context { session: Some(session), ..circumstances.clone() };
        let (permission, resource) = (Permission::SessionsConnect, place(workspace));
        let decision =
            bench.policies.evaluate(&Request { principal, permission, resource: &resource, context: &context });
        let policies = references(&decision);
        if !decision.allowed {
            let named: Vec<String> = policies.iter().map(|policy| format!("`{}`", policy.id)).collect();
            let refusal = match named.as_slice() {
                [] => format!("nothing permits `{permission}` there"),
                named => format!("a `{kind}` session there is forbidden by {}", named.join(", ")),
            };
            return Ok(Verdict { policies, refusal: Some(refusal) });
        }
        let own = workspace.owner_id.as_deref() == Some(principal.id());
        if let (true, Some(id)) = (own, &workspace.template_id)
            && let Some(template) = self.state.template(id).await?.filter(|template| template.own)
        {
            let template = self.template_resource(&template).await?;
            let may = bench.policies.allows(principal, Permission::TemplatesUse, &template, circumstances);
            if !may {
                return Ok(Verdict::refused("its template may not be used any more"));
            }
        }
        Ok(Verdict { policies, refusal: None })
    }

    /// Why a session may not go on, if it may not. What another system allowed and reported ends where a policy forbids
    /// it; that nothing here permits it says nothing.
    pub(crate) async fn judge_live(
        &self,
        bench: Bench<'_>,
        session: &LiveSession,
    ) -> Result<Option<Verdict>, ApiError> {
        if !session.granted && !bench.forbids {
            return Ok(None);
        }
        let workspace = match &session.workspace_id {
            Some(id) => self.state.workspace(id).await?,
            None => None,
        };
        let principal = self.principal_of(&session.user_id).await?;
        let (workspace, principal) = match (workspace, principal) {
            (Some(workspace), Some(principal)) => (workspace, principal),
            (None, _) if session.granted => return Ok(Some(Verdict::refused("the workspace is gone"))),
            (_, None) if session.granted => return Ok(Some(Verdict::refused("access was taken"))),
            (Some(workspace), None) => (workspace, Principal::User(User::new(&session.user_id))),
            (None, _) => return Ok(None),
        };
        let goes_on = matches!(workspace.status, WorkspaceStatus::Running | WorkspaceStatus::Pending);
        if session.granted && !goes_on {
            return Ok(Some(Verdict::refused(format!("the workspace is {}", workspace.status.as_str()))));
        }
        let circumstances = Context {
            address: session.address.as_deref().and_then(|address| address.parse::<IpAddr>().ok()),
            time: jiff::Timestamp::from_microsecond(self.now().as_micros()).ok(),
            ..Context::default()
        };
        let attempt = Attempt {
            principal: &principal,
            circumstances: &circumstances,
            kind: session.kind,
            client: session.client.as_deref(),
        };
        let verdict = self.judge_attempt(bench, attempt, &workspace).await?;
        let ends = verdict.refusal.is_some() && (session.granted || !verdict.policies.is_empty());
        Ok(ends.then_some(verdict))
    }

    /// A user who has access, or a token without an owner that works.
    async fn principal_of(&self, id: &str) -> Result<Option<Principal>, ApiError> {
        if let Some(found) = self.state.user(id).await? {
            if found.status != UserStatus::Active {
                return Ok(None);
            }
            return Ok(Some(Principal::User(authorization::user(&self.state, &found).await?)));
        }
        let now = self.now();
        match self.state.token(id).await?.filter(|token| token.owner.is_none() && token.works_at(now)) {
            Some(token) => Ok(Some(authorization::principal(&self.state, &token, &Actor::default()).await?.0)),
            None => Ok(None),
        }
    }
}
