//! The promises of the log in Kafka, on a real Kafka and a real PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};

use chancery_domain::{Actor, Event, Resource, Timestamp};
use chancery_evidence::Sealed;
use chancery_tests::{Kafka, Postgres};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::*;

struct Parts {
    kafka: Kafka,
    postgres: Postgres,
}

impl Parts {
    fn start() -> Self {
        Self { kafka: Kafka::start(), postgres: Postgres::start(&["fsync=off"]) }
    }

    fn options(&self, topic: &str, node: &str) -> KafkaLogOptions {
        KafkaLogOptions {
            connection: vec![("bootstrap.servers".to_owned(), self.kafka.open())],
            topic: topic.to_owned(),
            partitions: 3,
            group: topic.to_owned(),
            postgres: self.postgres.database("log"),
            schema: topic.replace('.', "_"),
            node: node.to_owned(),
            ..KafkaLogOptions::default()
        }
    }

    async fn node(&self, topic: &str, node: &str) -> Log {
        Log::open_kafka(self.options(topic, node)).await.unwrap()
    }
}

fn event(id: &str, stream: &str, reason: Option<&str>) -> Event {
    let at = Timestamp::from_micros(1_700_000_000_000_000).unwrap();
    let resource = Resource::new("user", stream);
    let mut event = Event::new("user.suspended", id, "/test", at, Actor::default(), resource);
    event.reason = reason.map(str::to_owned);
    event
}

fn sealed(id: &str, stream: &str) -> Sealed {
    Sealed::new(&event(id, stream, None)).unwrap()
}

/// Everything that is in the log, by partition and in its order.
async fn everything(log: &Log) -> Vec<Event> {
    let heads = log.barrier().await.unwrap();
    let mut events = Vec::new();
    for head in heads.positions() {
        let mut after = position(partition(head), 0);
        while after < head {
            let page = log.read(after, 50).await.unwrap();
            assert!(page.reached > after, "reading goes on until the head");
            for recorded in page.events {
                assert!(recorded.position > after, "positions rise");
                after = recorded.position;
                events.push(serde_json::from_str(&recorded.bytes).unwrap());
            }
            after = page.reached;
        }
    }
    events
}

fn of_tests(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| event.source == "/test").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_show_one_log_in_which_each_event_is_once() {
    let parts = Parts::start();
    let (a, b) = (parts.node("once", "a").await, parts.node("once", "b").await);
    let created = a.append((0..500).map(|n| sealed(&n.to_string(), &(n % 20).to_string())).collect()).await.unwrap();
    assert!(created.iter().all(|outcome| matches!(outcome, Appended::Created { stream_version: 0, .. })));
    assert_eq!(of_tests(&everything(&b).await).len(), 500, "what one node acknowledged the other shows");

    let again = b.append(vec![sealed("7", "7"), sealed("x", "1"), sealed("x", "1"), sealed("x", "2")]).await.unwrap();
    assert_eq!(again[0], Appended::Duplicate { position: position_of(&created[7]) });
    let x = position_of(&again[1]);
    assert_eq!(
        again[1..],
        [
            Appended::Created { position: x, stream_version: 0 },
            Appended::Duplicate { position: x },
            Appended::Conflict { position: x },
        ]
    );

    // Both nodes take the same events at once; some say something else.
    let same = |node: &Log| {
        let batch: Vec<Sealed> = (0..200).map(|n| sealed(&format!("same{n}"), &(n % 7).to_string())).collect();
        let node = node.clone();
        async move { node.append(batch).await.unwrap() }
    };
    let contradiction = Sealed::new(&event("y", "1", Some("because"))).unwrap();
    tokio::join!(same(&a), same(&b));
    tokio::join!(async { a.append(vec![sealed("y", "1")]).await.unwrap() }, async {
        b.append(vec![contradiction]).await.unwrap()
    },);
    let (seen_by_a, seen_by_b) = (everything(&a).await, everything(&b).await);
    let ids: Vec<&str> = of_tests(&seen_by_a).iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids.len(), 702);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 702);
    assert_eq!(of_tests(&seen_by_a), of_tests(&seen_by_b));

    // A node that starts later reads from Kafka what the others have in memory.
    a.close().await;
    let c = parts.node("once", "c").await;
    assert_eq!(of_tests(&everything(&c).await), of_tests(&seen_by_b));
    b.close().await;
    c.close().await;
}

fn position_of(outcome: &Appended) -> Position {
    match outcome {
        Appended::Created { position, .. } => *position,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_lock_their_stream_alone_and_are_published_once_in_order() {
    let parts = Parts::start();
    let nodes = [parts.node("decisions", "a").await, parts.node("decisions", "b").await];
    let deciders = (0..8).map(|decider| {
        let node = nodes[decider % 2].clone();
        async move {
            let (contended, own) = (Keys::new(["contended"]), Keys::new([format!("own{decider}").as_str()]));
            for n in 0..6 {
                // Two events of a decision: both or none.
                let pair = || {
                    let own = format!("own{decider}");
                    vec![sealed(&format!("{decider}-{n}"), "contended"), sealed(&format!("{decider}+{n}"), &own)]
                };
                loop {
                    let ticket = node.consider(&contended).await.unwrap();
                    // Whoever decides knows all that was decided before about the same.
                    assert!(node.heads().reaches(ticket.settled()));
                    if node.decide(pair(), &ticket).await.unwrap() != Decided::Moved {
                        break;
                    }
                }
                let ticket = node.consider(&own).await.unwrap();
                let alone = vec![sealed(&format!("{decider}!{n}"), &format!("alone{decider}"))];
                assert_ne!(node.decide(alone, &ticket).await.unwrap(), Decided::Moved);
            }
        }
    });
    futures::future::join_all(deciders).await;
    let events = everything(&nodes[0]).await;
    let mut streams: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for event in of_tests(&events) {
        streams.entry(&event.stream).or_default().push(event.stream_version);
    }
    assert_eq!(streams.len(), 17);
    assert_eq!(streams["user/contended"], (1..=48).collect::<Vec<_>>());
    assert!(streams.iter().all(|(_, versions)| versions.iter().zip(1..).all(|(version, n)| *version == n)));
    let status = nodes[1].cluster().unwrap().status().await.unwrap();
    assert_eq!((status.outbox, status.nodes.len()), (0, 2), "{status:?}");
    let joined: BTreeSet<&str> = events
        .iter()
        .filter(|event| event.event_type == "node.joined")
        .map(|event| event.resource.id.as_str())
        .collect();
    assert_eq!(joined, BTreeSet::from(["a", "b"]));

    // The partitions are divided, and all are there.
    let (mut a, mut b) = (nodes[0].assignment(Role::Archiver).unwrap(), nodes[1].assignment(Role::Archiver).unwrap());
    let divided = async {
        loop {
            let mut all = [a.borrow().clone(), b.borrow().clone()].concat();
            all.sort_unstable();
            if all == [0, 1, 2] && !a.borrow().is_empty() && !b.borrow().is_empty() {
                return;
            }
            tokio::select! { _ = a.changed() => {}, _ = b.changed() => {} }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), divided).await.expect("partitions are divided");
    nodes[0].close().await;
    nodes[1].close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_could_lose_events_and_other_databases_are_refused() {
    let parts = Parts::start();
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", parts.kafka.open()).create().unwrap();
    let topic = NewTopic::new("forgetful", 3, TopicReplication::Fixed(1)).set("retention.ms", "3600000");
    let topic = topic.set("cleanup.policy", "compact");
    admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    let refused = Log::open_kafka(parts.options("forgetful", "a")).await.unwrap_err().to_string();
    assert!(
        refused.contains("cleanup.policy is `compact`") && refused.contains("retention.ms is `3600000`"),
        "{refused}"
    );

    let first = parts.node("first", "a").await;
    first.append(vec![sealed("1", "1")]).await.unwrap();
    everything(&first).await;
    first.close().await;
    let mut other = parts.options("second", "a");
    other.schema = "first".to_owned();
    let refused = Log::open_kafka(other).await.unwrap_err().to_string();
    assert!(refused.contains("the database belongs to the topic `first`"), "{refused}");

    admin.delete_topics(&["first"], &AdminOptions::new()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let refused = Log::open_kafka(parts.options("first", "a")).await.unwrap_err().to_string();
    assert!(refused.contains("made anew or has lost events"), "{refused}");

    let mut nowhere = parts.options("third", "a");
    nowhere.connection = vec![("bootstrap.servers".to_owned(), "127.0.0.1:1".to_owned())];
    let refused = Log::open_kafka(nowhere).await.unwrap_err().to_string();
    assert!(refused.contains("Kafka at 127.0.0.1:1 cannot be reached"), "{refused}");
    let mut nobody = parts.options("fourth", "a");
    nobody.postgres = nobody.postgres.replace("/log", "/missing");
    let refused = Log::open_kafka(nobody).await.unwrap_err().to_string();
    assert!(refused.contains("PostgreSQL") && refused.contains("does not exist"), "{refused}");
}
