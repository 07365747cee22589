//! Authorization code with PKCE: what is asked, and what is made of the answer.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Setup;
use crate::{Callback, OidcError, Pending, Secret};

#[tokio::test]
async fn the_browser_is_sent_with_everything_that_ties_the_answer_to_the_question() {
    let mut setup = Setup::new().await;
    setup.provider.authorization_parameters.insert("prompt".to_owned(), "select_account".to_owned());
    let (url, pending) = setup.begin().await;
    let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(url.path(), "/authorize");
    // The endpoint's own query stays.
    assert_eq!(query["tenant"], "1");
    assert_eq!(query["prompt"], "select_account");
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["client_id"], "chancery");
    assert_eq!(query["scope"], "openid profile email");
    assert_eq!(query["redirect_uri"], "https://chancery.example/callback");
    assert_eq!(query["state"], pending.state.reveal());
    assert_eq!(query["nonce"], pending.nonce.reveal());
    assert_eq!(query["code_challenge_method"], "S256");
    assert_eq!(query["code_challenge"], URL_SAFE_NO_PAD.encode(Sha256::digest(pending.verifier.reveal())));
    assert!(!url.as_str().contains(pending.verifier.reveal()));
    // RFC 7636 §4.1 wants at least 43 characters.
    assert_eq!(pending.verifier.reveal().len(), 43);
    let (_, another) = setup.begin().await;
    assert!(pending.state != another.state && pending.nonce != another.nonce && pending.verifier != another.verifier);
}

#[tokio::test]
async fn somebody_signs_in() {
    let setup = Setup::new().await;
    let identity = setup.sign_in_with(|_| {}).await.unwrap();
    assert_eq!(identity.subject, "248289761001");
    assert_eq!(identity.issuer, setup.fake.url());
    assert_eq!(identity.username.as_deref(), Some("alice"));
    assert_eq!(identity.email.as_deref(), Some("alice@example.com"));
    assert!(identity.email_verified);
    assert_eq!(identity.display_name.as_deref(), Some("Alice Lidell"));
    assert_eq!((identity.groups, identity.roles), (vec!["developers".to_owned()], vec!["auditor".to_owned()]));
    assert_eq!(identity.amr, ["pwd", "mfa"]);
    assert!(identity.auth_time.is_some());
    // Nothing was missing, so nothing more was asked.
    assert_eq!(setup.fake.hits("/userinfo"), 0);
    assert_eq!(setup.fake.hits("/.well-known/openid-configuration"), 1);
}

#[tokio::test]
async fn the_code_is_exchanged_by_the_client_that_asked_for_it() {
    let setup = Setup::new().await;
    setup.sign_in_with(|_| {}).await.unwrap();
    let request = setup.fake.requests("/token").remove(0);
    assert_eq!(request.field("grant_type").as_deref(), Some("authorization_code"));
    assert_eq!(request.field("code").as_deref(), Some("the-code"));
    assert_eq!(request.field("redirect_uri").as_deref(), Some("https://chancery.example/callback"));
    assert_eq!(request.field("code_verifier").map(|verifier| verifier.len()), Some(43));
    // RFC 6749 §2.3.1: encoded as in a form first.
    let basic = STANDARD.encode("chancery:s3cret+%26+more");
    assert!(request.head.contains(&format!("Basic {basic}")), "{}", request.head);
    assert_eq!(request.field("client_secret"), None);
}

#[tokio::test]
async fn the_secret_goes_where_the_provider_takes_it() {
    let setup = Setup::new().await;
    setup.fake.describe(&json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    setup.sign_in_with(|_| {}).await.unwrap();
    let request = setup.fake.requests("/token").remove(0);
    assert_eq!(request.field("client_id").as_deref(), Some("chancery"));
    assert_eq!(request.field("client_secret").as_deref(), Some("s3cret & more"));
    assert!(!request.head.to_lowercase().contains("authorization:"));
}

#[tokio::test]
async fn a_public_client_says_who_it_is_without_a_secret() {
    let mut setup = Setup::new().await;
    setup.provider.client_secret = None;
    setup.sign_in_with(|_| {}).await.unwrap();
    let request = setup.fake.requests("/token").remove(0);
    assert_eq!(request.field("client_id").as_deref(), Some("chancery"));
    assert_eq!(request.field("client_secret"), None);
}

#[tokio::test]
async fn an_answer_to_another_question_is_not_used() {
    let setup = Setup::new().await;
    let (_, pending) = setup.begin().await;
    let good = setup.callback(&pending);
    let callbacks = [
        Callback { state: Some(Secret::new("another")), ..good.clone() },
        Callback { state: None, ..good.clone() },
        Callback { iss: Some("https://evil.example".to_owned()), ..good.clone() },
        Callback { iss: None, ..good.clone() },
        Callback { code: None, ..good.clone() },
    ];
    for callback in callbacks {
        let outcome = setup.relying_party.finish(&setup.provider, &pending, &callback).await;
        assert!(matches!(outcome, Err(OidcError::Callback(_))), "{outcome:?}");
    }
    let elsewhere = Pending { provider: "another".to_owned(), ..pending.clone() };
    let outcome = setup.relying_party.finish(&setup.provider, &elsewhere, &good).await;
    assert!(matches!(outcome, Err(OidcError::Callback(_))), "{outcome:?}");
    let old = Pending { begun: pending.begun - Pending::LIFETIME.as_secs() - 1, ..pending };
    let outcome = setup.relying_party.finish(&setup.provider, &old, &good).await;
    assert_eq!(outcome, Err(OidcError::Late));
    // Nothing of that was worth a question to the provider.
    assert_eq!(setup.fake.hits("/token"), 0);
}

#[tokio::test]
async fn the_providers_refusals_are_told_apart() {
    let setup = Setup::new().await;
    let (_, pending) = setup.begin().await;
    let callback = Callback {
        error: Some("access_denied".to_owned()),
        error_description: Some("no\nway".to_owned()),
        ..setup.callback(&pending)
    };
    let outcome = setup.relying_party.finish(&setup.provider, &pending, &callback).await.unwrap_err();
    assert_eq!(outcome.to_string(), "the provider refused: access_denied (no way)");
    setup.fake.answer("/token", 400, &json!({"error": "invalid_grant"}));
    let outcome = setup.relying_party.finish(&setup.provider, &pending, &setup.callback(&pending)).await;
    assert!(matches!(outcome, Err(OidcError::Refused { code, .. }) if code == "invalid_grant"));
    setup.fake.answer_text("/token", 503, "<html>".to_owned());
    let outcome = setup.relying_party.finish(&setup.provider, &pending, &setup.callback(&pending)).await.unwrap_err();
    assert!(outcome.is_temporary());
}

#[tokio::test]
async fn a_pending_sign_in_survives_storage_and_is_not_printed() {
    let setup = Setup::new().await;
    let (_, pending) = setup.begin().await;
    let stored = serde_json::to_string(&pending).unwrap();
    assert_eq!(serde_json::from_str::<Pending>(&stored).unwrap(), pending);
    let printed = format!("{pending:?} {:?} {:?}", setup.callback(&pending), setup.provider);
    for secret in [&pending.state, &pending.nonce, &pending.verifier, &Secret::new("the-code"), &Secret::new("s3cret")]
    {
        assert!(!printed.contains(secret.reveal()), "{printed}");
    }
}
