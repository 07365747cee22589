//! Given, when, then.

use serde_json::json;

use super::*;
use crate::decision::tests::{context, told};
use crate::directory::HeldRole;
use crate::events::directory::MappedRole;
use crate::time::Timestamp;

fn named(name: &str) -> Attributes {
    json!({"displayName": name}).as_object().unwrap().clone()
}

pub(super) fn group(name: &str) -> DirectoryGroup {
    DirectoryGroup {
        id: "g".into(),
        name: name.into(),
        display_name: Some(name.into()),
        organization: Some("eng".into()),
        connection: Some("okta".into()),
        attributes: named(name),
        deleted: false,
        everyone: false,
        own: true,
        quota_allowance: 0,
        version: 1,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

pub(super) fn member(id: &str) -> Member {
    Member { id: id.into(), kind: MemberKind::User, name: Some(format!("user {id}")), expires_at: None }
}

fn mapping(group: &str, role: &str) -> GroupMapping {
    GroupMapping { group: group.into(), roles: vec![MappedRole { organization: None, role: role.into() }] }
}

pub(super) fn user(id: &str, groups: &[&str], held: &[&str]) -> MappedUser {
    let role = |role: &&str| HeldRole { role: MappedRole { organization: None, role: (*role).into() }, by_group: true };
    MappedUser {
        id: id.into(),
        username: None,
        held: held.iter().map(role).collect(),
        groups: groups.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn create(name: &str, members: &[&str]) -> CreateGroup {
    CreateGroup {
        id: "n".into(),
        attributes: named(name),
        connection: Some("okta".into()),
        organization: None,
        members: members.iter().map(|id| member(id)).collect(),
        scim_event: None,
    }
}

#[test]
fn a_new_group_has_a_name_and_each_member_once() {
    let events = create("Ops", &["a", "b", "a"]).decide(&[], Mapped::default(), context(1)).unwrap();
    assert_eq!(
        told(&events),
        ["group.created n", "group.member.added n <- group.created", "group.member.added n <- group.created"]
    );
    assert_eq!((&events[0].data["name"], &events[1].data["user_id"]), (&json!("Ops"), &json!("a")));
    let taken = create("OPS", &[]).decide(&[group("ops")], Mapped::default(), context(1));
    assert!(matches!(taken, Err(Refusal::Taken { field: "displayName", .. })));
    let gone = DirectoryGroup { deleted: true, ..group("ops") };
    assert!(create("OPS", &[]).decide(&[gone], Mapped::default(), context(1)).is_ok());
    assert!(create("", &[]).decide(&[], Mapped::default(), context(1)).is_err());
}

#[test]
fn a_group_changes_by_what_differs() {
    let decide = |command: UpdateGroup| command.decide(&group("ops"), &[], Mapped::default(), context(1));
    assert_eq!(decide(UpdateGroup { attributes: Some(named("ops")), ..UpdateGroup::default() }), Ok(vec![]));
    let everything = UpdateGroup {
        attributes: Some(named("operations")),
        join: vec![member("a")],
        leave: vec![member("b")],
        ..UpdateGroup::default()
    };
    let events = decide(everything).unwrap();
    assert_eq!(told(&events), ["group.updated g", "group.member.removed g", "group.member.added g"]);
    assert_eq!(events[0].changes[0].path, "displayName");
    let gone = DirectoryGroup { deleted: true, ..group("ops") };
    let refused = UpdateGroup::default().decide(&gone, &[], Mapped::default(), context(1));
    assert_eq!(refused, Err(Refusal::Unknown("group")));
}

#[test]
fn a_mapped_role_comes_with_the_first_group_and_goes_with_the_last() {
    let mappings = [mapping("Ops", "owner"), mapping("admins", "owner"), mapping("admins", "auditor")];
    let join = |users: &[MappedUser]| {
        let command = UpdateGroup { join: vec![member("a")], ..UpdateGroup::default() };
        told(&command.decide(&group("ops"), &[], Mapped { mappings: &mappings, users }, context(1)).unwrap())
    };
    let leave = |users: &[MappedUser]| {
        let command = UpdateGroup { leave: vec![member("a")], ..UpdateGroup::default() };
        told(&command.decide(&group("ops"), &[], Mapped { mappings: &mappings, users }, context(1)).unwrap())
    };
    assert_eq!(join(&[user("a", &[], &[])]), ["group.member.added g", "role.assigned a <- group.member.added"]);
    assert_eq!(join(&[user("a", &["admins"], &["owner", "auditor"])]), ["group.member.added g"]);
    assert_eq!(leave(&[user("a", &["ops", "admins"], &["owner", "auditor"])]), ["group.member.removed g"]);
    assert_eq!(
        leave(&[user("a", &["ops"], &["owner"])]),
        ["group.member.removed g", "role.revoked a <- group.member.removed"]
    );
}

#[test]
fn a_group_inside_a_group_brings_no_roles() {
    let mappings = [mapping("ops", "owner")];
    let nested = Member { kind: MemberKind::Group, ..member("a") };
    let command = UpdateGroup { join: vec![nested], ..UpdateGroup::default() };
    let users = [user("a", &[], &[])];
    let events = command.decide(&group("ops"), &[], Mapped { mappings: &mappings, users: &users }, context(1)).unwrap();
    assert_eq!(told(&events), ["group.member.added g"]);
    assert_eq!(events[0].data["member_kind"], "group");
}

#[test]
fn mapped_roles_follow_a_group_that_is_renamed_or_removed() {
    let mappings = [mapping("ops", "owner"), mapping("audit", "auditor")];
    let users = [user("a", &["ops"], &["owner"]), user("b", &["ops"], &["owner"])];
    let mapped = Mapped { mappings: &mappings, users: &users };
    assert!(mapped.concerns("OPS") && !mapped.concerns("others"));
    let command = UpdateGroup { attributes: Some(named("Audit")), leave: vec![member("b")], ..UpdateGroup::default() };
    assert_eq!(
        told(&command.decide(&group("ops"), &[], mapped, context(1)).unwrap()),
        [
            "group.updated g",
            "group.member.removed g",
            "role.revoked b <- group.member.removed",
            "role.revoked a <- group.updated",
            "role.assigned a <- group.updated"
        ]
    );
    assert_eq!(
        told(&DeleteGroup::default().decide(&group("ops"), mapped, context(1)).unwrap()),
        ["group.deleted g", "role.revoked a <- group.deleted", "role.revoked b <- group.deleted"]
    );
}
