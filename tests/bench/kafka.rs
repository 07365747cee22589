//! Plain Kafka, by its own `kafka-producer-perf-test`: the same kind of records to a topic of as many partitions, with
//! the settings of the log's producer. The broker is set as those of the clusters are, and alone on the machine.
//!
//! It has it easier than the log: its records have neither key nor header, so that batches fill better.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use chancery_domain::Timestamp;
use chancery_evidence::Sealed;
use chancery_tests::Kafka;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use tempfile::TempDir;

use crate::append::company;

const PROGRAM: &str = "org.apache.kafka.tools.ProducerPerformance";
/// Enough that the time in which Java compiles itself does not count.
const RECORDS: usize = 1_000_000;
/// Different records, of which the program takes any. It holds them in memory a few times.
const PAYLOADS: usize = 50_000;
const PATIENCE: Duration = Duration::from_mins(2);

/// As in `services/log/src/kafka`: `options.rs` and `producing.rs`.
const SETTINGS: [&str; 5] =
    ["acks=all", "enable.idempotence=true", "compression.type=zstd", "batch.size=262144", "linger.ms=3"];

/// What Kafka's own producer does.
pub(crate) struct Producers {
    /// Acknowledged events a second, to one partition.
    pub(crate) one_partition: f64,
    /// The same to twelve.
    pub(crate) twelve_partitions: f64,
    /// Mean size of a record's value.
    pub(crate) record_bytes: f64,
}

/// Measures with events of the company that has so many.
pub(crate) async fn producers(events: usize) -> Producers {
    let directory = TempDir::new().expect("a directory");
    let record_bytes = payloads(&directory.path().join("payloads"), events);
    let kafka = Kafka::start();
    let one_partition = produce(&kafka, directory.path(), 1).await;
    let twelve_partitions = produce(&kafka, directory.path(), 12).await;
    Producers { one_partition, twelve_partitions, record_bytes }
}

/// Writes events as the log has them, one a line, and gives back their mean size.
fn payloads(file: &Path, events: usize) -> f64 {
    let now = "2026-01-01T00:00:00Z".parse::<Timestamp>().expect("a time");
    let mut lines = BufWriter::new(std::fs::File::create(file).expect("a file"));
    let (mut count, mut bytes) = (0_usize, 0);
    for event in company(events).take(PAYLOADS) {
        let mut line = Sealed::new(&event).expect("a valid event").stamp(now, 0);
        (count, bytes) = (count + 1, bytes + line.len());
        line.push(b'\n');
        lines.write_all(&line).expect("a line");
    }
    lines.into_inner().expect("the file is written");
    bytes as f64 / count as f64
}

/// Acknowledged records a second.
async fn produce(kafka: &Kafka, directory: &Path, partitions: u16) -> f64 {
    let topic = topic(kafka, partitions).await;
    let mut command = Kafka::tool(PROGRAM, directory);
    command.args(["--topic", &topic, "--num-records", &RECORDS.to_string(), "--throughput", "-1", "--payload-file"]);
    command.arg(directory.join("payloads")).arg("--producer-props");
    command.arg(format!("bootstrap.servers={}", kafka.open())).args(SETTINGS);
    let mut command = tokio::process::Command::from(command);
    let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output())
        .await
        .expect("the program ends in time")
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    rate(&said).expect("the program says how fast all records were")
}

async fn topic(kafka: &Kafka, partitions: u16) -> String {
    // A Kafka that is somebody else's may have the topic of an earlier run.
    let name = format!("chancery.bench.{}.{partitions}", std::process::id());
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", kafka.open());
    let admin: AdminClient<DefaultClientContext> = client.create().expect("a client");
    let topic = NewTopic::new(&name, i32::from(partitions), TopicReplication::Fixed(1));
    let topic = topic.set("compression.type", "producer");
    let made = admin.create_topics(&[topic], &AdminOptions::new()).await.expect("Kafka answers");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    name
}

/// Records a second, from the line about all of them, if all were acknowledged. Lines before it are about a few seconds
/// each, and tell no percentiles.
fn rate(said: &str) -> Option<f64> {
    let total = said.lines().rfind(|line| line.contains("99.9th"))?;
    let (sent, rest) = total.split_once(" records sent, ")?;
    let all = sent.trim().parse() == Ok(RECORDS);
    if all { rest.split_once(" records/sec")?.0.trim().parse().ok() } else { None }
}
