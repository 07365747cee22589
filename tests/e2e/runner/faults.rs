//! Faults with real processes: no apply happens twice, no state is lost, nothing is stuck.

use super::*;

/// A first resource that is there at once, and a second that takes as long as a file says: it writes down that it was
/// begun, waits for the file `go`, and writes down that it is done.
fn slow(notes: &Path) -> String {
    let (begun, go, done) = (notes.join("begun"), notes.join("go"), notes.join("done"));
    format!(
        r#"
variable "chancery_transition" {{
  type    = string
  default = "start"
}}

resource "terraform_data" "first" {{
  input = "one"
  provisioner "local-exec" {{
    command = "echo first >> {begun}"
  }}
}}

resource "terraform_data" "second" {{
  input = terraform_data.first.id
  provisioner "local-exec" {{
    command = "echo second >> {begun}; while [ ! -e {go} ]; do sleep 0.1; done; echo second >> {done}"
  }}
}}
"#,
        begun = begun.display(),
        go = go.display(),
        done = done.display(),
    )
}

fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

async fn until(what: &str, runner: &Runner, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not happen\n{}", runner.said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Versions of a workspace's state, the last one first, and its lock.
async fn versions(yard: &Yard, workspace: &str) -> Value {
    yard.server.get(&format!("/api/v1/workspaces/{workspace}/state/versions"), &[]).await
}

/// The last version of a workspace's state, as an administrator reads it.
async fn state(yard: &Yard, workspace: &str) -> Value {
    let path = format!("/api/v1/workspaces/{workspace}/state/versions/last");
    yard.server.get(&path, &[("reason", "to see what is in it")]).await
}

#[tokio::test]
async fn a_runner_that_dies_in_an_apply_loses_nothing_and_the_next_build_goes_on() {
    let yard = Yard::open(100).await;
    let notes = TempDir::new().unwrap();
    let template = yard.template("slow", &slow(notes.path())).await;
    let mut runner = yard.runner();
    let id = yard.workspace(&template, "dev", json!({})).await;
    let begun = notes.path().join("begun");
    until("the second resource", &runner, || lines(&begun).len() == 2).await;
    let locked = versions(&yard, &id).await;
    assert_eq!(locked["lock"]["operation"], "OperationTypeApply", "{locked}");
    runner.kill();

    // Whoever was at it is told to stop, and writes down what there is: the server has it.
    let begun_waiting = Instant::now();
    let written = loop {
        let now = versions(&yard, &id).await;
        if now["lock"].is_null() {
            break now;
        }
        assert!(begun_waiting.elapsed() < PATIENCE, "the state stays locked: {now}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let last = &written["items"][0];
    assert!(last["resources"].as_u64().unwrap() >= 1, "{written}");
    let first = state(&yard, &id).await["resources"][0]["instances"][0]["attributes"]["id"].clone();
    assert!(first.is_string());

    // It starts again, and says how the build ended.
    std::fs::write(notes.path().join("go"), "").unwrap();
    let runner = yard.runner();
    let failed = yard.ends(&runner, &id, 1, "failed").await;
    assert_eq!((&failed["applied"], &failed["resources_remain"]), (&json!(true), &json!(true)), "{failed}");
    assert_eq!(yard.build(&id, "start", None).await, 2);
    yard.ends(&runner, &id, 2, "succeeded").await;
    let now = state(&yard, &id).await;
    assert_eq!(now["resources"][0]["instances"][0]["attributes"]["id"], first, "the next build goes on from it");
    let told = lines(&begun);
    assert_eq!(told.iter().filter(|line| *line == "first").count(), 1, "nothing is made twice: {told:?}");
    assert_eq!(lines(&notes.path().join("done")), ["second"]);

    // Every version and every look at one is on record, and no secret is at rest in the clear.
    let serials: Vec<u64> = yard
        .server
        .events(&format!("resource.id:{id} type:workspace.state.written"))
        .await
        .iter()
        .map(|event| event["data"]["serial"].as_u64().unwrap())
        .collect();
    assert!(serials.len() >= 2 && serials.is_sorted(), "{serials:?}");
    let reads = yard.server.events(&format!("resource.id:{id} type:workspace.state.read")).await;
    assert!(reads.iter().any(|event| event["reason"] == "to see what is in it"), "{reads:?}");
    assert!(reads.iter().any(|event| event["data"]["job_id"].is_string()), "{reads:?}");
}

#[tokio::test]
async fn a_server_that_dies_in_an_apply_gets_the_state_when_it_is_back() {
    let mut yard = Yard::open(100).await;
    let notes = TempDir::new().unwrap();
    let template = yard.template("slow", &slow(notes.path())).await;
    let runner = yard.runner();
    let id = yard.workspace(&template, "dev", json!({})).await;
    let begun = notes.path().join("begun");
    until("the second resource", &runner, || lines(&begun).len() == 2).await;
    yard.server.kill();
    yard.server.restart().await;
    std::fs::write(notes.path().join("go"), "").unwrap();
    yard.ends(&runner, &id, 1, "succeeded").await;
    assert_eq!(lines(&begun), ["first", "second"], "once");
    assert_eq!(versions(&yard, &id).await["items"][0]["resources"], 2);
    let log = yard.server.get(&format!("/api/v1/workspaces/{id}/builds/1/logs"), &[]).await;
    assert_eq!((&log["log"]["complete"], &log["status"]), (&json!(true), &json!("succeeded")), "{log}");
}

#[tokio::test]
async fn a_runner_that_dies_in_a_plan_has_changed_nothing() {
    let yard = Yard::open(100).await;
    let notes = TempDir::new().unwrap();
    let pipe = notes.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let begun = notes.path().join("begun");
    // A plan that never ends: it waits for someone to write into the pipe.
    let content = format!(
        r#"
resource "terraform_data" "one" {{
  input = file("{pipe}")
  provisioner "local-exec" {{
    command = "echo one >> {begun}"
  }}
}}
"#,
        pipe = pipe.display(),
        begun = begun.display(),
    );
    let template = yard.template("stuck", &content).await;
    let mut runner = yard.runner();
    let id = yard.workspace(&template, "dev", json!({})).await;
    yard.reaches(&runner, &id, 1, &["started"]).await;
    let waiting = Instant::now();
    while versions(&yard, &id).await["lock"].is_null() && waiting.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    runner.kill();
    std::fs::remove_file(&pipe).unwrap();
    std::fs::write(&pipe, "text").unwrap();
    let runner = yard.runner();
    let failed = yard.ends(&runner, &id, 1, "failed").await;
    assert_eq!(failed["applied"], false, "{failed}");
    assert!(lines(&begun).is_empty(), "nothing was made");
    assert_eq!(yard.build(&id, "start", None).await, 2);
    yard.ends(&runner, &id, 2, "succeeded").await;
    assert_eq!(lines(&begun), ["one"]);
}
