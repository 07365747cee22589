//! Requests that runners sign: whose they are, that they are fresh, and that their bodies are the ones that were signed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpMessage, HttpRequest};
use bytes::BytesMut;
use chancery_domain::Timestamp;
use chancery_domain::runners::RunnerRecord;
use chancery_signatures::{CONTENT_DIGEST, Claim, SIGNATURE, SIGNATURE_INPUT, digest};
use futures::StreamExt;

use crate::error::ApiError;
use crate::gateway::Gateway;

/// How far a runner's clock may be off, in seconds.
const SKEW: i64 = 300;
/// Most signatures that are remembered.
const MOST_NONCES: usize = 1_000_000;

/// Whether a request is signed, and has no other credentials.
pub(crate) fn is_signed(request: &HttpRequest) -> bool {
    request.headers().contains_key(SIGNATURE_INPUT) && !request.headers().contains_key(AUTHORIZATION)
}

/// What was refused, and the runner it was refused to, once it is known that the request is its own.
pub(crate) struct Stopped {
    pub(crate) error: ApiError,
    pub(crate) runner: Option<Arc<RunnerRecord>>,
}

/// Who signed a request, and the digest of the body that was signed.
pub(crate) async fn signer(gateway: &Gateway, request: &HttpRequest) -> Result<(Arc<RunnerRecord>, [u8; 32]), Stopped> {
    let unknown = |detail: String| Stopped { error: ApiError::Unauthenticated(detail), runner: None };
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let claim = Claim::read(header(CONTENT_DIGEST), header(SIGNATURE_INPUT), header(SIGNATURE))
        .map_err(|error| unknown(error.to_string()))?;
    let found =
        gateway.state.runner(&claim.key_id).await.map_err(|error| Stopped { error: error.into(), runner: None })?;
    let runner = found.ok_or_else(|| unknown("there is no such runner".to_owned()))?;
    let stopped = |error: ApiError| Stopped { error, runner: Some(runner.clone()) };
    claim
        .verify(
            &runner.public_key,
            request.method().as_str(),
            request.uri().path(),
            request.uri().query().unwrap_or_default(),
        )
        .map_err(|error| stopped(ApiError::Unauthenticated(error.to_string())))?;
    let now = gateway.now();
    if let Some(reason) = runner.refusal(now) {
        return Err(stopped(ApiError::Unauthenticated(reason.to_owned())));
    }
    let off = now.as_micros().div_euclid(1_000_000) - claim.created;
    if off.abs() > SKEW {
        let detail = format!(
            "the request was signed {} seconds {}: the clock of the runner is off, or someone sends an old request again; \
             it is {now} here",
            off.abs(),
            if off > 0 { "ago" } else { "ahead" },
        );
        return Err(stopped(ApiError::ClockSkew { detail, server_time: now }));
    }
    gateway.nonces.note(gateway, &claim, now).await.map_err(stopped)?;
    Ok((runner, claim.body_sha256))
}

/// Reads the body of a request, and sees that it is the one that was signed.
pub(crate) async fn check_body(
    gateway: &Gateway,
    request: &mut ServiceRequest,
    signed: [u8; 32],
) -> Result<(), ApiError> {
    let most = gateway.settings.max_body_bytes;
    let mut payload = request.take_payload();
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| ApiError::bad_request(error.to_string()))?;
        if body.len() + chunk.len() > most {
            return Err(ApiError::TooLarge(format!("a body has at most {most} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    if digest(&body) != signed {
        return Err(ApiError::Unauthenticated("the body is not the one that was signed".to_owned()));
    }
    let body = body.freeze();
    request.set_payload(Payload::Stream { payload: Box::pin(futures::stream::once(async { Ok(body) })) });
    Ok(())
}

/// What runners have signed with: nothing of it is taken twice.
///
/// A node alone keeps it in memory, and takes nothing that was signed before it started: it cannot know whether it has
/// taken that already. Nodes that share their tables keep it there.
#[derive(Debug)]
pub(crate) struct Nonces {
    since: Timestamp,
    seen: Mutex<HashMap<String, i64>>,
}

impl Nonces {
    pub(crate) fn since(since: Timestamp) -> Self {
        Self { since, seen: Mutex::default() }
    }

    async fn note(&self, gateway: &Gateway, claim: &Claim, now: Timestamp) -> Result<(), ApiError> {
        let again = || ApiError::Unauthenticated("the request was sent before: it is not taken again".to_owned());
        let id = format!("{}/{}", claim.key_id, claim.nonce);
        if gateway.state.is_shared() {
            let fresh = gateway.state.note_runner_nonce(&id, now).await?;
            return if fresh { Ok(()) } else { Err(again()) };
        }
        if claim.created <= self.since.as_micros().div_euclid(1_000_000) {
            let detail = "the request was signed before this server started; sign it again".to_owned();
            return Err(ApiError::Unavailable(detail));
        }
        let second = now.as_micros().div_euclid(1_000_000);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST_NONCES {
            seen.retain(|_, until| *until > second);
            if seen.len() >= MOST_NONCES {
                return Err(ApiError::Busy);
            }
        }
        match seen.insert(id, second + 2 * SKEW + 1) {
            None => Ok(()),
            Some(_) => Err(again()),
        }
    }

    /// Forgets what would be refused for its age.
    pub(crate) fn forget(&self, now: Timestamp) {
        let second = now.as_micros().div_euclid(1_000_000);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, until| *until > second);
    }
}

/// How long signatures are remembered, in microseconds.
pub(crate) const REMEMBERED: i64 = (2 * SKEW + 1) * 1_000_000;
