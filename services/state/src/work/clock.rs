//! The clock's rounds: every own workspace is looked at, and what is due is asked for. Of two nodes that look at the same
//! moment one finds it done.

use std::collections::{BTreeMap, BTreeSet};

use chancery_domain::decision::{Context, Refusal};
use chancery_domain::quotas::bounds::BudgetRecord;
use chancery_domain::templates::TemplateRecord;
use chancery_domain::workspaces::builds::{BrokenOff, BuildReport, Ending, FinishBuild, RequestBuild};
use chancery_domain::workspaces::clock::{Action, Life, Patience, due};
use chancery_domain::{Event, Timestamp};
use jiff::tz::TimeZone;

use super::Reads;
use crate::builds::WorkspaceLife;
use crate::quotas::{concerns, zone};
use crate::{CommandError, Decisions, State, StateError};

/// Workspaces that are read together.
const PAGE: i64 = 500;

/// What a round has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rounds {
    /// Workspaces that were looked at.
    pub seen: usize,
    /// Of those, how many something was done for.
    pub acted: usize,
    /// Warnings of budgets.
    pub warned: usize,
    /// What could not be decided; the next round tries again.
    pub failed: usize,
}

/// What is read once in a round.
#[derive(Debug, Default)]
struct Known {
    templates: BTreeMap<String, Option<TemplateRecord>>,
    /// Hard budgets that are used up.
    spent: Vec<BudgetRecord>,
    /// Groups of users that spent budgets may concern.
    groups: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Decisions {
    /// One round. `context` is asked for every decision.
    pub async fn go_round(&self, patience: Patience, context: impl Fn() -> Context) -> Result<Rounds, CommandError> {
        let mut rounds = Rounds::default();
        let now = context().now;
        let mut known = Known { spent: self.budgets(now, &context, &mut rounds).await?, ..Known::default() };
        let mut after = String::new();
        loop {
            let lives = self.state().lives(&after, PAGE).await?;
            let Some(last) = lives.last() else { return Ok(rounds) };
            after.clone_from(&last.workspace.id);
            for life in lives {
                rounds.seen += 1;
                let id = life.workspace.id.clone();
                let life = self.state().known(life, &mut known).await?;
                if due(&life, &own_zone(&life), patience, now).is_none() {
                    continue;
                }
                match self.act(&id, patience, &mut known, &context).await {
                    Ok(acted) => rounds.acted += usize::from(acted),
                    Err(error) => {
                        rounds.failed += 1;
                        tracing::warn!(workspace.id = id, %error, "the clock could not do what is due");
                    }
                }
            }
        }
    }

    /// Warns of budgets that are mostly used; those that are hard and used up.
    async fn budgets(
        &self,
        now: Timestamp,
        context: &impl Fn() -> Context,
        rounds: &mut Rounds,
    ) -> Result<Vec<BudgetRecord>, CommandError> {
        let mut spent = Vec::new();
        for budget in self.state().all_quota_budgets().await? {
            let settings = self.state().quota_settings(&budget.organization).await?;
            let zone = zone(settings.time_zone.as_deref());
            let fact = self.state().budget_fact(&budget, &zone, now).await?;
            if !budget.warn(&fact, context()).is_empty() {
                let warned = self
                    .decide(&[format!("quota-budget/{}", budget.id)], async || {
                        let all = self.state().quota_budgets(&budget.organization).await?;
                        let present = all.iter().find(|other| other.id == budget.id);
                        let events = present.map(|budget| budget.warn(&fact, context())).unwrap_or_default();
                        let count = events.len();
                        Ok::<_, CommandError>((events, count))
                    })
                    .await?;
                rounds.warned += warned;
            }
            if fact.hard && fact.is_spent() {
                spent.push(budget);
            }
        }
        Ok(spent)
    }

    /// Does what is due for a workspace, if it still is.
    async fn act(
        &self,
        id: &str,
        patience: Patience,
        known: &mut Known,
        context: &impl Fn() -> Context,
    ) -> Result<bool, CommandError> {
        let Some(life) = self.state().workspace_life(id).await? else { return Ok(false) };
        let before = self.state().known(life, known).await?;
        let (template, spent) = (before.template, before.spent_budget);
        self.about(id, Reads::Ledger, async |workspace, last| {
            let context = context();
            let Some(life) = self.state().workspace_life(id).await? else { return Ok((Vec::new(), false)) };
            let life = of(life, template.clone(), spent.clone());
            let Some(action) = due(&life, &own_zone(&life), patience, context.now) else {
                return Ok((Vec::new(), false));
            };
            let decided: Result<Vec<Event>, CommandError> = match action {
                Action::Build { transition, cause, reason } => {
                    let reason = Some(reason);
                    let command = RequestBuild { transition, cause, reason, template_version: None, parameters: None };
                    self.requested(command, &workspace, last.as_ref(), false, context).await
                }
                Action::Rest { reason } => Ok(workspace.make_dormant(last.as_ref(), Some(reason), context)?),
                Action::GiveUp { reason } => {
                    let Some(build) = last else { return Ok((Vec::new(), false)) };
                    let facts = self.state().facts_of(&workspace, context.now).await?;
                    let broken = BrokenOff::default();
                    let ending = Ending::Failed { broken, error: Some(reason), expired: true };
                    Ok(FinishBuild { ending, report: BuildReport::default() }
                        .decide(&workspace, &build, &facts, context)?)
                }
            };
            match decided {
                Ok(events) => Ok((events, true)),
                // What the rules refuse is refused every round, until something changes.
                Err(CommandError::Refused(Refusal::Forbidden(_) | Refusal::Unknown(_))) => Ok((Vec::new(), false)),
                Err(error) => Err(error),
            }
        })
        .await
    }
}

impl State {
    /// A workspace with its template, and the budget that stops it.
    async fn known(&self, life: WorkspaceLife, known: &mut Known) -> Result<Life, StateError> {
        let template = match &life.workspace.template_id {
            None => None,
            Some(id) => {
                if !known.templates.contains_key(id) {
                    let found = self.template(id).await?;
                    known.templates.insert(id.clone(), found);
                }
                known.templates.get(id).cloned().flatten()
            }
        };
        let spent = self.spent_by(&life, known).await?;
        Ok(of(life, template, spent))
    }

    async fn spent_by(&self, life: &WorkspaceLife, known: &mut Known) -> Result<Option<String>, StateError> {
        let (Some(organization), Some(owner)) = (&life.workspace.organization, &life.workspace.owner_id) else {
            return Ok(None);
        };
        if !known.spent.iter().any(|budget| budget.organization == *organization) {
            return Ok(None);
        }
        let key = (organization.clone(), owner.clone());
        if !known.groups.contains_key(&key) {
            let shares = self.allowances(organization, owner).await?;
            known.groups.insert(key.clone(), shares.into_iter().map(|share| share.group_id).collect());
        }
        let groups: Vec<&str> = known.groups.get(&key).into_iter().flatten().map(String::as_str).collect();
        let mut spent = known.spent.iter().filter(|budget| budget.organization == *organization);
        Ok(spent.find(|budget| concerns(budget, owner, &groups)).map(|budget| budget.id.clone()))
    }
}

fn of(life: WorkspaceLife, template: Option<TemplateRecord>, spent_budget: Option<String>) -> Life {
    Life {
        workspace: life.workspace,
        build: life.build,
        owner_active: life.owner_active,
        template,
        schedule: life.schedule,
        started_at: life.started_at,
        finished_at: life.finished_at,
        last_used_at: life.last_used_at,
        dormant_at: life.dormant_at,
        spent_budget,
    }
}

fn own_zone(life: &Life) -> TimeZone {
    zone(life.schedule.time_zone.as_deref())
}
