//! Reads of the audit trail are on record themselves, where those can see them who see what was read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use chancery_domain::events::audit::AuditQueried;
use chancery_domain::{Event, Outcome, Resource};
use chancery_evidence::Sealed;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// A read of the audit trail in progress.
pub(crate) struct Reading {
    gateway: Arc<Gateway>,
    caller: Caller,
    endpoint: &'static str,
    query: String,
    format: Option<String>,
    begun: Instant,
}

impl Reading {
    /// Begins a read.
    pub(crate) fn begin(gateway: &Arc<Gateway>, caller: &Caller, endpoint: &'static str, query: &str) -> Self {
        Self {
            gateway: gateway.clone(),
            caller: caller.clone(),
            endpoint,
            query: query.chars().take(8192).collect(),
            format: None,
            begun: Instant::now(),
        }
    }

    /// The same as an export in a format.
    pub(crate) fn exporting(self, format: &str) -> Self {
        Self { format: Some(format.to_owned()), ..self }
    }

    /// Puts the read on record before its answer leaves; without a record there is no answer.
    pub(crate) async fn record(&self, rows: u64) -> Result<(), ApiError> {
        self.append(rows, Outcome::Success).await
    }

    async fn append(&self, rows: u64, outcome: Outcome) -> Result<(), ApiError> {
        let sealed = Sealed::new(&self.event(rows, outcome)).map_err(|error| ApiError::Internal(error.to_string()))?;
        self.gateway.log.append(vec![sealed]).await?;
        Ok(())
    }

    fn event(&self, rows: u64, outcome: Outcome) -> Event {
        let event_type = if self.format.is_some() { "audit.exported" } else { "audit.queried" };
        let mut event = self.gateway.event(event_type, &self.caller, Resource::new("audit", self.endpoint));
        event.outcome = outcome;
        event.organization = self.caller.visibility().only_organization().map(str::to_owned);
        event.data = serde_json::json!(AuditQueried {
            duration_ms: u64::try_from(self.begun.elapsed().as_millis()).ok(),
            endpoint: self.endpoint.to_owned(),
            format: self.format.clone(),
            query: self.query.clone(),
            rows,
        });
        event
    }

    /// For streams: put on record when the stream ends or is dropped, with the rows sent until then.
    pub(crate) fn streaming(self) -> Streaming {
        Streaming { reading: Some(self), rows: AtomicU64::new(0), complete: AtomicBool::new(false) }
    }
}

/// A streamed read. Dropping it records it: as a failure unless [`Streaming::complete`] was called.
pub(crate) struct Streaming {
    reading: Option<Reading>,
    rows: AtomicU64,
    complete: AtomicBool,
}

impl Streaming {
    pub(crate) fn sent(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn complete(&self) {
        self.complete.store(true, Ordering::Relaxed);
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        let Some(reading) = self.reading.take() else { return };
        let rows = self.rows.load(Ordering::Relaxed);
        let outcome = if self.complete.load(Ordering::Relaxed) { Outcome::Success } else { Outcome::Failure };
        tokio::spawn(async move {
            if let Err(error) = reading.append(rows, outcome).await {
                tracing::error!(%error, rows, "a streamed read could not be put on record");
            }
        });
    }
}
