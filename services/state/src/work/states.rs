//! Terraform states of workspaces: written, locked, unlocked and restored; and logs that are closed.

use chancery_domain::decision::Context;
use chancery_domain::states::{
    self, BreakLock, LockRecord, LockState, Locking, RestoreState, StateVersion, UnlockState, WriteState,
};
use chancery_domain::workspaces::builds::{BuildRecord, CloseLog};

use super::{Failure, Permit, Reads};
use crate::{Decisions, State, StateError};

impl Decisions {
    /// The last version of a state, for a job to read, with the reading on record.
    pub async fn read_state<E: Failure>(
        &self,
        job: &str,
        permit: impl Fn(&BuildRecord) -> Result<Context, E>,
    ) -> Result<Option<StateVersion>, E> {
        self.on_job(job, Reads::Workspace, async |workspace, build| {
            let context = permit(&build)?;
            states::may_read(&build)?;
            let last = self.state().last_state(&workspace.id).await?;
            let read = last.as_ref().map(|last| states::read(&workspace, last, Some(&build), None, context));
            Ok((read.unwrap_or_default(), last))
        })
        .await
    }

    /// Judges whether a job may write under a lock.
    pub async fn read_lock<E: Failure>(
        &self,
        job: &str,
        lock: Option<&str>,
        permit: impl Fn(&BuildRecord) -> Result<Context, E>,
    ) -> Result<(), E> {
        self.on_job(job, Reads::Workspace, async |workspace, build| {
            permit(&build)?;
            let held = self.state().state_lock(&workspace.id).await?;
            states::may_write(&build, held.as_ref(), lock)?;
            Ok((Vec::new(), ()))
        })
        .await
    }

    /// Writes a state for a job.
    pub async fn write_state<E: Failure>(
        &self,
        job: &str,
        command: &WriteState,
        permit: impl Fn(&BuildRecord) -> Result<Context, E>,
    ) -> Result<(), E> {
        self.on_job(job, Reads::Workspace, async |workspace, build| {
            let context = permit(&build)?;
            let last = self.state().last_state(&workspace.id).await?;
            let lock = self.state().state_lock(&workspace.id).await?;
            Ok((command.clone().decide(&workspace, &build, last.as_ref(), lock.as_ref(), context)?, ()))
        })
        .await
    }

    /// Locks a state for a job; who has locked it, if someone else has.
    pub async fn lock_state<E: Failure>(
        &self,
        job: &str,
        command: &LockState,
        permit: impl Fn(&BuildRecord) -> Result<Context, E>,
    ) -> Result<Option<LockRecord>, E> {
        self.on_job(job, Reads::Workspace, async |workspace, build| {
            let context = permit(&build)?;
            let lock = self.state().state_lock(&workspace.id).await?;
            let holder = self.state().holder(lock.as_ref()).await?;
            let locking = command.clone().decide(&workspace, &build, lock.as_ref(), holder.as_ref(), context)?;
            Ok(match locking {
                Locking::Locked(events) => (events, None),
                Locking::Held(lock) => (Vec::new(), Some(lock)),
            })
        })
        .await
    }

    /// Unlocks the state that a job has locked.
    pub async fn unlock_state<E: Failure>(
        &self,
        job: &str,
        command: &UnlockState,
        permit: impl Fn(&BuildRecord) -> Result<Context, E>,
    ) -> Result<(), E> {
        self.on_job(job, Reads::Workspace, async |workspace, build| {
            let context = permit(&build)?;
            let lock = self.state().state_lock(&workspace.id).await?;
            Ok((command.clone().decide(&workspace, &build, lock.as_ref(), context)?, ()))
        })
        .await
    }

    /// Puts an earlier version of a state in the place of the last one.
    pub async fn restore_state<E: Failure>(
        &self,
        workspace: &str,
        command: &RestoreState,
        permit: impl Permit<E>,
    ) -> Result<(), E> {
        self.about(workspace, Reads::Workspace, async |workspace, _| {
            let context = permit(&workspace)?;
            let last = self.state().last_state(&workspace.id).await?;
            let lock = self.state().state_lock(&workspace.id).await?;
            Ok((command.clone().decide(&workspace, last.as_ref(), lock.as_ref(), context)?, ()))
        })
        .await
    }

    /// Breaks the lock of a state; whether there was one to break.
    pub async fn break_state_lock<E: Failure>(
        &self,
        workspace: &str,
        command: &BreakLock,
        permit: impl Permit<E>,
    ) -> Result<bool, E> {
        self.about(workspace, Reads::Workspace, async |workspace, _| {
            let context = permit(&workspace)?;
            let lock = self.state().state_lock(&workspace.id).await?;
            let holder = self.state().holder(lock.as_ref()).await?;
            let events = command.clone().decide(&workspace, lock.as_ref(), holder.as_ref(), context)?;
            let broken = !events.is_empty();
            Ok((events, broken))
        })
        .await
    }

    /// Closes the log of a build that has ended, unless it is closed; whether it was open.
    pub async fn close_log<E: Failure>(
        &self,
        job: &str,
        command: &CloseLog,
        permit: impl Fn(&BuildRecord) -> Result<Context, E>,
    ) -> Result<bool, E> {
        self.on_job(job, Reads::Workspace, async |workspace, build| {
            let context = permit(&build)?;
            if self.state().build_report(&workspace.id, build.number).await?.log.is_some() {
                return Ok((Vec::new(), false));
            }
            Ok((command.clone().decide(&workspace, &build, context)?, true))
        })
        .await
    }
}

impl State {
    /// The build whose job has a lock.
    async fn holder(&self, lock: Option<&LockRecord>) -> Result<Option<BuildRecord>, StateError> {
        match lock.and_then(|lock| lock.job_id.as_deref()) {
            Some(job) => self.build_of_job(job).await,
            None => Ok(None),
        }
    }
}
