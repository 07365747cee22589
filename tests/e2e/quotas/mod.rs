//! Workspaces, builds, jobs and quotas over HTTP and on the command line.

mod command_line;
mod concurrency;
mod life;
mod permissions;

use chancery_tests::{Answer, Api, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server with an organization, a template that everyone there may use, and a group that gives an allowance.
struct Office {
    server: Server,
    template: String,
    group: String,
    _directory: TempDir,
}

impl Office {
    async fn open(allowance: u32) -> Self {
        Self::open_with(allowance, json!({"daily_cost": 4, "allow_own_schedule": true}), &[]).await
    }

    async fn open_with(allowance: u32, settings: Value, environment: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().unwrap();
        let server = Server::start_in(directory.path(), environment).await;
        server.post("/api/v1/organizations", &json!({"name": "acme"})).await.expect(StatusCode::CREATED);
        let template = json!({"name": "go", "organization": "acme", "settings": settings});
        let template = server.post("/api/v1/templates", &template).await.made();
        let path = format!("/api/v1/templates/{template}");
        push(&server, &path, "one").await;
        let everyone = json!({"subject_kind": "everyone", "permission": "use"});
        let given = server.send(Method::PUT, &format!("{path}/access"), &everyone).await;
        assert!(given.status.is_success(), "{}", given.text);
        let group = json!({"name": "team", "organization": "acme", "quota_allowance": allowance});
        let group = server.post("/api/v1/groups", &group).await.made();
        Self { server, template, group, _directory: directory }
    }

    /// A member of the organization and of the group.
    async fn user(&self, name: &str) -> String {
        let roles = json!([{"role": "member", "organization": "acme"}]);
        let user = json!({"username": name, "organization": "acme", "roles": roles});
        let id = self.server.post("/api/v1/users", &user).await.made();
        let path = format!("/api/v1/groups/{}/members/{id}", self.group);
        let joined = self.server.send(Method::PUT, &path, &json!({"reason": "new"})).await;
        assert!(joined.status.is_success(), "{}", joined.text);
        id
    }

    /// A token of a user's own.
    async fn token(&self, user: &str) -> String {
        let order = json!({"name": "own", "scopes": ["admin"], "owner": {"kind": "user", "id": user}});
        let made = self.server.post("/api/v1/tokens", &order).await.expect(StatusCode::CREATED);
        made["token"].as_str().unwrap().to_owned()
    }

    /// A workspace that is not started.
    async fn workspace(&self, name: &str, owner: &str) -> String {
        let order = json!({"name": name, "template": self.template, "owner": owner, "start": false});
        self.server.post("/api/v1/workspaces", &order).await.made()
    }

    async fn build(&self, workspace: &str, transition: &str) -> Answer {
        let path = format!("/api/v1/workspaces/{workspace}/builds");
        self.server.post(&path, &json!({"transition": transition})).await
    }

    /// Takes the next job; its id.
    async fn acquire(&self) -> Option<String> {
        let answer = self.server.post("/api/v1/jobs/acquire", &json!({"organization": "acme"})).await;
        let found = answer.status == StatusCode::OK;
        found.then(|| serde_json::from_str::<Value>(&answer.text).unwrap()["id"].as_str().unwrap().to_owned())
    }

    async fn tell(&self, job: &str, what: &str, body: Value) -> Answer {
        self.server.post(&format!("/api/v1/jobs/{job}/{what}"), &body).await
    }

    /// Carries out the next job, with a plan of this cost; whether it was within the quota.
    async fn carry_out(&self, cost: u32) -> bool {
        let job = self.acquire().await.expect("a job waits");
        let planned = self.tell(&job, "planned", json!({"daily_cost": cost})).await.expect(StatusCode::OK);
        if planned["answer"] == "rejected" {
            return false;
        }
        self.tell(&job, "applying", Value::Null).await.expect_nothing();
        self.tell(&job, "finished", json!({"outcome": "succeeded"})).await.expect_nothing();
        true
    }

    async fn quota(&self, user: &str) -> Value {
        self.server.get(&format!("/api/v1/organizations/acme/members/{user}/quota"), &[]).await
    }

    async fn status(&self, workspace: &str) -> String {
        let shown = self.server.get(&format!("/api/v1/workspaces/{workspace}"), &[]).await;
        shown["status"].as_str().unwrap().to_owned()
    }

    /// Types of the events about a workspace.
    async fn told(&self, workspace: &str) -> Vec<String> {
        let events = self.server.events(&format!("resource.id:{workspace} type:workspace.*")).await;
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

trait Nothing {
    fn expect_nothing(self);
}

impl Nothing for Answer {
    fn expect_nothing(self) {
        assert_eq!(self.status, StatusCode::NO_CONTENT, "{}", self.text);
    }
}

/// Pushes a version of a template, and makes it the active one.
async fn push(api: &Api, template: &str, name: &str) -> String {
    let content = format!("# {name}\nresource \"null_resource\" \"x\" {{}}\n");
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "main.tf", content.as_bytes()).unwrap();
    let archive = builder.into_inner().unwrap();
    let path = format!("{template}/versions?name={name}");
    let request = api.request(Method::POST, &path).header("content-type", "application/x-tar").body(archive);
    let answer = Answer::of(format!("POST {path}"), request.send().await.unwrap()).await;
    let id = answer.expect(StatusCode::CREATED)["id"].as_str().unwrap().to_owned();
    if api.get(template, &[]).await["active_version"] != json!(id) {
        let promoted = api.post(&format!("{template}/versions/{id}/promote"), &json!({})).await;
        assert!(promoted.status.is_success(), "{}", promoted.text);
    }
    id
}
