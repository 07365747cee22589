//! How events of other systems come in: what an [`Arrival`] must be to be appended, and the Apache Kafka topic that
//! other producers may send to. The HTTP API is in the gateway and uses the same arrivals.
//!
//! * [`Arrival::structured`] and [`Arrival::of`] read, check and seal a CloudEvent.
//! * [`Inbound`] follows the topic: what is acceptable is appended, and only then the consumer group moves on; the
//!   rest goes to a dead-letter topic with the reason. The log knows what it has already, so that a message read
//!   twice, after a crash or a rebalance, is in the log once.

mod arrival;
mod error;
mod kafka;

pub use arrival::Arrival;
pub use error::IntakeError;
pub use kafka::{Inbound, Kafka};
