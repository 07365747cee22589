//! The API as a client sees it.

use chancery_tests::Server;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::logins;

#[tokio::test]
async fn an_acknowledged_event_is_in_the_next_answer_and_pages_add_up() {
    let server = Server::start().await;
    let (status, report) = server.ingest(&logins(0..500)).await;
    assert_eq!((status, &report["created"]), (StatusCode::OK, &json!(500)));
    let (_, again) = server.ingest(&logins(0..500)).await;
    assert_eq!((&again["created"], &again["duplicate"]), (&json!(0), &json!(500)));

    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let mut query = vec![("q", "source:\"/test\""), ("limit", "70"), ("total", "true")];
        if !cursor.is_empty() {
            query.push(("cursor", cursor.as_str()));
        }
        let page = server.get("/api/v1/audit/events", &query).await;
        assert_eq!(page["total"], 500);
        found.extend(page["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 500);

    let counted = server
        .get("/api/v1/audit/aggregate", &[("q", "type:user.login.*"), ("group_by", "type"), ("distinct", "username")])
        .await;
    assert_eq!(counted["rows"], json!([["user.login.succeeded", 375, 97], ["user.login.failed", 125, 97]]));
    let show = server.get("/api/v1/audit/events/17", &[("fields", "id")]).await;
    assert_eq!((&show["id"], &show["data"]["method"]), (&json!("17"), &json!("password")));
}

#[tokio::test]
async fn reads_and_exports_are_on_record_with_their_rows() {
    let server = Server::start().await;
    server.ingest(&logins(0..40)).await;
    server.get("/api/v1/audit/events", &[("q", "type:user.login.failed")]).await;
    for (format, marker) in
        [("ndjson", &b"{\"action\""[..]), ("csv", b"position,"), ("parquet", b"PAR1"), ("arrow", b"\xff\xff\xff\xff")]
    {
        let request = server.request(Method::GET, "/api/v1/audit/export");
        let response = request.query(&[("format", format), ("q", "source:\"/test\"")]).send().await.unwrap();
        let body = response.bytes().await.unwrap();
        assert!(body.starts_with(marker), "{format}");
        if format == "ndjson" {
            assert_eq!(body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(), 40);
        }
    }
    let searched = server.get("/api/v1/audit/events", &[("q", "type:audit.queried data.endpoint:events")]).await;
    assert_eq!(searched["events"][0]["data"]["query"], "type:user.login.failed");
    assert_eq!(searched["events"][0]["data"]["rows"], 10);
    let exported = server
        .get("/api/v1/audit/aggregate", &[("q", "type:audit.exported"), ("group_by", "data.format,data.rows")])
        .await;
    assert_eq!(exported["rows"].as_array().unwrap().len(), 4, "{exported}");
    assert!(exported["rows"].as_array().unwrap().iter().all(|row| row[1] == "40"));
}

#[tokio::test]
async fn every_operation_of_the_document_is_guarded() {
    let server = Server::start().await;
    let reader = server.request(Method::POST, "/api/v1/tokens").json(&json!({"name": "reader", "scopes": ["read"]}));
    let reader: Value = reader.send().await.unwrap().json().await.unwrap();
    let reader = reader["token"].as_str().unwrap().to_owned();
    let document = server.get("/api/openapi.json", &[]).await;
    let public = |path: &str| {
        ["/healthz", "/readyz", "/api/openapi.json", "/api/v1/setup", "/api/v1/runners/register"].contains(&path)
            || ["/api/v1/sessions/keys", "/api/v1/ssh/authority", "/api/v1/ssh/revocations"].contains(&path)
            || path.starts_with("/auth/")
            || path.starts_with("/api/v1/sign-in/")
    };
    // Questions that are sent in a body.
    let reads =
        ["/api/v1/audit/sql", "/api/v1/policy/simulate", "/api/v1/connections/{id}/dry-run", "/api/v1/quota/check"];
    let reader_may = |method: &Method, path: &str| method == Method::GET || reads.contains(&path);
    let mut seen = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            seen += 1;
            let method: Method = method.to_uppercase().parse().unwrap();
            let real = concrete(path);
            let response = server.anonymous(method.clone(), &real).send().await.unwrap();
            if public(path) {
                assert_ne!(response.status(), StatusCode::FORBIDDEN, "{method} {path}");
                continue;
            }
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            assert!(response.headers().contains_key("www-authenticate"));
            if !reader_may(&method, path) {
                let response = server.anonymous(method.clone(), &real).bearer_auth(&reader).send().await.unwrap();
                assert_eq!(response.status(), StatusCode::FORBIDDEN, "{method} {path}");
            }
        }
        let others = [Method::PATCH, Method::PUT, Method::DELETE, Method::POST];
        let unknown = |method: &&Method| !operations.as_object().unwrap().contains_key(&method.as_str().to_lowercase());
        let wrong = others.iter().find(unknown).unwrap().clone();
        let wrong = server.request(wrong, &concrete(path)).send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(wrong.headers().contains_key("allow"), "{path}");
    }
    assert!(seen > 58, "the document has lost its operations: {seen}");
    for path in ["/api/v1/audit/events/nothing", "/nowhere"] {
        let response = server.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    let refused = server.get("/api/v1/audit/events", &[("q", "type:token.refused outcome:denied")]).await;
    assert!(!refused["events"].as_array().unwrap().is_empty());
}

/// A path of something that is not there.
fn concrete(path: &str) -> String {
    path.replace("{id}", "nothing").replace("{name}", "nothing").replace("{user}", "nobody")
}

#[tokio::test]
async fn tokens_are_shown_once_expire_and_stop_when_revoked() {
    let server = Server::start().await;
    let request = json!({"name": "short", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"});
    let past = server.request(Method::POST, "/api/v1/tokens").json(&request).send().await.unwrap();
    assert_eq!(past.status(), StatusCode::BAD_REQUEST);
    let made = server.request(Method::POST, "/api/v1/tokens").json(&json!({"name": "ci", "scopes": ["read"]}));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let read = || server.anonymous(Method::GET, "/api/v1/users").bearer_auth(token).send();
    assert_eq!(read().await.unwrap().status(), StatusCode::OK);
    let listed = server.get("/api/v1/tokens", &[]).await;
    assert!(!listed.to_string().contains(token.rsplit('_').next().unwrap()));
    let revoke = || server.request(Method::DELETE, &format!("/api/v1/tokens/{id}")).send();
    assert_eq!(revoke().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(revoke().await.unwrap().status(), StatusCode::CONFLICT);
    assert_eq!(read().await.unwrap().status(), StatusCode::UNAUTHORIZED);

    // Nobody can talk the server into a token by sending events about one.
    let forged = json!([{"specversion": "1.0", "id": "forged", "source": "/chancery", "type": "token.created", "subject": "token/forged",
        "data": {"details": {"name": "forged", "scopes": ["admin"], "secret_sha256": "00"}}}]);
    assert_eq!(server.ingest(&forged).await.1["results"][0]["pointer"], "/source");
    let mut foreign = forged.clone();
    foreign[0]["source"] = json!("/elsewhere");
    assert_eq!(server.ingest(&foreign).await.1["created"], 1);
    assert!(!server.get("/api/v1/tokens", &[]).await.to_string().contains("forged"));
}

#[tokio::test]
async fn a_tail_resumes_where_it_broke_off() {
    let server = Server::start().await;
    server.ingest(&logins(0..10)).await;
    let listen = async |last: &str, wanted: usize| {
        let request = server.request(Method::GET, "/api/v1/audit/tail").query(&[("q", "source:\"/test\"")]);
        let mut response = request.header("last-event-id", last).send().await.unwrap();
        let mut text = String::new();
        while text.matches("\ndata: ").count() < wanted || !text.ends_with("\n\n") {
            text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
        }
        text.lines().filter_map(|line| line.strip_prefix("id: ").map(str::to_owned)).take(wanted).collect::<Vec<_>>()
    };
    let first = listen("0", 4).await;
    let rest = listen(first.last().unwrap(), 6).await;
    let mut positions: Vec<u64> = first.iter().chain(&rest).map(|id| id.parse().unwrap()).collect();
    positions.dedup();
    assert_eq!(positions.len(), 10);
    assert!(positions.windows(2).all(|pair| pair[0] < pair[1]));
}

#[tokio::test]
async fn binary_mode_and_foreign_types_are_taken() {
    let server = Server::start().await;
    let response = server
        .request(Method::POST, "/api/v1/events")
        .header("ce-specversion", "1.0")
        .header("ce-id", "b-1")
        .header("ce-source", "/shop%20one")
        .header("ce-type", "com.example.order.placed")
        .header("content-type", "application/json")
        .body("{\"total\": 12.5}")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let event = server.get("/api/v1/audit/events/b-1", &[]).await;
    assert_eq!((&event["source"], &event["data"]), (&json!("/shop one"), &json!({"total": 12.5})));
    let found = server.get("/api/v1/audit/events", &[("q", "data.total:>12")]).await;
    assert_eq!(found["events"].as_array().unwrap().len(), 1);
}
