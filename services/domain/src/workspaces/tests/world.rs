//! A small world that decisions are taken in, folded from their events alone.

use std::collections::BTreeMap;

use crate::catalogue::{Payload, decode};
use crate::decision::{Context, EventIds, Refusal};
use crate::directory::{DirectoryUser, UserStatus};
use crate::event::{Actor, Event};
use crate::events::quotas::{AllowanceShare, QuotaEntry, QuotaEvent};
use crate::events::templates::TemplateContents;
use crate::events::workspaces::{Build, Transition, WorkspaceEvent};
use crate::quotas::{CapFact, Facts, LedgerEntry};
use crate::templates::{TemplateRecord, TemplateSettings, TemplateStatus, TemplateVersionRecord};
use crate::time::Timestamp;
use crate::workspaces::builds::{
    BeginApply, BrokenOff, BuildRecord, BuildStatus, CancelBuild, Ending, FinishBuild, PlanBuild, RequestBuild,
    StartBuild, Surroundings,
};
use crate::workspaces::lifecycle::{CreateWorkspace, Ingredients, TransferWorkspace};
use crate::workspaces::{WorkspaceRecord, WorkspaceStatus};

/// What the events make.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Folded {
    pub(super) workspaces: BTreeMap<String, WorkspaceRecord>,
    pub(super) builds: BTreeMap<(String, u32), BuildRecord>,
    /// What each workspace takes of whose quota.
    pub(super) ledger: BTreeMap<(String, String), LedgerEntry>,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) folded: Folded,
    pub(super) events: Vec<Event>,
    /// Allowances by user id.
    pub(super) allowances: BTreeMap<String, u64>,
    pub(super) suspended: Vec<String>,
    pub(super) caps: Vec<CapFact>,
    pub(super) template: TemplateRecord,
    pub(super) contents: Option<TemplateContents>,
    pub(super) now: i64,
}

impl World {
    pub(super) fn new(allowance: u64) -> Self {
        let allowances = ["ada", "bob"].map(|user| (user.to_owned(), allowance)).into();
        Self {
            folded: Folded::default(),
            events: Vec::new(),
            allowances,
            suspended: Vec::new(),
            caps: Vec::new(),
            template: template(),
            contents: None,
            now: 1,
        }
    }

    pub(super) fn context(&mut self) -> Context {
        self.now += 1_000_000;
        Context {
            now: Timestamp::from_micros(self.now).unwrap(),
            ids: EventIds::starting_with(uuid::Uuid::from_u128(u128::from(self.now.unsigned_abs()) << 64)),
            source: crate::OWN_SOURCE.into(),
            actor: Actor { id: "someone".into(), ..Actor::default() },
            correlation: None,
            policies: Vec::new(),
        }
    }

    pub(super) fn user(&self, id: &str) -> DirectoryUser {
        let suspended = self.suspended.iter().any(|suspended| suspended == id);
        DirectoryUser {
            id: id.into(),
            username: id.into(),
            display_name: None,
            email: None,
            organization: Some("eng".into()),
            connection: None,
            attributes: crate::attributes::Attributes::new(),
            status: if suspended { UserStatus::Suspended } else { UserStatus::Active },
            removed: false,
            delete_at: None,
            own: true,
            version: 1,
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
        }
    }

    pub(super) fn facts(&self, user: &str, workspace: &str) -> Facts {
        let theirs = self.folded.ledger.iter().filter(|((owner, _), _)| owner == user);
        let others = theirs.filter(|((_, id), _)| id != workspace).map(|(_, entry)| entry.counted());
        let allowance = self.allowances.get(user).copied();
        Facts {
            organization: "eng".into(),
            user_id: user.into(),
            user_name: Some(user.into()),
            enforced: allowance.is_some(),
            allowances: allowance
                .map(|allowance| AllowanceShare { allowance, group_id: "g".into(), group_name: None })
                .into_iter()
                .collect(),
            others: others.collect(),
            entry: self.folded.ledger.get(&(user.to_owned(), workspace.to_owned())).cloned().unwrap_or_default(),
            caps: self.caps.clone(),
            budgets: Vec::new(),
            unknown_costs: crate::events::quotas::UnknownCosts::Allow,
        }
    }

    pub(super) fn workspace(&self, id: &str) -> WorkspaceRecord {
        self.folded.workspaces[id].clone()
    }

    pub(super) fn last(&self, id: &str) -> Option<BuildRecord> {
        let number = self.folded.workspaces.get(id)?.last_build;
        self.folded.builds.get(&(id.to_owned(), number)).cloned()
    }

    pub(super) fn owner(&self, id: &str) -> String {
        self.workspace(id).owner_id.unwrap()
    }

    /// Credits that count for a user.
    pub(super) fn counted(&self, user: &str) -> u64 {
        self.folded.ledger.iter().filter(|((owner, _), _)| owner == user).map(|(_, entry)| entry.counted()).sum()
    }

    pub(super) fn status(&self, id: &str) -> WorkspaceStatus {
        self.folded.workspaces[id].status
    }

    pub(super) fn take(&mut self, events: Vec<Event>) -> Vec<String> {
        let told = events.iter().map(|event| event.event_type.clone()).collect();
        for event in events {
            crate::validate::check(&event).unwrap();
            self.folded.apply(&event);
            self.events.push(event);
        }
        told
    }

    pub(super) fn create(&mut self, id: &str, owner: &str) -> Result<Vec<String>, Refusal> {
        let context = self.context();
        let (user, version, facts) = (self.user(owner), version(), self.facts(owner, id));
        let namesakes: Vec<WorkspaceRecord> =
            self.folded.workspaces.values().filter(|w| w.owner_id.as_deref() == Some(owner)).cloned().collect();
        let made_of = Ingredients {
            owner: &user,
            template: &self.template,
            version: Some(&version),
            contents: self.contents.as_ref(),
            namesakes: &namesakes,
            administers: false,
            facts: &facts,
            zone: None,
        };
        let command = CreateWorkspace {
            id: id.into(),
            name: id.into(),
            template_version: None,
            parameters: BTreeMap::new(),
            schedule: None,
            start: true,
        };
        let verdict = command.decide(made_of, context)?;
        Ok(self.take(verdict.events))
    }

    pub(super) fn request(&mut self, id: &str, transition: Transition) -> Result<Vec<String>, Refusal> {
        let parameters = BTreeMap::from([("step".to_owned(), self.now.to_string())]);
        let command = RequestBuild {
            transition,
            cause: "initiator",
            reason: None,
            template_version: None,
            parameters: (transition == Transition::Start).then_some(parameters),
        };
        self.order(id, command)
    }

    pub(super) fn order(&mut self, id: &str, command: RequestBuild) -> Result<Vec<String>, Refusal> {
        let context = self.context();
        let (workspace, last, version) = (self.workspace(id), self.last(id), version());
        let owner = self.user(&self.owner(id));
        let surroundings = Surroundings {
            last: last.as_ref(),
            owner: Some(&owner),
            template: Some(&self.template),
            version: Some(&version),
            contents: self.contents.as_ref(),
            administers: false,
        };
        let events = command.decide(&workspace, surroundings, context)?;
        Ok(self.take(events))
    }

    fn on<T>(
        &mut self,
        id: &str,
        decide: impl FnOnce(&WorkspaceRecord, &BuildRecord, &Facts, Context) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let context = self.context();
        let build = self.last(id).ok_or(Refusal::Unknown("build"))?;
        decide(&self.workspace(id), &build, &self.facts(&self.owner(id), id), context)
    }

    pub(super) fn start(&mut self, id: &str) -> Result<Vec<String>, Refusal> {
        let command = StartBuild { runner_id: "r".into() };
        let events = self.on(id, |workspace, build, _, context| command.decide(workspace, build, context))?;
        Ok(self.take(events))
    }

    pub(super) fn plan(&mut self, id: &str, cost: u32) -> Result<Vec<String>, Refusal> {
        let command = PlanBuild { cost, unknown: Vec::new() };
        let planned =
            self.on(id, |workspace, build, facts, context| command.decide(workspace, build, facts, context))?;
        Ok(self.take(planned.events))
    }

    pub(super) fn begin(&mut self, id: &str) -> Result<Vec<String>, Refusal> {
        let events = self.on(id, |workspace, build, _, context| BeginApply.decide(workspace, build, context))?;
        Ok(self.take(events))
    }

    pub(super) fn finish(&mut self, id: &str, ending: Ending) -> Result<Vec<String>, Refusal> {
        let command = FinishBuild { ending };
        let events =
            self.on(id, |workspace, build, facts, context| command.decide(workspace, build, facts, context))?;
        Ok(self.take(events))
    }

    pub(super) fn cancel(&mut self, id: &str) -> Result<Vec<String>, Refusal> {
        let command = CancelBuild::default();
        let events = self.on(id, |workspace, build, _, context| command.decide(workspace, build, context))?;
        Ok(self.take(events))
    }

    pub(super) fn transfer(&mut self, id: &str, heir: &str) -> Result<Vec<String>, Refusal> {
        let context = self.context();
        let (workspace, last, user) = (self.workspace(id), self.last(id), self.user(heir));
        let (given, taken) = (self.facts(&self.owner(id), id), self.facts(heir, id));
        let command = TransferWorkspace { reason: None };
        let verdict = command.decide(&workspace, last.as_ref(), &user, &[], (&given, &taken), context)?;
        Ok(self.take(verdict.events))
    }

    /// A build from its request to its end.
    pub(super) fn build(&mut self, id: &str, transition: Transition, cost: u32) {
        self.request(id, transition).unwrap();
        self.carry_out(id, cost);
    }

    /// What a runner does with the build that is queued.
    pub(super) fn carry_out(&mut self, id: &str, cost: u32) {
        self.start(id).unwrap();
        self.plan(id, cost).unwrap();
        self.begin(id).unwrap();
        self.finish(id, Ending::Succeeded { cost: None }).unwrap();
    }
}

pub(super) fn failed(applied: bool, resources_remain: Option<bool>) -> Ending {
    Ending::Failed { broken: BrokenOff { applied, resources_remain }, error: Some("no".into()), expired: false }
}

pub(super) fn template() -> TemplateRecord {
    TemplateRecord {
        id: "t".into(),
        name: "go".into(),
        display_name: None,
        description: None,
        organization: Some("eng".into()),
        status: TemplateStatus::Active,
        deprecation: None,
        active_version: Some("v".into()),
        settings: TemplateSettings::default(),
        own: true,
        version: 1,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

pub(super) fn version() -> TemplateVersionRecord {
    TemplateVersionRecord {
        id: "v".into(),
        template_id: "t".into(),
        name: "1".into(),
        message: None,
        sha256: "00".into(),
        size_bytes: 1,
        archived: false,
        pushed_by: None,
        pushed_at: Timestamp::EPOCH,
    }
}

impl Folded {
    pub(super) fn of(events: &[Event]) -> Self {
        let mut folded = Self::default();
        events.iter().for_each(|event| folded.apply(event));
        folded
    }

    fn apply(&mut self, event: &Event) {
        match decode(event).unwrap() {
            Payload::Workspace(payload) => self.workspace(event, payload),
            Payload::Quota(
                QuotaEvent::QuotaReserved(entry) | QuotaEvent::QuotaCommitted(entry) | QuotaEvent::QuotaReleased(entry),
            ) => {
                self.entry(entry);
            }
            _ => {}
        }
    }

    fn entry(&mut self, entry: QuotaEntry) {
        let key = (entry.user_id.unwrap(), entry.workspace_id.unwrap());
        let now = LedgerEntry {
            committed: entry.committed.unwrap(),
            reserved: entry.reserved,
            build_number: entry.reserved.and(entry.build_number),
            running: entry.running.unwrap(),
        };
        if now == LedgerEntry::default() {
            self.ledger.remove(&key);
        } else {
            self.ledger.insert(key, now);
        }
    }

    fn workspace(&mut self, event: &Event, payload: WorkspaceEvent) {
        let id = event.resource.id.clone();
        if let WorkspaceEvent::WorkspaceCreated(created) = &payload {
            let record = WorkspaceRecord {
                id: id.clone(),
                name: event.resource.name.clone().unwrap(),
                owner_id: created.owner_id.clone(),
                owner: event.resource.owner.clone(),
                organization: event.organization.clone(),
                template_id: created.template_id.clone(),
                template_name: created.template_name.clone(),
                template_version: None,
                status: WorkspaceStatus::Pending,
                dormant: false,
                resources_remain: false,
                last_build: 0,
                daily_cost: 0,
                parameters: BTreeMap::new(),
                own: true,
                version: 1,
                created_at: event.occurred_at,
                updated_at: event.occurred_at,
            };
            self.workspaces.insert(id, record);
            return;
        }
        let record = self.workspaces.get_mut(&id).unwrap();
        let (build, status) = match payload {
            WorkspaceEvent::WorkspaceTransferred(transfer) => {
                record.owner_id = transfer.to_id;
                record.owner = Some(transfer.to);
                return;
            }
            WorkspaceEvent::WorkspaceDeleted(_) => {
                record.status = WorkspaceStatus::Deleted;
                return;
            }
            WorkspaceEvent::WorkspaceBuildRequested(build) => (build, BuildStatus::Requested),
            WorkspaceEvent::WorkspaceBuildQueued(build) => (build, BuildStatus::Queued),
            WorkspaceEvent::WorkspaceBuildStarted(build) => (build, BuildStatus::Started),
            WorkspaceEvent::WorkspaceBuildPlanned(build) => (build, BuildStatus::Planned),
            WorkspaceEvent::WorkspaceBuildApplyStarted(build) => (build, BuildStatus::Applying),
            WorkspaceEvent::WorkspaceBuildSucceeded(build) => (build, BuildStatus::Succeeded),
            WorkspaceEvent::WorkspaceBuildFailed(build) => (build, BuildStatus::Failed),
            WorkspaceEvent::WorkspaceBuildCanceled(build) => (build, BuildStatus::Canceled),
            WorkspaceEvent::WorkspaceBuildRejected(build) => (build, BuildStatus::Rejected),
            WorkspaceEvent::WorkspaceBuildCancelRequested(build) => {
                self.builds.get_mut(&(id, build.build_number)).unwrap().cancel_requested = true;
                return;
            }
            _ => return,
        };
        let key = (id.clone(), build.build_number);
        let kept = self.builds.entry(key).or_insert_with(|| begun(&id, record, &build));
        kept.status = status;
        kept.runner_id = build.runner_id.clone().or(kept.runner_id.take());
        kept.daily_cost = build.daily_cost.or(kept.daily_cost);
        if status == BuildStatus::Started {
            kept.started_at = Some(event.occurred_at);
        }
        if status.is_last() {
            kept.finished_at = Some(event.occurred_at);
        }
        record.last_build = build.build_number;
        record.status = after(record.status, kept, &build);
        if status.is_last() {
            let restored =
                status == BuildStatus::Rejected || (status == BuildStatus::Canceled && build.applied == Some(false));
            record.resources_remain = if restored {
                kept.ran_before && record.status != WorkspaceStatus::Running
            } else {
                build.resources_remain.unwrap_or_default()
            };
        }
        if status == BuildStatus::Succeeded {
            record.parameters = kept.parameters.clone();
            record.template_version = build.template_version;
        }
    }
}

/// A build at its request. What the workspace was is kept in `reason`, for want of a better place.
fn begun(id: &str, record: &WorkspaceRecord, build: &Build) -> BuildRecord {
    let before = if record.last_build == 0 { WorkspaceStatus::Stopped } else { record.status };
    BuildRecord {
        workspace_id: id.into(),
        number: build.build_number,
        job_id: build.job_id.clone(),
        organization: Some("eng".into()),
        transition: build.transition,
        status: BuildStatus::Requested,
        cause: build.cause.clone(),
        reason: Some(before.as_str().into()),
        requested_by: None,
        template_version: build.template_version.clone(),
        parameters: build.parameters.clone().unwrap_or_default(),
        tags: build.tags.clone(),
        runner_id: None,
        ran_before: record.may_run(),
        cancel_requested: false,
        daily_cost: None,
        unknown: Vec::new(),
        applied: None,
        resources_remain: None,
        error: None,
        requested_at: None,
        queued_at: None,
        started_at: None,
        planned_at: None,
        finished_at: None,
    }
}

fn after(present: WorkspaceStatus, kept: &BuildRecord, build: &Build) -> WorkspaceStatus {
    let before = || WorkspaceStatus::from_name(kept.reason.as_deref().unwrap()).unwrap();
    match (kept.status, build.transition) {
        (BuildStatus::Requested | BuildStatus::Queued, _) => WorkspaceStatus::Pending,
        (BuildStatus::Started, Transition::Start) => WorkspaceStatus::Starting,
        (BuildStatus::Started, Transition::Stop) => WorkspaceStatus::Stopping,
        (BuildStatus::Started, Transition::Delete) => WorkspaceStatus::Deleting,
        (BuildStatus::Planned | BuildStatus::Applying, _) => present,
        (BuildStatus::Succeeded, Transition::Start) => WorkspaceStatus::Running,
        (BuildStatus::Succeeded, Transition::Stop) => WorkspaceStatus::Stopped,
        (BuildStatus::Succeeded, Transition::Delete) => WorkspaceStatus::Deleted,
        (BuildStatus::Failed, _) => WorkspaceStatus::Failed,
        (BuildStatus::Canceled, _) if build.applied == Some(false) => before(),
        (BuildStatus::Canceled, _) => WorkspaceStatus::Canceled,
        (BuildStatus::Rejected, _) => before(),
    }
}
