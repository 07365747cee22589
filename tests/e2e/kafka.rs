//! CloudEvents of other producers, through a real Kafka.

use std::collections::BTreeSet;
use std::time::Duration;

use chancery_tests::{KAFKA_CREDENTIALS, Kafka, Server};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message};
use serde_json::json;
use tempfile::TempDir;

use crate::login;

const TOPIC: &str = "chancery.ingest";

struct Producer(FutureProducer);

impl Producer {
    fn of(kafka: &Kafka) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka.open()).set("acks", "all").set("enable.idempotence", "true");
        Self(config.create().unwrap())
    }

    async fn send(&self, key: &str, payload: &[u8], headers: OwnedHeaders) {
        let record = FutureRecord::to(TOPIC).key(key).payload(payload).headers(headers);
        self.0.send(record, Duration::from_secs(30)).await.unwrap();
    }

    async fn logins(&self, numbers: std::ops::Range<u64>) {
        let sent = numbers.map(|number| async move {
            let event = login(number);
            self.send(event["subject"].as_str().unwrap(), event.to_string().as_bytes(), OwnedHeaders::new()).await;
        });
        futures::future::join_all(sent).await;
    }
}

/// The reasons of the dead letters, by where they came from.
fn dead_letters(kafka: &Kafka, wanted: usize) -> BTreeSet<(String, String)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.open())
        .set("group.id", "test")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&["chancery.ingest.dead-letter"]).unwrap();
    let mut found = BTreeSet::new();
    for _ in 0..300 {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let header = |name: &str| {
                let header = message.headers().unwrap().iter().find(|header| header.key == name).unwrap();
                String::from_utf8(header.value.unwrap().to_vec()).unwrap()
            };
            found.insert((header("chancery_origin"), header("chancery_reason")));
        } else if found.len() >= wanted {
            break;
        }
    }
    found
}

async fn arrived(server: &Server, wanted: u64) {
    for _ in 0..600 {
        let query = [("q", "source:\"/test\""), ("distinct", "id")];
        let count = server.get("/api/v1/audit/aggregate", &query).await;
        if count["rows"][0][1].as_u64() >= Some(wanted) {
            assert_eq!(count["rows"], json!([[wanted, wanted]]), "every event is in the log once");
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not all events have arrived after a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_from_kafka_are_in_the_log_once_whoever_is_killed() {
    let (directory, mut kafka) = (TempDir::new().unwrap(), Kafka::start());
    let brokers = kafka.guarded();
    let environment = [
        ("CHANCERY_KAFKA_BOOTSTRAP_SERVERS", brokers.as_str()),
        ("CHANCERY_KAFKA_SECURITY_PROTOCOL", "sasl_plaintext"),
        ("CHANCERY_KAFKA_SASL_MECHANISM", "PLAIN"),
        ("CHANCERY_KAFKA_SASL_USERNAME", KAFKA_CREDENTIALS.0),
        ("CHANCERY_KAFKA_SASL_PASSWORD", KAFKA_CREDENTIALS.1),
    ];
    let mut server = Server::start_in(directory.path(), &environment).await;
    let producer = Producer::of(&kafka);
    producer.logins(0..3000).await;
    server.kill();
    let mut server = Server::start_in(directory.path(), &environment).await;
    producer.logins(3000..6000).await;
    arrived(&server, 6000).await;

    kafka.kill();
    kafka.restart();
    producer.logins(5000..8000).await;
    let attribute = |headers: OwnedHeaders, key: &str, value: &str| headers.insert(Header { key, value: Some(value) });
    let binary =
        [("ce_specversion", "1.0"), ("ce_id", "binary"), ("ce_source", "/test"), ("ce_type", "com.example.made")];
    let binary = binary.into_iter().fold(OwnedHeaders::new(), |headers, (key, value)| attribute(headers, key, value));
    producer.send("b", br#"{"actor": {"id": "1", "name": "ada"}}"#, binary).await;
    arrived(&server, 8001).await;

    let mut other = login(0);
    other["data"]["actor"]["name"] = json!("mallory");
    producer.send("x", other.to_string().as_bytes(), OwnedHeaders::new()).await;
    producer.send("y", b"no event", OwnedHeaders::new()).await;
    producer.send("z", br#"{"specversion": "0.3"}"#, OwnedHeaders::new()).await;
    let reasons = dead_letters(&kafka, 3);
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons.iter().any(|(_, reason)| reason == "another event has this source and id"), "{reasons:?}");
    let recorded = server.get("/api/v1/audit/events", &[("q", "type:audit.event.rejected")]).await;
    assert_eq!(recorded["events"].as_array().unwrap().len(), 1);
    arrived(&server, 8001).await;
    assert!(server.stop());

    let mut refused = server.command(&["serve", "--address", "127.0.0.1:0"]);
    let refused = refused.envs(environment).env("CHANCERY_KAFKA_SASL_PASSWORD", "wrong").output().unwrap();
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && reason.contains(&format!("Kafka at {brokers} cannot be reached")), "{reason}");
    assert!(!reason.contains("wrong"), "{reason}");
}
