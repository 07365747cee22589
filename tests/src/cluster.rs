//! Several nodes that share a log in Kafka, a state in PostgreSQL and a lake in an object store, behind a balancer.

use std::ops::Deref;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::api::Api;
use crate::balancer::Balancer;
use crate::host::{Home, Host};
use crate::kafka::{Kafka, KafkaAccess};
use crate::network::Network;
use crate::postgres::Postgres;
use crate::s3::S3;
use crate::server::{Launch, Server};

/// What a cluster is to be.
#[derive(Debug, Clone)]
pub struct ClusterPlan {
    /// Its nodes.
    pub nodes: Vec<NodePlan>,
    /// Whether each node has a network namespace of its own, so that it can be cut off. Needs root's rights.
    pub namespaces: bool,
    /// How the nodes come to Kafka.
    pub access: KafkaAccess,
    /// Partitions of the log.
    pub partitions: u16,
    /// More environment of all nodes.
    pub environment: Vec<(String, String)>,
    /// Where everything is kept for the next start, and the balancer's port, which the other ports follow. Without,
    /// everything is gone afterwards.
    pub kept: Option<(PathBuf, u16)>,
}

/// What a node is to be.
#[derive(Debug, Clone)]
pub struct NodePlan {
    /// Its roles; all without.
    pub roles: Option<String>,
    /// Whether the balancer sends requests to it.
    pub balanced: bool,
    /// Another binary than the one under test.
    pub binary: Option<PathBuf>,
    /// More environment.
    pub environment: Vec<(String, String)>,
}

impl Default for NodePlan {
    fn default() -> Self {
        Self { roles: None, balanced: true, binary: None, environment: Vec::new() }
    }
}

/// A running cluster. It is killed when dropped. What can be asked of its balancer is what [`Api`] can ask.
#[derive(Debug)]
pub struct Cluster {
    // They end in this order: nobody waits for somebody who is gone.
    _balancer: Balancer,
    /// The nodes.
    pub nodes: Vec<Server>,
    /// Where the log is.
    pub kafka: Kafka,
    /// Where the state is.
    pub postgres: Postgres,
    /// Where the lake is.
    pub s3: S3,
    network: Option<Network>,
    /// The nodes' directories.
    _homes: Vec<Home>,
    api: Api,
}

impl Cluster {
    /// A cluster of nodes that have all roles, on loopback.
    pub async fn start(nodes: usize) -> Self {
        ClusterPlan::of(nodes).start().await
    }

    /// A cluster whose nodes can be [`cut`](Self::cut) off.
    pub async fn start_with_cables(nodes: usize) -> Self {
        ClusterPlan { namespaces: true, ..ClusterPlan::of(nodes) }.start().await
    }

    /// Pulls a node's cable: it reaches nobody and nobody reaches it, and nobody is told.
    ///
    /// # Panics
    /// When the nodes have no namespaces.
    #[expect(clippy::expect_used, reason = "tests")]
    pub fn cut(&self, node: usize) {
        self.network.as_ref().expect("the nodes have namespaces of their own").cut(self.nodes[node].host());
    }

    /// Plugs it in again.
    ///
    /// # Panics
    /// When the nodes have no namespaces.
    #[expect(clippy::expect_used, reason = "tests")]
    pub fn mend(&self, node: usize) {
        self.network.as_ref().expect("the nodes have namespaces of their own").mend(self.nodes[node].host());
    }

    /// Waits until all nodes take requests, and the balancer has noticed.
    pub async fn ready(&mut self) {
        for node in &mut self.nodes {
            node.ready().await;
        }
        while !self.api.succeeds("/readyz").await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends everything in order, each asked first.
    pub fn stop(mut self) {
        for node in &mut self.nodes {
            node.stop();
        }
        self.postgres.stop();
        self.kafka.stop();
    }
}

impl Deref for Cluster {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl ClusterPlan {
    /// Nodes that have all roles, on loopback.
    pub fn of(nodes: usize) -> Self {
        Self {
            nodes: vec![NodePlan::default(); nodes],
            namespaces: false,
            access: KafkaAccess::Open,
            partitions: 4,
            environment: Vec::new(),
            kept: None,
        }
    }

    /// Starts it, and waits until every node takes requests.
    ///
    /// # Panics
    /// When something of it does not start.
    pub async fn start(self) -> Cluster {
        let mut network = self.namespaces.then(Network::start);
        let host = network.as_ref().map_or_else(|| self.loopback(), Network::hub);
        let (kafka, postgres, s3) = self.servers(&host);
        s3.bucket("chancery");
        let shared = self.shared_environment(&kafka, &postgres, &s3);
        let launch = |(number, plan): (usize, &NodePlan)| {
            let host = network.as_mut().map_or_else(|| self.loopback(), Network::add);
            self.launch(number, plan, host, &shared)
        };
        let (launches, homes): (Vec<Launch>, Vec<Home>) = self.nodes.iter().enumerate().map(launch).unzip();
        // All at once: they find each other.
        let nodes: Vec<Server> = launches.into_iter().map(Server::begin).collect();
        let behind = nodes.iter().zip(&self.nodes).filter(|(_, plan)| plan.balanced);
        let sockets: Vec<String> = behind.map(|(node, _)| node.socket()).collect();
        let balancer = Balancer::start_on(self.loopback(), self.home("balancer", 0), &sockets);
        let api = Api::new(balancer.url());
        let mut cluster = Cluster { _balancer: balancer, nodes, kafka, postgres, s3, network, _homes: homes, api };
        cluster.ready().await;
        cluster
    }

    /// Side by side: each takes seconds.
    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    fn servers(&self, host: &Host) -> (Kafka, Postgres, S3) {
        thread::scope(|scope| {
            let kafka = scope.spawn(|| Kafka::start_on(host.clone(), self.home("kafka", 100), &[]));
            let postgres = scope.spawn(|| Postgres::start_on(host.clone(), self.home("postgres", 110), &[]));
            let s3 = S3::start_on(host.clone(), self.home("s3", 120));
            (kafka.join().expect("Kafka starts"), postgres.join().expect("PostgreSQL starts"), s3)
        })
    }

    fn loopback(&self) -> Host {
        // What is kept is ended in order, also after a Ctrl-C.
        if self.kept.is_some() { Host::loopback().apart() } else { Host::loopback() }
    }

    fn home(&self, name: &str, offset: u16) -> Home {
        match &self.kept {
            Some((directory, port)) => Home::kept(&directory.join(name), port + offset),
            None => Home::temporary(),
        }
    }

    fn shared_environment(&self, kafka: &Kafka, postgres: &Postgres, s3: &S3) -> Vec<(String, String)> {
        // A Kafka that is somebody else's may hold the log of an earlier test.
        let topic =
            if kafka.is_given() { format!("chancery.log.{}", crate::free_port()) } else { "chancery.log".into() };
        let settings = [
            ("LOG_ENGINE", "kafka".to_owned()),
            ("LOG_TOPIC", topic),
            ("LOG_PARTITIONS", self.partitions.to_string()),
            ("LOG_REPLICATION", "1".to_owned()),
            ("STATE_POSTGRES", postgres.database("chancery")),
        ];
        let settings = settings.into_iter().map(|(name, value)| (format!("CHANCERY_{name}"), value));
        let theirs = kafka.environment(self.access).into_iter().chain(s3.environment("chancery", "lake"));
        settings.chain(theirs).chain(self.environment.iter().cloned()).collect()
    }

    fn launch(&self, number: usize, plan: &NodePlan, host: Host, shared: &[(String, String)]) -> (Launch, Home) {
        let name = format!("node{number}");
        let port = u16::try_from(number + 1).unwrap_or(u16::MAX);
        let mut home = self.home(&name, port);
        let port = home.port();
        let mut environment = shared.to_vec();
        environment.push(("CHANCERY_NODE_NAME".to_owned(), name));
        environment.extend(plan.roles.iter().map(|roles| ("CHANCERY_NODE_ROLES".to_owned(), roles.clone())));
        environment.extend(plan.environment.iter().cloned());
        let binary = plan.binary.clone().unwrap_or_else(crate::binary);
        let (directory, log) = (home.path().join("data"), Some(home.path().join("server.log")));
        (Launch { binary, through: Vec::new(), host, port, directory, environment, log }, home)
    }
}
