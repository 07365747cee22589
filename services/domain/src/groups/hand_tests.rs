//! Groups by hand: given, when, then.

use serde_json::json;

use super::tests::{group, member, user};
use super::*;
use crate::decision::tests::{context, told};
use crate::directory::UserStatus;
use crate::events::directory::MappedRole;
use crate::time::Timestamp;

fn by_hand(name: &str) -> DirectoryGroup {
    DirectoryGroup { connection: None, ..group(name) }
}

fn everyone() -> DirectoryGroup {
    DirectoryGroup { everyone: true, quota_allowance: 2, version: 0, ..by_hand(EVERYONE) }
}

fn until(micros: i64) -> Member {
    Member { expires_at: Some(Timestamp::from_micros(micros).unwrap()), ..member("u") }
}

#[test]
fn a_group_has_a_name_of_its_own_in_its_organization() {
    let found = |name: &str, namesakes: &[DirectoryGroup]| {
        let command = FoundGroup {
            id: "n".into(),
            name: name.into(),
            display_name: None,
            organization: "eng".into(),
            quota_allowance: Some(4),
        };
        command.decide(namesakes, context(1))
    };
    let events = found("ops", &[]).unwrap();
    assert_eq!(told(&events), ["group.created n"]);
    assert_eq!(events[0].data, json!({"name": "ops", "quota_allowance": 4}));
    assert!(matches!(found("OPS", &[by_hand("ops")]), Err(Refusal::Taken { field: "name", .. })));
    let elsewhere = DirectoryGroup { organization: Some("ops".into()), ..by_hand("ops") };
    assert!(found("ops", &[elsewhere]).is_ok());
    assert!(matches!(found("everyONE", &[]), Err(Refusal::Invalid { field: "name", .. })));
}

#[test]
fn an_allowance_is_set_with_what_it_was_and_founds_a_group_of_everyone_that_is_missing() {
    let set = |allowance, group: &DirectoryGroup| {
        let command = AmendGroup { quota_allowance: Some(allowance), ..AmendGroup::default() };
        command.decide(group, &[], context(1)).unwrap()
    };
    let events = set(7, &group("ops"));
    assert_eq!(told(&events), ["quota.allowance.set g"]);
    assert_eq!((&events[0].changes[0].old, &events[0].changes[0].new), (&Some(json!(0)), &Some(json!(7))));
    assert_eq!(set(0, &group("ops")), []);
    assert_eq!(told(&set(7, &everyone())), ["group.created g", "quota.allowance.set g <- group.created"]);
    assert_eq!(told(&set(7, &DirectoryGroup { version: 1, ..everyone() })), ["quota.allowance.set g"]);
}

#[test]
fn only_groups_made_by_hand_are_renamed_and_removed() {
    let rename = |group: &DirectoryGroup| {
        let command = AmendGroup { name: Some("sre".into()), ..AmendGroup::default() };
        command.decide(group, &[], context(1))
    };
    assert_eq!(told(&rename(&by_hand("ops")).unwrap()), ["group.updated g"]);
    assert_eq!(rename(&by_hand("sre")), Ok(vec![]));
    for group in [group("ops"), everyone()] {
        assert!(matches!(rename(&group), Err(Refusal::Contradicts(_))));
        assert!(matches!(group.removable(), Err(Refusal::Contradicts(_))));
    }
    assert_eq!(by_hand("ops").removable(), Ok(()));
}

#[test]
fn a_member_joins_until_a_moment_in_the_future_and_for_another_time_again() {
    let join = |member: Member, present: Option<&Member>| {
        let command = JoinGroup { member, reason: Some("why".into()) };
        command.decide(&by_hand("ops"), UserStatus::Active, present, Mapped::default(), context(5))
    };
    let events = join(until(6), None).unwrap();
    assert_eq!((told(&events), events[0].reason.as_deref()), (vec!["group.member.added g".into()], Some("why")));
    assert_eq!(join(until(6), Some(&until(6))), Ok(vec![]));
    assert_eq!(told(&join(member("u"), Some(&until(6))).unwrap()), ["group.member.added g"]);
    assert!(matches!(join(until(5), None), Err(Refusal::Invalid { field: "expires_at", .. })));
    let deleted = JoinGroup { member: member("u"), reason: None };
    let deleted = deleted.decide(&by_hand("ops"), UserStatus::Deleted, None, Mapped::default(), context(5));
    assert_eq!(deleted, Err(Refusal::Unknown("user")));
    let stranger = LeaveGroup::default().decide(&by_hand("ops"), None, Mapped::default(), context(5));
    assert_eq!(stranger, Err(Refusal::Unknown("member of the group")));
}

#[test]
fn a_membership_is_over_at_its_moment_and_takes_the_role_that_came_with_it() {
    let role = MappedRole { organization: None, role: "auditor".into() };
    let mappings = [GroupMapping { group: "ops".into(), roles: vec![role] }];
    let users = [user("u", &["ops"], &["auditor"])];
    let mapped = Mapped { mappings: &mappings, users: &users };
    assert_eq!(until(6).expire(&group("ops"), mapped, context(5)), []);
    assert_eq!(member("u").expire(&group("ops"), mapped, context(5)), []);
    let events = until(5).expire(&group("ops"), mapped, context(5));
    assert_eq!(told(&events), ["group.member.removed g", "role.revoked u <- group.member.removed"]);
    assert!(events[0].reason.is_some());
}

#[test]
fn groups_follow_attributes_and_roles_follow_groups() {
    let role = MappedRole { organization: None, role: "auditor".into() };
    let mappings = [GroupMapping { group: "new".into(), roles: vec![role] }];
    let before = user("u", &["old"], &[]);
    let [new, old] = ["new", "old"].map(|name| DirectoryGroup { id: name.into(), ..group(name) });
    let follow = FollowAttributes {
        user: &before,
        join: std::slice::from_ref(&new),
        leave: std::slice::from_ref(&old),
        connection: "okta",
        mappings: &mappings,
    };
    let events = follow.decide(None, context(1));
    assert_eq!(told(&events), ["group.member.removed old", "group.member.added new", "role.assigned u"]);
    assert_eq!(events[1].data["by_attribute"], true);
    // A group of another hand gives none of the connection's roles.
    let other = DirectoryGroup { connection: None, ..new.clone() };
    let follow = FollowAttributes { join: std::slice::from_ref(&other), leave: &[], ..follow };
    assert_eq!(told(&follow.decide(None, context(1))), ["group.member.added new"]);
    assert_eq!(FollowAttributes { join: &[], ..follow }.decide(None, context(1)), []);
}
