//! API tokens: created, listed, revoked; and the one-time set-up.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web};
use chancery_domain::tokens::{Context, CreateToken, Scope, Token};
use chancery_domain::{OWN_SOURCE, Timestamp};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// A token that was just drawn. Its text is shown once and stored nowhere.
#[derive(Clone)]
pub struct NewToken {
    /// Its id.
    pub id: String,
    /// `chy_<id>_<secret>`.
    pub text: String,
    /// Lower-case hex SHA-256 of its secret.
    pub secret_sha256: String,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Draws a token: 12 letters and digits of id, 256 bits of secret.
pub fn new_token() -> NewToken {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    let id: String = (0..12).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect();
    let secret: String = (0..52).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect();
    let secret_sha256 = format!("{:x}", Sha256::digest(secret.as_bytes()));
    NewToken { text: format!("chy_{id}_{secret}"), id, secret_sha256 }
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// What it is for.
    name: String,
    /// `ingest`, `read`, `admin`.
    scopes: Vec<String>,
    /// When it stops working, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A token as it may be shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    id: String,
    name: String,
    scopes: Vec<&'static str>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// The token itself, only in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl TokenView {
    fn of(token: Token) -> Self {
        Self {
            id: token.id,
            name: token.name,
            scopes: token.scopes.into_iter().map(Scope::as_str).collect(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            token: None,
        }
    }
}

/// The one-time set-up token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetupRequest {
    /// As printed by the server when it first started.
    setup_token: String,
}

/// Every token, without its secret.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", responses((status = 200, body = Vec<TokenView>), (status = 401), (status = 403)))]
pub(crate) async fn list(gateway: web::Data<Gateway>) -> Result<HttpResponse, ApiError> {
    let tokens = gateway.state.tokens().await?;
    Ok(HttpResponse::Ok().json(tokens.into_iter().map(TokenView::of).collect::<Vec<_>>()))
}

/// Makes a token and shows it, once.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenRequest,
    responses((status = 201, body = TokenView), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn create(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<TokenRequest>,
) -> Result<HttpResponse, ApiError> {
    let request = request.into_inner();
    let scopes = scopes(&request.scopes)?;
    make(&gateway, &caller, request.name, scopes, request.expires_at).await
}

/// Withdraws a token. It does not work any more when this answers.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path, description = "Token id")),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn revoke(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    gateway.decisions.revoke_token(&id, context(&gateway, &caller)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Trades the one-time set-up token for the first admin token.
#[utoipa::path(post, path = "/api/v1/setup", tag = "tokens", request_body = SetupRequest,
    responses((status = 201, body = TokenView), (status = 401), (status = 409)))]
pub(crate) async fn setup(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<SetupRequest>,
) -> Result<HttpResponse, ApiError> {
    // In a cluster every node has drawn a set-up token; the first that is used makes the others void.
    if gateway.decisions.has_admin(gateway.now()).await? {
        gateway.setup.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }
    let given = format!("{:x}", Sha256::digest(request.setup_token.as_bytes()));
    let taken = {
        let mut expected = gateway.setup.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let matches = expected.as_ref().is_some_and(|hash| bool::from(hash.as_bytes().ct_eq(given.as_bytes())));
        if matches { expected.take() } else { None }
    };
    let Some(hash) = taken else {
        return Err(ApiError::Unauthenticated("the set-up token is not valid or was used already".to_owned()));
    };
    let made = make(&gateway, &caller, "set-up".to_owned(), BTreeSet::from([Scope::Admin]), None).await;
    if made.is_err() {
        *gateway.setup.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(hash);
    }
    made
}

async fn make(
    gateway: &Gateway,
    caller: &Caller,
    name: String,
    scopes: BTreeSet<Scope>,
    expires_at: Option<Timestamp>,
) -> Result<HttpResponse, ApiError> {
    let drawn = new_token();
    let command = CreateToken { id: drawn.id.clone(), name, secret_sha256: drawn.secret_sha256, scopes, expires_at };
    gateway.decisions.create_token(command, context(gateway, caller)).await?;
    let token = gateway.state.token(&drawn.id).await?;
    let token = token.ok_or_else(|| ApiError::Internal("a new token is not there".to_owned()))?;
    Ok(HttpResponse::Created().json(TokenView { token: Some(drawn.text), ..TokenView::of(token) }))
}

fn scopes(names: &[String]) -> Result<BTreeSet<Scope>, ApiError> {
    names
        .iter()
        .map(|name| {
            Scope::from_name(name)
                .ok_or_else(|| ApiError::bad_request(format!("`{name}` is no scope; there are ingest, read and admin")))
        })
        .collect()
}

fn context(gateway: &Gateway, caller: &Caller) -> Context {
    Context {
        now: gateway.now(),
        event_id: uuid::Uuid::now_v7().to_string(),
        source: OWN_SOURCE.to_owned(),
        actor: caller.actor.clone(),
        correlation: Some(caller.request_id.clone()),
    }
}
