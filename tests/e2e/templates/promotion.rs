//! Promotions that take two people.

use super::*;

#[tokio::test]
async fn nobody_brings_a_version_into_use_alone_where_it_takes_two() {
    let server = start().await;
    let ann = Person::new(&server, "ann", "acme", Some("template-admin")).await;
    let ben = Person::new(&server, "ben", "acme", Some("template-admin")).await;
    let go = template(&server, "go", json!({"two_person_promotion": true})).await;
    version(&server, &go, "v1").await;
    version(&server, &go, "v2").await;

    let asked = ann.promotes(&go, "v1").await.expect(StatusCode::ACCEPTED);
    assert_eq!((&asked["active_version"], &asked["promotion"]["requested_by"]), (&Value::Null, &json!(ann.id)));
    let alone = ann.promotes(&go, "v1").await;
    assert_eq!(alone.status, StatusCode::FORBIDDEN, "{}", alone.text);
    // A token without an owner is nobody, also the administrator's.
    let token = server.post(&format!("{go}/versions/v1/promote"), &json!({})).await;
    assert_eq!(token.status, StatusCode::FORBIDDEN);
    let another = ben.promotes(&go, "v2").await;
    assert_eq!(another.status, StatusCode::CONFLICT);
    let agreed = ben.promotes(&go, "v1").await.expect(StatusCode::OK);
    assert_eq!(agreed["promotion"], Value::Null);
    assert!(agreed["active_version"].is_string());

    let promoted = &server.events("type:template.version.promoted").await[0];
    let requested = &server.events("type:template.version.promotion.requested").await[0];
    assert_eq!(promoted["causation"], requested["id"]);
    assert_eq!((&promoted["actor"]["id"], &promoted["data"]["requested_by"]), (&json!(ben.id), &json!(ann.id)));
    let stopped = server.events("outcome:denied type:token.refused").await;
    assert_eq!(stopped.len(), 2, "who tried alone is on record: {stopped:?}");

    ann.promotes(&go, "v2").await.expect(StatusCode::ACCEPTED);
    let withdraw = async |who: &Person<'_>| who.asks(Method::DELETE, &format!("{go}/promotion"), json!({})).await;
    assert_eq!(withdraw(&ben).await.expect(StatusCode::OK)["promotion"], Value::Null);
    assert_eq!(withdraw(&ben).await.status, StatusCode::NOT_FOUND);
    ann.promotes(&go, "v2").await.expect(StatusCode::ACCEPTED);
    ann.asks(Method::POST, &format!("{go}/versions/v2/archive"), json!({})).await.expect(StatusCode::OK);
    let away = ben.promotes(&go, "v2").await;
    assert_eq!(away.status, StatusCode::CONFLICT);
    assert_eq!(server.get(&go, &[]).await["promotion"], Value::Null);
}

#[tokio::test]
async fn who_administers_one_template_does_not_lift_its_rule_of_two() {
    let server = start().await;
    let go = template(&server, "go", json!({"two_person_promotion": true})).await;
    let ann = Person::new(&server, "ann", "acme", None).await;
    let give = json!({"subject_kind": "user", "subject_id": ann.id, "permission": "admin"});
    server.send(Method::PUT, &format!("{go}/access"), &give).await.expect(StatusCode::OK);
    let lift = json!({"settings": {"two_person_promotion": false}});
    let lifted = ann.asks(Method::PATCH, &go, lift.clone()).await;
    assert_eq!(lifted.status, StatusCode::FORBIDDEN, "{}", lifted.text);
    ann.asks(Method::PATCH, &go, json!({"description": "hers"})).await.expect(StatusCode::OK);
    let ben = Person::new(&server, "ben", "acme", Some("template-admin")).await;
    ben.asks(Method::PATCH, &go, lift).await.expect(StatusCode::OK);
}

/// Many agree at once: one promotion comes of it, and no request is left or taken for another's.
#[tokio::test]
async fn of_many_who_agree_at_once_one_promotes() {
    let server = start().await;
    let go = template(&server, "go", json!({"two_person_promotion": true})).await;
    version(&server, &go, "v1").await;
    let mut people = Vec::new();
    for number in 0..6 {
        people.push(Person::new(&server, &format!("p{number}"), "acme", Some("template-admin")).await);
    }
    let answers = futures::future::join_all(people.iter().map(|person| person.promotes(&go, "v1"))).await;
    let of = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of(StatusCode::ACCEPTED), of(StatusCode::OK)), (1, 5), "{answers:?}");
    assert_eq!(
        told(&server, &go).await,
        [
            "template.created",
            "template.version.pushed",
            "template.version.promotion.requested",
            "template.version.promoted"
        ]
    );
}
