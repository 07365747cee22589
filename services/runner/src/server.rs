//! The server, as the runner needs it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::logs::LogChunk;

/// What a build does to a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// Its resources are made, or started.
    Start,
    /// What only a running workspace needs is removed.
    Stop,
    /// Everything is removed.
    Delete,
}

impl Transition {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Delete => "delete",
        }
    }
}

/// Something with an id and a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// Whose workspace is built.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// User id.
    pub id: String,
    /// Login name.
    pub name: String,
    /// Name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// E-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Names of their groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Names of their roles.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// Where Terraform's state of a workspace is kept, by the protocol of its HTTP backend.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateBackend {
    /// Where it is read and written.
    pub address: String,
    /// Where it is locked.
    #[serde(default)]
    pub lock_address: Option<String>,
    /// Where it is unlocked.
    #[serde(default)]
    pub unlock_address: Option<String>,
    /// Name to present there.
    pub username: String,
    /// Secret to present there, of this job alone.
    pub password: String,
}

impl fmt::Debug for StateBackend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StateBackend").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A build to do.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Name of the organization.
    pub organization: String,
    /// The workspace.
    pub workspace: Named,
    /// Counts the builds of the workspace, from 1.
    pub build_number: u32,
    /// What to do.
    pub transition: Transition,
    /// The template.
    pub template: Named,
    /// The version of it.
    pub template_version: Named,
    /// Lower-case hex SHA-256 of the version's archive.
    pub sha256: String,
    /// Values of the template's variables.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Whose workspace it is.
    pub owner: Owner,
    /// Where its state is kept; without, the runner keeps it.
    #[serde(default)]
    pub state: Option<StateBackend>,
    /// More environment, all of it secret: credentials minted for this job alone.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
}

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parameters and secrets are nobody's business here.
        let mut shown = formatter.debug_struct("Job");
        shown.field("id", &self.id).field("workspace", &self.workspace.name).field("transition", &self.transition);
        shown.finish_non_exhaustive()
    }
}

/// What a job has to be like for a runner to take it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acquire {
    /// Name of the organization.
    pub organization: String,
    /// The runner's tags.
    pub tags: BTreeMap<String, String>,
}

/// A resource that a build makes or keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedResource {
    /// Its address in the template.
    pub address: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Credits per day.
    pub daily_cost: u32,
}

/// What a build will come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Credits per day of all of it, as far as they are known.
    pub daily_cost: u32,
    /// Whose cost only the apply will tell.
    pub unknown: Vec<String>,
    /// What there will be.
    pub resources: Vec<PlannedResource>,
}

/// Whether a plan may be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// It may.
    pub accepted: bool,
    /// Why not.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What the server wants of a job that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Instruction {
    /// Go on.
    Continue,
    /// End it in good order.
    Cancel,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All was done.
    Succeeded,
    /// It was not.
    Failed,
    /// It was canceled.
    Canceled,
}

/// An output of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateOutput {
    /// Its value; absent where it is sensitive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
    /// Its author keeps it from being shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
}

/// The last report of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// The apply had begun.
    pub applied: bool,
    /// Some of the workspace's resources are there, or may be.
    pub resources_remain: bool,
    /// Credits per day of what there is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cost: Option<u32>,
    /// What went wrong, for the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What there is now.
    #[serde(default)]
    pub resources: Vec<PlannedResource>,
    /// The template's outputs.
    #[serde(default)]
    pub outputs: BTreeMap<String, TemplateOutput>,
    /// Lines of the job's log.
    #[serde(default)]
    pub log_lines: u64,
    /// The last hash of the log's chain, in lower-case hex.
    #[serde(default)]
    pub log_digest: String,
}

/// Why the server did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// It could not be reached, or is too busy: the same request may work later.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// This runner may not, or no longer.
    #[error("the server does not accept this runner: {0}")]
    Unauthorized(String),
    /// The job is not this runner's, or no longer.
    #[error("the job is no longer this runner's: {0}")]
    Lost(String),
    /// It refuses the request as it is.
    #[error("the server refuses the request: {0}")]
    Refused(String),
}

/// What a runner asks of its server. Whoever implements it repeats requests while that may help, so that an error
/// here is final, except of `acquire` and `heartbeat`.
pub trait Server: Send + Sync + 'static {
    /// Waits for a job; `None` when there was none for a while.
    fn acquire(&self, request: &Acquire) -> impl Future<Output = Result<Option<Job>, ServerError>> + Send;

    /// The archive of the template version of a job, not yet verified.
    fn archive(&self, job: &Job) -> impl Future<Output = Result<Vec<u8>, ServerError>> + Send;

    /// Reports a plan and asks whether it may be applied.
    fn planned(&self, job: &str, plan: &Planned) -> impl Future<Output = Result<Verdict, ServerError>> + Send;

    /// Says that the apply begins now. Nothing is applied unless it is taken.
    fn applying(&self, job: &str) -> impl Future<Output = Result<(), ServerError>> + Send;

    /// Says that the job goes on, and asks whether it should.
    fn heartbeat(&self, job: &str) -> impl Future<Output = Result<Instruction, ServerError>> + Send;

    /// Takes the next lines of a job's log.
    fn log(&self, job: &str, chunk: &LogChunk) -> impl Future<Output = Result<(), ServerError>> + Send;

    /// Reports how a job ended.
    fn finished(&self, job: &str, finished: &Finished) -> impl Future<Output = Result<(), ServerError>> + Send;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A job of Ada's.
    pub(crate) fn job(transition: Transition) -> Job {
        let named = |id: &str, name: &str| Named { id: id.to_owned(), name: name.to_owned() };
        Job {
            id: "job-1".to_owned(),
            organization: "research".to_owned(),
            workspace: named("workspace-1", "engine"),
            build_number: 1,
            transition,
            template: named("template-1", "plain"),
            template_version: named("version-1", "v1"),
            sha256: String::new(),
            parameters: BTreeMap::new(),
            owner: Owner {
                id: "user-1".to_owned(),
                name: "ada".to_owned(),
                display_name: Some("Ada Lovelace".to_owned()),
                email: Some("ada@example.com".to_owned()),
                groups: vec!["developers".to_owned()],
                roles: vec!["member".to_owned()],
            },
            state: None,
            secrets: BTreeMap::new(),
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let mut job = job(Transition::Start);
        job.parameters.insert("token".to_owned(), "hunter22".to_owned());
        job.secrets.insert("AWS_SECRET_ACCESS_KEY".to_owned(), "hunter23".to_owned());
        job.state = Some(StateBackend {
            address: "https://chancery.example.com/state".to_owned(),
            lock_address: None,
            unlock_address: None,
            username: "job-1".to_owned(),
            password: "hunter24".to_owned(),
        });
        assert!(!format!("{job:?} {:?}", job.state).contains("hunter"));
    }
}
