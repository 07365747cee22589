//! SCIM: two directories pushed at once, one group of 100,000 members, one name among a million; and the same push,
//! smaller, to `scim2-server` of `PyPI`, which keeps everything in memory.

pub(crate) mod load;

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;

use chancery_tests::{GROUP, Process, Provider, Server, USER, free_port, scim_tools};
use futures::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::append::percentile;
use crate::ingest::{IN_FLIGHT, peak_resident};
use crate::report::Report;
use load::{Connection, Pushed, Target, push, user_name};

const REHEARSAL: &str = include_str!("../conformance/rehearsal.py");
/// What the peer, whose every answer takes longer the more it holds, is given.
const PEER: (usize, usize) = (1_000, 20);
const REHEARSED_USERS: usize = 3_000;
const LARGE_GROUP: usize = 100_000;
/// Operations in one bulk request, and members in one PATCH.
const AT_ONCE: usize = 1_000;
const REPETITIONS: usize = 400;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Users that are pushed.
    pub(crate) users: usize,
    /// Groups that are pushed.
    pub(crate) groups: usize,
    /// Users that there are when one is looked up by name.
    pub(crate) filled: usize,
}

pub(crate) async fn measure(report: &mut Report, sizes: Sizes) {
    let (peer_rate, peer_p99) = rate_and_p99(peer().await);
    let (small_rate, small_p99) = rate_and_p99(at_the_peers_size().await);
    let server = Server::start().await;
    let directory = async |organization: &str| {
        let provider = Provider::connect(&server, json!({"organizations": [organization]})).await;
        Target { base: provider.base, token: provider.token }
    };
    let targets = Arc::new(vec![directory("acme").await, directory("globex").await]);
    let (rate, p99) = rate_and_p99(push(&targets, sizes.users, sizes.groups).await);
    let peers = |peer: f64, small: f64| {
        BTreeMap::from([("scim2-server, 1000 users".to_owned(), peer), ("chancery, 1000 users".to_owned(), small)])
    };
    report.add("scim_operations_per_s", rate, "ops/s", Some("≥ 1000"), &peers(peer_rate, small_rate));
    report.add("scim_p99_ms", p99, "ms", Some("≤ 20"), &peers(peer_p99, small_p99));
    report.plain("scim_rss_mib", peak_resident(server.id()), "MiB", None);
    rehearsal(report, &server).await;
    let known = fill(&targets, sizes.filled.saturating_sub(sizes.users).max(AT_ONCE)).await;
    by_name(report, &targets, &known).await;
    large_group(report, &targets, &known).await;
}

fn rate_and_p99(mut pushed: Pushed) -> (f64, f64) {
    (pushed.operations as f64 / pushed.seconds, percentile(&mut pushed.latencies, 0.99))
}

/// The small push to a server of its own.
async fn at_the_peers_size() -> Pushed {
    let server = Server::start().await;
    let provider = Provider::connect(&server, json!({})).await;
    push(&Arc::new(vec![Target { base: provider.base, token: provider.token }]), PEER.0, PEER.1).await
}

/// The same push to the peer.
async fn peer() -> Pushed {
    let (directory, port) = (TempDir::new().expect("a directory"), free_port());
    let log = directory.path().join("scim2-server.log");
    let mut command = Command::new(scim_tools().with_file_name("scim2-server"));
    command.args(["--port", &port.to_string(), "--bearer-token", "peer"]);
    let mut process = Process::start(&mut command, &log);
    process.wait_until("scim2-server", &log, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let target = Target { base: format!("http://127.0.0.1:{port}/v2"), token: "peer".to_owned() };
    push(&Arc::new(vec![target]), PEER.0, PEER.1).await
}

/// A push by a client library of others, which checks every answer.
async fn rehearsal(report: &mut Report, server: &Server) {
    let provider = Provider::connect(server, json!({"organizations": ["initech"]})).await;
    let output = Command::new(scim_tools())
        .args(["-c", REHEARSAL, &provider.base, &provider.token, &REHEARSED_USERS.to_string()])
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let number = |member: &str| answer[member].as_f64().unwrap_or(f64::NAN);
    report.plain("scim_client_library_ops_per_s", number("operations") / number("seconds"), "ops/s", None);
}

/// More users for the first directory by bulk requests; names and ids of them.
pub(crate) async fn fill(targets: &Arc<Vec<Target>>, users: usize) -> Vec<(String, String)> {
    let bulk = |begin: usize| {
        let targets = targets.clone();
        async move {
            let names: Vec<String> =
                (begin..users.min(begin + AT_ONCE)).map(|n| format!("filled-{}", user_name(n))).collect();
            let operation = |name: &String| {
                let data = json!({"schemas": [USER], "userName": name, "active": true});
                json!({"method": "POST", "path": "/Users", "bulkId": name, "data": data})
            };
            let operations: Vec<Value> = names.iter().map(operation).collect();
            let body =
                json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations});
            let answer = Connection::new(targets).send(0, Method::POST, "/Bulk", Some(&body)).await;
            let made = answer["Operations"].as_array().expect("operations").iter().map(id_of);
            names.into_iter().zip(made.collect::<Vec<_>>()).collect::<Vec<_>>()
        }
    };
    let begins = (0..users).step_by(AT_ONCE);
    futures::stream::iter(begins).map(bulk).buffered(IN_FLIGHT).collect::<Vec<_>>().await.concat()
}

/// The id at the end of what a bulk operation made.
fn id_of(operation: &Value) -> String {
    assert_eq!(operation["status"], StatusCode::CREATED.as_str(), "{operation}");
    let location = operation["location"].as_str().expect("a location");
    location.rsplit('/').next().unwrap_or_default().to_owned()
}

/// `userName eq` with everyone there, over HTTP and one connection.
async fn by_name(report: &mut Report, targets: &Arc<Vec<Target>>, known: &[(String, String)]) {
    let mut connection = Connection::new(targets.clone());
    let step = (known.len() / REPETITIONS).max(1);
    for (name, id) in known.iter().step_by(step) {
        let path = format!("/Users?filter=userName%20eq%20%22{name}%22");
        let found = connection.send(0, Method::GET, &path, None).await;
        assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &json!(id)));
    }
    report.plain("scim_username_eq_ms", percentile(&mut connection.times(), 0.5), "ms", Some("≤ 1"));
}

/// One member more and one less of a large group.
async fn large_group(report: &mut Report, targets: &Arc<Vec<Target>>, known: &[(String, String)]) {
    let mut connection = Connection::new(targets.clone());
    let (members, others) = known.split_at(LARGE_GROUP.min(known.len() / 2));
    let group = json!({"schemas": [GROUP], "displayName": "Everyone"});
    let path = format!("/Groups/{}", connection.make(0, "/Groups", &group).await);
    for some in members.chunks(AT_ONCE) {
        let values: Vec<Value> = some.iter().map(|(_, id)| json!({"value": id})).collect();
        connection.patch(0, &path, json!([{"op": "add", "path": "members", "value": values}])).await;
    }
    connection.times();
    for (_, id) in others.iter().take(REPETITIONS) {
        connection.patch(0, &path, json!([{"op": "add", "path": "members", "value": [{"value": id}]}])).await;
        let leaves = format!("members[value eq \"{id}\"]");
        connection.patch(0, &path, json!([{"op": "remove", "path": leaves}])).await;
    }
    let mut times = connection.times();
    report.plain("scim_patch_member_100k_ms", percentile(&mut times, 0.5), "ms", Some("≤ 10"));
    report.plain("scim_patch_member_100k_p99_ms", percentile(&mut times, 0.99), "ms", None);
}
