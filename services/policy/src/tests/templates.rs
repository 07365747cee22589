//! Access to templates.

use std::collections::BTreeSet;

use super::{built_in, may};
use crate::{Access, Permission, Resource, Template, User};

fn users(id: &str) -> Access {
    Access { users: BTreeSet::from([id.to_owned()]), ..Access::default() }
}

fn groups(id: &str) -> Access {
    Access { groups: BTreeSet::from([id.to_owned()]), ..Access::default() }
}

fn everyone() -> Access {
    Access { everyone: true, ..Access::default() }
}

fn template(users: Access, admins: Access) -> Resource {
    Resource::Template(Template { id: "t".to_owned(), organization: Some("acme".to_owned()), users, admins })
}

/// Of read, use and write, what a user may.
fn rights(user: &User, resource: &Resource) -> [bool; 3] {
    let policies = built_in();
    for permission in Permission::ALL.iter().filter(|permission| permission.area() != "templates") {
        assert!(!may(&policies, user, *permission, resource) || *permission == Permission::OrganizationsRead);
    }
    [Permission::TemplatesRead, Permission::TemplatesUse, Permission::TemplatesWrite]
        .map(|permission| may(&policies, user, permission, resource))
}

const NOTHING: [bool; 3] = [false, false, false];
const USE: [bool; 3] = [true, true, false];
const ADMIN: [bool; 3] = [true, true, true];

#[test]
fn who_was_given_a_template_uses_it() {
    let user = User::new("u").with_group("g");
    for (access, expected) in [
        (users("u"), USE),
        (users("v"), NOTHING),
        (groups("g"), USE),
        (groups("h"), NOTHING),
        // Ids of users and groups are different things.
        (users("g"), NOTHING),
        (groups("u"), NOTHING),
        (Access::default(), NOTHING),
    ] {
        assert_eq!(rights(&user, &template(access.clone(), Access::default())), expected, "{access:?}");
        let expected = if expected == USE { ADMIN } else { NOTHING };
        assert_eq!(rights(&user, &template(Access::default(), access.clone())), expected, "{access:?}");
    }
}

#[test]
fn everyone_is_every_member_of_the_templates_organization() {
    let for_use = template(everyone(), Access::default());
    let for_admin = template(Access::default(), everyone());
    for (user, member) in [
        (User::new("u"), false),
        (User::new("u").with_role_in("acme", "member"), true),
        (User::new("u").with_role("member"), true),
        (User::new("u").with_role_in("beta", "member"), false),
        (User::new("u").with_role_in("acme", "unheard-of"), false),
    ] {
        assert_eq!(rights(&user, &for_use), if member { USE } else { NOTHING }, "{user:?}");
        assert_eq!(rights(&user, &for_admin), if member { ADMIN } else { NOTHING }, "{user:?}");
    }
}
