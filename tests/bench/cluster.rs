//! The cluster on this one machine: ingest by nodes and partitions, how far behind it is what is made of the events,
//! decisions, and plain Kafka beside it.
//!
//! Client, nodes, Kafka, PostgreSQL and object store share the cores: more nodes on one machine show what sharing the
//! work costs, not what more machines bring.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chancery_tests::{Cluster, ClusterPlan, Server};
use futures::StreamExt;
use reqwest::Method;
use serde_json::json;

use crate::append::percentile;
use crate::ingest::{BATCH, IN_FLIGHT, bodies, send};
use crate::kafka::{Producers, producers};
use crate::report::Report;

/// Batches sent before anything is measured: the brokers' Java compiles what it does often, the nodes connect. The
/// server of the embedded measurement has taken events before, too.
const WARM_UP: usize = 20;
/// How long what is made of the events may lag behind the last acknowledgement.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often is looked whether it still does.
const LOOK: Duration = Duration::from_millis(50);
const DECISIONS: usize = 200;
const DECISIONS_AT_A_TIME: usize = 16;

/// Nodes and partitions, from the smallest to the one that the main numbers are of.
const SHAPES: [Shape; 4] = [
    Shape { nodes: 1, partitions: 1 },
    Shape { nodes: 3, partitions: 1 },
    Shape { nodes: 1, partitions: 12 },
    Shape { nodes: 3, partitions: 12 },
];

#[derive(Clone, Copy)]
struct Shape {
    nodes: usize,
    partitions: u16,
}

/// Bodies of requests; the same for every cluster.
struct Batches {
    warm_up: Vec<String>,
    direct: Vec<String>,
    balanced: Vec<String>,
}

/// How far the cluster is: sums of places over all partitions. Beside the events sent there are few records of the
/// nodes' own. An event is archived when its batch is full or old (`lake.batch_seconds`).
struct Progress {
    admitted: u64,
    projected: u64,
    archived: u64,
}

/// Events a second of the cluster that the main numbers are of.
#[derive(Default)]
struct Rates {
    ingest: f64,
    project: f64,
}

/// Gives every shape of cluster so many events, half of them to its nodes in turn, half through its balancer.
pub(crate) async fn measure(report: &mut Report, events: usize) {
    let batches = Batches::of(events);
    let mut rates = Rates::default();
    // What is measured last stays.
    for shape in SHAPES {
        rates = shape.measure(report, &batches).await;
    }
    drop(batches);
    let producers = producers(WARM_UP * BATCH + events).await;
    compare(report, &rates, &producers);
}

/// The main numbers, beside plain Kafka.
fn compare(report: &mut Report, rates: &Rates, producers: &Producers) {
    report.plain("kafka_record_bytes", producers.record_bytes, "bytes", None);
    report.plain("kafka_producer_1p_events_per_s", producers.one_partition, "events/s", None);
    report.plain("kafka_producer_events_per_s", producers.twelve_partitions, "events/s", None);
    let kafka = BTreeMap::from([("kafka".to_owned(), producers.twelve_partitions)]);
    report.add("cluster_ingest_events_per_s", rates.ingest, "events/s", None, &kafka);
    report.plain("cluster_ingest_ratio_to_kafka", rates.ingest / producers.twelve_partitions, "", Some("≥ 0.5"));
    report.plain("cluster_project_events_per_s", rates.project, "events/s", None);
}

impl Batches {
    fn of(events: usize) -> Self {
        let half = (events / 2 / BATCH).max(1);
        let mut ready = bodies((WARM_UP + 2 * half) * BATCH);
        let mut take = |batches: usize| -> Vec<String> { ready.by_ref().take(batches).collect() };
        Self { warm_up: take(WARM_UP), direct: take(half), balanced: take(half) }
    }
}

impl Shape {
    /// Starts such a cluster and measures it.
    async fn measure(self, report: &mut Report, batches: &Batches) -> Rates {
        let cluster = ClusterPlan { partitions: self.partitions, ..ClusterPlan::of(self.nodes) }.start().await;
        let nodes: Vec<String> = cluster.nodes.iter().map(|node| node.url.clone()).collect();
        warm_up(&cluster, &nodes, &batches.warm_up).await;

        let before = Progress::of(&cluster.nodes[0]).await;
        let begun = Instant::now();
        let acknowledged = offer(&nodes, &batches.direct).await;
        let sent = batches.direct.len() * BATCH;
        let ingest = sent as f64 / acknowledged;
        self.row(report, "ingest", ingest);

        let wanted = before.admitted + sent as u64;
        let until = |reached: fn(&Progress) -> u64| seconds_until(&cluster, begun, wanted, reached);
        let admitted = until(|progress| progress.admitted).await;
        let projected = until(|progress| progress.projected).await;
        let project = sent as f64 / projected;
        self.row(report, "project", project);
        if self.is_main() {
            let archived = until(|progress| progress.archived).await;
            report.plain("cluster_admitted_after_s", admitted - acknowledged, "s", None);
            report.plain("cluster_projected_after_s", projected - acknowledged, "s", None);
            report.plain("cluster_archived_after_s", archived - acknowledged, "s", None);
            decide(report, &cluster.nodes[0]).await;
        }
        self.balanced(report, &cluster, &batches.balanced, projected).await;
        Rates { ingest, project }
    }

    /// The same through the balancer. It takes nodes out whose state is far behind: then there is nothing to measure.
    async fn balanced(self, report: &mut Report, cluster: &Cluster, batches: &[String], projected: f64) {
        let behind = projected.is_nan();
        let seconds = if behind { f64::NAN } else { offer(std::slice::from_ref(&cluster.url), batches).await };
        self.row(report, "balanced", (batches.len() * BATCH) as f64 / seconds);
    }

    fn row(self, report: &mut Report, what: &str, rate: f64) {
        let Self { nodes, partitions } = self;
        report.plain(&format!("cluster_{what}_{nodes}n{partitions}p_events_per_s"), rate, "events/s", None);
    }

    fn is_main(self) -> bool {
        self.nodes == 3 && self.partitions == 12
    }
}

impl Progress {
    /// How far the cluster is, as one of its nodes knows.
    async fn of(node: &Server) -> Self {
        let consumers = node.get("/api/v1/consumers", &[]).await;
        let position = |name: &str| {
            let mut items = consumers["items"].as_array().into_iter().flatten();
            items.find(|item| item["name"] == name).and_then(|item| item["position"].as_u64()).unwrap_or(0)
        };
        let admitted = consumers["head"].as_u64().unwrap_or(0);
        Self { admitted, projected: position("projector"), archived: position("archiver") }
    }
}

async fn warm_up(cluster: &Cluster, nodes: &[String], batches: &[String]) {
    let before = Progress::of(&cluster.nodes[0]).await;
    let begun = Instant::now();
    offer(nodes, batches).await;
    let wanted = before.admitted + (batches.len() * BATCH) as u64;
    let folded = seconds_until(cluster, begun, wanted, |progress| progress.projected).await;
    assert!(folded.is_finite(), "the first events are not folded");
}

/// Sends batches to servers in turn, and gives back the seconds until the last was acknowledged.
async fn offer(urls: &[String], batches: &[String]) -> f64 {
    let http = reqwest::Client::new();
    let begun = Instant::now();
    futures::stream::iter(batches.iter().zip(urls.iter().cycle()))
        .for_each_concurrent(IN_FLIGHT, |(body, url)| send(&http, url, body.clone()))
        .await;
    begun.elapsed().as_secs_f64()
}

/// Seconds from `begun` until something has reached so many places; NaN when it takes too long.
async fn seconds_until(cluster: &Cluster, begun: Instant, wanted: u64, reached: fn(&Progress) -> u64) -> f64 {
    let waiting = Instant::now();
    while waiting.elapsed() < PATIENCE {
        if reached(&Progress::of(&cluster.nodes[0]).await) >= wanted {
            return begun.elapsed().as_secs_f64();
        }
        tokio::time::sleep(LOOK).await;
    }
    f64::NAN
}

/// Tokens made at a node: each is decided on the newest state, published, admitted and folded before it is answered.
async fn decide(report: &mut Report, node: &Server) {
    for (name, at_a_time) in [("cluster_decision", 1), ("cluster_decision_16", DECISIONS_AT_A_TIME)] {
        let mut latencies = decisions(node, at_a_time).await;
        report.plain(&format!("{name}_p50_ms"), percentile(&mut latencies, 0.5), "ms", None);
        report.plain(&format!("{name}_p99_ms"), percentile(&mut latencies, 0.99), "ms", None);
    }
}

/// Milliseconds that each took.
async fn decisions(node: &Server, at_a_time: usize) -> Vec<f64> {
    let one = |number: usize| async move {
        let token = json!({"name": format!("bench {at_a_time} {number}"), "scopes": ["read"]});
        let begun = Instant::now();
        let request = node.request(Method::POST, "/api/v1/tokens").timeout(PATIENCE).json(&token);
        let response = request.send().await.expect("an answer");
        assert!(response.status().is_success(), "{}", response.status());
        response.bytes().await.expect("a body");
        begun.elapsed().as_secs_f64() * 1e3
    };
    futures::stream::iter(0..DECISIONS).map(one).buffer_unordered(at_a_time).collect().await
}
