//! Leases: what becomes of jobs whose runners are silent.

use super::*;

const SHORT: [(&str, &str); 3] = [
    ("CHANCERY_RUNNERS_LEASE_SECONDS", "2"),
    ("CHANCERY_RUNNERS_RESUME_SECONDS", "3"),
    ("CHANCERY_RUNNERS_LOST_SECONDS", "2"),
];

#[tokio::test]
async fn the_job_of_a_lost_runner_goes_to_another_and_exactly_one_applies() {
    let mut depot = Depot::open(&SHORT).await;
    let ada = depot.user("ada").await;
    let (lost, other) = (depot.runner("lost").await, depot.runner("other").await);
    let workspace = depot.workspace("engine", &ada).await;
    let job = lost.job().await.unwrap();
    lost.tell(&job, "planned", &json!({"daily_cost": 0})).await.expect(StatusCode::OK);
    let again = other.acquire(60).await.expect(StatusCode::OK);
    let next = again["id"].as_str().unwrap().to_owned();
    assert_ne!(job, next, "each time it is queued it is another job");
    assert_eq!(again["attempt"], 2);
    for what in ["planned", "applying", "finished"] {
        let body = json!({"planned": {"daily_cost": 0}, "applying": {}, "finished": {"outcome": "succeeded"}});
        assert_eq!(lost.tell(&job, what, &body[what]).await.status, StatusCode::NOT_FOUND, "{what}");
        assert_eq!(lost.tell(&next, what, &body[what]).await.status, StatusCode::NOT_FOUND, "{what}");
    }
    assert_eq!(lost.beat(&job).await.status, StatusCode::NOT_FOUND);
    other.tell(&next, "planned", &json!({"daily_cost": 0})).await.expect(StatusCode::OK);
    assert_eq!(other.tell(&next, "applying", &json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(other.tell(&next, "finished", &json!({"outcome": "succeeded"})).await.status, StatusCode::NO_CONTENT);
    let told = depot.types(&format!("resource.id:{workspace} type:workspace.build.*")).await;
    let expected =
        ["requested", "queued", "started", "planned", "requeued", "started", "planned", "apply-started", "succeeded"];
    assert_eq!(told, expected.map(|step| format!("workspace.build.{step}")));
    let requeued = depot.server.events("type:workspace.build.requeued").await;
    assert_eq!(requeued[0]["actor"]["id"], "clock");
    assert!(requeued[0]["reason"].as_str().unwrap().contains("not heard of for 2 seconds"), "{requeued:?}");
    assert_eq!(depot.server.events(&format!("type:job.expired resource.id:{job}")).await.len(), 1);
    let gone = depot.recorded(&format!("type:runner.lost resource.id:{}", lost.id)).await;
    assert_eq!(gone[0]["actor"]["id"], "clock");
    lost.acquire(0).await;
    let connected = depot.server.events(&format!("type:runner.connected resource.id:{}", lost.id)).await;
    assert_eq!(connected.len(), 2, "it is back");
    assert!(depot.server.stop());
    let rebuilt = depot.server.operate(&["state", "rebuild"]).output().unwrap();
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stdout));
}

#[tokio::test]
async fn heartbeats_keep_a_job_and_a_restarted_server_gives_everyone_time() {
    let mut depot = Depot::open(&SHORT).await;
    let ada = depot.user("ada").await;
    let runner = depot.runner("lab").await;
    let workspace = depot.workspace("engine", &ada).await;
    let job = runner.job().await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        assert_eq!(runner.beat(&job).await.status, StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    depot.server.kill();
    tokio::time::sleep(Duration::from_secs(3)).await;
    depot.server.restart().await;
    assert_eq!(runner.beat(&job).await.status, StatusCode::OK);
    assert!(depot.server.events("type:workspace.build.requeued").await.is_empty());
    assert!(depot.server.events("type:job.*").await.len() == 1, "heartbeats are no events");
    assert_eq!(depot.reaches(&workspace, "queued").await["attempt"], 2, "silent, it is lost in the end");
}

#[tokio::test]
async fn who_was_lost_while_applying_may_come_back_for_a_while_and_then_its_state_is_kept() {
    let depot = Depot::open(&[SHORT[0], ("CHANCERY_RUNNERS_RESUME_SECONDS", "5"), SHORT[2]]).await;
    let ada = depot.user("ada").await;
    let runner = depot.runner("lab").await;
    let begin = async |workspace: &str| {
        let job = runner.job().await.unwrap();
        runner.tell(&job, "planned", &json!({"daily_cost": 0})).await.expect(StatusCode::OK);
        assert_eq!(runner.tell(&job, "applying", &json!({})).await.status, StatusCode::NO_CONTENT, "{workspace}");
        job
    };
    let back = depot.workspace("back", &ada).await;
    let job = begin(&back).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(runner.tell(&job, "finished", &json!({"outcome": "succeeded"})).await.status, StatusCode::NO_CONTENT);
    let gone = depot.workspace("gone", &ada).await;
    let job = begin(&gone).await;
    let build = depot.reaches(&gone, "failed").await;
    assert_eq!((&build["applied"], &build["resources_remain"]), (&json!(true), &json!(true)));
    assert!(build["error"].as_str().unwrap().contains("may still run"), "{build}");
    assert_eq!(depot.server.events(&format!("type:job.expired resource.id:{job}")).await.len(), 1);
    let late = runner.tell(&job, "finished", &json!({"outcome": "succeeded"})).await;
    assert!(refused(&late, StatusCode::CONFLICT).contains("failed"));
    assert!(depot.server.events("type:workspace.build.requeued").await.is_empty(), "nothing is applied twice");
}

#[tokio::test]
async fn a_report_that_is_told_again_is_answered_as_before() {
    let depot = Depot::open(&[]).await;
    let ada = depot.user("ada").await;
    let runner = depot.runner("lab").await;
    let workspace = depot.workspace("engine", &ada).await;
    let job = runner.job().await.unwrap();
    for _ in 0..2 {
        let planned = runner.tell(&job, "planned", &json!({"daily_cost": 3, "unknown": ["a.b"]})).await;
        assert_eq!(planned.expect(StatusCode::OK)["answer"], "accepted");
    }
    let other = runner.tell(&job, "planned", &json!({"daily_cost": 4})).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "another plan is not the one that was accepted");
    for _ in 0..2 {
        assert_eq!(runner.tell(&job, "applying", &json!({})).await.status, StatusCode::NO_CONTENT);
    }
    for _ in 0..2 {
        let told = runner.tell(&job, "finished", &json!({"outcome": "succeeded"})).await;
        assert_eq!(told.status, StatusCode::NO_CONTENT, "{}", told.text);
    }
    let other = runner.tell(&job, "finished", &json!({"outcome": "failed"})).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    let told = depot.types(&format!("resource.id:{workspace} type:workspace.build.*")).await;
    let expected = ["requested", "queued", "started", "planned", "apply-started", "succeeded"];
    assert_eq!(told, expected.map(|step| format!("workspace.build.{step}")), "each step is one event");
}
