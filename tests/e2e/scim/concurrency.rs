//! Several requests at once: nothing is lost, nothing is there twice, and the loser is told so.

use std::collections::BTreeMap;

use chancery_tests::{Postgres, Provider, Server, USER};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{started, started_with};

const AT_ONCE: usize = 16;

/// In others the race ended in 500, and the directory tried again for ever.
async fn one_of_many_creations_succeeds(idp: &Provider) {
    for round in 0..10 {
        let create = |number: usize| async move {
            // One name in as many cases as there are attempts.
            let name: String = format!("racer{round}")
                .chars()
                .enumerate()
                .map(
                    |(index, letter)| {
                        if (number >> (index % 4)) & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
                    },
                )
                .collect();
            idp.post("/Users", &json!({"schemas": [USER], "userName": name})).await
        };
        let answers = futures::future::join_all((0..AT_ONCE).map(create)).await;
        let mut counted: BTreeMap<u16, usize> = BTreeMap::new();
        for answer in answers {
            *counted.entry(answer.status.as_u16()).or_default() += 1;
            if answer.status != StatusCode::CREATED {
                answer.refused(StatusCode::CONFLICT, Some("uniqueness"));
            }
        }
        assert_eq!(counted, BTreeMap::from([(201, 1), (409, AT_ONCE - 1)]), "round {round}");
        assert_eq!(idp.find("/Users", &format!("userName eq \"racer{round}\"")).await.len(), 1);
    }
}

async fn parallel_patches_of_a_group_lose_nothing(server: &Server, idp: &Provider) {
    let mut users = Vec::new();
    for number in 0..AT_ONCE * 4 {
        users.push(idp.user(&format!("member{number}"), json!({})).await);
    }
    let (staying, leaving) = users.split_at(AT_ONCE * 2);
    let group = idp.group("contended", leaving).await;
    let path = format!("/Groups/{group}");
    // Each adds two, removes two, and renames, as Okta does.
    let body = |number: usize| {
        let path = &path;
        let two = [2 * number, 2 * number + 1];
        async move {
            let add: Vec<Value> = two.iter().map(|index| json!({"value": staying[*index]})).collect();
            let remove =
                |index: usize| json!({"op": "remove", "path": format!("members[value eq \"{}\"]", leaving[index])});
            let operations = json!([
                {"op": "replace", "value": {"displayName": format!("contended {number}")}},
                {"op": "add", "path": "members", "value": add},
                remove(two[0]),
                remove(two[1]),
            ]);
            idp.patch(path, operations).await
        }
    };
    for answer in futures::future::join_all((0..AT_ONCE).map(body)).await {
        assert!(answer.status.is_success(), "{}: {}", answer.status, answer.text);
    }
    let mut expected = staying.to_vec();
    expected.sort();
    assert_eq!(idp.members(&group).await, expected);
    for (event_type, count) in [("group.member.added", AT_ONCE * 4), ("group.member.removed", AT_ONCE * 2)] {
        let events = server.events(&format!("resource.id:\"{group}\" type:{event_type}")).await;
        assert_eq!(events.len(), count, "each change is on record once: {event_type}");
    }
    // The names on record are a chain: each renaming knows the one before.
    let mut name = json!("contended");
    for event in server.events(&format!("resource.id:\"{group}\" type:group.updated")).await {
        assert_eq!(event["changes"][0]["old"], name, "{event}");
        name = event["changes"][0]["new"].clone();
    }
    assert_eq!(idp.get(&path).await.body["displayName"], name);
}

/// Of writers that all know the same version, one may write.
async fn one_of_many_conditional_writes_succeeds(idp: &Provider) {
    let path = format!("/Users/{}", idp.user("guarded", json!({})).await);
    let version = idp.get(&path).await.header("etag").to_owned();
    let write = |number: usize| {
        let (path, version) = (&path, &version);
        async move {
            let body = json!({"schemas": [USER], "userName": "guarded", "title": format!("title {number}")});
            let headers = [(reqwest::header::IF_MATCH, version.parse().unwrap())].into_iter().collect();
            idp.send_with(reqwest::Method::PUT, path, &body, headers).await
        }
    };
    let answers = futures::future::join_all((0..AT_ONCE).map(write)).await;
    let written: Vec<&Value> =
        answers.iter().filter(|answer| answer.status == StatusCode::OK).map(|answer| &answer.body["title"]).collect();
    assert_eq!(written.len(), 1, "{written:?}");
    assert!(answers.iter().all(|answer| [200, 412].contains(&answer.status.as_u16())));
    assert_eq!(&idp.get(&path).await.body["title"], written[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_state_in_sqlite() {
    let (server, idp) = started().await;
    one_of_many_creations_succeeds(&idp).await;
    parallel_patches_of_a_group_lose_nothing(&server, &idp).await;
    one_of_many_conditional_writes_succeeds(&idp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_state_in_postgresql() {
    let (directory, postgres) = (TempDir::new().unwrap(), Postgres::start(&[]));
    let url = postgres.database("state");
    let server = Server::start_in(directory.path(), &[("CHANCERY_STATE_POSTGRES", &url)]).await;
    let idp = Provider::connect(&server, json!({})).await;
    one_of_many_creations_succeeds(&idp).await;
    parallel_patches_of_a_group_lose_nothing(&server, &idp).await;
    one_of_many_conditional_writes_succeeds(&idp).await;
}

/// Deleting, renaming and adding at once leaves a state that the events explain: rebuilt from them, it is the same.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_at_once_the_events_explain_the_state() {
    let (mut server, idp) = started_with(json!({"deletion": "delete"})).await;
    let mut users = Vec::new();
    for number in 0..AT_ONCE {
        users.push(idp.user(&format!("chaos{number}"), json!({})).await);
    }
    let group = idp.group("chaos", &users).await;
    let push = &idp;
    let act = |number: usize| {
        let (user, path) = (format!("/Users/{}", users[number]), format!("/Groups/{group}"));
        async move {
            let add =
                json!([{"op": "add", "path": "members", "value": [{"value": user.trim_start_matches("/Users/")}]}]);
            let rename = json!([{"op": "replace", "path": "userName", "value": format!("renamed{}", number / 2)}]);
            let answers = tokio::join!(push.patch(&user, rename), push.delete(&user), push.patch(&path, add));
            [answers.0.status, answers.1.status, answers.2.status]
        }
    };
    for statuses in futures::future::join_all((0..AT_ONCE).map(act)).await {
        assert!(statuses.iter().all(|status| !status.is_server_error()), "{statuses:?}");
    }
    let state =
        async |idp: &Provider| (idp.get("/Users").await.body, idp.get("/Groups").await.body, idp.members(&group).await);
    let live = state(&idp).await;
    assert!(server.stop());
    let rebuilt = server.operate(&["state", "rebuild"]).output().unwrap();
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
    server.restart().await;
    assert_eq!(state(&idp).await, live);
}
