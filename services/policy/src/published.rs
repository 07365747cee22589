//! Policies that administrators publish at run time.

use std::collections::BTreeSet;

use cedar_policy::{Policy, PolicySet as CedarSet, ValidationMode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::builtin::{foundation, numbered};
use crate::error::{Finding, PolicyError};
use crate::nesting;

/// Most published policies.
pub const MAX_POLICIES: usize = 100;
/// Most bytes of one policy's text.
pub const MAX_TEXT: usize = 16 * 1024;
/// Most `permit` and `forbid` rules of all published policies together.
pub const MAX_RULES: usize = 500;

/// Most findings that are told.
const MAX_FINDINGS: usize = 20;

/// A published policy in one of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPolicy {
    /// Letters, digits, `.`, `_` and `-`.
    pub id: String,
    /// Version from 1.
    pub version: u64,
    /// Its Cedar text: one or more `permit` and `forbid` rules.
    pub text: String,
}

impl PublishedPolicy {
    /// Lower-case hex SHA-256 of its text.
    pub fn sha256(&self) -> String {
        format!("{:x}", Sha256::digest(&self.text))
    }

    /// Whether it may be published: the answer is what is strange about it, such as a rule that never applies.
    pub fn check(&self) -> Result<Vec<Finding>, PolicyError> {
        self.read().map(|(_, strange)| strange)
    }

    /// Its rules, and what is strange about them.
    pub(crate) fn read(&self) -> Result<(Vec<Policy>, Vec<Finding>), PolicyError> {
        if !is_policy_id(&self.id) {
            return Err(PolicyError::Id(self.id.clone()));
        }
        if self.text.len() > MAX_TEXT {
            return Err(PolicyError::TooLong { id: self.id.clone(), bytes: self.text.len(), limit: MAX_TEXT });
        }
        nesting::check(&self.text).map_err(|finding| self.invalid(vec![finding]))?;
        let set: CedarSet = self.text.parse().map_err(|errors: cedar_policy::ParseErrors| {
            self.invalid(errors.iter().map(|error| Finding::of_diagnostic(&self.text, error)).collect())
        })?;
        if set.num_of_templates() > 0 {
            let message = "`?principal` and `?resource` have no meaning here: name the principal or resource";
            return Err(self.invalid(vec![Finding::of_text(message)]));
        }
        if set.num_of_policies() == 0 {
            return Err(self.invalid(vec![Finding::of_text("there is no `permit` and no `forbid` in it")]));
        }
        let result = foundation()?.validator.validate(&set, ValidationMode::Strict);
        if !result.validation_passed() {
            let errors = result.validation_errors();
            return Err(self.invalid(errors.map(|error| Finding::of_diagnostic(&self.text, error)).collect()));
        }
        let strange = result.validation_warnings().map(|warning| Finding::of_diagnostic(&self.text, warning));
        Ok((numbered(&self.id, &set), sorted(strange.collect())))
    }

    fn invalid(&self, findings: Vec<Finding>) -> PolicyError {
        PolicyError::Invalid { id: self.id.clone(), version: self.version, findings: sorted(findings) }
    }
}

/// In the order of the text, each once and not too many: Cedar says some for each type of resource.
fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
    findings.dedup();
    findings.truncate(MAX_FINDINGS);
    findings
}

/// Whether policies can stand beside each other.
pub(crate) fn check(policies: &[PublishedPolicy]) -> Result<(), PolicyError> {
    if policies.len() > MAX_POLICIES {
        return Err(PolicyError::TooMany { what: "policies", number: policies.len(), limit: MAX_POLICIES });
    }
    let mut ids = BTreeSet::new();
    match policies.iter().find(|policy| !ids.insert(&policy.id)) {
        Some(policy) => Err(PolicyError::Duplicate(policy.id.clone())),
        None => Ok(()),
    }
}

/// The ids of other policies have a colon in them, so that none of these is taken for one.
fn is_policy_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
