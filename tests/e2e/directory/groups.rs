//! Groups, those of everyone among them, and organizations.

use chancery_tests::Provider;

use super::*;

#[tokio::test]
async fn a_group_is_made_renamed_given_an_allowance_and_removed() {
    let (server, _) = started().await;
    let order = json!({"name": "ops", "organization": "eng", "display_name": "Operations", "quota_allowance": 5});
    let made = server.post("/api/v1/groups", &order).await.expect(StatusCode::CREATED);
    let path = format!("/api/v1/groups/{}", made["id"].as_str().unwrap());
    assert_eq!((&made["name"], &made["quota_allowance"], &made["everyone"]), (&json!("ops"), &json!(5), &json!(false)));

    let taken = json!({"name": "OPS", "organization": "eng"});
    refused(server.post("/api/v1/groups", &taken).await, StatusCode::CONFLICT, "taken");
    for (order, says) in [
        (json!({"name": "everyone", "organization": "eng"}), "everyone"),
        (json!({"name": "", "organization": "eng"}), "1 to 256"),
        (json!({"name": "x", "organization": "nowhere"}), "nowhere"),
        (json!({"name": "x"}), "organization"),
    ] {
        refused(server.post("/api/v1/groups", &order).await, StatusCode::BAD_REQUEST, says);
    }

    let changed = patch(&server, &path, json!({"name": "sre", "quota_allowance": 7})).await.expect(StatusCode::OK);
    assert_eq!(
        (&changed["name"], &changed["quota_allowance"], &changed["version"]),
        (&json!("sre"), &json!(7), &json!(2))
    );
    let again = patch(&server, &path, json!({"name": "sre", "quota_allowance": 7})).await.expect(StatusCode::OK);
    assert_eq!(again["version"], 2, "nothing changed");
    let set = server.events("type:quota.allowance.set").await;
    assert_eq!(set.len(), 1);
    assert_eq!(set[0]["changes"], json!([{"path": "quota_allowance", "old": 5, "new": 7}]));
    assert_eq!((&set[0]["data"]["allowance"], &set[0]["organization"]), (&json!(7), &json!("eng")));

    delete(&server, &path).await.expect(StatusCode::NO_CONTENT);
    refused(delete(&server, &path).await, StatusCode::NOT_FOUND, "group");
    assert_eq!(server.events("type:group.deleted").await.len(), 1);
}

#[tokio::test]
async fn everyone_is_a_group_from_the_first_moment_that_nobody_joins_renames_or_removes() {
    let (server, organization) = started().await;
    let founded = server.events("type:organization.created OR type:group.created").await;
    let everyone = founded.iter().find(|event| event["type"] == "group.created").unwrap();
    let cause = founded.iter().find(|event| event["type"] == "organization.created").unwrap();
    assert_eq!((&everyone["causation"], &everyone["data"]["everyone"]), (&cause["id"], &json!(true)));

    let ada = user(&server, "ada").await;
    let guest = server.post("/api/v1/users", &json!({"username": "guest"})).await.made();
    assert_eq!(ids(&shown(&server, &organization).await["members"]["items"]), [ada.as_str()]);
    let role = json!({"role": "member", "organization": "eng"});
    server.post(&format!("/api/v1/users/{guest}/roles"), &role).await.expect(StatusCode::OK);
    let group = shown(&server, &organization).await;
    assert_eq!((&group["name"], &group["member_count"]), (&json!("Everyone"), &json!(2)));
    let page = format!("/api/v1/groups/{organization}/members");
    let first = server.get(&page, &[("limit", "1")]).await;
    let next = server.get(&page, &[("limit", "1"), ("after", first["next"].as_str().unwrap())]).await;
    let mut found = [ids(&first["items"]), ids(&next["items"])].concat();
    found.sort_unstable();
    assert_eq!(found, [ada.as_str(), guest.as_str()]);
    let seen = server.get(&format!("/api/v1/users/{ada}"), &[]).await;
    assert_eq!(seen["groups"], json!([{"id": organization, "name": "Everyone"}]));

    let path = format!("/api/v1/groups/{organization}");
    let set = patch(&server, &path, json!({"quota_allowance": 9})).await.expect(StatusCode::OK);
    assert_eq!(set["quota_allowance"], 9);
    refused(patch(&server, &path, json!({"name": "All"})).await, StatusCode::CONFLICT, "everyone");
    refused(delete(&server, &path).await, StatusCode::CONFLICT, "everyone");
    let member = format!("{path}/members/{guest}");
    refused(server.send(Method::PUT, &member, &json!({})).await, StatusCode::CONFLICT, "everyone");
    refused(delete(&server, &member).await, StatusCode::CONFLICT, "everyone");

    // A provider neither sees it nor takes it over, and may have a group of that name.
    let idp = Provider::connect(&server, json!({"organizations": ["eng"], "adopt_unmanaged": true})).await;
    assert!(idp.find("/Groups", "displayName eq \"Everyone\"").await.is_empty());
    let own = idp.group("Everyone", &[]).await;
    assert_ne!(own, organization);
    idp.get(&format!("/Groups/{organization}")).await.refused(StatusCode::NOT_FOUND, None);
}

#[tokio::test]
async fn of_a_providers_group_only_the_allowance_is_set_by_hand_unless_its_connection_says_more() {
    let (server, _) = started().await;
    let idp = Provider::connect(&server, json!({"organizations": ["eng"]})).await;
    let ada = idp.user("ada", json!({})).await;
    let id = idp.group("ops", &[]).await;
    let path = format!("/api/v1/groups/{id}");
    refused(patch(&server, &path, json!({"name": "sre"})).await, StatusCode::CONFLICT, "provider");
    refused(delete(&server, &path).await, StatusCode::CONFLICT, "provider");
    let member = format!("{path}/members/{ada}");
    refused(server.send(Method::PUT, &member, &json!({})).await, StatusCode::CONFLICT, "provider");
    let set = patch(&server, &path, json!({"quota_allowance": 3})).await.expect(StatusCode::OK);
    assert_eq!((&set["quota_allowance"], &set["connection"]), (&json!(3), &json!(idp.connection)));

    let open = json!({"organizations": ["eng"], "members_by_hand": true,
                      "group_mappings": [{"group": "ops", "roles": [{"role": "auditor", "organization": "eng"}]}]});
    let idp = Provider::connect(&server, open).await;
    let bob = idp.user("bob", json!({})).await;
    let id = idp.group("ops", &[]).await;
    let member = format!("/api/v1/groups/{id}/members/{bob}");
    server.send(Method::PUT, &member, &json!({"reason": "on call"})).await.expect(StatusCode::OK);
    assert_eq!(idp.members(&id).await, [bob.clone()]);
    let roles = server.get(&format!("/api/v1/users/{bob}/roles"), &[]).await;
    assert_eq!(roles["items"], json!([{"role": "auditor", "organization": "eng", "by_group": true}]));
    delete(&server, &member).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(server.get(&format!("/api/v1/users/{bob}/roles"), &[]).await["items"], json!([]));
}

#[tokio::test]
async fn an_organization_is_shown_and_renamed_for_people() {
    let (server, id) = started().await;
    let path = "/api/v1/organizations/eng";
    let changed = patch(&server, path, json!({"display_name": "Engineering"})).await.expect(StatusCode::OK);
    assert_eq!((&changed["id"], &changed["display_name"]), (&json!(id), &json!("Engineering")));
    assert_eq!(server.get(path, &[]).await, changed);
    refused(patch(&server, path, json!({"display_name": ""})).await, StatusCode::BAD_REQUEST, "display_name");
    let nowhere = patch(&server, "/api/v1/organizations/nowhere", json!({"display_name": "x"})).await;
    refused(nowhere, StatusCode::NOT_FOUND, "organization");
    assert_eq!(server.events("type:organization.updated").await.len(), 1);
}
