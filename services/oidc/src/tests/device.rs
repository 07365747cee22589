//! Device authorization.

use serde_json::{Map, Value, json};

use super::{Setup, reason};
use crate::{DevicePoll, OidcError, Secret};

#[tokio::test]
async fn a_device_gets_codes() {
    let mut setup = Setup::new().await;
    setup.provider.client_secret = None;
    let answer = json!({
        "device_code": "dev1ce", "user_code": "WDJB-MJHT", "verification_url": "https://idp.example/device",
        "expires_in": 600,
    });
    setup.fake.answer("/device", 200, &answer);
    let codes = setup.relying_party.begin_device(&setup.provider).await.unwrap();
    assert_eq!((codes.user_code.as_str(), codes.interval().as_secs()), ("WDJB-MJHT", 5));
    assert_eq!(codes.verification_uri, "https://idp.example/device");
    assert!(!format!("{codes:?}").contains("dev1ce"));
    let request = setup.fake.requests("/device").remove(0);
    assert_eq!(request.field("client_id").as_deref(), Some("chancery"));
    assert_eq!(request.field("scope").as_deref(), Some("openid profile email"));
    setup.fake.answer("/device", 400, &json!({"error": "unauthorized_client"}));
    let outcome = setup.relying_party.begin_device(&setup.provider).await;
    assert!(matches!(outcome, Err(OidcError::Refused { .. })));
}

#[tokio::test]
async fn a_device_asks_until_it_knows() {
    let setup = Setup::new().await;
    let code = Secret::new("dev1ce");
    let poll = async || setup.relying_party.poll_device(&setup.provider, &code).await;
    let answers = [
        ("authorization_pending", DevicePoll::Pending),
        ("slow_down", DevicePoll::SlowDown),
        ("access_denied", DevicePoll::Denied),
        ("expired_token", DevicePoll::Expired),
    ];
    for (error, expected) in answers {
        setup.fake.answer("/token", 400, &json!({ "error": error }));
        assert_eq!(poll().await, Ok(expected));
    }
    setup.fake.answer("/token", 400, &json!({"error": "invalid_grant"}));
    assert!(matches!(poll().await, Err(OidcError::Refused { .. })));

    let mut claims = setup.claims(&code);
    claims.remove("nonce");
    let tokens = |claims: &Map<String, Value>| json!({"access_token": "access", "id_token": setup.signer.sign(claims)});
    setup.fake.answer("/token", 200, &tokens(&claims));
    let Ok(DevicePoll::SignedIn(identity)) = poll().await else { panic!("not signed in") };
    assert_eq!(identity.username.as_deref(), Some("alice"));
    claims.insert("aud".to_owned(), json!("another"));
    setup.fake.answer("/token", 200, &tokens(&claims));
    assert_eq!(reason(poll().await), "it is meant for others");
    let request = setup.fake.requests("/token").pop().unwrap();
    assert_eq!(request.field("grant_type").as_deref(), Some("urn:ietf:params:oauth:grant-type:device_code"));
    assert_eq!(request.field("device_code").as_deref(), Some("dev1ce"));
}
