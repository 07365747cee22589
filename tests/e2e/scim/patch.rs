//! PATCH: every form of path, all operations or none, and nothing silently ignored.

use chancery_tests::{ENTERPRISE, Provider, USER};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{STRICT_VENDOR, started, started_with};

/// Someone with everything, and the path of it.
async fn someone(idp: &Provider) -> String {
    let attributes = json!({
        "schemas": [USER, ENTERPRISE], "displayName": "Ada", "title": "Analyst",
        "name": {"givenName": "Ada", "familyName": "Byron", "middleName": "A."},
        "emails": [
            {"type": "work", "value": "ada@work.example", "primary": true},
            {"type": "home", "value": "ada@home.example"},
        ],
        "roles": [{"value": "reader"}, {"value": "writer"}],
        ENTERPRISE: {"department": "Audit", "employeeNumber": "7"},
    });
    format!("/Users/{}", idp.user("ada", attributes).await)
}

#[tokio::test]
async fn every_form_of_path_reaches_what_it_names() {
    let (_server, idp) = started().await;
    let path = someone(&idp).await;
    let extension = |attribute: &str| format!("{ENTERPRISE}:{attribute}");
    let steps = [
        (json!({"op": "replace", "path": "title", "value": "Auditor"}), "/title", json!("Auditor")),
        (json!({"op": "replace", "path": "TITLE", "value": "Lead"}), "/title", json!("Lead")),
        (json!({"op": "add", "path": "name.givenName", "value": "Augusta"}), "/name/givenName", json!("Augusta")),
        (
            json!({"op": "replace", "path": "name", "value": {"familyName": "King"}}),
            "/name",
            json!({"givenName": "Augusta", "familyName": "King", "middleName": "A."}),
        ),
        (
            json!({"op": "remove", "path": "name.middleName"}),
            "/name",
            json!({"givenName": "Augusta", "familyName": "King"}),
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"home\"].value", "value": "ada@king.example"}),
            "/emails/1/value",
            json!("ada@king.example"),
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"home\"]", "value": {"type": "home", "value": "k@king.example"}}),
            "/emails/1",
            json!({"type": "home", "value": "k@king.example"}),
        ),
        (
            json!({"op": "add", "path": "roles", "value": [{"value": "reader"}, {"value": "owner"}]}),
            "/roles",
            json!([{"value": "reader"}, {"value": "writer"}, {"value": "owner"}]),
        ),
        (
            json!({"op": "remove", "path": "roles[value sw \"r\"]"}),
            "/roles",
            json!([{"value": "writer"}, {"value": "owner"}]),
        ),
        (json!({"op": "remove", "path": "roles"}), "/roles", Value::Null),
        (json!({"op": "replace", "path": extension("department"), "value": "Law"}), "/department", json!("Law")),
        (json!({"op": "add", "path": format!("{USER}:nickName"), "value": "A"}), "/nickName", json!("A")),
        (json!({"op": "add", "path": ENTERPRISE, "value": {"costCenter": "9"}}), "/costCenter", json!("9")),
        (
            json!({"op": "replace", "value": {"title": "Head", ENTERPRISE: {"division": "EU"}}}),
            "/division",
            json!("EU"),
        ),
        (
            json!({"op": "add", "value": {"emails": [{"type": "other", "value": "o@king.example"}]}}),
            "/emails/2/type",
            json!("other"),
        ),
    ];
    for (operation, pointer, expected) in steps {
        let after = idp.patch(&path, json!([operation])).await.expect(StatusCode::OK);
        let core = after.pointer(pointer).filter(|value| !value.is_null());
        let actual = core.or_else(|| after[ENTERPRISE].pointer(pointer)).cloned().unwrap_or_default();
        assert_eq!(actual, expected, "{operation}: {after}");
    }
    let removed = json!([{"op": "remove", "path": ENTERPRISE}]);
    let after = idp.patch(&path, removed).await.expect(StatusCode::OK);
    assert_eq!((after.get(ENTERPRISE), &after["schemas"]), (None, &json!([USER])));
}

/// Others answered 200 to what they did not understand, and the directory believed them.
#[tokio::test]
async fn what_cannot_be_done_is_refused_with_its_kind() {
    let (_server, idp) = started().await;
    let path = someone(&idp).await;
    let before = idp.get(&path).await.body;
    for (operations, scim_type) in [
        (json!([{"op": "move", "path": "title", "value": "x"}]), "invalidSyntax"),
        (json!([{"path": "title", "value": "x"}]), "invalidSyntax"),
        (json!([]), "invalidSyntax"),
        (json!({"op": "add"}), "invalidSyntax"),
        (json!([{"op": "replace", "path": "title.", "value": "x"}]), "invalidPath"),
        (json!([{"op": "replace", "path": "emails[type eq]", "value": "x"}]), "invalidFilter"),
        (json!([{"op": "replace", "path": "nosuch", "value": "x"}]), "invalidPath"),
        (json!([{"op": "replace", "path": "name.nosuch", "value": "x"}]), "invalidPath"),
        (json!([{"op": "remove"}]), "noTarget"),
        (json!([{"op": "remove", "path": "userName"}]), "mutability"),
        (json!([{"op": "replace", "path": "id", "value": "x"}]), "mutability"),
        (json!([{"op": "replace", "path": "meta.created", "value": "2020-01-01T00:00:00Z"}]), "mutability"),
        (json!([{"op": "add", "path": "groups", "value": [{"value": "admins"}]}]), "mutability"),
        (json!([{"op": "replace", "path": "active", "value": "perhaps"}]), "invalidValue"),
        (json!([{"op": "add", "path": "title"}]), "invalidValue"),
        (json!([{"op": "replace", "path": "userName", "value": ""}]), "mutability"),
    ] {
        let answer = idp.patch(&path, operations.clone()).await;
        answer.refused(StatusCode::BAD_REQUEST, Some(scim_type));
        assert_eq!(idp.get(&path).await.body, before, "{operations}");
    }
}

/// Paths lead through the schemas and nowhere else: not into prototypes, files or the server's own fields.
#[tokio::test]
async fn paths_reach_nothing_but_what_the_schemas_name() {
    let (_server, idp) = started().await;
    let path = someone(&idp).await;
    let before = idp.get(&path).await.body;
    for name in [
        "__proto__",
        "constructor.prototype.admin",
        "name.__proto__.admin",
        "../../etc/passwd",
        "connection",
        "schemas.0",
    ] {
        let answer = idp.patch(&path, json!([{"op": "add", "path": name, "value": {"admin": true}}])).await;
        answer.refused(StatusCode::BAD_REQUEST, Some("invalidPath"));
    }
    for value in [json!({"__proto__": {"admin": true}}), json!({"nosuch": 1}), json!({"constructor.name": "x"})] {
        // Unknown members of a value are ignored, as extensions of others are; they are never stored.
        idp.patch(&path, json!([{"op": "add", "value": value}])).await;
        assert_eq!(idp.get(&path).await.body, before, "{value}");
    }
}

#[tokio::test]
async fn all_operations_are_done_or_none() {
    let (server, idp) = started().await;
    let path = someone(&idp).await;
    let before = idp.get(&path).await.body;
    let head = super::head(&server).await;
    let operations = json!([
        {"op": "replace", "path": "displayName", "value": "Changed"},
        {"op": "add", "path": "emails", "value": [{"type": "other", "value": "new@example.com"}]},
        {"op": "replace", "path": "active", "value": false},
        {"op": "replace", "path": "groups", "value": []},
    ]);
    idp.patch(&path, operations).await.refused(StatusCode::BAD_REQUEST, Some("mutability"));
    assert_eq!(idp.get(&path).await.body, before);
    let events = server.events(&format!("position:>{head} type:(user.*, directory.*)")).await;
    assert_eq!(super::texts(&events, "type"), ["directory.request.refused"]);

    // Each operation sees what those before it did.
    let chain = json!([
        {"op": "add", "path": "roles", "value": [{"value": "temporary", "type": "t"}]},
        {"op": "replace", "path": "roles[type eq \"t\"].value", "value": "final"},
        {"op": "remove", "path": "roles[value eq \"reader\"]"},
    ]);
    let after = idp.patch(&path, chain).await.expect(StatusCode::OK);
    assert_eq!(after["roles"], json!([{"value": "writer"}, {"value": "final", "type": "t"}]));
}

#[tokio::test]
async fn there_is_one_primary_at_most_and_adding_what_is_there_changes_nothing() {
    let (_server, idp) = started().await;
    let path = someone(&idp).await;
    let primary = json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}]);
    let after = idp.patch(&path, primary).await.expect(StatusCode::OK);
    assert_ne!(after["emails"][0]["primary"], true);
    assert_eq!(after["emails"][1]["primary"], true);
    let (version, modified) = (after["meta"]["version"].clone(), after["meta"]["lastModified"].clone());
    for operations in [
        json!([{"op": "add", "path": "roles", "value": [{"value": "reader"}]}]),
        json!([{"op": "replace", "path": "title", "value": "Analyst"}]),
        json!([{"op": "remove", "path": "nickName"}]),
    ] {
        let same = idp.patch(&path, operations).await.expect(StatusCode::OK);
        assert_eq!((&same["meta"]["version"], &same["meta"]["lastModified"]), (&version, &modified));
    }
}

/// A server that translated to its own form and back lost what it had no field for.
#[tokio::test]
async fn a_patch_of_one_attribute_keeps_all_others() {
    let (_server, idp) = started().await;
    let path = someone(&idp).await;
    let mut before = idp.get(&path).await.body;
    let mut after = idp.patch(&path, json!([{"op": "replace", "path": "title", "value": "New"}])).await.body;
    for body in [&mut before, &mut after] {
        let members = body.as_object_mut().unwrap();
        assert!(members.remove("title").is_some() && members.remove("meta").is_some());
    }
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_strict_profile_is_the_rfc_and_the_default_is_lenient() {
    let (server, lenient) = started().await;
    let strict =
        Provider::connect(&server, json!({"profile": {"preset": STRICT_VENDOR}, "organizations": ["beta"]})).await;
    let mut paths = Vec::new();
    for (idp, name) in [(&lenient, "lenient"), (&strict, "strict")] {
        paths.push(format!("/Users/{}", idp.user(name, json!({})).await));
    }
    for (operation, scim_type) in [
        (json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "x@example.com"}), "noTarget"),
        (json!({"op": "replace", "path": "active", "value": "False"}), "invalidValue"),
        (json!({"op": "Replace", "path": "active", "value": false}), "invalidSyntax"),
        (json!({"op": "replace", "value": {"name.givenName": "X"}}), "invalidSyntax"),
    ] {
        let answer = lenient.patch(&paths[0], json!([operation])).await;
        assert_eq!(answer.status, StatusCode::OK, "{operation}: {}", answer.text);
        strict.patch(&paths[1], json!([operation])).await.refused(StatusCode::BAD_REQUEST, Some(scim_type));
    }
    let filter = "/Users?filter=externalId%20eq%20jyoung";
    lenient.get(filter).await.expect(StatusCode::OK);
    strict.get(filter).await.refused(StatusCode::BAD_REQUEST, Some("invalidFilter"));
}

#[tokio::test]
async fn a_switch_of_the_profile_can_be_turned_alone() {
    let profile = json!({"preset": "entra", "elements_by_filter": false});
    let (_server, idp) = started_with(json!({"profile": profile})).await;
    let path = format!("/Users/{}", idp.user("ada", json!({})).await);
    let missing = json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "x@example.com"}]);
    idp.patch(&path, missing).await.refused(StatusCode::BAD_REQUEST, Some("noTarget"));
    let text = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    assert_eq!(idp.patch(&path, text).await.expect(StatusCode::OK)["active"], false);
}
