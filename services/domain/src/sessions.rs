//! Sessions: allowing and refusing them, and their beginning and end as agents report them.
//!
//! INVARIANT: what was refused or taken back never opens; a session ends once.

use crate::consequences;
use crate::decision::{self, Context, Draft, Refusal};
use crate::event::{Actor, ActorKind, Event, Resource};
use crate::events::sessions::{SessionCertificate, SessionClosed, SessionKind, SessionOpened, SessionRequest};
use crate::time::Timestamp;
use crate::workspaces::{WorkspaceRecord, WorkspaceStatus};

/// Longest name of client software, in characters.
pub const MAX_CLIENT: usize = 200;
/// Longest reason, in characters.
pub const MAX_REASON: usize = 1000;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStatus {
    /// It goes on.
    Open,
    /// It is over.
    Closed,
    /// It never was.
    Denied,
}

impl SessionStatus {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Denied => "denied",
        }
    }

    /// Looks a status up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Closed, Self::Denied].into_iter().find(|status| status.as_str() == name)
    }
}

/// What Chancery has allowed: until it expires a session may come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionGrant {
    /// Id of the session.
    pub id: String,
    /// How the person connects.
    pub kind: SessionKind,
    /// Who.
    pub user_id: String,
    /// Their login name.
    pub user_name: Option<String>,
    /// Where to.
    pub workspace_id: String,
    /// Its name.
    pub workspace_name: Option<String>,
    /// Organization of the workspace.
    pub organization: Option<String>,
    /// Where from.
    pub address: Option<String>,
    /// Client software.
    pub client: Option<String>,
    /// When it was allowed.
    pub authorized_at: Timestamp,
    /// Until when a session may come of it.
    pub expires_at: Timestamp,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

/// A session that goes on, or one that is allowed and may begin at any moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// Its id.
    pub id: String,
    /// How the person connects.
    pub kind: SessionKind,
    /// Who, as whoever reported it names them.
    pub user_id: String,
    /// Their login name.
    pub user_name: Option<String>,
    /// Where to.
    pub workspace_id: Option<String>,
    /// Its name.
    pub workspace_name: Option<String>,
    /// Organization of the workspace.
    pub organization: Option<String>,
    /// Where from.
    pub address: Option<String>,
    /// Client software.
    pub client: Option<String>,
    /// Whether it goes on.
    pub open: bool,
    /// When it began, if that is known.
    pub opened_at: Option<Timestamp>,
    /// Whether Chancery has allowed it; without, another system did and reported it.
    pub granted: bool,
}

/// A person asks to connect to a workspace.
#[derive(Debug, Clone)]
pub struct AuthorizeSession {
    /// Id of the session to be.
    pub id: String,
    /// How they connect.
    pub kind: SessionKind,
    /// Client software.
    pub client: Option<String>,
    /// The certificate that will be made.
    pub certificate: Option<SessionCertificate>,
    /// Until when a session may come of it.
    pub expires_at: Timestamp,
    /// Why they may not, if they may not.
    pub refusal: Option<String>,
}

impl AuthorizeSession {
    /// Decides, and why not if not: the first is the event of it.
    pub fn decide(self, workspace: &WorkspaceRecord, context: Context) -> Result<(Event, Option<String>), Refusal> {
        client(self.client.as_deref())?;
        let not_running = (workspace.status != WorkspaceStatus::Running)
            .then(|| format!("the workspace is {}", workspace.status.as_str()));
        let refusal = self.refusal.or(not_running);
        let mut draft = Draft::new(context);
        let actor = &draft.context.actor;
        let name = actor.name.clone().unwrap_or_else(|| actor.id.clone());
        let resource = Resource::new("session", &self.id).named(&workspace.name).owned_by(name);
        let allowed = refusal.is_none();
        let request = SessionRequest {
            certificate: self.certificate.filter(|_| allowed),
            client: self.client,
            expires_at: Some(self.expires_at).filter(|_| allowed),
            kind: self.kind,
            user_id: None,
            workspace_id: Some(workspace.id.clone()),
            workspace_name: Some(workspace.name.clone()),
        };
        let event_type = if allowed { "session.authorized" } else { "session.denied" };
        let mut event = draft.event(event_type, resource, &request);
        event.organization.clone_from(&workspace.organization);
        event.reason.clone_from(&refusal);
        Ok((event, refusal))
    }
}

/// An agent reports that a session has begun.
#[derive(Debug, Clone)]
pub struct BeginSession {
    /// Host it runs on.
    pub host: Option<String>,
}

impl BeginSession {
    /// Decides whether it may: it was allowed, and still is. `status` is what is known of it already.
    pub fn decide(
        self,
        grant: &SessionGrant,
        status: Option<SessionStatus>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        client(self.host.as_deref())?;
        let mut draft = Draft::new(context);
        match status {
            Some(SessionStatus::Open) => return Ok(draft.events),
            Some(_) => return Err(Refusal::invalid("session", "is over")),
            None if grant.revoked_at.is_some() => return Err(Refusal::invalid("session", "was taken back")),
            None if grant.expires_at <= draft.context.now => return Err(Refusal::invalid("session", "has expired")),
            None => {}
        }
        let agent = reporter(&draft.context.actor, &grant.user_id);
        draft.context.actor = person(grant);
        let opened = SessionOpened {
            agent,
            client: grant.client.clone(),
            host: self.host,
            kind: grant.kind,
            serial: None,
            workspace_id: Some(grant.workspace_id.clone()),
            workspace_name: grant.workspace_name.clone(),
        };
        let mut event = draft.event("session.opened", resource(grant), &opened);
        event.organization.clone_from(&grant.organization);
        draft.push(event);
        Ok(draft.events)
    }
}

/// An agent reports that a session is over.
#[derive(Debug, Clone, Default)]
pub struct FinishSession {
    /// Bytes received from the client.
    pub bytes_in: Option<u64>,
    /// Bytes sent to the client.
    pub bytes_out: Option<u64>,
    /// Exit code of the command it ran.
    pub exit_code: Option<i32>,
    /// Why, in words.
    pub reason: Option<String>,
}

impl FinishSession {
    /// Decides what changes: nothing if it is over already.
    pub fn decide(self, session: &LiveSession, context: Context) -> Result<Vec<Event>, Refusal> {
        if let Some(reason) = &self.reason {
            decision::name("reason", reason, MAX_REASON)?;
        }
        let mut draft = Draft::new(context);
        let closed = SessionClosed {
            agent: reporter(&draft.context.actor, &session.user_id),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            exit_code: self.exit_code,
            ..consequences::closed(session, draft.context.now)
        };
        let name = session.user_name.clone().unwrap_or_else(|| session.user_id.clone());
        let resource = Resource::new("session", &session.id).owned_by(name);
        let mut event = draft.event("session.closed", resource, &closed);
        event.organization.clone_from(&session.organization);
        event.reason = self.reason;
        draft.push(event);
        Ok(draft.events)
    }
}

/// Sessions that may not go on, each with the reason: those that are open end, of the others none will come.
#[derive(Debug, Clone)]
pub struct EndSessions<'a> {
    /// Which, and why.
    pub sessions: &'a [(LiveSession, String)],
    /// Id of the event that is why.
    pub cause: Option<&'a str>,
}

impl EndSessions<'_> {
    /// The events of it.
    pub fn decide(self, context: Context) -> Vec<Event> {
        let mut draft = Draft::new(context);
        for (session, reason) in self.sessions {
            consequences::end(&mut draft, self.cause, session, Some(reason));
        }
        draft.events
    }
}

/// Who reports, where it is neither the person nor the server itself.
fn reporter(actor: &Actor, person: &str) -> Option<String> {
    let other = actor.kind != ActorKind::System && actor.id != person;
    other.then(|| actor.name.clone().unwrap_or_else(|| actor.id.clone()))
}

/// Whose session it is, as the actor of what they do in it.
fn person(grant: &SessionGrant) -> Actor {
    Actor {
        id: grant.user_id.clone(),
        ip: grant.address.as_deref().and_then(|address| address.parse().ok()),
        kind: ActorKind::User,
        name: grant.user_name.clone(),
        session: Some(grant.id.clone()),
        user_agent: grant.client.clone(),
        ..Actor::default()
    }
}

fn resource(grant: &SessionGrant) -> Resource {
    let name = grant.workspace_name.clone().unwrap_or_else(|| grant.workspace_id.clone());
    let owner = grant.user_name.clone().unwrap_or_else(|| grant.user_id.clone());
    Resource::new("session", &grant.id).named(name).owned_by(owner)
}

fn client(name: Option<&str>) -> Result<(), Refusal> {
    name.map_or(Ok(()), |name| decision::name("client", name, MAX_CLIENT))
}

#[cfg(test)]
mod tests;
