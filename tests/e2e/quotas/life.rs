//! The life of a workspace, its builds and what they take, as HTTP shows it.

use super::*;

#[tokio::test]
async fn a_workspace_lives_and_every_decision_is_on_record() {
    let office = Office::open(10).await;
    let ada = office.user("ada").await;
    let order = json!({"name": "dev", "template": "go", "owner": ada, "parameters": {}});
    let made = office.server.post("/api/v1/workspaces", &order).await.expect(StatusCode::CREATED);
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!((&made["status"], &made["last_build"]["status"]), (&json!("pending"), &json!("queued")));
    assert_eq!(office.server.post("/api/v1/workspaces", &order).await.status, StatusCode::CONFLICT);
    assert_eq!(office.build(&id, "stop").await.status, StatusCode::CONFLICT);
    assert!(office.carry_out(8).await);
    assert_eq!(office.status(&id).await, "running");

    let quota = office.quota(&ada).await;
    assert_eq!(
        (&quota["enforced"], &quota["allowance"], &quota["consumed"], &quota["remaining"]),
        (&json!(true), &json!(10), &json!(8), &json!(2))
    );
    assert_eq!(quota["workspaces"][0]["committed"], 8);
    assert!(quota["groups"].as_array().unwrap().iter().any(|group| group["group_name"] == "team"));

    // Asked before: the same sums, and nothing changes.
    let check = json!({"workspace": id, "cost": 11});
    let judged = office.server.post("/api/v1/quota/check", &check).await.expect(StatusCode::OK);
    assert_eq!((&judged["allowed"], &judged["allowance"], &judged["others"]), (&json!(false), &json!(10), &json!(0)));
    let other = json!({"template": "go", "owner": ada});
    let judged = office.server.post("/api/v1/quota/check", &other).await.expect(StatusCode::OK);
    assert_eq!((&judged["allowed"], &judged["cost"], &judged["others"]), (&json!(false), &json!(4), &json!(8)));
    assert_eq!(office.server.events("type:quota.denied").await.len(), 0);

    // A rejected update frees nothing, and the workspace runs on.
    push(&office.server, &format!("/api/v1/templates/{}", office.template), "two").await;
    office.build(&id, "update").await.expect(StatusCode::CREATED);
    assert!(!office.carry_out(11).await);
    assert_eq!((office.status(&id).await.as_str(), &office.quota(&ada).await["consumed"]), ("running", &json!(8)));
    let denied = office.server.events("type:quota.denied").await;
    assert_eq!((&denied[0]["outcome"], &denied[0]["data"]["consumed"]), (&json!("denied"), &json!(8)));

    office.build(&id, "stop").await.expect(StatusCode::CREATED);
    assert!(office.carry_out(1).await);
    office.build(&id, "start").await.expect(StatusCode::CREATED);
    let cancel = format!("/api/v1/workspaces/{id}/builds/4/cancel");
    assert_eq!(office.server.post(&cancel, &json!({})).await.expect(StatusCode::OK)["status"], "canceled");
    assert_eq!(office.acquire().await, None, "what was canceled is no job");
    assert_eq!(office.status(&id).await, "stopped");
    let gone = office.server.send(Method::DELETE, &format!("/api/v1/workspaces/{id}"), &Value::Null).await;
    assert_eq!(gone.status, StatusCode::ACCEPTED, "{}", gone.text);
    assert!(office.carry_out(0).await);
    assert_eq!((office.status(&id).await.as_str(), &office.quota(&ada).await["consumed"]), ("deleted", &json!(0)));

    let told = office.told(&id).await;
    assert_eq!(told.first().map(String::as_str), Some("workspace.created"));
    assert_eq!(told.last().map(String::as_str), Some("workspace.deleted"));
    assert_eq!(told.iter().filter(|kind| *kind == "workspace.build.rejected").count(), 1);
    let builds = office.server.get(&format!("/api/v1/workspaces/{id}/builds"), &[]).await;
    let statuses: Vec<&str> =
        builds["items"].as_array().unwrap().iter().map(|build| build["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["succeeded", "canceled", "succeeded", "rejected", "succeeded"]);
}

#[tokio::test]
async fn jobs_go_to_the_runners_that_suit_them() {
    let settings = json!({"daily_cost": 1, "runner_tags": {"zone": "a"}});
    let office = Office::open_with(100, settings, &[]).await;
    let ada = office.user("ada").await;
    let id = office.workspace("dev", &ada).await;
    office.build(&id, "start").await.expect(StatusCode::CREATED);
    let ask = async |tags: Value| {
        office.server.post("/api/v1/jobs/acquire", &json!({"organization": "acme", "tags": tags})).await
    };
    assert_eq!(ask(json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask(json!({"zone": "b"})).await.status, StatusCode::NO_CONTENT);
    let job = ask(json!({"zone": "a", "gpu": "yes"})).await.expect(StatusCode::OK);
    assert_eq!((&job["workspace"]["name"], &job["transition"]), (&json!("dev"), &json!("start")));
    assert!(job["template"]["sha256"].is_string(), "{job}");
    let job = job["id"].as_str().unwrap();
    assert_eq!(office.tell(job, "applying", Value::Null).await.status, StatusCode::CONFLICT, "not before its plan");
    let unknown = json!({"daily_cost": 1, "unknown": ["aws_instance.a"]});
    let planned = office.tell(job, "planned", unknown).await.expect(StatusCode::OK);
    assert_eq!(planned["judgement"]["unknown"], json!(["aws_instance.a"]));
    office.tell(job, "applying", Value::Null).await.expect_nothing();
    let failed = json!({"outcome": "failed", "applied": true, "resources_remain": true, "error": "no such image"});
    office.tell(job, "finished", failed).await.expect_nothing();
    let shown = office.server.get(&format!("/api/v1/workspaces/{id}"), &[]).await;
    assert_eq!((&shown["status"], &shown["resources_remain"]), (&json!("failed"), &json!(true)));
    assert_eq!(shown["last_build"]["error"], "no such image");
    assert_eq!(office.quota(&ada).await["workspaces"][0]["unknown"], json!(["aws_instance.a"]));
    let late = office.tell(job, "finished", json!({"outcome": "succeeded"})).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_handover_and_caps_are_weighed() {
    let office = Office::open(10).await;
    let (ada, bob) = (office.user("ada").await, office.user("bob").await);
    let id = office.workspace("dev", &ada).await;
    office.build(&id, "start").await.expect(StatusCode::CREATED);
    assert!(office.carry_out(6).await);
    let mine = office.workspace("mine", &bob).await;
    office.build(&mine, "start").await.expect(StatusCode::CREATED);
    assert!(office.carry_out(5).await);
    let transfer = format!("/api/v1/workspaces/{id}/transfer");
    let refused = office.server.post(&transfer, &json!({"owner": bob})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert_eq!(office.server.events("type:quota.denied").await.len(), 1);
    office.build(&mine, "stop").await.expect(StatusCode::CREATED);
    assert!(office.carry_out(0).await);
    let moved = office.server.post(&transfer, &json!({"owner": bob, "reason": "left"})).await.expect(StatusCode::OK);
    assert_eq!(moved["owner_id"], json!(bob));
    assert_eq!((&office.quota(&ada).await["consumed"], &office.quota(&bob).await["consumed"]), (&json!(0), &json!(6)));

    let caps = "/api/v1/organizations/acme/quota-caps";
    let cap = json!({"bounds": "organization_credits", "limit": 7});
    let set = office.server.send(Method::PUT, caps, &cap).await.expect(StatusCode::OK);
    assert_eq!(set["items"][0]["limit"], 7);
    office.build(&mine, "start").await.expect(StatusCode::CREATED);
    assert!(!office.carry_out(2).await, "8 of 7");
    let cap = json!({"bounds": "template_workspaces_per_user", "subject_id": office.template, "limit": 2});
    office.server.send(Method::PUT, caps, &cap).await.expect(StatusCode::OK);
    let third = json!({"name": "third", "template": "go", "owner": bob});
    let refused = office.server.post("/api/v1/workspaces", &third).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    let lifted = json!({"bounds": "template_workspaces_per_user", "subject_id": office.template});
    office.server.send(Method::PUT, caps, &lifted).await.expect(StatusCode::OK);
    assert_eq!(office.server.post("/api/v1/workspaces", &third).await.status, StatusCode::CREATED);
    assert_eq!(office.server.events("type:quota.cap.removed").await.len(), 1);
}

#[tokio::test]
async fn the_clock_stops_a_workspace_as_an_actor_of_its_own() {
    let settings = json!({"daily_cost": 1, "max_ttl_seconds": 1});
    let office = Office::open_with(10, settings, &[("CHANCERY_CLOCK_SECONDS", "1")]).await;
    let ada = office.user("ada").await;
    let id = office.workspace("dev", &ada).await;
    office.build(&id, "start").await.expect(StatusCode::CREATED);
    assert!(office.carry_out(1).await);
    let mut stop = Vec::new();
    while stop.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        stop = office.server.events(&format!("resource.id:{id} type:workspace.build.requested actor:clock")).await;
    }
    assert_eq!((&stop[0]["data"]["cause"], &stop[0]["data"]["transition"]), (&json!("autostop"), &json!("stop")));
    assert_eq!(stop[0]["actor"]["kind"], "system");
    assert!(stop[0]["reason"].as_str().unwrap().contains("its time was over"));
    assert!(office.carry_out(0).await);
    assert_eq!(office.status(&id).await, "stopped");
}
