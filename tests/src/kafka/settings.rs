//! The broker's settings.

use std::path::Path;

use super::{KAFKA_CREDENTIALS, KafkaAccess};
use crate::host::{Home, Host};

/// The ports of the listeners.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listeners {
    pub(super) open: u16,
    plain: u16,
    scram: u16,
    tls: u16,
    scram_tls: u16,
    controller: u16,
}

impl Listeners {
    pub(super) fn new(home: &mut Home) -> Self {
        let mut port = || home.port();
        Self { open: port(), plain: port(), scram: port(), tls: port(), scram_tls: port(), controller: port() }
    }

    pub(super) fn port(self, access: KafkaAccess) -> u16 {
        match access {
            KafkaAccess::Open => self.open,
            KafkaAccess::Plain => self.plain,
            KafkaAccess::Scram => self.scram,
            KafkaAccess::Tls => self.tls,
            KafkaAccess::ScramTls => self.scram_tls,
        }
    }
}

/// `server.properties`. Kafka's own topics have few partitions and one replica, and what waits for others in a real
/// cluster (groups for members, transactions for the clients that left them) waits briefly.
pub(super) fn settings(directory: &Path, host: &Host, listeners: Listeners, more: &[&str]) -> String {
    let (user, password) = KAFKA_CREDENTIALS;
    let Listeners { open, plain, scram, tls, scram_tls, controller } = listeners;
    let named = [("OPEN", open), ("PLAIN", plain), ("SCRAM", scram), ("TLS", tls), ("SCRAMTLS", scram_tls)];
    let clients = named.map(|(name, port)| format!("{name}://{}", host.socket(port))).join(",");
    let controller = host.socket(controller);
    let keys = directory.join("broker.pem").display().to_string();
    let data = directory.join("data").display().to_string();
    let more = more.join("\n");
    format!(
        r#"process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
controller.listener.names=CONTROLLER
listeners={clients},CONTROLLER://{controller}
advertised.listeners={clients}
listener.security.protocol.map=OPEN:PLAINTEXT,PLAIN:SASL_PLAINTEXT,SCRAM:SASL_PLAINTEXT,TLS:SSL,SCRAMTLS:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=OPEN
listener.name.plain.sasl.enabled.mechanisms=PLAIN
listener.name.plain.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.scramtls.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scramtls.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={keys}
log.dirs={data}
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
{more}
"#
    )
}
