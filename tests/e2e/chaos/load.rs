//! The load: writers and deciders that try until they are answered, and probes that try once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chancery_tests::Cluster;
use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::client::{Client, Ledger, until_done};
use super::events;
use super::timeline::{Timeline, Views};

/// Who writes sign-ins, in batches of so many.
const OBSERVERS: [&str; 4] = ["observer0", "observer1", "observer2", "observer3"];
const BATCH: u64 = 25;
const OBSERVERS_PAUSE: Duration = Duration::from_millis(300);
/// Who changes users and groups, one event at a time.
const ADMINISTRATORS: [&str; 2] = ["administrator0", "administrator1"];
const ADMINISTRATORS_PAUSE: Duration = Duration::from_millis(50);
/// How many revoke the same token at once.
const DECIDERS: usize = 6;
const DECIDERS_PAUSE: Duration = Duration::from_millis(200);
/// How often a probe sends an event, whatever became of those before.
const PROBE: Duration = Duration::from_millis(50);

/// How long a client waits for a node.
const IMPATIENT: Duration = Duration::from_secs(2);
/// How long a client waits for the balancer, which gives a node up after ten seconds and asks another.
const PATIENT: Duration = Duration::from_secs(15);
/// Longest until everyone is served after a fault.
const RECOVERY: Duration = Duration::from_mins(1);

/// What became of a token that several revoked at once.
#[derive(Debug)]
pub(super) struct Contest {
    pub(super) token: String,
    /// How many were told that it was they who did it.
    pub(super) granted: usize,
    /// How many were told that there is no such token.
    pub(super) unknown: usize,
}

/// Clients at work.
pub(super) struct Load {
    views: Views,
    ledger: Ledger,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
    contests: JoinHandle<Vec<Contest>>,
}

/// What every client has.
#[derive(Clone)]
struct Worker {
    client: Client,
    stop: Arc<AtomicBool>,
    seen: Timeline,
}

impl Load {
    /// Lets all clients begin.
    pub(super) fn start(cluster: &Cluster) -> Self {
        let (views, ledger) = (Views::new(cluster.nodes.len()), Ledger::default());
        let stop = Arc::new(AtomicBool::new(false));
        let worker = |url: &str, patience: Duration, seen: &Timeline| Worker {
            client: Client::new(url, patience, &ledger),
            stop: stop.clone(),
            seen: seen.clone(),
        };
        let writer = || worker(&cluster.url, PATIENT, &views.writes);
        let mut tasks = Vec::new();
        for name in OBSERVERS {
            let login = move |n| events::login(name, n);
            tasks.push(tokio::spawn(writer().write(BATCH, OBSERVERS_PAUSE, login)));
        }
        for name in ADMINISTRATORS {
            let change = move |n| events::change(name, n);
            tasks.push(tokio::spawn(writer().write(1, ADMINISTRATORS_PAUSE, change)));
        }
        let probe = worker(&cluster.url, PATIENT, &views.balancer);
        tasks.push(tokio::spawn(probe.probe("balancer".to_owned())));
        for (number, (node, seen)) in cluster.nodes.iter().zip(&views.nodes).enumerate() {
            tasks.push(tokio::spawn(worker(&node.url, IMPATIENT, seen).probe(format!("node{number}"))));
        }
        let contests = tokio::spawn(worker(&cluster.url, PATIENT, &views.decisions).contend());
        Self { views, ledger, stop, tasks, contests }
    }

    /// Waits until everyone has been served again since then.
    pub(super) async fn recovered(&self, since: Instant) {
        loop {
            let silent = self.views.silent_since(since);
            if silent.is_empty() {
                return;
            }
            let ended = self.contests.is_finished() || self.tasks.iter().any(JoinHandle::is_finished);
            assert!(!ended, "a client has given up, and said why");
            assert!(since.elapsed() < RECOVERY, "not served again after a minute: {silent:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Lets everyone finish what was begun.
    pub(super) async fn stop(self) -> (Views, Ledger, Vec<Contest>) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        (self.views, self.ledger, self.contests.await.unwrap())
    }
}

impl Worker {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Sends batch after batch, each until it is acknowledged.
    async fn write(self, batch: u64, pause: Duration, event: impl Fn(u64) -> Value) {
        let mut next = 0;
        while self.goes_on() {
            let events: Vec<Value> = (next..next + batch).map(&event).collect();
            let begun = Instant::now();
            until_done(|| self.client.send(&events)).await;
            self.seen.note(begun, None);
            next += batch;
            sleep(pause).await;
        }
    }

    /// Makes token after token, and lets several revoke each at once.
    async fn contend(self) -> Vec<Contest> {
        let mut contests = Vec::new();
        let client = &self.client;
        while self.goes_on() {
            let begun = Instant::now();
            let token = until_done(|| client.make_token()).await;
            let id = token.as_str();
            let answers = join_all((0..DECIDERS).map(|_| until_done(move || client.revoke(id)))).await;
            self.seen.note(begun, None);
            let count = |answer: StatusCode| answers.iter().filter(|given| **given == answer).count();
            let (granted, unknown) = (count(StatusCode::NO_CONTENT), count(StatusCode::NOT_FOUND));
            contests.push(Contest { token, granted, unknown });
            sleep(DECIDERS_PAUSE).await;
        }
        contests
    }

    /// Sends single events at a fixed rate, also while earlier ones wait for an answer: that one client hangs does not
    /// hide that others are served.
    async fn probe(self, name: String) {
        let mut ticks = interval(PROBE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = JoinSet::new();
        let mut number = 0;
        while self.goes_on() {
            ticks.tick().await;
            let (worker, event) = (self.clone(), events::probe(&name, number));
            asked.spawn(async move {
                let begun = Instant::now();
                let outcome = worker.client.send(&[event]).await;
                worker.seen.note(begun, outcome.err());
            });
            while let Some(done) = asked.try_join_next() {
                done.unwrap();
            }
            number += 1;
        }
        while let Some(done) = asked.join_next().await {
            done.unwrap();
        }
    }
}
