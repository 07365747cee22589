//! Three nodes on one log, one state and one lake: what the cluster promises when nothing goes wrong.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use chancery_tests::{Cluster, ClusterPlan, KafkaAccess, NodePlan, TOKEN};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::logins;

async fn sql(cluster: &Cluster, node: usize, query: &str) -> Value {
    let request = cluster.nodes[node].request(Method::POST, "/api/v1/audit/sql").json(&json!({"query": query}));
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    answer["rows"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_show_what_any_of_them_has_acknowledged() {
    let cluster = Cluster::start(3).await;
    for round in 0..6_u64 {
        let node = usize::try_from(round % 3).unwrap();
        let (status, report) = cluster.nodes[node].ingest(&logins(round * 500..(round + 1) * 500)).await;
        assert_eq!((status, &report["created"]), (StatusCode::OK, &json!(500)), "{report}");
        let count = "SELECT count(*), count(DISTINCT id) FROM events WHERE source = '/test'";
        let expected = json!([[(round + 1) * 500, (round + 1) * 500]]);
        for other in 0..3 {
            assert_eq!(sql(&cluster, other, count).await, expected, "node {other} after node {node}");
        }
    }
    let (_, report) = cluster.nodes[1].ingest(&logins(0..10)).await;
    assert_eq!(report["duplicate"], 10, "{report}");

    // A token made at one node works at the others at once, and nowhere once it is withdrawn.
    let made =
        cluster.nodes[0].request(Method::POST, "/api/v1/tokens").json(&json!({"name": "ci", "scopes": ["read"]}));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let read = async |node: usize| {
        let request = cluster.nodes[node].anonymous(Method::GET, "/api/v1/users").bearer_auth(token);
        request.send().await.unwrap().status()
    };
    for node in 0..3 {
        assert_eq!(read(node).await, StatusCode::OK);
    }
    let withdrawn = cluster.nodes[1].request(Method::DELETE, &format!("/api/v1/tokens/{id}")).send().await.unwrap();
    assert_eq!(withdrawn.status(), StatusCode::NO_CONTENT);
    for node in 0..3 {
        assert_eq!(read(node).await, StatusCode::UNAUTHORIZED);
    }

    // Pages go on at any node.
    let (mut after, mut seen, mut node) = (String::new(), BTreeSet::new(), 0);
    loop {
        let query = [("q", "source:\"/test\""), ("limit", "700"), ("cursor", after.as_str())];
        let query = if after.is_empty() { &query[..2] } else { &query[..] };
        let page = cluster.nodes[node].get("/api/v1/audit/events", query).await;
        for event in page["events"].as_array().unwrap() {
            assert!(seen.insert(event["position"].as_u64().unwrap()), "no page repeats an event");
        }
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
        node = (node + 1) % 3;
    }
    assert_eq!(seen.len(), 3000);

    let overview = cluster.get("/api/v1/cluster", &[]).await;
    let names: Vec<&str> =
        overview["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["node0", "node1", "node2"]);
    assert_eq!(overview["partitions"].as_array().unwrap().len(), 4, "{overview}");
    let joined =
        cluster.get("/api/v1/audit/aggregate", &[("q", "type:node.joined"), ("distinct", "resource_id")]).await;
    assert_eq!(joined["rows"], json!([[3, 3]]));
    rebuild_agrees(cluster);
}

/// Stops the nodes and folds the whole log again.
pub(super) fn rebuild_agrees(mut cluster: Cluster) {
    for node in &mut cluster.nodes {
        assert!(node.stop(), "a node did not stop in order");
    }
    let rebuilt = cluster.nodes[0].operate(&["state", "rebuild"]).output().unwrap();
    let said = String::from_utf8_lossy(&rebuilt.stdout).into_owned() + &String::from_utf8_lossy(&rebuilt.stderr);
    assert!(rebuilt.status.success() && said.contains(" 0 rows differed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_can_be_divided_and_kafka_be_guarded() {
    let role = |roles: &str, balanced| NodePlan { roles: Some(roles.to_owned()), balanced, ..NodePlan::default() };
    let plan = ClusterPlan {
        nodes: vec![role("gateway", true), role("projector,relay", false), role("archiver", false)],
        access: KafkaAccess::Scram,
        environment: vec![("CHANCERY_LAKE_BATCH_SECONDS".to_owned(), "1".to_owned())],
        ..ClusterPlan::of(0)
    };
    let cluster = plan.start().await;
    let (_, report) = cluster.ingest(&logins(0..1000)).await;
    assert_eq!(report["created"], 1000, "{report}");
    let user = json!([{
        "specversion": "1.0", "id": "u", "source": "/test", "type": "user.created", "subject": "user/ada",
        "data": {"actor": {"id": "idp", "kind": "idp"}, "details": {"username": "ada"}}
    }]);
    cluster.ingest(&user).await;
    let settled = async {
        loop {
            let (users, lake) = (cluster.get("/api/v1/users", &[]).await, cluster.get("/api/v1/lake", &[]).await);
            if users["items"].as_array().unwrap().len() == 1 && lake["rows"].as_u64() >= Some(1001) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), settled).await.expect("folded and archived by others");
    let refused = cluster.nodes[2].request(Method::GET, "/api/v1/users").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    assert!(cluster.nodes[2].succeeds("/readyz").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_wrong_is_told_at_the_start() {
    let cluster = ClusterPlan { access: KafkaAccess::Tls, ..ClusterPlan::of(1) }.start().await;
    let serve = |name: &str, value: &str| {
        let serving = cluster.nodes[0].operate(&["serve", "--address", "127.0.0.1:0"]);
        // One that is not refused would serve for ever.
        let mut command = Command::new("timeout");
        command.arg("30").arg(serving.get_program()).args(serving.get_args());
        command.envs(serving.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.env(name, value).output().unwrap();
        assert!(!output.status.success(), "{name}={value}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for (name, value, reason) in [
        ("CHANCERY_LAKE_URL", "s3://nowhere/lake", "`nowhere` does not exist"),
        ("CHANCERY_LAKE_S3_SECRET_ACCESS_KEY", "wrong", "denied"),
        ("CHANCERY_LAKE_URL", "", "needs `lake.url`"),
        ("CHANCERY_STATE_POSTGRES", "", "needs `state.postgres`"),
        ("CHANCERY_NODE_ROLES", "gateway,dancer", "must be some of gateway, projector"),
        ("CHANCERY_LOG_PARTITIONS", "0", "a whole number from 1"),
        ("CHANCERY_LOG_TOPIC", "other", "the database belongs to the topic `chancery.log`"),
    ] {
        let said = serve(name, value);
        assert!(said.contains(reason), "{name}={value}: {said}");
        assert!(!said.contains(TOKEN), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_installation_moves_with_its_whole_history() {
    let mut embedded = chancery_tests::Server::start().await;
    let (_, report) = embedded.ingest(&logins(0..3000)).await;
    assert_eq!(report["created"], 3000);
    let made = embedded.request(Method::POST, "/api/v1/tokens").json(&json!({"name": "old", "scopes": ["admin"]}));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let events = embedded.get("/api/v1/audit/events", &[("q", "source:\"/test\""), ("limit", "1000")]).await;
    assert!(embedded.stop());

    let mut cluster = Cluster::start(1).await;
    cluster.nodes[0].stop();
    let positions = embedded.directory.join("positions.csv");
    let migrate = || {
        let mut command = cluster.nodes[0].operate(&["migrate", "embedded-to-cluster", "--from"]);
        let command = command.arg(&embedded.directory).arg("--positions").arg(&positions);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        said.lines().last().unwrap().to_owned()
    };
    let first = migrate();
    assert!(first.contains("byte for byte"), "{first}");
    assert_eq!(migrate(), first, "a second run changes nothing");
    let mapped = std::fs::read_to_string(&positions).unwrap();
    cluster.nodes[0].restart().await;
    cluster.ready().await;

    // The same events, each where the mapping says; the old token works and can be withdrawn.
    let moved = cluster.get("/api/v1/audit/events", &[("q", "source:\"/test\""), ("limit", "1000")]).await;
    let by_id = |events: &Value| -> BTreeSet<(String, String)> {
        let events = events["events"].as_array().unwrap().iter();
        events.map(|event| (event["id"].to_string(), event["stream_version"].to_string())).collect()
    };
    assert_eq!(by_id(&events).len(), by_id(&moved).len());
    let event = &events["events"][0];
    let query = format!("source:\"/test\" id:{}", event["id"]);
    let found = cluster.get("/api/v1/audit/events", &[("q", &query)]).await;
    let line = format!("{},{}", event["position"], found["events"][0]["position"]);
    assert!(mapped.lines().any(|mapping| mapping == line), "{line}");
    let token = made["token"].as_str().unwrap();
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    let withdrawn = cluster.anonymous(Method::DELETE, &path).bearer_auth(token).send().await.unwrap();
    assert_eq!(withdrawn.status(), StatusCode::NO_CONTENT);
    let refused = cluster.anonymous(Method::GET, "/api/v1/users").bearer_auth(token).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    rebuild_agrees(cluster);
}
