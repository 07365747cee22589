//! Builds, step by step. Of other systems' builds any step may be missing, or come late.

use chancery_domain::Event;
use chancery_domain::events::workspaces::Build;
use sqlx::AnyConnection;

use super::{json, own};

/// Where a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Requested,
    Queued,
    Started,
    Planned,
    Applying,
    CancelRequested,
    Succeeded,
    Failed,
    Canceled,
    Rejected,
}

impl Step {
    /// Whether nothing comes after it.
    pub(super) fn is_last(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled | Self::Rejected)
    }

    /// The status it gives the build; a request to end it gives none.
    fn status(self) -> Option<&'static str> {
        match self {
            Self::Requested => Some("requested"),
            Self::Queued => Some("queued"),
            Self::Started => Some("started"),
            Self::Planned => Some("planned"),
            Self::Applying => Some("applying"),
            Self::CancelRequested => None,
            Self::Succeeded => Some("succeeded"),
            Self::Failed => Some("failed"),
            Self::Canceled => Some("canceled"),
            Self::Rejected => Some("rejected"),
        }
    }
}

/// A build whose runner was lost waits again, as another job, in the place that it had. What its runner has told is void.
pub(super) async fn requeued(db: &mut AnyConnection, event: &Event, build: &Build) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE builds SET status = 'queued', job_id = coalesce($1, job_id), attempt = coalesce($2, attempt + 1),
            runner_id = NULL, started_at = NULL, planned_at = NULL, daily_cost = NULL, unknown = NULL
            WHERE workspace_id = $3 AND number = $4 AND finished_at IS NULL AND own <= $5",
        build.job_id.clone(),
        build.attempt.map(i64::from),
        event.resource.id.clone(),
        i64::from(build.build_number),
        own(event),
    )
}

/// Keeps what an event says of a build. What a new workspace was before its first build is: stopped.
pub(super) async fn record(
    db: &mut AnyConnection,
    event: &Event,
    build: &Build,
    step: Step,
) -> Result<(), sqlx::Error> {
    let at = event.occurred_at.as_micros();
    let when = |asked: Step| (step == asked).then_some(at);
    execute!(
        db,
        "INSERT INTO builds (workspace_id, number, job_id, organization, transition, status, cause, reason, requested_by,
            template_version, parameters, tags, runner_id, previous_status, previous_remain, cancel_requested,
            daily_cost, unknown, applied, resources_remain, error, requested_at, queued_at, started_at, planned_at,
            finished_at, own)
            SELECT w.id, $2, $3, w.organization, $4, coalesce($5, 'requested'), $6, $7, $8, $9, $10, $11, $12,
                CASE WHEN w.last_build < $2 THEN CASE WHEN w.last_build = 0 THEN 'stopped' ELSE w.status END END,
                w.resources_remain, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24
            FROM workspaces w WHERE w.id = $1 AND w.own <= $24
            ON CONFLICT (workspace_id, number) DO UPDATE SET
            job_id = coalesce(excluded.job_id, builds.job_id),
            status = CASE WHEN builds.finished_at IS NULL THEN coalesce($5, builds.status) ELSE builds.status END,
            cause = coalesce(builds.cause, excluded.cause), reason = coalesce(excluded.reason, builds.reason),
            requested_by = coalesce(builds.requested_by, excluded.requested_by),
            template_version = coalesce(excluded.template_version, builds.template_version),
            parameters = coalesce(excluded.parameters, builds.parameters),
            tags = coalesce(excluded.tags, builds.tags), runner_id = coalesce(excluded.runner_id, builds.runner_id),
            cancel_requested = builds.cancel_requested + excluded.cancel_requested
                - builds.cancel_requested * excluded.cancel_requested,
            daily_cost = coalesce(excluded.daily_cost, builds.daily_cost),
            unknown = coalesce(excluded.unknown, builds.unknown), applied = coalesce(excluded.applied, builds.applied),
            resources_remain = coalesce(excluded.resources_remain, builds.resources_remain),
            error = coalesce(excluded.error, builds.error),
            requested_at = coalesce(builds.requested_at, excluded.requested_at),
            queued_at = coalesce(builds.queued_at, excluded.queued_at),
            started_at = coalesce(builds.started_at, excluded.started_at),
            planned_at = coalesce(builds.planned_at, excluded.planned_at),
            finished_at = coalesce(builds.finished_at, excluded.finished_at), own = excluded.own
            WHERE builds.own <= excluded.own",
        event.resource.id.clone(),
        i64::from(build.build_number),
        build.job_id.clone(),
        build.transition.as_str(),
        step.status(),
        build.cause.clone(),
        event.reason.clone(),
        when(Step::Requested).and(event.actor.name.clone().or_else(|| Some(event.actor.id.clone()))),
        build.template_version.clone(),
        build.parameters.as_ref().map(json),
        (!build.tags.is_empty()).then(|| json(&build.tags)),
        build.runner_id.clone(),
        i64::from(step == Step::CancelRequested),
        build.daily_cost.map(i64::from),
        (!build.unknown.is_empty()).then(|| json(&build.unknown)),
        build.applied.or((step == Step::Applying).then_some(true)).map(i64::from),
        build.resources_remain.map(i64::from),
        build.error.clone(),
        when(Step::Requested),
        when(Step::Queued),
        when(Step::Started),
        when(Step::Planned),
        step.is_last().then_some(at),
        own(event),
    )
}
