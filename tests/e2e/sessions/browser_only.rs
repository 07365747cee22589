//! Browser-only mode, and the holes that it has elsewhere.

use super::*;

const PATH: &str = "/api/v1/browser-only";

async fn set(server: &Server, settings: Value) -> Value {
    server.send(Method::PUT, PATH, &settings).await.expect(StatusCode::OK)
}

#[tokio::test]
async fn blocked_attempts_are_on_record() {
    let server = Server::start().await;
    let ada = Person::new(&server, "ada", json!([])).await;
    workspace(&server, "w", &ada, Some("eng"), None).await;
    set(&server, json!({"deployment": true})).await;
    let key = json!({"kind": "ssh", "client": "OpenSSH", "public_key": ssh::key().public_key});
    let refused = ada.posts(&server, &connect("w"), key).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(refused["policies"], json!([{"id": "browser-only", "version": 1}]));
    assert!(refused["detail"].as_str().unwrap().contains("`browser-only`"), "{refused}");
    assert!(refused.get("certificate").is_none() && refused.get("ticket").is_none());
    let denied = server.events("type:session.denied").await;
    assert_eq!(denied.len(), 1);
    let event = &denied[0];
    assert_eq!((ids(&event["policies"]), &event["actor"]["id"]), (vec!["browser-only"], &json!(ada.id)));
    assert_eq!((&event["data"]["client"], &event["data"]["kind"]), (&json!("OpenSSH"), &json!("ssh")));
    assert_eq!((&event["data"]["workspace_id"], &event["organization"]), (&json!("w"), &json!("eng")));
    let listed = server.get("/api/v1/sessions", &[]).await;
    assert_eq!(listed["items"][0]["status"], "denied");
    ada.connects(&server, "w", "terminal").await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn open_connections_are_cut_when_browser_only_is_turned_on() {
    let server = Server::start().await;
    let ada = Person::new(&server, "ada", json!([])).await;
    workspace(&server, "w", &ada, None, None).await;
    let (ssh, web) = (ada.opens(&server, "w", "ssh").await, ada.opens(&server, "w", "web_ide").await);
    let allowed = ada.connects(&server, "w", "desktop_ide").await.expect(StatusCode::CREATED);
    // A session that another system has let through and reports.
    let reported = json!([{
        "specversion": "1.0", "id": "o-1", "source": "/platform", "type": "session.opened", "subject": "session/reported",
        "data": {"actor": {"id": ada.id}, "details": {"kind": "ssh", "workspace_id": "w"}},
    }]);
    assert_eq!(server.ingest(&reported).await.1["created"], 1);
    until("it is known", async || {
        server.send(Method::GET, "/api/v1/sessions/reported", &Value::Null).await.status == StatusCode::OK
    })
    .await;
    set(&server, json!({"deployment": true})).await;
    // Nothing is waited for: they are over when the answer is there.
    let published = server.events("type:policy.published").await.remove(0);
    let allowed = allowed["id"].as_str().unwrap();
    for (id, event_type) in
        [(ssh.as_str(), "session.closed"), ("reported", "session.closed"), (allowed, "session.revoked")]
    {
        let events = told(&server, id, event_type).await;
        assert_eq!(events.len(), 1, "{id}");
        assert_eq!(events[0]["causation"], published["id"]);
    }
    assert_eq!((status(&server, &ssh).await, status(&server, "reported").await), ("closed".into(), "closed".into()));
    assert_eq!(status(&server, &web).await, "open");
    let changed = server.events("type:settings.changed").await.remove(0);
    assert_eq!(published["causation"], changed["id"]);
    assert_eq!(changed["changes"], json!([{"path": "deployment", "old": false, "new": true}]));
}

#[tokio::test]
async fn owners_are_not_exempt() {
    let server = Server::start().await;
    let ada = Person::new(&server, "ada", json!([])).await;
    let olga = Person::new(&server, "olga", json!([{"role": "owner"}])).await;
    workspace(&server, "w", &ada, None, None).await;
    workspace(&server, "v", &olga, None, None).await;
    set(&server, json!({"deployment": true})).await;
    for id in ["w", "v"] {
        let refused = olga.connects(&server, id, "ssh").await.expect(StatusCode::FORBIDDEN);
        assert_eq!(ids(&refused["policies"]), ["browser-only"]);
        let token = server.post(&connect(id), &json!({"kind": "ssh"})).await.expect(StatusCode::FORBIDDEN);
        assert_eq!(ids(&token["policies"]), ["browser-only"], "the admin token is nobody special either");
    }
    // Unless a policy says so.
    set(&server, json!({"deployment": true, "except": {"roles": ["owner"]}})).await;
    olga.connects(&server, "w", "ssh").await.expect(StatusCode::CREATED);
    assert_eq!(ada.connects(&server, "w", "ssh").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn browser_only_per_template() {
    let server = Server::start().await;
    server.post("/api/v1/organizations", &json!({"name": "eng"})).await.expect(StatusCode::CREATED);
    let (ada, bob) = (Person::new(&server, "ada", json!([])).await, Person::new(&server, "bob", json!([])).await);
    let template = json!([{
        "specversion": "1.0", "id": "t-1", "source": "/platform", "type": "template.created", "subject": "template/secret",
        "data": {"actor": {"id": "platform"}, "details": {"name": "secret"}},
    }]);
    assert_eq!(server.ingest(&template).await.1["created"], 1);
    workspace(&server, "w1", &ada, Some("eng"), Some("secret")).await;
    workspace(&server, "w2", &ada, Some("ops"), Some("other")).await;
    workspace(&server, "w3", &bob, Some("ops"), Some("other")).await;
    let ssh = async || {
        let mut allowed = Vec::new();
        for (person, id) in [(&ada, "w1"), (&ada, "w2"), (&bob, "w3")] {
            allowed.push(person.connects(&server, id, "ssh").await.status == StatusCode::CREATED);
        }
        allowed
    };
    assert_eq!(ssh().await, [true, true, true]);
    set(&server, json!({"templates": ["secret"]})).await;
    assert_eq!(ssh().await, [false, true, true]);
    set(&server, json!({"organizations": ["eng"]})).await;
    assert_eq!(ssh().await, [false, true, true]);
    let idp = chancery_tests::Provider::connect(&server, json!({"organizations": ["eng"]})).await;
    let member = idp.user("carla", json!({})).await;
    let group = idp.group("contractors", std::slice::from_ref(&member)).await;
    let order = json!({"name": "own", "scopes": ["admin"], "owner": {"kind": "user", "id": member}});
    let made = server.post("/api/v1/tokens", &order).await.expect(StatusCode::CREATED);
    let carla = Person { id: member, token: made["token"].as_str().unwrap().to_owned() };
    workspace(&server, "w4", &carla, Some("ops"), None).await;
    set(&server, json!({"groups": [group]})).await;
    assert_eq!(carla.connects(&server, "w4", "ssh").await.status, StatusCode::FORBIDDEN);
    assert_eq!(ssh().await, [true, true, true]);
    set(&server, json!({})).await;
    carla.connects(&server, "w4", "ssh").await.expect(StatusCode::CREATED);
    for unknown in [
        json!({"templates": ["nothing"]}),
        json!({"organizations": ["nowhere"]}),
        json!({"groups": ["nobody"]}),
        json!({"browser_kinds": ["telepathy"]}),
        json!({"deployment": true, "except": {"roles": ["king"]}}),
        json!({"everything": true}),
    ] {
        assert_eq!(server.send(Method::PUT, PATH, &unknown).await.status, StatusCode::BAD_REQUEST, "{unknown}");
    }
}

#[tokio::test]
async fn file_transfer_is_a_kind_of_its_own() {
    let server = Server::start().await;
    let ada = Person::new(&server, "ada", json!([])).await;
    workspace(&server, "w", &ada, None, None).await;
    // Everything but files.
    let kinds = ["ssh", "terminal", "web_ide", "desktop_ide", "jupyter", "rdp", "vnc", "port_forward"];
    set(&server, json!({"deployment": true, "browser_kinds": kinds})).await;
    for kind in kinds {
        ada.connects(&server, "w", kind).await.expect(StatusCode::CREATED);
    }
    let refused = ada.connects(&server, "w", "file_transfer").await.expect(StatusCode::FORBIDDEN);
    assert_eq!(ids(&refused["policies"]), ["browser-only"]);
    assert_eq!(server.events("type:session.denied data.kind:file_transfer").await.len(), 1);
}

#[tokio::test]
async fn it_is_a_policy_with_versions_and_not_written_by_hand() {
    let server = Server::start().await;
    let shown = server.get(PATH, &[]).await;
    assert_eq!((&shown["deployment"], &shown["policy"]), (&json!(false), &Value::Null));
    assert_eq!(shown["browser_kinds"], json!(["jupyter", "terminal", "web_ide"]));
    let set = |arguments: &[&str]| {
        let output = server.run(&[&["policy", "browser-only", "set"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(set(&["--deployment"])["policy"]["version"], 1);
    assert_eq!(set(&["--deployment"])["policy"]["version"], 1, "what is so already is not published again");
    let shown = set(&["--deployment", "--browser-kind", "terminal", "--except-role", "owner"]);
    assert_eq!((&shown["policy"]["version"], &shown["except"]["roles"]), (&json!(2), &json!(["owner"])));
    let all = server.get("/api/v1/policies", &[]).await;
    assert_eq!((ids(&all["items"]), &all["items"][0]["text"]), (vec!["browser-only"], &shown["policy"]["text"]));
    let by_hand = json!({"text": "permit (principal, action, resource);"});
    let path = "/api/v1/policies/browser-only";
    assert_eq!(server.send(Method::PUT, path, &by_hand).await.status, StatusCode::CONFLICT);
    assert_eq!(server.send(Method::DELETE, path, &Value::Null).await.status, StatusCode::CONFLICT);
    assert_eq!(set(&[])["policy"], Value::Null);
    let versions = server.get(path, &[]).await;
    assert_eq!((versions["versions"].as_array().unwrap().len(), &versions["in_force"]), (2, &json!(false)));
    let shown = server.run(&["policy", "browser-only", "show"]);
    assert_eq!(serde_json::from_slice::<Value>(&shown.stdout).unwrap()["deployment"], false);
    assert_eq!(server.events("type:settings.changed").await.len(), 3);
}
