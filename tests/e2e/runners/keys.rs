//! Runner keys and key pairs: registering, rotating, revoking.

use std::process::Command;

use chancery_tests::{Process, binary, terraform};

use super::*;

#[tokio::test]
async fn a_runner_registers_takes_a_job_and_every_step_is_on_record() {
    let depot = Depot::open(&[]).await;
    let key = depot.key(json!({"tags": {}, "name": "lab"})).await;
    let runner = SignedRunner::register(&depot.server, &key, "lab-1").await;
    let ada = depot.user("ada").await;
    let workspace = depot.workspace("engine", &ada).await;
    let job = runner.job().await.unwrap();
    let planned = runner.tell(&job, "planned", &json!({"daily_cost": 0})).await.expect(StatusCode::OK);
    assert_eq!(planned["answer"], "accepted");
    assert_eq!(runner.tell(&job, "applying", &json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(runner.tell(&job, "finished", &json!({"outcome": "succeeded"})).await.status, StatusCode::NO_CONTENT);
    let build = depot.build(&workspace, 1).await;
    assert_eq!((&build["status"], &build["runner_id"]), (&json!("succeeded"), &json!(runner.id)));
    let told = depot.types(&format!("resource.id:{}", runner.id)).await;
    assert_eq!(told, ["runner.registered", "runner.connected"]);
    let events = depot.server.events("type:runner.key.*").await;
    let told: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(told, ["runner.key.created", "runner.key.used"]);
    let (id, secret) = key.strip_prefix("chr_").unwrap().split_once('_').unwrap();
    assert_eq!(events[1]["resource"]["id"], id);
    assert_eq!(events[1]["actor"]["kind"], "runner");
    assert!(!events.iter().any(|event| event.to_string().contains(secret)), "only its digest is kept");
    let acquired = depot.server.events(&format!("resource.id:{job} type:job.acquired")).await;
    assert_eq!((&acquired[0]["actor"]["kind"], &acquired[0]["actor"]["id"]), (&json!("runner"), &json!(runner.id)));
    let shown = depot.server.get(&format!("/api/v1/runners/{}", runner.id), &[]).await;
    assert_eq!((&shown["status"], &shown["hostname"]), (&json!("connected"), &json!("here")));
    assert!(shown["last_seen_at"].is_string(), "{shown}");
}

#[tokio::test]
async fn keys_end_in_every_way_they_can_and_cut_off_their_runners() {
    let depot = Depot::open(&[]).await;
    let once = depot.key(json!({"one_time": true})).await;
    let first = SignedRunner::register(&depot.server, &once, "first").await;
    let (second, _) = SignedRunner::try_register(&depot.server, &once, "second").await;
    assert!(refused(&second, StatusCode::FORBIDDEN).contains("good for one runner"));
    for wrong in ["chr_unknown_secret", "nonsense", &format!("{once}x")] {
        let (answer, _) = SignedRunner::try_register(&depot.server, wrong, "other").await;
        assert!(refused(&answer, StatusCode::UNAUTHORIZED).contains("not valid"));
    }
    let recorded = depot.recorded("type:runner.refused resource.kind:runner-key outcome:denied").await;
    assert!(recorded.len() >= 4, "{recorded:?}");
    let soon = json!({"expires_at": "2020-01-01T00:00:00Z", "name": "old", "organization": "acme"});
    let past = depot.server.post("/api/v1/runner-keys", &soon).await;
    assert!(refused(&past, StatusCode::BAD_REQUEST).contains("past"));

    let key = depot.key(json!({})).await;
    let id = key.split('_').nth(1).unwrap().to_owned();
    let runner = SignedRunner::register(&depot.server, &key, "lab").await;
    let rotated = depot.server.post(&format!("/api/v1/runner-keys/{id}/rotate"), &json!({"overlap_seconds": 0})).await;
    let next = rotated.expect(StatusCode::CREATED)["key"].as_str().unwrap().to_owned();
    let (late, _) = SignedRunner::try_register(&depot.server, &key, "late").await;
    assert!(refused(&late, StatusCode::FORBIDDEN).contains("expired"));
    let other = SignedRunner::register(&depot.server, &next, "other").await;
    assert_eq!(runner.acquire(0).await.status, StatusCode::NO_CONTENT, "its runners stay");

    // A request that waits ends when its runner is cut off.
    let waiting = tokio::spawn({
        let runner = runner.clone();
        async move { (Instant::now(), runner.acquire(60).await) }
    });
    depot.recorded(&format!("type:runner.connected resource.id:{}", runner.id)).await;
    let path = format!("/api/v1/runner-keys/{id}?reason=stolen");
    let revoked = depot.server.send(Method::DELETE, &path, &Value::Null).await.expect(StatusCode::OK);
    assert_eq!(revoked["unusable"], "the runner key was revoked");
    let (asked, ended) = waiting.await.unwrap();
    assert!(refused(&ended, StatusCode::UNAUTHORIZED).contains("revoked"));
    assert!(asked.elapsed() < Duration::from_secs(45), "it waits on");
    assert!(refused(&runner.acquire(0).await, StatusCode::UNAUTHORIZED).contains("revoked"));
    assert_eq!(other.acquire(0).await.status, StatusCode::NO_CONTENT, "that of the successor stays");
    assert_eq!(first.acquire(0).await.status, StatusCode::NO_CONTENT);
    let events = depot.server.events(&format!("type:runner.revoked resource.id:{}", runner.id)).await;
    let cause = depot.server.events(&format!("type:runner.key.revoked resource.id:{id}")).await;
    assert_eq!((&events[0]["causation"], &cause[0]["reason"]), (&cause[0]["id"], &json!("stolen")));
    let again = depot.server.send(Method::DELETE, &path, &Value::Null).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_runner_is_revoked_alone_and_changes_its_key_pair_itself() {
    let depot = Depot::open(&[]).await;
    let (one, other) = (depot.runner("one").await, depot.runner("other").await);
    let seed = [7; 32];
    let pair = chancery_signatures::KeyPair::from_seed(seed).unwrap();
    let public_key = pair.public_key();
    let proof = pair.sign_text(&chancery_signatures::possession(&one.id, &public_key));
    let body = json!({"public_key": public_key, "proof": proof});
    let path = format!("/api/v1/runners/{}/rotate", one.id);
    assert_eq!(other.send(Method::POST, &path, &body).await.status, StatusCode::NOT_FOUND);
    let unproven = json!({"public_key": public_key, "proof": one.pair.sign_text("else")});
    assert!(refused(&one.send(Method::POST, &path, &unproven).await, StatusCode::BAD_REQUEST).contains("proof"));
    one.send(Method::POST, &path, &body).await.expect(StatusCode::OK);
    assert!(refused(&one.acquire(0).await, StatusCode::UNAUTHORIZED).contains("does not fit"));
    let renewed = SignedRunner { pair: std::sync::Arc::new(pair), ..one.clone() };
    assert_eq!(renewed.acquire(0).await.status, StatusCode::NO_CONTENT);
    let pair = chancery_signatures::KeyPair::from_seed(seed).unwrap();
    let proof = pair.sign_text(&chancery_signatures::possession(&other.id, &public_key));
    let (path, body) =
        (format!("/api/v1/runners/{}/rotate", other.id), json!({"public_key": public_key, "proof": proof}));
    let taken = other.send(Method::POST, &path, &body).await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "a key pair is one runner's");
    let revoked = depot.server.send(Method::DELETE, &format!("/api/v1/runners/{}", one.id), &Value::Null).await;
    assert_eq!(revoked.expect(StatusCode::OK)["status"], "revoked");
    assert!(refused(&renewed.acquire(0).await, StatusCode::UNAUTHORIZED).contains("revoked"));
    assert_eq!(other.acquire(0).await.status, StatusCode::NO_CONTENT);
    let told = depot.types(&format!("resource.id:{} outcome:success", one.id)).await;
    let expected = ["runner.registered", "runner.identity.rotated", "runner.connected", "runner.revoked"];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_command_line_issues_lists_and_withdraws() {
    let depot = Depot::open(&[]).await;
    let run = |arguments: &[&str]| {
        let output = depot.server.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let create = ["runners", "keys", "create", "lab", "--organization", "acme", "--tag", "zone=lab", "--one-time"];
    let key = run(&create);
    assert!(key.starts_with("chr_"), "{key}");
    let id = key.split('_').nth(1).unwrap();
    let runner = SignedRunner::register(&depot.server, &key, "lab-1").await;
    let listed: Value = serde_json::from_str(&run(&["runners", "list", "--output", "json"])).unwrap();
    assert_eq!((&listed[0]["id"], &listed[0]["tags"]), (&json!(runner.id), &json!({"zone": "lab"})));
    let shown: Value = serde_json::from_str(&run(&["runners", "show", &runner.id])).unwrap();
    assert_eq!(shown["key_id"], id);
    assert_eq!(run(&["runners", "revoke", &runner.id, "--reason", "done"]), "revoked");
    assert!(refused(&runner.acquire(0).await, StatusCode::UNAUTHORIZED).contains("revoked"));
    let keys: Value = serde_json::from_str(&run(&["runners", "keys", "list", "--output", "json"])).unwrap();
    assert!(keys[0]["unusable"].as_str().unwrap().contains("good for one runner"), "{keys}");
    assert_eq!(run(&["runners", "keys", "revoke", id]), "revoked");
    let key = run(&["runners", "keys", "create", "two", "--organization", "acme"]);
    let next = run(&["runners", "keys", "rotate", key.split('_').nth(1).unwrap(), "--overlap-seconds", "60"]);
    assert_ne!(key, next);
    for key in [key, next] {
        SignedRunner::register(&depot.server, &key, "lab").await;
    }
}

/// The real runner: it registers at its first start, needs no key at the second, and ends when it is revoked.
#[tokio::test(flavor = "multi_thread")]
async fn the_runner_registers_once_keeps_its_identity_and_ends_when_it_is_revoked() {
    let depot = Depot::open(&[]).await;
    let directory = TempDir::new().unwrap();
    let (data, log) = (directory.path().join("runner"), directory.path().join("runner.log"));
    let key = depot.key(json!({"one_time": true})).await;
    let start = |key: Option<&str>| {
        let mut command = Command::new(binary());
        command.args(["--server", &depot.server.url, "runner", "--name", "lab", "--data-directory"]).arg(&data);
        command.arg("--terraform").arg(terraform()).env("CHANCERY_CONFIG", "/dev/null");
        command.envs(key.map(|key| ("CHANCERY_RUNNER_KEY", key)));
        Process::start(&mut command, &log)
    };
    let mut runner = start(Some(&key));
    let connected = depot.recorded("type:runner.connected").await;
    assert_eq!(connected[0]["resource"]["name"], "lab");
    let id = connected[0]["resource"]["id"].as_str().unwrap().to_owned();
    let identity = std::fs::metadata(data.join("identity.json")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&identity.permissions()) & 0o777, 0o600);
    runner.kill();
    let seen = depot.server.get(&format!("/api/v1/runners/{id}"), &[]).await["last_seen_at"].clone();
    let mut runner = start(None);
    let begun = Instant::now();
    while depot.server.get(&format!("/api/v1/runners/{id}"), &[]).await["last_seen_at"] == seen {
        assert!(begun.elapsed() < PATIENCE && runner.ended().is_none(), "{:?}", std::fs::read_to_string(&log));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let runners = depot.server.get("/api/v1/runners", &[]).await;
    assert_eq!(runners["items"].as_array().unwrap().len(), 1, "it is the same runner");
    depot.server.send(Method::DELETE, &format!("/api/v1/runners/{id}"), &Value::Null).await.expect(StatusCode::OK);
    while runner.ended().is_none() {
        assert!(begun.elapsed() < PATIENCE, "{:?}", std::fs::read_to_string(&log));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("the runner was revoked"), "{said}");
}
