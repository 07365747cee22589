//! Bulk: references forward, backward and in circles, failures, limits.

use chancery_tests::{ENTERPRISE, GROUP, PATCH, USER};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{started, texts};

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

fn bulk(operations: Value) -> Value {
    let mut request = json!({"schemas": [BULK]});
    request["Operations"] = operations;
    request
}

fn new_user(bulk_id: &str, name: &str) -> Value {
    json!({"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": {"schemas": [USER], "userName": name}})
}

/// The id at the end of an operation's location.
fn id(operation: &Value) -> String {
    operation["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

fn statuses(answer: &Value) -> Vec<String> {
    texts(answer["Operations"].as_array().unwrap(), "status")
}

#[tokio::test]
async fn references_are_resolved_forward_backward_and_in_circles() {
    let (_server, idp) = started().await;
    let mut boss = new_user("boss", "boss");
    boss["data"]["schemas"] = json!([USER, ENTERPRISE]);
    boss["data"][ENTERPRISE] = json!({"manager": {"value": "bulkId:deputy"}});
    let mut deputy = new_user("deputy", "deputy");
    deputy["data"]["schemas"] = json!([USER, ENTERPRISE]);
    deputy["data"][ENTERPRISE] = json!({"manager": {"value": "bulkId:boss"}});
    let group = |bulk_id: &str, members: Value| {
        let data = json!({"schemas": [GROUP], "displayName": bulk_id, "members": members});
        json!({"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data})
    };
    let answer = idp
        .post(
            "/Bulk",
            &bulk(json!([
                group("one", json!([{"value": "bulkId:two", "type": "Group"}, {"value": "bulkId:boss"}])),
                boss,
                deputy,
                group("two", json!([{"value": "bulkId:deputy"}])),
                {"method": "PATCH", "path": "/Users/bulkId:boss", "data":
                    {"schemas": [PATCH], "Operations": [{"op": "add", "path": "title", "value": "Head"}]}},
            ])),
        )
        .await
        .expect(StatusCode::OK);
    assert_eq!(answer["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    assert_eq!(statuses(&answer), ["201", "201", "201", "201", "200"]);
    let operations = answer["Operations"].as_array().unwrap();
    assert_eq!(texts(&operations[..4], "bulkId"), ["one", "boss", "deputy", "two"]);
    for operation in operations {
        assert!(operation["version"].is_string() && operation["method"].is_string(), "{operation}");
    }
    let [one, boss, deputy, two] = [0, 1, 2, 3].map(|index| id(&operations[index]));
    let read = async |path: String| idp.get(&path).await.expect(StatusCode::OK);
    let boss_now = read(format!("/Users/{boss}")).await;
    assert_eq!((&boss_now["title"], &boss_now[ENTERPRISE]["manager"]["value"]), (&json!("Head"), &json!(deputy)));
    assert_eq!(read(format!("/Users/{deputy}")).await[ENTERPRISE]["manager"]["value"], boss);
    let mut expected = vec![two.clone(), boss];
    expected.sort();
    assert_eq!(idp.members(&one).await, expected);
    assert_eq!(idp.members(&two).await, [deputy]);
}

#[tokio::test]
async fn groups_that_contain_each_other_are_tried() {
    let (_server, idp) = started().await;
    let group = |name: &str, other: &str| {
        let members = json!([{"value": format!("bulkId:{other}"), "type": "Group"}]);
        let data = json!({"schemas": [GROUP], "displayName": name, "members": members});
        json!({"method": "POST", "path": "/Groups", "bulkId": name, "data": data})
    };
    let answer = idp.post("/Bulk", &bulk(json!([group("a", "b"), group("b", "a")]))).await.expect(StatusCode::OK);
    // RFC 7644 section 3.7.1: a circle is resolved, or refused with 409.
    let statuses = statuses(&answer);
    assert!(statuses == ["201", "201"] || statuses.contains(&"409".to_owned()), "{answer}");
    if statuses == ["201", "201"] {
        let (a, b) = (id(&answer["Operations"][0]), id(&answer["Operations"][1]));
        assert_eq!((idp.members(&a).await, idp.members(&b).await), (vec![b.clone()], vec![a.clone()]));
    }
}

#[tokio::test]
async fn failures_are_told_one_by_one_and_end_the_rest_when_there_are_enough() {
    let (_server, idp) = started().await;
    let unresolved = json!({"method": "POST", "path": "/Groups", "bulkId": "g", "data":
        {"schemas": [GROUP], "displayName": "g", "members": [{"value": "bulkId:nobody"}]}});
    let operations = json!([
        new_user("a", "same"),
        new_user("b", "SAME"),
        new_user("c", "third"),
        {"method": "DELETE", "path": "/Users/unknown"},
        unresolved,
        {"method": "POST", "path": "/Nothing", "bulkId": "n", "data": {}},
    ]);
    let answer = idp.post("/Bulk", &bulk(operations.clone())).await.expect(StatusCode::OK);
    let found = statuses(&answer);
    assert_eq!(found[..4], ["201", "409", "201", "404"], "{answer}");
    assert!(
        ["400", "409"].contains(&found[4].as_str()) && found[5..].iter().all(|status| status.starts_with('4')),
        "{answer}"
    );
    let refused = &answer["Operations"][1];
    assert_eq!(
        (&refused["response"]["scimType"], &refused["response"]["status"]),
        (&json!("uniqueness"), &json!("409"))
    );
    assert!(refused.get("location").is_none(), "{refused}");

    let mut stopping = bulk(json!([new_user("x", "same"), new_user("y", "fresh"), new_user("z", "fresher")]));
    stopping["failOnErrors"] = json!(1);
    let answer = idp.post("/Bulk", &stopping).await.expect(StatusCode::OK);
    assert_eq!(statuses(&answer), ["409"]);
    assert!(idp.find("/Users", "userName sw \"fresh\"").await.is_empty());
}

#[tokio::test]
async fn limits_are_told_and_kept() {
    let (_server, idp) = started().await;
    let config = idp.get("/ServiceProviderConfig").await.body;
    let most = config["bulk"]["maxOperations"].as_u64().unwrap();
    assert!(most >= 1000, "{most}");
    let many = |count: u64| (0..count).map(|n| new_user(&format!("u{n}"), &format!("bulk{n}"))).collect::<Vec<_>>();
    let detail = idp.post("/Bulk", &bulk(json!(many(most + 1)))).await.refused(StatusCode::PAYLOAD_TOO_LARGE, None);
    assert!(detail.contains(&most.to_string()), "{detail}");
    assert_eq!(idp.get("/Users?count=0").await.body["totalResults"], 0);
    let answer = idp.post("/Bulk", &bulk(json!(many(1000)))).await.expect(StatusCode::OK);
    assert!(statuses(&answer).iter().all(|status| status == "201"));
    assert_eq!(idp.get("/Users?count=0").await.body["totalResults"], 1000);
    idp.post("/Bulk", &bulk(json!("none"))).await.refused(StatusCode::BAD_REQUEST, Some("invalidSyntax"));
    idp.post("/Bulk", &json!({"Operations": []})).await.refused(StatusCode::BAD_REQUEST, Some("invalidSyntax"));
}
