//! Which organizations a list or a query may show.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Context, Permission, PolicySet, Principal, Resource};

/// What of all organizations a principal may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "visible", content = "organizations", rename_all = "snake_case")]
pub enum Visible {
    /// Everything, also what is in no organization.
    All,
    /// Everything, also what is in no organization, but nothing of these organizations.
    AllBut(BTreeSet<String>),
    /// What is in one of these organizations, and nothing else. None of them: nothing at all.
    Only(BTreeSet<String>),
}

impl Visible {
    /// Whether something is visible that is in this organization, or in none.
    pub fn includes(&self, organization: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(hidden) => organization.is_none_or(|name| !hidden.contains(name)),
            Self::Only(shown) => organization.is_some_and(|name| shown.contains(name)),
        }
    }

    /// Whether nothing is visible.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Only(shown) if shown.is_empty())
    }
}

impl PolicySet {
    /// In which of `all` organizations the principal has a permission.
    pub fn organizations(
        &self,
        principal: &Principal,
        permission: Permission,
        context: &Context,
        all: &[String],
    ) -> Visible {
        let in_organization =
            |name: &String| self.allows(principal, permission, &Resource::organization(name), context);
        let (shown, hidden): (BTreeSet<String>, BTreeSet<String>) = all.iter().cloned().partition(in_organization);
        match self.allows(principal, permission, &Resource::Deployment, context) {
            true if hidden.is_empty() => Visible::All,
            true => Visible::AllBut(hidden),
            false => Visible::Only(shown),
        }
    }
}
