//! The one configuration: a TOML file, then the environment, then flags; what comes later wins.
//!
//! Every setting is a row of [`settings::SETTINGS`]; parsing, printing, checking and the example file follow
//! from that table.

mod load;
pub(crate) mod settings;

pub(crate) use load::{Loaded, check_file, load};

use std::path::PathBuf;
use std::time::Duration;

use chancery_intake::Kafka;
use chancery_state::Database;
use settings::Value;

/// The effective values, typed.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    pub(crate) address: String,
    pub(crate) max_body_bytes: usize,
    pub(crate) max_batch_events: usize,
    pub(crate) data_directory: PathBuf,
    pub(crate) queue_events: usize,
    pub(crate) database: Database,
    pub(crate) kafka: Option<Kafka>,
    pub(crate) batch_events: usize,
    pub(crate) batch_age: Duration,
    pub(crate) query_timeout: Duration,
    pub(crate) query_memory: usize,
    pub(crate) max_rows: usize,
    pub(crate) level: String,
    pub(crate) format: String,
    pub(crate) setup_token: Option<String>,
    pub(crate) client_server: String,
    pub(crate) client_token: Option<String>,
}

impl Loaded {
    /// The typed values.
    pub(crate) fn configuration(&self) -> Configuration {
        let number = |key| match self.value(key) {
            Some(Value::Integer(number)) => usize::try_from(*number).unwrap_or(usize::MAX),
            _ => 0,
        };
        let text = |key| match self.value(key) {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let optional = |key| Some(text(key)).filter(|text| !text.is_empty());
        let data_directory = PathBuf::from(text("data.directory"));
        let database = match optional("state.postgres") {
            Some(url) => Database::Postgres {
                url,
                schema: text("state.schema"),
                connections: u32::try_from(number("state.connections")).unwrap_or(u32::MAX),
            },
            None => Database::Sqlite(data_directory.join("state.db")),
        };
        let protocol = text("kafka.security_protocol");
        let mut access = vec![("security.protocol", protocol.clone())];
        access.extend(optional("kafka.ca_file").map(|file| ("ssl.ca.location", file)));
        if protocol.starts_with("sasl") {
            access.push(("sasl.mechanism", text("kafka.sasl_mechanism")));
            access.push(("sasl.username", text("kafka.sasl_username")));
            access.push(("sasl.password", text("kafka.sasl_password")));
        }
        let kafka = optional("kafka.bootstrap_servers").map(|brokers| Kafka {
            brokers,
            topic: text("kafka.ingest_topic"),
            dead_letters: text("kafka.dead_letter_topic"),
            group: text("kafka.group"),
            access,
        });
        Configuration {
            address: text("server.address"),
            max_body_bytes: number("server.max_body_bytes"),
            max_batch_events: number("server.max_batch_events"),
            data_directory,
            database,
            kafka,
            queue_events: number("log.queue_events"),
            batch_events: number("lake.batch_events"),
            batch_age: Duration::from_secs(number("lake.batch_seconds") as u64),
            query_timeout: Duration::from_secs(number("query.timeout_seconds") as u64),
            query_memory: number("query.memory_bytes"),
            max_rows: number("query.max_rows"),
            level: text("telemetry.level"),
            format: text("telemetry.format"),
            setup_token: optional("setup.token"),
            client_server: text("client.server"),
            client_token: optional("client.token"),
        }
    }
}

#[cfg(test)]
mod tests;
