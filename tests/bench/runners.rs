//! Runners: many of them, and more jobs that wait than they can take. Each signs its requests, holds a long poll while there
//! is nothing to do, and carries out one job after the other; how long a job takes bounds how often each comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_tests::{Answer, Server, SignedRunner};
use futures::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::append::percentile;
use crate::report::Report;

const CLIENTS: usize = 64;
/// Users whose workspaces they are.
const USERS: usize = 200;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Runners.
    pub(crate) runners: usize,
    /// Jobs that wait.
    pub(crate) jobs: usize,
    /// How long a job takes.
    pub(crate) seconds: f64,
}

pub(crate) async fn measure(report: &mut Report, sizes: Sizes) {
    let server = Server::start().await;
    server.post("/api/v1/organizations", &json!({"name": "acme"})).await.expect(StatusCode::CREATED);
    let template = template(&server).await;
    let mut users = Vec::new();
    for number in 0..USERS {
        let roles = json!([{"role": "member", "organization": "acme"}]);
        let user = json!({"username": format!("u{number}"), "organization": "acme", "roles": roles});
        users.push(server.post("/api/v1/users", &user).await.made());
    }
    let key = server.post("/api/v1/runner-keys", &json!({"name": "bench", "organization": "acme"})).await;
    let key = key.expect(StatusCode::CREATED)["key"].as_str().expect("a key").to_owned();
    let runners: Vec<SignedRunner> = futures::stream::iter(0..sizes.runners)
        .map(|number| {
            let (server, key) = (&server, &key);
            async move { SignedRunner::register(server, key, &format!("r{number}")).await }
        })
        .buffer_unordered(CLIENTS)
        .collect()
        .await;
    // They come one after the other, as if they had been at work before.
    let begun = Arc::new(tokio::sync::Barrier::new(sizes.runners + 1));
    let tasks: Vec<_> = runners
        .into_iter()
        .enumerate()
        .map(|(number, runner)| {
            let pause = sizes.seconds * number as f64 / sizes.runners as f64;
            tokio::spawn(run(runner, begun.clone(), Duration::from_secs_f64(pause), sizes.seconds))
        })
        .collect();
    fill(&server, &template, &users, sizes.jobs).await;
    begun.wait().await;
    let (mut acquired, mut jobs) = (Vec::new(), 0);
    for task in tasks {
        let times = task.await.expect("a runner");
        jobs += times.len();
        acquired.extend(times);
    }
    assert_eq!(jobs, sizes.jobs, "every job was carried out once");
    report.plain("runner_acquire_p50_ms", percentile(&mut acquired, 0.5), "ms", None);
    report.plain("runner_acquire_p99_ms", percentile(&mut acquired, 0.99), "ms", Some("≤ 100"));
    report.plain("runner_server_rss_mib", resident(&server), "MiB", Some("≤ 500"));
}

/// Takes jobs until none is left; milliseconds of every answer with a job.
async fn run(runner: SignedRunner, begun: Arc<tokio::sync::Barrier>, pause: Duration, seconds: f64) -> Vec<f64> {
    begun.wait().await;
    tokio::time::sleep(pause).await;
    let mut times = Vec::new();
    loop {
        let asked = Instant::now();
        let answer = runner.acquire(2).await;
        let took = asked.elapsed().as_secs_f64() * 1e3;
        if answer.status == StatusCode::NO_CONTENT {
            return times;
        }
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        times.push(took);
        let job = answer.body["id"].as_str().expect("a job").to_owned();
        let ends = Instant::now() + Duration::from_secs_f64(seconds);
        let planned = runner.tell(&job, "planned", &json!({"daily_cost": 0})).await;
        assert_eq!(planned.status, StatusCode::OK, "{}", planned.text);
        let applying = runner.tell(&job, "applying", &json!({})).await;
        assert_eq!(applying.status, StatusCode::NO_CONTENT, "{}", applying.text);
        tokio::time::sleep_until(ends.into()).await;
        let finished = runner.tell(&job, "finished", &json!({"outcome": "succeeded"})).await;
        assert_eq!(finished.status, StatusCode::NO_CONTENT, "{}", finished.text);
    }
}

/// A template with one version, that everyone may use.
async fn template(server: &Server) -> String {
    let id = server.post("/api/v1/templates", &json!({"name": "plain", "organization": "acme"})).await.made();
    let path = format!("/api/v1/templates/{id}");
    let everyone = json!({"subject_kind": "everyone", "permission": "use"});
    let given = server.send(Method::PUT, &format!("{path}/access"), &everyone).await;
    assert!(given.status.is_success(), "{}", given.text);
    let content = b"resource \"terraform_data\" \"x\" {}\n";
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "main.tf", content.as_slice()).expect("an archive");
    let archive = builder.into_inner().expect("an archive");
    let request = server.request(Method::POST, &format!("{path}/versions"));
    let request = request.header("content-type", "application/x-tar").body(archive);
    let pushed = Answer::of("push".to_owned(), request.send().await.expect("an answer")).await;
    let version = pushed.expect(StatusCode::CREATED)["id"].as_str().expect("an id").to_owned();
    if server.get(&path, &[]).await["active_version"] != json!(version) {
        let promoted = server.post(&format!("{path}/versions/{version}/promote"), &json!({})).await;
        assert!(promoted.status.is_success(), "{}", promoted.text);
    }
    id
}

/// Workspaces that are to be started, each a job that waits.
async fn fill(server: &Server, template: &str, users: &[String], count: usize) {
    let make = |number: usize| {
        let owner = &users[number * 7 % users.len()];
        let order = json!({"name": format!("w{number}"), "template": template, "owner": owner});
        async move { server.post("/api/v1/workspaces", &order).await.made() }
    };
    let all: Vec<String> = futures::stream::iter(0..count).map(make).buffer_unordered(CLIENTS).collect().await;
    assert_eq!(all.len(), count, "every job waits");
}

/// The most memory that the server has had, in MiB.
fn resident(server: &Server) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory");
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
    kib / 1024.0
}
