//! Sessions: tokens that stand for a person, in a cookie or on the command line. They end with a sign-out.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse, web};
use chancery_domain::decision::Refusal;
use chancery_domain::events::identity::LoginSucceeded;
use chancery_domain::events::tokens::{OwnerKind, TokenKind, TokenOwner};
use chancery_domain::tokens::{CreateToken, Scope, TokenRefusal};
use chancery_domain::{Event, Resource, Timestamp};
use serde_json::{Value, json};

use super::account::Person;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::{Caller, SESSION_COOKIE};
use crate::tokens::{NewToken, new_token};

/// How it is put on record that people sign in here.
pub(super) const METHOD: &str = "oidc";

/// How long a session lasts, in seconds.
const LIFETIME: i64 = 12 * 60 * 60;

/// A session that begins.
pub(super) struct Session {
    token: NewToken,
    expires_at: Timestamp,
    target: &'static str,
}

impl Session {
    /// A session in a browser.
    pub(super) fn in_browser(gateway: &Gateway) -> Self {
        Self::new(gateway, new_token(), "browser")
    }

    /// A session on a device.
    pub(super) fn on_device(gateway: &Gateway) -> Self {
        Self::new(gateway, new_token(), "device")
    }

    /// A session on the command line, with an id that was drawn before.
    pub(super) fn on_command_line(gateway: &Gateway, id: String) -> Self {
        let drawn = new_token();
        let text = drawn.text.replacen(&drawn.id, &id, 1);
        Self::new(gateway, NewToken { id, text, ..drawn }, "command line")
    }

    fn new(gateway: &Gateway, token: NewToken, target: &'static str) -> Self {
        Self { token, expires_at: gateway.now().saturating_add_micros(LIFETIME * 1_000_000), target }
    }

    /// What a decision about it depends on.
    pub(super) fn key(&self) -> String {
        format!("token/{}", self.token.id)
    }

    /// That a person signs in, and gets it.
    pub(super) fn begin(
        &self,
        gateway: &Gateway,
        caller: &Caller,
        provider: &str,
        person: &Person,
    ) -> Result<Vec<Event>, Refusal> {
        let mut actor = person.actor(&caller.actor);
        actor.session = Some(self.token.id.clone());
        let caller = Caller { actor, ..caller.clone() };
        let mut signed_in = gateway.event("user.login.succeeded", &caller, person.resource());
        signed_in.organization.clone_from(&person.organization);
        signed_in.data = json!(LoginSucceeded { method: METHOD.to_owned(), target: Some(self.target.to_owned()) });
        signed_in.data["provider"] = provider.into();
        let command = CreateToken {
            id: self.token.id.clone(),
            name: format!("session, {}", self.target),
            secret_sha256: self.token.secret_sha256.clone(),
            // A session has all permissions of its owner. It is no administrator's token, whatever the owner may do.
            scopes: [Scope::Read].into(),
            expires_at: Some(self.expires_at),
            kind: TokenKind::Session,
            owner: Some(TokenOwner {
                id: person.id.clone(),
                kind: OwnerKind::User,
                name: Some(person.username.clone()),
            }),
        };
        let created = command.decide(gateway.context(&caller))?.into_iter();
        let cause = Some(signed_in.id.clone());
        let mut events = vec![signed_in];
        events.extend(created.map(|event| Event { causation: cause.clone(), ..event }));
        Ok(events)
    }

    /// The session and whose it is, for those who keep it themselves.
    pub(super) fn shown(&self, person: &Person) -> Value {
        json!({ "token": self.token.text, "expires_at": self.expires_at, "user": person })
    }

    /// The cookie that carries it.
    pub(super) fn cookie(&self, is_secure: bool) -> Cookie<'static> {
        cookie(self.token.text.clone(), LIFETIME, is_secure)
    }
}

/// Out of reach of scripts. It comes along only from pages of this service: the first page after a sign-in is reached
/// from another site, and gets it with its own requests.
fn cookie(value: String, seconds: i64, is_secure: bool) -> Cookie<'static> {
    Cookie::build(SESSION_COOKIE, value)
        .path("/")
        .http_only(true)
        .secure(is_secure)
        .same_site(SameSite::Strict)
        .max_age(Duration::seconds(seconds))
        .finish()
}

/// Ends the session that the request came with. It does not work any more when this answers.
#[utoipa::path(post, path = "/api/v1/sign-out", tag = "sign-in", responses((status = 204), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn sign_out(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let session = caller.token.as_ref().filter(|token| token.kind == TokenKind::Session);
    let owner = session.and_then(|session| session.owner.as_ref());
    let (Some(session), Some(owner)) = (session, owner) else {
        return Err(ApiError::Forbidden("only a session can be signed out of".to_owned()));
    };
    gateway
        .decisions
        .decide(&[format!("token/{}", session.id)], async || {
            let tokens = gateway.state.tokens_of(OwnerKind::User, &owner.id).await?;
            let stored = tokens.into_iter().find(|token| token.id == session.id);
            let stored = stored.ok_or(Refusal::Token(TokenRefusal::Unknown))?;
            let name = owner.name.clone().unwrap_or_default();
            let person = Resource::new("user", &owner.id).named(&name).owned_by(&name);
            let mut signed_out = gateway.event("user.logout", &caller, person);
            signed_out.organization = gateway.state.user(&owner.id).await?.and_then(|user| user.organization);
            let cause = Some(signed_out.id.clone());
            let revoked = stored.revoke(gateway.context(&caller))?.into_iter();
            let mut events = vec![signed_out];
            events.extend(revoked.map(|event| Event { causation: cause.clone(), ..event }));
            Ok::<_, ApiError>((events, ()))
        })
        .await?;
    gateway.decisions.disbelieved().await;
    let is_secure = gateway.address(&request).starts_with("https:");
    Ok(HttpResponse::NoContent().cookie(cookie(String::new(), 0, is_secure)).finish())
}
