//! What the policies promise.

mod borders;
mod browser_only;
mod cost;
mod documents;
mod published;
mod recorded;
mod roles;
mod scopes;
mod simulate;
mod templates;

use crate::{Context, Permission, PolicySet, Principal, PublishedPolicy, Resource, User};

/// The built-in policies alone.
fn built_in() -> PolicySet {
    PolicySet::new(&[], &[]).unwrap()
}

/// The built-in policies and one more.
fn with(text: &str) -> PolicySet {
    PolicySet::new(&[policy("extra", text)], &[]).unwrap()
}

fn policy(id: &str, text: &str) -> PublishedPolicy {
    PublishedPolicy { id: id.to_owned(), version: 3, text: text.to_owned() }
}

/// Whether a user may.
fn may(policies: &PolicySet, user: &User, permission: Permission, resource: &Resource) -> bool {
    policies.allows(&Principal::User(user.clone()), permission, resource, &Context::default())
}

fn thing(organization: Option<&str>) -> Resource {
    Resource::Thing { kind: "group".to_owned(), id: "g".to_owned(), organization: organization.map(str::to_owned) }
}

fn workspace(organization: &str, owner: &str) -> Resource {
    let (organization, owner) = (Some(organization.to_owned()), Some(owner.to_owned()));
    Resource::Workspace { id: "w".to_owned(), organization, owner, template: None }
}
