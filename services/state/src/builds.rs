//! Reading builds: one, those of a workspace, the queue, and what the clock looks at.

use std::collections::BTreeMap;

use chancery_domain::Timestamp;
use chancery_domain::events::workspaces::{ScheduleSet, Transition};
use chancery_domain::workspaces::WorkspaceRecord;
use chancery_domain::workspaces::builds::{BuildRecord, BuildStatus};
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::directory::rows::{flag, moment};
use crate::{State, StateError, workspaces};

/// Selects builds as [`build`] reads them.
macro_rules! select_builds {
    ($rest:literal) => {
        concat!(
            "SELECT b.workspace_id, b.number, b.job_id, b.organization, b.transition, b.status, b.cause, b.reason,
                b.requested_by, b.template_version, b.parameters, b.tags, b.runner_id,
                CASE WHEN b.previous_status = 'running' THEN 1 ELSE b.previous_remain END, b.cancel_requested,
                b.daily_cost, b.unknown, b.applied, b.resources_remain, b.error, b.requested_at, b.queued_at,
                b.started_at, b.planned_at, b.finished_at, b.attempt FROM builds b ",
            $rest
        )
    };
}

pub(crate) const BUILD: &str = select_builds!("WHERE b.workspace_id = $1 AND b.number = $2");
pub(crate) const OF_JOB: &str = select_builds!("WHERE b.job_id = $1 AND b.own = 1");
pub(crate) const OF_WORKSPACE: &str =
    select_builds!("WHERE b.workspace_id = $1 AND b.number < $2 ORDER BY b.number DESC LIMIT $3");
pub(crate) const HELD: &str =
    select_builds!("WHERE b.status IN ('started', 'planned', 'applying') AND b.own = 1 ORDER BY b.runner_id");
pub(crate) const DONE: &str = "SELECT b.started_at, b.finished_at FROM builds b WHERE b.organization = $1
    AND b.transition = $2 AND b.status = 'succeeded' AND b.own = 1 AND b.finished_at > 0 ORDER BY b.finished_at DESC LIMIT 20";
pub(crate) const QUEUE: &str =
    "SELECT b.job_id, b.workspace_id, b.number, b.organization, w.owner_id, b.tags, b.transition,
    b.cause, b.queued_at FROM builds b JOIN workspaces w ON w.id = b.workspace_id
    WHERE b.status = 'queued' AND b.own = 1 AND b.queued_at >= $1 ORDER BY b.queued_at, b.job_id";
pub(crate) const RUNNING: &str = "SELECT b.organization, w.owner_id, count(*) FROM builds b
    JOIN workspaces w ON w.id = b.workspace_id
    WHERE b.status IN ('started', 'planned', 'applying') AND b.own = 1 GROUP BY b.organization, w.owner_id";
const OF_PAGE: &str = select_builds!(
    "JOIN workspaces w ON w.id = b.workspace_id AND w.last_build = b.number
        WHERE w.own = 1 AND w.status <> 'deleted' AND w.id > $1 AND w.id <= $2"
);

/// A build that waits for a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedJob {
    /// Its job.
    pub job_id: String,
    /// Id of the workspace.
    pub workspace_id: String,
    /// Number of the build.
    pub number: u32,
    /// Name of the organization it is in.
    pub organization: String,
    /// Id of the user whose workspace it is.
    pub owner_id: String,
    /// Tags that a runner must have.
    pub tags: BTreeMap<String, String>,
    /// What it does.
    pub transition: Transition,
    /// A person asked for it.
    pub asked_by_hand: bool,
    /// When it began to wait.
    pub queued_at: Timestamp,
}

/// A workspace with what the clock and its owner want to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceLife {
    /// It.
    pub workspace: WorkspaceRecord,
    /// Its last build.
    pub build: Option<BuildRecord>,
    /// Its own schedule.
    pub schedule: ScheduleSet,
    /// When it last started to run.
    pub started_at: Option<Timestamp>,
    /// When its last build ended.
    pub finished_at: Option<Timestamp>,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// Since when it is dormant.
    pub dormant_at: Option<Timestamp>,
    /// Whether its owner has access.
    pub owner_active: bool,
}

impl State {
    /// One build of a workspace.
    pub async fn build(&self, workspace: &str, number: u32) -> Result<Option<BuildRecord>, StateError> {
        let query = sqlx::query(BUILD).bind(workspace.to_owned()).bind(i64::from(number));
        self.rows(query).await?.first().map(build).transpose()
    }

    /// The last build of a workspace.
    pub async fn last_build(&self, workspace: &WorkspaceRecord) -> Result<Option<BuildRecord>, StateError> {
        if workspace.last_build == 0 { Ok(None) } else { self.build(&workspace.id, workspace.last_build).await }
    }

    /// The build that a job carries out.
    pub async fn build_of_job(&self, job: &str) -> Result<Option<BuildRecord>, StateError> {
        self.rows(sqlx::query(OF_JOB).bind(job.to_owned())).await?.first().map(build).transpose()
    }

    /// Builds of a workspace, the last one first, those before the number `before`.
    pub async fn builds(
        &self,
        workspace: &str,
        before: Option<u32>,
        limit: usize,
    ) -> Result<Vec<BuildRecord>, StateError> {
        let query = sqlx::query(OF_WORKSPACE)
            .bind(workspace.to_owned())
            .bind(before.map_or(i64::MAX, i64::from))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.rows(query).await?.iter().map(build).collect()
    }

    /// Builds that runners have.
    pub(crate) async fn held_builds(&self) -> Result<Vec<BuildRecord>, StateError> {
        self.rows(sqlx::query(HELD)).await?.iter().map(build).collect()
    }

    /// The jobs that wait for a runner, as far as they were queued at `since` or later, the longest waiting first.
    pub async fn queue(&self, since: Timestamp) -> Result<Vec<QueuedJob>, StateError> {
        self.rows(sqlx::query(QUEUE).bind(since.as_micros())).await?.iter().map(queued).collect()
    }

    /// How many jobs of each organization and user runners have.
    pub async fn running_jobs(&self) -> Result<BTreeMap<(String, String), u32>, StateError> {
        let of = |row: &AnyRow| -> Result<_, StateError> {
            let text = |index: usize| row.try_get::<Option<String>, _>(index).map(Option::unwrap_or_default);
            let count: i64 = row.try_get(2)?;
            Ok(((text(0)?, text(1)?), u32::try_from(count).unwrap_or(u32::MAX)))
        };
        self.rows(sqlx::query(RUNNING)).await?.iter().map(of).collect()
    }

    /// How long the last builds of an organization took that did this, in microseconds; nothing if there were none.
    pub async fn usual_duration(&self, organization: &str, transition: Transition) -> Result<Option<i64>, StateError> {
        let query = sqlx::query(DONE).bind(organization.to_owned()).bind(transition.as_str());
        let mut took = Vec::new();
        for row in self.rows(query).await? {
            if let (Some(started), Some(finished)) = (moment(&row, 0)?, moment(&row, 1)?) {
                took.push(finished.as_micros().saturating_sub(started.as_micros()));
            }
        }
        let count = i64::try_from(took.len()).unwrap_or(i64::MAX);
        Ok(took.iter().sum::<i64>().checked_div(count))
    }

    /// A workspace with all that is known of it.
    pub async fn workspace_life(&self, id: &str) -> Result<Option<WorkspaceLife>, StateError> {
        let rows = self.rows(sqlx::query(workspaces::LIFE).bind(id.to_owned())).await?;
        let Some(mut life) = rows.first().map(life).transpose()? else { return Ok(None) };
        life.build = self.last_build(&life.workspace).await?;
        Ok(Some(life))
    }

    /// Chancery's own workspaces in the order of their ids, after `after`; not the deleted ones.
    pub(crate) async fn lives(&self, after: &str, limit: i64) -> Result<Vec<WorkspaceLife>, StateError> {
        let query = sqlx::query(workspaces::LIVES).bind(after.to_owned()).bind(limit);
        let mut lives: Vec<WorkspaceLife> = self.rows(query).await?.iter().map(life).collect::<Result<_, _>>()?;
        let Some(last) = lives.last().map(|life| life.workspace.id.clone()) else { return Ok(lives) };
        let rows = self.rows(sqlx::query(OF_PAGE).bind(after.to_owned()).bind(last)).await?;
        let builds: Vec<BuildRecord> = rows.iter().map(build).collect::<Result<_, _>>()?;
        let mut builds: BTreeMap<String, BuildRecord> =
            builds.into_iter().map(|build| (build.workspace_id.clone(), build)).collect();
        for life in &mut lives {
            life.build = builds.remove(&life.workspace.id);
        }
        Ok(lives)
    }
}

pub(crate) fn life(row: &AnyRow) -> Result<WorkspaceLife, StateError> {
    Ok(WorkspaceLife {
        workspace: workspaces::workspace(row)?,
        build: None,
        schedule: stored(row, 18, "workspaces")?.unwrap_or_default(),
        started_at: moment(row, 19)?,
        finished_at: moment(row, 20)?,
        last_used_at: moment(row, 21)?,
        dormant_at: moment(row, 22)?,
        owner_active: row.try_get::<Option<String>, _>(23)?.is_some_and(|status| status == "active"),
    })
}

fn queued(row: &AnyRow) -> Result<QueuedJob, StateError> {
    let wrong = || StateError::Row("builds");
    Ok(QueuedJob {
        job_id: row.try_get(0)?,
        workspace_id: row.try_get(1)?,
        number: u32::try_from(row.try_get::<i64, _>(2)?).map_err(|_| wrong())?,
        organization: row.try_get::<Option<String>, _>(3)?.unwrap_or_default(),
        owner_id: row.try_get::<Option<String>, _>(4)?.unwrap_or_default(),
        tags: stored(row, 5, "builds")?.unwrap_or_default(),
        transition: Transition::from_name(row.try_get(6)?).ok_or_else(wrong)?,
        asked_by_hand: row.try_get::<Option<&str>, _>(7)?.is_none_or(|cause| cause == "initiator"),
        queued_at: moment(row, 8)?.ok_or_else(wrong)?,
    })
}

fn build(row: &AnyRow) -> Result<BuildRecord, StateError> {
    let wrong = || StateError::Row("builds");
    let whole = |number: i64| u32::try_from(number).map_err(|_| wrong());
    let told = |index: usize| -> Result<Option<bool>, StateError> {
        Ok(row.try_get::<Option<i64>, _>(index)?.map(|flag| flag != 0))
    };
    Ok(BuildRecord {
        workspace_id: row.try_get(0)?,
        number: whole(row.try_get(1)?)?,
        job_id: row.try_get(2)?,
        attempt: whole(row.try_get(25)?)?,
        organization: row.try_get(3)?,
        transition: Transition::from_name(row.try_get(4)?).ok_or_else(wrong)?,
        status: BuildStatus::from_name(row.try_get(5)?).ok_or_else(wrong)?,
        cause: row.try_get(6)?,
        reason: row.try_get(7)?,
        requested_by: row.try_get(8)?,
        template_version: row.try_get(9)?,
        parameters: stored(row, 10, "builds")?.unwrap_or_default(),
        tags: stored(row, 11, "builds")?.unwrap_or_default(),
        runner_id: row.try_get(12)?,
        ran_before: flag(row, 13)?,
        cancel_requested: flag(row, 14)?,
        daily_cost: row.try_get::<Option<i64>, _>(15)?.map(whole).transpose()?,
        unknown: stored(row, 16, "builds")?.unwrap_or_default(),
        applied: told(17)?,
        resources_remain: told(18)?,
        error: row.try_get(19)?,
        requested_at: moment(row, 20)?,
        queued_at: moment(row, 21)?,
        started_at: moment(row, 22)?,
        planned_at: moment(row, 23)?,
        finished_at: moment(row, 24)?,
    })
}

/// What a column holds as JSON.
fn stored<T: DeserializeOwned>(row: &AnyRow, index: usize, table: &'static str) -> Result<Option<T>, StateError> {
    let text: Option<String> = row.try_get(index)?;
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| StateError::Row(table))
}
