//! The command line: with a browser of the machine, with one anywhere, and what its codes are good for.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use chancery_tests::{OIDC_DEVICE_CLIENT, OpenIdProvider};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{PASSWORD, Visitor, World, location, person, provider, query};

/// A command of somebody who has no token.
fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = world.server.command(arguments);
    command.env_remove("CHANCERY_CLIENT_TOKEN").env("XDG_STATE_HOME", world.directory("state"));
    command
}

fn started(world: &World, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut child = command(world, arguments).stdout(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    (child, said)
}

/// What a command shows for people to copy.
fn shown(said: &mut BufReader<ChildStdout>) -> String {
    let mut lines = said.lines().map(|line| line.unwrap());
    lines.find_map(|line| line.strip_prefix("    ").map(str::to_owned)).unwrap()
}

/// Uses the session that a sign-in has kept, and signs out.
fn use_up(world: &World) {
    let file = world.directory("state").join("chancery/sessions.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let listed = command(world, &["tokens", "list", "--output", "json"]).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    assert!(String::from_utf8_lossy(&listed.stdout).contains("session"));
    // The session is for this server alone.
    let mut elsewhere = command(world, &["tokens", "list"]);
    let elsewhere = elsewhere.env("CHANCERY_CLIENT_SERVER", world.server.url.replace("127.0.0.1", "localhost"));
    assert_eq!(elsewhere.output().unwrap().status.code(), Some(3));
    assert!(command(world, &["logout"]).status().unwrap().success());
    assert_eq!(command(world, &["tokens", "list"]).output().unwrap().status.code(), Some(3));
    assert_eq!(command(world, &["logout"]).output().unwrap().status.code(), Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_signs_in_with_a_browser_of_the_machine() {
    let idp = OpenIdProvider::start(&json!({ "ada": person("ada", &[]) }));
    let world = World::of(&idp, json!({})).await;
    let (mut child, mut said) = started(&world, &["login"]);
    let url = shown(&mut said);
    let mut visitor = Visitor::new(&world.server);
    let begun = visitor.get(&url).await;
    let callback = idp.sign_in(&location(&begun), "ada", PASSWORD).await;
    let to_the_machine = location(&visitor.get(&callback).await);
    assert!(visitor.cookies.is_empty(), "the browser itself is not signed in");
    let answer = visitor.get(&to_the_machine).await;
    assert!(answer.text().await.unwrap().contains("You are signed in"));
    assert!(child.wait().unwrap().success());
    use_up(&world);
    assert_eq!(world.newest("type:user.login.succeeded").await["data"]["target"], "command line");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_when_nothing_came_of_it() {
    let idp = OpenIdProvider::start(&json!({}));
    let world = World::of(&idp, json!({})).await;
    let (mut child, mut said) = started(&world, &["login"]);
    let mut visitor = Visitor::new(&world.server);
    let begun = visitor.get(&shown(&mut said)).await;
    let callback = idp.refuse(&location(&begun)).await;
    let to_the_machine = location(&visitor.get(&callback).await);
    visitor.get(&to_the_machine).await;
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_signs_in_with_a_browser_anywhere() {
    let idp = OpenIdProvider::start(&json!({ "ada": person("ada", &[]) }));
    let device = json!({ "client_id": OIDC_DEVICE_CLIENT, "client_secret": null });
    let file = json!({ "providers": [provider("company", &idp, json!({})), provider("device", &idp, device)] });
    let world = World::start(&file).await;
    assert_eq!(command(&world, &["login"]).output().unwrap().status.code(), Some(2), "which one?");
    let (mut child, mut said) = started(&world, &["login", "--device", "--provider", "device"]);
    idp.approve_device(&shown(&mut said), "ada", PASSWORD).await;
    assert!(child.wait().unwrap().success());
    use_up(&world);
    assert_eq!(world.newest("type:user.login.succeeded").await["data"]["target"], "device");

    let (mut child, mut said) = started(&world, &["login", "--device", "--provider", "device"]);
    idp.deny_device(&shown(&mut said)).await;
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(world.newest("type:user.login.failed").await["reason"].as_str().unwrap().contains("access_denied"));
}

#[tokio::test]
async fn a_code_is_good_once_and_for_whom_it_was_made() {
    let idp = OpenIdProvider::start(&json!({ "ada": person("ada", &[]) }));
    let world = World::of(&idp, json!({})).await;
    // The example of RFC 7636, appendix B.
    let (verifier, challenge) =
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let mut visitor = Visitor::new(&world.server);
    let start = |cli: &str| format!("/auth/company/start?cli={cli}&challenge={challenge}");
    for elsewhere in ["http://evil.example/", "http://localhost:1/", "https://127.0.0.1:1/"] {
        assert_eq!(visitor.get(&start(elsewhere)).await.status(), StatusCode::BAD_REQUEST, "{elsewhere}");
    }
    let begun = visitor.get(&start("http://127.0.0.1:1/")).await;
    let callback = idp.sign_in(&location(&begun), "ada", PASSWORD).await;
    let code = query(&location(&visitor.get(&callback).await), "code").unwrap();
    let exchange = async |code: &str, verifier: &str| {
        let request = world.server.anonymous(Method::POST, "/api/v1/sign-in/exchange");
        let answer = request.json(&json!({ "code": code, "verifier": verifier })).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(exchange("nonsense", verifier).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(exchange(&code, "another").await.0, StatusCode::BAD_REQUEST);
    let (status, session) = exchange(&code, verifier).await;
    assert_eq!((status, &session["user"]["username"]), (StatusCode::OK, &json!("ada")));
    assert_eq!(exchange(&code, verifier).await.0, StatusCode::BAD_REQUEST);
    let failed = world.newest("type:user.login.failed").await;
    assert!(failed["reason"].as_str().unwrap().contains("exchanged before"), "{failed}");
    assert_eq!(world.server.events("type:user.login.succeeded").await.len(), 1);
}
