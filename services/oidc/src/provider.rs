//! How one identity provider is set up.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::OidcError;
use crate::identity::Identity;
use crate::secret::Secret;

/// One `OpenID` provider that people sign in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// A short name that is unique among the providers; it is part of URLs.
    pub name: String,
    /// The issuer, exactly as the provider writes it in its discovery document, to the last slash.
    pub issuer: String,
    /// Who this application is at the provider.
    pub client_id: String,
    /// Its secret; a public client has none and relies on PKCE.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// What is asked for; `openid` is always asked for.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// Where the provider sends browsers back to; without, the caller of
    /// [`begin`](crate::RelyingParty::begin) says it.
    #[serde(default)]
    pub redirect_url: Option<Url>,
    /// More parameters of the authorization request, such as `prompt` or Google's `hd`.
    #[serde(default)]
    pub authorization_parameters: BTreeMap<String, String>,
    /// Which claims say what.
    #[serde(default)]
    pub claims: ClaimNames,
    /// Claims that somebody must have, each with one of these values, or with any when there are none: Google's `hd`,
    /// Entra's `tid`.
    #[serde(default)]
    pub required_claims: BTreeMap<String, Vec<String>>,
    /// Domains of e-mail addresses that may sign in; empty means all. With domains, an address must be verified.
    #[serde(default)]
    pub email_domains: Vec<String>,
    /// Take every address of this provider for verified. Only for a provider whose administrators alone can set
    /// addresses: with any other, somebody signs in as somebody else by changing an address.
    #[serde(default)]
    pub trust_email: bool,
    /// Ask the `UserInfo` endpoint for groups or roles that the ID token does not have.
    #[serde(default = "yes")]
    pub userinfo: bool,
    /// What an existing account is found by.
    #[serde(default)]
    pub link_by: LinkBy,
    /// Make an account for whoever signs in and has none.
    #[serde(default)]
    pub create_users: bool,
    /// The organization that is home to the accounts made so.
    #[serde(default)]
    pub organization: Option<String>,
    /// What a group of the provider gives here.
    #[serde(default)]
    pub groups: BTreeMap<String, Vec<Grant>>,
    /// What a role of the provider gives here.
    #[serde(default)]
    pub roles: BTreeMap<String, Vec<Grant>>,
}

/// The names of claims. A name is looked for as it is, then as a path: `realm_access.roles` is the member `roles` of
/// the claim `realm_access`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimNames {
    /// The user name.
    pub username: String,
    /// The e-mail address.
    pub email: String,
    /// The name that is shown.
    pub display_name: String,
    /// The groups.
    pub groups: String,
    /// The roles.
    pub roles: String,
}

/// What an account is found by when somebody signs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkBy {
    /// The issuer and its `sub`: never given to anybody else.
    #[default]
    Subject,
    /// The e-mail address, which must be verified.
    Email,
    /// The user name.
    PreferredUsername,
}

/// A role, in one organization or in the whole deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The role's name.
    pub role: String,
    /// The organization's name; none for the deployment.
    #[serde(default)]
    pub organization: Option<String>,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            username: "preferred_username".to_owned(),
            email: "email".to_owned(),
            display_name: "name".to_owned(),
            groups: "groups".to_owned(),
            roles: "roles".to_owned(),
        }
    }
}

impl Provider {
    /// A provider with nothing but what it must have.
    pub fn new(name: impl Into<String>, issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            issuer: issuer.into(),
            client_id: client_id.into(),
            client_secret: None,
            scopes: default_scopes(),
            redirect_url: None,
            authorization_parameters: BTreeMap::new(),
            claims: ClaimNames::default(),
            required_claims: BTreeMap::new(),
            email_domains: Vec::new(),
            trust_email: false,
            userinfo: true,
            link_by: LinkBy::default(),
            create_users: false,
            organization: None,
            groups: BTreeMap::new(),
            roles: BTreeMap::new(),
        }
    }

    /// What the groups and roles of somebody give here.
    pub fn grants(&self, identity: &Identity) -> BTreeSet<Grant> {
        let of_groups = identity.groups.iter().filter_map(|group| self.groups.get(group));
        let of_roles = identity.roles.iter().filter_map(|role| self.roles.get(role));
        of_groups.chain(of_roles).flatten().cloned().collect()
    }

    /// Whether the settings make sense; the provider itself is not asked.
    pub fn check(&self) -> Result<(), OidcError> {
        let wrong = |text: &str| Err(OidcError::Configuration(format!("the provider `{}`: {text}", self.name)));
        if self.name.is_empty() || !self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            return wrong("a name has letters, digits, `-`, `_` and `.` only");
        }
        if self.client_id.is_empty() {
            return wrong("there is no client id");
        }
        if self.client_secret.as_ref().is_some_and(|secret| secret.reveal().is_empty()) {
            return wrong("the client secret is empty");
        }
        if let Some(name) = self.authorization_parameters.keys().find(|name| RESERVED.contains(&name.as_str())) {
            return wrong(&format!("`{name}` is not for configuration to choose"));
        }
        crate::http::checked(&self.issuer).map(|_| ())
    }

    /// The `scope` parameter: each scope once, `openid` first.
    pub(crate) fn scope(&self) -> String {
        let others = self.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid");
        std::iter::once("openid").chain(others).collect::<Vec<_>>().join(" ")
    }
}

/// Parameters whose value the protocol decides.
const RESERVED: [&str; 12] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "max_age",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

fn default_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).into()
}

fn yes() -> bool {
    true
}
