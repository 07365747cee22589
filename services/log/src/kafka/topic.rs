//! The topic: made if missing, refused if it could lose events.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::options::KafkaLogOptions;
use crate::{LogError, MAX_PARTITIONS};

const PATIENCE: Duration = Duration::from_secs(10);

/// What a topic must be set to so that nothing is lost, and why.
const REQUIRED: [(&str, &str, &str); 4] = [
    ("cleanup.policy", "delete", "compaction would drop all but the last event of a stream"),
    ("retention.ms", "-1", "old events would be removed"),
    ("retention.bytes", "-1", "old events would be removed"),
    ("unclean.leader.election.enable", "false", "acknowledged events would be lost with a broker"),
];

/// Makes the topic if there is none and returns its number of partitions.
pub(crate) async fn ensure(options: &KafkaLogOptions) -> Result<u16, LogError> {
    let settings = |error: KafkaError| LogError::Open(format!("Kafka's settings: {error}"));
    let admin: AdminClient<DefaultClientContext> = options.client().create().map_err(settings)?;
    make(&admin, options).await?;
    let (partitions, replicas) = layout(admin, options).await?;
    let admin: AdminClient<DefaultClientContext> = options.client().create().map_err(settings)?;
    validate(&admin, options, replicas).await?;
    Ok(partitions)
}

fn patience() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

async fn make(admin: &AdminClient<DefaultClientContext>, options: &KafkaLogOptions) -> Result<(), LogError> {
    let replication = if options.replication == 0 { -1 } else { i32::from(options.replication) };
    let mut topic = NewTopic::new(&options.topic, i32::from(options.partitions), TopicReplication::Fixed(replication));
    for (name, value, _) in REQUIRED {
        topic = topic.set(name, value);
    }
    // Every record stays as its producer compressed it.
    topic = topic.set("compression.type", "producer").set("max.message.bytes", "1048588");
    if options.replication >= 3 {
        topic = topic.set("min.insync.replicas", "2");
    }
    let made = admin.create_topics(&[topic], &patience()).await.map_err(|error| unreachable(options, &error))?;
    match made.into_iter().next() {
        Some(Err((topic, reason))) if reason != RDKafkaErrorCode::TopicAlreadyExists => {
            Err(LogError::Open(format!("Kafka does not make the topic `{topic}`: {reason}")))
        }
        _ => Ok(()),
    }
}

/// Number of partitions, and of replicas of the partition that has the fewest.
async fn layout(admin: AdminClient<DefaultClientContext>, options: &KafkaLogOptions) -> Result<(u16, usize), LogError> {
    let name = options.topic.clone();
    let metadata = tokio::task::spawn_blocking(move || {
        let metadata = admin.inner().fetch_metadata(Some(&name), PATIENCE)?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name);
        Ok(found.map(|topic| topic.partitions().iter().map(|p| p.replicas().len()).collect::<Vec<_>>()))
    })
    .await
    .map_err(|error| LogError::Storage(error.to_string()))?
    .map_err(|error| unreachable(options, &error))?;
    let replicas = metadata.unwrap_or_default();
    match (u16::try_from(replicas.len()), replicas.iter().min()) {
        (Ok(partitions), Some(fewest)) if partitions > 0 && partitions <= MAX_PARTITIONS => Ok((partitions, *fewest)),
        _ => Err(LogError::Open(format!(
            "the topic `{}` has {} partitions; the log needs 1 to {MAX_PARTITIONS}",
            options.topic,
            replicas.len()
        ))),
    }
}

async fn validate(
    admin: &AdminClient<DefaultClientContext>,
    options: &KafkaLogOptions,
    replicas: usize,
) -> Result<(), LogError> {
    let topic = ResourceSpecifier::Topic(&options.topic);
    let described =
        admin.describe_configs(&[topic], &patience()).await.map_err(|error| unreachable(options, &error))?;
    let Some(Ok(settings)) = described.into_iter().next() else {
        return Err(LogError::Open(format!("the settings of the topic `{}` cannot be read", options.topic)));
    };
    let mut mistakes = Vec::new();
    for (name, required, reason) in REQUIRED {
        let actual = value(&settings, name);
        if actual != required {
            mistakes.push(format!("{name} is `{actual}` and must be `{required}`: {reason}"));
        }
    }
    let in_sync: usize = value(&settings, "min.insync.replicas").parse().unwrap_or(1);
    if replicas > 1 && in_sync < 2 {
        mistakes.push(format!(
            "min.insync.replicas is {in_sync} of {replicas} replicas and must be at least 2: \
             an event acknowledged by one broker alone would be lost with it"
        ));
    }
    if replicas == 1 {
        tracing::warn!(topic = options.topic, "the topic has one replica: the loss of a broker's disk loses the log");
    }
    if mistakes.is_empty() {
        return Ok(());
    }
    Err(LogError::Open(format!("the topic `{}` is not safe for the log: {}", options.topic, mistakes.join("; "))))
}

fn value<'a>(settings: &'a ConfigResource, name: &str) -> &'a str {
    settings.get(name).and_then(|entry| entry.value.as_deref()).unwrap_or_default()
}

fn unreachable(options: &KafkaLogOptions, error: &KafkaError) -> LogError {
    let brokers = options.connection.iter().find(|(name, _)| name == "bootstrap.servers");
    let brokers = brokers.map_or("", |(_, brokers)| brokers.as_str());
    let reason = error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
    LogError::Open(format!("Kafka at {brokers} cannot be reached: {reason}"))
}
