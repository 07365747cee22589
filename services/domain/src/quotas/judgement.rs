//! Weighing a build: what counts, what bounds it, and every sum that was used.

use serde::Serialize;

use crate::decision::Draft;
use crate::event::{Event, Resource};
use crate::events::quotas::{AllowanceShare, BudgetSum, CapKind, CapSum, Period, QuotaEntry, UnknownCosts};
use crate::events::workspaces::Transition;
use crate::time::Timestamp;
use crate::validate::MAX_INTEGER;
use crate::workspaces::WorkspaceRecord;
use crate::workspaces::builds::BuildRecord;

/// What a workspace takes of a quota.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Credits per day of what its last finished build left.
    pub committed: u64,
    /// Credits per day that its build in progress has set aside.
    pub reserved: Option<u64>,
    /// Which build that is.
    pub build_number: Option<u32>,
    /// Whether it runs, or may.
    pub running: bool,
}

impl LedgerEntry {
    /// What counts.
    pub fn counted(&self) -> u64 {
        self.committed.max(self.reserved.unwrap_or_default())
    }
}

/// A cap, and what everything else takes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapFact {
    /// What it bounds.
    pub bounds: CapKind,
    /// Id of the group or template.
    pub subject_id: Option<String>,
    /// Its value.
    pub limit: u64,
    /// What everything but this workspace takes of it.
    pub others: u64,
}

/// A budget over time, and what was used of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetFact {
    /// Its id.
    pub id: String,
    /// Credit-hours of the period.
    pub credit_hours: u64,
    /// Whether nothing starts once it is used up.
    pub hard: bool,
    /// How long it lasts.
    pub period: Period,
    /// When the period began.
    pub since: Timestamp,
    /// Thousandths of credit-hours used in it so far.
    pub used_thousandths: u64,
}

impl BudgetFact {
    /// Whether it is used up.
    pub fn is_spent(&self) -> bool {
        self.used_thousandths >= self.credit_hours.saturating_mul(1000)
    }
}

/// What bounds the builds of one workspace of one user in one organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Name of the organization.
    pub organization: String,
    /// The user's id.
    pub user_id: String,
    /// Their login name.
    pub user_name: Option<String>,
    /// Whether the organization has allowances.
    pub enforced: bool,
    /// The user's allowances, group by group.
    pub allowances: Vec<AllowanceShare>,
    /// What each other workspace of theirs takes.
    pub others: Vec<u64>,
    /// What this one takes.
    pub entry: LedgerEntry,
    /// The caps that concern it.
    pub caps: Vec<CapFact>,
    /// The budgets that concern it.
    pub budgets: Vec<BudgetFact>,
    /// What is done with unknown costs.
    pub unknown_costs: UnknownCosts,
}

/// How a build was weighed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Whether it goes on.
    pub allowed: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Its cost, as far as it is known.
    pub cost: u64,
    /// Addresses of resources whose costs nobody knows.
    pub unknown: Vec<String>,
    /// Whether the organization has allowances.
    pub enforced: bool,
    /// Sum of the allowances.
    pub allowance: u64,
    /// The allowances, group by group.
    pub allowances: Vec<AllowanceShare>,
    /// What the user's workspaces take before, this one too.
    pub consumed: u64,
    /// What their other workspaces take.
    pub others: u64,
    /// What this workspace's last finished build left.
    pub committed: u64,
    /// The caps that were looked at.
    pub caps: Vec<CapSum>,
    /// The budgets that were looked at.
    pub budgets: Vec<BudgetSum>,
}

impl Facts {
    /// What was reserved for a build.
    pub fn reserved_for(&self, number: u32) -> Option<u64> {
        self.entry.reserved.filter(|_| self.entry.build_number == Some(number))
    }

    /// Weighs a build.
    pub fn judge(&self, transition: Transition, cost: u64, unknown: &[String]) -> Judgement {
        let judged = Judgement { cost, unknown: unknown.to_vec(), ..self.unjudged() };
        let reason = if transition == Transition::Start { self.objection(&judged) } else { None };
        Judgement { allowed: reason.is_none(), reason, ..judged }
    }

    /// Weighs what a workspace takes already, for an owner who is to have it from now on.
    pub fn judge_handover(&self, taken: u64) -> Judgement {
        let judged = Judgement { cost: taken, ..self.unjudged() };
        let reason = if taken == 0 { None } else { self.excess(&judged) };
        Judgement { allowed: reason.is_none(), reason, ..judged }
    }

    /// The sums, before anything is made of them.
    pub(crate) fn unjudged(&self) -> Judgement {
        let cost = 0;
        Judgement {
            allowed: true,
            reason: None,
            cost,
            unknown: Vec::new(),
            enforced: self.enforced,
            allowance: sum(self.allowances.iter().map(|share| share.allowance)),
            allowances: self.allowances.clone(),
            consumed: sum(self.others.iter().copied().chain([self.entry.counted()])),
            others: sum(self.others.iter().copied()),
            committed: self.entry.committed,
            caps: Vec::new(),
            budgets: self.budgets.iter().map(looked_at).collect(),
        }
        .with_caps(self, cost)
    }

    /// Why a start cannot go on.
    fn objection(&self, judged: &Judgement) -> Option<String> {
        if !judged.unknown.is_empty() && self.unknown_costs == UnknownCosts::Refuse {
            let first = judged.unknown.first().map_or("", String::as_str);
            return Some(format!(
                "nobody knows what {} of its resources cost, `{first}` among them, and the organization wants to know",
                judged.unknown.len()
            ));
        }
        if judged.cost <= self.entry.committed {
            return None;
        }
        self.excess(judged)
    }

    /// Which bound is exceeded.
    fn excess(&self, judged: &Judgement) -> Option<String> {
        let beyond = |others: u64, limit: u64| others.checked_add(judged.cost).is_none_or(|total| total > limit);
        if self.enforced && beyond(judged.others, judged.allowance) {
            return Some(format!(
                "it would cost {} credits a day beside {} in use, and the allowance is {}",
                judged.cost, judged.others, judged.allowance
            ));
        }
        if let Some(cap) = self.caps.iter().find(|cap| cap.is_about_credits() && beyond(cap.others, cap.limit)) {
            return Some(format!(
                "it would cost {} credits a day beside {} in use, and {} may use {}",
                judged.cost,
                cap.others,
                cap.whose(),
                cap.limit
            ));
        }
        let spent = self.budgets.iter().find(|budget| budget.hard && budget.is_spent());
        spent.map(|budget| {
            format!(
                "the budget `{}` of {} credit-hours a {} is used up",
                budget.id,
                budget.credit_hours,
                budget.period.as_str()
            )
        })
    }

    /// The ledger's entry for a judgement; what changes is up to the caller.
    pub(crate) fn entry_of(
        &self,
        workspace: &WorkspaceRecord,
        build: Option<&BuildRecord>,
        judged: &Judgement,
    ) -> QuotaEntry {
        let judged = judged.clone().with_caps(self, judged.cost);
        QuotaEntry {
            allowance: bounded(judged.allowance),
            allowances: judged.allowances,
            budgets: judged.budgets,
            build_number: build.map(|build| build.number),
            caps: judged.caps,
            committed: Some(bounded(self.entry.committed)),
            consumed: bounded(judged.consumed),
            cost: bounded(judged.cost),
            enforced: Some(judged.enforced),
            others: Some(bounded(judged.others)),
            released: None,
            reserved: self.entry.reserved.map(bounded),
            running: Some(self.entry.running),
            template_id: workspace.template_id.clone(),
            template_name: workspace.template_name.clone(),
            transition: build.map(|build| build.transition),
            unknown: judged.unknown,
            user_id: Some(self.user_id.clone()),
            workspace_id: Some(workspace.id.clone()),
            workspace_name: Some(workspace.name.clone()),
        }
    }

    /// An event of this user's ledger.
    pub(crate) fn event(&self, draft: &mut Draft, event_type: &str, entry: &QuotaEntry) -> Event {
        let mut resource = Resource::new("quota", format!("{}/{}", self.organization, self.user_id));
        resource.name.clone_from(&self.user_name);
        resource.owner.clone_from(&self.user_name);
        let mut event = draft.event(event_type, resource, entry);
        event.organization = Some(self.organization.clone());
        event
    }
}

impl Judgement {
    /// The same with what each cap says to a cost.
    fn with_caps(self, facts: &Facts, cost: u64) -> Self {
        let look = |cap: &CapFact| {
            let added = if cap.is_about_credits() { cost } else { 1 };
            CapSum {
                bounds: cap.bounds,
                consumed: bounded(cap.others),
                limit: bounded(cap.limit),
                subject_id: cap.subject_id.clone(),
                within: cap.others.checked_add(added).is_some_and(|total| total <= cap.limit),
            }
        };
        Self { caps: facts.caps.iter().map(look).collect(), ..self }
    }
}

impl CapFact {
    /// Whether it bounds credits, not a number of workspaces.
    pub fn is_about_credits(&self) -> bool {
        matches!(self.bounds, CapKind::OrganizationCredits | CapKind::GroupCredits)
    }

    /// Whether one workspace more is too many.
    pub fn is_full(&self) -> bool {
        !self.is_about_credits() && self.others >= self.limit
    }

    fn whose(&self) -> String {
        match &self.subject_id {
            Some(id) => format!("the group `{id}`"),
            None => "the organization".to_owned(),
        }
    }
}

fn looked_at(budget: &BudgetFact) -> BudgetSum {
    BudgetSum {
        budget: budget.id.clone(),
        credit_hours: bounded(budget.credit_hours),
        hard: budget.hard,
        period: budget.period,
        since: budget.since,
        used_thousandths: bounded(budget.used_thousandths),
        within: !budget.is_spent(),
    }
}

/// A sum that is the largest number where it would be larger.
fn sum(parts: impl Iterator<Item = u64>) -> u64 {
    parts.fold(0, u64::saturating_add)
}

/// A number that JSON keeps exactly; larger ones are cut off in what is told, not in what is decided.
fn bounded(number: u64) -> u64 {
    number.min(MAX_INTEGER)
}
