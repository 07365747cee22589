//! Who may do what: roles, tokens, policies, and what would be if.

mod policies;
mod roles;
mod simulation;

use chancery_tests::{Answer, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Someone with a token of their own.
struct Person {
    id: String,
    token: String,
}

impl Person {
    /// A user of an organization, or of none, with these roles, and a token with these scopes.
    async fn new(server: &Server, name: &str, organization: Option<&str>, roles: Value, scopes: &[&str]) -> Self {
        if let Some(organization) = organization {
            // It may be there already.
            server.post("/api/v1/organizations", &json!({"name": organization})).await;
        }
        let user = json!({"username": name, "organization": organization, "roles": roles});
        let id = server.post("/api/v1/users", &user).await.made();
        let token = Self::token(server, &id, scopes).await;
        Self { id, token }
    }

    /// One more token of a user.
    async fn token(server: &Server, id: &str, scopes: &[&str]) -> String {
        let order = json!({"name": "own", "scopes": scopes, "owner": {"kind": "user", "id": id}});
        let made = server.post("/api/v1/tokens", &order).await.expect(StatusCode::CREATED);
        made["token"].as_str().unwrap().to_owned()
    }

    async fn asks(&self, server: &Server, method: Method, path: &str, body: Value) -> Answer {
        let request = server.anonymous(method.clone(), path).bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.json(&body) };
        Answer::of(format!("{method} {path} {body}"), request.send().await.unwrap()).await
    }

    async fn gets(&self, server: &Server, path: &str) -> Answer {
        self.asks(server, Method::GET, path, Value::Null).await
    }

    async fn posts(&self, server: &Server, path: &str, body: Value) -> Answer {
        self.asks(server, Method::POST, path, body).await
    }

    /// Path of their roles.
    fn roles(&self) -> String {
        format!("/api/v1/users/{}/roles", self.id)
    }
}

/// Ids of policies.
fn ids(policies: &Value) -> Vec<&str> {
    policies.as_array().into_iter().flatten().filter_map(|policy| policy["id"].as_str()).collect()
}
