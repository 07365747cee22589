//! Tickets: given to whom, verified by whom, and what agents report.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

/// What a ticket says, verified with the published keys alone.
async fn verified(server: &Server, ticket: &str) -> Option<Value> {
    let keys = server.anonymous(Method::GET, "/api/v1/sessions/keys").send().await.unwrap();
    let keys: Value = keys.json().await.unwrap();
    let (signed, signature) = ticket.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let json = |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    let header = json(header);
    assert_eq!(header["alg"], "EdDSA");
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"])?;
    assert_eq!((&key["kty"], &key["crv"], &key["use"]), (&json!("OKP"), &json!("Ed25519"), &json!("sig")));
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let good = UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature);
    good.ok().map(|()| json(claims))
}

#[tokio::test]
async fn a_ticket_is_verified_offline_and_opens_one_session() {
    let server = Server::start().await;
    let ada = Person::new(&server, "ada", json!([])).await;
    workspace(&server, "w1", &ada, Some("eng"), None).await;
    workspace(&server, "w2", &ada, Some("eng"), None).await;
    let allowed = ada.connects(&server, "w1", "terminal").await.expect(StatusCode::CREATED);
    let other = ada.connects(&server, "w2", "terminal").await.expect(StatusCode::CREATED);
    let (id, ticket) = (allowed["id"].as_str().unwrap(), allowed["ticket"].as_str().unwrap());
    let claims = verified(&server, ticket).await.expect("it is signed with a published key");
    for (name, value) in [
        ("jti", json!(id)),
        ("aud", json!("workspace/w1")),
        ("sub", json!(ada.id)),
        ("name", json!("ada")),
        ("kind", json!("terminal")),
        ("client", json!("test")),
        ("address", json!("127.0.0.1")),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 120);
    assert_eq!(status(&server, id).await, "authorized");
    let authorized = told(&server, id, "session.authorized").await;
    assert_eq!((ids(&authorized[0]["policies"]), &authorized[0]["organization"]), (vec!["builtin:own"], &json!("eng")));

    let path = format!("/api/v1/sessions/{id}");
    let open = async |ticket: &Value| server.post(&format!("{path}/open"), &json!({"ticket": ticket})).await.status;
    assert_eq!(open(&other["ticket"]).await, StatusCode::BAD_REQUEST, "a ticket of another session");
    assert_eq!(open(&json!(format!("{ticket}x"))).await, StatusCode::BAD_REQUEST);
    assert_eq!(open(&allowed["ticket"]).await, StatusCode::OK);
    assert_eq!(open(&allowed["ticket"]).await, StatusCode::OK, "said again, it is open already");
    assert_eq!(told(&server, id, "session.opened").await.len(), 1);
    let beat = server.post(&format!("{path}/heartbeat"), &json!({})).await.expect(StatusCode::OK);
    assert_eq!((&beat["status"], &beat["cut"]), (&json!("open"), &json!(false)));
    let closing = json!({"bytes_in": 17, "bytes_out": 4, "exit_code": 3});
    let closed = server.post(&format!("{path}/close"), &closing).await.expect(StatusCode::OK);
    assert_eq!(
        (&closed["status"], &closed["bytes_in"], &closed["exit_code"]),
        (&json!("closed"), &json!(17), &json!(3))
    );
    let event = end(&server, id, "session.closed").await;
    assert!(event["data"]["duration_ms"].is_u64() && event["data"]["user_id"] == json!(ada.id), "{event}");
    assert_eq!(open(&allowed["ticket"]).await, StatusCode::BAD_REQUEST, "what is over does not begin again");
    let beat = server.post(&format!("{path}/heartbeat"), &json!({})).await.expect(StatusCode::OK);
    assert_eq!(beat["cut"], true);
    assert_eq!(session(&server, id).await["user_id"], json!(ada.id));
}

#[tokio::test]
async fn whoever_may_not_connect_is_on_record_and_strangers_learn_nothing() {
    let server = Server::start().await;
    server.post("/api/v1/organizations", &json!({"name": "eng"})).await.expect(StatusCode::CREATED);
    let ada = Person::new(&server, "ada", json!([])).await;
    let stranger = Person::new(&server, "eve", json!([])).await;
    let admin = Person::new(&server, "tom", json!([{"role": "template-admin", "organization": "eng"}])).await;
    let owner = Person::new(&server, "olga", json!([{"role": "owner"}])).await;
    workspace(&server, "w", &ada, Some("eng"), None).await;

    let unknown = stranger.connects(&server, "nothing", "ssh").await.expect(StatusCode::NOT_FOUND);
    let refused = stranger.connects(&server, "w", "ssh").await.expect(StatusCode::NOT_FOUND);
    assert_eq!(unknown["detail"], refused["detail"]);
    let refused = admin.connects(&server, "w", "ssh").await.expect(StatusCode::FORBIDDEN);
    assert_eq!(refused["policies"], json!([]));
    let denied = server.events("type:session.denied").await;
    let who: Vec<&Value> = denied.iter().map(|event| &event["actor"]["id"]).collect();
    assert_eq!(who, [&json!(stranger.id), &json!(admin.id)]);
    for event in &denied {
        assert_eq!((&event["outcome"], &event["data"]["workspace_id"]), (&json!("denied"), &json!("w")), "{event}");
        assert_eq!((&event["data"]["kind"], &event["actor"]["ip"]), (&json!("ssh"), &json!("127.0.0.1")));
    }
    assert_eq!(server.events("type:token.refused").await.len(), 0, "it is on record once");

    // An address is believed from those who may close sessions of others.
    let order = json!({"kind": "rdp", "address": "203.0.113.9"});
    ada.posts(&server, &connect("w"), order.clone()).await.expect(StatusCode::CREATED);
    owner.posts(&server, &connect("w"), order).await.expect(StatusCode::CREATED);
    let from: Vec<Value> =
        server.events("type:session.authorized").await.iter().map(|event| event["actor"]["ip"].clone()).collect();
    assert_eq!(from, [json!("127.0.0.1"), json!("203.0.113.9")]);
    for order in [json!({"kind": "telepathy"}), json!({}), json!({"kind": "ssh", "more": 1})] {
        assert_eq!(ada.posts(&server, &connect("w"), order).await.status, StatusCode::BAD_REQUEST);
    }

    reports(&server, "w", "workspace.build.succeeded", Some("eng"), json!({"build_number": 2, "transition": "stop"}))
        .await;
    until("it stops", async || status_of_workspace(&server, "w").await == "stopped").await;
    let refused = ada.connects(&server, "w", "ssh").await.expect(StatusCode::CONFLICT);
    assert_eq!(refused["detail"], "the workspace is stopped");
    let denied = server.events("type:session.denied").await.pop().unwrap();
    assert_eq!(denied["reason"], refused["detail"]);
}

#[tokio::test]
async fn an_agent_needs_no_more_than_to_report_and_people_close_their_own() {
    let server = Server::start().await;
    let role = json!({"permissions": ["sessions:write", "events:write"]});
    server.send(Method::PUT, "/api/v1/roles/session-agent", &role).await.expect(StatusCode::OK);
    let agent = Person::new(&server, "agent", json!([{"role": "session-agent"}])).await;
    let (ada, bob) = (Person::new(&server, "ada", json!([])).await, Person::new(&server, "bob", json!([])).await);
    workspace(&server, "w", &ada, None, None).await;
    let allowed = ada.connects(&server, "w", "web_ide").await.expect(StatusCode::CREATED);
    let path = format!("/api/v1/sessions/{}", allowed["id"].as_str().unwrap());
    let open = json!({"ticket": allowed["ticket"]});
    assert_eq!(ada.posts(&server, &format!("{path}/open"), open.clone()).await.status, StatusCode::NOT_FOUND);
    agent.posts(&server, &format!("{path}/open"), open).await.expect(StatusCode::OK);
    let opened = told(&server, allowed["id"].as_str().unwrap(), "session.opened").await;
    assert_eq!((&opened[0]["actor"]["id"], &opened[0]["data"]["agent"]), (&json!(ada.id), &json!("agent")));
    assert_eq!(bob.posts(&server, &format!("{path}/close"), json!({})).await.status, StatusCode::NOT_FOUND);
    let closed = ada.posts(&server, &format!("{path}/close"), json!({"reason": "done"})).await.expect(StatusCode::OK);
    assert_eq!((&closed["status"], &closed["reason"]), (&json!("closed"), &json!("done")));
    let refused = agent.connects(&server, "w", "ssh").await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "who reports may not connect");
}

#[tokio::test]
async fn keys_are_replaced_with_an_overlap_and_outlive_a_restart() {
    let directory = tempfile::TempDir::new().unwrap();
    let mut server = Server::start_in(directory.path(), &[]).await;
    let ada = Person::new(&server, "ada", json!([])).await;
    workspace(&server, "w", &ada, None, None).await;
    let ticket = async |server: &Server| {
        let allowed = ada.connects(server, "w", "terminal").await.expect(StatusCode::CREATED);
        allowed["ticket"].as_str().unwrap().to_owned()
    };
    let old = ticket(&server).await;
    let rotation = json!({"purpose": "ticket", "lead_seconds": 0, "overlap_seconds": 600});
    let keys = server.post("/api/v1/sessions/keys/rotate", &rotation).await.expect(StatusCode::OK);
    assert_eq!(keys["items"].as_array().unwrap().len(), 2, "{keys}");
    let new = ticket(&server).await;
    assert!(verified(&server, &old).await.is_some() && verified(&server, &new).await.is_some());
    assert_ne!(old.split('.').next(), new.split('.').next(), "the new key signs");
    let later = json!({"purpose": "ticket", "lead_seconds": 600, "overlap_seconds": 600});
    server.post("/api/v1/sessions/keys/rotate", &later).await.expect(StatusCode::OK);
    let before = ticket(&server).await;
    assert_eq!(
        new.split('.').next(),
        before.split('.').next(),
        "a key that is not known long enough does not sign yet"
    );
    assert_eq!(server.events("type:session.key.created").await.len(), 3);
    let retired = server.events("type:session.key.retired").await;
    assert!(retired.len() == 2 && retired.iter().all(|event| event["causation"].is_string()), "{retired:?}");

    server.restart().await;
    assert!(verified(&server, &new).await.is_some());
    ticket(&server).await;
    assert_eq!(server.events("type:session.key.created").await.len(), 3, "the keys are the same");
    let secret = directory.path().join("sessions.key");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&secret).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let secret = std::fs::read_to_string(secret).unwrap();
    let log = server.events("type:session.*").await;
    assert!(!json!(log).to_string().contains(secret.trim()));
}
