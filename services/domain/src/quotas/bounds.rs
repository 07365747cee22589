//! Bounds that administrators set beside the allowances of groups: caps, budgets over time, and how an organization counts.

use jiff::tz::TimeZone;

use crate::decision::{Context, Draft, Refusal};
use crate::event::{Change, Event, Resource};
use crate::events::Bare;
use crate::events::quotas::{BudgetSet, BudgetSubject, BudgetWarned, CapKind, CapSet, Period, QuotaSettings};
use crate::quotas::BudgetFact;
use crate::time::Timestamp;

/// Largest allowance or cap.
pub const MOST: u64 = 1_000_000_000;
/// Largest budget.
pub const MOST_CREDIT_HOURS: u64 = 1_000_000_000_000;
/// Share of a budget that a warning is given at.
pub const WARN_PERCENT: u32 = 80;

/// A cap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapRecord {
    /// Its id.
    pub id: String,
    /// Organization it is in.
    pub organization: String,
    /// What it bounds.
    pub bounds: CapKind,
    /// Id of the group or template.
    pub subject_id: Option<String>,
    /// Its value.
    pub limit: u64,
}

/// A budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRecord {
    /// Its id.
    pub id: String,
    /// Organization it is in.
    pub organization: String,
    /// Whose it is.
    pub subject_kind: BudgetSubject,
    /// Id of the user or group.
    pub subject_id: Option<String>,
    /// How long it lasts.
    pub period: Period,
    /// Credit-hours of the period.
    pub credit_hours: u64,
    /// Whether nothing starts once it is used up.
    pub hard: bool,
    /// The period that was warned of.
    pub warned_since: Option<Timestamp>,
}

/// A cap to be set, or lifted without a limit.
#[derive(Debug, Clone)]
pub struct SetCap {
    /// Organization it is in.
    pub organization: String,
    /// What it bounds.
    pub bounds: CapKind,
    /// Id of the group or template.
    pub subject_id: Option<String>,
    /// Its value.
    pub limit: Option<u64>,
}

impl SetCap {
    /// The id of the cap.
    pub fn id(&self) -> String {
        let subject = self.subject_id.iter().map(|id| format!("/{id}"));
        format!("{}/{}{}", self.organization, self.bounds.as_str(), subject.collect::<String>())
    }

    /// Decides; `present` is the cap as it is.
    pub fn decide(self, present: Option<&CapRecord>, context: Context) -> Result<Vec<Event>, Refusal> {
        if self.subject_id.is_some() == (self.bounds == CapKind::OrganizationCredits) {
            return Err(Refusal::invalid("subject_id", "names the group or template, and nothing for an organization"));
        }
        if self.limit.is_some_and(|limit| limit > MOST) {
            return Err(Refusal::invalid("limit", format!("must be 0 to {MOST}")));
        }
        let mut draft = Draft::new(context);
        let before = present.map(|cap| cap.limit);
        if before == self.limit {
            return Ok(draft.events);
        }
        let resource = Resource::new("quota-cap", self.id());
        let mut event = match self.limit {
            Some(limit) => {
                let payload = CapSet { bounds: self.bounds, limit, subject_id: self.subject_id };
                draft.event("quota.cap.set", resource, &payload)
            }
            None => draft.event("quota.cap.removed", resource, &Bare {}),
        };
        event.organization = Some(self.organization);
        event.changes = vec![Change::new("limit", before, self.limit)];
        draft.push(event);
        Ok(draft.events)
    }
}

/// A budget to be set, or lifted without credit-hours.
#[derive(Debug, Clone)]
pub struct SetBudget {
    /// Organization it is in.
    pub organization: String,
    /// Whose it is.
    pub subject_kind: BudgetSubject,
    /// Id of the user or group.
    pub subject_id: Option<String>,
    /// How long it lasts.
    pub period: Period,
    /// Credit-hours of the period.
    pub credit_hours: Option<u64>,
    /// Whether nothing starts once it is used up.
    pub hard: bool,
}

impl SetBudget {
    /// The id of the budget.
    pub fn id(&self) -> String {
        let (kind, period) = (self.subject_kind.as_str(), self.period.as_str());
        match &self.subject_id {
            Some(subject) => format!("{}/{kind}/{subject}/{period}", self.organization),
            None => format!("{}/{kind}/{period}", self.organization),
        }
    }

    /// Decides; `present` is the budget as it is.
    pub fn decide(self, present: Option<&BudgetRecord>, context: Context) -> Result<Vec<Event>, Refusal> {
        if self.subject_id.is_some() == (self.subject_kind == BudgetSubject::Organization) {
            return Err(Refusal::invalid("subject_id", "names the user or group, and nothing for an organization"));
        }
        if self.credit_hours.is_some_and(|hours| hours > MOST_CREDIT_HOURS) {
            return Err(Refusal::invalid("credit_hours", format!("must be 0 to {MOST_CREDIT_HOURS}")));
        }
        let mut draft = Draft::new(context);
        let before = present.map(|budget| (budget.credit_hours, budget.hard));
        if before == self.credit_hours.map(|hours| (hours, self.hard)) {
            return Ok(draft.events);
        }
        let resource = Resource::new("quota-budget", self.id());
        let mut event = match self.credit_hours {
            Some(credit_hours) => {
                let payload = BudgetSet {
                    credit_hours,
                    hard: self.hard,
                    period: self.period,
                    subject_id: self.subject_id,
                    subject_kind: Some(self.subject_kind),
                };
                draft.event("quota.budget.set", resource, &payload)
            }
            None => draft.event("quota.budget.removed", resource, &Bare {}),
        };
        event.organization = Some(self.organization);
        event.changes = vec![
            Change::new("credit_hours", before.map(|(hours, _)| hours), self.credit_hours),
            Change::new("hard", before.map(|(_, hard)| hard), self.credit_hours.map(|_| self.hard)),
        ];
        draft.push(event);
        Ok(draft.events)
    }
}

impl BudgetRecord {
    /// Decides whether a warning is due: most of the budget is used, and nobody was told in this period.
    pub fn warn(&self, fact: &BudgetFact, context: Context) -> Vec<Event> {
        let mut draft = Draft::new(context);
        let most = self.credit_hours.saturating_mul(10 * u64::from(WARN_PERCENT));
        if fact.used_thousandths >= most && self.warned_since != Some(fact.since) {
            let payload = BudgetWarned {
                credit_hours: self.credit_hours,
                percent: WARN_PERCENT,
                since: fact.since,
                used_thousandths: fact.used_thousandths,
            };
            let mut event = draft.event("quota.budget.warned", Resource::new("quota-budget", &self.id), &payload);
            event.organization = Some(self.organization.clone());
            draft.push(event);
        }
        draft.events
    }
}

/// How an organization counts from now on.
#[derive(Debug, Clone)]
pub struct ChangeSettings {
    /// Its name.
    pub organization: String,
    /// How.
    pub settings: QuotaSettings,
}

impl ChangeSettings {
    /// Decides; the time zone was found by the caller.
    pub fn decide(self, present: &QuotaSettings, context: Context) -> Vec<Event> {
        let mut draft = Draft::new(context);
        if *present != self.settings {
            let resource = Resource::new("quota-settings", &self.organization);
            let mut event = draft.event("quota.settings.changed", resource, &self.settings);
            event.changes = vec![
                Change::new("time_zone", present.time_zone.clone(), self.settings.time_zone.clone()),
                Change::new("unknown_costs", present.unknown_costs.as_str(), self.settings.unknown_costs.as_str()),
            ];
            event.organization = Some(self.organization);
            draft.push(event);
        }
        draft.events
    }
}

/// When the period that a moment is in began, by the calendar of a time zone.
pub fn period_start(period: Period, zone: &TimeZone, now: Timestamp) -> Timestamp {
    let here = now.to_jiff().to_zoned_datetime(zone.clone());
    let first = match period {
        Period::Day => here.start_of_day(),
        Period::Month => here.first_of_month().and_then(|first| first.start_of_day()),
    };
    first.ok().and_then(|first| Timestamp::from_jiff(first.timestamp()).ok()).unwrap_or(Timestamp::EPOCH)
}
