//! What goes wrong.

use std::fmt;
use std::time::Duration;

use chancery_tests::{Cluster, binary};
use tokio::time::sleep;

/// How long a dead node stays dead.
const DEAD: Duration = Duration::from_secs(2);
/// How long a node is silent: longer than it takes the others to take it for lost and divide its partitions.
const SILENT: Duration = Duration::from_secs(9);
/// How long what the nodes depend on is gone, beside the time that it takes to start.
const GONE: Duration = Duration::from_secs(1);

/// Something that goes wrong, with the node it happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Kill(usize),
    Pause(usize),
    Cut(usize),
    Postgres,
    Kafka,
    Store,
    Rolling,
}

/// Every fault, round after round, each time on other nodes.
pub(super) fn rounds(rounds: usize, nodes: usize) -> Vec<Fault> {
    let round = |round: usize| {
        let [first, second, third] = [round, round + 1, round + 2].map(|turn| turn % nodes);
        let faulty = [Fault::Kill(first), Fault::Pause(second), Fault::Cut(third)];
        faulty.into_iter().chain([Fault::Postgres, Fault::Kafka, Fault::Store, Fault::Rolling])
    };
    (0..rounds).flat_map(round).collect()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Kill(node) => format!("kill -9 of node{node}"),
            Self::Pause(node) => format!("pause of node{node}"),
            Self::Cut(node) => format!("node{node} cut off"),
            Self::Postgres => "crash of PostgreSQL".to_owned(),
            Self::Kafka => "kill -9 of Kafka".to_owned(),
            Self::Store => "kill -9 of object store".to_owned(),
            Self::Rolling => "rolling restart".to_owned(),
        };
        f.pad(&name)
    }
}

impl Fault {
    /// The node it happens to, if it is one.
    pub(super) fn victim(self) -> Option<usize> {
        match self {
            Self::Kill(node) | Self::Pause(node) | Self::Cut(node) => Some(node),
            Self::Postgres | Self::Kafka | Self::Store | Self::Rolling => None,
        }
    }

    /// Makes it happen, and pass.
    pub(super) async fn strike(self, cluster: &mut Cluster) {
        match self {
            Self::Kill(node) => {
                cluster.nodes[node].kill();
                sleep(DEAD).await;
                cluster.nodes[node].restart().await;
            }
            Self::Pause(node) => {
                cluster.nodes[node].pause();
                sleep(SILENT).await;
                cluster.nodes[node].resume();
            }
            Self::Cut(node) => {
                cluster.cut(node);
                sleep(SILENT).await;
                cluster.mend(node);
            }
            Self::Postgres => {
                cluster.postgres.crash();
                sleep(GONE).await;
                cluster.postgres.restart();
            }
            Self::Kafka => {
                cluster.kafka.kill();
                sleep(GONE).await;
                cluster.kafka.restart();
            }
            Self::Store => {
                cluster.s3.kill();
                sleep(GONE).await;
                cluster.s3.restart();
            }
            Self::Rolling => roll(cluster).await,
        }
    }
}

/// Restarts all nodes, one after the other, with the binary under test: where they began with an earlier one, an
/// upgrade.
async fn roll(cluster: &mut Cluster) {
    for node in &mut cluster.nodes {
        assert!(node.stop(), "a node did not stop in order");
        node.restart_with(binary()).await;
        node.ready().await;
        // The balancer has to notice before the next one stops.
        sleep(GONE).await;
    }
}
