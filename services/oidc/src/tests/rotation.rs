//! Keys come and go, and nobody can make this server ask for them all the time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::signer::Signer;
use super::{Setup, impatient, reason};
use crate::{OidcError, Timing};

#[tokio::test]
async fn a_new_key_is_found_and_the_old_one_forgotten() {
    let setup = Setup::new().await;
    setup.sign_in_with(|_| {}).await.unwrap();
    setup.sign_in_with(|_| {}).await.unwrap();
    assert_eq!(setup.fake.hits("/keys"), 1);
    let second = Signer::ec("second");
    setup.fake.publish(&[&second]);
    setup.sign_in(|_, claims| second.sign(&claims)).await.unwrap();
    assert_eq!(setup.fake.hits("/keys"), 2);
    assert_eq!(reason(setup.sign_in_with(|_| {}).await), "no key of the issuer has signed it");
}

#[tokio::test]
async fn keys_that_nobody_knows_are_asked_for_once_in_a_while() {
    let setup = Setup::new().await;
    setup.sign_in_with(|_| {}).await.unwrap();
    for number in 0..20 {
        let stranger = Signer::ec(&format!("made up {number}"));
        reason(setup.sign_in(|_, claims| stranger.sign(&claims)).await);
    }
    assert_eq!(setup.fake.hits("/keys"), 2);
    // Known keys are not affected.
    setup.sign_in_with(|_| {}).await.unwrap();
    assert_eq!(setup.fake.hits("/keys"), 2);

    let pause = Duration::from_millis(100);
    let setup = Setup::with(Signer::ec("first"), Timing { unknown_key_pause: pause, ..impatient() }).await;
    let second = Signer::ec("second");
    reason(setup.sign_in(|_, claims| second.sign(&claims)).await);
    setup.fake.publish(&[&second]);
    tokio::time::sleep(pause).await;
    setup.sign_in(|_, claims| second.sign(&claims)).await.unwrap();
}

#[tokio::test]
async fn many_at_once_ask_once() {
    let setup = Arc::new(Setup::new().await);
    let (_, pending) = setup.begin().await;
    setup.fake.delay(Duration::from_millis(100));
    let second = Signer::ec("second");
    setup.fake.publish(&[&setup.signer, &second]);
    let trusted = vec![crate::TrustedIssuer::new("company", setup.fake.url(), super::CLIENT)];
    let verify_all = async |signer: &Signer| {
        let token = signer.sign(&setup.claims(&pending.nonce));
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let (setup, trusted, token) = (Arc::clone(&setup), trusted.clone(), token.clone());
            tasks.spawn(async move { setup.relying_party.verify_bearer(&trusted, &token).await.is_ok() });
        }
        tasks.join_all().await
    };
    assert!(verify_all(&setup.signer).await.into_iter().all(|good| good));
    assert_eq!(setup.fake.hits("/keys"), 1);
    let third = Signer::ec("third");
    setup.fake.publish(&[&third]);
    assert!(verify_all(&third).await.into_iter().all(|good| good));
    assert_eq!(setup.fake.hits("/keys"), 2);
    assert_eq!(setup.fake.hits("/.well-known/openid-configuration"), 1);
}

#[tokio::test]
async fn what_is_known_is_used_while_the_provider_is_away() {
    let setup = Setup::with(Signer::ec("first"), Timing { refresh: Duration::ZERO, ..impatient() }).await;
    setup.sign_in_with(|_| {}).await.unwrap();
    setup.fake.answer_text("/keys", 503, String::new());
    setup.fake.answer_text("/.well-known/openid-configuration", 503, String::new());
    setup.sign_in_with(|_| {}).await.unwrap();
    assert!(setup.fake.hits("/keys") > 1);

    let strict = Timing { refresh: Duration::ZERO, stale: Duration::ZERO, ..impatient() };
    let setup = Setup::with(Signer::ec("first"), strict).await;
    setup.sign_in_with(|_| {}).await.unwrap();
    setup.fake.answer_text("/keys", 503, String::new());
    assert!(matches!(setup.sign_in_with(|_| {}).await, Err(OidcError::Unreachable { .. })));
}

#[tokio::test]
async fn a_provider_that_fails_is_left_alone_for_a_moment() {
    let setup = Setup::new().await;
    setup.fake.answer_text("/keys", 500, "oh no".to_owned());
    for _ in 0..5 {
        let outcome = setup.sign_in_with(|_| {}).await;
        assert!(matches!(outcome, Err(OidcError::Unreachable { .. })), "{outcome:?}");
    }
    assert_eq!(setup.fake.hits("/keys"), 1);
}

#[tokio::test]
async fn keys_for_other_purposes_are_left_out() {
    let setup = Setup::new().await;
    let mut wrong = [setup.signer.jwk(), setup.signer.jwk(), setup.signer.jwk(), json!({"kty": "oct", "k": "AAAA"})];
    wrong[0]["use"] = json!("enc");
    wrong[1]["alg"] = json!("ECDH-ES");
    wrong[2]["key_ops"] = json!(["sign"]);
    let mut all: Vec<Value> = wrong.into();
    all.extend([json!({"kty": "XX"}), json!(7), json!({"kty": "EC", "crv": "P-256"})]);
    setup.fake.answer("/keys", 200, &json!({ "keys": all }));
    let outcome = setup.sign_in_with(|_| {}).await.unwrap_err();
    assert!(outcome.to_string().contains("no key that signatures can be verified with"), "{outcome}");
}

#[tokio::test]
async fn strange_keys_do_not_hide_good_ones() {
    let setup = Setup::with(Signer::ec("first"), impatient()).await;
    // Two keys of one name, and kinds that nobody knows yet.
    let keys = [json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}), Signer::ec("first").jwk(), setup.signer.jwk()];
    setup.fake.answer("/keys", 200, &json!({ "keys": keys }));
    setup.sign_in_with(|_| {}).await.unwrap();
}

#[tokio::test]
async fn keys_and_tokens_may_go_without_names() {
    let mut signer = Signer::ec("");
    signer.id = None;
    let setup = Setup::with(signer, impatient()).await;
    setup.fake.publish(&[&Signer::ec("another"), &setup.signer]);
    setup.sign_in_with(|_| {}).await.unwrap();
    // A token with a name that no key has: one without a name may be meant.
    let forge = |setup: &Setup, claims: serde_json::Map<String, Value>| {
        let header = jsonwebtoken::Header { kid: Some("a name".to_owned()), ..setup.signer.header() };
        setup.signer.sign_with(&header, &claims)
    };
    setup.sign_in(forge).await.unwrap();
}
