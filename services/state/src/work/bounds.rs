//! What administrators set: caps, budgets, settings; and asking what would be.

use chancery_domain::decision::Context;
use chancery_domain::events::workspaces::Transition;
use chancery_domain::quotas::Judgement;
use chancery_domain::quotas::bounds::{ChangeSettings, SetBudget, SetCap};

use super::Failure;
use crate::Decisions;
use crate::quotas::Subject;

impl Decisions {
    /// Sets a cap, or lifts it.
    pub async fn set_cap<E: Failure>(&self, command: &SetCap, context: impl Fn() -> Context) -> Result<(), E> {
        let id = command.id();
        self.decide(&[format!("quota-cap/{id}")], async || {
            let caps = self.state().quota_caps(&command.organization).await?;
            let present = caps.iter().find(|cap| cap.id == id);
            Ok::<_, E>((command.clone().decide(present, context())?, ()))
        })
        .await
    }

    /// Sets a budget, or lifts it.
    pub async fn set_budget<E: Failure>(&self, command: &SetBudget, context: impl Fn() -> Context) -> Result<(), E> {
        let id = command.id();
        self.decide(&[format!("quota-budget/{id}")], async || {
            let budgets = self.state().quota_budgets(&command.organization).await?;
            let present = budgets.iter().find(|budget| budget.id == id);
            Ok::<_, E>((command.clone().decide(present, context())?, ()))
        })
        .await
    }

    /// Changes how an organization counts.
    pub async fn change_quota_settings<E: Failure>(
        &self,
        command: &ChangeSettings,
        context: impl Fn() -> Context,
    ) -> Result<(), E> {
        self.decide(&[format!("quota-settings/{}", command.organization)], async || {
            let present = self.state().quota_settings(&command.organization).await?;
            Ok::<_, E>((command.clone().decide(&present, context()), ()))
        })
        .await
    }

    /// What would be made of a build with this cost. Nothing changes.
    pub async fn weigh<E: Failure>(
        &self,
        subject: Subject<'_>,
        transition: Transition,
        cost: u64,
        now: chancery_domain::Timestamp,
    ) -> Result<Judgement, E> {
        Ok(self.state().quota_facts(subject, now).await?.judge(transition, cost, &[]))
    }
}
