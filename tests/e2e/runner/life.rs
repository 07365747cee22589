//! The life of a workspace as Terraform and the audit trail tell it.

use super::*;

const PLAIN: &str = include_str!("../../../deploy/templates/plain/main.tf");

/// Push, build, plan, refused for the quota, smaller, apply, stop, delete; and then the whole story from the audit trail.
#[tokio::test]
async fn a_workspace_is_built_refused_stopped_and_deleted_and_all_of_it_is_on_record() {
    let yard = Yard::open(30).await;
    let password = r#"default     = "hunter22"
  sensitive"#;
    let content = PLAIN.replace("default     = \"\"\n  sensitive", password);
    assert_ne!(content, PLAIN);
    let template = yard.template("plain", &content).await;
    let id = yard.workspace(&template, "dev", json!({"size": "large"})).await;
    let runner = yard.runner();
    let refused = yard.ends(&runner, &id, 1, "rejected").await;
    assert_eq!((&refused["daily_cost"], &refused["applied"]), (&json!(61), &json!(false)), "{refused}");
    assert_eq!(refused["resources"].as_array().unwrap().len(), 2, "what was planned is shown: {refused}");
    assert!(yard.server.get(&format!("/api/v1/workspaces/{id}"), &[]).await["daily_cost"] == 0);

    assert_eq!(yard.build(&id, "start", Some(json!({"size": "small"}))).await, 2);
    let built = yard.ends(&runner, &id, 2, "succeeded").await;
    assert_eq!(built["daily_cost"], 11, "{built}");
    assert_eq!(built["outputs"]["address"]["value"], "dev.ada.example.com");
    assert_eq!(built["outputs"]["login"], json!({"sensitive": true}), "the value is nobody's business");
    let addresses: Vec<&str> =
        built["resources"].as_array().unwrap().iter().map(|one| one["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, ["terraform_data.home", "terraform_data.machine[0]"]);
    let shown = yard.server.get(&format!("/api/v1/workspaces/{id}"), &[]).await;
    assert_eq!((&shown["status"], &shown["daily_cost"]), (&json!("running"), &json!(11)));
    assert_eq!(shown["last_build"]["outputs"]["address"]["value"], "dev.ada.example.com");

    read_logs(&yard, &id).await;
    keep_the_state(&yard, &id).await;

    yard.build(&id, "stop", None).await;
    let stopped = yard.ends(&runner, &id, 3, "succeeded").await;
    assert_eq!((&stopped["daily_cost"], stopped["resources"].as_array().unwrap().len()), (&json!(1), 1), "{stopped}");
    yard.build(&id, "delete", None).await;
    let deleted = yard.ends(&runner, &id, 4, "succeeded").await;
    assert_eq!(deleted["resources"], json!([]), "{deleted}");

    let told = yard
        .types(&format!("resource.id:{id} type:workspace.* -type:workspace.state.* -type:workspace.build.log-closed"))
        .await;
    let asked = ["workspace.build.requested", "workspace.build.queued", "workspace.build.started"];
    let done = ["workspace.build.planned", "workspace.build.apply-started", "workspace.build.succeeded"];
    let story = [
        &["workspace.created"][..],
        &asked,
        &["workspace.build.rejected"],
        &asked,
        &done,
        &asked,
        &done,
        &asked,
        &done,
        &["workspace.deleted"],
    ];
    assert_eq!(told, story.concat());
    let sums: Vec<Value> = yard.server.events("type:quota.* resource.kind:quota").await;
    let sums: Vec<(&str, &Value, &Value)> = sums
        .iter()
        .map(|event| (event["type"].as_str().unwrap(), &event["data"]["cost"], &event["data"]["committed"]))
        .collect();
    let sum = |kind, cost: u32, committed: Option<u32>| (kind, json!(cost), json!(committed));
    let expected = [
        sum("quota.denied", 61, Some(0)),
        sum("quota.reserved", 11, Some(0)),
        sum("quota.committed", 11, Some(11)),
        sum("quota.reserved", 1, Some(11)),
        sum("quota.committed", 1, Some(1)),
        sum("quota.reserved", 0, Some(1)),
        sum("quota.released", 0, Some(0)),
    ];
    assert_eq!(sums, expected.each_ref().map(|(kind, cost, committed)| (*kind, cost, committed)));
    let everything = yard.server.events("type:workspace.*").await;
    let on_record: Vec<&Value> = everything.iter().filter(|event| event.to_string().contains("hunter22")).collect();
    assert!(on_record.is_empty(), "{on_record:?}");
}

/// The log of what was built and of what was refused, in every form.
async fn read_logs(yard: &Yard, id: &str) {
    let path = |number: u32| format!("/api/v1/workspaces/{id}/builds/{number}/logs");
    let log = yard.server.get(&path(2), &[]).await;
    let items = log["items"].as_array().unwrap();
    assert!(items.iter().any(|line| line["text"] == "template plain v1" && line["stage"] == "prepare"), "{log}");
    assert_eq!(items.last().unwrap()["text"], "done");
    let sequences: Vec<u64> = items.iter().map(|line| line["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>());
    assert_eq!((&log["log"]["complete"], &log["log"]["kept"]), (&json!(true), &json!(items.len())));
    assert!(!log.to_string().contains("hunter22"), "secrets are masked");
    let ended = yard.server.events(&format!("resource.id:{id} type:workspace.build.succeeded")).await;
    assert_eq!(ended[0]["data"]["log"]["digest"], log["log"]["digest"], "the digest is on record");

    // Live, and on from where one was.
    let live = yard.server.request(Method::GET, &path(2)).header("accept", "text/event-stream");
    let live = live.send().await.unwrap().text().await.unwrap();
    assert_eq!(live.matches("\ndata: ").count(), items.len() + 1, "{live}");
    assert!(live.contains("event: end\ndata: "), "{live}");
    let last = live.lines().rfind(|line| line.starts_with("id: ")).unwrap().trim_start_matches("id: ");
    let rest = yard.server.request(Method::GET, &path(2)).header("accept", "text/event-stream");
    let rest = rest.header("last-event-id", last).send().await.unwrap().text().await.unwrap();
    assert_eq!(rest.matches("\ndata: ").count(), 1, "the end alone: {rest}");
    let lines = yard.server.request(Method::GET, &path(2)).header("accept", "application/x-ndjson");
    assert_eq!(lines.send().await.unwrap().text().await.unwrap().lines().count(), items.len());

    // One that was refused has a log, too, which is closed afterwards.
    let begun = Instant::now();
    let refused = loop {
        let log = yard.server.get(&path(1), &[]).await;
        if !log["log"].is_null() {
            break log;
        }
        assert!(begun.elapsed() < PATIENCE, "the log is not closed: {log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((&refused["log"]["complete"], &refused["status"]), (&json!(true), &json!("rejected")), "{refused}");
    let closed = yard.server.events(&format!("resource.id:{id} type:workspace.build.log-closed")).await;
    assert_eq!((closed.len(), &closed[0]["data"]["log"]["digest"]), (1, &refused["log"]["digest"]));

    let said = yard.server.run(&["workspaces", "logs", id, "--number", "2", "--follow"]);
    assert!(said.status.success(), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stdout).contains("template plain v1"), "{said:?}");
}

/// What is kept of the state, and who gets at it.
async fn keep_the_state(yard: &Yard, id: &str) {
    let listed = yard.server.run(&["workspaces", "state", "list", id, "--output", "json"]);
    assert!(listed.status.success() && listed.stdout.starts_with(b"["), "{listed:?}");
    let shown = yard.server.run(&["workspaces", "state", "show", id, "--reason", "an audit"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("hunter22"), "a state holds secrets: {shown:?}");
    let path = format!("/api/v1/workspaces/{id}/state");
    let without = yard.server.send(Method::GET, &format!("{path}/versions/last"), &Value::Null).await;
    assert_eq!(without.status, StatusCode::BAD_REQUEST, "{}", without.text);
    let restored = yard.server.run(&["workspaces", "state", "restore", id, "1", "--reason", "a rehearsal"]);
    assert!(restored.status.success(), "{restored:?}");
    let newest = yard.server.get(&format!("{path}/versions"), &[("limit", "1")]).await["items"][0].clone();
    let back = newest["version"].as_u64().unwrap() - 1;
    assert_eq!(newest["restored_from"], 1);
    // The one before again, for what comes next.
    let again = yard.server.post(&format!("{path}/versions/{back}/restore"), &json!({"reason": "it was one"})).await;
    again.expect(StatusCode::OK);
    let events = yard.server.events(&format!("resource.id:{id} type:workspace.state.restored")).await;
    assert_eq!((events.len(), &events[0]["reason"]), (2, &json!("a rehearsal")));
    let nothing = yard.server.run(&["workspaces", "state", "unlock", id, "--reason", "it hangs"]);
    assert!(!nothing.status.success(), "it is not locked: {nothing:?}");

    // Credentials of nobody, of a job that has ended, and of an administrator without a job.
    let job = yard.shown(id, 2).await["job_id"].as_str().unwrap().to_owned();
    for (name, password) in [(job.as_str(), "guess"), ("nobody", "guess")] {
        let asked = yard.server.anonymous(Method::GET, &path).basic_auth(name, Some(password)).send().await.unwrap();
        assert_eq!(asked.status(), StatusCode::UNAUTHORIZED);
    }
    let admin = yard.server.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(admin.status(), StatusCode::FORBIDDEN);
    let lock = yard.server.request(Method::from_bytes(b"LOCK").unwrap(), &path).json(&json!({"ID": "x"}));
    assert_eq!(lock.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let blobs = yard.directory.path().join("server/blobs");
    let clear = Command::new("grep").args(["-rlE", "lineage|terraform_version"]).arg(&blobs).output().unwrap();
    assert_eq!((clear.status.code(), clear.stdout), (Some(1), Vec::new()), "no state is at rest in the clear");
}
