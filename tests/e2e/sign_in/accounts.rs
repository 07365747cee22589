//! Whose account it is, and what comes with it.

use chancery_tests::{OpenIdProvider, Provider};
use reqwest::StatusCode;
use serde_json::json;

use super::{Visitor, World, person, provider, roles};

#[tokio::test]
async fn whoever_is_unknown_stays_out_and_is_on_record() {
    let idp = OpenIdProvider::start(&json!({ "eve": person("eve", &["auditors"]) }));
    let world = World::of(&idp, json!({ "create_users": false })).await;
    let mut visitor = Visitor::new(&world.server);
    assert_eq!(visitor.sign_in(&idp, "company", "eve").await.status(), StatusCode::FORBIDDEN);
    assert!(!visitor.is_in().await);
    let failed = world.newest("type:user.login.failed").await;
    assert_eq!((&failed["data"]["unknown_user"], &failed["outcome"]), (&json!(true), &json!("denied")));
    assert_eq!((&failed["actor"]["name"], &failed["data"]["provider"]), (&json!("eve"), &json!("company")));
    assert!(world.server.events("type:user.created").await.is_empty());
}

#[tokio::test]
async fn who_is_suspended_is_out_at_once_and_stays_out() {
    let idp = OpenIdProvider::start(&json!({ "ada": person("ada", &[]) }));
    let world = World::of(&idp, json!({})).await;
    let mut visitor = world.signed_in(&idp, "ada").await;
    let id = visitor.me().await["user"]["id"].as_str().unwrap().to_owned();
    let suspended = world.server.post(&format!("/api/v1/users/{id}/suspend"), &json!({})).await;
    assert_eq!(suspended.status, StatusCode::OK);
    assert!(!visitor.is_in().await);
    assert_eq!(visitor.sign_in(&idp, "company", "ada").await.status(), StatusCode::FORBIDDEN);
    let failed = world.newest("type:user.login.failed").await;
    assert_eq!((&failed["resource"]["id"], &failed["data"]["unknown_user"]), (&json!(id), &json!(false)));
    assert!(failed["reason"].as_str().unwrap().contains("suspended"));
}

#[tokio::test]
async fn roles_come_with_groups_and_go_with_them() {
    let idp = OpenIdProvider::start(&json!({ "ada": person("ada", &["auditors", "leads", "others"]) }));
    let world = World::of(&idp, json!({})).await;
    let me = world.signed_in(&idp, "ada").await.me().await;
    assert_eq!(roles(&me), ["auditor", "user-admin"]);
    assert!(me["permissions"]["deployment"].as_array().unwrap().contains(&json!("audit:read")), "{me}");
    assert!(me["permissions"]["organizations"]["acme"].as_array().unwrap().contains(&json!("users:write")), "{me}");

    // What was given by hand is nobody's to take but by hand.
    let id = me["user"]["id"].as_str().unwrap();
    let given = world.server.post(&format!("/api/v1/users/{id}/roles"), &json!({"role": "template-admin"})).await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.text);
    idp.set_people(&json!({ "ada": person("ada", &["leads"]) })).await;
    assert_eq!(roles(&world.signed_in(&idp, "ada").await.me().await), ["template-admin", "user-admin"]);
    let revoked = world.newest("type:role.revoked").await;
    let signed_in = world.newest("type:user.login.succeeded").await;
    assert_eq!((&revoked["data"]["role"], &revoked["actor"]["kind"]), (&json!("auditor"), &json!("idp")));
    assert_eq!(revoked["correlation"], signed_in["correlation"]);

    let count = world.server.events("type:role.assigned,role.revoked").await.len();
    world.signed_in(&idp, "ada").await;
    assert_eq!(world.server.events("type:role.assigned,role.revoked").await.len(), count, "nothing has changed");
}

#[tokio::test]
async fn several_providers_lead_to_one_account_where_their_rules_say_so() {
    let company = OpenIdProvider::start(&json!({ "ada": person("ada", &[]) }));
    let partner = OpenIdProvider::start(&json!({
        "a-17": person("ada", &[]), "b-18": person("bob", &[]),
        "c-19": {"password": "correct horse", "claims": {"preferred_username": "x", "email": "ada@example.com", "email_verified": false}},
    }));
    let file = json!({ "providers": [
        provider("company", &company, json!({})),
        provider("partner", &partner, json!({ "link_by": "email", "create_users": false })),
    ]});
    let world = World::start(&file).await;
    let id = world.signed_in(&company, "ada").await.me().await["user"]["id"].clone();
    let mut visitor = Visitor::new(&world.server);
    assert_eq!(visitor.sign_in(&partner, "partner", "a-17").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(visitor.me().await["user"]["id"], id);
    for stranger in ["b-18", "c-19"] {
        let answer = Visitor::new(&world.server).sign_in(&partner, "partner", stranger).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{stranger}");
    }
    // Once it is known whose account it is, another address changes nothing.
    let mut moved = person("ada", &[]);
    moved["claims"]["email"] = json!("countess@example.com");
    partner.set_people(&json!({ "a-17": moved })).await;
    assert_eq!(visitor.sign_in(&partner, "partner", "a-17").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(visitor.me().await["user"]["id"], id);
    // What began at one provider does not end at another.
    let url = visitor.start("company").await;
    let callback = company.sign_in(&url, "ada", super::PASSWORD).await;
    let answer = visitor.get(&callback.replace("/auth/company/", "/auth/partner/")).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn users_that_are_pushed_sign_in_by_their_name() {
    let idp = OpenIdProvider::start(&json!({ "ada": person("ada", &[]) }));
    let world = World::of(&idp, json!({ "link_by": "preferred_username", "create_users": false })).await;
    let pushed = Provider::connect(&world.server, json!({})).await.user("Ada", json!({})).await;
    let me = world.signed_in(&idp, "ada").await.me().await;
    assert_eq!((&me["user"]["id"], &me["user"]["organization"]), (&json!(pushed), &json!("acme")));
    assert_eq!(world.newest("type:user.login.succeeded").await["organization"], "acme");
}
