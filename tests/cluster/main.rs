//! `make cluster`: three nodes that share a log in Kafka, a state in PostgreSQL and a lake in an object store, behind a
//! balancer, all on loopback. What is kept in `target/cluster` is there at the next start.
//!
//! `cluster [--nodes N] [--directory D] [--port P]`

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for a person at a terminal")]

use std::fmt::Write;
use std::path::PathBuf;

use chancery_tests::{Cluster, ClusterPlan, S3_CREDENTIALS, TOKEN};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() {
    let option = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1);
    let number = |name: &str, without: u16| {
        option(name).map_or(without, |number| number.parse().expect("--nodes and --port are followed by a number"))
    };
    let directory = PathBuf::from(option("--directory").unwrap_or_else(|| "target/cluster".to_owned()));
    let plan = ClusterPlan {
        kept: Some((directory.clone(), number("--port", 8080))),
        ..ClusterPlan::of(number("--nodes", 3).into())
    };
    println!("Starting Kafka, PostgreSQL, the object store and the nodes; the first time this fetches them.");
    let mut interrupted = signal(SignalKind::interrupt()).expect("signals can be taken");
    let mut terminated = signal(SignalKind::terminate()).expect("signals can be taken");
    let ended = async {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    };
    tokio::pin!(ended);
    let cluster = tokio::select! {
        cluster = plan.start() => cluster,
        () = &mut ended => return,
    };
    println!("{}", describe(&cluster, &directory));
    ended.await;
    println!("Stopping; {} is kept.", directory.display());
    cluster.stop();
}

fn describe(cluster: &Cluster, directory: &std::path::Path) -> String {
    let mut text = format!("\nThe cluster is at {}, balanced over\n", cluster.url);
    for (number, node) in cluster.nodes.iter().enumerate() {
        writeln!(text, "  node{number}  {}  process {}", node.url, node.id()).ok();
    }
    let (user, secret) = S3_CREDENTIALS;
    let victim = cluster.nodes.first().map_or(0, chancery_tests::Server::id);
    let (url, kafka, directory) = (&cluster.url, cluster.kafka.open(), directory.display());
    let (postgres, s3) = (cluster.postgres.database("chancery"), cluster.s3.endpoint());
    write!(
        text,
        "with Kafka at {kafka}, PostgreSQL at {postgres}
and the object store at {s3} (bucket chancery, key {user}, secret {secret}).
What they say is in {directory}/*/*.log.

In another terminal, with target/release in the PATH:

  export CHANCERY_CLIENT_SERVER={url} CHANCERY_CLIENT_TOKEN={TOKEN}

  chancery audit tail                                    # what happens, as it happens
  chancery import sshd /var/log/auth.log                 # something that happens
  chancery audit search 'time:-1h' --limit 20

Kill a node while you do, and see that nobody notices: kill -9 {victim}
Ctrl-C stops everything. The next start goes on with the same data; remove {directory} to begin anew."
    )
    .ok();
    text
}
