//! The quota ledger.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::event_types;

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
        /// A budget over time changed.
        "quota.budget.set" v 1 "write" => QuotaBudgetSet(BudgetSet),
    }
}

/// Payload of `quota.allowance.set`; the resource is the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AllowanceSet {
    /// Daily credits per member.
    pub allowance: u32,
}

/// Payload of the ledger's entries: the sums the decision used. The resource is the quota of one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuotaEntry {
    /// Sum of the allowances that applied.
    #[serde(default)]
    pub allowance: u32,
    /// Build it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_number: Option<u32>,
    /// Credits in use before.
    #[serde(default)]
    pub consumed: u32,
    /// Credits per day of this build.
    #[serde(default)]
    pub cost: u32,
    /// Workspace it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
}

/// Payload of `quota.budget.set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetSet {
    /// Credit-hours per period.
    pub credit_hours: u64,
    /// Refuse beyond it, or only warn.
    #[serde(default)]
    pub hard: bool,
    /// `day` or `month`.
    pub period: String,
}
