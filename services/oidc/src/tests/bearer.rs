//! Tokens of machines.

use jsonwebtoken::Header;
use serde_json::{Map, Value, json};

use super::{Setup, object, reason};
use crate::{Algorithm, Bearer, OidcError, PrincipalRule, TrustedIssuer};

impl Setup {
    fn trusted(&self) -> TrustedIssuer {
        TrustedIssuer::new("ci", self.fake.url(), "https://chancery.example/api")
    }

    fn machine_claims(&self) -> Map<String, Value> {
        let now = jsonwebtoken::get_current_timestamp();
        object(json!({
            "iss": self.fake.url(), "aud": "https://chancery.example/api", "sub": "robot", "client_id": "robot",
            "iat": now, "exp": now + 300, "jti": "1", "scope": "ingest read", "env": "production",
        }))
    }

    async fn verify(&self, trusted: &TrustedIssuer, claims: &Map<String, Value>) -> Result<Bearer, OidcError> {
        let token = self.signer.sign(claims);
        self.relying_party.verify_bearer(std::slice::from_ref(trusted), &token).await
    }
}

#[tokio::test]
async fn a_machine_comes_in() {
    let setup = Setup::new().await;
    let claims = setup.machine_claims();
    for typ in [None, Some("JWT"), Some("at+jwt"), Some("application/at+JWT")] {
        let header = Header { typ: typ.map(str::to_owned), ..setup.signer.header() };
        let token = setup.signer.sign_with(&header, &claims);
        let bearer = setup.relying_party.verify_bearer(&[setup.trusted()], &token).await.unwrap();
        assert_eq!((bearer.principal.as_str(), bearer.subject.as_str()), ("robot", "robot"));
        assert_eq!(bearer.scopes.into_iter().collect::<Vec<_>>(), ["ingest", "read"]);
        assert_eq!(bearer.token_id.as_deref(), Some("1"));
        assert_eq!(bearer.client_id.as_deref(), Some("robot"));
        assert!(bearer.expires_at.is_some());
    }
    assert_eq!(setup.fake.hits("/keys"), 1);
}

#[tokio::test]
async fn an_access_token_has_what_its_type_promises() {
    let setup = Setup::new().await;
    let header = Header { typ: Some("at+jwt".to_owned()), ..setup.signer.header() };
    for claim in ["iat", "jti", "client_id"] {
        let mut claims = setup.machine_claims();
        claims.remove(claim);
        let token = setup.signer.sign_with(&header, &claims);
        let outcome = setup.relying_party.verify_bearer(&[setup.trusted()], &token).await;
        assert_eq!(reason(outcome), format!("`{claim}` is missing"));
    }
}

#[tokio::test]
async fn tokens_for_others_are_refused() {
    let setup = Setup::new().await;
    // An ID token: good, but for an application.
    let (_, pending) = setup.begin().await;
    let outcome = setup.verify(&setup.trusted(), &setup.claims(&pending.nonce)).await;
    assert_eq!(reason(outcome), "it is meant for others");
    let wrong = [
        ("aud", json!("https://other.example"), "it is meant for others"),
        ("aud", Value::Null, "`aud` is missing"),
        ("exp", Value::Null, "`exp` is missing"),
        ("sub", Value::Null, "`sub` is missing"),
    ];
    for (claim, value, why) in wrong {
        let mut claims = setup.machine_claims();
        claims.insert(claim.to_owned(), value);
        assert_eq!(reason(setup.verify(&setup.trusted(), &claims).await), why);
    }
    let mut claims = setup.machine_claims();
    claims.insert("exp".to_owned(), json!(1));
    assert_eq!(setup.verify(&setup.trusted(), &claims).await, Err(OidcError::Expired));
}

#[tokio::test]
async fn only_trusted_issuers_are_asked() {
    let setup = Setup::new().await;
    let mut claims = setup.machine_claims();
    claims.insert("iss".to_owned(), json!("https://evil.example"));
    assert_eq!(setup.verify(&setup.trusted(), &claims).await, Err(OidcError::UnknownIssuer));
    claims.remove("iss");
    reason(setup.verify(&setup.trusted(), &claims).await);
    assert_eq!(setup.fake.hits("/keys"), 0);
    for garbage in ["", "a", "a.b.c", "chy_abc_def"] {
        reason(setup.relying_party.verify_bearer(&[setup.trusted()], garbage).await);
    }
}

#[tokio::test]
async fn algorithms_can_be_narrowed() {
    let setup = Setup::new().await;
    let trusted = TrustedIssuer { algorithms: vec![Algorithm::RS256], ..setup.trusted() };
    let outcome = setup.verify(&trusted, &setup.machine_claims()).await;
    assert_eq!(reason(outcome), "its algorithm ES256 is not one of those allowed");
}

#[tokio::test]
async fn claims_say_who_and_whether() {
    let setup = Setup::new().await;
    let mut trusted = setup.trusted();
    trusted.principal =
        PrincipalRule { claim: "client_id".to_owned(), names: [("robot".to_owned(), "deployer".to_owned())].into() };
    trusted.required_claims.insert("env".to_owned(), vec!["production".to_owned(), "staging".to_owned()]);
    trusted.required_claims.insert("jti".to_owned(), Vec::new());
    let mut claims = setup.machine_claims();
    assert_eq!(setup.verify(&trusted, &claims).await.unwrap().principal, "deployer");
    for (claim, value) in [("env", json!("test")), ("jti", Value::Null), ("client_id", json!("unknown"))] {
        let mut claims = setup.machine_claims();
        claims.insert(claim.to_owned(), value.clone());
        if value.is_null() {
            claims.remove(claim);
        }
        let outcome = setup.verify(&trusted, &claims).await;
        assert!(matches!(outcome, Err(OidcError::NotAllowed(_))), "{claim}: {outcome:?}");
    }
    // Scopes may be a list under another name, and a claim a list with the wanted value in it.
    trusted.scopes_claim = "roles".to_owned();
    claims.insert("roles".to_owned(), json!(["Ingest.All"]));
    claims.insert("env".to_owned(), json!(["test", "staging"]));
    assert_eq!(setup.verify(&trusted, &claims).await.unwrap().scopes, ["Ingest.All".to_owned()].into());
}

#[tokio::test]
async fn an_issuer_may_have_several_uses_and_no_discovery_document() {
    let setup = Setup::new().await;
    setup.fake.answer_text("/.well-known/openid-configuration", 404, String::new());
    let here = setup.trusted();
    let keys = format!("{}/keys", setup.fake.url()).parse().unwrap();
    let other =
        TrustedIssuer { name: "other".to_owned(), audiences: vec!["b".to_owned()], jwks_url: Some(keys), ..here };
    let mut trusted = [TrustedIssuer { audiences: vec!["a".to_owned()], ..other.clone() }, other];
    let mut claims = setup.machine_claims();
    claims.insert("aud".to_owned(), json!(["b"]));
    let token = setup.signer.sign(&claims);
    assert_eq!(setup.relying_party.verify_bearer(&trusted, &token).await.unwrap().trusted_issuer, "other");
    trusted.reverse();
    assert_eq!(setup.relying_party.verify_bearer(&trusted, &token).await.unwrap().trusted_issuer, "other");
    assert_eq!(setup.fake.hits("/keys"), 1);
}
