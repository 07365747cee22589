//! Scopes of tokens only take away.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{built_in, thing, with, workspace};
use crate::builtin::BUILT_IN_ROLES;
use crate::{Bearer, Context, Permission, PolicySet, Principal, Resource, Scope, User};

/// What scopes cover, said once more.
fn covers(scopes: &BTreeSet<Scope>, permission: Permission) -> bool {
    let name = permission.as_str();
    scopes.iter().any(|scope| match scope {
        Scope::Admin => true,
        Scope::Ingest => name == "events:write",
        Scope::Scim => name == "scim:push",
        Scope::Read => name.ends_with(":read") || name == "audit:export" || name == "policies:simulate",
    })
}

fn scope_sets() -> Vec<BTreeSet<Scope>> {
    let picked = |bits: usize| Scope::ALL.iter().enumerate().filter(move |(n, _)| bits >> n & 1 == 1);
    (0..16).map(|bits| picked(bits).map(|(_, scope)| *scope).collect()).collect()
}

fn limited(scopes: &BTreeSet<Scope>) -> Context {
    Context { scopes: Some(scopes.clone()), ..Context::default() }
}

#[test]
fn a_token_without_an_owner_does_exactly_what_its_scopes_cover() {
    let bearer = |scopes: &BTreeSet<Scope>| Bearer { id: "t".to_owned(), scopes: scopes.clone() };
    // Also if a policy is generous.
    for policies in [built_in(), with("permit (principal, action, resource);")] {
        for scopes in scope_sets() {
            for principal in [Principal::Token(bearer(&scopes)), Principal::Connection(bearer(&scopes))] {
                for permission in Permission::ALL {
                    for resource in [Resource::Deployment, thing(Some("acme"))] {
                        let allowed = policies.allows(&principal, *permission, &resource, &Context::default());
                        assert_eq!(allowed, covers(&scopes, *permission), "{principal:?} {permission}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_connections_token_does_what_both_may() {
    let policies = built_in();
    for own in scope_sets() {
        let connection = Principal::Connection(Bearer { id: "c".to_owned(), scopes: own.clone() });
        for scopes in scope_sets() {
            for permission in Permission::ALL {
                let allowed = policies.allows(&connection, *permission, &Resource::Deployment, &limited(&scopes));
                assert_eq!(allowed, covers(&own, *permission) && covers(&scopes, *permission));
            }
        }
    }
}

#[test]
fn a_token_may_ask_about_itself() {
    let scopes = BTreeSet::from([Scope::Read]);
    let token = Principal::Token(Bearer { id: "t".to_owned(), scopes: scopes.clone() });
    let itself = Resource::Token { id: "t".to_owned(), owner: None, scopes };
    assert!(built_in().allows(&token, Permission::TokensRead, &itself, &Context::default()));
    assert!(!built_in().allows(&token, Permission::TokensWrite, &itself, &Context::default()));
}

fn check(policies: &PolicySet, user: &User, permission: Permission, scopes: &BTreeSet<Scope>) -> bool {
    let principal = Principal::User(user.clone());
    [Resource::Deployment, thing(Some("acme")), workspace("acme", "u")].iter().all(|resource| {
        let free = policies.allows(&principal, permission, resource, &Context::default());
        let bound = policies.allows(&principal, permission, resource, &limited(scopes));
        bound == (free && covers(scopes, permission))
    })
}

proptest! {
    #[test]
    fn a_users_token_does_what_the_user_and_its_scopes_allow(
        everywhere in prop::collection::btree_set(prop::sample::select(BUILT_IN_ROLES), 0..3),
        scoped in prop::collection::btree_set(prop::sample::select(BUILT_IN_ROLES), 0..3),
        permission in prop::sample::select(Permission::ALL),
        scopes in prop::sample::select(scope_sets()),
    ) {
        let user = everywhere.into_iter().fold(User::new("u"), User::with_role);
        let user = scoped.into_iter().fold(user, |user, role| user.with_role_in("acme", role));
        prop_assert!(check(&built_in(), &user, permission, &scopes));
    }
}
