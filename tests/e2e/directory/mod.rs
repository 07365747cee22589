//! Groups, organizations and users by hand, and what identity providers leave to it.

mod command_line;
mod groups;
mod members;
mod users;

use chancery_tests::{Answer, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A server with the organization `eng`, and its id.
async fn started() -> (Server, String) {
    let server = Server::start().await;
    let id = server.post("/api/v1/organizations", &json!({"name": "eng"})).await.made();
    (server, id)
}

/// Makes a user of `eng`.
async fn user(server: &Server, name: &str) -> String {
    server.post("/api/v1/users", &json!({"username": name, "organization": "eng"})).await.made()
}

/// Makes a group of `eng`.
async fn group(server: &Server, name: &str) -> String {
    server.post("/api/v1/groups", &json!({"name": name, "organization": "eng"})).await.made()
}

/// What a group has to say.
async fn shown(server: &Server, id: &str) -> Value {
    server.get(&format!("/api/v1/groups/{id}"), &[]).await
}

async fn patch(server: &Server, path: &str, body: Value) -> Answer {
    server.send(Method::PATCH, path, &body).await
}

async fn delete(server: &Server, path: &str) -> Answer {
    server.send(Method::DELETE, path, &json!({})).await
}

/// Expects a problem that says this.
fn refused(answer: Answer, status: StatusCode, says: &str) {
    assert_eq!(answer.status, status, "{} {}", answer.request, answer.text);
    assert!(answer.text.contains(says), "{} {}", answer.request, answer.text);
}

/// The ids of a list.
fn ids(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|item| item["id"].as_str()).collect()
}
