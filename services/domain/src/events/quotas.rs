//! The quota ledger: what was set aside for builds, what runs, what came back; and the bounds that are set on it.
//!
//! An entry says what it makes of its workspace (`committed`, `reserved`) and every sum that decided, so that one can be
//! understood without any other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bare;
use super::workspaces::Transition;
use crate::catalogue::event_types;
use crate::time::Timestamp;

event_types! {
    /// What happened to quotas.
    pub enum QuotaEvent {
        /// A group's allowance changed.
        "quota.allowance.set" v 1 "write" => QuotaAllowanceSet(AllowanceSet),
        /// Credits were set aside for a build.
        "quota.reserved" v 1 "reserve" => QuotaReserved(QuotaEntry),
        /// Reserved credits are in use.
        "quota.committed" v 1 "commit" => QuotaCommitted(QuotaEntry),
        /// Credits came back.
        "quota.released" v 1 "release" => QuotaReleased(QuotaEntry),
        /// A build would exceed the quota.
        "quota.denied" v 1 "reserve" => QuotaDenied(QuotaEntry),
        /// A bound on an organization, a group or a template changed.
        "quota.cap.set" v 1 "write" => QuotaCapSet(CapSet),
        /// A bound was lifted.
        "quota.cap.removed" v 1 "delete" => QuotaCapRemoved(Bare),
        /// A budget over time changed.
        "quota.budget.set" v 1 "write" => QuotaBudgetSet(BudgetSet),
        /// A budget was lifted.
        "quota.budget.removed" v 1 "delete" => QuotaBudgetRemoved(Bare),
        /// Most of a budget is used.
        "quota.budget.warned" v 1 "warn" => QuotaBudgetWarned(BudgetWarned),
        /// How an organization counts changed.
        "quota.settings.changed" v 1 "write" => QuotaSettingsChanged(QuotaSettings),
    }
}

/// Payload of `quota.allowance.set`; the resource is the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AllowanceSet {
    /// Daily credits per member.
    pub allowance: u32,
}

/// Payload of the ledger's entries: the sums the decision used. The resource is the quota of one user in one
/// organization, `<organization>/<user id>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuotaEntry {
    /// Sum of the allowances that applied.
    #[serde(default)]
    pub allowance: u64,
    /// The allowances, group by group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowances: Vec<AllowanceShare>,
    /// The budgets over time that were looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<BudgetSum>,
    /// Build it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_number: Option<u32>,
    /// The bounds that were looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<CapSum>,
    /// Credits per day of what the workspace's last finished build left running, from this entry on. Absent from other
    /// systems' entries: then `cost` is in use after `quota.committed`, and nothing after `quota.released`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<u64>,
    /// Credits in use before, by all workspaces of the user in the organization.
    #[serde(default)]
    pub consumed: u64,
    /// Credits per day of this build.
    #[serde(default)]
    pub cost: u64,
    /// Whether the organization has allowances: without any, nothing is bounded by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforced: Option<bool>,
    /// Of `consumed`, what other workspaces than this one use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<u64>,
    /// Credits that come back with this entry, of those that counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<u64>,
    /// Credits per day set aside for the workspace's build in progress, from this entry on; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<u64>,
    /// Whether the workspace runs from this entry on: a stopped one may still cost something. Absent from other systems'
    /// entries: then it does after `quota.committed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<bool>,
    /// Template of the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_name: Option<String>,
    /// What the build does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// Addresses of resources whose costs nobody knows. They are not in `cost`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// User id of whose quota it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Workspace it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_name: Option<String>,
}

/// What a user may use because of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AllowanceShare {
    /// Daily credits.
    pub allowance: u64,
    /// Group id.
    pub group_id: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
}

/// A bound that a decision looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapSum {
    /// What it bounds: credits per day, or a number of workspaces.
    pub bounds: CapKind,
    /// What is used of it by everything else.
    pub consumed: u64,
    /// Its value.
    pub limit: u64,
    /// Id of the group or template; absent for the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_id: Option<String>,
    /// Whether it let the build pass.
    pub within: bool,
}

/// A budget that a decision looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetSum {
    /// Id of the budget.
    pub budget: String,
    /// Credit-hours of the period.
    pub credit_hours: u64,
    /// Whether nothing starts once it is used up.
    pub hard: bool,
    /// `day` or `month`.
    pub period: Period,
    /// When the period began.
    pub since: Timestamp,
    /// Thousandths of credit-hours used in it so far.
    pub used_thousandths: u64,
    /// Whether it let the build pass.
    pub within: bool,
}

/// What a cap bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CapKind {
    /// Credits per day of all workspaces in the organization.
    OrganizationCredits,
    /// Credits per day of the workspaces of a group's members.
    GroupCredits,
    /// Workspaces made from a template.
    TemplateWorkspaces,
    /// Workspaces that one user has made from a template.
    TemplateWorkspacesPerUser,
}

impl CapKind {
    /// Every kind.
    pub const ALL: &[Self] =
        &[Self::OrganizationCredits, Self::GroupCredits, Self::TemplateWorkspaces, Self::TemplateWorkspacesPerUser];

    /// Its JSON name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrganizationCredits => "organization_credits",
            Self::GroupCredits => "group_credits",
            Self::TemplateWorkspaces => "template_workspaces",
            Self::TemplateWorkspacesPerUser => "template_workspaces_per_user",
        }
    }

    /// Looks a kind up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

/// Payload of `quota.cap.set`; the resource is the cap, `<organization>/<bounds>` or
/// `<organization>/<bounds>/<subject id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapSet {
    /// What it bounds.
    pub bounds: CapKind,
    /// Most credits per day, or most workspaces.
    pub limit: u64,
    /// Id of the group or template; absent for the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_id: Option<String>,
}

/// Payload of `quota.budget.set`; the resource is the budget, `<organization>/<subject kind>/<subject id>/<period>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetSet {
    /// Credit-hours per period.
    pub credit_hours: u64,
    /// Refuse beyond it, or only warn.
    #[serde(default)]
    pub hard: bool,
    /// `day` or `month`.
    pub period: Period,
    /// Id of the user or group; absent for the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_id: Option<String>,
    /// Whose budget it is; absent means the organization's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_kind: Option<BudgetSubject>,
}

/// Payload of `quota.budget.warned`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetWarned {
    /// Credit-hours of the period.
    pub credit_hours: u64,
    /// Share that the warning is given at, in percent.
    pub percent: u32,
    /// When the period began.
    pub since: Timestamp,
    /// Thousandths of credit-hours used in it so far.
    pub used_thousandths: u64,
}

/// How long a budget lasts, by the calendar of its organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A day.
    Day,
    /// A month.
    Month,
}

impl Period {
    /// Its JSON name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// Looks a period up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Day, Self::Month].into_iter().find(|period| period.as_str() == name)
    }
}

/// Whose a budget is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetSubject {
    /// A user's.
    User,
    /// That of all members of a group together.
    Group,
    /// That of all in the organization together.
    Organization,
}

impl BudgetSubject {
    /// Its JSON name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Organization => "organization",
        }
    }

    /// Looks a kind of subject up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::Group, Self::Organization].into_iter().find(|subject| subject.as_str() == name)
    }
}

/// Payload of `quota.settings.changed`: how an organization counts. The resource is `quota-settings/<organization>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct QuotaSettings {
    /// Time zone of its days and months, such as `Europe/Berlin`; UTC without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What is done with builds whose costs are not all known.
    pub unknown_costs: UnknownCosts,
}

/// What is done with a build that has resources whose costs nobody knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownCosts {
    /// It starts; the entry names them.
    #[default]
    Allow,
    /// It does not start.
    Refuse,
}

impl UnknownCosts {
    /// Its JSON name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Refuse => "refuse",
        }
    }

    /// Looks a rule up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Allow, Self::Refuse].into_iter().find(|rule| rule.as_str() == name)
    }
}
