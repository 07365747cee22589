//! What a provider says about itself (`OpenID` Connect Discovery 1.0 §3).

use serde::Deserialize;
use url::Url;

use crate::error::{OidcError, for_log};
use crate::http::{Http, checked};

/// The parts of a discovery document that are used. All endpoints were checked to be addresses that may be asked.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) jwks: Url,
    pub(crate) authorization: Option<Url>,
    pub(crate) token: Option<Url>,
    pub(crate) userinfo: Option<Url>,
    pub(crate) device_authorization: Option<Url>,
    /// Whether a client's secret goes into the form instead of the `Authorization` header.
    pub(crate) secret_in_form: bool,
    /// Whether authorization responses carry `iss` (RFC 9207 §3).
    pub(crate) says_issuer: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Asks the issuer.
    pub(crate) async fn fetch(http: &Http, issuer: &str) -> Result<Self, OidcError> {
        // Appended to the path of the issuer (§4), unlike other well-known documents.
        let url = checked(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))?;
        let document: Document = http.get(&url).await?;
        if document.issuer != issuer {
            let reason = format!("the issuer is `{}`, configured is `{issuer}`", for_log(&document.issuer));
            return Err(OidcError::Malformed { url: url.into(), reason });
        }
        let endpoint = |text: Option<String>| text.map(|text| checked(&text)).transpose();
        let methods = document.token_endpoint_auth_methods_supported;
        let supports = |methods: &[String], method: &str| methods.iter().any(|supported| supported == method);
        Ok(Self {
            jwks: checked(&document.jwks_uri)?,
            authorization: endpoint(document.authorization_endpoint)?,
            token: endpoint(document.token_endpoint)?,
            userinfo: endpoint(document.userinfo_endpoint)?,
            device_authorization: endpoint(document.device_authorization_endpoint)?,
            // A provider that says nothing takes the header.
            secret_in_form: methods.is_some_and(|methods| {
                !supports(&methods, "client_secret_basic") && supports(&methods, "client_secret_post")
            }),
            says_issuer: document.authorization_response_iss_parameter_supported,
        })
    }
}
