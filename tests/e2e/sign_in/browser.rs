//! Browsers: in, out, and what does not lead in.

use chancery_tests::OpenIdProvider;
use reqwest::header::{ORIGIN, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{PASSWORD, Visitor, World, location, person, query};

#[tokio::test]
async fn people_sign_in_and_out() {
    let idp = OpenIdProvider::start(&json!({ "ada": person("ada", &[]) }));
    let world = World::of(&idp, json!({})).await;
    let listed = world.server.anonymous(Method::GET, "/api/v1/sign-in/providers").send().await.unwrap();
    assert!(listed.text().await.unwrap().contains("company"));

    let mut visitor = Visitor::new(&world.server);
    let begun = visitor.get("/auth/company/start?return_to=/console?a=b").await;
    assert_eq!(begun.status(), StatusCode::FOUND);
    let cookie = begun.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let url = location(&begun);
    assert_eq!(query(&url, "code_challenge_method").as_deref(), Some("S256"));
    let callback = idp.sign_in(&url, "ada", PASSWORD).await;
    let answer = visitor.get(&callback).await;
    assert_eq!((answer.status(), location(&answer).as_str()), (StatusCode::SEE_OTHER, "/console?a=b"));
    let cookies: Vec<_> = answer.headers().get_all(SET_COOKIE).iter().map(|it| it.to_str().unwrap()).collect();
    let session = cookies.iter().find(|cookie| cookie.starts_with("chancery_session=chy_")).unwrap();
    assert!(session.contains("HttpOnly") && session.contains("SameSite=Strict"), "{session}");
    assert_eq!(visitor.cookies.len(), 1, "the cookie of the attempt is gone");

    let me = visitor.me().await;
    assert_eq!((&me["user"]["username"], &me["token"]["kind"]), (&json!("ada"), &json!("session")));
    let signed_in = world.newest("type:user.login.succeeded").await;
    assert_eq!((&signed_in["data"]["provider"], &signed_in["actor"]["name"]), (&json!("company"), &json!("ada")));
    let issued = world.newest("type:token.created data.kind:session").await;
    assert_eq!((&issued["causation"], &issued["correlation"]), (&signed_in["id"], &signed_in["correlation"]));
    assert_eq!(issued["data"]["owner"]["id"], me["user"]["id"]);

    let out = |visitor: &Visitor| visitor.request(Method::POST, "/api/v1/sign-out");
    for (header, value) in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site"), ("x-none", "")] {
        let answer = out(&visitor).header(header, value).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{header}");
    }
    let stolen = out(&visitor).header(ORIGIN, world.server.url.clone());
    assert_eq!(stolen.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert!(!visitor.is_in().await);
    let signed_out = world.newest("type:user.logout").await;
    assert_eq!(world.newest("type:token.revoked").await["causation"], signed_out["id"]);
}

#[tokio::test]
async fn changes_with_a_cookie_come_from_own_pages_alone() {
    let idp = OpenIdProvider::start(&json!({ "ada": person("ada", &[]) }));
    let world = World::of(&idp, json!({})).await;
    let visitor = world.signed_in(&idp, "ada").await;
    let make = |name: &str, value: &str| {
        let token = json!({"name": "own", "scopes": ["read"]});
        visitor.request(Method::POST, "/api/v1/tokens").header(name, value).json(&token).send()
    };
    let status = async |name: &str, value: &str| make(name, value).await.unwrap().status();
    assert_eq!(status("sec-fetch-site", "same-origin").await, StatusCode::CREATED);
    assert_eq!(status("sec-fetch-site", "same-site").await, StatusCode::FORBIDDEN);
    assert_eq!(status("origin", "null").await, StatusCode::FORBIDDEN);
    assert_eq!(status("referer", &world.server.url).await, StatusCode::FORBIDDEN);
    let refused = world.newest("type:token.refused").await;
    assert!(refused["reason"].as_str().unwrap().contains("pages of this service"), "{refused}");
}

#[tokio::test]
async fn what_is_not_a_sign_in_leads_nowhere_and_is_on_record() {
    let idp = OpenIdProvider::start(&json!({ "ada": person("ada", &[]) }));
    let world = World::of(&idp, json!({})).await;
    let reason = async || world.newest("type:user.login.failed").await["reason"].as_str().unwrap().to_owned();

    let mut visitor = Visitor::new(&world.server);
    let url = visitor.start("company").await;
    let callback = idp.sign_in(&url, "ada", PASSWORD).await;
    let begun = visitor.cookies.clone();
    let other = Visitor::new(&world.server).get(&callback).await;
    assert_eq!(other.status(), StatusCode::BAD_REQUEST, "another browser");
    assert!(reason().await.contains("did not begin in this browser"));

    let state = query(&callback, "state").unwrap();
    let forged = visitor.get(&callback.replace(&state, "forged")).await;
    assert_eq!(forged.status(), StatusCode::BAD_REQUEST);
    assert!(reason().await.contains("state"));

    // What was forged took the cookie, but the attempt is still the browser's that kept it.
    visitor.cookies.clone_from(&begun);
    assert_eq!(visitor.get(&callback).await.status(), StatusCode::SEE_OTHER);
    visitor.cookies.clone_from(&begun);
    let again = visitor.get(&callback).await;
    assert_eq!(again.status(), StatusCode::FORBIDDEN, "a code is good once");
    assert!(reason().await.contains("invalid_grant"));

    let url = visitor.start("company").await;
    let callback = idp.refuse(&url).await;
    assert_eq!(visitor.get(&callback).await.status(), StatusCode::FORBIDDEN);
    assert!(reason().await.contains("access_denied"));

    for away in ["//evil.example", "https://evil.example/", "/%5Cevil.example%0d", "nowhere"] {
        let answer = visitor.get(&format!("/auth/company/start?return_to={away}")).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{away}");
    }
    assert_eq!(visitor.get("/auth/nobody/start").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_provider_may_change_its_keys() {
    let idp = OpenIdProvider::start(&json!({ "ada": person("ada", &[]) }));
    let world = World::of(&idp, json!({})).await;
    let id = world.signed_in(&idp, "ada").await.me().await["user"]["id"].clone();
    idp.rotate_keys(false).await;
    assert_eq!(world.signed_in(&idp, "ada").await.me().await["user"]["id"], id);
}

#[tokio::test]
async fn a_session_that_an_administrator_withdraws_stops_at_once() {
    let idp = OpenIdProvider::start(&json!({ "ada": person("ada", &[]) }));
    let world = World::of(&idp, json!({})).await;
    let mut visitor = world.signed_in(&idp, "ada").await;
    let id = visitor.me().await["token"]["id"].as_str().unwrap().to_owned();
    let revoked = world.server.send(Method::DELETE, &format!("/api/v1/tokens/{id}"), &json!(null)).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert!(!visitor.is_in().await);
}
