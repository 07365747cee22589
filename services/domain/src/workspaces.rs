//! Workspaces: what people work in, as decisions know them; their [`builds`], what [`lifecycle`] there is around them, and
//! what the [`clock`] does by itself.

pub mod builds;
pub mod clock;
pub mod lifecycle;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::decision::{Draft, Refusal};
use crate::event::{Event, Resource};
use crate::time::Timestamp;

/// What a workspace is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkspaceStatus {
    /// A build waits for a runner.
    Pending,
    /// A build makes or starts its resources.
    Starting,
    /// Its resources are there.
    Running,
    /// A build stops them.
    Stopping,
    /// They are stopped.
    Stopped,
    /// The last build went wrong.
    Failed,
    /// A build was told to end, and has not yet.
    Canceling,
    /// The last build was ended.
    Canceled,
    /// A build removes its resources.
    Deleting,
    /// It is gone.
    Deleted,
}

impl WorkspaceStatus {
    /// Every status.
    pub const ALL: &[Self] = &[
        Self::Pending,
        Self::Starting,
        Self::Running,
        Self::Stopping,
        Self::Stopped,
        Self::Failed,
        Self::Canceling,
        Self::Canceled,
        Self::Deleting,
        Self::Deleted,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Canceling => "canceling",
            Self::Canceled => "canceled",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    /// Looks a status up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.as_str() == name)
    }
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceRecord {
    /// Its id.
    pub id: String,
    /// Unique name among its owner's.
    pub name: String,
    /// User id of its owner.
    pub owner_id: Option<String>,
    /// Their login name.
    pub owner: Option<String>,
    /// Name of the organization it is in.
    pub organization: Option<String>,
    /// Id of its template.
    pub template_id: Option<String>,
    /// Name of its template.
    pub template_name: Option<String>,
    /// Id of the template version of its last build.
    pub template_version: Option<String>,
    /// What it is doing.
    pub status: WorkspaceStatus,
    /// Nobody uses it; it does not start by itself.
    pub dormant: bool,
    /// After a failed or canceled build: whether some of its resources may still run.
    pub resources_remain: bool,
    /// Number of its last build, 0 before the first.
    pub last_build: u32,
    /// Credits per day of what (maybe) runs.
    pub daily_cost: u32,
    /// Values of its template's variables.
    pub parameters: BTreeMap<String, String>,
    /// Made by Chancery itself, and so beyond the reach of what other systems report.
    pub own: bool,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl WorkspaceRecord {
    /// It as the resource of an event.
    pub fn resource(&self) -> Resource {
        let resource = Resource::new("workspace", &self.id).named(&self.name);
        match &self.owner {
            Some(owner) => resource.owned_by(owner),
            None => resource,
        }
    }

    /// Whether some of its resources may run: it is counted as running until a build says otherwise.
    pub fn may_run(&self) -> bool {
        self.status == WorkspaceStatus::Running || self.resources_remain
    }

    /// An event about it that is not yet part of a decision.
    pub(crate) fn event(&self, draft: &mut Draft, event_type: &str, data: &impl Serialize) -> Event {
        let mut event = draft.event(event_type, self.resource(), data);
        event.organization.clone_from(&self.organization);
        event
    }

    /// It is there, and Chancery's to decide about.
    pub(crate) fn exists(&self) -> Result<(), Refusal> {
        if self.status == WorkspaceStatus::Deleted {
            return Err(Refusal::Unknown("workspace"));
        }
        if !self.own {
            return Err(Refusal::invalid("workspace", "is known from another system alone, which has to change it"));
        }
        Ok(())
    }
}
