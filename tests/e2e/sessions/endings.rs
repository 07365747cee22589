//! What may not go on ends, and says why.

use super::*;

#[tokio::test]
async fn suspension_ends_sessions_and_what_was_allowed_in_the_same_decision() {
    let server = Server::start().await;
    let (ada, bob) = (Person::new(&server, "ada", json!([])).await, Person::new(&server, "bob", json!([])).await);
    workspace(&server, "w", &ada, None, None).await;
    workspace(&server, "v", &bob, None, None).await;
    let open = ada.opens(&server, "w", "ssh").await;
    let others = bob.opens(&server, "v", "ssh").await;
    let allowed = ada.connects(&server, "w", "terminal").await.expect(StatusCode::CREATED);
    let allowed_id = allowed["id"].as_str().unwrap();
    server.post(&format!("/api/v1/users/{}/suspend", ada.id), &json!({})).await.expect(StatusCode::OK);
    // Nothing is waited for: it is over when the answer is there.
    assert_eq!(status(&server, &open).await, "closed");
    let suspended = server.events("type:user.suspended").await;
    for (id, event_type) in [(open.as_str(), "session.closed"), (allowed_id, "session.revoked")] {
        let events = told(&server, id, event_type).await;
        assert_eq!(events.len(), 1, "{id} {event_type}");
        assert_eq!(events[0]["causation"], suspended[0]["id"]);
    }
    let late = json!({"ticket": allowed["ticket"]});
    assert_eq!(
        server.post(&format!("/api/v1/sessions/{allowed_id}/open"), &late).await.status,
        StatusCode::BAD_REQUEST
    );
    let beat = server.post(&format!("/api/v1/sessions/{open}/heartbeat"), &json!({})).await.expect(StatusCode::OK);
    assert_eq!(beat["cut"], true);
    assert_eq!(status(&server, &others).await, "open");
    assert_eq!(ada.connects(&server, "w", "ssh").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn access_that_is_lost_ends_sessions_with_its_cause() {
    let server = Server::start().await;
    let ada = Person::new(&server, "ada", json!([])).await;
    let olga = Person::new(&server, "olga", json!([{"role": "owner"}])).await;
    for id in ["w1", "w2", "w3"] {
        workspace(&server, id, &ada, None, None).await;
    }
    let by_role = olga.opens(&server, "w1", "terminal").await;
    let moved = ada.opens(&server, "w2", "terminal").await;
    let stopped = ada.opens(&server, "w3", "terminal").await;
    let stays = ada.opens(&server, "w1", "terminal").await;

    let role = format!("/api/v1/users/{}/roles", olga.id);
    let taken = server.send(Method::DELETE, &role, &json!({"role": "owner"})).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT, "{}", taken.text);
    let cause = server.events("type:role.revoked").await.remove(0);
    assert_eq!(end(&server, &by_role, "session.closed").await["causation"], cause["id"]);

    reports(&server, "w2", "workspace.transferred", None, json!({"from": "ada", "to": "olga", "to_id": olga.id})).await;
    let cause = server.events("type:workspace.transferred").await.remove(0);
    assert_eq!(end(&server, &moved, "session.closed").await["causation"], cause["id"]);

    reports(&server, "w3", "workspace.build.started", None, json!({"build_number": 2, "transition": "stop"})).await;
    let cause = server.events("type:workspace.build.started").await.remove(0);
    let event = end(&server, &stopped, "session.closed").await;
    assert_eq!((&event["causation"], &event["reason"]), (&cause["id"], &json!("the workspace is stopping")));
    assert_eq!(event["actor"]["kind"], "system");
    assert_eq!(status(&server, &stays).await, "open");
}

#[tokio::test]
async fn a_policy_that_forbids_ends_what_it_forbids_and_is_named() {
    let server = Server::start().await;
    let ada = Person::new(&server, "ada", json!([])).await;
    workspace(&server, "w", &ada, None, None).await;
    let (old, new) = (ada.opens(&server, "w", "rdp").await, ada.opens(&server, "w", "terminal").await);
    let text = "forbid (principal, action == Action::\"sessions:connect\", resource is Workspace)\n\
                when { context has session && context.session.kind == \"rdp\" };";
    server.send(Method::PUT, "/api/v1/policies/no-rdp", &json!({"text": text})).await.expect(StatusCode::OK);
    let cause = server.events("type:policy.published").await.remove(0);
    let event = end(&server, &old, "session.closed").await;
    assert_eq!((&event["causation"], ids(&event["policies"])), (&cause["id"], vec!["no-rdp"]));
    let refused = ada.connects(&server, "w", "rdp").await.expect(StatusCode::FORBIDDEN);
    assert_eq!(ids(&refused["policies"]), ["no-rdp"]);
    assert_eq!(status(&server, &new).await, "open");
}

#[tokio::test]
async fn sessions_that_are_not_heard_of_are_lost() {
    let directory = tempfile::TempDir::new().unwrap();
    let server = Server::start_in(directory.path(), &[("CHANCERY_SESSIONS_HEARTBEAT_SECONDS", "2")]).await;
    let ada = Person::new(&server, "ada", json!([])).await;
    workspace(&server, "w", &ada, None, None).await;
    let (silent, heard) = (ada.opens(&server, "w", "vnc").await, ada.opens(&server, "w", "vnc").await);
    let beat = format!("/api/v1/sessions/{heard}/heartbeat");
    until("the silent one is lost", async || {
        server.post(&beat, &json!({})).await.expect(StatusCode::OK);
        status(&server, &silent).await == "closed"
    })
    .await;
    assert_eq!(session(&server, &silent).await["reason"], "lost");
    assert_eq!(status(&server, &heard).await, "open");
}

#[tokio::test]
async fn agents_hear_of_ends_as_they_happen() {
    let server = Server::start().await;
    let ada = Person::new(&server, "ada", json!([])).await;
    for id in ["w1", "w2"] {
        workspace(&server, id, &ada, None, None).await;
    }
    let (id, other) = (ada.opens(&server, "w1", "ssh").await, ada.opens(&server, "w2", "ssh").await);
    let mut watch = server.request(Method::GET, "/api/v1/workspaces/w1/sessions/watch").send().await.unwrap();
    assert_eq!(watch.status(), StatusCode::OK);
    let mut text = String::new();
    let mut read = async |part: &str| {
        while !text.contains(part) {
            text.push_str(std::str::from_utf8(&watch.chunk().await.unwrap().unwrap()).unwrap());
        }
        text.clone()
    };
    let first = read("event: sessions\n").await;
    assert!(first.contains(&id) && !first.contains(&other), "{first}");
    for session in [&other, &id] {
        server.post(&format!("/api/v1/sessions/{session}/close"), &json!({})).await.expect(StatusCode::OK);
    }
    let all = read("event: session.closed\n").await;
    assert!(!all.contains(&other), "{all}");
    let stranger = Person::new(&server, "eve", json!([])).await;
    let refused = server.anonymous(Method::GET, "/api/v1/workspaces/w1/sessions/watch").bearer_auth(&stranger.token);
    assert_eq!(refused.send().await.unwrap().status(), StatusCode::NOT_FOUND);
}
