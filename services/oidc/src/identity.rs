//! Who signed in, as the provider says.

use std::fmt;

use serde_json::{Map, Value};

use crate::claims::{find, require, text, texts};
use crate::error::OidcError;
use crate::provider::{LinkBy, Provider};

/// Somebody who signed in at a provider. Everything in it was signed by the provider or came from it directly.
#[derive(Clone, PartialEq)]
pub struct Identity {
    /// The provider's name.
    pub provider: String,
    /// The issuer.
    pub issuer: String,
    /// The issuer's name for this person, which it gives to nobody else.
    pub subject: String,
    /// The user name.
    pub username: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the provider has made sure that the address is this person's.
    pub email_verified: bool,
    /// The name that is shown.
    pub display_name: Option<String>,
    /// The groups.
    pub groups: Vec<String>,
    /// The provider has more groups than it puts into a token, and did not give them elsewhere: `groups` is not the
    /// whole truth (Entra ID does so above 200 groups).
    pub groups_withheld: bool,
    /// The roles.
    pub roles: Vec<String>,
    /// When the person gave their credentials, in seconds since 1970.
    pub auth_time: Option<i64>,
    /// How, such as `pwd`, `mfa` (RFC 8176).
    pub amr: Vec<String>,
    /// The authentication context class.
    pub acr: Option<String>,
    /// The session at the provider (`sid`).
    pub session: Option<String>,
    /// All claims, of the ID token and of `UserInfo`.
    pub claims: Map<String, Value>,
}

/// What to find an existing account by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// The issuer's own name for the person.
    Subject {
        /// The issuer.
        issuer: String,
        /// Its `sub`.
        subject: String,
    },
    /// A verified e-mail address, in lower case.
    Email(String),
    /// A user name.
    Username(String),
}

impl Identity {
    /// Reads claims and turns away who must not sign in.
    pub(crate) fn new(provider: &Provider, claims: Map<String, Value>) -> Result<Self, OidcError> {
        require(&claims, &provider.required_claims)?;
        let names = &provider.claims;
        let email = text(&claims, &names.email);
        let identity = Self {
            provider: provider.name.clone(),
            issuer: provider.issuer.clone(),
            subject: text(&claims, "sub").ok_or_else(|| OidcError::token("`sub` is missing"))?,
            username: text(&claims, &names.username),
            email_verified: email.is_some() && is_verified(provider, &claims),
            email,
            display_name: text(&claims, &names.display_name),
            groups: texts(&claims, &names.groups),
            groups_withheld: is_withheld(&claims, &names.groups),
            roles: texts(&claims, &names.roles),
            auth_time: claims.get("auth_time").and_then(Value::as_i64),
            amr: texts(&claims, "amr"),
            acr: text(&claims, "acr"),
            session: text(&claims, "sid"),
            claims,
        };
        identity.check_domain(&provider.email_domains)?;
        Ok(identity)
    }

    /// What an existing account is found by, as the provider is set up.
    pub fn link(&self, provider: &Provider) -> Result<Link, OidcError> {
        let missing = |what: &str| OidcError::NotAllowed(format!("accounts are found by {what}, and there is none"));
        match provider.link_by {
            LinkBy::Subject => Ok(Link::Subject { issuer: self.issuer.clone(), subject: self.subject.clone() }),
            LinkBy::Email => match &self.email {
                Some(email) if self.email_verified => Ok(Link::Email(email.to_lowercase())),
                _ => Err(missing("a verified e-mail address")),
            },
            LinkBy::PreferredUsername => self.username.clone().map(Link::Username).ok_or_else(|| missing("user name")),
        }
    }

    fn check_domain(&self, domains: &[String]) -> Result<(), OidcError> {
        if domains.is_empty() {
            return Ok(());
        }
        let Some(email) = self.email.as_deref().filter(|_| self.email_verified) else {
            return Err(OidcError::NotAllowed("there is no verified e-mail address".to_owned()));
        };
        let domain = email.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
        if domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain)) {
            return Ok(());
        }
        Err(OidcError::NotAllowed("the e-mail address is of another domain".to_owned()))
    }
}

/// Claims may be personal: they are for the application, not for its log.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("provider", &self.provider)
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// `email_verified` speaks of the claim `email` and of no other. Some providers write it as a text.
fn is_verified(provider: &Provider, claims: &Map<String, Value>) -> bool {
    let said = match claims.get("email_verified") {
        Some(Value::Bool(verified)) => *verified,
        Some(Value::String(text)) => text == "true",
        _ => false,
    };
    provider.trust_email || (said && provider.claims.email == "email")
}

/// Whether a claim is said to be somewhere else (`OpenID` Connect Core 1.0 §5.6.2).
fn is_withheld(claims: &Map<String, Value>, name: &str) -> bool {
    let elsewhere = claims.get("_claim_names").and_then(Value::as_object);
    let marked = claims.get("hasgroups").and_then(Value::as_bool).unwrap_or_default();
    find(claims, name).is_none() && (marked || elsewhere.is_some_and(|names| names.contains_key(name)))
}
