//! Quota-checked decisions: in an organization with many users and workspaces, 64 clients carry out builds at a steady rate.
//! Every step of a build is a decision that is durable when it is answered: asked for, taken, weighed against the quota,
//! begun, done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chancery_tests::{Answer, Provider, Server};
use futures::StreamExt;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::append::percentile;
use crate::report::Report;
use crate::scim::load::Target;

const CLIENTS: usize = 64;
/// Steps of a build that are decisions.
const STEPS: usize = 5;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Users of the organization.
    pub(crate) users: usize,
    /// Workspaces that there are.
    pub(crate) workspaces: usize,
    /// Decisions per second that are asked for.
    pub(crate) rate: usize,
    /// For how many seconds.
    pub(crate) seconds: usize,
}

pub(crate) async fn measure(report: &mut Report, sizes: Sizes) {
    let server = Server::start().await;
    let organization = server.post("/api/v1/organizations", &json!({"name": "acme"})).await.made();
    let (everyone, allowance) = (format!("/api/v1/groups/{organization}"), json!({"quota_allowance": 100}));
    let set = server.send(Method::PATCH, &everyone, &allowance).await;
    assert!(set.status.is_success(), "everyone has an allowance");
    let provider = Provider::connect(&server, json!({"organizations": ["acme"]})).await;
    let targets = Arc::new(vec![Target { base: provider.base, token: provider.token }]);
    let users: Vec<String> = crate::scim::fill(&targets, sizes.users).await.into_iter().map(|(_, id)| id).collect();
    let template = template(&server).await;
    let workspaces = Arc::new(fill(&server, &template, &users, sizes.workspaces).await);
    let next = Arc::new(AtomicUsize::new(0));
    let (url, begun) = (server.url.clone(), Instant::now());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(client(number, url.clone(), workspaces.clone(), next.clone(), sizes)))
        .collect();
    let (mut all, mut weighed) = (Vec::new(), Vec::new());
    for client in clients {
        let (steps, plans) = client.await.expect("a client");
        all.extend(steps);
        weighed.extend(plans);
    }
    let seconds = begun.elapsed().as_secs_f64();
    report.plain("decisions_per_s", all.len() as f64 / seconds, "1/s", None);
    report.plain("decision_p50_ms", percentile(&mut all, 0.5), "ms", Some("≤ 5"));
    report.plain("decision_p99_ms", percentile(&mut all, 0.99), "ms", Some("≤ 25"));
    report.plain("quota_decision_p50_ms", percentile(&mut weighed, 0.5), "ms", Some("≤ 5"));
    report.plain("quota_decision_p99_ms", percentile(&mut weighed, 0.99), "ms", Some("≤ 25"));
}

/// A template with one version.
async fn template(server: &Server) -> String {
    let id = server.post("/api/v1/templates", &json!({"name": "go", "organization": "acme"})).await.made();
    let content =
        b"variable \"round\" {\n  type = string\n  default = \"\"\n}\n\nresource \"null_resource\" \"x\" {}\n";
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "main.tf", content.as_slice()).expect("an archive");
    let archive = builder.into_inner().expect("an archive");
    let path = format!("/api/v1/templates/{id}/versions");
    let request = server.request(Method::POST, &path).header("content-type", "application/x-tar").body(archive);
    let pushed = Answer::of(format!("POST {path}"), request.send().await.expect("an answer")).await;
    let version = pushed.expect(StatusCode::CREATED)["id"].as_str().expect("an id").to_owned();
    let shown = server.get(&format!("/api/v1/templates/{id}"), &[]).await;
    if shown["active_version"] != json!(version) {
        let promoted = server.post(&format!("{path}/{version}/promote"), &json!({})).await;
        assert!(promoted.status.is_success(), "{}", promoted.text);
    }
    id
}

/// Workspaces of users here and there.
async fn fill(server: &Server, template: &str, users: &[String], count: usize) -> Vec<String> {
    let make = |number: usize| {
        let owner = &users[number * 7 % users.len()];
        let order = json!({"name": format!("w{number}"), "template": template, "owner": owner, "start": false});
        async move { server.post("/api/v1/workspaces", &order).await.made() }
    };
    futures::stream::iter(0..count).map(make).buffer_unordered(CLIENTS).collect().await
}

/// Milliseconds of every decision, and of those that were weighed.
type Times = (Vec<f64>, Vec<f64>);

/// Carries out builds, one decision after the other, each when it is due: whoever is late does not wait longer for that.
async fn client(
    number: usize,
    url: String,
    workspaces: Arc<Vec<String>>,
    next: Arc<AtomicUsize>,
    sizes: Sizes,
) -> Times {
    let http = Client::builder().pool_max_idle_per_host(1).build().expect("a client");
    let every = Duration::from_secs_f64(CLIENTS as f64 / sizes.rate as f64);
    let mut due =
        tokio::time::interval_at(tokio::time::Instant::now() + every.mul_f64(number as f64 / CLIENTS as f64), every);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut all, mut weighed) = (Vec::new(), Vec::new());
    for _ in 0..(sizes.seconds * sizes.rate / CLIENTS / STEPS).max(1) {
        let id = &workspaces[next.fetch_add(1, Ordering::Relaxed) % workspaces.len()];
        let values = json!({"round": next.load(Ordering::Relaxed).to_string()});
        let start = json!({"transition": "start", "parameters": values});
        let steps: [(&str, String, Value); 2] = [
            ("start", format!("/api/v1/workspaces/{id}/builds"), start),
            ("acquire", "/api/v1/jobs/acquire".to_owned(), json!({"organization": "acme"})),
        ];
        let mut job = Value::Null;
        for (_, path, body) in steps {
            due.tick().await;
            let (took, answer) = send(&http, &url, &path, &body).await;
            all.push(took);
            job = answer;
        }
        let job = format!("/api/v1/jobs/{}", job["id"].as_str().expect("a job"));
        for (step, body) in [
            ("planned", json!({"daily_cost": 10})),
            ("applying", Value::Null),
            ("finished", json!({"outcome": "succeeded"})),
        ] {
            due.tick().await;
            let (took, answer) = send(&http, &url, &format!("{job}/{step}"), &body).await;
            all.push(took);
            if step == "planned" {
                weighed.push(took);
                assert_eq!(answer["answer"], "accepted", "{answer}");
            }
        }
    }
    (all, weighed)
}

async fn send(http: &Client, url: &str, path: &str, body: &Value) -> (f64, Value) {
    let sent = Instant::now();
    let request = http.post(format!("{url}{path}")).bearer_auth(chancery_tests::TOKEN).json(body);
    let response = request.send().await.expect("an answer");
    let status = response.status();
    let text = response.text().await.expect("a body");
    let took = sent.elapsed().as_secs_f64() * 1e3;
    assert!(status.is_success(), "{path}: {status} {text}");
    (took, serde_json::from_str(&text).unwrap_or_default())
}
