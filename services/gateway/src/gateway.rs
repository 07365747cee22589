//! What handlers share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chancery_domain::Timestamp;
use chancery_domain::tokens::USE_RECORDED_EVERY;
use chancery_lake::{Blobs, Lake};
use chancery_log::{Clock, Log};
use chancery_reports::Price;
use chancery_scim::Registry;
use chancery_state::{Decisions, State};
use ipnet::IpNet;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use crate::authorization::Authority;
use crate::building::StateSettings;
use crate::error::ApiError;
use crate::runners::RunnerSettings;
use crate::runners::attend::Beats;
use crate::runners::queue::Queue;
use crate::runners::signature::Nonces;
use crate::sessions::SessionSettings;
use crate::sign_in::SignIn;

/// Limits.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Most bytes of a request body, after decompression.
    pub max_body_bytes: usize,
    /// Most events of one batch.
    pub max_batch_events: usize,
    /// Longest a query may run.
    pub query_timeout: Duration,
    /// Most rows of a SQL answer.
    pub max_rows: usize,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether this node serves the API; it tells its health and metrics anyway.
    pub serves_api: bool,
    /// Most bytes of a SCIM request.
    pub max_scim_body_bytes: usize,
    /// Address that others call the service by, such as `https://chancery.example.com`; that of the request without.
    pub public_url: Option<String>,
    /// How sessions are allowed and kept.
    pub sessions: SessionSettings,
    /// How states of workspaces are kept.
    pub states: StateSettings,
    /// What a credit costs per day, for reports.
    pub price: Option<Price>,
    /// How runners and their jobs are waited for.
    pub runners: RunnerSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_body_bytes: 8 << 20,
            max_batch_events: 10_000,
            query_timeout: Duration::from_mins(1),
            max_rows: 10_000,
            trusted_proxies: Vec::new(),
            serves_api: true,
            max_scim_body_bytes: 16 << 20,
            public_url: None,
            sessions: SessionSettings::default(),
            states: StateSettings::default(),
            price: None,
            runners: RunnerSettings::default(),
        }
    }
}

/// Everything a request may need.
#[derive(Debug)]
pub struct Gateway {
    /// Where events go.
    pub log: Log,
    /// Current state.
    pub state: State,
    /// Decisions on it.
    pub decisions: Decisions,
    /// Where questions are asked.
    pub lake: Lake,
    /// Archives of template versions.
    pub blobs: Blobs,
    /// Limits.
    pub settings: Settings,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    /// Cancelled when the node is about to stop: it is not ready from then on, and still answers.
    pub draining: CancellationToken,
    /// Lower-case hex SHA-256 of the one-time set-up token, until it is used.
    pub setup: Mutex<Option<String>>,
    /// The schemas and resource types of SCIM.
    pub scim: Registry,
    /// Who people sign in with, and whose tokens machines bring.
    pub(crate) sign_in: SignIn,
    /// What requests are judged by.
    pub(crate) authority: Authority,
    /// When the use of each token was put on record.
    pub(crate) uses: Uses,
    /// Jobs that wait for a runner.
    pub(crate) queue: Queue,
    /// When runners and their jobs were heard of.
    pub(crate) beats: Beats,
    /// What runners have signed with.
    pub(crate) nonces: Nonces,
    /// Bounds how many refusals become events.
    pub(crate) refusals: Limiter,
    /// When it was last asked whether what this node needs answers, and what came out.
    checked: tokio::sync::Mutex<Option<(Instant, Result<(), String>)>>,
    clock: SharedClock,
}

struct SharedClock(Clock);

impl std::fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Gateway {
    /// A gateway over these parts.
    pub fn new(
        (log, state, lake, blobs): (Log, State, Lake, Blobs),
        scim: Registry,
        sign_in: SignIn,
        settings: Settings,
        metrics: PrometheusHandle,
        clock: Clock,
        setup: Option<String>,
    ) -> Arc<Self> {
        let decisions = Decisions::new(log.clone(), state.clone());
        let refusals = Limiter::new(20);
        Arc::new(Self {
            log,
            state,
            decisions,
            lake,
            blobs,
            settings,
            metrics,
            draining: CancellationToken::new(),
            setup: Mutex::new(setup),
            scim,
            sign_in,
            authority: Authority::default(),
            uses: Uses::default(),
            queue: Queue::default(),
            beats: Beats::default(),
            nonces: Nonces::since(clock()),
            refusals,
            checked: tokio::sync::Mutex::default(),
            clock: SharedClock(clock),
        })
    }

    /// Whether the services this node needs answer, asked at most once a second.
    pub(crate) async fn check(&self) -> Result<(), ApiError> {
        let mut last = self.checked.lock().await;
        if let Some((at, outcome)) = &*last
            && at.elapsed() < Duration::from_secs(1)
        {
            return outcome.clone().map_err(ApiError::Unavailable);
        }
        let check = async {
            match self.log.cluster() {
                Some(cluster) => {
                    // Others fold, too: how far is known from the database alone.
                    self.state.look().await.map_err(|error| error.to_string())?;
                    cluster.check().await.map_err(|error| error.to_string())
                }
                None => self.state.check().await.map_err(|error| error.to_string()),
            }
        };
        let patience = tokio::time::timeout(Duration::from_secs(2), check).await;
        let outcome = patience.unwrap_or_else(|_| Err("what this node needs does not answer".to_owned()));
        *last = Some((Instant::now(), outcome.clone()));
        outcome.map_err(ApiError::Unavailable)
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.clock.0)()
    }
}

/// Most tokens whose use is remembered.
const MOST_USES: usize = 100_000;

/// When the use of each token was last put on record by this node.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<HashMap<String, Timestamp>>);

impl Uses {
    /// Whether it is time to record that a token is used, and notes that it is done.
    pub(crate) fn is_due(&self, id: &str, last: Option<Timestamp>, now: Timestamp) -> bool {
        let recent = |at: Timestamp| now < at.saturating_add_micros(USE_RECORDED_EVERY);
        if last.is_some_and(recent) {
            return false;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(id).copied().is_some_and(recent) {
            return false;
        }
        if noted.len() >= MOST_USES {
            noted.retain(|_, at| recent(*at));
        }
        noted.insert(id.to_owned(), now);
        true
    }
}

/// Lets a number of things through per second.
#[derive(Debug)]
pub(crate) struct Limiter {
    per_second: u32,
    window: Mutex<(Instant, u32)>,
}

impl Limiter {
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second, window: Mutex::new((Instant::now(), 0)) }
    }

    /// Whether one more may pass now.
    pub(crate) fn admit(&self) -> bool {
        let mut window = self.window.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if window.0.elapsed() >= Duration::from_secs(1) {
            *window = (Instant::now(), 0);
        }
        window.1 += 1;
        window.1 <= self.per_second
    }
}
