//! What may not go on ends: of all nodes one follows the log, and judges again what an event may have changed.
//!
//! A suspension and browser-only mode end sessions in their own decision. Whatever else takes access (a role, a membership,
//! a policy, a template, the workspace's owner or its end), and what began while a rule changed, ends here, as soon as the
//! event is folded: in milliseconds, and within a second where another node changed the rules. What is ended names the
//! event that is why.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chancery_domain::sessions::{EndSessions, LiveSession};
use chancery_domain::{Event, OWN_SOURCE, Timestamp};
use chancery_evidence::event_type;
use chancery_log::{Frontier, partition, place};
use chancery_state::Whose;
use tokio_util::sync::CancellationToken;

use super::agents::key;
use super::judge::Verdict;
use crate::error::ApiError;
use crate::gateway::Gateway;

/// How often it is looked whether this node is the one, and for sessions that are lost.
const LOOK: Duration = Duration::from_secs(1);
const PAGE: usize = 1024;
/// Sessions that end in one decision.
const BATCH: usize = 100;

/// Ends what may not go on, until cancelled.
pub async fn guard(gateway: Arc<Gateway>, cancel: CancellationToken) {
    let mut guard = Guard { gateway, frontier: None, since: Timestamp::EPOCH };
    while !cancel.is_cancelled() {
        let turn = async {
            if let Err(error) = guard.turn().await {
                tracing::warn!(%error, "sessions that may not go on could not be ended; trying again");
                guard.frontier = None;
                tokio::time::sleep(LOOK).await;
            }
        };
        cancel.run_until_cancelled(turn).await;
    }
}

struct Guard {
    gateway: Arc<Gateway>,
    /// How far the log is dealt with; nothing while another node does it.
    frontier: Option<Frontier>,
    /// When this node began: agents may not have reached it before.
    since: Timestamp,
}

impl Guard {
    /// Deals with what has come, or waits for a moment.
    async fn turn(&mut self) -> Result<(), ApiError> {
        if !self.gateway.log.leads("sessions").await? {
            self.frontier = None;
            tokio::time::sleep(LOOK).await;
            return Ok(());
        }
        let Some(frontier) = &mut self.frontier else { return self.begin().await };
        let heads = tokio::select! {
            () = tokio::time::sleep(LOOK) => return self.gateway.end_lost(self.since).await,
            heads = self.gateway.log.wait_past(frontier) => heads,
        };
        let mut causes = BTreeMap::new();
        for head in heads.positions().filter(|head| place(*head) > 0) {
            if !frontier.includes(head) {
                let page = self.gateway.log.read(frontier.of(partition(head)), PAGE).await?;
                page.events.iter().for_each(|recorded| note(&recorded.bytes, &mut causes));
                frontier.advance(page.reached);
            }
        }
        if causes.is_empty() {
            return Ok(());
        }
        let frontier = frontier.clone();
        self.gateway.decisions.settle(&frontier).await?;
        self.gateway.end_what_may_not_go_on(causes).await
    }

    /// What happened while nobody did this shows in what goes on.
    async fn begin(&mut self) -> Result<(), ApiError> {
        let reached = self.gateway.log.barrier().await?;
        self.gateway.decisions.settle(&reached).await?;
        self.since = self.gateway.now();
        self.gateway.end_what_may_not_go_on(BTreeMap::from([(Whose::All, None)])).await?;
        self.frontier = Some(reached);
        Ok(())
    }
}

/// Sessions that are to be judged again, and the event that is why.
type Causes = BTreeMap<Whose, Option<String>>;

/// Notes what an event may have changed.
fn note(bytes: &str, causes: &mut Causes) {
    let Some(name) = event_type(bytes) else { return };
    let area = name.split('.').next().unwrap_or_default();
    let concerns = matches!(
        area,
        "policy" | "settings" | "role" | "user" | "group" | "workspace" | "template" | "token" | "session"
    );
    if concerns
        && let Ok(event) = serde_json::from_str::<Event>(bytes)
        && let Some(whose) = concerned(&event)
    {
        causes.insert(whose, Some(event.id));
    }
}

/// Whose sessions an event may end.
fn concerned(event: &Event) -> Option<Whose> {
    let id = || event.resource.id.clone();
    let own = event.source == OWN_SOURCE;
    match event.event_type.as_str() {
        "policy.published" | "policy.withdrawn" | "settings.changed" | "role.defined" | "role.withdrawn" if own => {
            Some(Whose::All)
        }
        "group.deleted" => Some(Whose::All),
        "user.suspended" | "user.deleted" | "role.revoked" | "role.assigned" | "token.revoked" => {
            Some(Whose::User(id()))
        }
        "group.member.added" | "group.member.removed" => {
            event.data.get("user_id").and_then(serde_json::Value::as_str).map(|user| Whose::User(user.to_owned()))
        }
        "workspace.transferred"
        | "workspace.deleted"
        | "workspace.build.started"
        | "workspace.build.succeeded"
        | "workspace.build.failed"
        | "workspace.build.canceled" => Some(Whose::Workspace(id())),
        "template.access.revoked" => Some(Whose::Template(id())),
        "session.opened" | "session.authorized" => Some(Whose::Session(id())),
        _ => None,
    }
}

impl Gateway {
    /// Judges these again by the rules of this moment, and ends what may not go on.
    async fn end_what_may_not_go_on(&self, causes: Causes) -> Result<(), ApiError> {
        let rules = self.authority.fresh(&self.state).await?;
        for (whose, cause) in causes {
            let mut ending = Vec::new();
            for session in self.state.live_sessions(&whose, self.now()).await? {
                let revoked = self.was_taken_back(&whose, &session).await?;
                let verdict = match revoked {
                    Some(verdict) => Some(verdict),
                    None => self.judge_live(rules.bench(), &session).await?,
                };
                ending.extend(verdict.map(|verdict| (session, verdict)));
            }
            for batch in ending.chunks(BATCH) {
                self.end(batch, cause.as_deref()).await?;
            }
        }
        Ok(())
    }

    /// A session that another system reports, of what was taken back.
    async fn was_taken_back(&self, whose: &Whose, session: &LiveSession) -> Result<Option<Verdict>, ApiError> {
        if !matches!(whose, Whose::Session(_)) || !session.open || !session.granted {
            return Ok(None);
        }
        let grant = self.state.session_grant(&session.id).await?;
        let taken = grant.is_some_and(|grant| grant.revoked_at.is_some());
        let refusal = Some("it was taken back before it began".to_owned());
        Ok(taken.then_some(Verdict { policies: Vec::new(), refusal }))
    }

    /// Ends these sessions, if they still go on.
    async fn end(&self, ending: &[(LiveSession, Verdict)], cause: Option<&str>) -> Result<(), ApiError> {
        let keys: Vec<String> = ending.iter().map(|(session, _)| key(&session.id)).collect();
        self.decisions
            .decide(&keys, async || {
                let mut sessions = Vec::with_capacity(ending.len());
                let mut policies = Vec::with_capacity(ending.len());
                for (session, verdict) in ending {
                    if let Some(session) = self.state.live_session(&session.id, self.now()).await? {
                        sessions.push((session, verdict.refusal.clone().unwrap_or_default()));
                        policies.push(verdict.policies.clone());
                    }
                }
                let mut events = EndSessions { sessions: &sessions, cause }.decide(self.own_context());
                for (event, policies) in events.iter_mut().zip(policies) {
                    event.policies = policies;
                }
                Ok::<_, ApiError>((events, ()))
            })
            .await?;
        metrics::counter!("chancery_sessions_ended_total").increment(ending.len() as u64);
        Ok(())
    }

    /// Ends sessions whose agents have not been heard of for three heartbeats.
    async fn end_lost(&self, since: Timestamp) -> Result<(), ApiError> {
        let patience = i64::try_from(self.settings.sessions.heartbeat.as_micros() * 3).unwrap_or(i64::MAX);
        let before = self.now().saturating_add_micros(-patience);
        if before < since {
            return Ok(());
        }
        let lost = self.state.silent_sessions(before).await?;
        let verdict = || Verdict { policies: Vec::new(), refusal: Some("lost".to_owned()) };
        let lost: Vec<_> = lost.into_iter().map(|session| (session, verdict())).collect();
        for batch in lost.chunks(BATCH) {
            self.end(batch, None).await?;
        }
        let day = 86_400_000_000;
        Ok(self.state.forget_beats(before.saturating_add_micros(-day)).await?)
    }
}
