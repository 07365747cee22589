//! What groups allow, to whom and until when, on both engines.

use chancery_domain::directory::Allowance;
use chancery_domain::organizations::CreateOrganization;

use super::directory::{World, role};
use super::*;

/// A moment that memberships end after, or before.
const LATER: &str = "2999-01-01T00:00:00Z";
const EARLIER: &str = "2020-01-01T00:00:00Z";

async fn founded() -> World {
    let mut world = World::start().await;
    for (id, name) in [("o", "eng"), ("p", "ops")] {
        let create = CreateOrganization { id: id.into(), name: name.into(), display_name: None };
        let context = world.context();
        world.take(create.decide(None, context)).await;
    }
    world
}

/// Allowances as group and number.
async fn told(state: &State, organization: &str, user: &str) -> Vec<(String, u32)> {
    let allowances = state.allowances(organization, user).await.unwrap().into_iter();
    allowances.map(|Allowance { group_id, allowance, .. }| (group_id, allowance)).collect()
}

#[tokio::test]
async fn an_allowance_is_that_of_everyone_and_of_each_group_joined_in_the_organization() {
    let mut world = founded().await;
    world.create_user("a", json!({"userName": "ada"})).await;
    for (id, organization) in [("g", "eng"), ("h", "ops")] {
        let data = json!({"name": "team", "quota_allowance": 7});
        world.decide("group.created", "group", id, Some(organization), data).await;
        world.decide("group.member.added", "group", id, None, json!({"user_id": "a"})).await;
    }
    world.decide("quota.allowance.set", "group", "o", None, json!({"allowance": 5})).await;
    world.decide("quota.allowance.set", "group", "p", None, json!({"allowance": 3})).await;
    for state in &world.states {
        assert_eq!(told(state, "eng", "a").await, [("g".into(), 7), ("o".into(), 5)]);
        // Nobody's home and no role there: only the group that was joined.
        assert_eq!(told(state, "ops", "a").await, [("h".into(), 7)]);
        assert_eq!(told(state, "eng", "b").await, []);
        let names = state.memberships("a").await.unwrap().into_iter().map(|membership| membership.group_id);
        assert_eq!(names.collect::<Vec<_>>(), ["g", "h", "o"]);
    }
    let grant = json!({"role": "member", "organization": "ops"});
    world.decide("role.assigned", "user", "a", Some("ops"), grant).await;
    for state in &world.states {
        assert!(state.roles("a").await.unwrap().iter().any(|held| held.role == role("member", Some("ops"))));
        assert_eq!(told(state, "ops", "a").await, [("h".into(), 7), ("p".into(), 3)]);
        let everyone = state.everyone(9).await.unwrap().unwrap();
        assert_eq!(everyone[0].groups, ["g", "h", "o", "p"]);
    }
}

#[tokio::test]
async fn a_membership_counts_until_it_ends() {
    let mut world = founded().await;
    world.create_user("a", json!({"userName": "ada"})).await;
    let data = json!({"name": "team", "quota_allowance": 7});
    world.decide("group.created", "group", "g", Some("eng"), data).await;
    for (until, counts) in [(LATER, true), (EARLIER, false)] {
        let member = json!({"user_id": "a", "expires_at": until});
        world.decide("group.member.added", "group", "g", None, member).await;
        for state in &world.states {
            let groups = state.memberships("a").await.unwrap();
            assert_eq!(groups.iter().any(|membership| membership.group_id == "g"), counts, "{until}");
            assert_eq!(told(state, "eng", "a").await.contains(&("g".into(), 7)), counts);
            assert_eq!(state.members("g", None, 9).await.unwrap().len(), usize::from(counts));
            assert_eq!(state.count_members("g").await.unwrap(), u64::from(counts));
            assert_eq!(state.members_among("g", &["a".into()]).await.unwrap().len(), usize::from(counts));
            let everyone = state.everyone(9).await.unwrap().unwrap();
            assert_eq!(everyone[0].groups.contains(&"g".into()), counts);
        }
    }
}

#[tokio::test]
async fn another_system_founds_no_group_of_everyone() {
    let mut world = founded().await;
    world.create_user("a", json!({"userName": "ada"})).await;
    let told_of = json!({"name": "Everyone", "everyone": true, "quota_allowance": 1000});
    world.hear(&[("group.created", "group", "x", told_of)]).await;
    for state in &world.states {
        assert!(!state.group("x").await.unwrap().unwrap().everyone);
        assert_eq!(told(state, "eng", "a").await, [("o".into(), 0)]);
        // A name of its own: that of everyone's group is nobody's.
        assert!(state.groups_by_name("everyone").await.unwrap().is_empty());
    }
}
