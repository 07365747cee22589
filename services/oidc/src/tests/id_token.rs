//! ID tokens that are not to be believed, each wrong in one way.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::signer::Signer;
use super::{Setup, impatient, reason};
use crate::OidcError;

#[tokio::test]
async fn every_kind_of_key_can_sign() {
    let signers = [
        Signer::ec("k"),
        Signer::ed("k"),
        Signer::rsa("k", Algorithm::RS256),
        Signer::rsa("k", Algorithm::PS384),
        Signer::rsa("k", Algorithm::RS512),
    ];
    for signer in signers {
        let setup = Setup::with(signer, impatient()).await;
        setup.sign_in_with(|_| {}).await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_claim_is_enough() {
    let setup = Setup::new().await;
    let now = jsonwebtoken::get_current_timestamp();
    let wrong = [
        ("iss", json!("https://evil.example"), "it is of another issuer"),
        ("iss", json!([setup.fake.url()]), "`iss` is not one issuer"),
        ("iss", Value::Null, "`iss` is missing"),
        ("aud", json!("another"), "it is meant for others"),
        ("aud", json!(["another", "third"]), "it is meant for others"),
        ("aud", json!(["chancery", "another"]), "of its audiences, none is said to be the client"),
        ("aud", Value::Null, "`aud` is missing"),
        ("azp", json!("another"), "it was made for another client"),
        ("sub", Value::Null, "`sub` is missing"),
        ("sub", json!(""), "`sub` is empty"),
        ("sub", json!(7), "`sub` is missing"),
        ("exp", Value::Null, "`exp` is missing"),
        ("exp", json!("tomorrow"), "`exp` is missing"),
        ("nbf", json!(now + 120), "it is not valid yet"),
        ("iat", Value::Null, "`iat` is not a time"),
        ("iat", json!(now + 120), "`iat` is in the future"),
        ("nonce", json!("another"), "it belongs to another sign-in, by its nonce"),
        ("nonce", Value::Null, "it belongs to another sign-in, by its nonce"),
        ("at_hash", json!("AAAA"), "the access token is not the one that came with it"),
    ];
    for (claim, value, why) in wrong {
        let outcome = setup.sign_in_with(|claims| drop(claims.insert(claim.to_owned(), value.clone()))).await;
        assert_eq!(reason(outcome), why, "{claim}: {value}");
    }
    let outcome = setup.sign_in_with(|claims| drop(claims.remove("iat"))).await;
    assert_eq!(reason(outcome), "`iat` is missing");
}

#[tokio::test]
async fn clocks_may_differ_by_a_minute() {
    let setup = Setup::new().await;
    let now = jsonwebtoken::get_current_timestamp();
    let at = |exp: u64, iat: u64| {
        setup.sign_in_with(move |claims| {
            claims.insert("exp".to_owned(), json!(exp));
            claims.insert("iat".to_owned(), json!(iat));
        })
    };
    at(now - 30, now - 300).await.unwrap();
    at(now + 300, now + 30).await.unwrap();
    assert_eq!(at(now - 90, now - 300).await, Err(OidcError::Expired));
}

#[tokio::test]
async fn what_is_right_but_rare_is_taken() {
    let setup = Setup::new().await;
    let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest("access")[..16]);
    let change = |claims: &mut Map<String, Value>| {
        claims.insert("at_hash".to_owned(), json!(hash));
        claims.insert("aud".to_owned(), json!(["chancery", "another"]));
        claims.insert("azp".to_owned(), json!("chancery"));
    };
    setup.sign_in_with(change).await.unwrap();
}

#[tokio::test]
async fn a_token_without_a_signature_is_none() {
    let setup = Setup::new().await;
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for algorithm in ["none", "None", "nOnE", ""] {
        let forge = |_: &Setup, claims| format!("{}.{}.", part(json!({"alg": algorithm})), part(Value::Object(claims)));
        assert_eq!(
            reason(setup.sign_in(forge).await),
            "it is not a signed JSON Web Token of a known algorithm",
            "{algorithm}"
        );
    }
    let stripped = |setup: &Setup, claims| {
        let token = setup.signer.sign(&claims);
        token[..=token.rfind('.').unwrap()].to_owned()
    };
    assert_eq!(reason(setup.sign_in(stripped).await), "no key of the issuer has signed it");
}

#[tokio::test]
async fn a_public_key_is_not_a_shared_secret() {
    let setup = Setup::with(Signer::rsa("first", Algorithm::RS256), impatient()).await;
    // Everybody knows the modulus; the client secret is the application's.
    let modulus = setup.signer.jwk()["n"].as_str().unwrap().to_owned();
    for secret in [modulus.as_str(), "s3cret & more"] {
        let forge = |_: &Setup, claims: Map<String, Value>| {
            let header = Header { kid: Some("first".to_owned()), ..Header::new(Algorithm::HS256) };
            encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
        };
        assert_eq!(reason(setup.sign_in(forge).await), "it is signed with a shared secret");
    }
}

#[tokio::test]
async fn a_key_is_used_with_its_own_algorithm_only() {
    // The provider says that its key is for RS256.
    let setup = Setup::with(Signer::rsa("first", Algorithm::RS256), impatient()).await;
    let forge = |setup: &Setup, claims: Map<String, Value>| {
        let header = Header { alg: Algorithm::PS256, ..setup.signer.header() };
        setup.signer.sign_with(&header, &claims)
    };
    assert_eq!(reason(setup.sign_in(forge).await), "no key of the issuer has signed it");
}

#[tokio::test]
async fn another_key_under_a_known_name_does_not_help() {
    let setup = Setup::new().await;
    let stranger = Signer::ec("first");
    let outcome = setup.sign_in(|_, claims| stranger.sign(&claims)).await;
    assert_eq!(reason(outcome), "no key of the issuer has signed it");
    // Nor does the token bring its own key.
    let forge = |_: &Setup, claims: Map<String, Value>| {
        let jwk = serde_json::from_value(stranger.jwk()).unwrap();
        stranger.sign_with(&Header { jwk: Some(jwk), ..stranger.header() }, &claims)
    };
    assert_eq!(reason(setup.sign_in(forge).await), "no key of the issuer has signed it");
}

#[tokio::test]
async fn claims_changed_after_signing_are_noticed() {
    let setup = Setup::new().await;
    let forge = |setup: &Setup, mut claims: Map<String, Value>| {
        let token = setup.signer.sign(&claims);
        claims.insert("sub".to_owned(), json!("somebody else"));
        let parts: Vec<&str> = token.split('.').collect();
        format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string()), parts[2])
    };
    assert_eq!(reason(setup.sign_in(forge).await), "no key of the issuer has signed it");
}

#[tokio::test]
async fn tokens_for_something_else_are_not_id_tokens() {
    let setup = Setup::new().await;
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt"] {
        let forge = |setup: &Setup, claims: Map<String, Value>| {
            setup.signer.sign_with(&Header { typ: Some(typ.to_owned()), ..setup.signer.header() }, &claims)
        };
        assert_eq!(reason(setup.sign_in(forge).await), "it is a token for something else, by its type");
    }
    let critical = |setup: &Setup, claims: Map<String, Value>| {
        setup.signer.sign_with(&Header { crit: Some(vec!["b64".to_owned()]), ..setup.signer.header() }, &claims)
    };
    assert_eq!(reason(setup.sign_in(critical).await), "it has critical extensions");
    for garbage in ["", "a.b", "a.b.c", "....", "é.é.é"] {
        reason(setup.sign_in(|_, _| garbage.to_owned()).await);
    }
    assert_eq!(reason(setup.sign_in(|_, _| "a".repeat(100_000)).await), "it is too long");
}

#[tokio::test]
async fn refusals_do_not_quote_the_token() {
    let setup = Setup::new().await;
    let outcome = setup.sign_in_with(|claims| drop(claims.insert("exp".to_owned(), json!("pa55word")))).await;
    let error = outcome.unwrap_err();
    assert!(!format!("{error} {error:?} {}", error.client_message()).contains("pa55word"));
}
