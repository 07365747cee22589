//! Reading the quota ledger and what bounds it.
//!
//! INVARIANT: only what Chancery itself has decided counts. What other systems say of quotas is for reports.

use chancery_domain::Timestamp;
use chancery_domain::directory::Allowance;
use chancery_domain::events::quotas::{AllowanceShare, BudgetSubject, CapKind, Period, QuotaSettings, UnknownCosts};
use chancery_domain::quotas::bounds::{BudgetRecord, CapRecord, period_start};
use chancery_domain::quotas::{BudgetFact, CapFact, Facts, LedgerEntry};
use jiff::tz::TimeZone;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::directory::rows::{flag, moment, number};
use crate::{State, StateError, workspaces};

pub(crate) const LEDGER: &str = "SELECT workspace_id, workspace_name, template_name, committed, reserved, build_number,
    running, unknown FROM quota_ledger WHERE user_id = $1 AND organization = $2 AND own = 1";
pub(crate) const ENFORCED: &str = "SELECT 1 FROM groups WHERE organization = $1 AND allowance_set = 1 AND own = 1
        AND status <> 'deleted'
    UNION ALL SELECT 1 FROM groups WHERE organization = $1 AND quota_allowance > 0 AND own = 1
        AND status <> 'deleted' LIMIT 1";
pub(crate) const CAPS: &str =
    "SELECT id, organization, bounds, subject_id, most FROM quota_caps WHERE organization = $1 ORDER BY id";
pub(crate) const BUDGETS: &str = "SELECT id, organization, subject_kind, subject_id, period, credit_hours, hard,
    warned_since FROM quota_budgets WHERE organization = $1 ORDER BY id";
pub(crate) const ALL_BUDGETS: &str = "SELECT id, organization, subject_kind, subject_id, period, credit_hours, hard,
    warned_since FROM quota_budgets ORDER BY organization, id";
pub(crate) const SETTINGS: &str = "SELECT unknown_costs, time_zone FROM quota_settings WHERE organization = $1";
pub(crate) const COUNTED_OF_ORGANIZATION: &str = "SELECT CAST(coalesce(sum(counted), 0) AS BIGINT) FROM quota_ledger
    WHERE organization = $1 AND own = 1 AND workspace_id <> $2";
pub(crate) const COUNTED_OF_GROUP: &str = "SELECT CAST(coalesce(sum(l.counted), 0) AS BIGINT)
    FROM group_members m CROSS JOIN quota_ledger l
    WHERE l.user_id = m.user_id AND m.group_id = $3 AND m.own = 1 AND l.organization = $1 AND l.own = 1
    AND l.workspace_id <> $2";

/// Credits times seconds between two moments, of the spans that a condition names: those that ended since, and those
/// that have not.
macro_rules! used_by {
    ($whose:literal) => {
        concat!(
            "SELECT CAST(coalesce(sum(used), 0) AS BIGINT) FROM (
                SELECT cost * ((CASE WHEN ended_at > $3 THEN $3 ELSE ended_at END
                    - CASE WHEN began_at < $2 THEN $2 ELSE began_at END) / 1000000) AS used
                FROM quota_usage WHERE organization = $1 AND ended_at > $2 AND began_at < $3 AND own = 1 ",
            $whose,
            " UNION ALL SELECT cost * (($3 - CASE WHEN began_at < $2 THEN $2 ELSE began_at END) / 1000000) AS used
                FROM quota_usage WHERE organization = $1 AND ended_at IS NULL AND began_at < $3 AND own = 1 ",
            $whose,
            ") AS spans"
        )
    };
}

pub(crate) const USED_BY_ORGANIZATION: &str = used_by!("");
pub(crate) const USED_BY_USER: &str = used_by!("AND user_id = $4");
pub(crate) const USED_BY_GROUP: &str =
    used_by!("AND user_id IN (SELECT user_id FROM group_members WHERE group_id = $4 AND own = 1)");

/// What a workspace takes of a quota, with names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Id of the workspace.
    pub workspace_id: String,
    /// Its name.
    pub workspace_name: Option<String>,
    /// Name of its template.
    pub template_name: Option<String>,
    /// What it takes.
    pub entry: LedgerEntry,
    /// Addresses of its resources whose costs nobody knows.
    pub unknown: Vec<String>,
}

/// Whose quota, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Name of the organization.
    pub organization: &'a str,
    /// Id of the user.
    pub user: &'a str,
    /// Their login name.
    pub user_name: Option<&'a str>,
    /// Id of the workspace; empty for none in particular.
    pub workspace: &'a str,
    /// Id of its template, where the number of its workspaces is asked for.
    pub template: Option<&'a str>,
}

impl State {
    /// What each workspace of a user in an organization takes.
    pub async fn ledger(&self, organization: &str, user: &str) -> Result<Vec<LedgerRow>, StateError> {
        let query = sqlx::query(LEDGER).bind(user.to_owned()).bind(organization.to_owned());
        let mut rows: Vec<LedgerRow> = self.rows(query).await?.iter().map(entry).collect::<Result<_, _>>()?;
        rows.sort_by(|a, b| a.workspace_id.cmp(&b.workspace_id));
        Ok(rows)
    }

    /// Whether an organization has allowances.
    pub async fn quota_enforced(&self, organization: &str) -> Result<bool, StateError> {
        Ok(!self.rows(sqlx::query(ENFORCED).bind(organization.to_owned())).await?.is_empty())
    }

    /// The caps of an organization.
    pub async fn quota_caps(&self, organization: &str) -> Result<Vec<CapRecord>, StateError> {
        self.rows(sqlx::query(CAPS).bind(organization.to_owned())).await?.iter().map(cap).collect()
    }

    /// The budgets of an organization.
    pub async fn quota_budgets(&self, organization: &str) -> Result<Vec<BudgetRecord>, StateError> {
        self.rows(sqlx::query(BUDGETS).bind(organization.to_owned())).await?.iter().map(budget).collect()
    }

    /// The budgets of all organizations.
    pub(crate) async fn all_quota_budgets(&self) -> Result<Vec<BudgetRecord>, StateError> {
        self.rows(sqlx::query(ALL_BUDGETS)).await?.iter().map(budget).collect()
    }

    /// How an organization counts.
    pub async fn quota_settings(&self, organization: &str) -> Result<QuotaSettings, StateError> {
        let rows = self.rows(sqlx::query(SETTINGS).bind(organization.to_owned())).await?;
        let Some(row) = rows.first() else { return Ok(QuotaSettings::default()) };
        let unknown_costs = UnknownCosts::from_name(row.try_get(0)?).ok_or(StateError::Row("quota_settings"))?;
        Ok(QuotaSettings { time_zone: row.try_get(1)?, unknown_costs })
    }

    /// What is used of a budget in the period that `now` is in.
    pub async fn budget_fact(
        &self,
        budget: &BudgetRecord,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<BudgetFact, StateError> {
        let since = period_start(budget.period, zone, now);
        let statement = match budget.subject_kind {
            BudgetSubject::User => USED_BY_USER,
            BudgetSubject::Group => USED_BY_GROUP,
            BudgetSubject::Organization => USED_BY_ORGANIZATION,
        };
        let query = sqlx::query(statement).bind(budget.organization.clone()).bind(since.as_micros());
        let query = query.bind(now.as_micros());
        let query = match &budget.subject_id {
            Some(subject) => query.bind(subject.clone()),
            None => query,
        };
        let credit_seconds: i64 = query.fetch_one(&self.pool).await?.try_get(0)?;
        let thousandths = u128::from(credit_seconds.max(0).unsigned_abs()) * 1000 / 3600;
        Ok(BudgetFact {
            id: budget.id.clone(),
            credit_hours: budget.credit_hours,
            hard: budget.hard,
            period: budget.period,
            since,
            used_thousandths: u64::try_from(thousandths).unwrap_or(u64::MAX),
        })
    }

    /// What bounds the builds of a workspace.
    pub async fn quota_facts(&self, subject: Subject<'_>, now: Timestamp) -> Result<Facts, StateError> {
        let Subject { organization, user, .. } = subject;
        let allowances: Vec<AllowanceShare> =
            self.allowances(organization, user).await?.into_iter().map(share).collect();
        let (mut others, mut own) = (Vec::new(), LedgerEntry::default());
        for row in self.ledger(organization, user).await? {
            if row.workspace_id == subject.workspace {
                own = row.entry;
            } else {
                others.push(row.entry.counted());
            }
        }
        let settings = self.quota_settings(organization).await?;
        let groups: Vec<&str> = allowances.iter().map(|share| share.group_id.as_str()).collect();
        let mut caps = Vec::new();
        for cap in self.quota_caps(organization).await? {
            if let Some(others) = self.taken_of(&cap, subject, &groups).await? {
                caps.push(CapFact { bounds: cap.bounds, subject_id: cap.subject_id, limit: cap.limit, others });
            }
        }
        let zone = zone(settings.time_zone.as_deref());
        let mut budgets = Vec::new();
        for budget in self.quota_budgets(organization).await? {
            if concerns(&budget, user, &groups) {
                budgets.push(self.budget_fact(&budget, &zone, now).await?);
            }
        }
        Ok(Facts {
            organization: organization.to_owned(),
            user_id: user.to_owned(),
            user_name: subject.user_name.map(str::to_owned),
            enforced: self.quota_enforced(organization).await?,
            allowances,
            others,
            entry: own,
            caps,
            budgets,
            unknown_costs: settings.unknown_costs,
        })
    }

    /// What everything but the subject's workspace takes of a cap that concerns it.
    async fn taken_of(
        &self,
        cap: &CapRecord,
        subject: Subject<'_>,
        groups: &[&str],
    ) -> Result<Option<u64>, StateError> {
        let named = cap.subject_id.as_deref();
        let query = match cap.bounds {
            CapKind::OrganizationCredits => sqlx::query(COUNTED_OF_ORGANIZATION)
                .bind(subject.organization.to_owned())
                .bind(subject.workspace.to_owned()),
            CapKind::GroupCredits if named.is_some_and(|id| groups.contains(&id)) => sqlx::query(COUNTED_OF_GROUP)
                .bind(subject.organization.to_owned())
                .bind(subject.workspace.to_owned())
                .bind(named.unwrap_or_default().to_owned()),
            CapKind::TemplateWorkspaces if named.is_some() && named == subject.template => {
                sqlx::query(workspaces::COUNT_OF_TEMPLATE).bind(named.unwrap_or_default().to_owned())
            }
            CapKind::TemplateWorkspacesPerUser if named.is_some() && named == subject.template => {
                sqlx::query(workspaces::COUNT_OF_TEMPLATE_AND_OWNER)
                    .bind(named.unwrap_or_default().to_owned())
                    .bind(subject.user.to_owned())
            }
            _ => return Ok(None),
        };
        Ok(Some(number(&query.fetch_one(&self.pool).await?, 0)?))
    }
}

/// The zone of this name; UTC without one, or where it is not known here.
pub fn zone(name: Option<&str>) -> TimeZone {
    name.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
}

fn share(allowance: Allowance) -> AllowanceShare {
    let Allowance { group_id, name, allowance } = allowance;
    AllowanceShare { allowance: allowance.into(), group_id, group_name: Some(name) }
}

/// Whether a budget concerns a user with these groups.
pub(crate) fn concerns(budget: &BudgetRecord, user: &str, groups: &[&str]) -> bool {
    match (budget.subject_kind, budget.subject_id.as_deref()) {
        (BudgetSubject::Organization, _) => true,
        (BudgetSubject::User, Some(id)) => id == user,
        (BudgetSubject::Group, Some(id)) => groups.contains(&id),
        (_, None) => false,
    }
}

fn entry(row: &AnyRow) -> Result<LedgerRow, StateError> {
    let wrong = || StateError::Row("quota_ledger");
    let build_number: Option<i64> = row.try_get(5)?;
    let unknown: Option<String> = row.try_get(7)?;
    Ok(LedgerRow {
        workspace_id: row.try_get(0)?,
        workspace_name: row.try_get(1)?,
        template_name: row.try_get(2)?,
        entry: LedgerEntry {
            committed: number(row, 3)?,
            reserved: row.try_get::<Option<i64>, _>(4)?.map(i64::cast_unsigned),
            build_number: build_number.map(u32::try_from).transpose().map_err(|_| wrong())?,
            running: flag(row, 6)?,
        },
        unknown: unknown.map_or(Ok(Vec::new()), |text| serde_json::from_str(&text)).map_err(|_| wrong())?,
    })
}

fn cap(row: &AnyRow) -> Result<CapRecord, StateError> {
    Ok(CapRecord {
        id: row.try_get(0)?,
        organization: row.try_get(1)?,
        bounds: CapKind::from_name(row.try_get(2)?).ok_or(StateError::Row("quota_caps"))?,
        subject_id: Some(row.try_get::<String, _>(3)?).filter(|id| !id.is_empty()),
        limit: number(row, 4)?,
    })
}

fn budget(row: &AnyRow) -> Result<BudgetRecord, StateError> {
    let wrong = || StateError::Row("quota_budgets");
    Ok(BudgetRecord {
        id: row.try_get(0)?,
        organization: row.try_get(1)?,
        subject_kind: BudgetSubject::from_name(row.try_get(2)?).ok_or_else(wrong)?,
        subject_id: Some(row.try_get::<String, _>(3)?).filter(|id| !id.is_empty()),
        period: Period::from_name(row.try_get(4)?).ok_or_else(wrong)?,
        credit_hours: number(row, 5)?,
        hard: flag(row, 6)?,
        warned_since: moment(row, 7)?,
    })
}
