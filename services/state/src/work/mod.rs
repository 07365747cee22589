//! Decisions about workspaces, their builds and quotas, as requests and the clock take them.
//!
//! Every decision about a workspace shares keys with those about its owner and, where sums are read, with those about the
//! owner's quota and the caps that concern it. Which keys those are is looked up first; where that has changed by the
//! time the decision is taken, it is begun anew.

mod bounds;
mod builds;
mod clock;
mod leases;
#[cfg(test)]
pub(crate) mod plans;
mod states;
mod workspaces;

use chancery_domain::Event;
use chancery_domain::Timestamp;
use chancery_domain::decision::{Context, Refusal};
use chancery_domain::events::quotas::CapKind;
use chancery_domain::quotas::Facts;
use chancery_domain::workspaces::WorkspaceRecord;
use chancery_domain::workspaces::builds::BuildRecord;

use crate::quotas::Subject;
use crate::{CommandError, DecisionError, Decisions, State, StateError};

pub use clock::Rounds;
pub use leases::Reaped;
pub use workspaces::Making;

/// How often a decision is begun anew because what it depends on is not what it was.
const ATTEMPTS: u32 = 12;

/// What a decision may fail with.
pub trait Failure: From<DecisionError> + From<Refusal> + From<StateError> {}

impl<E: From<DecisionError> + From<Refusal> + From<StateError>> Failure for E {}

impl From<StateError> for CommandError {
    fn from(error: StateError) -> Self {
        Self::Decision(error.into())
    }
}

/// What a decision reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// The workspace and its owner.
    Workspace,
    /// The owner's ledger, too.
    Ledger,
    /// The caps that concern the owner, too.
    Caps,
}

impl Decisions {
    /// Takes a decision about a workspace and its last build.
    async fn about<T, E: Failure>(
        &self,
        id: &str,
        reads: Reads,
        decide: impl AsyncFn(WorkspaceRecord, Option<BuildRecord>) -> Result<(Vec<Event>, T), E>,
    ) -> Result<T, E> {
        for _ in 0..ATTEMPTS {
            let keys = self.state().keys_of(id, reads).await?.ok_or(Refusal::Unknown("workspace"))?;
            let told = self
                .decide(&keys, async || {
                    if self.state().keys_of(id, reads).await?.as_ref() != Some(&keys) {
                        return Ok::<_, E>((Vec::new(), None));
                    }
                    let found = self.state().workspace(id).await?.ok_or(Refusal::Unknown("workspace"))?;
                    let last = self.state().last_build(&found).await?;
                    let (events, told) = decide(found, last).await?;
                    Ok((events, Some(told)))
                })
                .await?;
            if let Some(told) = told {
                return Ok(told);
            }
        }
        Err(DecisionError::Contended.into())
    }
}

impl State {
    /// The keys of decisions about a workspace.
    async fn keys_of(&self, id: &str, reads: Reads) -> Result<Option<Vec<String>>, StateError> {
        let Some(workspace) = self.workspace(id).await? else { return Ok(None) };
        let mut keys = vec![format!("workspace/{id}")];
        if let Some(owner) = &workspace.owner_id {
            keys.push(format!("user/{owner}"));
            if reads != Reads::Workspace {
                keys.extend(self.quota_keys(workspace.organization.as_deref(), owner, reads).await?);
            }
        }
        Ok(Some(keys))
    }

    /// The keys of decisions that read or change what a user takes of a quota.
    async fn quota_keys(
        &self,
        organization: Option<&str>,
        user: &str,
        reads: Reads,
    ) -> Result<Vec<String>, StateError> {
        let organization = organization.unwrap_or_default();
        let mut keys = vec![format!("quota/{organization}/{user}")];
        if reads == Reads::Caps {
            let caps = self.quota_caps(organization).await?;
            let grouped = caps.iter().any(|cap| cap.bounds == CapKind::GroupCredits);
            let shares = if grouped { self.allowances(organization, user).await? } else { Vec::new() };
            let concerned = caps.into_iter().filter(|cap| match (cap.bounds, &cap.subject_id) {
                (CapKind::OrganizationCredits, _) => true,
                (CapKind::GroupCredits, Some(id)) => shares.iter().any(|share| share.group_id == *id),
                _ => false,
            });
            keys.extend(concerned.map(|cap| format!("quota-cap/{}", cap.id)));
        }
        Ok(keys)
    }

    /// What bounds a workspace's builds.
    async fn facts_of(&self, workspace: &WorkspaceRecord, now: Timestamp) -> Result<Facts, StateError> {
        let subject = Subject {
            organization: workspace.organization.as_deref().unwrap_or_default(),
            user: workspace.owner_id.as_deref().unwrap_or_default(),
            user_name: workspace.owner.as_deref(),
            workspace: &workspace.id,
            template: None,
        };
        self.quota_facts(subject, now).await
    }
}

/// What lets a decision about a workspace be taken, and how whoever asks is named.
pub trait Permit<E>: Fn(&WorkspaceRecord) -> Result<Context, E> {}

impl<E, F: Fn(&WorkspaceRecord) -> Result<Context, E>> Permit<E> for F {}
