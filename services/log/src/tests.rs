//! The log's promises, on real files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chancery_domain::{Actor, Event, Resource, Timestamp};
use chancery_evidence::{Sealed, canonical_bytes};
use proptest::prelude::*;
use sqlx::Connection;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::*;

fn event(id: &str, stream: &str) -> Event {
    let actor = Actor { id: "u1".into(), ..Actor::default() };
    Event::new("user.suspended", id, "/test", Timestamp::from_micros(1).unwrap(), actor, Resource::new("user", stream))
}

fn sealed(id: &str, stream: &str) -> Sealed {
    Sealed::new(&event(id, stream)).unwrap()
}

async fn open(directory: &TempDir) -> Log {
    Log::open(directory.path(), LogOptions::default()).await.unwrap()
}

async fn everything(log: &Log) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let page = log.read(events.len() as u64, 100).await.unwrap().events;
        if page.is_empty() {
            return events;
        }
        for recorded in page {
            assert_eq!(recorded.position, events.len() as u64 + 1, "positions are dense");
            let event: Event = serde_json::from_str(&recorded.bytes).unwrap();
            assert_eq!(recorded.bytes.as_bytes(), canonical_bytes(&event).unwrap());
            events.push(event);
        }
    }
}

#[tokio::test]
async fn duplicates_contradictions_and_versions_are_told_apart_also_after_reopening() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory).await;
    let outcomes =
        log.append(vec![sealed("a", "1"), sealed("b", "1"), sealed("a", "1"), sealed("a", "2")]).await.unwrap();
    assert_eq!(
        outcomes,
        [
            Appended::Created { position: 1, stream_version: 1 },
            Appended::Created { position: 2, stream_version: 2 },
            Appended::Duplicate { position: 1 },
            Appended::Conflict { position: 1 },
        ]
    );
    log.close().await;
    assert!(matches!(log.append(vec![sealed("z", "1")]).await, Err(LogError::Closed)));

    let log = open(&directory).await;
    assert_eq!(log.heads(), Frontier::single(2));
    assert_eq!(log.append(vec![sealed("a", "1")]).await.unwrap(), [Appended::Duplicate { position: 1 }]);
    assert_eq!(everything(&log).await.len(), 2);
}

#[tokio::test]
async fn of_decisions_that_share_a_key_one_is_appended_as_a_whole() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory).await;
    log.append(vec![sealed("a", "1")]).await.unwrap();
    let (first, second) = (Keys::new(["user/1", "name/x"]), Keys::new(["name/x", "user/2"]));
    let (one, two) = (log.consider(&first).await.unwrap(), log.consider(&second).await.unwrap());
    let unrelated = log.consider(&Keys::new(["user/3"])).await.unwrap();
    let pair = |n: u8| vec![sealed(&format!("b{n}"), "1"), sealed(&format!("c{n}"), &n.to_string())];
    let (one, two) = tokio::join!(log.decide(pair(1), &one), log.decide(pair(2), &two));
    assert_eq!(one.unwrap(), Decided::Appended(Frontier::single(3)));
    assert_eq!(two.unwrap(), Decided::Moved);
    assert_eq!(log.decide(pair(3), &unrelated).await.unwrap(), Decided::Appended(Frontier::single(5)));

    // An event that is there already keeps the others of its decision out.
    let ticket = log.consider(&second).await.unwrap();
    assert_eq!(ticket.settled(), &Frontier::single(3));
    assert_eq!(log.decide(vec![sealed("d", "9"), sealed("a", "1")], &ticket).await.unwrap(), Decided::Moved);
    assert_eq!(log.decide(pair(2), &ticket).await.unwrap(), Decided::Appended(Frontier::single(7)));
    let versions: Vec<u64> = everything(&log).await.iter().map(|event| event.stream_version).collect();
    assert_eq!(versions, [1, 2, 3, 4, 1, 5, 1]);

    // What was known before a restart says nothing after it.
    log.close().await;
    let log = open(&directory).await;
    assert_eq!(log.consider(&first).await.unwrap().settled(), &Frontier::single(7));
}

#[tokio::test]
async fn a_retry_without_a_time_is_a_duplicate_and_other_content_is_not() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory).await;
    let at = |micros| Event { occurred_at: Timestamp::from_micros(micros).unwrap(), ..event("a", "1") };
    log.append(vec![Sealed::untimed(&at(10)).unwrap()]).await.unwrap();
    let mut other = at(11);
    other.reason = Some("because".into());
    let outcomes = log
        .append(vec![
            Sealed::untimed(&at(11)).unwrap(),
            Sealed::untimed(&other).unwrap(),
            Sealed::new(&at(12)).unwrap(),
        ])
        .await
        .unwrap();
    assert_eq!(
        outcomes,
        [Appended::Duplicate { position: 1 }, Appended::Conflict { position: 1 }, Appended::Conflict { position: 1 }]
    );
}

#[tokio::test]
async fn a_lost_or_stale_index_is_rebuilt_from_the_journal() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory).await;
    log.append((0..500).map(|n| sealed(&n.to_string(), "1")).collect()).await.unwrap();
    log.close().await;
    for damage in ["remove", "garbage"] {
        let index = directory.path().join("index");
        std::fs::remove_dir_all(&index).unwrap();
        if damage == "garbage" {
            std::fs::create_dir(&index).unwrap();
            for name in ["version", "lock", "0.jnl", "keyspaces"] {
                std::fs::write(index.join(name), b"garbage").unwrap();
            }
        }
        let log = open(&directory).await;
        assert_eq!(log.append(vec![sealed("77", "1")]).await.unwrap(), [Appended::Duplicate { position: 78 }]);
        log.close().await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn rows_of_the_journal_cannot_be_changed_removed_or_replaced() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory).await;
    log.append(vec![sealed("a", "1")]).await.unwrap();
    let url = format!("sqlite://{}", directory.path().join("journal.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    for statement in [
        "UPDATE journal SET event = '{}'",
        "DELETE FROM journal",
        "INSERT OR REPLACE INTO journal (position, event) VALUES (1, '{}')",
    ] {
        let error = sqlx::query(statement).execute(&mut connection).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{statement}: {error}");
    }
    assert_eq!(everything(&log).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_get_dense_positions_and_readers_wake_up() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory).await;
    let reader = {
        let log = log.clone();
        tokio::spawn(async move {
            let mut seen = 0;
            while seen < 2000 {
                log.wait_beyond(seen).await;
                seen = log.read(seen, 64).await.unwrap().reached;
            }
        })
    };
    let writers: Vec<_> = (0..20)
        .map(|writer| {
            let log = log.clone();
            tokio::spawn(async move {
                for n in 0..100 {
                    // Every event is sent twice, from two tasks.
                    log.append(vec![
                        sealed(&format!("{}-{n}", writer / 2), "s"),
                        sealed(&format!("{writer}+{n}"), "s"),
                    ])
                    .await
                    .unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    tokio::time::timeout(std::time::Duration::from_secs(10), reader).await.unwrap().unwrap();
    let events = everything(&log).await;
    assert_eq!(events.len(), 3000);
    assert!(events.windows(2).all(|pair| pair[0].recorded_at <= pair[1].recorded_at));
    assert!(events.iter().zip(1..).all(|(event, version)| event.stream_version == version));
}

#[tokio::test]
async fn a_full_queue_is_busy_and_takes_nothing() {
    let directory = TempDir::new().unwrap();
    let log = Log::open(directory.path(), LogOptions { queue_events: 2, ..LogOptions::default() }).await.unwrap();
    let results = futures::future::join_all((0..50).map(|n| log.append(vec![sealed(&n.to_string(), "s")]))).await;
    let created = results.iter().filter(|result| result.is_ok()).count();
    assert!(results.iter().any(|result| matches!(result, Err(LogError::Busy))));
    assert_eq!(everything(&log).await.len(), created);
}

/// Remembers what it was given and chokes on chosen positions.
#[derive(Clone)]
struct Picky {
    checkpoint: Arc<Mutex<Position>>,
    taken: Arc<Mutex<Vec<Position>>>,
    hates: Vec<Position>,
}

impl Consumer for Picky {
    fn name(&self) -> &'static str {
        "picky"
    }

    async fn checkpoint(&self, _: u16) -> Result<Position, ConsumeError> {
        Ok(*self.checkpoint.lock().unwrap())
    }

    async fn handle(&mut self, page: &Page) -> Result<(), ConsumeError> {
        for event in &page.events {
            if self.hates.contains(&event.position) {
                return Err(ConsumeError::Poison { position: event.position, reason: "bitter".into() });
            }
            self.taken.lock().unwrap().push(event.position);
            *self.checkpoint.lock().unwrap() = event.position;
        }
        Ok(())
    }

    async fn skip_to(&mut self, position: Position) -> Result<(), ConsumeError> {
        *self.checkpoint.lock().unwrap() = position;
        Ok(())
    }
}

#[derive(Default)]
struct Parked(Mutex<HashMap<Position, DeadLetter>>);

impl DeadLetters for Parked {
    async fn park(&self, letter: DeadLetter) -> Result<(), ConsumeError> {
        self.0.lock().unwrap().insert(letter.position, letter);
        Ok(())
    }
}

#[tokio::test]
async fn consumers_resume_and_park_poison_without_blocking_the_rest() {
    let directory = TempDir::new().unwrap();
    let log = open(&directory).await;
    let checkpoint = Arc::new(Mutex::new(0));
    let taken = Arc::new(Mutex::new(Vec::new()));
    let parked = Arc::new(Parked::default());
    for round in 0..2_u64 {
        let cancel = CancellationToken::new();
        let picky = Picky { checkpoint: checkpoint.clone(), taken: taken.clone(), hates: vec![3, 4, 13] };
        let all = log.assignment(Role::Projector).unwrap();
        let running = tokio::spawn(consume(log.clone(), picky, parked.clone(), all, cancel.clone()));
        log.append((0..10).map(|n| sealed(&format!("{round}-{n}"), "s")).collect()).await.unwrap();
        while *checkpoint.lock().unwrap() < log.heads().of(0) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        cancel.cancel();
        running.await.unwrap();
    }
    let expected: Vec<Position> = (1..=20).filter(|position| ![3, 4, 13].contains(position)).collect();
    assert_eq!(*taken.lock().unwrap(), expected);
    let parked = parked.0.lock().unwrap();
    assert_eq!(parked.len(), 3);
    assert_eq!(parked[&13].reason, "bitter");
    assert!(parked[&13].event.contains("\"1-2\""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any history of appends with repetitions and restarts leaves each event once, in first-come order.
    #[test]
    fn any_history_with_restarts_keeps_every_event_once(history in prop::collection::vec((0..40_u32, 0..4_u32, prop::bool::weighted(0.1)), 1..120)) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let directory = TempDir::new().unwrap();
            let mut log = open(&directory).await;
            let mut expected: Vec<(String, String)> = Vec::new();
            for (id, stream, restart) in history {
                let key = (id.to_string(), stream.to_string());
                let outcome = log.append(vec![sealed(&key.0, &key.1)]).await.unwrap()[0];
                match expected.iter().position(|(known, _)| *known == key.0) {
                    None => {
                        expected.push(key);
                        assert!(matches!(outcome, Appended::Created { position, .. } if position == expected.len() as u64));
                    }
                    Some(at) if expected[at].1 == key.1 => assert_eq!(outcome, Appended::Duplicate { position: at as u64 + 1 }),
                    Some(at) => assert_eq!(outcome, Appended::Conflict { position: at as u64 + 1 }),
                }
                if restart {
                    log.close().await;
                    drop(log);
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    log = open(&directory).await;
                }
            }
            let stored: Vec<(String, String)> =
                everything(&log).await.into_iter().map(|event| (event.id, event.resource.id)).collect();
            assert_eq!(stored, expected);
        });
    }
}
