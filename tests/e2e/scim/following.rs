//! Groups that follow from attributes of users: they come with a value, and go with it.

use chancery_tests::ENTERPRISE;
use reqwest::{Method, StatusCode};

use super::*;

fn enterprise(department: &str) -> Value {
    json!({(ENTERPRISE): {"department": department}})
}

async fn groups(server: &Server, user: &str) -> Vec<String> {
    let user = server.get(&format!("/api/v1/users/{user}"), &[]).await;
    let named = user["groups"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap().to_owned());
    named.filter(|name| name != "Everyone").collect()
}

#[tokio::test]
async fn a_user_is_in_the_groups_that_its_attributes_name_and_in_no_others_longer() {
    let server = Server::start().await;
    server.post("/api/v1/organizations", &json!({"name": "acme"})).await.made();
    for name in ["Ops", "Research"] {
        server.post("/api/v1/groups", &json!({"name": name, "organization": "acme"})).await.made();
    }
    let mappings = json!([{"from": format!("{ENTERPRISE}:department"), "to": "groups"}]);
    let auditor = json!({"role": "auditor", "organization": "acme"});
    let roles = json!([{"group": "Own", "roles": [auditor]}]);
    let idp = Provider::connect(&server, json!({"mappings": mappings, "group_mappings": roles})).await;
    idp.group("Own", &[]).await;

    let ada = idp.user("ada", enterprise("ops")).await;
    assert_eq!(groups(&server, &ada).await, ["Ops"]);
    let added = server.events("type:group.member.added").await;
    let created = server.events("type:user.created resource.name:ada").await;
    assert_eq!((added.len(), &added[0]["causation"]), (1, &created[0]["id"]), "in the same decision");
    assert_eq!(added[0]["data"]["by_attribute"], true);

    // A role comes with the connection's own group, and goes with it.
    let replace =
        |department: &str| json!([{"op": "replace", "path": format!("{ENTERPRISE}:department"), "value": department}]);
    let user = format!("/Users/{ada}");
    idp.patch(&user, replace("Own")).await.expect(StatusCode::OK);
    assert_eq!(groups(&server, &ada).await, ["Own"]);
    let held = async || server.get(&format!("/api/v1/users/{ada}/roles"), &[]).await["items"].clone();
    assert_eq!(held().await, json!([{"role": "auditor", "organization": "acme", "by_group": true}]));
    idp.patch(&user, replace("nobody knows it")).await.expect(StatusCode::OK);
    assert_eq!((groups(&server, &ada).await.len(), held().await), (0, json!([])));

    // What was joined by hand stays.
    let list = server.get("/api/v1/groups", &[]).await;
    let id = |name: &str| {
        let found = list["items"].as_array().unwrap().iter().find(|group| group["name"] == name);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let by_hand = format!("/api/v1/groups/{}/members/{ada}", id("Research"));
    server.send(Method::PUT, &by_hand, &json!({})).await.expect(StatusCode::OK);
    idp.patch(&user, replace("Research")).await.expect(StatusCode::OK);
    idp.patch(&user, replace("Ops")).await.expect(StatusCode::OK);
    let mut both = groups(&server, &ada).await;
    both.sort();
    assert_eq!(both, ["Ops", "Research"]);

    // Without the mapping nothing follows any more, at once.
    let path = format!("/api/v1/connections/{}", idp.connection);
    let mut settings = server.get(&path, &[]).await;
    for member in ["id", "created_at", "updated_at", "version", "mappings"] {
        settings.as_object_mut().unwrap().remove(member);
    }
    server.send(Method::PUT, &path, &settings).await.expect(StatusCode::OK);
    assert_eq!(groups(&server, &ada).await, ["Research"]);
}

/// Any address finds its user, by an index: the plans of the state's statements say so.
#[tokio::test]
async fn a_user_is_found_by_any_of_its_addresses() {
    let (_server, idp) = started().await;
    let emails = json!([{"value": "Main@example.com", "primary": true}, {"value": "Second@example.com"}]);
    let ada = idp.user("ada", json!({"emails": emails})).await;
    idp.user("bob", json!({"emails": [{"value": "third@example.com"}]})).await;
    for filter in ["emails.value eq \"main@EXAMPLE.com\"", "emails[value eq \"second@example.com\"]"] {
        let found = idp.find("/Users", filter).await;
        assert_eq!((found.len(), &found[0]["id"]), (1, &json!(ada)), "{filter}");
    }
    let only = json!([{"op": "replace", "path": "emails", "value": [{"value": "new@example.com"}]}]);
    idp.patch(&format!("/Users/{ada}"), only).await.expect(StatusCode::OK);
    assert!(idp.find("/Users", "emails.value eq \"second@example.com\"").await.is_empty());
    assert_eq!(idp.find("/Users", "emails.value eq \"new@example.com\"").await.len(), 1);
}

/// A provider that stops to speak of access does not make a suspension invisible.
#[tokio::test]
async fn a_suspended_user_is_shown_as_inactive_whatever_the_provider_removes() {
    let (_server, idp) = started().await;
    let ada = idp.user("ada", json!({"active": false})).await;
    let path = format!("/Users/{ada}");
    idp.patch(&path, json!([{"op": "remove", "path": "active"}])).await;
    assert_eq!(idp.get(&path).await.body["active"], false);
    idp.patch(&path, json!([{"op": "replace", "path": "title", "value": "Dr."}])).await.expect(StatusCode::OK);
    let shown = idp.get(&path).await.body;
    assert_eq!((&shown["active"], &shown["title"]), (&json!(false), &json!("Dr.")));
}
