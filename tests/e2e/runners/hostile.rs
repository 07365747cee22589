//! Stolen keys, replayed requests, and jobs of others: refused, and on record.

use std::time::{SystemTime, UNIX_EPOCH};

use chancery_signatures::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT};

use super::*;

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    Answer::of("a request".to_owned(), request.send().await.unwrap()).await
}

#[tokio::test]
async fn nothing_that_was_signed_is_taken_twice_or_for_something_else() {
    let depot = Depot::open(&[]).await;
    let runner = depot.runner("lab").await;
    let (path, body) = ("/api/v1/jobs/acquire", json!({"wait_seconds": 0}));
    assert_eq!(runner.acquire(0).await.status, StatusCode::NO_CONTENT, "what is signed is taken from now on");
    let signed = || runner.request_at(Method::POST, path, &body, now(), "once");
    assert_eq!(answer(signed()).await.status, StatusCode::NO_CONTENT);
    assert!(refused(&answer(signed()).await, StatusCode::UNAUTHORIZED).contains("sent before"));

    let good = runner.request(Method::POST, path, &body).build().unwrap();
    let header = |name: &str| good.headers()[name].clone();
    let with = |method: Method, path: &str, body: &Value| {
        let request = depot.server.anonymous(method, path).header("content-type", "application/json");
        let request = request.body(body.to_string()).header(CONTENT_DIGEST, header(CONTENT_DIGEST));
        request.header(SIGNATURE_INPUT, header(SIGNATURE_INPUT)).header(SIGNATURE, header(SIGNATURE))
    };
    let other = answer(with(Method::POST, "/api/v1/jobs/x/applying", &body)).await;
    assert!(refused(&other, StatusCode::UNAUTHORIZED).contains("does not fit"));
    let other = answer(with(Method::POST, "/api/v1/jobs/acquire?a=b", &body)).await;
    assert!(refused(&other, StatusCode::UNAUTHORIZED).contains("does not fit"));
    let other = answer(with(Method::POST, path, &json!({"wait_seconds": 90}))).await;
    assert!(refused(&other, StatusCode::UNAUTHORIZED).contains("not the one that was signed"));

    for (off, word) in [(-400, "ago"), (400, "ahead")] {
        let late = answer(runner.request_at(Method::POST, path, &body, now() + off, &format!("off{word}"))).await;
        let told = refused(&late, StatusCode::UNAUTHORIZED);
        assert!(told.contains(word) && told.contains("clock"), "{told}");
        assert!(late.body["server_time"].is_string(), "{}", late.text);
    }
    let near = answer(runner.request_at(Method::POST, path, &body, now() - 100, "near")).await;
    assert!(refused(&near, StatusCode::SERVICE_UNAVAILABLE).contains("before this server started"));

    let events = depot.recorded(&format!("type:runner.refused resource.id:{}", runner.id)).await;
    let reasons: Vec<&str> = events.iter().map(|event| event["reason"].as_str().unwrap()).collect();
    for wanted in ["sent before", "does not fit", "not the one that was signed", "ago", "ahead"] {
        assert!(reasons.iter().any(|reason| reason.contains(wanted)), "{wanted}: {reasons:?}");
    }
    assert!(events.iter().all(|event| event["outcome"] == "denied" && event["organization"] == "acme"));
}

#[tokio::test]
async fn who_has_the_id_and_not_the_key_pair_gets_nowhere() {
    let depot = Depot::open(&[]).await;
    let (runner, other) = (depot.runner("lab").await, depot.runner("other").await);
    let thief = SignedRunner { id: runner.id.clone(), ..other.clone() };
    assert!(refused(&thief.acquire(0).await, StatusCode::UNAUTHORIZED).contains("does not fit"));
    let stranger = SignedRunner { id: "nobody".to_owned(), ..other };
    assert!(refused(&stranger.acquire(0).await, StatusCode::UNAUTHORIZED).contains("no such runner"));
    depot.recorded(&format!("type:runner.refused resource.id:{}", runner.id)).await;
    let unknown = depot.recorded("type:token.refused").await;
    assert!(unknown.iter().any(|event| event["reason"] == "there is no such runner"), "{unknown:?}");
}

#[tokio::test]
async fn runners_touch_nothing_but_their_own_jobs() {
    let depot = Depot::open(&[]).await;
    let ada = depot.user("ada").await;
    depot.server.post("/api/v1/organizations", &json!({"name": "beta"})).await.expect(StatusCode::CREATED);
    let (own, near) = (depot.runner("own").await, depot.runner("near").await);
    let far = depot.key(json!({"organization": "beta"})).await;
    let far = SignedRunner::register(&depot.server, &far, "far").await;
    depot.workspace("engine", &ada).await;
    assert_eq!(far.job().await, None, "jobs of other organizations are not there");
    let asked = json!({"organization": "acme"});
    let asked = far.send(Method::POST, "/api/v1/jobs/acquire", &asked).await;
    assert!(refused(&asked, StatusCode::FORBIDDEN).contains("takes no jobs of others"));
    let tags = own.send(Method::POST, "/api/v1/jobs/acquire", &json!({"tags": {"zone": "lab"}})).await;
    assert!(refused(&tags, StatusCode::FORBIDDEN).contains("those of its key"));
    let job = own.job().await.unwrap();
    for thief in [&near, &far] {
        assert_eq!(thief.beat(&job).await.status, StatusCode::NOT_FOUND);
        assert_eq!(thief.tell(&job, "planned", &json!({"daily_cost": 0})).await.status, StatusCode::NOT_FOUND);
        assert_eq!(thief.tell(&job, "applying", &json!({})).await.status, StatusCode::NOT_FOUND);
        let ended = thief.tell(&job, "finished", &json!({"outcome": "failed"})).await;
        assert_eq!(ended.status, StatusCode::NOT_FOUND);
        let events = depot.recorded(&format!("type:runner.refused resource.id:{}", thief.id)).await;
        assert!(events.iter().any(|event| event["reason"] == "the job is not this runner's"), "{events:?}");
    }
    for (method, path) in [
        (Method::GET, "/api/v1/users"),
        (Method::GET, "/api/v1/audit/events"),
        (Method::GET, "/api/v1/runners"),
        (Method::POST, "/api/v1/runner-keys"),
        (Method::GET, "/api/v1/tokens"),
    ] {
        let answer = own.send(method, path, &json!({})).await;
        assert!(refused(&answer, StatusCode::FORBIDDEN).contains("nothing permits"), "{path}");
    }
    assert_eq!(own.beat(&job).await.status, StatusCode::OK);
}
