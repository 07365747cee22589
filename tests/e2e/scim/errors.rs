//! Every error is a SCIM error body, those of the framework, too: administrators of identity providers see nothing
//! else, and a page of HTML is "unrecognized token" to them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use chancery_tests::{Answer, PATCH, Provider, Server, USER};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::started;

/// Sends a head that announces a megabyte and no more; gives back what is answered.
fn answer_to_head(server: &Server, idp: &Provider, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(server.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let head = format!(
        "{method} /scim/v2{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
         content-type: application/scim+json\r\ncontent-length: 1000000\r\n\r\n",
        server.socket(),
        idp.token
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&answer).contains("\r\n\r\n") {
        let length = stream.read(&mut piece).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!(length > 0, "{method} {path}: closed without an answer");
        answer.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&answer).to_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_are_not_allowed_are_refused_before_the_body_is_read() {
    let (server, idp) = started().await;
    for (path, allowed) in [
        ("/ServiceProviderConfig", "GET"),
        ("/ResourceTypes", "GET"),
        ("/ResourceTypes/User", "GET"),
        ("/Schemas", "GET"),
        ("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "GET"),
        ("/Users", "GET, POST"),
        ("/Groups", "GET, POST"),
        ("/Users/some-id", "GET, PUT, PATCH, DELETE"),
        ("/Bulk", "POST"),
        ("/.search", "POST"),
        ("/Users/.search", "POST"),
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE"].into_iter().filter(|method| !allowed.contains(method)) {
            let answer = answer_to_head(&server, &idp, method, path);
            assert!(answer.starts_with("http/1.1 405"), "{method} {path}: {answer}");
            let allow = answer.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap_or_default();
            for method in allowed.split(", ") {
                assert!(allow.to_uppercase().contains(method), "{path}: {method} is not in `{allow}`");
            }
            idp.send(method.parse().unwrap(), path, &json!({})).await.refused(StatusCode::METHOD_NOT_ALLOWED, None);
        }
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_get_a_scim_error() {
    let (_server, idp) = started().await;
    let id = idp.user("intact", json!({})).await;
    let user = format!("/Users/{id}");
    let deep = format!("{{\"schemas\":[\"{USER}\"],\"userName\":{}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    for body in ["{\"schemas\":[", "", "null", "[]", "\"text\"", "{\"userName\": \"x\"} trailing", deep.as_str()] {
        for (method, path) in [(Method::POST, "/Users"), (Method::PUT, user.as_str()), (Method::PATCH, user.as_str())] {
            let request = idp.request(method.clone(), path).header(CONTENT_TYPE, "application/scim+json");
            let response = request.body(body.to_owned()).send().await.unwrap();
            let what = format!("{method} {path} {}", body.chars().take(40).collect::<String>());
            let answer = Answer::of(what, response).await;
            let scim_type = answer.body["scimType"].as_str().map(str::to_owned);
            assert!(matches!(scim_type.as_deref(), Some("invalidSyntax" | "invalidValue")), "{}", answer.text);
            answer.refused(StatusCode::BAD_REQUEST, scim_type.as_deref());
        }
    }
    let invalid = idp.request(Method::POST, "/Users").header(CONTENT_TYPE, "application/scim+json");
    let response = invalid.body(b"{\"userName\": \"\xff\xfe\"}".to_vec()).send().await.unwrap();
    let answer = Answer::of("POST /Users of no UTF-8".to_owned(), response).await;
    answer.refused(StatusCode::BAD_REQUEST, Some("invalidSyntax"));
    let wrong =
        idp.request(Method::POST, "/Users").header(CONTENT_TYPE, "text/xml").body("<user/>").send().await.unwrap();
    let answer = Answer::of("POST /Users of XML".to_owned(), wrong).await;
    answer.refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, None);
    assert_eq!(idp.get("/Users").await.body["totalResults"], 1);
}

#[tokio::test]
async fn a_body_without_a_type_or_with_a_plainer_one_is_taken() {
    let (_server, idp) = started().await;
    for (number, content_type) in
        ["application/scim+json; charset=utf-8", "application/json", ""].into_iter().enumerate()
    {
        let body = json!({"schemas": [USER], "userName": format!("typed{number}")}).to_string();
        let mut request = idp.request(Method::POST, "/Users").body(body);
        if !content_type.is_empty() {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let response = request.send().await.unwrap();
        let answer = Answer::of(format!("POST /Users as `{content_type}`"), response).await;
        assert_eq!(answer.header("content-type"), "application/scim+json");
        answer.expect(StatusCode::CREATED);
    }
}

#[tokio::test]
async fn too_much_is_refused_with_the_limit_in_words() {
    let (_server, idp) = started().await;
    let config = idp.get("/ServiceProviderConfig").await.expect(StatusCode::OK);
    let most = usize::try_from(config["bulk"]["maxPayloadSize"].as_u64().unwrap()).unwrap();
    let operations = json!([{"op": "add", "path": "displayName", "value": "x".repeat(most + 1)}]);
    let body = json!({"schemas": [PATCH], "Operations": operations}).to_string();
    let request = idp.request(Method::POST, "/Bulk").header(CONTENT_TYPE, "application/scim+json").body(body);
    // A server that has said no may close before it has read everything.
    if let Ok(response) = request.send().await {
        let answer = Answer::of("POST /Bulk of too much".to_owned(), response).await;
        let detail = answer.refused(StatusCode::PAYLOAD_TOO_LARGE, None);
        assert!(detail.contains(&most.to_string()), "{detail}");
    }
    let id = idp.user("patched", json!({})).await;
    let many: Vec<_> = (0..100_000).map(|_| json!({"op": "add", "path": "title", "value": "x"})).collect();
    let answer = idp.patch(&format!("/Users/{id}"), json!(many)).await;
    assert!([400, 413].contains(&answer.status.as_u16()), "{}", answer.status);
    assert_eq!(answer.body["status"], answer.status.as_str());
}

#[tokio::test]
async fn unknown_routes_and_versions_and_callers_get_a_scim_error() {
    let (server, idp) = started().await;
    for path in ["/Nothing", "/Users/unknown-id", "/Schemas/urn:unknown", "/ResourceTypes/Unknown", "/Users/a/b/c"] {
        idp.get(path).await.refused(StatusCode::NOT_FOUND, None);
    }
    let root = format!("{}/scim", server.url);
    idp.at(format!("{root}/v9")).get("/Users").await.refused(StatusCode::BAD_REQUEST, Some("invalidVers"));

    let answer = idp.knowing("chy_unknown_secret").get("/Users").await;
    assert!(answer.header("www-authenticate").to_lowercase().starts_with("bearer"), "{:?}", answer.headers);
    answer.refused(StatusCode::UNAUTHORIZED, None);
    let reader = server.post("/api/v1/tokens", &json!({"name": "reader", "scopes": ["read"]})).await;
    let reader = Provider::with_token(&server, idp.connection.clone(), &reader.expect(StatusCode::CREATED));
    reader.get("/Users").await.refused(StatusCode::FORBIDDEN, None);
    // And a connection's token is good for nothing else.
    for path in ["/api/v1/users", "/api/v1/audit/events", "/api/v1/connections", "/api/v1/tokens"] {
        let response = server.anonymous(Method::GET, path).bearer_auth(&idp.token).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }
}
