//! Settings and discovery documents that cannot be right.

use std::time::Duration;

use serde_json::json;
use url::Url;

use super::{Setup, impatient};
use crate::{OidcError, Provider, Secret, Timing, TrustedIssuer};

#[tokio::test]
async fn the_issuer_is_exactly_the_configured_one() {
    for wrong in ["/", "/tenant", "evil"] {
        let setup = Setup::new().await;
        setup.fake.describe(&json!({"issuer": format!("{}{wrong}", setup.fake.url())}));
        let outcome = setup.try_begin().await;
        assert!(matches!(outcome, Err(OidcError::Malformed { .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_provider_cannot_send_secrets_in_the_clear() {
    for endpoint in ["jwks_uri", "token_endpoint", "userinfo_endpoint", "authorization_endpoint"] {
        for url in ["http://idp.example/x", "ftp://127.0.0.1/x", "https://user:pass@idp.example/", "nothing"] {
            let setup = Setup::new().await;
            setup.fake.describe(&json!({ endpoint: url }));
            let outcome = setup.try_begin().await;
            assert!(matches!(outcome, Err(OidcError::Configuration(_))), "{endpoint} {url}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn redirects_are_not_followed_and_long_answers_not_read() {
    let setup = Setup::new().await;
    setup.fake.answer_text("/keys", 302, String::new());
    let outcome = setup.sign_in_with(|_| {}).await.unwrap_err();
    assert!(outcome.to_string().contains("302"), "{outcome}");
    let setup = Setup::new().await;
    setup.fake.answer_text("/keys", 200, " ".repeat(2 << 20));
    let outcome = setup.sign_in_with(|_| {}).await.unwrap_err();
    assert!(outcome.to_string().contains("longer than"), "{outcome}");
}

#[tokio::test]
async fn a_provider_that_does_not_answer_holds_nobody_up() {
    let timing = Timing { timeout: Duration::from_millis(100), ..impatient() };
    let setup = Setup::with(super::Signer::ec("first"), timing).await;
    setup.fake.delay(Duration::from_mins(1));
    let outcome = setup.try_begin().await.unwrap_err();
    assert!(outcome.is_temporary(), "{outcome}");
}

#[test]
fn settings_are_checked() {
    let good = Provider::new("company", "https://idp.example/tenant", "chancery");
    assert_eq!(good.check(), Ok(()));
    let wrong = [
        Provider { name: "a/b".to_owned(), ..good.clone() },
        Provider { name: String::new(), ..good.clone() },
        Provider { client_id: String::new(), ..good.clone() },
        Provider { client_secret: Some(Secret::new("")), ..good.clone() },
        Provider { issuer: "http://idp.example".to_owned(), ..good.clone() },
        Provider { issuer: "idp.example".to_owned(), ..good.clone() },
        Provider { authorization_parameters: [("state".to_owned(), "x".to_owned())].into(), ..good.clone() },
    ];
    for provider in wrong {
        assert!(matches!(provider.check(), Err(OidcError::Configuration(_))), "{provider:?}");
    }
    let good = TrustedIssuer::new("ci", "https://ci.example", "chancery");
    assert_eq!(good.check(), Ok(()));
    let wrong = [
        TrustedIssuer { audiences: Vec::new(), ..good.clone() },
        TrustedIssuer { algorithms: vec![crate::Algorithm::HS256], ..good.clone() },
        TrustedIssuer { jwks_url: Some(Url::parse("http://ci.example/keys").unwrap()), ..good },
    ];
    for issuer in wrong {
        assert!(matches!(issuer.check(), Err(OidcError::Configuration(_))), "{issuer:?}");
    }
}

#[test]
fn settings_are_read_from_documents() {
    let document = json!({
        "name": "company", "issuer": "https://idp.example", "client_id": "c", "client_secret": "hidden",
        "claims": {"groups": "roles"}, "link_by": "preferred_username",
        "groups": {"admins": [{"role": "owner"}, {"role": "auditor", "organization": "research"}]},
    });
    let provider: Provider = serde_json::from_value(document).unwrap();
    assert_eq!(provider.claims.username, "preferred_username");
    assert_eq!(provider.groups["admins"].len(), 2);
    assert!(!format!("{provider:?}").contains("hidden"));
    assert!(serde_json::from_value::<Provider>(json!({"name": "a", "issuer": "b", "client_id": "c", "x": 1})).is_err());
}
