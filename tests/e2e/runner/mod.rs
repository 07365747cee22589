//! Runners: the real binary with real Terraform builds workspaces against a real server.

mod faults;
mod life;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use chancery_tests::{Answer, Process, Server, TOKEN, binary, terraform};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest to wait for what a build does, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(3);

/// A server with an organization, and a member of it with an allowance.
struct Yard {
    server: Server,
    ada: String,
    directory: TempDir,
}

impl Yard {
    async fn open(allowance: u32) -> Self {
        let directory = TempDir::new().unwrap();
        let server = Server::start_in(&directory.path().join("server"), &[]).await;
        server.post("/api/v1/organizations", &json!({"name": "acme"})).await.expect(StatusCode::CREATED);
        let group = json!({"name": "team", "organization": "acme", "quota_allowance": allowance});
        let group = server.post("/api/v1/groups", &group).await.made();
        let roles = json!([{"role": "member", "organization": "acme"}]);
        let user = json!({"username": "ada", "email": "ada@example.com", "organization": "acme", "roles": roles});
        let ada = server.post("/api/v1/users", &user).await.made();
        let joined = server.send(Method::PUT, &format!("/api/v1/groups/{group}/members/{ada}"), &json!({})).await;
        assert!(joined.status.is_success(), "{}", joined.text);
        Self { server, ada, directory }
    }

    /// A template of one file that everyone may use; its id.
    async fn template(&self, name: &str, content: &str) -> String {
        let order = json!({"name": name, "organization": "acme"});
        let id = self.server.post("/api/v1/templates", &order).await.made();
        let path = format!("/api/v1/templates/{id}");
        let everyone = json!({"subject_kind": "everyone", "permission": "use"});
        let given = self.server.send(Method::PUT, &format!("{path}/access"), &everyone).await;
        assert!(given.status.is_success(), "{}", given.text);
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, "main.tf", content.as_bytes()).unwrap();
        let request = self.server.request(Method::POST, &format!("{path}/versions"));
        let request = request.header("content-type", "application/x-tar").body(builder.into_inner().unwrap());
        let pushed = Answer::of(format!("POST {path}/versions"), request.send().await.unwrap()).await;
        let version = pushed.expect(StatusCode::CREATED)["id"].as_str().unwrap().to_owned();
        let promoted = self.server.post(&format!("{path}/versions/{version}/promote"), &json!({})).await;
        assert!(promoted.status.is_success(), "{}", promoted.text);
        id
    }

    /// A workspace of Ada's that a build starts.
    async fn workspace(&self, template: &str, name: &str, parameters: Value) -> String {
        let order = json!({"name": name, "template": template, "owner": self.ada, "parameters": parameters});
        self.server.post("/api/v1/workspaces", &order).await.made()
    }

    async fn build(&self, workspace: &str, transition: &str, parameters: Option<Value>) -> u64 {
        let order = json!({"transition": transition, "parameters": parameters});
        let asked = self.server.post(&format!("/api/v1/workspaces/{workspace}/builds"), &order).await;
        asked.expect(StatusCode::CREATED)["number"].as_u64().unwrap()
    }

    /// A build as it is shown.
    async fn shown(&self, workspace: &str, number: u64) -> Value {
        self.server.get(&format!("/api/v1/workspaces/{workspace}/builds/{number}"), &[]).await
    }

    /// Waits until a build is in one of these states.
    async fn reaches(&self, runner: &Runner, workspace: &str, number: u64, statuses: &[&str]) -> Value {
        let begun = Instant::now();
        loop {
            let build = self.shown(workspace, number).await;
            if statuses.contains(&build["status"].as_str().unwrap()) {
                return build;
            }
            assert!(begun.elapsed() < PATIENCE, "build {number} is not {statuses:?}: {build}\n{}", runner.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a build has ended like this.
    async fn ends(&self, runner: &Runner, workspace: &str, number: u64, status: &str) -> Value {
        let ends = ["succeeded", "failed", "canceled", "rejected"];
        let build = self.reaches(runner, workspace, number, &ends).await;
        assert_eq!(build["status"], status, "{build}\n{}", runner.said());
        build
    }

    /// Types of events that a filter finds, oldest first.
    async fn types(&self, filter: &str) -> Vec<String> {
        let events = self.server.events(filter).await;
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// A runner for the server itself.
    fn runner(&self) -> Runner {
        self.runner_at(&self.server.url)
    }

    /// A runner that reaches the server at another address.
    fn runner_at(&self, url: &str) -> Runner {
        Runner::start(url, &self.directory.path().join("runner"), &[])
    }
}

/// A runner. It is killed when dropped.
struct Runner {
    process: Process,
    log: PathBuf,
}

impl Runner {
    fn start(url: &str, data: &Path, more: &[&str]) -> Self {
        let log = data.with_extension("log");
        let mut command = Command::new(binary());
        command
            .args(["--server", url, "runner", "--organization", "acme", "--grace", "5", "--terraform"])
            .arg(terraform())
            .arg("--data-directory")
            .arg(data)
            .args(more)
            .env("CHANCERY_CONFIG", "/dev/null")
            .env("CHANCERY_RUNNER_KEY", TOKEN);
        Self { process: Process::start(&mut command, &log), log }
    }

    /// Kills it without a chance to say goodbye.
    fn kill(&mut self) {
        self.process.kill();
    }

    /// What it has printed.
    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}
