//! Faults under load: nodes are killed, paused, cut off and restarted, and so is what they depend on, while clients
//! write and decide through the balancer. Afterwards nothing that was acknowledged is missing, nothing is there twice,
//! and nothing was granted twice.
//!
//! Each fault once, or as many rounds of all as `CHANCERY_CHAOS_ROUNDS` says: `make chaos`, which also shows the table
//! of what clients saw. `CHANCERY_TEST_EARLIER` names the binary of an earlier commit that all nodes start with, to be
//! upgraded one by one under the same load, and nothing else happens to them: `make upgrade-test`. `CHANCERY_CHAOS_DIRECTORY` names a new directory that keeps what every server wrote and said.

mod client;
mod events;
mod evidence;
mod faults;
mod load;
mod timeline;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chancery_tests::{Cluster, ClusterPlan, NodePlan};

use crate::cluster::rebuild_agrees;
use faults::Fault;
use load::Load;
use timeline::{Views, Window, table};

/// Load before the first fault, and from the end of one to the next.
const BETWEEN: Duration = Duration::from_secs(4);
/// Longest until what was written is in the lake.
const ARCHIVED: Duration = Duration::from_mins(2);

/// Set where this test runs alone.
fn rounds() -> Option<usize> {
    let rounds = std::env::var("CHANCERY_CHAOS_ROUNDS").ok()?;
    Some(rounds.parse().expect("CHANCERY_CHAOS_ROUNDS is a whole number"))
}

/// Set where an upgrade is tested.
fn earlier() -> Option<PathBuf> {
    std::env::var_os("CHANCERY_TEST_EARLIER").map(PathBuf::from)
}

async fn start() -> Cluster {
    let kept = std::env::var_os("CHANCERY_CHAOS_DIRECTORY").map(PathBuf::from);
    if let Some(directory) = &kept {
        assert!(!directory.exists(), "{} is there: an earlier log would be mixed with this one", directory.display());
    }
    let node = NodePlan { binary: earlier(), ..NodePlan::default() };
    let plan = ClusterPlan {
        namespaces: true,
        nodes: vec![node; 3],
        environment: vec![("CHANCERY_LAKE_BATCH_SECONDS".to_owned(), "2".to_owned())],
        kept: kept.map(|directory| (directory, 18_080)),
        ..ClusterPlan::of(0)
    };
    plan.start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_no_fault_loses_repeats_or_over_grants_anything() {
    let mut cluster = start().await;
    let load = Load::start(&cluster);
    tokio::time::sleep(BETWEEN).await;
    let mut windows = Vec::new();
    let faults = match earlier() {
        Some(_) => vec![Fault::Rolling],
        None => faults::rounds(rounds().unwrap_or(1), cluster.nodes.len()),
    };
    for fault in faults {
        windows.push(suffer(fault, &mut cluster, &load).await);
    }
    let (views, ledger, contests) = load.stop().await;
    println!("\n{}", table(&windows, &views));

    archived(&cluster).await;
    let log = evidence::log_in_kafka(&cluster.kafka.open());
    println!(
        "{} events and {} contended tokens; {} repetitions in Kafka were refused\n",
        log.events.len(),
        contests.len(),
        log.repeated
    );
    evidence::each_once_and_in_order(&log.events, &ledger.ids());
    evidence::nothing_granted_twice(&contests, &log.revoked);
    evidence::same("the API", &log.events, &evidence::log_by_api(&cluster).await);
    evidence::same("the lake", &log.events, &evidence::lake_by_python(&cluster.s3.endpoint()));
    rebuild_agrees(cluster);
    little_was_noticed(&windows, &views);
}

/// Lets a fault happen, and waits until everyone is served again.
async fn suffer(fault: Fault, cluster: &mut Cluster, load: &Load) -> Window {
    let begun = Instant::now();
    fault.strike(cluster).await;
    let over = Instant::now();
    load.recovered(over).await;
    let recovered = Instant::now();
    cluster.ready().await;
    tokio::time::sleep_until((over + BETWEEN).into()).await;
    Window { fault, begun, over, recovered, ended: Instant::now() }
}

/// Waits until no node has anything in memory that is not in the table, and nothing more comes.
async fn archived(cluster: &Cluster) {
    let begun = Instant::now();
    let mut still = 0;
    while still < 3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        still += 1;
        for node in &cluster.nodes {
            let lake = node.get("/api/v1/lake", &[]).await;
            if lake["watermark"] != lake["head"] && lake["waiting_micros"] != 0 {
                still = 0;
                assert!(begun.elapsed() < ARCHIVED, "{} has not archived everything: {lake}", node.url);
            }
        }
    }
}

/// A dead node costs its clients seconds, and nothing behind a balancer that tries again.
fn little_was_noticed(windows: &[Window], views: &Views) {
    // Beside other tests, two cores alone may take longer to answer than a death takes to be noticed.
    let limit = Duration::from_secs(if rounds().is_some() { 3 } else { 10 });
    for window in windows {
        if matches!(window.fault, Fault::Kill(_) | Fault::Rolling) {
            let failures = views.balancer.failures(window);
            assert!(failures.is_empty(), "{}: {} errors, such as {:?}", window.fault, failures.len(), failures[0]);
        }
        if let Fault::Kill(victim) = window.fault {
            let others = views.others(Some(victim)).map(|node| node.longest_gap(window)).max().unwrap_or_default();
            let gap = others.max(views.balancer.longest_gap(window));
            assert!(gap <= limit, "{}: others were not served for {gap:?}", window.fault);
        }
    }
}
