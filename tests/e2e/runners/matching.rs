//! Which runner gets which job, and what whoever waits is told.

use super::*;

#[tokio::test]
async fn a_waiting_runner_gets_a_job_the_moment_it_is_queued_and_one_gets_it() {
    let depot = Depot::open(&[]).await;
    let ada = depot.user("ada").await;
    let mut runners = Vec::new();
    for number in 0..4 {
        runners.push(depot.runner(&format!("r{number}")).await);
    }
    let waiting: Vec<_> = runners
        .iter()
        .cloned()
        .map(|runner| tokio::spawn(async move { (runner.acquire(5).await, Instant::now()) }))
        .collect();
    for runner in &runners {
        depot.recorded(&format!("type:runner.connected resource.id:{}", runner.id)).await;
    }
    let queued = Instant::now();
    depot.workspace("engine", &ada).await;
    let mut got = Vec::new();
    for waiting in waiting {
        let (answer, at) = waiting.await.unwrap();
        if answer.status == StatusCode::OK {
            got.push((answer.body["id"].clone(), at));
        } else {
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
        }
    }
    let [(_, at)] = got.as_slice() else { panic!("{got:?}") };
    assert!(at.duration_since(queued) < Duration::from_secs(4), "it was woken, not found at the end");
    assert_eq!(depot.server.events("type:job.acquired").await.len(), 1);
}

#[tokio::test]
async fn jobs_go_by_tags_owner_and_organization_and_whoever_waits_is_told_why() {
    let depot = Depot::open(&[]).await;
    let (ada, bob) = (depot.user("ada").await, depot.user("bob").await);
    let tagged = template(&depot.server, "lab", json!({"runner_tags": {"zone": "lab"}})).await;
    let plain = depot.workspace("plain", &ada).await;
    let lab = depot.workspace_of(&tagged, "lab", &bob).await;
    let queue = async |workspace: &str| depot.build(workspace, 1).await["queue"].clone();
    let none = queue(&plain).await;
    assert_eq!((&none["position"], &none["suitable_runners"]), (&json!(1), &json!(0)), "{none}");
    assert!(none["reason"].as_str().unwrap().contains("no runner is registered"), "{none}");

    let own = SignedRunner::register(&depot.server, &depot.key(json!({"owner": bob})).await, "bobs").await;
    assert!(queue(&plain).await["reason"].as_str().unwrap().contains("none takes jobs with no tags"));
    assert_eq!(own.job().await, None, "no job of Bob's is without tags");
    let hall = SignedRunner::register(&depot.server, &depot.key(json!({"tags": {"zone": "hall"}})).await, "hall").await;
    assert_eq!(hall.job().await, None);
    let told = queue(&lab).await;
    assert!(told["reason"].as_str().unwrap().contains("none takes jobs with the tags zone=lab"), "{told}");
    let both = depot.key(json!({"tags": {"zone": "lab", "gpu": "yes"}})).await;
    let both = SignedRunner::register(&depot.server, &both, "both").await;
    let told = queue(&lab).await;
    assert!(told["reason"].as_str().unwrap().contains("none of 1 runners that may take it is connected"), "{told}");
    assert!(both.job().await.is_some(), "it has all tags of the job");
    assert_eq!(both.job().await, None, "a job without tags is for runners without");
    assert!(depot.build(&lab, 1).await["queue"].is_null(), "it does not wait any more");

    let free = depot.runner("free").await;
    let second = depot.workspace("second", &ada).await;
    assert_eq!(free.job().await, Some(depot.build(&plain, 1).await["job_id"].as_str().unwrap().to_owned()));
    let told = queue(&second).await;
    assert_eq!((&told["position"], &told["suitable_runners"]), (&json!(1), &json!(1)), "{told}");
    assert_eq!(told["reason"], "it is the next one");
    let third = depot.workspace("third", &ada).await;
    assert_eq!(queue(&third).await["reason"], "1 go before it");
    let path = format!("/api/v1/workspaces/{second}/builds/1/cancel");
    depot.server.post(&path, &json!({})).await.expect(StatusCode::OK);
    assert!(free.job().await.is_some_and(|job| !job.is_empty()), "the one that was canceled is skipped");
    assert_eq!(depot.build(&third, 1).await["status"], "started");
}

#[tokio::test]
async fn users_take_turns_and_stopping_goes_before_starting() {
    let depot = Depot::open(&[]).await;
    let (ada, bob) = (depot.user("ada").await, depot.user("bob").await);
    let runner = depot.runner("lab").await;
    let running = depot.workspace("running", &ada).await;
    let job = runner.job().await.unwrap();
    runner.tell(&job, "planned", &json!({"daily_cost": 0})).await.expect(StatusCode::OK);
    runner.tell(&job, "applying", &json!({})).await;
    runner.tell(&job, "finished", &json!({"outcome": "succeeded"})).await;
    let mut names = Vec::new();
    for (name, owner) in [("a1", &ada), ("a2", &ada), ("a3", &ada), ("b1", &bob)] {
        names.push((depot.workspace(name, owner).await, name));
    }
    let path = format!("/api/v1/workspaces/{running}/builds");
    depot.server.post(&path, &json!({"transition": "stop"})).await.expect(StatusCode::CREATED);
    names.push((running, "stop"));
    let estimate = depot.build(&names[2].0, 1).await["queue"].clone();
    assert!(estimate["estimate_seconds"].as_u64().is_some_and(|seconds| seconds > 0), "{estimate}");
    let mut order = Vec::new();
    for _ in 0..5 {
        let answer = runner.acquire(0).await.expect(StatusCode::OK);
        let workspace = answer["workspace"]["id"].as_str().unwrap().to_owned();
        order.push(names.iter().find(|(id, _)| *id == workspace).unwrap().1);
    }
    assert_eq!(order, ["stop", "b1", "a1", "a2", "a3"]);
}
