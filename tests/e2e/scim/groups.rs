//! Groups: truncated member lists, emptied memberships, members that are groups.

use chancery_tests::{GROUP, Provider};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{STRICT_VENDOR, started, started_with};

/// Users with numbers, sorted by id.
async fn people(idp: &Provider, count: usize) -> Vec<String> {
    let create = |number: usize| async move { idp.user(&format!("person{number:04}"), json!({})).await };
    let mut ids: Vec<String> = Vec::new();
    for begin in (0..count).step_by(16) {
        ids.extend(futures::future::join_all((begin..count.min(begin + 16)).map(create)).await);
    }
    ids.sort();
    ids
}

/// Others cut lists at 100 members, and a client that put the list back deleted the rest.
#[tokio::test]
async fn more_than_a_hundred_members_come_back_whole_and_survive_a_put() {
    let (_server, idp) = started().await;
    let everyone = people(&idp, 350).await;
    let group = idp.group("everyone", &everyone).await;
    assert_eq!(idp.members(&group).await, everyone);
    let path = format!("/Groups/{group}");
    let listed = idp.find("/Groups", "displayName eq \"everyone\"").await;
    assert_eq!(listed[0]["members"].as_array().map(Vec::len), Some(350));

    let back = idp.get(&path).await.body;
    idp.put(&path, &back).await.expect(StatusCode::OK);
    assert_eq!(idp.members(&group).await, everyone);
    let remove = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", everyone[0])}]);
    assert!(idp.patch(&path, remove).await.status.is_success());
    assert_eq!(idp.members(&group).await, everyone[1..]);
}

/// In another server a PATCH of the externalId emptied the group.
#[tokio::test]
async fn changing_a_groups_attributes_leaves_its_members_alone() {
    let (_server, idp) = started().await;
    let members = people(&idp, 3).await;
    let group = idp.group("team", &members).await;
    let path = format!("/Groups/{group}");
    for operation in [
        json!({"op": "replace", "path": "externalId", "value": "x-1"}),
        json!({"op": "replace", "value": {"externalId": "x-2"}}),
        json!({"op": "add", "value": {"displayName": "team two"}}),
        json!({"op": "remove", "path": "externalId"}),
    ] {
        let answer = idp.patch(&path, json!([operation])).await;
        assert!(answer.status.is_success(), "{}: {}", answer.request, answer.text);
        assert_eq!(idp.members(&group).await, members, "{operation}");
    }
    let without = json!({"schemas": [GROUP], "displayName": "team three"});
    idp.put(&path, &without).await.expect(StatusCode::OK);
    assert!(idp.members(&group).await.is_empty(), "a PUT without members is a group without members");
}

/// Sub-attributes of members are immutable: the same again is no change, and another one is refused.
#[tokio::test]
async fn a_put_with_the_same_members_in_any_form_is_taken() {
    let (server, idp) = started().await;
    let members = people(&idp, 2).await;
    let group = idp.group("pair", &members).await;
    let path = format!("/Groups/{group}");
    for form in [
        json!([{"value": members[1]}, {"value": members[0]}]),
        json!([{"value": members[0], "type": "User", "display": "person0000"}, {"value": members[1]}]),
        json!([{"value": members[0], "$ref": format!("{}/Users/{}", idp.base, members[0])}, {"value": members[1]}]),
        json!([{"value": members[0]}, {"value": members[0]}, {"value": members[1]}]),
    ] {
        let put = json!({"schemas": [GROUP], "displayName": "pair", "members": form});
        let answer = idp.put(&path, &put).await.expect(StatusCode::OK);
        assert_eq!(answer["members"].as_array().map(Vec::len), Some(2), "{form}");
    }
    let filter = format!("resource.id:\"{group}\" type:(group.updated, group.member.*)");
    assert_eq!(server.events(&filter).await.len(), 2, "the two who were added when it was made");
    let edit = json!([{"op": "replace", "path": format!("members[value eq \"{}\"].value", members[0]), "value": "x"}]);
    idp.patch(&path, edit).await.refused(StatusCode::BAD_REQUEST, Some("mutability"));
}

#[tokio::test]
async fn groups_in_groups_count_for_the_people_in_them() {
    let (_server, idp) = started().await;
    let ids = people(&idp, 2).await;
    let inner = idp.group("inner", &ids[..1]).await;
    let outer = idp.group("outer", &[]).await;
    let add =
        json!([{"op": "add", "path": "members", "value": [{"value": inner, "type": "Group"}, {"value": ids[1]}]}]);
    assert!(idp.patch(&format!("/Groups/{outer}"), add).await.status.is_success());
    let read = idp.get(&format!("/Groups/{outer}")).await.body;
    let inner_member =
        read["members"].as_array().unwrap().iter().find(|member| member["value"] == json!(inner)).unwrap();
    assert_eq!(inner_member["type"], "Group");
    assert_eq!(inner_member["$ref"], format!("{}/Groups/{inner}", idp.base));
    let user = idp.get(&format!("/Users/{}", ids[0])).await.body;
    let mut groups: Vec<(String, String)> = Vec::new();
    for group in user["groups"].as_array().unwrap() {
        groups.push((group["display"].as_str().unwrap().to_owned(), group["type"].as_str().unwrap().to_owned()));
    }
    groups.sort();
    let pair = |display: &str, kind: &str| (display.to_owned(), kind.to_owned());
    assert_eq!(groups, [pair("inner", "direct"), pair("outer", "indirect")]);
    // A circle is refused, or counts everybody once; it never hangs.
    let circle = json!([{"op": "add", "path": "members", "value": [{"value": outer, "type": "Group"}]}]);
    let answer = idp.patch(&format!("/Groups/{inner}"), circle).await;
    assert!(answer.status.is_success() || answer.status == StatusCode::BAD_REQUEST, "{}", answer.text);
    assert_eq!(idp.get(&format!("/Users/{}", ids[0])).await.status, StatusCode::OK);
}

/// The readable way to ask for the members of a large group.
#[tokio::test]
async fn members_can_be_read_by_pages_of_users() {
    let (_server, idp) = started().await;
    let everyone = people(&idp, 25).await;
    let group = idp.group("many", &everyone[5..]).await;
    let mut seen: Vec<String> = Vec::new();
    for start in [1, 11, 21] {
        let path = format!("/Users?filter=groups.value%20eq%20%22{group}%22&attributes=id&startIndex={start}&count=10");
        let page = idp.get(&path).await.expect(StatusCode::OK);
        assert_eq!(page["totalResults"], 20);
        seen.extend(super::texts(page["Resources"].as_array().unwrap(), "id"));
    }
    seen.sort();
    assert_eq!(seen, everyone[5..]);
}

#[tokio::test]
async fn names_of_groups_may_repeat_unless_the_profile_says_otherwise() {
    let (server, idp) = started_with(json!({"profile": {"preset": STRICT_VENDOR}})).await;
    let (one, two) = (idp.group("twins", &[]).await, idp.group("twins", &[]).await);
    assert_ne!(one, two);
    let entra = Provider::connect(&server, json!({"organizations": ["beta"], "profile": {"preset": "entra"}})).await;
    entra.group("only", &[]).await;
    let again = json!({"schemas": [GROUP], "displayName": "ONLY"});
    entra.post("/Groups", &again).await.refused(StatusCode::CONFLICT, Some("uniqueness"));
}

/// A member that is not there: kept by default, as identity providers send members before their users.
#[tokio::test]
async fn members_that_are_not_there_yet_are_kept_and_deleted_ones_go() {
    let (_server, idp) = started_with(json!({"deletion": "delete"})).await;
    let ids = people(&idp, 2).await;
    let stranger = "0198c2d4-7a5e-7c11-9f5e-2f1d5a3b4c5d".to_owned();
    let group = idp.group("mixed", &[ids[0].clone(), ids[1].clone(), stranger.clone()]).await;
    let mut expected: Vec<String> = vec![ids[0].clone(), ids[1].clone(), stranger.clone()];
    expected.sort();
    assert_eq!(idp.members(&group).await, expected);
    idp.delete(&format!("/Users/{}", ids[0])).await.expect(StatusCode::NO_CONTENT);
    expected.retain(|id| *id != ids[0]);
    assert_eq!(idp.members(&group).await, expected);
    let filter = format!("members.value eq \"{}\"", ids[0]);
    assert_eq!(idp.find("/Groups", &filter).await, Vec::<Value>::new());
}
