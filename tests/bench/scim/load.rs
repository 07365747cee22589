//! What identity providers send when they push a directory for the first time.
//!
//! Each user is asked for by name and then made, as all of them do; every tenth changes a moment later, every fiftieth
//! is disabled. Each group is made empty, gets fifty members in one PATCH, and then one leaves while the name is said
//! again, as Okta does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use chancery_tests::{GROUP, PATCH, USER};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// Connections that push at a time, each a client of its own.
const CONNECTIONS: usize = 8;
const MEMBERS: usize = 50;

/// Where a directory is pushed to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) base: String,
    pub(crate) token: String,
}

/// How a push went.
pub(crate) struct Pushed {
    pub(crate) operations: usize,
    pub(crate) seconds: f64,
    /// Milliseconds of each operation.
    pub(crate) latencies: Vec<f64>,
}

/// One HTTP connection.
pub(crate) struct Connection {
    http: Client,
    targets: Arc<Vec<Target>>,
    latencies: Vec<f64>,
}

impl Connection {
    pub(crate) fn new(targets: Arc<Vec<Target>>) -> Self {
        let http = Client::builder().pool_max_idle_per_host(1).build().expect("a client");
        Self { http, targets, latencies: Vec::new() }
    }

    /// Sends a request to a target, expects success and keeps how long it took.
    pub(crate) async fn send(&mut self, target: usize, method: Method, path: &str, body: Option<&Value>) -> Value {
        let to = &self.targets[target];
        let mut request = self.http.request(method.clone(), format!("{}{path}", to.base)).bearer_auth(&to.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/scim+json").body(body.to_string());
        }
        let sent = Instant::now();
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let text = response.text().await.expect("a body");
        self.latencies.push(sent.elapsed().as_secs_f64() * 1e3);
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) async fn patch(&mut self, target: usize, path: &str, operations: Value) -> Value {
        let mut body = json!({"schemas": [PATCH]});
        body["Operations"] = operations;
        self.send(target, Method::PATCH, path, Some(&body)).await
    }

    /// Makes something and gives back its id.
    pub(crate) async fn make(&mut self, target: usize, path: &str, body: &Value) -> String {
        let made = self.send(target, Method::POST, path, Some(body)).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    /// Milliseconds of each operation so far, which it forgets.
    pub(crate) fn times(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.latencies)
    }
}

pub(crate) fn user_name(number: usize) -> String {
    format!("person{number}@example.com")
}

fn user(number: usize) -> Value {
    let name = user_name(number);
    json!({
        "schemas": [USER], "userName": name, "externalId": format!("external-{number}"), "active": true,
        "displayName": format!("Person {number}"), "name": {"givenName": "Person", "familyName": number.to_string()},
        "emails": [{"value": name, "type": "work", "primary": true}],
    })
}

/// Pushes users and groups, evenly to the targets.
pub(crate) async fn push(targets: &Arc<Vec<Target>>, users: usize, groups: usize) -> Pushed {
    let begun = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(push_users(Connection::new(targets.clone()), next.clone(), users)))
        .collect();
    let (mut ids, mut connections) = (vec![String::new(); users], Vec::new());
    for task in tasks {
        let (connection, made) = task.await.expect("a connection");
        connections.push(connection);
        for (number, id) in made {
            ids[number] = id;
        }
    }
    let (ids, next) = (Arc::new(ids), Arc::new(AtomicUsize::new(0)));
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::spawn(push_groups(connection, next.clone(), groups, ids.clone())))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("a connection").times());
    }
    Pushed { operations: latencies.len(), seconds: begun.elapsed().as_secs_f64(), latencies }
}

async fn push_users(
    mut connection: Connection,
    next: Arc<AtomicUsize>,
    users: usize,
) -> (Connection, Vec<(usize, String)>) {
    let mut made = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= users {
            return (connection, made);
        }
        let target = number % connection.targets.len();
        let probe = format!("/Users?filter=userName%20eq%20%22{}%22", user_name(number));
        let found = connection.send(target, Method::GET, &probe, None).await;
        assert_eq!(found["totalResults"], 0, "{found}");
        let id = connection.make(target, "/Users", &user(number)).await;
        let path = format!("/Users/{id}");
        if number.is_multiple_of(10) {
            let title = json!([{"op": "replace", "path": "title", "value": format!("Title {number}")}]);
            connection.patch(target, &path, title).await;
        }
        if number.is_multiple_of(50) {
            connection.patch(target, &path, json!([{"op": "replace", "value": {"active": false}}])).await;
        }
        made.push((number, id));
    }
}

async fn push_groups(
    mut connection: Connection,
    next: Arc<AtomicUsize>,
    groups: usize,
    ids: Arc<Vec<String>>,
) -> Connection {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= groups {
            return connection;
        }
        let targets = connection.targets.len();
        let target = number % targets;
        let name = format!("Group {number}");
        let group = json!({"schemas": [GROUP], "displayName": name});
        let path = format!("/Groups/{}", connection.make(target, "/Groups", &group).await);
        // Users of the same directory: their numbers have the same remainder.
        let of_target = ids.iter().skip(target).step_by(targets);
        let members: Vec<&String> = of_target.cycle().skip(number * 7).take(MEMBERS.min(ids.len() / targets)).collect();
        let values: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        connection.patch(target, &path, json!([{"op": "add", "path": "members", "value": values}])).await;
        let leaves = format!("members[value eq \"{}\"]", members[0]);
        let operations = json!([{"op": "replace", "value": {"displayName": name}}, {"op": "remove", "path": leaves}]);
        connection.patch(target, &path, operations).await;
    }
}
