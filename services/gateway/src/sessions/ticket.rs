//! Tickets: what a person brings to the agent of a workspace. A JWT (RFC 7519), signed with Ed25519.

use chancery_domain::events::sessions::KeyPurpose;
use chancery_domain::sessions::SessionGrant;
use chancery_ssh::PublicKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::keys::Signer;
use crate::error::ApiError;
use crate::gateway::Gateway;

/// What a ticket says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Who has signed.
    pub(crate) iss: String,
    /// For whom it is: `workspace/<id>`.
    pub(crate) aud: String,
    /// User id.
    pub(crate) sub: String,
    /// Session id.
    pub(crate) jti: String,
    /// Unix seconds from which it is good.
    pub(crate) iat: i64,
    /// Unix seconds at which it ends.
    pub(crate) exp: i64,
    /// Kind of session.
    pub(crate) kind: String,
    /// Login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Address it was asked for from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// Client software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
}

/// Whom a ticket to a workspace is for.
pub(crate) fn audience(workspace: &str) -> String {
    format!("workspace/{workspace}")
}

/// A ticket with these claims.
pub(crate) fn sign(signer: &Signer, claims: &Claims) -> Result<String, ApiError> {
    let header = Header { kid: Some(signer.key.id.clone()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&signer.seed.pkcs8()))
        .map_err(|error| ApiError::Internal(format!("a ticket cannot be signed: {error}")))
}

impl Gateway {
    /// Whether a ticket is the one that was given out for what was allowed, and still good.
    pub(crate) async fn check_ticket(&self, ticket: &str, grant: &SessionGrant) -> Result<(), ApiError> {
        let invalid = || ApiError::bad_request("the ticket is not valid for this session");
        let header = jsonwebtoken::decode_header(ticket).map_err(|_| invalid())?;
        let now = self.now();
        let keys = self.state.signing_keys().await?;
        let key = keys.iter().find(|key| {
            key.purpose == KeyPurpose::Ticket && Some(&key.id) == header.kid.as_ref() && key.is_trusted_at(now)
        });
        let public = key.and_then(|key| PublicKey::read(&key.public_key).ok()?.ed25519()).ok_or_else(invalid)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[audience(&grant.workspace_id)]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        // The clock is this server's, as for everything else.
        validation.validate_exp = false;
        let decoded = jsonwebtoken::decode::<Claims>(ticket, &DecodingKey::from_ed_der(&public), &validation);
        let claims = decoded.map_err(|_| invalid())?.claims;
        let good = claims.jti == grant.id && claims.exp > now.as_micros() / 1_000_000;
        if good { Ok(()) } else { Err(invalid()) }
    }
}
