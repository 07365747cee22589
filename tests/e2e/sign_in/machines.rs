//! Machines with tokens of an issuer that is trusted.

use chancery_tests::OpenIdProvider;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{World, person, provider};

const AUDIENCE: &str = "https://chancery.test";
const OF_ADA: &str = "https://chancery.test/ada";

#[tokio::test]
async fn a_machine_does_what_its_token_says_and_no_more() {
    let idp = OpenIdProvider::start(&json!({ "ada": person("ada", &["auditors"]) }));
    let file = json!({
        "providers": [provider("company", &idp, json!({}))],
        "trusted_issuers": [
            {"name": "ci", "issuer": idp.issuer(), "audiences": [AUDIENCE]},
            {"name": "ada", "issuer": idp.issuer(), "audiences": [OF_ADA],
                "principal": {"claim": "client_id", "names": {"machine": "user/ada"}}},
        ],
    });
    let world = World::start(&file).await;
    let ask = async |method: Method, path: &str, token: &str| {
        let request = world.server.anonymous(method, path).bearer_auth(token);
        request.json(&json!({"name": "more", "scopes": ["admin"]})).send().await.unwrap().status()
    };
    let reader = idp.machine_token(AUDIENCE, "read").await;
    assert_eq!(ask(Method::GET, "/api/v1/users", &reader).await, StatusCode::OK);
    assert_eq!(ask(Method::GET, "/api/v1/me", &reader).await, StatusCode::OK);
    assert_eq!(ask(Method::POST, "/api/v1/tokens", &reader).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(Method::POST, "/api/v1/sign-out", &reader).await, StatusCode::FORBIDDEN);
    let refused = world.newest("type:token.refused outcome:denied").await;
    assert_eq!((&refused["actor"]["kind"], &refused["actor"]["id"]), (&json!("service"), &json!("ci/machine")));
    let queried =
        world.server.anonymous(Method::GET, "/api/v1/audit/events").bearer_auth(&reader).send().await.unwrap();
    assert_eq!(queried.status(), StatusCode::OK);
    assert_eq!(world.newest("type:audit.queried actor:machine").await["actor"]["id"], "ci/machine");

    let other = idp.machine_token("https://elsewhere.test", "admin").await;
    assert_eq!(ask(Method::GET, "/api/v1/users", &other).await, StatusCode::UNAUTHORIZED);
    let refused = world.newest("type:token.refused").await;
    assert!(refused["reason"].as_str().unwrap().contains("not valid: "), "the record says why: {refused}");
    for nonsense in ["a.b.c", "nonsense", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0."] {
        assert_eq!(ask(Method::GET, "/api/v1/users", nonsense).await, StatusCode::UNAUTHORIZED, "{nonsense}");
    }

    // A user whom the settings name: with that user's roles, as far as the token's scopes let it.
    let as_ada = idp.machine_token(OF_ADA, "read admin").await;
    assert_eq!(ask(Method::GET, "/api/v1/me", &as_ada).await, StatusCode::UNAUTHORIZED, "there is no such user yet");
    world.signed_in(&idp, "ada").await;
    assert_eq!(ask(Method::GET, "/api/v1/audit/events", &as_ada).await, StatusCode::OK);
    assert_eq!(ask(Method::PUT, "/api/v1/roles/more", &as_ada).await, StatusCode::FORBIDDEN);
    let narrow = idp.machine_token(OF_ADA, "ingest").await;
    assert_eq!(ask(Method::GET, "/api/v1/audit/events", &narrow).await, StatusCode::FORBIDDEN);
    let limited = idp.machine_token(OF_ADA, "read").await;
    assert_eq!(ask(Method::POST, "/api/v1/tokens", &limited).await, StatusCode::FORBIDDEN, "no more than itself");
}
