//! `chancery runners`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::commands::directory::{items, path, print};
use crate::failure::Failure;
use crate::terminal::{self, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum RunnersCommand {
    /// List runners.
    #[command(after_help = "Example:\n  chancery runners list --output json")]
    List {
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Show a runner.
    #[command(after_help = "Example:\n  chancery runners show 0197a0c2-6f00-7000-8000-0000000000aa")]
    Show {
        /// Its id.
        id: String,
    },
    /// Revoke a runner: it is cut off at once, and never comes back.
    #[command(
        after_help = "Example:\n  chancery runners revoke 0197a0c2-6f00-7000-8000-0000000000aa --reason 'the machine was stolen'"
    )]
    Revoke {
        /// Its id.
        id: String,
        /// For auditors.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Issue, list, rotate and withdraw the keys that register runners.
    #[command(subcommand)]
    Keys(KeysCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Issue a runner key and print it, once.
    #[command(
        after_help = "Examples:\n  chancery runners keys create lab --organization research --tag zone=lab\n  chancery runners keys create ada --organization research --owner 0197a0c2-6f00-7000-8000-000000000001 --one-time"
    )]
    Create {
        /// What it is for.
        name: String,
        /// The organization whose builds its runners take.
        #[arg(long, value_name = "NAME")]
        organization: String,
        /// Id of the user whose workspaces alone its runners build.
        #[arg(long, value_name = "USER")]
        owner: Option<String>,
        /// A tag of its runners; may be repeated.
        #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
        tags: Vec<(String, String)>,
        /// It registers one runner only.
        #[arg(long)]
        one_time: bool,
        /// When it stops working, RFC 3339.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        /// How many seconds each of its runners is accepted; until it is revoked without.
        #[arg(long, value_name = "SECONDS")]
        runner_seconds: Option<u64>,
    },
    /// List runner keys, without their secrets.
    #[command(after_help = "Example:\n  chancery runners keys list")]
    List {
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Issue a successor for a runner key and print it, once. Its runners stay.
    #[command(after_help = "Example:\n  chancery runners keys rotate k3v9w2m4p7qd --overlap-seconds 86400")]
    Rotate {
        /// Its id.
        id: String,
        /// How long the old one goes on working; an hour without.
        #[arg(long, value_name = "SECONDS")]
        overlap_seconds: Option<u32>,
        /// When the new one stops working, RFC 3339.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// Withdraw a runner key, and cut off every runner that it has registered.
    #[command(
        after_help = "Example:\n  chancery runners keys revoke k3v9w2m4p7qd --reason 'it was in a public repository'"
    )]
    Revoke {
        /// Its id.
        id: String,
        /// For auditors.
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(crate) async fn run(command: &RunnersCommand, client: &Client) -> Result<(), Failure> {
    match command {
        RunnersCommand::List { output } => {
            let runners = client.get("/api/v1/runners", &[]).await?;
            let columns = ["id", "name", "organization", "tags", "status", "version", "last_seen_at", "expires_at"];
            print(items(&runners), &columns, *output);
        }
        RunnersCommand::Show { id } => {
            let runner = client.get(&path("runners", id), &[]).await?;
            terminal::line(&serde_json::to_string_pretty(&runner).unwrap_or_default());
        }
        RunnersCommand::Revoke { id, reason } => revoke(client, &path("runners", id), reason.as_deref()).await?,
        RunnersCommand::Keys(command) => keys(command, client).await?,
    }
    Ok(())
}

async fn keys(command: &KeysCommand, client: &Client) -> Result<(), Failure> {
    match command {
        KeysCommand::Create { name, organization, owner, tags, one_time, expires_at, runner_seconds } => {
            let tags: Map<String, Value> =
                tags.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
            let order = json!({
                "name": name, "organization": organization, "owner": owner, "tags": tags, "one_time": one_time,
                "expires_at": expires_at, "runner_seconds": runner_seconds,
            });
            once(&client.post("/api/v1/runner-keys", &order).await?);
        }
        KeysCommand::List { output } => {
            let keys = client.get("/api/v1/runner-keys", &[]).await?;
            let columns =
                ["id", "name", "organization", "tags", "one_time", "created_at", "expires_at", "used_at", "unusable"];
            print(items(&keys), &columns, *output);
        }
        KeysCommand::Rotate { id, overlap_seconds, expires_at } => {
            let order = json!({"overlap_seconds": overlap_seconds, "expires_at": expires_at});
            once(&client.post(&format!("{}/rotate", path("runner-keys", id)), &order).await?);
        }
        KeysCommand::Revoke { id, reason } => revoke(client, &path("runner-keys", id), reason.as_deref()).await?,
    }
    Ok(())
}

/// Prints a runner key, which nobody is shown again.
fn once(made: &Value) {
    eprintln!("chancery: this is the only time the runner key is shown");
    terminal::line(made.get("key").and_then(Value::as_str).unwrap_or_default());
}

async fn revoke(client: &Client, path: &str, reason: Option<&str>) -> Result<(), Failure> {
    let request = client.request(Method::DELETE, path);
    let request = match reason {
        Some(reason) => request.query(&[("reason", reason)]),
        None => request,
    };
    client.send(request).await?;
    terminal::line("revoked");
    Ok(())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("is not NAME=VALUE".to_owned()),
    }
}
