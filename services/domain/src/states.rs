//! Terraform states of workspaces: who may write and lock them, and that nothing is lost.
//!
//! INVARIANT: a version is never changed; a state is written by the one job that holds its lock, on top of the last
//! version that there is.

use serde::Deserialize;

use crate::decision::{self, Context, Draft, Refusal};
use crate::event::Event;
use crate::events::states::{StateLock, StateReference, StateWritten};
use crate::time::Timestamp;
use crate::workspaces::WorkspaceRecord;
use crate::workspaces::builds::{BuildRecord, BuildStatus};

/// Longest reason of someone who reads, restores or unlocks a state, in characters.
pub const MOST_REASON: usize = 1000;
/// Longest text about a lock, in bytes.
const MOST_LOCK_TEXT: usize = 512;

/// A version of a workspace's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateVersion {
    /// Dense count within the workspace, from 1.
    pub version: u64,
    /// Terraform's own count.
    pub serial: u64,
    /// Terraform's id of the line of states that it is in.
    pub lineage: Option<String>,
    /// SHA-256 of it.
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of what is kept.
    pub blob: String,
    /// Id of the key that encrypts its key.
    pub key_id: String,
    /// How many resources are in it.
    pub resources: u64,
    /// Version of Terraform that wrote it.
    pub terraform_version: Option<String>,
    /// The job that wrote it.
    pub job_id: Option<String>,
    /// Number of that job's build.
    pub build_number: Option<u32>,
    /// The version that it is a copy of.
    pub restored_from: Option<u64>,
    /// Who wrote it.
    pub written_by: Option<String>,
    /// When.
    pub written_at: Timestamp,
}

/// A lock of a workspace's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRecord {
    /// Terraform's id of it.
    pub id: String,
    /// The job that has it.
    pub job_id: Option<String>,
    /// What it is locked for.
    pub operation: Option<String>,
    /// Who has locked it, as Terraform says.
    pub who: Option<String>,
    /// When.
    pub locked_at: Timestamp,
}

impl LockRecord {
    fn payload(&self) -> StateLock {
        StateLock {
            job_id: self.job_id.clone(),
            lock_id: self.id.clone(),
            operation: self.operation.clone(),
            who: self.who.clone(),
        }
    }
}

/// What a state says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateHead {
    /// Terraform's own count.
    pub serial: u64,
    /// Terraform's id of the line of states that it is in.
    pub lineage: Option<String>,
    /// How many resources are in it.
    pub resources: u64,
    /// Version of Terraform that wrote it.
    pub terraform_version: Option<String>,
}

impl StateHead {
    /// Reads what a state says of itself.
    pub fn read(state: &[u8]) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Resource {
            #[serde(default)]
            instances: Vec<serde::de::IgnoredAny>,
        }
        #[derive(Deserialize)]
        struct State {
            version: u64,
            serial: u64,
            lineage: Option<String>,
            terraform_version: Option<String>,
            #[serde(default)]
            resources: Vec<Resource>,
        }
        let wrong = |reason: &str| Refusal::invalid("state", reason);
        let state: State = serde_json::from_slice(state).map_err(|_| wrong("is no state of Terraform"))?;
        if state.version != 4 {
            return Err(wrong("is not of version 4, which Terraform writes since 0.12"));
        }
        let bounded = |text: &Option<String>| text.as_ref().is_none_or(|text| is_plain(text));
        if !bounded(&state.lineage) || !bounded(&state.terraform_version) || state.serial > crate::validate::MAX_INTEGER
        {
            return Err(wrong("has a lineage, a version or a serial that cannot be"));
        }
        let instances = state.resources.iter().map(|resource| resource.instances.len() as u64).sum();
        Ok(Self {
            serial: state.serial,
            lineage: state.lineage.filter(|lineage| !lineage.is_empty()),
            resources: instances,
            terraform_version: state.terraform_version.filter(|version| !version.is_empty()),
        })
    }
}

fn is_plain(text: &str) -> bool {
    text.len() <= 128 && !text.chars().any(char::is_control)
}

/// A state that is kept, encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptState {
    /// What it says of itself.
    pub head: StateHead,
    /// SHA-256 of it.
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of what is kept.
    pub blob: String,
    /// Id of the key that encrypts its key.
    pub key_id: String,
}

impl KeptState {
    fn payload(self, last: Option<&StateVersion>) -> StateWritten {
        StateWritten {
            blob: self.blob,
            build_number: None,
            job_id: None,
            key_id: self.key_id,
            lineage: self.head.lineage,
            resources: self.head.resources,
            restored_from: None,
            serial: self.head.serial,
            sha256: self.sha256,
            size: self.size,
            terraform_version: self.head.terraform_version,
            version: last.map_or(0, |last| last.version).saturating_add(1),
        }
    }
}

/// A version of a state is read, by a job or for a reason.
pub fn read(
    workspace: &WorkspaceRecord,
    version: &StateVersion,
    job: Option<&BuildRecord>,
    reason: Option<String>,
    context: Context,
) -> Vec<Event> {
    let mut draft = Draft::new(context);
    let reference = StateReference {
        job_id: job.and_then(|build| build.job_id.clone()),
        sha256: version.sha256.clone(),
        version: version.version,
    };
    let mut event = workspace.event(&mut draft, "workspace.state.read", &reference);
    event.reason = reason;
    draft.push(event);
    draft.events
}

/// Decides whether a job may read the state now: its runner is at it.
pub fn may_read(build: &BuildRecord) -> Result<(), Refusal> {
    runs(build)
}

/// The job may use the state: its runner is at it.
fn runs(build: &BuildRecord) -> Result<(), Refusal> {
    match build.status {
        BuildStatus::Started | BuildStatus::Planned | BuildStatus::Applying => Ok(()),
        status => Err(Refusal::InState { what: "build", status: status.as_str() }),
    }
}

/// The job may still write what it has done: as long as it has the lock, also when it was given up meanwhile. What an
/// apply has made is known to its Terraform alone.
fn writes(build: &BuildRecord) -> Result<(), Refusal> {
    match build.status {
        BuildStatus::Failed | BuildStatus::Canceled => Ok(()),
        _ => runs(build),
    }
}

/// Decides whether a job may write under a lock: it has it.
pub fn may_write(build: &BuildRecord, lock: Option<&LockRecord>, named: Option<&str>) -> Result<(), Refusal> {
    writes(build)?;
    if lock.is_some_and(|lock| lock.job_id == build.job_id && named == Some(lock.id.as_str())) {
        return Ok(());
    }
    Err(Refusal::conflict("the state is written under its lock alone, which this is not"))
}

/// A job writes a state.
#[derive(Debug, Clone)]
pub struct WriteState {
    /// The state.
    pub state: KeptState,
    /// The lock that it is written under.
    pub lock: Option<String>,
}

impl WriteState {
    /// Decides whether it is the next version: nothing is decided where it is the last one already.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        build: &BuildRecord,
        last: Option<&StateVersion>,
        lock: Option<&LockRecord>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        may_write(build, lock, self.lock.as_deref())?;
        if let Some(last) = last {
            if last.sha256 == self.state.sha256 {
                return Ok(Vec::new());
            }
            if last.lineage.is_some() && last.lineage != self.state.head.lineage {
                return Err(Refusal::conflict("the state is of another lineage than the one that is there"));
            }
            if self.state.head.serial <= last.serial {
                let serial = last.serial;
                return Err(Refusal::conflict(format!("the state is older than the one that is there: {serial}")));
            }
        }
        let mut draft = Draft::new(context);
        let written =
            StateWritten { build_number: Some(build.number), job_id: build.job_id.clone(), ..self.state.payload(last) };
        let event = workspace.event(&mut draft, "workspace.state.written", &written);
        draft.push(event);
        Ok(draft.events)
    }
}

/// An earlier version takes the place of the last one. Its serial is higher than that of any before, so that Terraform
/// takes it for the newest.
#[derive(Debug, Clone)]
pub struct RestoreState {
    /// The state, with its new serial.
    pub state: KeptState,
    /// The version that it is a copy of.
    pub version: u64,
    /// Why, for auditors.
    pub reason: String,
}

impl RestoreState {
    /// Decides whether it can: nobody is at it.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        last: Option<&StateVersion>,
        lock: Option<&LockRecord>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        let last = last.ok_or(Refusal::Unknown("version"))?;
        decision::prose("reason", &self.reason, MOST_REASON)?;
        if lock.is_some() {
            return Err(Refusal::conflict("the state is locked: a build is at it"));
        }
        if self.state.head.serial <= last.serial {
            return Err(Refusal::Stale { what: "state", version: last.version });
        }
        let mut draft = Draft::new(context);
        let written = StateWritten { restored_from: Some(self.version), ..self.state.payload(Some(last)) };
        let mut event = workspace.event(&mut draft, "workspace.state.restored", &written);
        event.reason = Some(self.reason);
        draft.push(event);
        Ok(draft.events)
    }
}

/// A job locks a state.
#[derive(Debug, Clone)]
pub struct LockState {
    /// Terraform's id of the lock.
    pub id: String,
    /// What it is locked for.
    pub operation: Option<String>,
    /// Who locks it, as Terraform says.
    pub who: Option<String>,
}

/// What became of a wish to lock.
#[derive(Debug, Clone, PartialEq)]
pub enum Locking {
    /// It is locked, by these events.
    Locked(Vec<Event>),
    /// Someone else has locked it.
    Held(LockRecord),
}

impl LockState {
    /// Decides whether it can. What a job that has ended holds is no lock any more; it is broken first.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        build: &BuildRecord,
        lock: Option<&LockRecord>,
        holder: Option<&BuildRecord>,
        context: Context,
    ) -> Result<Locking, Refusal> {
        runs(build)?;
        if self.id.is_empty() || !is_plain(&self.id) {
            return Err(Refusal::invalid("ID", "must be an id of at most 128 characters"));
        }
        let mut draft = Draft::new(context);
        if let Some(lock) = lock {
            if lock.id == self.id && lock.job_id == build.job_id {
                return Ok(Locking::Locked(Vec::new()));
            }
            // A job does one thing after the other: what had locked it for the same job is gone.
            let anew = lock.job_id == build.job_id;
            if !anew && !is_over(lock, holder, |holder| runs(holder).is_err()) {
                return Ok(Locking::Held(lock.clone()));
            }
            broken(&mut draft, workspace, lock, if anew { ANEW } else { ENDED });
        }
        let bounded = |text: Option<String>| {
            let plain = |text: &String| text.len() <= MOST_LOCK_TEXT && !text.chars().any(char::is_control);
            text.filter(plain).filter(|text| !text.is_empty())
        };
        let payload = StateLock {
            job_id: build.job_id.clone(),
            lock_id: self.id,
            operation: bounded(self.operation),
            who: bounded(self.who),
        };
        let event = workspace.event(&mut draft, "workspace.state.locked", &payload);
        draft.push(event);
        Ok(Locking::Locked(draft.events))
    }
}

/// Whether the job that has a lock is over: its build says so, or has gone on as another job since its runner was lost.
fn is_over(lock: &LockRecord, holder: Option<&BuildRecord>, ended: impl Fn(&BuildRecord) -> bool) -> bool {
    lock.job_id.is_some() && holder.is_none_or(ended)
}

/// A job unlocks what it has locked.
#[derive(Debug, Clone)]
pub struct UnlockState {
    /// Terraform's id of the lock; any of the job's without.
    pub id: Option<String>,
}

impl UnlockState {
    /// Decides; nothing where it is not locked.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        build: &BuildRecord,
        lock: Option<&LockRecord>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        let Some(lock) = lock else { return Ok(Vec::new()) };
        if lock.job_id != build.job_id || self.id.is_some_and(|id| id != lock.id) {
            return Err(Refusal::conflict("someone else has locked the state"));
        }
        let mut draft = Draft::new(context);
        let event = workspace.event(&mut draft, "workspace.state.unlocked", &lock.payload());
        draft.push(event);
        Ok(draft.events)
    }
}

/// Why the lock of a job is broken by the job itself.
const ANEW: &str = "the job locks it anew: what had locked it is gone";
/// Why the server itself breaks a lock.
const ENDED: &str = "the job that had locked it has ended";

/// A lock is broken by someone else than who has it.
#[derive(Debug, Clone)]
pub enum BreakLock {
    /// By an administrator, for this reason.
    Asked(String),
    /// By the server, because the job that has it has ended.
    Ended,
}

impl BreakLock {
    /// Decides; `holder` is the build whose job has locked it.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        lock: Option<&LockRecord>,
        holder: Option<&BuildRecord>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        let mut draft = Draft::new(context);
        match (self, lock) {
            (Self::Asked(reason), Some(lock)) => {
                decision::name("reason", &reason, MOST_REASON)?;
                broken(&mut draft, workspace, lock, &reason);
            }
            (Self::Asked(_), None) => return Err(Refusal::conflict("the state is not locked")),
            (Self::Ended, Some(lock)) if is_over(lock, holder, |holder| holder.status.is_last()) => {
                broken(&mut draft, workspace, lock, ENDED);
            }
            (Self::Ended, _) => {}
        }
        Ok(draft.events)
    }
}

fn broken(draft: &mut Draft, workspace: &WorkspaceRecord, lock: &LockRecord, reason: &str) {
    let mut event = workspace.event(draft, "workspace.state.lock.broken", &lock.payload());
    event.reason = Some(reason.to_owned());
    draft.push(event);
}

#[cfg(test)]
mod tests;
