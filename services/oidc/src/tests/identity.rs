//! From claims to people.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Setup, reason};
use crate::{Grant, Link, LinkBy, OidcError};

#[tokio::test]
async fn what_the_id_token_does_not_say_is_asked_for() {
    let setup = Setup::new().await;
    let more = json!({"sub": "248289761001", "groups": ["ops"], "email": "evil@example.com", "roles": ["owner"]});
    setup.fake.answer("/userinfo", 200, &more);
    let identity = setup.sign_in_with(|claims| drop(claims.remove("groups"))).await.unwrap();
    assert_eq!(identity.groups, ["ops"]);
    // What it says stands.
    assert_eq!(identity.email.as_deref(), Some("alice@example.com"));
    assert_eq!(identity.roles, ["auditor"]);
    assert!(setup.fake.requests("/userinfo")[0].head.contains("Bearer access"));
}

#[tokio::test]
async fn information_about_somebody_else_is_refused() {
    let setup = Setup::new().await;
    setup.fake.answer("/userinfo", 200, &json!({"sub": "another", "groups": ["owners"]}));
    let outcome = setup.sign_in_with(|claims| drop(claims.remove("groups"))).await;
    assert_eq!(reason(outcome), "the user information is about somebody else");
}

#[tokio::test]
async fn groups_that_are_elsewhere_are_not_taken_for_none() {
    let mut setup = Setup::new().await;
    setup.provider.userinfo = false;
    let overage = |claims: &mut Map<String, Value>| {
        claims.remove("groups");
        claims.insert("_claim_names".to_owned(), json!({"groups": "src1"}));
    };
    let identity = setup.sign_in_with(overage).await.unwrap();
    assert!(identity.groups.is_empty() && identity.groups_withheld);
    assert_eq!(setup.fake.hits("/userinfo"), 0);
    let none = setup.sign_in_with(|claims| drop(claims.remove("groups"))).await.unwrap();
    assert!(none.groups.is_empty() && !none.groups_withheld);
}

#[tokio::test]
async fn claims_are_found_by_name_and_by_path() {
    let mut setup = Setup::new().await;
    setup.provider.claims.roles = "resource_access.chancery.roles".to_owned();
    setup.provider.claims.groups = "https://example.com/groups".to_owned();
    let change = |claims: &mut Map<String, Value>| {
        claims.insert("resource_access".to_owned(), json!({"chancery": {"roles": ["a", 1, "b"]}}));
        claims.insert("https://example.com/groups".to_owned(), json!(["c"]));
    };
    let identity = setup.sign_in_with(change).await.unwrap();
    assert_eq!((identity.roles, identity.groups), (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]));
}

#[tokio::test]
async fn only_verified_addresses_of_the_right_domain_come_in() {
    let mut setup = Setup::new().await;
    setup.provider.email_domains = vec!["Example.com".to_owned()];
    let with = |email: &str, verified: Value| {
        let email = json!(email);
        setup.sign_in_with(move |claims| {
            claims.insert("email".to_owned(), email);
            claims.insert("email_verified".to_owned(), verified);
        })
    };
    with("alice@EXAMPLE.COM", json!(true)).await.unwrap();
    with("alice@example.com", json!("true")).await.unwrap();
    for (email, verified) in [
        ("alice@example.com", json!(false)),
        ("alice@example.com", Value::Null),
        ("alice@notexample.com", json!(true)),
        ("alice@sub.example.com", json!(true)),
        ("alice@example.com@evil.example", json!(true)),
        ("example.com", json!(true)),
    ] {
        let outcome = with(email, verified).await;
        assert!(matches!(outcome, Err(OidcError::NotAllowed(_))), "{email}: {outcome:?}");
    }
}

#[tokio::test]
async fn claims_that_somebody_must_have_are_required() {
    let mut setup = Setup::new().await;
    setup.provider.required_claims.insert("hd".to_owned(), vec!["example.com".to_owned()]);
    let with = |hd: &str| {
        let hd = json!(hd);
        setup.sign_in_with(move |claims| drop(claims.insert("hd".to_owned(), hd)))
    };
    with("example.com").await.unwrap();
    for outcome in [with("example.org").await, setup.sign_in_with(|_| {}).await] {
        assert!(matches!(outcome, Err(OidcError::NotAllowed(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn accounts_are_found_by_what_the_provider_vouches_for() {
    let mut setup = Setup::new().await;
    let identity = setup.sign_in_with(|claims| drop(claims.insert("email".to_owned(), json!("A@B.c")))).await.unwrap();
    let subject = Link::Subject { issuer: setup.fake.url(), subject: "248289761001".to_owned() };
    assert_eq!(identity.link(&setup.provider), Ok(subject));
    setup.provider.link_by = LinkBy::Email;
    assert_eq!(identity.link(&setup.provider), Ok(Link::Email("a@b.c".to_owned())));
    setup.provider.link_by = LinkBy::PreferredUsername;
    assert_eq!(identity.link(&setup.provider), Ok(Link::Username("alice".to_owned())));

    let unverified = |claims: &mut Map<String, Value>| drop(claims.insert("email_verified".to_owned(), json!(false)));
    setup.provider.link_by = LinkBy::Email;
    let identity = setup.sign_in_with(unverified).await.unwrap();
    assert!(matches!(identity.link(&setup.provider), Err(OidcError::NotAllowed(_))));
    // The claim vouches for `email`, not for whatever else is taken for an address.
    setup.provider.claims.email = "upn".to_owned();
    let upn = |claims: &mut Map<String, Value>| drop(claims.insert("upn".to_owned(), json!("boss@example.com")));
    assert!(!setup.sign_in_with(upn).await.unwrap().email_verified);
    setup.provider.trust_email = true;
    assert!(setup.sign_in_with(upn).await.unwrap().email_verified);
}

#[tokio::test]
async fn groups_and_roles_give_what_the_provider_is_set_up_to_give() {
    let mut setup = Setup::new().await;
    let grant = |role: &str, organization: Option<&str>| Grant {
        role: role.to_owned(),
        organization: organization.map(str::to_owned),
    };
    let member = grant("member", Some("research"));
    setup.provider.groups.insert("developers".to_owned(), vec![member.clone()]);
    setup.provider.groups.insert("others".to_owned(), vec![grant("owner", None)]);
    setup.provider.roles.insert("auditor".to_owned(), vec![grant("auditor", None), member.clone()]);
    let identity = setup.sign_in_with(|_| {}).await.unwrap();
    assert_eq!(setup.provider.grants(&identity), BTreeSet::from([grant("auditor", None), member]));
}
