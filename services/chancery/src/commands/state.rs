//! `chancery state`.

use std::collections::BTreeSet;

use chancery_log::system_clock;
use serde_json::Value;

use super::load;
use crate::cli::{Arguments, StateCommand};
use crate::client::Client;
use crate::configuration::{Configuration, LogEngine};
use crate::failure::{Doing, Failure};
use crate::serve::{open_log, own};
use crate::terminal::{self, Output};

pub(crate) async fn run(command: &StateCommand, arguments: &Arguments) -> Result<(), Failure> {
    let configuration = load(arguments)?.configuration();
    match command {
        StateCommand::Rebuild { .. } => rebuild(&configuration).await,
        StateCommand::List { kind, output } => list(kind, *output, &Client::new(&configuration)?).await,
    }
}

async fn rebuild(configuration: &Configuration) -> Result<(), Failure> {
    let _owner = match configuration.log {
        LogEngine::Sqlite => Some(own(&configuration.data_directory)?),
        LogEngine::Kafka(_) => None,
    };
    let log = open_log(configuration, BTreeSet::new()).await?;
    let report = chancery_state::rebuild(&log, &configuration.database, system_clock()).await.doing("rebuilding")?;
    log.close().await;
    terminal::line(&format!(
        "{} rows from {} events; {} rows differed from the live tables",
        report.rows,
        report.reached.total(),
        report.different_rows
    ));
    for difference in &report.differences {
        let side = |row: &Option<String>| row.clone().unwrap_or_else(|| "absent".to_owned());
        terminal::line(&format!(
            "{}\n  live    {}\n  rebuilt {}",
            difference.table,
            side(&difference.live),
            side(&difference.rebuilt)
        ));
    }
    if report.different_rows > 0 {
        return Err(Failure::failed("the live tables were not what the log says; the rebuilt ones are in their place"));
    }
    Ok(())
}

async fn list(kind: &str, output: Option<Output>, client: &Client) -> Result<(), Failure> {
    let kinds = [
        "users",
        "groups",
        "organizations",
        "roles",
        "templates",
        "workspaces",
        "sessions",
        "consumers",
        "dead-letters",
    ];
    if !kinds.contains(&kind) {
        return Err(Failure::usage(format!("`{kind}` cannot be listed; there are {}", kinds.join(", "))));
    }
    let mut items: Vec<Value> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let query: Vec<_> =
            after.iter().map(|after| ("after", after.clone())).chain([("limit", "1000".to_owned())]).collect();
        let page = client.get(&format!("/api/v1/{kind}"), &query).await?;
        items.extend(page.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
        after = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    let columns: Vec<String> =
        items.first().and_then(Value::as_object).map(|item| item.keys().cloned().collect()).unwrap_or_default();
    let row = |item: &Value| columns.iter().map(|column| item.get(column).cloned().unwrap_or_default()).collect();
    terminal::rows(&columns, &items.iter().map(row).collect::<Vec<_>>(), Output::or_default(output));
    Ok(())
}
