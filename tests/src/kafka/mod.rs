//! An Apache Kafka broker of its own: one node that is broker and controller.
//!
//! `CHANCERY_TEST_KAFKA` names the bootstrap servers of another to use instead; that one cannot be killed, and has one
//! listener, for anyone.

mod certificates;
mod engine;
mod settings;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::host::{Home, Host};
use engine::Broker;
use settings::Listeners;

/// Who may use the guarded listeners of [`Kafka`], and with which password.
pub const KAFKA_CREDENTIALS: (&str, &str) = ("chancery", "chancery-secret");

/// How a client comes to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KafkaAccess {
    /// Anyone, in plain text.
    Open,
    /// With a password sent as it is, in plain text.
    Plain,
    /// With a password that is not sent (SCRAM-SHA-512), in plain text.
    Scram,
    /// Anyone, over TLS.
    Tls,
    /// With SCRAM-SHA-512 over TLS.
    ScramTls,
}

/// A running broker. It is killed when dropped.
#[derive(Debug)]
pub struct Kafka {
    at: At,
}

#[derive(Debug)]
enum At {
    /// Started by this process.
    Own { broker: Broker, host: Host, listeners: Listeners, home: Home },
    /// Somebody else's, by its bootstrap servers.
    Given(String),
}

impl Kafka {
    /// A broker without topics.
    ///
    /// # Panics
    /// When neither Docker nor Java and Maven are installed, or the broker does not start.
    pub fn start() -> Self {
        Self::start_on(Host::loopback(), Home::temporary(), &[])
    }

    /// A broker on what a directory holds, with more settings, each `name=value`.
    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    pub fn start_on(host: Host, mut home: Home, more: &[&str]) -> Self {
        if let Ok(given) = std::env::var("CHANCERY_TEST_KAFKA") {
            let mut kafka = Self { at: At::Given(given) };
            kafka.wait();
            return kafka;
        }
        let listeners = Listeners::new(&mut home);
        let directory = home.path();
        certificates::make(directory, host.address());
        let settings = settings::settings(directory, &host, listeners, more);
        std::fs::write(directory.join("server.properties"), settings).expect("the settings can be written");
        if !directory.join("data/meta.properties").exists() {
            engine::format(&host, directory, KAFKA_CREDENTIALS);
        }
        let broker = Broker::start(&host, directory, listeners.open);
        let mut kafka = Self { at: At::Own { broker, host, listeners, home } };
        kafka.wait();
        kafka
    }

    /// Whether it is somebody else's: topics may be there already, and it cannot be killed.
    pub fn is_given(&self) -> bool {
        matches!(self.at, At::Given(_))
    }

    /// `host:port` for anyone.
    pub fn open(&self) -> String {
        self.bootstrap(KafkaAccess::Open)
    }

    /// `host:port` for clients that come like this.
    ///
    /// # Panics
    /// When the broker was given, and the access is not open.
    #[expect(clippy::panic, reason = "a test cannot go on without it")]
    pub fn bootstrap(&self, access: KafkaAccess) -> String {
        match (&self.at, access) {
            (At::Own { host, listeners, .. }, access) => host.socket(listeners.port(access)),
            (At::Given(servers), KafkaAccess::Open) => servers.clone(),
            (At::Given(_), _) => panic!("{}", lacks(&format!("no listener {access:?} that tests know of"))),
        }
    }

    /// `host:port` for [`KAFKA_CREDENTIALS`], by SASL PLAIN without TLS.
    pub fn guarded(&self) -> String {
        self.bootstrap(KafkaAccess::Plain)
    }

    /// `host:port` for [`KAFKA_CREDENTIALS`], by SCRAM-SHA-512 without TLS.
    pub fn scram(&self) -> String {
        self.bootstrap(KafkaAccess::Scram)
    }

    /// `host:port` for anyone, over TLS.
    pub fn tls(&self) -> String {
        self.bootstrap(KafkaAccess::Tls)
    }

    /// The certificate that signs the broker's.
    ///
    /// # Panics
    /// When the broker was given.
    #[expect(clippy::panic, reason = "a test cannot go on without it")]
    pub fn ca_file(&self) -> PathBuf {
        match &self.at {
            At::Own { home, .. } => home.path().join("ca.pem"),
            At::Given(_) => panic!("{}", lacks("no certificate that tests know of")),
        }
    }

    /// A program that Kafka comes with, by its class; its arguments are to follow. The files it reads are in a
    /// directory.
    pub fn tool(class: &str, directory: &Path) -> Command {
        engine::tool(class, directory)
    }

    /// What tells a server to come like this.
    pub fn environment(&self, access: KafkaAccess) -> Vec<(String, String)> {
        let (user, password) = KAFKA_CREDENTIALS;
        let mut settings =
            vec![("BOOTSTRAP_SERVERS", self.bootstrap(access)), ("SECURITY_PROTOCOL", access.protocol().to_owned())];
        if matches!(access, KafkaAccess::Tls | KafkaAccess::ScramTls) {
            settings.push(("CA_FILE", self.ca_file().display().to_string()));
        }
        if let Some(mechanism) = access.mechanism() {
            let values = [("SASL_MECHANISM", mechanism), ("SASL_USERNAME", user), ("SASL_PASSWORD", password)];
            settings.extend(values.map(|(name, value)| (name, value.to_owned())));
        }
        settings.into_iter().map(|(name, value)| (format!("CHANCERY_KAFKA_{name}"), value)).collect()
    }

    /// Kills it without a chance to say goodbye.
    pub fn kill(&mut self) {
        self.own("be killed").kill();
    }

    /// Asks it to end and waits until it has.
    pub fn stop(&mut self) {
        self.own("be stopped").stop();
    }

    /// Starts it again on the same data and ports.
    pub fn restart(&mut self) {
        if let At::Own { broker, host, listeners, home } = &mut self.at {
            *broker = Broker::start(host, home.path(), listeners.open);
        }
        self.wait();
    }

    /// Lets requests hang.
    pub fn pause(&self) {
        self.broker("be paused").pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.broker("be resumed").resume();
    }

    #[expect(clippy::panic, reason = "a test cannot go on without it")]
    fn broker(&self, what: &str) -> &Broker {
        match &self.at {
            At::Own { broker, .. } => broker,
            At::Given(_) => panic!("{}", lacks(&format!("no way to {what}"))),
        }
    }

    #[expect(clippy::panic, reason = "a test cannot go on without it")]
    fn own(&mut self, what: &str) -> &mut Broker {
        match &mut self.at {
            At::Own { broker, .. } => broker,
            At::Given(_) => panic!("{}", lacks(&format!("no way to {what}"))),
        }
    }

    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    fn wait(&mut self) {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.open()).set("log_level", "0");
        let client: BaseConsumer = client.create().expect("a client");
        let answers = || client.fetch_metadata(None, Duration::from_secs(1)).is_ok_and(|it| !it.brokers().is_empty());
        match &mut self.at {
            At::Own { broker, home, .. } => {
                broker.process.wait_until("Kafka", &home.path().join("broker.log"), answers);
            }
            At::Given(servers) => {
                assert!((0..10).any(|_| answers()), "Kafka at {servers} (CHANCERY_TEST_KAFKA) does not answer");
            }
        }
    }
}

fn lacks(what: &str) -> String {
    format!("the Kafka given by CHANCERY_TEST_KAFKA has {what}: run this test without that variable")
}

impl KafkaAccess {
    fn protocol(self) -> &'static str {
        match self {
            Self::Open => "plaintext",
            Self::Plain | Self::Scram => "sasl_plaintext",
            Self::Tls => "ssl",
            Self::ScramTls => "sasl_ssl",
        }
    }

    fn mechanism(self) -> Option<&'static str> {
        match self {
            Self::Open | Self::Tls => None,
            Self::Plain => Some("PLAIN"),
            Self::Scram | Self::ScramTls => Some("SCRAM-SHA-512"),
        }
    }
}
