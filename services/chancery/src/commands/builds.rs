//! What builds leave behind: `chancery workspaces logs` and `chancery workspaces state`.

use clap::{Args, Subcommand};
use futures::StreamExt;
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use crate::client::Client;
use crate::failure::{Doing, Failure};
use crate::terminal::{self, Output};

const VERSION_COLUMNS: [&str; 8] =
    ["version", "serial", "resources", "size", "build_number", "restored_from", "written_by", "written_at"];
/// How often a connection that breaks is made again before that is an error.
const ATTEMPTS: u32 = 30;

#[derive(Debug, Args)]
pub(crate) struct LogsArguments {
    /// Id of the workspace.
    id: String,
    /// Number of the build; the last one without.
    #[arg(long)]
    number: Option<u64>,
    /// Go on until the build has ended, as lines are written.
    #[arg(long)]
    follow: bool,
    /// How to print.
    #[arg(long)]
    output: Option<Output>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// List the versions of a workspace's Terraform state, the last one first.
    #[command(after_help = "Example:\n  chancery workspaces state list WORKSPACE")]
    List {
        /// Id of the workspace.
        id: String,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Print a version of a workspace's Terraform state. It holds secrets; that you read it is on record.
    #[command(
        after_help = "Example:\n  chancery workspaces state show WORKSPACE --number 7 --reason 'INC-12: what was made?'"
    )]
    Show {
        /// Id of the workspace.
        id: String,
        /// Number of the version; the last one without.
        #[arg(long)]
        number: Option<u64>,
        /// For auditors.
        #[arg(long)]
        reason: String,
    },
    /// Put a version in the place of the last one.
    #[command(after_help = "Example:\n  chancery workspaces state restore WORKSPACE 7 --reason 'INC-12: a bad apply'")]
    Restore {
        /// Id of the workspace.
        id: String,
        /// Number of the version.
        number: u64,
        /// For auditors.
        #[arg(long)]
        reason: String,
    },
    /// Break the lock of a workspace's Terraform state: whoever has it can write no more.
    #[command(
        after_help = "Example:\n  chancery workspaces state unlock WORKSPACE --reason 'INC-12: the runner is gone'"
    )]
    Unlock {
        /// Id of the workspace.
        id: String,
        /// For auditors.
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn state(command: &StateCommand, client: &Client) -> Result<(), Failure> {
    match command {
        StateCommand::List { id, output } => {
            let answer = client.get(&format!("{}/versions", path(id)), &[("limit", "1000".to_owned())]).await?;
            super::table(&answer, "items", &VERSION_COLUMNS, *output);
            if let Some(lock) = answer.get("lock").filter(|lock| !lock.is_null()) {
                eprintln!("chancery: it is locked: {lock}");
            }
            Ok(())
        }
        StateCommand::Show { id, number, reason } => {
            let number = number.map_or_else(|| "last".to_owned(), |number| number.to_string());
            let query = [("reason", reason.clone())];
            let state = client.get(&format!("{}/versions/{number}", path(id)), &query).await?;
            terminal::line(&serde_json::to_string_pretty(&state).doing("printing")?);
            Ok(())
        }
        StateCommand::Restore { id, number, reason } => {
            let request = json!({"reason": reason});
            let made = client.post(&format!("{}/versions/{number}/restore", path(id)), &request).await?;
            let version = made.get("version").and_then(Value::as_u64).unwrap_or_default();
            terminal::line(&format!("version {version} is a copy of {number}"));
            Ok(())
        }
        StateCommand::Unlock { id, reason } => {
            let request = client.request(Method::POST, &format!("{}/unlock", path(id)));
            client.send(request.json(&json!({"reason": reason}))).await?;
            terminal::line("unlocked");
            Ok(())
        }
    }
}

pub(crate) async fn logs(arguments: &LogsArguments, client: &Client) -> Result<(), Failure> {
    let workspace = format!("/api/v1/workspaces/{}", arguments.id);
    let number = if let Some(number) = arguments.number {
        number
    } else {
        let shown = client.get(&workspace, &[]).await?;
        let number = shown.pointer("/last_build/number").and_then(Value::as_u64);
        number.ok_or_else(|| Failure::not_found("the workspace has no build".to_owned()))?
    };
    let path = format!("{workspace}/builds/{number}/logs");
    let raw = matches!(arguments.output, Some(Output::Json | Output::Ndjson));
    if arguments.follow { follow(client, &path, raw).await } else { print(client, &path, raw).await }
}

/// What there is.
async fn print(client: &Client, path: &str, raw: bool) -> Result<(), Failure> {
    let mut after: Option<String> = None;
    loop {
        let query: Vec<(&str, String)> = after.take().map(|after| ("after", after)).into_iter().collect();
        let page = client.get(path, &query).await?;
        let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        for line in &items {
            told(line, raw);
        }
        after = page.get("next").and_then(Value::as_str).map(str::to_owned).filter(|_| !items.is_empty());
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Until the build has ended; after a broken connection it goes on where it was.
async fn follow(client: &Client, path: &str, raw: bool) -> Result<(), Failure> {
    let mut last: Option<String> = None;
    for _ in 0..ATTEMPTS {
        let mut request = client.request(Method::GET, path).header(ACCEPT, "text/event-stream");
        if let Some(last) = &last {
            request = request.header("last-event-id", last);
        }
        let mut chunks = client.send(request).await?.bytes_stream();
        let mut buffer = Vec::new();
        while let Some(Ok(chunk)) = chunks.next().await {
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
                let message: Vec<u8> = buffer.drain(..end + 2).collect();
                let mut is_end = false;
                for line in String::from_utf8_lossy(&message).lines() {
                    if let Some(id) = line.strip_prefix("id: ") {
                        last = Some(id.to_owned());
                    } else if line == "event: end" {
                        is_end = true;
                    } else if let Some(data) = line.strip_prefix("data: ") {
                        let data: Value = serde_json::from_str(data).doing("reading the answer")?;
                        if is_end {
                            return ended(&data);
                        }
                        told(&data, raw);
                    }
                }
            }
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    Err(Failure::failed("the connection keeps breaking".to_owned()))
}

/// How a build ended, for scripts, too.
fn ended(end: &Value) -> Result<(), Failure> {
    let status = end.get("status").and_then(Value::as_str).unwrap_or_default();
    eprintln!("chancery: the build has {}", if status == "succeeded" { status } else { "ended" });
    if status == "succeeded" {
        return Ok(());
    }
    let error = end.get("error").and_then(Value::as_str).map(|error| format!(": {error}")).unwrap_or_default();
    Err(Failure::failed(format!("the build is {status}{error}")))
}

fn told(line: &Value, raw: bool) {
    if raw {
        terminal::line(&line.to_string());
        return;
    }
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
    // What a template prints does not move the cursor of whoever reads it.
    let said: String = text("text").chars().filter(|c| !c.is_control() || *c == '\t').collect();
    let level = match text("level") {
        "info" => String::new(),
        level => format!(" {level}:"),
    };
    terminal::line(&format!("{} {:<7}{level} {said}", text("at"), text("stage")));
}

fn path(id: &str) -> String {
    format!("/api/v1/workspaces/{id}/state")
}
