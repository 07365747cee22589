//! The life of the audit trail itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bare;
use crate::catalogue::event_types;

event_types! {
    /// What happened to the audit trail.
    pub enum AuditEvent {
        /// Someone searched the audit trail.
        "audit.queried" v 1 "read" => AuditQueried(AuditQueried),
        /// Someone exported from the audit trail.
        "audit.exported" v 1 "export" => AuditExported(AuditQueried),
        /// An event was refused because its id was taken by different content.
        "audit.event.rejected" v 1 "ingest" => AuditEventRejected(EventRejected),
        /// An export target was set up.
        "sink.created" v 1 "create" => SinkCreated(Sink),
        /// An export target changed.
        "sink.updated" v 1 "write" => SinkUpdated(Sink),
        /// An export target was removed.
        "sink.deleted" v 1 "delete" => SinkDeleted(Bare),
        /// An export target has everything up to a position.
        "sink.delivered-until" v 1 "deliver" => SinkDeliveredUntil(SinkProgress),
        /// A legal hold was placed.
        "hold.placed" v 1 "create" => HoldPlaced(Hold),
        /// A legal hold was released.
        "hold.released" v 1 "delete" => HoldReleased(Hold),
        /// Events beyond their retention were removed from the lake.
        "retention.applied" v 1 "delete" => RetentionApplied(RetentionApplied),
        /// A person's data was made unreadable.
        "subject.erased" v 1 "delete" => SubjectErased(SubjectErased),
        /// The log's tree head was signed.
        "checkpoint.signed" v 1 "sign" => CheckpointSigned(CheckpointSigned),
    }
}

/// Payload of `audit.queried` and `.exported`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditQueried {
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// `events`, `aggregate`, `sql`, `tail`, `export`, …
    pub endpoint: String,
    /// Export format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The query as it was asked.
    pub query: String,
    /// Rows returned.
    pub rows: u64,
}

/// Payload of `audit.event.rejected`; the resource is the event that keeps the id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventRejected {
    /// The contested id.
    pub event_id: String,
    /// Source of the contested id.
    pub event_source: String,
    /// Type of the refused event.
    pub event_type: String,
    /// Position of the event that keeps the id.
    pub position: u64,
    /// Digest of the refused content.
    pub refused_sha256: String,
}

/// Payload of `sink.created` and `.updated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sink {
    /// `syslog`, `splunk-hec`, `webhook`, …
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// Payload of `sink.delivered-until`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SinkProgress {
    /// Last position delivered.
    pub position: u64,
}

/// Payload of `hold.placed` and `.released`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    /// Matter it belongs to.
    pub matter: String,
    /// What it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// Payload of `retention.applied`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetentionApplied {
    /// Policy that applied.
    pub policy: String,
    /// How many.
    pub removed_events: u64,
}

/// Payload of `subject.erased`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectErased {
    /// Key that was destroyed.
    pub key_id: String,
}

/// Payload of `checkpoint.signed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointSigned {
    /// Base64 root hash.
    pub root: String,
    /// Tree size.
    pub size: u64,
}
