//! The crate's one error type.

/// Why the topic cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The settings make no client.
    #[error("Kafka cannot be used with these settings")]
    Settings(#[source] rdkafka::error::KafkaError),
    /// No broker answered, or none that accepts these credentials.
    #[error("Kafka at {brokers} cannot be reached: {reason}")]
    Unreachable {
        /// The brokers asked.
        brokers: String,
        /// What they answered.
        reason: String,
    },
    /// A topic is not there and cannot be made.
    #[error("the topic `{topic}` cannot be made: {reason}")]
    Topic {
        /// Which one.
        topic: String,
        /// Why not.
        reason: String,
    },
}
