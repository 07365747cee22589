//! Who may do what with workspaces and quotas.

use super::*;

struct Person<'a> {
    office: &'a Office,
    token: String,
}

impl Person<'_> {
    async fn asks(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.office.server.anonymous(method.clone(), path).bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.json(&body) };
        Answer::of(format!("{method} {path} {body}"), request.send().await.unwrap()).await
    }
}

#[tokio::test]
async fn people_look_after_their_own_workspaces_and_see_no_others() {
    let office = Office::open(10).await;
    let (ada, bob) = (office.user("ada").await, office.user("bob").await);
    let person = async |user: &str| Person { office: &office, token: office.token(user).await };
    let (as_ada, as_bob) = (person(&ada).await, person(&bob).await);
    let order = json!({"name": "dev", "template": "go"});
    let made = as_ada.asks(Method::POST, "/api/v1/workspaces", order.clone()).await.expect(StatusCode::CREATED);
    assert_eq!(made["owner_id"], json!(ada));
    let path = format!("/api/v1/workspaces/{}", made["id"].as_str().unwrap());
    let (get, post) = (Method::GET, Method::POST);
    let list = as_ada.asks(get.clone(), "/api/v1/workspaces", Value::Null).await.expect(StatusCode::OK);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let list = as_bob.asks(get.clone(), "/api/v1/workspaces", Value::Null).await.expect(StatusCode::OK);
    assert_eq!(list["items"], json!([]));
    let theirs = json!({"name": "dev", "template": "go", "owner": ada});
    assert_eq!(as_bob.asks(post.clone(), "/api/v1/workspaces", theirs).await.status, StatusCode::FORBIDDEN);
    for (method, path, body) in [
        (get.clone(), path.clone(), Value::Null),
        (Method::PATCH, path.clone(), json!({"name": "mine"})),
        (Method::DELETE, path.clone(), Value::Null),
        (get.clone(), format!("{path}/builds"), Value::Null),
        (post.clone(), format!("{path}/builds"), json!({"transition": "stop"})),
        (get.clone(), format!("{path}/builds/1"), Value::Null),
        (post.clone(), format!("{path}/builds/1/cancel"), Value::Null),
        (post.clone(), format!("{path}/transfer"), json!({"owner": bob})),
        (Method::PUT, format!("{path}/schedule"), json!({})),
        (post.clone(), format!("{path}/activity"), Value::Null),
        (get.clone(), format!("/api/v1/organizations/acme/members/{ada}/quota"), Value::Null),
    ] {
        assert_eq!(as_bob.asks(method, &path, body).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let own = as_ada.asks(get, "/api/v1/organizations/acme/members/me/quota", Value::Null).await;
    assert_eq!(own.expect(StatusCode::OK)["allowance"], 10);
    let schedule = json!({"autostart": "0 8 * * 1-5", "time_zone": "Europe/Berlin", "ttl_seconds": 3600});
    let set = as_ada.asks(Method::PUT, &format!("{path}/schedule"), schedule.clone()).await.expect(StatusCode::OK);
    assert_eq!(set["schedule"], schedule);
    let nowhere = json!({"autostart": "0 8 * * 1-5", "time_zone": "Europe/Nowhere"});
    let refused = as_ada.asks(Method::PUT, &format!("{path}/schedule"), nowhere).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let renamed = as_ada.asks(Method::PATCH, &path, json!({"name": "big"})).await.expect(StatusCode::OK);
    assert_eq!(renamed["name"], "big");
    // Jobs, caps and budgets are not people's.
    let jobs = as_ada.asks(post.clone(), "/api/v1/jobs/acquire", json!({"organization": "acme"})).await;
    assert_eq!(jobs.status, StatusCode::FORBIDDEN);
    let cap = json!({"bounds": "organization_credits", "limit": 1});
    let caps = as_ada.asks(Method::PUT, "/api/v1/organizations/acme/quota-caps", cap).await;
    assert_eq!(caps.status, StatusCode::FORBIDDEN);
    // Without the template there is nothing to make; what runs can be stopped.
    assert!(office.carry_out(1).await);
    let template = format!("/api/v1/templates/{}/access", office.template);
    let taken = office.server.send(Method::DELETE, &template, &json!({"subject_kind": "everyone"})).await;
    assert!(taken.status.is_success(), "{}", taken.text);
    let another = json!({"name": "another", "template": "go"});
    assert_eq!(as_ada.asks(post.clone(), "/api/v1/workspaces", another).await.status, StatusCode::NOT_FOUND);
    let stop = as_ada.asks(post, &format!("{path}/builds"), json!({"transition": "stop"})).await;
    assert_eq!(stop.status, StatusCode::CREATED, "{}", stop.text);
}
