//! Given, when, then.

use super::*;
use crate::attributes::Attributes;
use crate::decision::tests::{context, told};
use crate::time::Timestamp;

fn role(name: &str) -> MappedRole {
    MappedRole { organization: Some("eng".into()), role: name.into() }
}

fn held(name: &str, by_group: bool) -> HeldRole {
    HeldRole { role: role(name), by_group }
}

fn user(status: UserStatus) -> DirectoryUser {
    DirectoryUser {
        id: "u".into(),
        username: "ada".into(),
        display_name: None,
        email: None,
        organization: None,
        connection: None,
        attributes: Attributes::new(),
        status,
        removed: false,
        delete_at: None,
        own: true,
        version: 1,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

fn definition(name: &str) -> RoleDefinition {
    RoleDefinition { description: None, name: name.into(), permissions: vec!["workspace.read".into()] }
}

#[test]
fn a_role_is_given_once_and_taken_only_from_who_has_it() {
    let user = user(UserStatus::Active);
    let assign = |name, held: &[HeldRole]| AssignRole { role: role(name) }.decide(&user, held, None, context(1));
    let events = assign("auditor", &[]).unwrap();
    assert_eq!(told(&events), ["role.assigned u"]);
    assert_eq!(events[0].organization.as_deref(), Some("eng"));
    assert_eq!(assign("auditor", &[held("auditor", false)]), Ok(vec![]));
    assert_eq!(told(&assign("auditor", &[held("auditor", true)]).unwrap()), ["role.assigned u"]);
    assert_eq!(assign("reader", &[]), Err(Refusal::Unknown("role")));
    let custom = CustomRole { name: "reader".into(), description: None, permissions: vec![], version: 1 };
    assert!(AssignRole { role: role("reader") }.decide(&user, &[], Some(&custom), context(1)).is_ok());

    let revoke = |held: &[HeldRole]| RevokeRole { role: role("auditor") }.decide(&user, held, context(1));
    assert_eq!(told(&revoke(&[held("auditor", false)]).unwrap()), ["role.revoked u"]);
    assert_eq!(revoke(&[held("owner", false)]), Err(Refusal::Unknown("role of this user")));
}

#[test]
fn nobody_deals_with_roles_of_the_deleted() {
    let gone = user(UserStatus::Deleted);
    let assigned = AssignRole { role: role("owner") }.decide(&gone, &[], None, context(1));
    assert_eq!(assigned, Err(Refusal::Unknown("user")));
}

#[test]
fn a_custom_role_has_a_name_of_its_own_and_permissions() {
    let define = |definition| DefineRole { definition }.decide(None, context(1));
    assert_eq!(told(&define(definition("reader")).unwrap()), ["role.defined reader"]);
    for bad in ["owner", "Reader", ""] {
        assert!(matches!(define(definition(bad)), Err(Refusal::Invalid { field: "name", .. })), "{bad}");
    }
    let empty = RoleDefinition { permissions: vec![], ..definition("reader") };
    assert!(matches!(define(empty), Err(Refusal::Invalid { field: "permissions", .. })));
    let permissions = vec!["workspace.read".into()];
    let present = CustomRole { name: "reader".into(), description: None, permissions, version: 1 };
    assert_eq!(DefineRole { definition: definition("reader") }.decide(Some(&present), context(1)), Ok(vec![]));
    assert_eq!(told(&present.withdraw(context(1))), ["role.withdrawn reader"]);
}

#[test]
fn changed_mappings_move_only_the_roles_that_came_with_groups() {
    let mappings = [GroupMapping { group: "Ops".into(), roles: vec![role("owner"), role("member")] }];
    let user = MappedUser {
        id: "u".into(),
        username: Some("ada".into()),
        held: vec![held("auditor", true), held("user-admin", false), held("member", false)],
        groups: vec!["ops".into(), "others".into()],
    };
    let events = remap(&user, &mappings, context(1));
    assert_eq!(told(&events), ["role.revoked u", "role.assigned u"]);
    assert_eq!((&events[0].data["role"], &events[1].data["role"]), (&"auditor".into(), &"owner".into()));
    assert_eq!(events[1].data["by_group"], true);
}
