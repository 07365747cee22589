//! What each role gives, written down a second time and by hand.

use std::collections::BTreeSet;

use super::{built_in, may, thing};
use crate::builtin::BUILT_IN_ROLES;
use crate::{Context, CustomRole, GrantRefusal, Permission, PolicyError, PolicySet, Principal, Resource, User};

/// Permission, then for owner, auditor, user-admin, template-admin and member: `A` deployment-wide and in an
/// organization, `D` deployment-wide only, `-` not at all.
const EXPECTED: &[(&str, &str)] = &[
    ("audit:read", "AA---"),
    ("audit:export", "AA---"),
    ("events:write", "D----"),
    ("users:read", "AAAA-"),
    ("users:write", "A-A--"),
    ("groups:read", "AAAA-"),
    ("groups:write", "A-A--"),
    ("organizations:read", "AAAAA"),
    ("organizations:write", "A----"),
    ("templates:read", "AA-A-"),
    ("templates:write", "A--A-"),
    ("templates:use", "A--A-"),
    ("workspaces:read", "AA-A-"),
    ("workspaces:write", "A----"),
    ("workspaces:state", "A----"),
    ("sessions:read", "AAA--"),
    ("sessions:connect", "A----"),
    ("sessions:write", "A----"),
    ("quotas:read", "AAAA-"),
    ("quotas:write", "A-A--"),
    ("runners:read", "AA-A-"),
    ("runners:write", "A----"),
    ("runners:run", "A----"),
    ("tokens:read", "DDD--"),
    ("tokens:write", "D----"),
    ("own-tokens:write", "D----"),
    ("connections:read", "DDD--"),
    ("connections:write", "D----"),
    ("scim:push", "D----"),
    ("roles:read", "DDD--"),
    ("roles:write", "D----"),
    ("policies:read", "DD---"),
    ("policies:write", "D----"),
    ("policies:simulate", "DD---"),
    ("settings:read", "DD---"),
    ("settings:write", "D----"),
    ("operations:read", "DD---"),
];

#[test]
fn every_role_gives_what_is_expected_and_nothing_else() {
    let policies = built_in();
    let names: Vec<&str> = EXPECTED.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, Permission::ALL.iter().map(|permission| permission.as_str()).collect::<Vec<_>>());
    for (name, expected) in EXPECTED {
        let permission = Permission::parse(name).unwrap();
        for (role, expected) in BUILT_IN_ROLES.iter().zip(expected.chars()) {
            let everywhere = User::new("u").with_role(*role);
            let scoped = User::new("u").with_role_in("acme", *role);
            let both = [Resource::Deployment, Resource::organization("acme"), thing(Some("acme")), thing(None)];
            for resource in &both {
                let label = format!("{role} {name} {resource}");
                assert_eq!(may(&policies, &everywhere, permission, resource), expected != '-', "{label}");
            }
            for resource in &both[1..3] {
                let label = format!("{role} of acme {name} {resource}");
                assert_eq!(may(&policies, &scoped, permission, resource), expected == 'A', "{label}");
            }
        }
    }
}

#[test]
fn nobody_may_do_anything_without_a_reason() {
    let policies = built_in();
    for user in [User::new("u"), User::new("u").with_role("unheard-of"), User::new("u").with_role("Owner")] {
        for permission in Permission::ALL {
            for resource in [Resource::Deployment, Resource::organization("acme"), thing(Some("acme"))] {
                assert!(!may(&policies, &user, *permission, &resource), "{permission} {resource}");
            }
        }
    }
}

#[test]
fn a_custom_role_gives_its_permissions_deployment_wide_or_in_an_organization() {
    let permissions = BTreeSet::from([Permission::UsersRead, Permission::SettingsRead]);
    let role = CustomRole { name: "help-desk".to_owned(), permissions, version: 7 };
    let policies = PolicySet::new(&[], std::slice::from_ref(&role)).unwrap();
    let everywhere = User::new("u").with_role("help-desk");
    let scoped = User::new("u").with_role_in("acme", "help-desk");
    for permission in Permission::ALL {
        let given = role.permissions.contains(permission);
        assert_eq!(may(&policies, &everywhere, *permission, &Resource::Deployment), given);
        let limited = *permission == Permission::UsersRead;
        assert_eq!(may(&policies, &scoped, *permission, &thing(Some("acme"))), limited);
        assert!(!may(&policies, &scoped, *permission, &Resource::Deployment));
        assert!(!may(&policies, &scoped, *permission, &thing(Some("other"))));
        assert!(!may(&built_in(), &everywhere, *permission, &Resource::Deployment));
    }
    let request = crate::Request {
        principal: &Principal::User(scoped),
        permission: Permission::UsersRead,
        resource: &thing(Some("acme")),
        context: &Context::default(),
    };
    assert_eq!(policies.evaluate(&request).policies, [crate::PolicyRef::new("role:help-desk", 7)]);
}

#[test]
fn a_custom_role_may_be_empty_but_has_a_name_of_its_own() {
    let role = |name: &str| CustomRole { name: name.to_owned(), permissions: BTreeSet::new(), version: 1 };
    assert!(PolicySet::new(&[], &[role("a"), role("b-2")]).is_ok());
    let refused = |roles: &[CustomRole]| PolicySet::new(&[], roles).unwrap_err();
    assert_eq!(refused(&[role("a"), role("a")]), PolicyError::RoleTaken("a".to_owned()));
    assert_eq!(refused(&[role("owner")]), PolicyError::RoleTaken("owner".to_owned()));
    for name in ["", "A", "a b", "x\", resource); permit(principal, action, resource); //", &"a".repeat(65)] {
        assert_eq!(refused(&[role(name)]), PolicyError::RoleName(name.to_owned()));
    }
    let many: Vec<CustomRole> = (0..=crate::MAX_ROLES).map(|n| role(&format!("r{n}"))).collect();
    assert!(matches!(refused(&many), PolicyError::TooMany { .. }));
}

#[test]
fn nobody_gives_a_role_that_is_more_than_they_have() {
    let (policies, context) = (built_in(), Context::default());
    let grant = |user: User, role: &str, organization: Option<&str>| {
        policies.may_grant(&Principal::User(user), &context, role, organization)
    };
    let user_admin = || User::new("u").with_role("user-admin");
    assert_eq!(grant(user_admin(), "member", None), Ok(()));
    assert_eq!(grant(user_admin(), "user-admin", Some("acme")), Ok(()));
    assert_eq!(grant(User::new("u").with_role("owner"), "owner", None), Ok(()));
    assert_eq!(grant(User::new("u").with_role_in("acme", "owner"), "auditor", Some("acme")), Ok(()));
    for role in ["owner", "auditor", "template-admin"] {
        assert!(matches!(grant(user_admin(), role, None), Err(GrantRefusal::Lacks(_))), "{role}");
        assert!(matches!(grant(user_admin(), role, Some("acme")), Err(GrantRefusal::Lacks(_))), "{role}");
    }
    let scoped = User::new("u").with_role_in("acme", "owner");
    assert!(matches!(grant(scoped.clone(), "member", None), Err(GrantRefusal::Lacks(_))));
    assert!(matches!(grant(scoped, "member", Some("other")), Err(GrantRefusal::Lacks(_))));
    // Whoever sees everything still gives no roles.
    let lacking = grant(User::new("u").with_role("auditor"), "auditor", None).unwrap_err();
    assert_eq!(lacking.to_string(), "whoever gives a role needs its permissions; missing: users:write");
    assert_eq!(grant(user_admin(), "king", None), Err(GrantRefusal::UnknownRole("king".to_owned())));
}

#[test]
fn people_look_after_their_own_workspaces_and_tokens() {
    let (policies, me) = (built_in(), User::new("me"));
    let token = |owner: Option<&str>| Resource::Token {
        id: "t".to_owned(),
        owner: owner.map(str::to_owned),
        scopes: BTreeSet::new(),
    };
    for permission in Permission::ALL {
        let own = matches!(
            permission,
            Permission::WorkspacesRead | Permission::WorkspacesWrite | Permission::SessionsConnect
        );
        assert_eq!(may(&policies, &me, *permission, &super::workspace("acme", "me")), own, "{permission}");
        assert!(!may(&policies, &me, *permission, &super::workspace("acme", "you")), "{permission}");
        let own = matches!(permission, Permission::TokensRead | Permission::OwnTokensWrite);
        assert_eq!(may(&policies, &me, *permission, &token(Some("me"))), own, "{permission}");
        assert!(!may(&policies, &me, *permission, &token(Some("you"))), "{permission}");
        assert!(!may(&policies, &me, *permission, &token(None)), "{permission}");
    }
}
