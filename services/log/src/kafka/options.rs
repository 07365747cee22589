//! What a log in Kafka needs to know.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::ClientConfig;

use crate::{Clock, system_clock};

/// What a node does beside answering for its health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Serves the API.
    Gateway,
    /// Admits events and folds them into the state.
    Projector,
    /// Writes events to the lake.
    Archiver,
    /// Will seal partitions into a tree; nothing yet.
    Sealer,
    /// Will deliver events to sinks; nothing yet.
    Exporter,
    /// Publishes decisions.
    Relay,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Gateway, Self::Projector, Self::Archiver, Self::Sealer, Self::Exporter, Self::Relay];

    /// Its name in configuration and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Projector => "projector",
            Self::Archiver => "archiver",
            Self::Sealer => "sealer",
            Self::Exporter => "exporter",
            Self::Relay => "relay",
        }
    }

    /// Looks a role up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// How a log in Kafka is opened.
#[derive(Clone)]
pub struct KafkaLogOptions {
    /// Settings of librdkafka for every client: brokers, protocol, credentials.
    pub connection: Vec<(String, String)>,
    /// The topic.
    pub topic: String,
    /// Its number of partitions, when it is made; it never changes.
    pub partitions: u16,
    /// Its replication, when it is made; 0 leaves it to the brokers.
    pub replication: u16,
    /// What names of consumer groups and transactions begin with.
    pub group: String,
    /// `postgres://…` of the database beside it.
    pub postgres: String,
    /// Schema in that database.
    pub schema: String,
    /// Most connections to it.
    pub connections: u32,
    /// Name of this node, unique among the nodes.
    pub node: String,
    /// Version of the program.
    pub version: String,
    /// Where this node's API is reached.
    pub address: String,
    /// What this node does.
    pub roles: BTreeSet<Role>,
    /// What its projector folds into: nodes for which this is the same share the partitions, all others have their own
    /// share of them.
    pub projection: String,
    /// Events that may wait for Kafka before [`crate::LogError::Busy`].
    pub queue_events: usize,
    /// Bytes of recent events kept in memory for readers near the end, over all partitions.
    pub recent_bytes: usize,
    /// How long a node may be silent before its partitions are given to others.
    pub session_timeout: Duration,
    /// Where `recorded_at` comes from.
    pub clock: Clock,
}

impl Default for KafkaLogOptions {
    fn default() -> Self {
        Self {
            connection: Vec::new(),
            topic: "chancery.log".to_owned(),
            partitions: 12,
            replication: 0,
            group: "chancery".to_owned(),
            postgres: String::new(),
            schema: "chancery_log".to_owned(),
            connections: 10,
            node: "node".to_owned(),
            version: String::new(),
            address: String::new(),
            roles: Role::ALL.into(),
            projection: "state".to_owned(),
            queue_events: 32_768,
            recent_bytes: 48 << 20,
            session_timeout: Duration::from_secs(6),
            clock: system_clock(),
        }
    }
}

/// Without what may be a secret.
impl std::fmt::Debug for KafkaLogOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaLogOptions").field("topic", &self.topic).field("node", &self.node).finish_non_exhaustive()
    }
}

impl KafkaLogOptions {
    /// Settings that every client has.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", format!("chancery-{}", self.node)).set("socket.keepalive.enable", "true");
        // A broker that went away is found out soon, and asked again soon.
        config.set("socket.connection.setup.timeout.ms", "3000").set("reconnect.backoff.max.ms", "1000");
        for (name, value) in &self.connection {
            config.set(name, value);
        }
        config
    }

    /// Settings of consumers of the log: they see what is committed, in order, and take care of offsets themselves.
    pub(crate) fn consumer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", format!("{}.none", self.group))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "100")
            .set("check.crcs", "true");
        config
    }

    /// Settings of producers to the log: nothing acknowledged is lost, nothing is sent twice by one producer.
    pub(crate) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "zstd")
            .set("partitioner", "murmur2_random")
            .set("delivery.timeout.ms", "10000")
            .set("request.timeout.ms", "5000");
        config
    }
}
