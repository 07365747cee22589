//! What would be if: who could do something, and what other policies would have changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Context, Decision, Permission, PolicyRef, PolicySet, Principal, Request, Resource};

/// Most different changes that a comparison lists; more are counted only.
pub const MAX_CHANGES: usize = 1_000;

/// One who may, and by which policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder<'a> {
    /// Who.
    pub principal: &'a Principal,
    /// The policies that permit it.
    pub policies: Vec<PolicyRef>,
}

/// Which of `principals` may do something.
pub fn who_can<'a>(
    policies: &PolicySet,
    principals: impl IntoIterator<Item = &'a Principal>,
    permission: Permission,
    resource: &Resource,
    context: &Context,
) -> Vec<Holder<'a>> {
    let holder = |principal: &'a Principal| {
        let decision = policies.evaluate(&Request { principal, permission, resource, context });
        decision.allowed.then_some(Holder { principal, policies: decision.policies })
    };
    principals.into_iter().filter_map(holder).collect()
}

/// A request as it was made, once or several times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedRequest {
    /// Who asked, with what they had at the time.
    pub principal: Principal,
    /// What for.
    pub permission: Permission,
    /// What it was about.
    pub resource: Resource,
    /// Under which circumstances.
    #[serde(default)]
    pub context: Context,
    /// How often.
    #[serde(default = "once")]
    pub count: u64,
}

/// What other policies would have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// How many requests were looked at.
    pub requests: u64,
    /// How many were allowed and would be denied.
    pub newly_denied: u64,
    /// How many were denied and would be allowed.
    pub newly_allowed: u64,
    /// The changes, the most frequent first; at most [`MAX_CHANGES`].
    pub changes: Vec<Change>,
    /// How many requests changed in ways that are not listed, because the list is full.
    pub unlisted: u64,
}

/// Equal requests that would be answered otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `user`, `token` or `connection`.
    pub principal_kind: &'static str,
    /// Id of who asked.
    pub principal_id: String,
    /// What for.
    pub permission: Permission,
    /// What it was about, such as `workspace/7`.
    pub resource: String,
    /// Whether it would be allowed now.
    pub allowed: bool,
    /// How many such requests there were.
    pub count: u64,
    /// What determined the first of them with the old policies.
    pub before: Vec<PolicyRef>,
    /// What determines it with the new ones.
    pub after: Vec<PolicyRef>,
}

/// Answers recorded requests with two sets of policies and reports where the answers differ.
pub fn compare(old: &PolicySet, new: &PolicySet, requests: impl Iterator<Item = RecordedRequest>) -> Comparison {
    let mut comparison = Comparison::default();
    let mut changes: BTreeMap<_, Change> = BTreeMap::new();
    for recorded in requests {
        let request = recorded.request();
        let (before, after) = (old.evaluate(&request), new.evaluate(&request));
        comparison.requests += recorded.count;
        if before.allowed == after.allowed {
            continue;
        }
        let total = if after.allowed { &mut comparison.newly_allowed } else { &mut comparison.newly_denied };
        *total += recorded.count;
        let change = recorded.change(before, after);
        let key = (change.principal_kind, change.principal_id.clone(), change.permission, change.resource.clone());
        let full = changes.len() >= MAX_CHANGES;
        match changes.get_mut(&(key.clone(), change.allowed)) {
            Some(known) => known.count += change.count,
            None if full => comparison.unlisted += change.count,
            None => {
                changes.insert((key, change.allowed), change);
            }
        }
    }
    comparison.changes = changes.into_values().collect();
    comparison.changes.sort_by_key(|change| std::cmp::Reverse(change.count));
    comparison
}

impl RecordedRequest {
    /// The question it was.
    pub fn request(&self) -> Request<'_> {
        Request {
            principal: &self.principal,
            permission: self.permission,
            resource: &self.resource,
            context: &self.context,
        }
    }

    fn change(&self, before: Decision, after: Decision) -> Change {
        Change {
            principal_kind: self.principal.kind(),
            principal_id: self.principal.id().to_owned(),
            permission: self.permission,
            resource: self.resource.to_string(),
            allowed: after.allowed,
            count: self.count,
            before: before.policies,
            after: after.policies,
        }
    }
}

const fn once() -> u64 {
    1
}
