//! The keys that tickets and certificates are signed with. Each follows from the deployment's secret and the key's id: the
//! log holds public keys alone, nodes that know the secret need nothing else, and a state that is rebuilt has lost none.

use actix_web::{HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_domain::decision::{self, EventIds};
use chancery_domain::events::sessions::KeyPurpose;
use chancery_domain::session_keys::{ReplaceKey, SigningKey};
use chancery_domain::{Actor, ActorKind, OWN_SOURCE};
use chancery_ssh::{Authority, PublicKey, Seed, SshError};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Decisions about keys are taken one after the other.
const KEY: &str = "session-keys";
/// Seconds that certificates are believed whose key was replaced because the secret is another.
const OVERLAP: u64 = 86_400;

/// A key that signs, with what it follows from.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) key: SigningKey,
    pub(crate) seed: Seed,
}

impl Signer {
    /// It as an authority for certificates.
    pub(crate) fn authority(&self) -> Result<Authority, ApiError> {
        Ok(Authority::new(&self.seed)?)
    }
}

/// How keys are replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotationRequest {
    /// What the keys sign: `ticket`, `ssh_user` or `ssh_host`; all of it without.
    purpose: Option<String>,
    /// Seconds that the new key is known before it signs: hosts must have fetched it by then. An hour without.
    #[serde(default = "hour")]
    lead_seconds: u64,
    /// Seconds that what the old key signed is believed after that. A day without.
    #[serde(default = "day")]
    overlap_seconds: u64,
}

const fn hour() -> u64 {
    3600
}

const fn day() -> u64 {
    86_400
}

impl Gateway {
    /// The key that signs now; made if there is none.
    pub(crate) async fn signer(&self, purpose: KeyPurpose) -> Result<Signer, ApiError> {
        if let Some(signer) = self.present_signer(purpose).await? {
            return Ok(signer);
        }
        self.decisions
            .decide(&[KEY.to_owned()], async || {
                if self.present_signer(purpose).await?.is_some() {
                    return Ok((Vec::new(), ()));
                }
                let keys = self.state.signing_keys().await?;
                let command = self.new_key(purpose, 0, OVERLAP)?;
                Ok::<_, ApiError>((command.decide(&keys, self.own_context())?, ()))
            })
            .await?;
        let made = self.present_signer(purpose).await?;
        made.ok_or_else(|| ApiError::Internal("a new key cannot sign".to_owned()))
    }

    /// The newest key that may sign and that this node can make.
    async fn present_signer(&self, purpose: KeyPurpose) -> Result<Option<Signer>, ApiError> {
        let now = self.now();
        let keys = self.state.signing_keys().await?;
        for key in keys.into_iter().rev().filter(|key| key.purpose == purpose && key.may_sign_at(now)) {
            let seed = self.seed(&key.id)?;
            if Authority::new(&seed)?.public_key()? == key.public_key {
                return Ok(Some(Signer { key, seed }));
            }
        }
        Ok(None)
    }

    fn new_key(&self, purpose: KeyPurpose, lead: u64, overlap: u64) -> Result<ReplaceKey, ApiError> {
        let id = uuid::Uuid::now_v7().to_string();
        let public_key = Authority::new(&self.seed(&id)?)?.public_key()?;
        Ok(ReplaceKey { id, purpose, public_key, lead, overlap })
    }

    fn seed(&self, id: &str) -> Result<Seed, ApiError> {
        let missing =
            || ApiError::Unavailable("sessions need the setting `sessions.key`, the same on all nodes".to_owned());
        let secret = self.settings.sessions.secret.as_deref().ok_or_else(missing)?;
        Seed::derive(secret, id).ok_or_else(missing)
    }

    /// The keys whose signatures are believed; one is made if there is none.
    pub(crate) async fn trusted_keys(&self, purpose: KeyPurpose) -> Result<Vec<SigningKey>, ApiError> {
        self.signer(purpose).await?;
        let now = self.now();
        let keys = self.state.signing_keys().await?.into_iter();
        Ok(keys.filter(|key| key.purpose == purpose && key.is_trusted_at(now)).collect())
    }

    /// What a decision of Chancery's own may know.
    pub(crate) fn own_context(&self) -> decision::Context {
        decision::Context {
            now: self.now(),
            ids: EventIds::starting_with(uuid::Uuid::now_v7()),
            source: OWN_SOURCE.to_owned(),
            actor: Actor { id: "chancery".to_owned(), kind: ActorKind::System, ..Actor::default() },
            correlation: None,
            policies: Vec::new(),
        }
    }
}

/// The keys that tickets are signed with (RFC 7517, RFC 8037): whoever has them verifies tickets without asking.
#[utoipa::path(get, path = "/api/v1/sessions/keys", tag = "sessions", responses((status = 200), (status = 503)))]
pub(crate) async fn key_set(gateway: web::Data<Gateway>) -> Result<HttpResponse, ApiError> {
    let keys = gateway.trusted_keys(KeyPurpose::Ticket).await?;
    let keys: Vec<_> = keys
        .iter()
        .filter_map(|key| {
            let x = URL_SAFE_NO_PAD.encode(PublicKey::read(&key.public_key).ok()?.ed25519()?);
            Some(json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": key.id, "x": x }))
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "keys": keys })))
}

/// Puts new keys in the place of those that sign. The old ones are believed for a while.
#[utoipa::path(post, path = "/api/v1/sessions/keys/rotate", tag = "sessions", request_body = RotationRequest,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 503)))]
pub(crate) async fn rotate(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<RotationRequest>,
) -> Result<HttpResponse, ApiError> {
    let RotationRequest { purpose, lead_seconds, overlap_seconds } = request.into_inner();
    let purposes = match purpose {
        None => KeyPurpose::ALL.to_vec(),
        Some(name) => vec![
            KeyPurpose::from_name(&name)
                .ok_or_else(|| ApiError::bad_request("`purpose` must be one of ticket, ssh_user, ssh_host"))?,
        ],
    };
    for purpose in &purposes {
        let command = gateway.new_key(*purpose, lead_seconds, overlap_seconds)?;
        gateway
            .decisions
            .decide(&[KEY.to_owned()], async || {
                let keys = gateway.state.signing_keys().await?;
                Ok::<_, ApiError>((command.clone().decide(&keys, gateway.context(&caller))?, ()))
            })
            .await?;
    }
    let keys = gateway.state.signing_keys().await?.into_iter().filter(|key| purposes.contains(&key.purpose));
    let keys: Vec<_> = keys
        .map(|key| {
            json!({
                "id": key.id, "purpose": key.purpose, "public_key": key.public_key, "created_at": key.created_at,
                "signs_from": key.signs_from, "trusted_until": key.trusted_until,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "items": keys })))
}

impl From<SshError> for ApiError {
    fn from(error: SshError) -> Self {
        Self::bad_request(error.to_string())
    }
}
