//! `chancery workspaces`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::builds::{LogsArguments, StateCommand};
use crate::client::Client;
use crate::failure::{Doing, Failure};
use crate::terminal::{self, Output};

const COLUMNS: [&str; 7] = ["id", "name", "owner", "organization", "template_name", "status", "daily_cost"];
const BUILD_COLUMNS: [&str; 7] = ["number", "transition", "status", "cause", "daily_cost", "requested_by", "error"];

#[derive(Debug, Subcommand)]
pub(crate) enum WorkspacesCommand {
    /// List workspaces: all that you may see, or one owner's.
    #[command(after_help = "Examples:\n  chancery workspaces list\n  chancery workspaces list --owner me --output csv")]
    List {
        /// User id of their owner, or `me`.
        #[arg(long)]
        owner: Option<String>,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Print all that is known of a workspace.
    #[command(after_help = "Example:\n  chancery workspaces show 0197a0c2-6f00-7000-8000-000000000001")]
    Show {
        /// Its id.
        id: String,
    },
    /// Make a workspace, and start it.
    #[command(
        after_help = "Examples:\n  chancery workspaces create --template go dev\n  chancery workspaces create --template go --set cpu=4 --no-start big"
    )]
    Create(CreateArguments),
    /// Start a workspace.
    #[command(after_help = "Example:\n  chancery workspaces start WORKSPACE --set cpu=4")]
    Start(BuildArguments),
    /// Stop a workspace.
    #[command(after_help = "Example:\n  chancery workspaces stop WORKSPACE --reason 'not in use'")]
    Stop(BuildArguments),
    /// Start a workspace with the active version of its template, or with other values.
    #[command(after_help = "Example:\n  chancery workspaces update WORKSPACE")]
    Update(BuildArguments),
    /// Delete a workspace and its resources.
    #[command(after_help = "Example:\n  chancery workspaces delete WORKSPACE")]
    Delete(BuildArguments),
    /// End a build: the last one, or the one of a number.
    #[command(after_help = "Example:\n  chancery workspaces cancel WORKSPACE --number 7")]
    Cancel {
        /// Id of the workspace.
        id: String,
        /// Number of the build.
        #[arg(long)]
        number: Option<u32>,
    },
    /// Hand a workspace over.
    #[command(after_help = "Example:\n  chancery workspaces transfer WORKSPACE USER --reason 'has left the team'")]
    Transfer {
        /// Its id.
        id: String,
        /// User id of the new owner.
        owner: String,
        /// For auditors.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Set when a workspace starts and stops by itself; what is left out is not scheduled.
    #[command(
        after_help = "Example:\n  chancery workspaces schedule WORKSPACE --autostart '0 8 * * 1-5' --time-zone Europe/Berlin --ttl 36000"
    )]
    Schedule {
        /// Its id.
        id: String,
        /// Five fields of cron.
        #[arg(long)]
        autostart: Option<String>,
        /// Time zone of it; UTC without.
        #[arg(long)]
        time_zone: Option<String>,
        /// Seconds that it runs after a start; 0 for until someone stops it.
        #[arg(long)]
        ttl: Option<u32>,
    },
    /// Print the log of a build: of the last one, or of the one of a number.
    #[command(
        after_help = "Examples:\n  chancery workspaces logs WORKSPACE --follow\n  chancery workspaces logs WORKSPACE --number 7 --output json"
    )]
    Logs(LogsArguments),
    /// Terraform states of workspaces.
    #[command(subcommand)]
    State(StateCommand),
    /// List the builds of a workspace, the last one first.
    #[command(after_help = "Example:\n  chancery workspaces builds WORKSPACE --output csv")]
    Builds {
        /// Its id.
        id: String,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// Its name.
    name: String,
    /// Id or name of its template.
    #[arg(long)]
    template: String,
    /// User id of its owner; yourself without.
    #[arg(long)]
    owner: Option<String>,
    /// Id of the template version to build; the active one without.
    #[arg(long)]
    template_version: Option<String>,
    /// Values of the template's variables.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    parameters: Vec<(String, String)>,
    /// Do not start it.
    #[arg(long)]
    no_start: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    /// Id of the workspace.
    id: String,
    /// Id of the template version to build.
    #[arg(long)]
    template_version: Option<String>,
    /// Values of the template's variables; the present ones without.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    parameters: Vec<(String, String)>,
    /// For auditors.
    #[arg(long)]
    reason: Option<String>,
}

pub(crate) async fn run(command: &WorkspacesCommand, client: &Client) -> Result<(), Failure> {
    match command {
        WorkspacesCommand::List { owner, output } => list(client, owner.as_deref(), *output).await,
        WorkspacesCommand::Show { id } => print(&client.get(&path(id), &[]).await?),
        WorkspacesCommand::Create(create) => make(client, create).await,
        WorkspacesCommand::Start(build) => order(client, "start", build).await,
        WorkspacesCommand::Stop(build) => order(client, "stop", build).await,
        WorkspacesCommand::Update(build) => order(client, "update", build).await,
        WorkspacesCommand::Delete(build) => order(client, "delete", build).await,
        WorkspacesCommand::Cancel { id, number } => cancel(client, id, *number).await,
        WorkspacesCommand::Transfer { id, owner, reason } => {
            let request = json!({"owner": owner, "reason": reason});
            client.post(&format!("{}/transfer", path(id)), &request).await?;
            terminal::line("handed over");
            Ok(())
        }
        WorkspacesCommand::Schedule { id, autostart, time_zone, ttl } => {
            let schedule = json!({"autostart": autostart, "time_zone": time_zone, "ttl_seconds": ttl});
            let request = client.request(Method::PUT, &format!("{}/schedule", path(id))).json(&schedule);
            let answer: Value = client.send(request).await?.json().await.doing("reading the answer")?;
            print(answer.get("schedule").unwrap_or(&Value::Null))
        }
        WorkspacesCommand::Logs(logs) => super::builds::logs(logs, client).await,
        WorkspacesCommand::State(command) => super::builds::state(command, client).await,
        WorkspacesCommand::Builds { id, output } => {
            let answer = client.get(&format!("{}/builds", path(id)), &[]).await?;
            super::table(&answer, "items", &BUILD_COLUMNS, *output);
            Ok(())
        }
    }
}

async fn list(client: &Client, owner: Option<&str>, output: Option<Output>) -> Result<(), Failure> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("limit", "1000".to_owned())];
        query.extend(owner.map(|owner| ("owner", owner.to_owned())));
        query.extend(after.take().map(|after| ("after", after)));
        let mut page = client.get("/api/v1/workspaces", &query).await?;
        if let Some(items) = page.get_mut("items").and_then(Value::as_array_mut) {
            all.append(items);
        }
        after = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    super::table(&json!({ "items": all }), "items", &COLUMNS, output);
    Ok(())
}

async fn make(client: &Client, create: &CreateArguments) -> Result<(), Failure> {
    let parameters: BTreeMap<&String, &String> = create.parameters.iter().map(|(name, value)| (name, value)).collect();
    let request = json!({
        "name": create.name, "template": create.template, "owner": create.owner,
        "template_version": create.template_version, "parameters": parameters, "start": !create.no_start,
    });
    let made = client.post("/api/v1/workspaces", &request).await?;
    terminal::line(made.get("id").and_then(Value::as_str).unwrap_or_default());
    Ok(())
}

async fn order(client: &Client, transition: &str, build: &BuildArguments) -> Result<(), Failure> {
    let parameters: BTreeMap<&String, &String> = build.parameters.iter().map(|(name, value)| (name, value)).collect();
    let request = json!({
        "transition": transition, "template_version": build.template_version,
        "parameters": (!parameters.is_empty()).then_some(parameters), "reason": build.reason,
    });
    let queued = client.post(&format!("{}/builds", path(&build.id)), &request).await?;
    match queued.get("number").and_then(Value::as_u64) {
        Some(number) => terminal::line(&format!("build {number} waits for a runner")),
        None => terminal::line("deleted"),
    }
    Ok(())
}

async fn cancel(client: &Client, id: &str, number: Option<u32>) -> Result<(), Failure> {
    let number = if let Some(number) = number {
        u64::from(number)
    } else {
        let workspace = client.get(&path(id), &[]).await?;
        let number = workspace.pointer("/last_build/number").and_then(Value::as_u64);
        number.ok_or_else(|| Failure::not_found("the workspace has no build".to_owned()))?
    };
    let build = client.post(&format!("{}/builds/{number}/cancel", path(id)), &json!({})).await?;
    let ended = build.get("status").and_then(Value::as_str) == Some("canceled");
    terminal::line(if ended { "canceled" } else { "its runner is told to end it" });
    Ok(())
}

fn print(value: &Value) -> Result<(), Failure> {
    terminal::line(&serde_json::to_string_pretty(value).doing("printing")?);
    Ok(())
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is written NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn path(id: &str) -> String {
    format!("/api/v1/workspaces/{id}")
}
