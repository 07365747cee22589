//! The one configuration: a TOML file, then the environment, then flags; what comes later wins.
//!
//! Every setting is a row of [`settings::SETTINGS`]; parsing, printing, checking and the example file follow
//! from that table.

mod load;
pub(crate) mod settings;
mod sign_in;

pub(crate) use load::{Loaded, check_file, load};
pub(crate) use sign_in::sign_in;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use chancery_domain::workspaces::builds::Leases;
use chancery_domain::workspaces::clock::Patience;
use chancery_gateway::{RunnerSettings, SessionSettings, StateSettings};
use chancery_intake::Kafka;
use chancery_lake::{Location, S3Options};
use chancery_log::{KafkaLogOptions, Role};
use chancery_reports::Price;
use chancery_state::{Database, GENERATION};
use ipnet::IpNet;
use settings::Value;

/// Where the log is.
#[derive(Debug, Clone)]
pub(crate) enum LogEngine {
    /// In the data directory.
    Sqlite,
    /// In Kafka.
    Kafka(Box<KafkaLogOptions>),
}

/// The effective values, typed.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    pub(crate) address: String,
    pub(crate) max_body_bytes: usize,
    pub(crate) max_batch_events: usize,
    pub(crate) data_directory: PathBuf,
    pub(crate) queue_events: usize,
    pub(crate) drain: Duration,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) node: String,
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) log: LogEngine,
    pub(crate) lake: Location,
    pub(crate) database: Database,
    pub(crate) kafka: Option<Kafka>,
    pub(crate) batch_events: usize,
    pub(crate) batch_age: Duration,
    pub(crate) query_timeout: Duration,
    pub(crate) query_memory: usize,
    pub(crate) max_rows: usize,
    pub(crate) price: Option<Price>,
    pub(crate) clock: Duration,
    pub(crate) patience: Patience,
    pub(crate) runners: RunnerSettings,
    pub(crate) level: String,
    pub(crate) format: String,
    pub(crate) public_url: Option<String>,
    pub(crate) scim_definitions: Option<PathBuf>,
    pub(crate) max_scim_body_bytes: usize,
    pub(crate) oidc_file: Option<PathBuf>,
    pub(crate) oidc_state_key: Option<String>,
    pub(crate) setup_token: Option<String>,
    pub(crate) sessions: SessionSettings,
    pub(crate) states: StateSettings,
    pub(crate) client_server: String,
    pub(crate) client_token: Option<String>,
}

impl Configuration {
    /// Where archives of templates are kept: beside the lake where nodes share one, else in the data directory.
    pub(crate) fn blobs(&self) -> Location {
        match &self.lake {
            Location::Directory(_) => Location::Directory(self.data_directory.join("blobs")),
            bucket @ Location::S3(_) => bucket.clone(),
        }
    }
}

impl Loaded {
    /// The typed values.
    pub(crate) fn configuration(&self) -> Configuration {
        let (number, text, optional) = (|key| self.number(key), |key| self.text(key), |key| self.optional(key));
        let data_directory = PathBuf::from(text("data.directory"));
        let database = match optional("state.postgres") {
            Some(url) => Database::Postgres {
                url,
                schema: format!("{}_{GENERATION}", text("state.schema")),
                connections: u32::try_from(number("state.connections")).unwrap_or(u32::MAX),
            },
            None => Database::Sqlite(data_directory.join(format!("state-{GENERATION}.db"))),
        };
        let node = optional("node.name").unwrap_or_else(host_name);
        let roles = text("node.roles");
        let roles: BTreeSet<Role> = roles.split(',').filter_map(|role| Role::from_name(role.trim())).collect();
        let log = match text("log.engine").as_str() {
            "kafka" => LogEngine::Kafka(Box::new(self.kafka_log(node.clone(), roles.clone()))),
            _ => LogEngine::Sqlite,
        };
        let lake = match optional("lake.url") {
            Some(url) => Location::S3(S3Options {
                url,
                endpoint: optional("lake.s3_endpoint"),
                region: optional("lake.s3_region"),
                access_key_id: optional("lake.s3_access_key_id"),
                secret_access_key: optional("lake.s3_secret_access_key"),
            }),
            None => Location::Directory(data_directory.join("lake")),
        };
        Configuration {
            address: text("server.address"),
            max_body_bytes: number("server.max_body_bytes"),
            max_batch_events: number("server.max_batch_events"),
            data_directory,
            database,
            kafka: self.inbound(),
            queue_events: number("log.queue_events"),
            drain: Duration::from_secs(number("server.drain_seconds") as u64),
            trusted_proxies: settings::networks(&text("server.trusted_proxies")).unwrap_or_default(),
            node,
            roles,
            log,
            lake,
            batch_events: number("lake.batch_events"),
            batch_age: Duration::from_secs(number("lake.batch_seconds") as u64),
            query_timeout: Duration::from_secs(number("query.timeout_seconds") as u64),
            query_memory: number("query.memory_bytes"),
            max_rows: number("query.max_rows"),
            price: optional("reports.price").and_then(|price| Price::new(&price, &text("reports.currency")).ok()),
            clock: Duration::from_secs(number("clock.seconds") as u64),
            patience: Patience {
                queued: micros(number("builds.queue_seconds")),
                running: micros(number("builds.run_seconds")),
            },
            runners: self.runners(),
            level: text("telemetry.level"),
            format: text("telemetry.format"),
            public_url: optional("server.public_url"),
            scim_definitions: optional("scim.definitions").map(PathBuf::from),
            max_scim_body_bytes: number("scim.max_body_bytes"),
            oidc_file: optional("oidc.file").map(PathBuf::from),
            oidc_state_key: optional("oidc.state_key"),
            setup_token: optional("setup.token"),
            sessions: self.sessions(),
            states: self.states(),
            client_server: text("client.server"),
            client_token: optional("client.token"),
        }
    }
}

impl Loaded {
    /// How runners and their jobs are waited for.
    fn runners(&self) -> RunnerSettings {
        RunnerSettings {
            leases: Leases {
                lease: micros(self.number("runners.lease_seconds")),
                resume: micros(self.number("runners.resume_seconds")),
                attempts: u32::try_from(self.number("runners.attempts")).unwrap_or(u32::MAX),
            },
            lost: Duration::from_secs(self.number("runners.lost_seconds") as u64),
        }
    }

    /// How sessions are allowed and kept.
    fn sessions(&self) -> SessionSettings {
        let seconds = |key| Duration::from_secs(self.number(key) as u64);
        SessionSettings {
            secret: self.optional("sessions.key").map(String::into_bytes),
            ticket: seconds("sessions.ticket_seconds"),
            certificate: seconds("sessions.certificate_seconds"),
            heartbeat: seconds("sessions.heartbeat_seconds"),
            force_command: self.optional("sessions.force_command"),
            bind_address: self.text("sessions.bind_address") == "yes",
        }
    }

    /// How states of workspaces are kept.
    fn states(&self) -> StateSettings {
        let old = self.text("states.old_keys");
        let old = old.split(',').map(str::trim).filter(|key| !key.is_empty());
        StateSettings {
            key: self.optional("states.key").map(String::into_bytes),
            old_keys: old.map(|key| key.as_bytes().to_vec()).collect(),
        }
    }

    fn number(&self, key: &str) -> usize {
        match self.value(key) {
            Some(Value::Integer(number)) => usize::try_from(*number).unwrap_or(usize::MAX),
            _ => 0,
        }
    }

    fn text(&self, key: &str) -> String {
        match self.value(key) {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    fn optional(&self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    /// The topic that other producers send to, if there is one.
    fn inbound(&self) -> Option<Kafka> {
        let topic = self.optional("kafka.ingest_topic")?;
        Some(Kafka {
            brokers: self.optional("kafka.bootstrap_servers")?,
            topic,
            dead_letters: self.text("kafka.dead_letter_topic"),
            group: self.text("kafka.group"),
            access: self.kafka_access(),
        })
    }

    /// The log in Kafka, for this node.
    fn kafka_log(&self, node: String, roles: BTreeSet<Role>) -> KafkaLogOptions {
        let small = |key| u16::try_from(self.number(key)).unwrap_or(u16::MAX);
        let access = self.kafka_access().into_iter().map(|(name, value)| (name.to_owned(), value));
        let brokers = self.optional("kafka.bootstrap_servers");
        KafkaLogOptions {
            connection: access.chain(brokers.map(|brokers| ("bootstrap.servers".to_owned(), brokers))).collect(),
            topic: self.text("log.topic"),
            partitions: small("log.partitions"),
            replication: small("log.replication"),
            group: self.text("kafka.group"),
            postgres: self.text("state.postgres"),
            schema: format!("{}_log", self.text("state.schema")),
            connections: u32::try_from(self.number("state.connections")).unwrap_or(u32::MAX),
            node,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            address: self.text("server.address"),
            roles,
            projection: format!("state-{GENERATION}"),
            queue_events: self.number("log.queue_events"),
            session_timeout: Duration::from_secs(self.number("log.session_seconds") as u64),
            ..KafkaLogOptions::default()
        }
    }

    /// How to get into Kafka, as librdkafka calls it.
    fn kafka_access(&self) -> Vec<(&'static str, String)> {
        let text = |key| self.text(key);
        let protocol = text("kafka.security_protocol");
        let mut access = vec![("security.protocol", protocol.clone())];
        access
            .extend(Some(text("kafka.ca_file")).filter(|file| !file.is_empty()).map(|file| ("ssl.ca.location", file)));
        if protocol.starts_with("sasl") {
            access.push(("sasl.mechanism", text("kafka.sasl_mechanism")));
            access.push(("sasl.username", text("kafka.sasl_username")));
            access.push(("sasl.password", text("kafka.sasl_password")));
        }
        access
    }
}

fn micros(seconds: usize) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "node".to_owned())
}

#[cfg(test)]
mod tests;
