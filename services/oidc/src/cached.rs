//! A document of a provider that is kept, and fetched again in moderation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex, MutexGuard};

use crate::error::OidcError;

/// How long things of a provider are believed, and how often it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long a request to a provider may take.
    pub timeout: Duration,
    /// After this time a document is fetched again when it is needed: a key that the provider withdrew is believed
    /// no longer than this.
    pub refresh: Duration,
    /// How long a document is used while it cannot be fetched again.
    pub stale: Duration,
    /// The time between two fetches because of keys that nobody knows. Whoever sends tokens with made-up keys cannot
    /// make this server bother the provider more often.
    pub unknown_key_pause: Duration,
    /// The time after a failed fetch in which no other is tried.
    pub failure_pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            refresh: Duration::from_hours(1),
            stale: Duration::from_hours(24),
            unknown_key_pause: Duration::from_secs(30),
            failure_pause: Duration::from_secs(5),
        }
    }
}

/// A document and how it came here. Readers do not wait for each other; one at a time fetches.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    timing: Timing,
    held: ArcSwapOption<Held<T>>,
    attempts: Mutex<Attempts>,
}

#[derive(Debug)]
pub(crate) struct Held<T> {
    pub(crate) document: T,
    since: Instant,
}

#[derive(Debug, Default)]
struct Attempts {
    failed: Option<(Instant, OidcError)>,
    for_unknown: Option<Instant>,
}

impl<T> Cached<T> {
    pub(crate) fn new(timing: Timing) -> Self {
        Self { timing, held: ArcSwapOption::empty(), attempts: Mutex::default() }
    }

    /// The document; `fetch` is awaited when there is none or it is old.
    pub(crate) async fn get(
        &self,
        fetch: impl Future<Output = Result<T, OidcError>>,
    ) -> Result<Arc<Held<T>>, OidcError> {
        let held = self.held.load_full();
        let mut attempts = match held {
            Some(held) if held.since.elapsed() < self.timing.refresh => return Ok(held),
            // What is old can be used while another task fetches: a slow provider stops nobody.
            Some(held) if held.since.elapsed() < self.timing.stale => match self.attempts.try_lock() {
                Ok(attempts) => attempts,
                Err(_) => return Ok(held),
            },
            _ => self.attempts.lock().await,
        };
        let usable = self.held.load_full().filter(|held| held.since.elapsed() < self.timing.stale);
        if let Some(held) = usable.as_ref().filter(|held| held.since.elapsed() < self.timing.refresh) {
            return Ok(Arc::clone(held));
        }
        match (self.fetch(&mut attempts, fetch).await, usable) {
            (Err(error), Some(held)) => {
                tracing::warn!(%error, "a document of an identity provider cannot be refreshed; the one from before is used");
                Ok(held)
            }
            (fetched, _) => fetched,
        }
    }

    /// Another document than `seen`, in which something was not found; `seen` itself when the time for another fetch
    /// has not come.
    pub(crate) async fn instead_of(
        &self,
        seen: &Arc<Held<T>>,
        fetch: impl Future<Output = Result<T, OidcError>>,
    ) -> Result<Arc<Held<T>>, OidcError> {
        let mut attempts = self.attempts.lock().await;
        // Somebody who waited for the same has it by now.
        if let Some(newer) = self.held.load_full().filter(|held| held.since > seen.since) {
            return Ok(newer);
        }
        if attempts.for_unknown.is_some_and(|last| last.elapsed() < self.timing.unknown_key_pause) {
            return Ok(Arc::clone(seen));
        }
        attempts.for_unknown = Some(Instant::now());
        self.fetch(&mut attempts, fetch).await
    }

    async fn fetch(
        &self,
        attempts: &mut MutexGuard<'_, Attempts>,
        fetch: impl Future<Output = Result<T, OidcError>>,
    ) -> Result<Arc<Held<T>>, OidcError> {
        if let Some((last, error)) = &attempts.failed
            && last.elapsed() < self.timing.failure_pause
        {
            return Err(error.clone());
        }
        match fetch.await {
            Ok(document) => {
                let held = Arc::new(Held { document, since: Instant::now() });
                self.held.store(Some(Arc::clone(&held)));
                attempts.failed = None;
                Ok(held)
            }
            Err(error) => {
                attempts.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }
}
