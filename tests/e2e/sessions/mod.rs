//! Sessions: who may connect, what is on record, and that what may not go on ends.

mod browser_only;
mod endings;
mod ssh;
mod sshd;
mod tickets;

use std::time::Duration;

use chancery_tests::{Answer, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Someone with a token of their own.
struct Person {
    id: String,
    token: String,
}

impl Person {
    async fn new(server: &Server, name: &str, roles: Value) -> Self {
        let user = json!({"username": name, "roles": roles});
        let id = server.post("/api/v1/users", &user).await.made();
        let order = json!({"name": "own", "scopes": ["admin"], "owner": {"kind": "user", "id": id}});
        let made = server.post("/api/v1/tokens", &order).await.expect(StatusCode::CREATED);
        Self { id, token: made["token"].as_str().unwrap().to_owned() }
    }

    async fn posts(&self, server: &Server, path: &str, body: Value) -> Answer {
        let request = server.anonymous(Method::POST, path).bearer_auth(&self.token).json(&body);
        Answer::of(format!("POST {path} {body}"), request.send().await.unwrap()).await
    }

    async fn connects(&self, server: &Server, workspace: &str, kind: &str) -> Answer {
        self.posts(server, &connect(workspace), json!({"kind": kind, "client": "test"})).await
    }

    /// Connects as who may, and has an agent open the session; gives back its id.
    async fn opens(&self, server: &Server, workspace: &str, kind: &str) -> String {
        let allowed = self.connects(server, workspace, kind).await.expect(StatusCode::CREATED);
        let id = allowed["id"].as_str().unwrap().to_owned();
        let open = json!({"ticket": allowed["ticket"], "host": "h"});
        server.post(&format!("/api/v1/sessions/{id}/open"), &open).await.expect(StatusCode::OK);
        id
    }
}

fn connect(workspace: &str) -> String {
    format!("/api/v1/workspaces/{workspace}/sessions")
}

/// An event that another system reports of a workspace.
async fn reports(server: &Server, workspace: &str, event_type: &str, organization: Option<&str>, details: Value) {
    let id = format!("{workspace}-{event_type}-{details}");
    let (status, report) = server
        .ingest(&json!([{
            "specversion": "1.0", "id": id, "source": "/platform", "type": event_type,
            "subject": format!("workspace/{workspace}"),
            "data": {
                "actor": {"id": "platform", "kind": "service"}, "organization": organization, "details": details,
                "resource": {"kind": "workspace", "id": workspace, "name": workspace},
            },
        }]))
        .await;
    assert_eq!((status.as_u16(), &report["created"]), (201, &json!(1)), "{report}");
}

/// A workspace of someone that runs.
async fn workspace(server: &Server, id: &str, owner: &Person, organization: Option<&str>, template: Option<&str>) {
    let created = json!({"owner_id": owner.id, "template_id": template});
    reports(server, id, "workspace.created", organization, created).await;
    reports(server, id, "workspace.build.succeeded", organization, json!({"build_number": 1, "transition": "start"}))
        .await;
    until("the workspace runs", async || status_of_workspace(server, id).await == "running").await;
}

async fn status_of_workspace(server: &Server, id: &str) -> String {
    let all = server.get("/api/v1/workspaces", &[("limit", "1000")]).await;
    let found = all["items"].as_array().unwrap().iter().find(|workspace| workspace["id"] == id);
    found.and_then(|workspace| workspace["status"].as_str()).unwrap_or_default().to_owned()
}

async fn session(server: &Server, id: &str) -> Value {
    server.get(&format!("/api/v1/sessions/{id}"), &[]).await
}

async fn status(server: &Server, id: &str) -> String {
    session(server, id).await["status"].as_str().unwrap().to_owned()
}

/// The events of a session of one type.
async fn told(server: &Server, id: &str, event_type: &str) -> Vec<Value> {
    server.events(&format!("type:{event_type} stream:\"session/{id}\"")).await
}

/// The one event that ended a session, once it is there.
async fn end(server: &Server, id: &str, event_type: &str) -> Value {
    until("the session ends", async || !told(server, id, event_type).await.is_empty()).await;
    let mut events = told(server, id, event_type).await;
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: not within thirty seconds");
}

fn ids(policies: &Value) -> Vec<&str> {
    policies.as_array().into_iter().flatten().filter_map(|policy| policy["id"].as_str()).collect()
}
