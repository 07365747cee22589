//! A small world that decisions are taken in, folded from their events alone.

use std::collections::BTreeMap;

use super::fold::Folded;
use crate::decision::{Context, EventIds, Refusal};
use crate::directory::{DirectoryUser, UserStatus};
use crate::event::{Actor, Event};
use crate::events::quotas::AllowanceShare;
use crate::events::templates::TemplateContents;
use crate::events::workspaces::Transition;
use crate::quotas::{CapFact, Facts};
use crate::templates::{TemplateRecord, TemplateSettings, TemplateStatus, TemplateVersionRecord};
use crate::time::Timestamp;
use crate::workspaces::builds::{
    BeginApply, BrokenOff, BuildRecord, BuildReport, CancelBuild, Ending, FinishBuild, PlanBuild, RequestBuild,
    RequeueBuild, StartBuild, Surroundings,
};
use crate::workspaces::creation::{CreateWorkspace, Ingredients};
use crate::workspaces::lifecycle::TransferWorkspace;
use crate::workspaces::{WorkspaceRecord, WorkspaceStatus};

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
        let command = PlanBuild { cost, unknown: Vec::new(), resources: None };
        let planned =
            self.on(id, |workspace, build, facts, context| command.decide(workspace, build, facts, context))?;
        Ok(self.take(planned.events))
    }

    pub(super) fn begin(&mut self, id: &str) -> Result<Vec<String>, Refusal> {
        let events = self.on(id, |workspace, build, _, context| BeginApply.decide(workspace, build, context))?;
        Ok(self.take(events))
    }

    pub(super) fn requeue(&mut self, id: &str) -> Result<Vec<String>, Refusal> {
        let command = RequeueBuild { reason: "lost".into() };
        let events =
            self.on(id, |workspace, build, facts, context| command.decide(workspace, build, facts, context))?;
        Ok(self.take(events))
    }

    pub(super) fn finish(&mut self, id: &str, ending: Ending) -> Result<Vec<String>, Refusal> {
        let command = FinishBuild { ending, report: BuildReport::default() };
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
