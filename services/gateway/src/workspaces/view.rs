//! Workspaces and builds as they are shown.

use std::collections::BTreeMap;

use chancery_domain::Timestamp;
use chancery_domain::events::builds::{BuildLog, BuildOutput, BuildResource};
use chancery_domain::events::workspaces::ScheduleSet;
use chancery_domain::templates::TemplateRecord;
use chancery_domain::workspaces::builds::BuildRecord;
use chancery_domain::workspaces::clock::Life;
use chancery_state::{Reported, WorkspaceLife};
use serde::Serialize;

/// A workspace.
#[derive(Debug, Serialize)]
pub(crate) struct WorkspaceView {
    id: String,
    name: String,
    owner: Option<String>,
    owner_id: Option<String>,
    organization: Option<String>,
    template_id: Option<String>,
    template_name: Option<String>,
    template_version: Option<String>,
    status: &'static str,
    /// After a failed or canceled build: whether some of its resources may still run.
    resources_remain: bool,
    dormant: bool,
    daily_cost: u32,
    parameters: BTreeMap<String, String>,
    schedule: ScheduleSet,
    /// When it stops by itself.
    stops_at: Option<Timestamp>,
    last_build: Option<BuildView>,
    last_used_at: Option<Timestamp>,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A build.
#[derive(Debug, Serialize)]
pub(crate) struct BuildView {
    number: u32,
    job_id: Option<String>,
    transition: &'static str,
    status: &'static str,
    cause: Option<String>,
    reason: Option<String>,
    requested_by: Option<String>,
    template_version: Option<String>,
    parameters: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    runner_id: Option<String>,
    cancel_requested: bool,
    daily_cost: Option<u32>,
    /// Addresses of resources whose costs nobody knows.
    unknown: Vec<String>,
    /// After it ended other than well: whether it had begun to change resources.
    applied: Option<bool>,
    /// After it ended other than well: some resources may still run.
    resources_remain: Option<bool>,
    error: Option<String>,
    requested_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    planned_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    /// How often runners have begun it.
    attempt: u32,
    /// While it waits for a runner: where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<QueueView>,
    #[serde(flatten)]
    reported: Option<ReportView>,
}

impl BuildView {
    /// The same with where it stands.
    pub(super) fn standing(self, queue: Option<QueueView>) -> Self {
        Self { queue, ..self }
    }

    /// It with what its runner has reported.
    pub(super) fn with(self, reported: Reported) -> Self {
        let Reported { resources, resources_left_out, outputs, log } = reported;
        Self { reported: Some(ReportView { resources, resources_left_out, outputs, log }), ..self }
    }
}

/// Where a build stands that waits for a runner.
#[derive(Debug, Serialize)]
pub(crate) struct QueueView {
    /// 1 for the one that goes out next, of those that may go to the same runners.
    pub(super) position: Option<usize>,
    /// When it goes out, as far as that can be told.
    pub(super) estimate_seconds: Option<u64>,
    /// Runners that may take it, of those that are there.
    pub(super) suitable_runners: usize,
    /// Why it waits.
    pub(super) reason: String,
}

/// What a runner has reported of a build.
#[derive(Debug, Serialize)]
struct ReportView {
    /// What was planned, or what there is since it has ended.
    resources: Option<Vec<BuildResource>>,
    /// How many more there are.
    resources_left_out: Option<u64>,
    /// The template's outputs, without the values of sensitive ones.
    outputs: BTreeMap<String, BuildOutput>,
    /// The end of its log, once that is closed.
    log: Option<BuildLog>,
}

/// A workspace as it is shown; with its template, it is known when it stops.
pub(super) fn view(
    life: &WorkspaceLife,
    template: Option<&TemplateRecord>,
    reported: Option<Reported>,
) -> WorkspaceView {
    let workspace = life.workspace.clone();
    let stops_at = template.filter(|_| workspace.may_run()).and_then(|template| {
        let life = Life {
            workspace: workspace.clone(),
            build: None,
            owner_active: life.owner_active,
            template: None,
            schedule: life.schedule.clone(),
            started_at: life.started_at,
            finished_at: life.finished_at,
            last_used_at: life.last_used_at,
            dormant_at: life.dormant_at,
            spent_budget: None,
        };
        life.deadline(&template.settings)
    });
    WorkspaceView {
        id: workspace.id,
        name: workspace.name,
        owner: workspace.owner,
        owner_id: workspace.owner_id,
        organization: workspace.organization,
        template_id: workspace.template_id,
        template_name: workspace.template_name,
        template_version: workspace.template_version,
        status: workspace.status.as_str(),
        resources_remain: workspace.resources_remain,
        dormant: workspace.dormant,
        daily_cost: workspace.daily_cost,
        parameters: workspace.parameters,
        schedule: life.schedule.clone(),
        stops_at,
        last_build: life.build.clone().map(|last| {
            let last = build(last);
            match reported {
                Some(reported) => last.with(reported),
                None => last,
            }
        }),
        last_used_at: life.last_used_at,
        version: workspace.version,
        created_at: workspace.created_at,
        updated_at: workspace.updated_at,
    }
}

/// A build as it is shown.
pub(super) fn build(build: BuildRecord) -> BuildView {
    BuildView {
        number: build.number,
        job_id: build.job_id,
        transition: build.transition.as_str(),
        status: build.status.as_str(),
        cause: build.cause,
        reason: build.reason,
        requested_by: build.requested_by,
        template_version: build.template_version,
        parameters: build.parameters,
        tags: build.tags,
        runner_id: build.runner_id,
        cancel_requested: build.cancel_requested,
        daily_cost: build.daily_cost,
        unknown: build.unknown,
        applied: build.applied,
        resources_remain: build.resources_remain,
        error: build.error,
        requested_at: build.requested_at,
        started_at: build.started_at,
        planned_at: build.planned_at,
        finished_at: build.finished_at,
        attempt: build.attempt,
        queue: None,
        reported: None,
    }
}
