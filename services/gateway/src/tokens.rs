//! API tokens: created, listed, revoked; and the one-time set-up.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web};
use chancery_domain::Timestamp;
use chancery_domain::directory::UserStatus;
use chancery_domain::events::tokens::{OwnerKind, TokenKind, TokenOwner};
use chancery_domain::tokens::{CreateToken, RotateToken, Scope, Token};
use chancery_policy::Permission;
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
    /// The user it acts for, with that user's roles, as far as its scopes let it. One's own unless said otherwise.
    owner: Option<OwnerRequest>,
}

/// Whose a token is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OwnerRequest {
    /// `user`.
    kind: String,
    /// The user's id.
    id: String,
}

/// A successor to be made for a token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateRequest {
    /// How long the old one goes on working, seconds; an hour without.
    overlap_seconds: Option<u32>,
    /// When the new one stops working, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A token as it may be shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    id: String,
    name: String,
    kind: &'static str,
    scopes: Vec<&'static str>,
    #[schema(value_type = Option<Object>)]
    owner: Option<TokenOwner>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// Give or take ten minutes.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// Its successor.
    replaced_by: Option<String>,
    /// The token itself, only in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl TokenView {
    fn of(token: Token) -> Self {
        Self {
            id: token.id,
            name: token.name,
            kind: token.kind.as_str(),
            scopes: token.scopes.into_iter().map(Scope::as_str).collect(),
            owner: token.owner,
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            last_used_at: token.last_used_at,
            replaced_by: token.replaced_by,
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

/// Tokens, without their secrets: everyone's where one may see those, else one's own.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", responses((status = 200, body = Vec<TokenView>), (status = 401), (status = 403)))]
pub(crate) async fn list(gateway: web::Data<Gateway>, caller: web::ReqData<Caller>) -> Result<HttpResponse, ApiError> {
    let tokens = match caller.user_id() {
        Some(user) if !caller.may(Permission::TokensRead) => gateway.state.tokens_of(OwnerKind::User, user).await?,
        _ if caller.may(Permission::TokensRead) => gateway.state.tokens().await?,
        _ => return Err(ApiError::Forbidden(format!("nothing permits you `{}`", Permission::TokensRead))),
    };
    Ok(HttpResponse::Ok().json(tokens.into_iter().map(TokenView::of).collect::<Vec<_>>()))
}

/// Makes a token and shows it, once.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenRequest,
    responses((status = 201, body = TokenView), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn create(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<TokenRequest>,
) -> Result<HttpResponse, ApiError> {
    let request = request.into_inner();
    let scopes = scopes(&request.scopes)?;
    let owner = match (&request.owner, caller.user_id()) {
        (Some(owner), own) if owner.kind == "user" => {
            if own != Some(owner.id.as_str()) && !caller.may(Permission::TokensWrite) {
                return Err(ApiError::Forbidden("you may make tokens for yourself alone".to_owned()));
            }
            Some(owner.id.clone())
        }
        (Some(_), _) => {
            return Err(ApiError::bad_request("`owner.kind` is `user`; connections get tokens of their own"));
        }
        (None, own) => own.map(str::to_owned),
    };
    let owner = match owner {
        Some(id) => {
            let user = gateway.state.user(&id).await?.filter(|user| user.status == UserStatus::Active);
            let user = user.ok_or_else(|| ApiError::NotFound("there is no such active user".to_owned()))?;
            Some(TokenOwner { id, kind: OwnerKind::User, name: Some(user.username) })
        }
        None => None,
    };
    let order = Order { name: request.name, scopes, expires_at: request.expires_at, kind: TokenKind::Api, owner };
    caller.covers(&order.scopes)?;
    make(&gateway, &caller, order).await
}

/// Makes a successor for a token and shows it, once. The old one works until the overlap is over.
#[utoipa::path(post, path = "/api/v1/tokens/{id}/rotate", tag = "tokens", params(("id" = String, Path, description = "Token id")),
    request_body = RotateRequest,
    responses((status = 201, body = TokenView), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn rotate(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<RotateRequest>,
) -> Result<HttpResponse, ApiError> {
    let old = owned(&gateway, &caller, &id).await?;
    caller.covers(&old.scopes)?;
    let drawn = new_token();
    let command = RotateToken {
        id: drawn.id.clone(),
        secret_sha256: drawn.secret_sha256.clone(),
        expires_at: request.expires_at,
        overlap: i64::from(request.overlap_seconds.unwrap_or(3600)) * 1_000_000,
    };
    gateway.decisions.rotate_token(&id, command, gateway.context(&caller)).await?;
    shown(&gateway, drawn).await
}

/// Withdraws a token. It does not work any more when this answers.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path, description = "Token id")),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn revoke(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    owned(&gateway, &caller, &id).await?;
    gateway.decisions.revoke_token(&id, gateway.context(&caller)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A token that the caller may rotate or withdraw: one's own, or anyone's where one may.
async fn owned(gateway: &Gateway, caller: &Caller, id: &str) -> Result<Token, ApiError> {
    let token = gateway.state.token(id).await?;
    let own = |token: &Token| {
        let owner = token.owner.as_ref().filter(|owner| owner.kind == OwnerKind::User);
        owner.is_some_and(|owner| caller.user_id() == Some(owner.id.as_str()))
    };
    let token = token.filter(|token| caller.may(Permission::TokensWrite) || own(token));
    token.ok_or_else(|| ApiError::NotFound("there is no such token".to_owned()))
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
    let order = Order {
        name: "set-up".to_owned(),
        scopes: BTreeSet::from([Scope::Admin]),
        expires_at: None,
        kind: TokenKind::Api,
        owner: None,
    };
    let made = make(&gateway, &caller, order).await;
    if made.is_err() {
        *gateway.setup.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(hash);
    }
    made
}

/// A token that was asked for.
pub(crate) struct Order {
    pub(crate) name: String,
    pub(crate) scopes: BTreeSet<Scope>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) kind: TokenKind,
    pub(crate) owner: Option<TokenOwner>,
}

/// Makes a token and shows it.
pub(crate) async fn make(gateway: &Gateway, caller: &Caller, order: Order) -> Result<HttpResponse, ApiError> {
    let drawn = new_token();
    let Order { name, scopes, expires_at, kind, owner } = order;
    let (id, secret_sha256) = (drawn.id.clone(), drawn.secret_sha256.clone());
    let command = CreateToken { id, name, secret_sha256, scopes, expires_at, kind, owner };
    gateway.decisions.create_token(command, gateway.context(caller)).await?;
    shown(gateway, drawn).await
}

async fn shown(gateway: &Gateway, drawn: NewToken) -> Result<HttpResponse, ApiError> {
    let token = gateway.state.token(&drawn.id).await?;
    let token = token.ok_or_else(|| ApiError::Internal("a new token is not there".to_owned()))?;
    Ok(HttpResponse::Created().json(TokenView { token: Some(drawn.text), ..TokenView::of(token) }))
}

fn scopes(names: &[String]) -> Result<BTreeSet<Scope>, ApiError> {
    names
        .iter()
        .map(|name| {
            Scope::from_name(name)
                .filter(|scope| *scope != Scope::Scim)
                .ok_or_else(|| ApiError::bad_request(format!("`{name}` is no scope; there are ingest, read and admin")))
        })
        .collect()
}
