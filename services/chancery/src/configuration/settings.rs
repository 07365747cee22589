//! The table of settings.

use chancery_log::Role;
use chancery_reports::Price;
use etcetera::{AppStrategy, AppStrategyArgs, choose_app_strategy};
use ipnet::IpNet;

/// What a setting may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A name of small letters and underscores.
    Name,
    /// Networks, joined by commas.
    Networks,
    /// Roles of a node, joined by commas.
    Roles,
    /// Nothing, or `s3://bucket/prefix`.
    Lake,
    /// An address and a port.
    Address,
    /// An `http` or `https` URL.
    Url,
    /// A whole number in a range.
    Integer(i64, i64),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A token, never shown.
    Token,
    /// A password, never shown.
    Password,
    /// A `postgres://` URL, never shown: it may hold a password.
    Postgres,
    /// Nothing, or an amount with at most six places.
    Price,
    /// Three capital letters.
    Currency,
}

impl Kind {
    /// Whether values are never shown.
    pub(crate) fn is_secret(self) -> bool {
        matches!(self, Self::Token | Self::Password | Self::Postgres)
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
}

/// A setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    /// Its default as text; empty for none.
    pub(crate) default: &'static str,
    pub(crate) description: &'static str,
}

const fn setting(key: &'static str, kind: Kind, default: &'static str, description: &'static str) -> Setting {
    Setting { key, kind, default, description }
}

/// Every setting there is.
pub(crate) const SETTINGS: [Setting; 63] = [
    setting("server.address", Kind::Address, "127.0.0.1:8080", "Where the API listens"),
    setting(
        "server.max_body_bytes",
        Kind::Integer(1024, 1 << 30),
        "8388608",
        "Most bytes of a request body, decompressed",
    ),
    setting("server.max_batch_events", Kind::Integer(1, 32_768), "10000", "Most events of one batch"),
    setting(
        "data.directory",
        Kind::Text,
        "",
        "Where log, state and lake are kept; the platform's data directory without",
    ),
    setting(
        "server.drain_seconds",
        Kind::Integer(0, 300),
        "0",
        "How long a node that was told to stop still serves while it says that it is not ready, for balancers",
    ),
    setting(
        "server.trusted_proxies",
        Kind::Networks,
        "",
        "Networks of balancers, such as 10.0.0.0/8,192.0.2.7/32, whose X-Forwarded-For says where requests come from",
    ),
    setting(
        "server.public_url",
        Kind::Text,
        "",
        "Address that browsers and identity providers call the service by, such as https://chancery.example.com; what a request names without",
    ),
    setting(
        "scim.definitions",
        Kind::Text,
        "",
        "JSON file of further SCIM schemas, extensions and resource types; the standard ones without",
    ),
    setting("scim.max_body_bytes", Kind::Integer(65_536, 1 << 28), "16777216", "Most bytes of a SCIM request"),
    setting(
        "oidc.file",
        Kind::Text,
        "",
        "TOML or JSON file of the OpenID providers that people sign in with, and of the issuers whose tokens machines bring",
    ),
    setting(
        "oidc.state_key",
        Kind::Password,
        "",
        "Secret of 32 characters or more that the nodes of a cluster share, so that each can go on with a sign-in; drawn at the start without",
    ),
    setting("node.name", Kind::Text, "", "Name of this node in a cluster, unique; the host's name without"),
    setting(
        "node.roles",
        Kind::Roles,
        "gateway,projector,archiver,sealer,exporter,relay",
        "What this node of a cluster does",
    ),
    setting(
        "log.engine",
        Kind::OneOf(&["sqlite", "kafka"]),
        "sqlite",
        "Where the log is: a file in the data directory, or a topic of Apache Kafka shared by the nodes of a cluster",
    ),
    setting("log.topic", Kind::Text, "chancery.log", "Topic of the log, made if missing"),
    setting("log.partitions", Kind::Integer(1, 1024), "12", "Its partitions when it is made; they never change"),
    setting("log.replication", Kind::Integer(0, 32), "0", "Its replicas when it is made; 0 leaves them to the brokers"),
    setting(
        "log.session_seconds",
        Kind::Integer(1, 300),
        "6",
        "How long a node may be silent before Kafka gives its partitions to others",
    ),
    setting(
        "log.queue_events",
        Kind::Integer(1, 1_000_000),
        "32768",
        "Events that may wait for the log before clients are told to slow down",
    ),
    setting(
        "state.postgres",
        Kind::Postgres,
        "",
        "A PostgreSQL database that keeps the state; a SQLite file in the data directory without",
    ),
    setting("state.schema", Kind::Name, "chancery", "Schema of the state in that database"),
    setting("state.connections", Kind::Integer(2, 1000), "10", "Most connections to that database"),
    setting(
        "kafka.bootstrap_servers",
        Kind::Text,
        "",
        "Apache Kafka brokers `host:port,…`: of the log of a cluster, and of the topic that other producers send to",
    ),
    setting("kafka.ingest_topic", Kind::Text, "chancery.ingest", "Topic of those CloudEvents, made if missing"),
    setting(
        "kafka.dead_letter_topic",
        Kind::Text,
        "chancery.ingest.dead-letter",
        "Topic for messages that are no acceptable events, made if missing",
    ),
    setting("kafka.group", Kind::Text, "chancery", "Consumer group"),
    setting(
        "kafka.security_protocol",
        Kind::OneOf(&["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]),
        "plaintext",
        "How brokers are talked to",
    ),
    setting("kafka.ca_file", Kind::Text, "", "Certificates that sign the brokers', PEM; the system's without"),
    setting(
        "kafka.sasl_mechanism",
        Kind::OneOf(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]),
        "SCRAM-SHA-512",
        "How to sign in to them",
    ),
    setting("kafka.sasl_username", Kind::Text, "", "As whom"),
    setting("kafka.sasl_password", Kind::Password, "", "With which password"),
    setting("lake.batch_events", Kind::Integer(100, 1_000_000), "16384", "Events the archiver writes at once"),
    setting("lake.batch_seconds", Kind::Integer(1, 3600), "20", "How long an event may wait for a full batch"),
    setting("lake.url", Kind::Lake, "", "`s3://bucket/prefix` of the lake; a directory in the data directory without"),
    setting("lake.s3_endpoint", Kind::Text, "", "URL of the S3-compatible service; Amazon's own without"),
    setting("lake.s3_region", Kind::Text, "us-east-1", "Its region"),
    setting("lake.s3_access_key_id", Kind::Text, "", "Key to it; `AWS_ACCESS_KEY_ID` or the machine's role without"),
    setting("lake.s3_secret_access_key", Kind::Password, "", "Its secret"),
    setting("query.timeout_seconds", Kind::Integer(1, 3600), "60", "Longest a query may run"),
    setting(
        "query.memory_bytes",
        Kind::Integer(1 << 20, 1 << 40),
        "536870912",
        "Memory all running queries may use together",
    ),
    setting("query.max_rows", Kind::Integer(1, 1_000_000), "10000", "Most rows of a SQL answer"),
    setting(
        "reports.price",
        Kind::Price,
        "",
        "What a credit costs per day, such as 0.42; reports tell no cost without",
    ),
    setting("reports.currency", Kind::Currency, "EUR", "Currency of that price, ISO 4217"),
    setting(
        "clock.seconds",
        Kind::Integer(1, 3600),
        "10",
        "How often it is looked whether workspaces are to start, stop, rest or go by themselves",
    ),
    setting(
        "builds.queue_seconds",
        Kind::Integer(1, 2_592_000),
        "86400",
        "How long a build may wait for a runner before it is given up",
    ),
    setting(
        "builds.run_seconds",
        Kind::Integer(1, 2_592_000),
        "7200",
        "How long a runner may have a build before it is given up",
    ),
    setting(
        "runners.lease_seconds",
        Kind::Integer(1, 3600),
        "60",
        "How long a runner that says nothing keeps a job that has changed nothing yet",
    ),
    setting(
        "runners.resume_seconds",
        Kind::Integer(1, 604_800),
        "1800",
        "How long a runner that says nothing is waited for while it changes resources",
    ),
    setting("runners.lost_seconds", Kind::Integer(1, 86_400), "150", "After which silence a runner counts as lost"),
    setting("runners.attempts", Kind::Integer(1, 100), "5", "How often a build is begun whose runners are lost"),
    setting("telemetry.level", Kind::OneOf(&["error", "warn", "info", "debug", "trace"]), "info", "How much is logged"),
    setting(
        "telemetry.format",
        Kind::OneOf(&["auto", "text", "json"]),
        "auto",
        "How it is logged; auto is text on a terminal and JSON otherwise",
    ),
    setting(
        "setup.token",
        Kind::Token,
        "",
        "An admin token `chy_<id>_<secret>` to make at the first start, for automation",
    ),
    setting(
        "sessions.key",
        Kind::Password,
        "",
        "Secret that the keys of tickets and SSH certificates follow from, the same on all nodes; drawn and kept in the data directory without",
    ),
    setting("sessions.ticket_seconds", Kind::Integer(10, 3600), "120", "How long a ticket of a session is good"),
    setting("sessions.certificate_seconds", Kind::Integer(10, 86_400), "300", "How long an SSH certificate is good"),
    setting(
        "sessions.heartbeat_seconds",
        Kind::Integer(1, 3600),
        "30",
        "How often agents report a session; one not heard of for three times as long is lost",
    ),
    setting(
        "sessions.force_command",
        Kind::Text,
        "",
        "What runs in a session over SSH that is no file transfer, whatever the client asks for",
    ),
    setting(
        "sessions.bind_address",
        Kind::OneOf(&["yes", "no"]),
        "yes",
        "Whether SSH certificates are good from the client's address alone",
    ),
    setting(
        "states.key",
        Kind::Password,
        "",
        "Secret of 32 characters or more that Terraform states of workspaces are encrypted with, the same on all nodes; `sessions.key` without",
    ),
    setting(
        "states.old_keys",
        Kind::Password,
        "",
        "Secrets that states were encrypted with before, with commas between them: those states are still read",
    ),
    setting("client.server", Kind::Url, "http://127.0.0.1:8080", "Server the commands talk to"),
    setting("client.token", Kind::Token, "", "Token the commands present"),
];

impl Setting {
    /// Its environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("CHANCERY_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// Its default.
    pub(crate) fn default_value(&self) -> Value {
        if self.key == "data.directory" {
            return Value::Text(platform_directory(false));
        }
        self.parse(self.default).unwrap_or_else(|_| Value::Text(self.default.to_owned()))
    }

    /// Reads a value given as text.
    pub(crate) fn parse(&self, text: &str) -> Result<Value, String> {
        let wrong = |expected: String| Err(format!("`{}` must be {expected}, not `{}`", self.key, self.shown(text)));
        match self.kind {
            Kind::Text | Kind::Password => Ok(Value::Text(text.to_owned())),
            Kind::Token if text.is_empty() || text.starts_with("chy_") => Ok(Value::Text(text.to_owned())),
            Kind::Token => wrong("a token `chy_<id>_<secret>`".to_owned()),
            Kind::Address if text.parse::<std::net::SocketAddr>().is_ok() => Ok(Value::Text(text.to_owned())),
            Kind::Address => wrong("an address and a port such as 127.0.0.1:8080".to_owned()),
            Kind::Url => match url::Url::parse(text) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Value::Text(text.to_owned())),
                _ => wrong("an http or https URL".to_owned()),
            },
            Kind::Postgres => match url::Url::parse(text) {
                Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => Ok(Value::Text(text.to_owned())),
                _ if text.is_empty() => Ok(Value::Text(String::new())),
                _ => wrong("a URL postgres://user:password@host/database".to_owned()),
            },
            Kind::Price if text.is_empty() => Ok(Value::Text(String::new())),
            Kind::Price => match Price::new(text, "XXX") {
                Ok(_) => Ok(Value::Text(text.to_owned())),
                Err(_) => wrong("an amount such as 0.42".to_owned()),
            },
            Kind::Currency => match Price::new("0", text) {
                Ok(_) => Ok(Value::Text(text.to_owned())),
                Err(_) => wrong("three capital letters such as EUR".to_owned()),
            },
            Kind::Name if text.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !text.is_empty() => {
                Ok(Value::Text(text.to_owned()))
            }
            Kind::Name => wrong("a name of small letters".to_owned()),
            Kind::Networks if networks(text).is_ok() => Ok(Value::Text(text.to_owned())),
            Kind::Networks => wrong("networks such as 10.0.0.0/8, joined by commas".to_owned()),
            Kind::Roles => match text.split(',').find(|role| Role::from_name(role.trim()).is_none()) {
                None => Ok(Value::Text(text.to_owned())),
                Some(_) => wrong(format!("some of {}, joined by commas", Role::ALL.map(Role::as_str).join(", "))),
            },
            Kind::Lake if text.is_empty() || text.starts_with("s3://") && url::Url::parse(text).is_ok() => {
                Ok(Value::Text(text.to_owned()))
            }
            Kind::Lake => wrong("a URL s3://bucket/prefix".to_owned()),
            Kind::Integer(least, most) => match text.parse::<i64>() {
                Ok(number) if (least..=most).contains(&number) => Ok(Value::Integer(number)),
                _ => wrong(format!("a whole number from {least} to {most}")),
            },
            Kind::OneOf(allowed) if allowed.contains(&text) => Ok(Value::Text(text.to_owned())),
            Kind::OneOf(allowed) => wrong(format!("one of {}", allowed.join(", "))),
        }
    }

    fn shown<'a>(&self, text: &'a str) -> &'a str {
        if self.kind.is_secret() { "…" } else { text }
    }
}

/// Networks joined by commas.
pub(crate) fn networks(text: &str) -> Result<Vec<IpNet>, ipnet::AddrParseError> {
    text.split(',').map(str::trim).filter(|network| !network.is_empty()).map(str::parse).collect()
}

/// What platforms name an application's directories by.
pub(crate) fn application() -> AppStrategyArgs {
    AppStrategyArgs { top_level_domain: "dev".into(), author: "chancery".into(), app_name: "chancery".into() }
}

/// The platform's directory for data or configuration.
pub(crate) fn platform_directory(configuration: bool) -> String {
    let directory = choose_app_strategy(application())
        .map(|strategy| if configuration { strategy.config_dir() } else { strategy.data_dir() });
    directory.map_or_else(|_| "chancery-data".to_owned(), |directory| directory.display().to_string())
}
