use serde_json::{Value, json};

use super::*;
use crate::{Profile, Registry, ScimError, ScimType};

const LIMITS: BulkLimits = BulkLimits { max_operations: 5, max_payload_size: 1000 };

fn parse(operations: impl Into<Value>) -> Result<BulkRequest, ScimError> {
    let operations = operations.into();
    BulkRequest::parse(
        json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": operations}),
        &LIMITS,
        &Profile::default(),
    )
}

/// The steps as method, id and data, with ids made of the order of allocation.
fn planned(operations: Value) -> Vec<(usize, String, Value)> {
    let registry = Registry::standard().unwrap();
    let mut next = 0;
    let plan = parse(operations).unwrap().plan(&registry, |_| {
        next += 1;
        format!("id{next}")
    });
    let id = |step: &Step| step.target.as_ref().map_or_else(ToString::to_string, |target| target.id.clone());
    plan.steps.iter().map(|step| (step.position, id(step), step.data.clone())).collect()
}

fn post(endpoint: &str, bulk_id: &str, data: impl Into<Value>) -> Value {
    let data = data.into();
    json!({"method": "POST", "path": endpoint, "bulkId": bulk_id, "data": data})
}

#[test]
fn both_limits_are_named_when_one_is_exceeded() {
    for error in [LIMITS.check_payload(1001).unwrap_err(), parse(json!([1, 2, 3, 4, 5, 6])).unwrap_err()] {
        assert_eq!(error.status, 413);
        assert!(error.detail.contains("maxOperations (5)") && error.detail.contains("maxPayloadSize (1000"));
    }
    assert!(LIMITS.check_payload(1000).is_ok());
}

#[test]
fn operations_that_lack_something_are_refused() {
    let refused = |operation: Value| parse(json!([operation])).is_err();
    assert!(refused(json!({"path": "/Users", "data": {}})));
    assert!(refused(json!({"method": "GET", "path": "/Users"})));
    assert!(refused(json!({"method": "POST", "path": "/Users", "data": {}})));
    assert!(refused(json!({"method": "PUT", "path": "/Users/1"})));
    assert!(!refused(json!({"method": "delete", "path": "/Users/1"})));
    let twice = parse(json!([post("/Users", "a", json!({})), post("/Users", "a", json!({}))])).unwrap_err();
    assert_eq!(twice.scim_type, Some(ScimType::InvalidValue));
}

#[test]
fn a_reference_forward_makes_what_it_refers_to_first() {
    let steps = planned(json!([
        post("/Groups", "g", json!({"displayName": "G", "members": [{"value": "bulkId:u"}]})),
        post("/Users", "u", json!({"userName": "bulkId"})),
    ]));
    assert_eq!(steps[0], (1, "id2".to_owned(), json!({"userName": "bulkId"})));
    assert_eq!(steps[1], (0, "id1".to_owned(), json!({"displayName": "G", "members": [{"value": "id2"}]})));
}

#[test]
fn circular_references_are_resolved() {
    let steps = planned(json!([
        post("/Groups", "a", json!({"members": [{"value": "bulkId:b"}]})),
        post("/Groups", "b", json!({"members": [{"value": "bulkId:a"}]})),
    ]));
    assert_eq!(steps[0], (1, "id2".to_owned(), json!({"members": [{"value": "id1"}]})));
    assert_eq!(steps[1], (0, "id1".to_owned(), json!({"members": [{"value": "id2"}]})));
}

#[test]
fn references_are_resolved_in_paths_managers_locations_and_filters() {
    let steps = planned(json!([
        post("/Users", "u", json!({"userName": "u"})),
        {"method": "PATCH", "path": "/Users/bulkId:u", "data": {"Operations": [
            {"op": "remove", "path": "x[value eq \"bulkId:u\"]"},
            {"op": "add", "value": {"manager": {"$ref": "/Users/bulkId:u", "note": "see bulkId:u"}}},
        ]}},
    ]));
    let (_, id, data) = &steps[1];
    assert_eq!(id, "id1");
    assert_eq!(data["Operations"][0]["path"], "x[value eq \"id1\"]");
    assert_eq!(data["Operations"][1]["value"]["manager"], json!({"$ref": "/Users/id1", "note": "see bulkId:u"}));
}

#[test]
fn what_cannot_be_done_fails_alone() {
    let registry = Registry::standard().unwrap();
    let request = parse(json!([
        {"method": "DELETE", "path": "/Nothing/1"},
        {"method": "DELETE", "path": "/Users"},
        {"method": "POST", "path": "/Users/1", "bulkId": "x", "data": {}},
        {"method": "DELETE", "path": "/Users/bulkId:none"},
        {"method": "DELETE", "path": "/Users/1"},
    ]));
    let plan = request.unwrap().plan(&registry, |_| String::new());
    let status = |step: &Step| step.target.as_ref().err().map(|error| error.status);
    assert_eq!(plan.steps.iter().map(status).collect::<Vec<_>>(), [Some(400), Some(400), Some(400), Some(409), None]);
}

#[test]
fn long_chains_of_references_are_ordered() {
    let registry = Registry::standard().unwrap();
    let count = 20_000;
    let operation =
        |n: usize| post("/Groups", &n.to_string(), json!({"members": [{"value": format!("bulkId:{}", n + 1)}]}));
    let mut operations: Vec<Value> = (0..count).map(operation).collect();
    operations.push(post("/Groups", &count.to_string(), json!({})));
    let limits = BulkLimits { max_operations: count + 1, ..LIMITS };
    let request = BulkRequest::parse(json!({"Operations": operations}), &limits, &Profile::default()).unwrap();
    let plan = request.plan(&registry, |_| "x".to_owned());
    let positions: Vec<usize> = plan.steps.iter().map(|step| step.position).collect();
    assert_eq!(positions, (0..=count).rev().collect::<Vec<_>>());
}

#[test]
fn the_answer_is_in_the_order_of_the_request_and_stops_after_errors() {
    let registry = Registry::standard().unwrap();
    let request = parse(json!([
        post("/Groups", "g", json!({"members": [{"value": "bulkId:u"}]})),
        post("/Users", "u", json!({})),
        {"method": "DELETE", "path": "/Users/1"},
    ]));
    let plan = request.unwrap().plan(&registry, |_| "x".to_owned());
    let mut response = BulkResponse::new();
    response.record(&plan.steps[0], BulkResult::failed(&ScimError::taken("userName", "u"), None));
    assert!(response.is_over(Some(1)) && !response.is_over(Some(2)) && !response.is_over(None));
    let broken = response.broken_reference(&plan.steps[1]).unwrap();
    assert_eq!(broken.status, 409);
    response.record(&plan.steps[1], BulkResult::failed(&broken, None));
    assert!(response.broken_reference(&plan.steps[2]).is_none());
    let body = response.body();
    let operations = body["Operations"].as_array().unwrap();
    assert_eq!(operations.len(), 2);
    assert_eq!((&operations[0]["bulkId"], &operations[0]["status"]), (&json!("g"), &json!("409")));
    assert_eq!(operations[1]["response"]["scimType"], "uniqueness");
}
