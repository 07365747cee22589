//! What is there afterwards, read in three ways: from Kafka, from the API, and from the lake by another engine.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::process::Command;
use std::time::{Duration, Instant};

use chancery_log::position;
use chancery_tests::{Cluster, S3_CREDENTIALS, python};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::metadata::MetadataPartition;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use reqwest::Method;
use serde_json::Value;

use super::events::{PROBED, SOURCE};
use super::load::Contest;

const TOPIC: &str = "chancery.log";
const PATIENCE: Duration = Duration::from_mins(2);

/// An event, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    position: u64,
    stream: String,
    id: String,
}

/// What Kafka holds, without events whose source and id were there before.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The load's events, by position.
    pub(super) events: Vec<Found>,
    /// How often each token was revoked.
    pub(super) revoked: HashMap<String, usize>,
    /// Events that were there before.
    pub(super) repeated: usize,
    seen: HashSet<(String, String)>,
}

impl Log {
    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let event: Value = serde_json::from_slice(message.payload().unwrap_or_default()).unwrap();
        let member = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let (source, id) = (member("source"), member("id"));
        if !self.seen.insert((source.clone(), id.clone())) {
            self.repeated += 1;
        } else if source == SOURCE {
            let stream = String::from_utf8(message.key().unwrap_or_default().to_vec()).unwrap();
            assert_eq!(stream, member("stream"), "{event}");
            let place = u64::try_from(message.offset()).unwrap() + 1;
            let position = position(u16::try_from(message.partition()).unwrap(), place);
            self.events.push(Found { position, stream, id });
        } else if member("type") == "token.revoked" {
            let token = event["resource"]["id"].as_str().unwrap_or_default().to_owned();
            *self.revoked.entry(token).or_default() += 1;
        }
    }
}

/// Reads the whole topic as any consumer could. Whoever repeats an event repeats its stream, and so its partition: the
/// first in the order of that partition is the first at all.
pub(super) fn log_in_kafka(bootstrap: &str) -> Log {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "chaos")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(TOPIC), Duration::from_secs(20)).unwrap();
    let mut unread: BTreeSet<i32> = metadata.topics()[0].partitions().iter().map(MetadataPartition::id).collect();
    assert!(!unread.is_empty(), "there is no topic {TOPIC}");
    let mut all = TopicPartitionList::new();
    for partition in &unread {
        all.add_partition_offset(TOPIC, *partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    let begun = Instant::now();
    let mut log = Log::default();
    while !unread.is_empty() {
        assert!(begun.elapsed() < PATIENCE, "the ends of the partitions {unread:?} are not reached");
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => log.take(&message),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                unread.remove(&partition);
            }
            // The client connects again by itself.
            Some(Err(error)) => eprintln!("reading Kafka: {error}"),
            None => {}
        }
    }
    log.events.sort_unstable();
    log
}

/// What an export has.
pub(super) async fn log_by_api(cluster: &Cluster) -> Vec<Found> {
    let filter = format!("source:\"{SOURCE}\"");
    let query = [("q", filter.as_str()), ("format", "ndjson"), ("fields", "position,stream,id")];
    let response = cluster.request(Method::GET, "/api/v1/audit/export").query(&query).send().await.unwrap();
    let status = response.status();
    let exported = response.text().await.unwrap();
    assert!(status.is_success(), "{status}: {exported}");
    let line = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        found(&event["position"], &event["stream"], &event["id"])
    };
    let mut events: Vec<Found> = exported.lines().map(line).collect();
    events.sort_unstable();
    events
}

/// What the table has in the object store, without Chancery.
pub(super) fn lake_by_python(endpoint: &str) -> Vec<Found> {
    let script = r#"
import json, sys, duckdb
from deltalake import DeltaTable
endpoint, key, secret, source = sys.argv[1:]
options = {
    "AWS_ENDPOINT_URL": endpoint,
    "AWS_ACCESS_KEY_ID": key,
    "AWS_SECRET_ACCESS_KEY": secret,
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}
table = DeltaTable("s3://chancery/lake", storage_options=options)
events = table.to_pyarrow_table(columns=["position", "stream", "id", "source"])
found = duckdb.execute("SELECT position, stream, id FROM events WHERE source = ? ORDER BY ALL", [source])
print(json.dumps(found.fetchall()))
"#;
    let (key, secret) = S3_CREDENTIALS;
    let output = Command::new(python()).args(["-c", script, endpoint, key, secret, SOURCE]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<[Value; 3]> = serde_json::from_slice(&output.stdout).unwrap();
    rows.iter().map(|[position, stream, id]| found(position, stream, id)).collect()
}

fn found(position: &Value, stream: &Value, id: &Value) -> Found {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Found { position: position.as_u64().unwrap(), stream: text(stream), id: text(id) }
}

/// Whoever is asked has the same events at the same places as the log, and each once.
pub(super) fn same(whose: &str, log: &[Found], theirs: &[Found]) {
    let differ = log.iter().zip(theirs).find(|(log, theirs)| log != theirs);
    let (count, expected) = (theirs.len(), log.len());
    assert!(log == theirs, "{whose} has {count} events, the log {expected}; the first that differ: {differ:?}");
}

/// What was acknowledged is there, nothing is that nobody sent, and each writer's events are in the order of sending.
pub(super) fn each_once_and_in_order(log: &[Found], sent: &HashMap<String, bool>) {
    let mut there = HashSet::new();
    let mut last: HashMap<(&str, &str), u64> = HashMap::new();
    for event in log {
        assert!(there.insert(event.id.as_str()), "{event:?} is there twice");
        assert!(sent.contains_key(&event.id), "nobody sent {event:?}");
        if event.stream.starts_with(PROBED) {
            continue;
        }
        let (writer, number) = event.id.rsplit_once('-').unwrap();
        let number: u64 = number.parse().unwrap();
        if let Some(before) = last.insert((writer, event.stream.as_str()), number) {
            assert!(before < number, "{event:?} stands after {writer}-{before}");
        }
    }
    let acknowledged = sent.iter().filter(|(_, acknowledged)| **acknowledged).map(|(id, _)| id.as_str());
    let missing: Vec<&str> = acknowledged.filter(|id| !there.contains(id)).collect();
    let some = &missing[..missing.len().min(10)];
    assert!(missing.is_empty(), "{} acknowledged events are lost, such as {some:?}", missing.len());
}

/// No token was revoked twice, and nobody was told so in error.
pub(super) fn nothing_granted_twice(contests: &[Contest], revoked: &HashMap<String, usize>) {
    assert!(contests.iter().any(|contest| contest.granted == 1), "no decision went through");
    for (token, times) in revoked {
        assert_eq!(*times, 1, "the token {token} was revoked more than once");
    }
    for contest in contests {
        let times = revoked.get(&contest.token).copied().unwrap_or_default();
        assert!(contest.granted <= times, "{contest:?}, and it was revoked {times} times");
        assert_eq!(contest.unknown, 0, "a token that was made was not known: {contest:?}");
    }
}
