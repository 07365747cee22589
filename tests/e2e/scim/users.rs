//! Users: what other servers got wrong about names, ids, passwords and whole-object updates.

use chancery_tests::{ENTERPRISE, USER};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::started;

/// Another server looked an externalId up as its own id, which made anyone an administrator (CVE-2025-41115).
#[tokio::test]
async fn an_external_id_is_never_an_id() {
    let (_server, idp) = started().await;
    let first = idp.user("first", json!({})).await;
    let second = idp.user("second", json!({"externalId": first})).await;
    assert_ne!(first, second);
    let read = idp.get(&format!("/Users/{first}")).await.expect(StatusCode::OK);
    assert_eq!(read["userName"], "first");
    for external in ["1", "0", "admin", "00000000-0000-0000-0000-000000000001"] {
        let id = idp.user(&format!("user-{external}"), json!({"externalId": external, "id": external})).await;
        assert_ne!(id, external, "ids are the server's");
        idp.get(&format!("/Users/{external}")).await.refused(StatusCode::NOT_FOUND, None);
    }
}

#[tokio::test]
async fn names_are_unique_whatever_their_case_and_free_again_after_a_deletion() {
    let (_server, idp) = super::started_with(json!({"deletion": "delete"})).await;
    let id = idp.user("Ada@Example.com", json!({})).await;
    let again = json!({"schemas": [USER], "userName": "ada@EXAMPLE.com"});
    idp.post("/Users", &again).await.refused(StatusCode::CONFLICT, Some("uniqueness"));
    let other = idp.user("bob", json!({})).await;
    let rename = json!([{"op": "replace", "path": "userName", "value": "ADA@example.com"}]);
    idp.patch(&format!("/Users/{other}"), rename).await.refused(StatusCode::CONFLICT, Some("uniqueness"));
    idp.put(&format!("/Users/{other}"), &again).await.refused(StatusCode::CONFLICT, Some("uniqueness"));
    // Her own name in another case is hers.
    let read = idp.put(&format!("/Users/{id}"), &again).await.expect(StatusCode::OK);
    assert_eq!(read["userName"], "ada@EXAMPLE.com", "values come back as they were sent");
    idp.delete(&format!("/Users/{id}")).await.expect(StatusCode::NO_CONTENT);
    assert_ne!(idp.user("ada@example.com", json!({})).await, id, "ids are not used again");
}

#[tokio::test]
async fn a_password_is_taken_and_kept_nowhere() {
    let (server, idp) = started().await;
    let id = idp.user("quinn", json!({"password": "correct-horse"})).await;
    let user = format!("/Users/{id}");
    let change = json!([{"op": "replace", "path": "password", "value": "battery-staple"}]);
    let answer = idp.patch(&user, change).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    for text in [answer.text, idp.get(&format!("{user}?attributes=password")).await.text, idp.get(&user).await.text] {
        assert!(!text.contains("horse") && !text.contains("staple"), "{text}");
        assert!(!text.to_lowercase().contains("\"password\""), "{text}");
    }
    for query in ["filter=password%20pr", "filter=password%20sw%20%22c%22", "sortBy=password"] {
        let answer = idp.get(&format!("/Users?{query}")).await;
        assert!(answer.status.is_client_error(), "{query}: {} {}", answer.status, answer.text);
    }
    for secret in ["correct-horse", "battery-staple"] {
        let with_secret = server.events(&format!("event:\"{secret}\" -type:audit.*")).await;
        assert_eq!(with_secret, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_put_replaces_everything_but_what_only_the_server_may_set() {
    let (_server, idp) = started().await;
    let extension = json!({"department": "Audit", "employeeNumber": "7"});
    let attributes = json!({"schemas": [USER, ENTERPRISE], "title": "Clerk", "nickName": "Ed", ENTERPRISE: extension});
    let id = idp.user("edda", attributes).await;
    let made = idp.get(&format!("/Users/{id}")).await.body;
    let put = json!({
        "schemas": [USER], "userName": "edda", "title": "Chief", "nickName": null, "id": "another",
        "meta": {"created": "1999-01-01T00:00:00Z", "resourceType": "Group"},
        "groups": [{"value": "nothing", "display": "Admins"}],
    });
    let after = idp.put(&format!("/Users/{id}"), &put).await.expect(StatusCode::OK);
    assert_eq!((&after["id"], &after["title"]), (&json!(id), &json!("Chief")));
    assert_eq!(after["meta"]["created"], made["meta"]["created"]);
    assert_eq!(after["meta"]["resourceType"], "User");
    for gone in ["nickName", "groups", ENTERPRISE] {
        assert!(after.get(gone).is_none(), "{gone}: {after}");
    }
    assert_eq!(after["schemas"], json!([USER]));
    idp.put("/Users/nothing", &put).await.refused(StatusCode::NOT_FOUND, None);
    let nameless = json!({"schemas": [USER], "title": "Chief"});
    idp.put(&format!("/Users/{id}"), &nameless).await.refused(StatusCode::BAD_REQUEST, Some("invalidValue"));
}

#[tokio::test]
async fn attribute_names_have_no_case_and_members_twice_are_refused() {
    let (_server, idp) = started().await;
    let shouted = json!({"SCHEMAS": [USER], "USERNAME": "loud", "Name": {"GIVENNAME": "Lou"}, "ACTIVE": false});
    let made = idp.post("/Users", &shouted).await.expect(StatusCode::CREATED);
    assert_eq!((&made["userName"], &made["name"]["givenName"]), (&json!("loud"), &json!("Lou")));
    assert_eq!(made["active"], false);
    let twice = json!({"schemas": [USER], "userName": "one", "USERNAME": "two"});
    idp.post("/Users", &twice).await.refused(StatusCode::BAD_REQUEST, Some("invalidSyntax"));
}

/// Canonical values are suggestions: servers that reject others lose people.
#[tokio::test]
async fn types_that_the_rfc_does_not_suggest_and_values_of_any_script_are_kept() {
    let (_server, idp) = started().await;
    let attributes = json!({
        "displayName": "Zoë 李 🦀", "name": {"formatted": "Ø\"quoted\" \\ back"},
        "emails": [{"type": "school", "value": "zoe@example.edu"}],
        "phoneNumbers": [{"type": "satellite", "value": "+881 (6) 555"}],
        "x509Certificates": [{"value": "MIIB"}],
    });
    let id = idp.user("zoë@example.com", attributes.clone()).await;
    let read = idp.get(&format!("/Users/{id}")).await.expect(StatusCode::OK);
    for attribute in ["displayName", "name", "emails", "phoneNumbers", "x509Certificates"] {
        assert_eq!(read[attribute], attributes[attribute], "{attribute}");
    }
    let found = idp.find("/Users", "userName eq \"ZOË@example.com\"").await;
    assert_eq!(found.len(), 1);
}

/// A text where a number stands, 1 for true: some clients send them, and some servers answered 500.
#[tokio::test]
async fn values_of_the_wrong_type_are_refused_with_their_path() {
    let (_server, idp) = super::started_with(json!({"profile": {"preset": "strict"}})).await;
    for (attribute, value) in [
        ("userName", json!(7)),
        ("active", json!("maybe")),
        ("name", json!("Ada")),
        ("emails", json!([{"value": {"deep": true}}])),
        ("emails", json!(["ada@example.com", 5])),
        ("x509Certificates", json!([{"value": "not base64!"}])),
    ] {
        let mut user = json!({"schemas": [USER], "userName": "typed"});
        user[attribute] = value;
        let detail = idp.post("/Users", &user).await.refused(StatusCode::BAD_REQUEST, Some("invalidValue"));
        assert!(detail.contains(attribute), "{detail}");
    }
    let two = json!([{"value": "a@example.com", "primary": true}, {"value": "b@example.com", "primary": true}]);
    let user = json!({"schemas": [USER], "userName": "typed", "emails": two});
    idp.post("/Users", &user).await.refused(StatusCode::BAD_REQUEST, Some("invalidValue"));
    assert!(idp.find("/Users", "userName eq \"typed\"").await.is_empty());
}
