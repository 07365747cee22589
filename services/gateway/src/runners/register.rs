//! How a runner registers: with a runner key, and a key pair that it has made itself.

use std::collections::BTreeMap;

use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpRequest, HttpResponse, web};
use chancery_domain::decision::Refusal;
use chancery_domain::events::runners::RunnerRefused;
use chancery_domain::runners::{RegisterRunner, RunnerKeyRecord, RunnerRecord};
use chancery_domain::{Actor, ActorKind, Outcome, Timestamp};
use chancery_evidence::Sealed;
use chancery_signatures::{possession, verifies};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use super::keys;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// A runner that introduces itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterRequest {
    /// What it is called.
    name: String,
    /// The public half of its key pair: 32 bytes of Ed25519 in base64.
    public_key: String,
    /// Signature with the private half, in base64, of `chancery runner <runner key id> has the key pair <public key>`.
    proof: String,
    /// Where it runs.
    hostname: Option<String>,
    /// Its version.
    version: Option<String>,
}

/// A runner, as it gets to know itself.
#[derive(Debug, Serialize)]
struct Registered {
    id: String,
    name: String,
    organization: String,
    owner_id: Option<String>,
    tags: BTreeMap<String, String>,
    expires_at: Option<Timestamp>,
}

/// Registers a runner. The runner key is in the header: `Authorization: Bearer chr_…`. A runner that did not hear the answer
/// asks again with the same key pair, and is the same.
#[utoipa::path(post, path = "/api/v1/runners/register", tag = "runners", request_body = RegisterRequest,
    responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn register(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    http: HttpRequest,
    request: web::Json<RegisterRequest>,
) -> Result<HttpResponse, ApiError> {
    let presented = http.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let presented = presented.strip_prefix("Bearer ").unwrap_or_default().trim();
    let registered = try_register(&gateway, &caller, presented, request.into_inner()).await;
    if let Err(error @ (ApiError::Unauthenticated(_) | ApiError::Forbidden(_))) = &registered {
        record(&gateway, &caller, presented, &http, error.to_string()).await;
    }
    let runner = registered?;
    Ok(HttpResponse::Created().json(Registered {
        id: runner.id,
        name: runner.name,
        organization: runner.organization,
        owner_id: runner.owner_id,
        tags: runner.tags,
        expires_at: runner.expires_at,
    }))
}

async fn try_register(
    gateway: &Gateway,
    caller: &Caller,
    presented: &str,
    request: RegisterRequest,
) -> Result<RunnerRecord, ApiError> {
    let RegisterRequest { name, public_key, proof, hostname, version } = request;
    let key = working(gateway, presented).await?;
    prove(&key.id, &public_key, &proof)?;
    let id = uuid::Uuid::now_v7().to_string();
    let actor = Actor { id: id.clone(), kind: ActorKind::Runner, name: Some(name.clone()), ..caller.actor.clone() };
    let caller = Caller { actor, ..caller.clone() };
    let command = RegisterRunner { id, name, public_key: public_key.clone(), hostname, version };
    gateway
        .decisions
        .decide(&[keys::key(&key.id), pair_key(&public_key)], async || {
            let key = gateway.state.runner_key(&key.id).await?.ok_or(Refusal::Unknown("runner key"))?;
            let present = gateway.state.runner_of_public_key(&public_key).await?;
            let events = command.clone().decide(&key, present.as_ref(), gateway.context(&caller))?;
            Ok::<_, ApiError>((events, ()))
        })
        .await?;
    let made = gateway.state.runner_of_public_key(&public_key).await?;
    made.ok_or_else(|| ApiError::Internal("a new runner is not there".to_owned()))
}

/// The runner key that was presented, if it is one.
async fn working(gateway: &Gateway, presented: &str) -> Result<RunnerKeyRecord, ApiError> {
    let invalid =
        || ApiError::Unauthenticated("the runner key is not valid; send `Authorization: Bearer chr_…`".to_owned());
    let (id, secret) = presented.strip_prefix("chr_").and_then(|rest| rest.split_once('_')).ok_or_else(invalid)?;
    let key = gateway.state.runner_key(id).await?.ok_or_else(invalid)?;
    let digest = format!("{:x}", Sha256::digest(secret.as_bytes()));
    if bool::from(digest.as_bytes().ct_eq(key.secret_sha256.as_bytes())) { Ok(key) } else { Err(invalid()) }
}

/// Whoever names a public key has the private one.
pub(super) fn prove(of: &str, public_key: &str, proof: &str) -> Result<(), ApiError> {
    if verifies(public_key, &possession(of, public_key), proof) {
        return Ok(());
    }
    Err(ApiError::bad_request("`proof` is not a signature with the private half of `public_key`"))
}

/// The key of decisions about a key pair: one runner has it.
pub(super) fn pair_key(public_key: &str) -> String {
    format!("runner-pair/{public_key}")
}

/// Puts on record that nobody was registered.
async fn record(gateway: &Gateway, caller: &Caller, presented: &str, http: &HttpRequest, reason: String) {
    metrics::counter!("chancery_refusals_total").increment(1);
    if !gateway.refusals.admit() {
        return;
    }
    let id = presented.strip_prefix("chr_").and_then(|rest| rest.split_once('_')).map_or("", |(id, _)| id);
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    let key = gateway.state.runner_key(&id).await.ok().flatten();
    let unknown = || chancery_domain::Resource::new("runner-key", if id.is_empty() { "unknown" } else { &id });
    let resource = key.as_ref().map_or_else(unknown, RunnerKeyRecord::resource);
    let mut event = gateway.event("runner.refused", caller, resource);
    event.organization = key.map(|key| key.organization);
    event.outcome = Outcome::Denied;
    event.reason = Some(reason);
    event.data = json!(RunnerRefused { method: http.method().to_string(), path: http.path().to_owned() });
    if let Ok(sealed) = Sealed::new(&event)
        && let Err(error) = gateway.log.append(vec![sealed]).await
    {
        tracing::warn!(%error, "a refusal could not be put on record");
    }
}
