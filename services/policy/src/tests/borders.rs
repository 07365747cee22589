//! The borders between organizations.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{built_in, may, thing, with};
use crate::builtin::BUILT_IN_ROLES;
use crate::{Access, Context, Permission, Principal, Resource, Template, User, Visible};

const ORGANIZATIONS: [&str; 4] = ["acme", "beta", "Acme", "acme "];

fn everything_in(organization: Option<&str>) -> Vec<Resource> {
    let organization_name = organization.map(str::to_owned);
    let mut all = vec![
        thing(organization),
        Resource::Workspace {
            id: "w".to_owned(),
            organization: organization_name.clone(),
            owner: Some("someone".to_owned()),
            template: None,
        },
        Resource::Template(Template {
            id: "t".to_owned(),
            organization: organization_name,
            users: Access { everyone: true, ..Access::default() },
            admins: Access { everyone: true, ..Access::default() },
        }),
    ];
    all.push(organization.map_or(Resource::Deployment, Resource::organization));
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_role_in_an_organization_reaches_nothing_outside_of_it(
        grants in prop::collection::btree_set((0..ORGANIZATIONS.len(), 0..BUILT_IN_ROLES.len()), 0..6),
        permission in prop::sample::select(Permission::ALL),
    ) {
        let policies = built_in();
        let user = grants.iter().fold(User::new("u").with_group("g"), |user, (organization, role)| {
            user.with_role_in(ORGANIZATIONS[*organization], BUILT_IN_ROLES[*role])
        });
        let inside: BTreeSet<&str> = grants.iter().map(|(organization, _)| ORGANIZATIONS[*organization]).collect();
        let outside = ORGANIZATIONS.iter().filter(|name| !inside.contains(*name)).map(|name| Some(*name)).chain([None]);
        for resource in outside.flat_map(everything_in) {
            prop_assert!(!may(&policies, &user, permission, &resource), "{} {}", permission, resource);
        }
        // And inside, each organization's roles give what they give without the others.
        for organization in inside {
            let alone = grants.iter().filter(|(other, _)| ORGANIZATIONS[*other] == organization);
            let alone = alone.fold(User::new("u").with_group("g"), |user, (_, role)| {
                user.with_role_in(organization, BUILT_IN_ROLES[*role])
            });
            for resource in everything_in(Some(organization)) {
                prop_assert_eq!(
                    may(&policies, &user, permission, &resource),
                    may(&policies, &alone, permission, &resource)
                );
            }
        }
    }
}

#[test]
fn a_list_shows_the_organizations_in_which_the_permission_is() {
    let all = ["acme".to_owned(), "beta".to_owned(), "gamma".to_owned()];
    let only = |names: &[&str]| Visible::Only(names.iter().map(|name| (*name).to_owned()).collect());
    let visible = |policies: &crate::PolicySet, user: User| {
        policies.organizations(&Principal::User(user), Permission::AuditRead, &Context::default(), &all)
    };
    let policies = built_in();
    assert_eq!(visible(&policies, User::new("u").with_role("auditor")), Visible::All);
    assert_eq!(visible(&policies, User::new("u")), only(&[]));
    assert!(visible(&policies, User::new("u").with_role("member")).is_nothing());
    let two = User::new("u").with_role_in("acme", "auditor").with_role_in("gamma", "owner");
    assert_eq!(visible(&policies, two.clone()), only(&["acme", "gamma"]));
    assert_eq!(visible(&policies, two.with_role_in("beta", "auditor")), only(&["acme", "beta", "gamma"]));

    let closed = with("forbid (principal, action in Action::\"audit\", resource in Organization::\"beta\");");
    let hidden = Visible::AllBut(BTreeSet::from(["beta".to_owned()]));
    assert_eq!(visible(&closed, User::new("u").with_role("auditor")), hidden);
    let of_beta = visible(&closed, User::new("u").with_role_in("beta", "auditor"));
    assert_eq!(of_beta, only(&[]));
}

#[test]
fn what_is_visible_includes_what_is_in_no_organization_only_deployment_wide() {
    let acme = || BTreeSet::from(["acme".to_owned()]);
    let asked = [Some("acme"), Some("beta"), None];
    assert_eq!(asked.map(|name| Visible::All.includes(name)), [true, true, true]);
    assert_eq!(asked.map(|name| Visible::AllBut(acme()).includes(name)), [false, true, true]);
    assert_eq!(asked.map(|name| Visible::Only(acme()).includes(name)), [true, false, false]);
}
