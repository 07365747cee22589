//! What the demo builds: an organization with a template, a runner beside the server, and a workspace that it starts.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use chancery_terraform::{File, Files};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::keep;
use crate::client::Client;
use crate::configuration::Configuration;
use crate::failure::{Doing, Failure};
use crate::terminal;

const ORGANIZATION: &str = "demo";
/// The template that needs no provider.
const TEMPLATE: &str = include_str!("../../../../deploy/templates/plain/main.tf");
/// How often it is looked whether the workspace is there.
const LOOK: Duration = Duration::from_millis(500);
/// How often at most.
const LOOKS: usize = 600;

/// Builds the workspace, and keeps a runner until cancelled.
pub(crate) async fn run(
    mut configuration: Configuration,
    token: String,
    terraform: PathBuf,
    cancel: CancellationToken,
) {
    configuration.client_server = format!("http://{}", configuration.address);
    let built = async {
        let client = Client::with_token(&configuration, Some(token))?;
        let directory = &configuration.data_directory;
        let key = runner_key(&client, directory).await?;
        let runner = start(client.server(), directory, &key, &terraform)?;
        let workspace = workspace(&client).await?;
        watch(&client, &workspace).await?;
        Ok::<Child, Failure>(runner)
    };
    match cancel.run_until_cancelled(built).await {
        // It is killed when it is dropped; what it did then is taken up at the next start.
        Some(Ok(runner)) => {
            cancel.cancelled().await;
            drop(runner);
        }
        Some(Err(error)) => tracing::warn!(error = error.message, "the demo could not build its workspace"),
        None => {}
    }
}

/// The file with the runner key of the demo, which is made once.
async fn runner_key(client: &Client, directory: &Path) -> Result<PathBuf, Failure> {
    let file = directory.join("demo-runner-key");
    if file.exists() {
        return Ok(file);
    }
    if !has(client, "/api/v1/organizations", ORGANIZATION).await? {
        client.post("/api/v1/organizations", &json!({"name": ORGANIZATION, "display_name": "Demo"})).await?;
    }
    let order = json!({"name": "demo", "organization": ORGANIZATION});
    let made = client.post("/api/v1/runner-keys", &order).await?;
    keep(&file, member(&made, "key")?, "keeping the runner key of the demo")?;
    Ok(file)
}

/// Starts this binary as a runner.
fn start(server: &str, directory: &Path, key: &Path, terraform: &Path) -> Result<Child, Failure> {
    let doing = "starting the runner of the demo";
    let binary = std::env::current_exe().doing(doing)?;
    Command::new(binary)
        .args(["--server", server, "runner", "--name", "demo", "--key-file"])
        .arg(key)
        .arg("--data-directory")
        .arg(directory.join("runner"))
        .arg("--terraform")
        .arg(terraform)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .doing(doing)
}

/// The demo's workspace, with what it is made of; its id.
async fn workspace(client: &Client) -> Result<String, Failure> {
    let workspaces = client.get("/api/v1/workspaces", &[("limit", "1000".to_owned())]).await?;
    let demo = |item: &&Value| item.get("organization").and_then(Value::as_str) == Some(ORGANIZATION);
    let present = workspaces.get("items").and_then(Value::as_array).into_iter().flatten().find(demo);
    if let Some(present) = present {
        return Ok(member(present, "id")?.to_owned());
    }
    let template = json!({
        "name": "plain", "organization": ORGANIZATION, "display_name": "Plain",
        "description": "needs no provider; shows what a template consists of",
    });
    let template = client.post("/api/v1/templates", &template).await?;
    let template = member(&template, "id")?;
    let path = format!("/api/v1/templates/{template}");
    let everyone = json!({"subject_kind": "everyone", "permission": "use"});
    client.send(client.request(Method::PUT, &format!("{path}/access")).json(&everyone)).await?;
    let mut files = Files::default();
    files.insert("main.tf".to_owned(), File { content: TEMPLATE.as_bytes().to_vec(), executable: false });
    let archive = files.pack().doing("packing the template of the demo")?;
    let push = client.request(Method::POST, &format!("{path}/versions?name=one"));
    let pushed = client.send(push.header(CONTENT_TYPE, "application/x-tar").body(archive)).await?;
    let pushed: Value = pushed.json().await.doing("pushing the template of the demo")?;
    let version = member(&pushed, "id")?;
    let shown = client.get(&path, &[]).await?;
    if shown.get("active_version").and_then(Value::as_str) != Some(version) {
        client.post(&format!("{path}/versions/{version}/promote"), &json!({})).await?;
    }
    let roles = json!([{"role": "member", "organization": ORGANIZATION}]);
    let user = json!({"username": "demo", "organization": ORGANIZATION, "roles": roles});
    let user = client.post("/api/v1/users", &user).await?;
    let workspace = json!({"name": "hello", "template": template, "owner": member(&user, "id")?});
    let workspace = client.post("/api/v1/workspaces", &workspace).await?;
    Ok(member(&workspace, "id")?.to_owned())
}

/// Waits for the workspace's first build, and tells how it went.
async fn watch(client: &Client, workspace: &str) -> Result<(), Failure> {
    let path = format!("/api/v1/workspaces/{workspace}");
    for _ in 0..LOOKS {
        let shown = client.get(&path, &[]).await?;
        match shown.get("status").and_then(Value::as_str) {
            Some("running") => {
                terminal::line(&format!(
                    "The runner beside it has built the workspace `hello`:\n\n    \
                     chancery audit search 'resource.id:{workspace}'\n"
                ));
                return Ok(());
            }
            Some("pending" | "starting") => tokio::time::sleep(LOOK).await,
            _ => {
                let build = client.get(&format!("{path}/builds/1"), &[]).await?;
                let error = build.get("error").and_then(Value::as_str).unwrap_or("it was ended");
                tracing::warn!(error, "the demo's workspace was not built");
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn has(client: &Client, list: &str, name: &str) -> Result<bool, Failure> {
    let all = client.get(list, &[]).await?;
    let named = |item: &Value| item.get("name").and_then(Value::as_str) == Some(name);
    Ok(all.get("items").and_then(Value::as_array).into_iter().flatten().any(named))
}

fn member<'a>(answer: &'a Value, name: &str) -> Result<&'a str, Failure> {
    let missing = || Failure::failed(format!("the server's answer lacks `{name}`"));
    answer.get(name).and_then(Value::as_str).ok_or_else(missing)
}
