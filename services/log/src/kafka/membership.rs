//! Which partitions this node works on in a role: Kafka divides them among the members of a consumer group, and
//! moves only those that must move.
//!
//! The group is used for that alone. Its members fetch nothing, what they read comes from the node's [follower], and
//! offsets are stored with the results.
//!
//! [follower]: super::follower

use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::options::{KafkaLogOptions, Role};
use crate::{Assignment, LogError};

struct Member {
    assigned: watch::Sender<Vec<u16>>,
}

impl ClientContext for Member {}

impl ConsumerContext for Member {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(revoked) = rebalance {
            let revoked: Vec<i32> = revoked.elements().iter().map(TopicPartitionListElem::partition).collect();
            self.assigned.send_modify(|assigned| assigned.retain(|p| !revoked.contains(&i32::from(*p))));
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(added) = rebalance {
            if let Err(error) = consumer.pause(added) {
                tracing::warn!(%error, "partitions cannot be paused");
            }
            let added = added
                .elements()
                .iter()
                .filter_map(|element| u16::try_from(element.partition()).ok())
                .collect::<Vec<_>>();
            self.assigned.send_modify(|assigned| {
                assigned.extend(added);
                assigned.sort_unstable();
                assigned.dedup();
            });
        }
    }
}

/// Joins the group of a role until cancelled.
pub(crate) fn join(options: &KafkaLogOptions, role: Role, cancel: CancellationToken) -> Result<Assignment, LogError> {
    let (assigned, assignment) = watch::channel(Vec::new());
    let session = options.session_timeout.as_millis();
    let mut settings = options.consumer();
    let group = match role {
        Role::Projector => format!("{}.{}.{}", options.group, role.as_str(), options.projection),
        _ => format!("{}.{}", options.group, role.as_str()),
    };
    settings
        .set("group.id", group)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", session.to_string())
        .set("heartbeat.interval.ms", (session / 4).to_string())
        .set("auto.offset.reset", "latest")
        .set("enable.partition.eof", "false")
        .set("queued.min.messages", "1")
        .set("queued.max.messages.kbytes", "64");
    let consumer: BaseConsumer<Member> = settings.create_with_context(Member { assigned })?;
    consumer.subscribe(&[&options.topic])?;
    tokio::task::spawn_blocking(move || {
        while !cancel.is_cancelled() {
            // A message that came before its partition was paused is of no use here.
            if let Some(Err(error)) = consumer.poll(Duration::from_millis(100)) {
                tracing::debug!(role = role.as_str(), %error, "membership");
            }
        }
    });
    Ok(assignment)
}
