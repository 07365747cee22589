//! Many clients on one quota, and a server that is killed under them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;

use super::*;

const CLIENTS: usize = 64;
const COST: u32 = 4;
const ALLOWANCE: u32 = 100;

/// Sends a request until it is answered, whatever happens to the server meanwhile.
async fn insist(api: &Api, path: &str, body: &Value) -> (StatusCode, Value) {
    loop {
        let sent = api.request(Method::POST, path).json(body).send().await;
        if let Ok(response) = sent {
            let status = response.status();
            let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            if let Ok(text) = response.text().await
                && !busy
            {
                return (status, serde_json::from_str(&text).unwrap_or(Value::Null));
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A runner that carries out jobs until none is left. What it has said before and was not answered is refused as done.
async fn runner(api: &Api, accepted: &AtomicUsize) {
    loop {
        let (status, job) = insist(api, "/api/v1/jobs/acquire", &json!({"organization": "acme"})).await;
        if status == StatusCode::NO_CONTENT {
            return;
        }
        assert_eq!(status, StatusCode::OK, "{job}");
        let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
        let (status, planned) = insist(api, &format!("{path}/planned"), &json!({"daily_cost": COST})).await;
        assert!(matches!(status, StatusCode::OK | StatusCode::CONFLICT), "{status} {planned}");
        if planned["answer"] == "rejected" {
            continue;
        }
        let (status, told) = insist(api, &format!("{path}/applying"), &Value::Null).await;
        if status == StatusCode::CONFLICT && told["detail"] == "the build is rejected" {
            continue;
        }
        let (status, told) = insist(api, &format!("{path}/finished"), &json!({"outcome": "succeeded"})).await;
        assert!(matches!(status, StatusCode::NO_CONTENT | StatusCode::CONFLICT), "{status} {told}");
        accepted.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_clients_and_a_killed_server_never_over_grant() {
    let mut office = Office::open(ALLOWANCE).await;
    let ada = office.user("ada").await;
    let api = Api::new(office.server.url.clone());
    let names = (0..CLIENTS).map(|number| format!("w{number}"));
    let made = join_all(names.map(|name| {
        let order = json!({"name": name, "template": office.template, "owner": ada});
        let api = &api;
        async move { insist(api, "/api/v1/workspaces", &order).await.0 }
    }))
    .await;
    assert!(made.iter().all(|status| *status == StatusCode::CREATED), "{made:?}");

    let accepted = AtomicUsize::new(0);
    let runners = join_all((0..CLIENTS).map(|_| runner(&api, &accepted)));
    let killer = async {
        while accepted.load(Ordering::Relaxed) < 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        office.server.kill();
        office.server.restart().await;
    };
    tokio::join!(runners, killer);

    let quota = office.quota(&ada).await;
    let consumed = quota["consumed"].as_u64().unwrap();
    assert!(consumed <= u64::from(ALLOWANCE), "over-granted: {quota}");
    assert!(consumed >= u64::from(ALLOWANCE / 2), "most of it is granted: {quota}");
    // The ledger by its events: it never held more than the allowance, and nothing was set aside twice.
    let mut counted = std::collections::BTreeMap::new();
    for event in office.server.events("type:quota.* -type:quota.denied resource.kind:quota").await {
        let data = &event["data"];
        let taken = data["committed"].as_u64().unwrap().max(data["reserved"].as_u64().unwrap_or_default());
        counted.insert(data["workspace_id"].as_str().unwrap().to_owned(), taken);
        let sum: u64 = counted.values().sum();
        assert!(sum <= u64::from(ALLOWANCE), "{sum} of {ALLOWANCE} after {event}");
    }
    assert_eq!(counted.values().sum::<u64>(), consumed, "what is folded is what happened");
    let denied = office.server.events("type:quota.denied").await.len();
    assert!(denied > 0, "{CLIENTS} workspaces of {COST} do not fit into {ALLOWANCE}");
}
