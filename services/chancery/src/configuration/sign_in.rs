//! Who people sign in with, and whose tokens machines bring: a file of its own, in TOML or JSON.

use std::path::Path;

use chancery_gateway::SignIn;
use chancery_oidc::{Provider, Secret, TrustedIssuer};
use serde::Deserialize;
use serde_json::Value;

use super::Configuration;
use crate::failure::{Doing, Failure};

/// Least length of the key that nodes share.
const SHORTEST_KEY: usize = 32;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    providers: Vec<Provider>,
    #[serde(default)]
    trusted_issuers: Vec<TrustedIssuer>,
}

/// Sign-in as it is configured; with nobody without a file.
pub(crate) fn sign_in(
    configuration: &Configuration,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<SignIn, Failure> {
    let file = match &configuration.oidc_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).doing(&format!("reading {}", path.display()))?;
            let read = read(path, &text, environment);
            read.map_err(|reason| Failure::usage(format!("{}: {reason}", path.display())))?
        }
        None => File::default(),
    };
    let key = configuration.oidc_state_key.as_deref();
    if key.is_some_and(|key| key.len() < SHORTEST_KEY) {
        return Err(Failure::usage(format!("`oidc.state_key` must have at least {SHORTEST_KEY} characters")));
    }
    SignIn::new(file.providers, file.trusted_issuers, key).doing("setting up sign-in")
}

/// Reads a file; what is wrong is told with the field where it is.
fn read(path: &Path, text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<File, String> {
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let value: Value = if is_json {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        toml_edit::de::from_str(text).map_err(|error| error.to_string())?
    };
    let mut file: File =
        serde_path_to_error::deserialize(value).map_err(|error| format!("{}: {}", error.path(), error.inner()))?;
    for provider in &mut file.providers {
        if let Some(secret) = environment(&secret_variable(&provider.name)) {
            provider.client_secret = Some(Secret::new(secret));
        }
    }
    check(&file)?;
    Ok(file)
}

/// The variable with the secret of a provider: `CHANCERY_OIDC_COMPANY_CLIENT_SECRET`.
fn secret_variable(provider: &str) -> String {
    let name: String = provider.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("CHANCERY_OIDC_{}_CLIENT_SECRET", name.to_uppercase())
}

fn check(file: &File) -> Result<(), String> {
    let providers = file.providers.iter().map(|provider| (&provider.name, provider.check()));
    unique("providers", providers)?;
    unique("trusted_issuers", file.trusted_issuers.iter().map(|issuer| (&issuer.name, issuer.check())))
}

fn unique<'a, E: std::error::Error>(
    list: &str,
    entries: impl Iterator<Item = (&'a String, Result<(), E>)>,
) -> Result<(), String> {
    let mut names = std::collections::BTreeSet::new();
    for (index, (name, checked)) in entries.enumerate() {
        checked.map_err(|error| format!("{list}[{index}]: {error}"))?;
        if !names.insert(name) {
            return Err(format!("{list}[{index}].name: there is another `{name}`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(name: &str, text: &str) -> Result<File, String> {
        let secret =
            |name: &str| (name == "CHANCERY_OIDC_MY_IDP_CLIENT_SECRET").then(|| "of the environment".to_owned());
        read(Path::new(name), text, secret)
    }

    #[test]
    fn both_formats_are_read_and_secrets_come_from_the_environment() {
        let toml = r#"
            [[providers]]
            name = "my-idp"
            issuer = "https://idp.example.com"
            client_id = "chancery"
            create_users = true
            groups = { admins = [{ role = "owner" }] }
            [[trusted_issuers]]
            name = "ci"
            issuer = "https://ci.example.com"
            audiences = ["https://chancery.example.com"]
        "#;
        let file = reading("oidc.toml", toml).unwrap();
        assert_eq!(file.providers[0].client_secret.as_ref().unwrap().reveal(), "of the environment");
        assert!(file.providers[0].create_users && file.trusted_issuers[0].name == "ci");
        let json =
            r#"{"providers": [{"name": "a", "issuer": "https://a.example", "client_id": "b", "client_secret": "c"}]}"#;
        assert_eq!(reading("oidc.json", json).unwrap().providers[0].client_secret.as_ref().unwrap().reveal(), "c");
    }

    #[test]
    fn mistakes_are_told_with_their_field() {
        let provider = |more: &str| {
            let text = format!(
                r#"{{"providers": [{{"name": "a", "issuer": "https://a.example", "client_id": "b"}}, {{{more}}}]}}"#
            );
            reading("oidc.json", &text).unwrap_err()
        };
        let rest = r#""issuer": "https://b.example", "client_id": "b""#;
        assert_eq!(provider(&format!(r#""name": "a", {rest}"#)), "providers[1].name: there is another `a`");
        assert!(provider(rest).starts_with("providers[1]: missing field `name`"));
        assert!(provider(&format!(r#""name": "b", "link_by": "hope", {rest}"#)).starts_with("providers[1].link_by: "));
        let plain = r#""name": "b", "issuer": "http://b.example", "client_id": "b""#;
        assert!(provider(plain).starts_with("providers[1]: "));
        assert!(reading("oidc.toml", "[[providers]\n").unwrap_err().contains("line 1"));
    }
}
