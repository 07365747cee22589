//! Runners that speak the protocol themselves: how they register and are cut off, which jobs they get, and what becomes of
//! these when they are silent.

mod hostile;
mod keys;
mod leases;
mod matching;

use std::time::{Duration, Instant};

use chancery_tests::{Answer, Server, SignedRunner};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest to wait for what happens by itself, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server with an organization and a template that everyone there may use.
struct Depot {
    server: Server,
    template: String,
    _directory: TempDir,
}

impl Depot {
    async fn open(environment: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().unwrap();
        let server = Server::start_in(directory.path(), environment).await;
        server.post("/api/v1/organizations", &json!({"name": "acme"})).await.expect(StatusCode::CREATED);
        let template = template(&server, "plain", json!({})).await;
        Self { server, template, _directory: directory }
    }

    /// A runner key with these settings besides; its text.
    async fn key(&self, more: Value) -> String {
        let mut order = json!({"name": "key", "organization": "acme"});
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.server.post("/api/v1/runner-keys", &order).await.expect(StatusCode::CREATED);
        made["key"].as_str().unwrap().to_owned()
    }

    async fn runner(&self, name: &str) -> SignedRunner {
        SignedRunner::register(&self.server, &self.key(json!({})).await, name).await
    }

    async fn user(&self, name: &str) -> String {
        let roles = json!([{"role": "member", "organization": "acme"}]);
        let user = json!({"username": name, "organization": "acme", "roles": roles});
        self.server.post("/api/v1/users", &user).await.made()
    }

    /// A workspace that a build starts.
    async fn workspace(&self, name: &str, owner: &str) -> String {
        self.workspace_of(&self.template, name, owner).await
    }

    async fn workspace_of(&self, template: &str, name: &str, owner: &str) -> String {
        let order = json!({"name": name, "template": template, "owner": owner});
        self.server.post("/api/v1/workspaces", &order).await.made()
    }

    async fn build(&self, workspace: &str, number: u64) -> Value {
        self.server.get(&format!("/api/v1/workspaces/{workspace}/builds/{number}"), &[]).await
    }

    /// Waits until a build is in this state.
    async fn reaches(&self, workspace: &str, status: &str) -> Value {
        let begun = Instant::now();
        loop {
            let build = self.build(workspace, 1).await;
            if build["status"] == status {
                return build;
            }
            assert!(begun.elapsed() < PATIENCE, "not {status}: {build}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until there are events that a filter finds.
    async fn recorded(&self, filter: &str) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let events = self.server.events(filter).await;
            if !events.is_empty() {
                return events;
            }
            assert!(begun.elapsed() < PATIENCE, "no event: {filter}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Types of the events that a filter finds.
    async fn types(&self, filter: &str) -> Vec<String> {
        let events = self.server.events(filter).await;
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

/// A template with a version, that everyone may use; its id.
async fn template(server: &Server, name: &str, settings: Value) -> String {
    let order = json!({"name": name, "organization": "acme", "settings": settings});
    let id = server.post("/api/v1/templates", &order).await.made();
    let path = format!("/api/v1/templates/{id}");
    let everyone = json!({"subject_kind": "everyone", "permission": "use"});
    let given = server.send(Method::PUT, &format!("{path}/access"), &everyone).await;
    assert!(given.status.is_success(), "{}", given.text);
    let content = b"resource \"terraform_data\" \"x\" {}\n";
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "main.tf", content.as_slice()).unwrap();
    let request = server.request(Method::POST, &format!("{path}/versions"));
    let request = request.header("content-type", "application/x-tar").body(builder.into_inner().unwrap());
    let pushed = Answer::of(format!("POST {path}/versions"), request.send().await.unwrap()).await;
    let version = pushed.expect(StatusCode::CREATED)["id"].as_str().unwrap().to_owned();
    if server.get(&path, &[]).await["active_version"] != json!(version) {
        let promoted = server.post(&format!("{path}/versions/{version}/promote"), &json!({})).await;
        assert!(promoted.status.is_success(), "{}", promoted.text);
    }
    id
}

/// What an answer says that is no success.
fn refused(answer: &Answer, status: StatusCode) -> String {
    assert_eq!(answer.status, status, "{}: {}", answer.request, answer.text);
    answer.body["detail"].as_str().unwrap_or_default().to_owned()
}
