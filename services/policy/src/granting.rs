//! Who may give which role: nobody gives what they do not have.

use std::collections::BTreeSet;

use crate::builtin::BUILT_IN_ROLES;
use crate::{Context, Permission, PolicyError, PolicySet, Principal, Resource, User};

/// Why a role may not be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// No such role.
    #[error("there is no role `{0}`")]
    UnknownRole(String),
    /// The giver lacks permissions there: to give roles at all, or some of the role's.
    #[error("whoever gives a role needs its permissions; missing: {}", names(.0))]
    Lacks(BTreeSet<Permission>),
    /// The permissions of the role cannot be told.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl PolicySet {
    /// What a role gives, deployment-wide or in an organization, apart from published policies.
    pub fn permissions_of(&self, role: &str, organization: Option<&str>) -> Result<BTreeSet<Permission>, GrantRefusal> {
        let custom: Vec<_> = self.roles.get(role).cloned().into_iter().collect();
        if custom.is_empty() && !BUILT_IN_ROLES.contains(&role) {
            return Err(GrantRefusal::UnknownRole(role.to_owned()));
        }
        let (holder, resource) = match organization {
            None => (User::default().with_role(role), Resource::Deployment),
            Some(name) => (User::default().with_role_in(name, role), Resource::organization(name)),
        };
        let (holder, context, roles) = (Principal::User(holder), Context::default(), Self::new(&[], &custom)?);
        let given = |permission: &Permission| roles.allows(&holder, *permission, &resource, &context);
        Ok(Permission::ALL.iter().copied().filter(given).collect())
    }

    /// Whether the principal may give a role, or take it away: they need `users:write` there and every permission
    /// that the role gives, so that nobody makes themselves more than they are.
    pub fn may_grant(
        &self,
        principal: &Principal,
        context: &Context,
        role: &str,
        organization: Option<&str>,
    ) -> Result<(), GrantRefusal> {
        let mut needed = self.permissions_of(role, organization)?;
        needed.insert(Permission::UsersWrite);
        let resource = organization.map_or(Resource::Deployment, Resource::organization);
        needed.retain(|permission| !self.allows(principal, *permission, &resource, context));
        if needed.is_empty() { Ok(()) } else { Err(GrantRefusal::Lacks(needed)) }
    }
}

fn names(permissions: &BTreeSet<Permission>) -> String {
    permissions.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(", ")
}
