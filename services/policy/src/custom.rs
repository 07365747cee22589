//! Roles that a deployment defines for itself.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::builtin::BUILT_IN_ROLES;
use crate::error::PolicyError;
use crate::permission::{Permission, Reach};

/// Most custom roles.
pub const MAX_ROLES: usize = 100;

/// A role as data: a name for a set of permissions. Like the built-in ones it is given deployment-wide or in one
/// organization, where it gives those of its permissions that can be limited to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomRole {
    /// Lower-case letters, digits and `-`.
    pub name: String,
    /// What it gives.
    pub permissions: BTreeSet<Permission>,
    /// Grows with every definition; decisions name it.
    #[serde(default)]
    pub version: u64,
}

impl CustomRole {
    /// The Cedar policy that gives its permissions; empty if it has none.
    pub fn to_cedar(&self) -> String {
        let Self { name, .. } = self;
        let everywhere = list(self.permissions.iter())
            .map(|actions| format!("permit (principal in Role::\"{name}\", action in {actions}, resource);\n"));
        let scoped = list(self.permissions.iter().filter(|permission| permission.reach() == Reach::Organization));
        let scoped = scoped.map(|actions| {
            format!(
                "\npermit (principal is User, action in {actions}, resource)\nwhen {{ principal.hasTag(\"{name}\") && \
                 resource in principal.getTag(\"{name}\") }};\n"
            )
        });
        everywhere.into_iter().chain(scoped).collect()
    }
}

/// A list of actions; none if it is empty.
fn list<'a>(permissions: impl Iterator<Item = &'a Permission>) -> Option<String> {
    let actions: Vec<String> = permissions.map(|permission| format!("Action::\"{permission}\"")).collect();
    if actions.is_empty() { None } else { Some(format!("[{}]", actions.join(", "))) }
}

/// Whether roles can stand beside each other and the built-in ones.
pub(crate) fn check(roles: &[CustomRole]) -> Result<(), PolicyError> {
    if roles.len() > MAX_ROLES {
        return Err(PolicyError::TooMany { what: "custom roles", number: roles.len(), limit: MAX_ROLES });
    }
    let mut names = BTreeSet::new();
    for CustomRole { name, .. } in roles {
        if !is_role_name(name) {
            return Err(PolicyError::RoleName(name.clone()));
        }
        if BUILT_IN_ROLES.contains(&name.as_str()) || !names.insert(name) {
            return Err(PolicyError::RoleTaken(name.clone()));
        }
    }
    Ok(())
}

fn is_role_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
