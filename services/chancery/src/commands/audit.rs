//! `chancery audit`.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::{AuditCommand, CountArguments, ExportArguments, ExportFormat, SearchArguments};
use crate::client::Client;
use crate::failure::{Doing, Failure};
use crate::terminal::{self, Output};

/// Columns of the table for people.
const SHOWN: &str = "occurred_at,type,actor.name,actor.ip,resource.kind,resource.name,outcome,reason";

pub(crate) async fn run(command: &AuditCommand, client: &Client) -> Result<(), Failure> {
    match command {
        AuditCommand::Search(arguments) => search(arguments, client).await,
        AuditCommand::Show { id } => {
            let event = client.get(&format!("/api/v1/audit/events/{id}"), &[]).await?;
            terminal::line(&serde_json::to_string_pretty(&event).doing("printing")?);
            Ok(())
        }
        AuditCommand::Tail { query, from } => tail(query, from.clone(), client).await,
        AuditCommand::Count(arguments) => count(arguments, client).await,
        AuditCommand::Sql { query, limit, output } => {
            let answer = client.post("/api/v1/audit/sql", &json!({"query": query, "limit": limit})).await?;
            if answer.get("truncated") == Some(&Value::Bool(true)) {
                eprintln!("chancery: there are more rows than were asked for");
            }
            print_table(&answer, *output);
            Ok(())
        }
        AuditCommand::SignIns(arguments) => super::sign_ins::run(arguments, client).await,
        AuditCommand::Export(arguments) => export(arguments, client).await,
    }
}

async fn search(arguments: &SearchArguments, client: &Client) -> Result<(), Failure> {
    let output = Output::or_default(arguments.output);
    let fields = match (&arguments.fields, output) {
        (Some(fields), _) => Some(fields.clone()),
        (None, Output::Table | Output::Csv) => Some(SHOWN.to_owned()),
        (None, _) => None,
    };
    let mut wanted = if arguments.all { usize::MAX } else { arguments.limit };
    let mut cursor: Option<String> = None;
    let mut events: Vec<Value> = Vec::new();
    while wanted > 0 {
        let mut query = vec![("q", arguments.query.clone()), ("limit", wanted.min(1000).to_string())];
        query.push(("order", if arguments.ascending { "asc" } else { "desc" }.to_owned()));
        query.extend(fields.clone().map(|fields| ("fields", fields)));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let page = client.get("/api/v1/audit/events", &query).await?;
        let found = page.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
        wanted = wanted.saturating_sub(found.len());
        if output == Output::Ndjson {
            for event in &found {
                terminal::line(&event.to_string());
            }
        } else {
            events.extend(found);
        }
        cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    match (output, fields) {
        (Output::Ndjson, _) => {}
        (Output::Table | Output::Csv, Some(fields)) => {
            let columns: Vec<String> = fields.split(',').map(|field| field.trim().to_owned()).collect();
            let row =
                |event: &Value| columns.iter().map(|column| event.get(column).cloned().unwrap_or_default()).collect();
            terminal::rows(&columns, &events.iter().map(row).collect::<Vec<_>>(), output);
        }
        _ => terminal::line(&Value::Array(events).to_string()),
    }
    Ok(())
}

async fn count(arguments: &CountArguments, client: &Client) -> Result<(), Failure> {
    let mut query = vec![("q", arguments.query.clone()), ("limit", arguments.limit.to_string())];
    query.extend(arguments.by.clone().map(|by| ("group_by", by)));
    query.extend(arguments.bucket.clone().map(|bucket| ("bucket", bucket)));
    query.extend(arguments.distinct.clone().map(|distinct| ("distinct", distinct)));
    print_table(&client.get("/api/v1/audit/aggregate", &query).await?, arguments.output);
    Ok(())
}

pub(super) fn print_table(answer: &Value, output: Option<Output>) {
    let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let columns: Vec<String> = list("columns").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let rows: Vec<Vec<Value>> = list("rows").into_iter().filter_map(|row| row.as_array().cloned()).collect();
    terminal::rows(&columns, &rows, Output::or_default(output));
}

/// Follows the log; after a broken connection it goes on where it was.
async fn tail(query: &str, from: Option<String>, client: &Client) -> Result<(), Failure> {
    let mut last = from;
    loop {
        let mut request = client.request(Method::GET, "/api/v1/audit/tail").query(&[("q", query)]);
        if let Some(last) = &last {
            request = request.header("last-event-id", last);
        }
        let mut chunks = client.send(request).await?.bytes_stream();
        let mut buffer = Vec::new();
        while let Some(Ok(chunk)) = chunks.next().await {
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
                let message: Vec<u8> = buffer.drain(..end + 2).collect();
                for line in String::from_utf8_lossy(&message).lines() {
                    if let Some(id) = line.strip_prefix("id: ") {
                        last = Some(id.to_owned());
                    } else if let Some(event) = line.strip_prefix("data: ") {
                        terminal::line(event);
                    }
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn export(arguments: &ExportArguments, client: &Client) -> Result<(), Failure> {
    let format = match arguments.format {
        ExportFormat::Ndjson => "ndjson",
        ExportFormat::Csv => "csv",
        ExportFormat::Parquet => "parquet",
        ExportFormat::Arrow => "arrow",
    };
    let mut query = vec![("q", arguments.query.clone()), ("format", format.to_owned())];
    query.extend(arguments.fields.clone().map(|fields| ("fields", fields)));
    let response = client.send(client.request(Method::GET, "/api/v1/audit/export").query(&query)).await?;
    let mut chunks = response.bytes_stream();
    let broken = |error: reqwest::Error| Failure::unavailable(format!("the export broke off: {error}"));
    let Some(path) = &arguments.output_file else {
        while let Some(chunk) = chunks.next().await {
            terminal::bytes(&chunk.map_err(broken)?);
        }
        return Ok(());
    };
    // Under another name until it is complete.
    let unfinished = path.with_extension("unfinished");
    let mut file = std::fs::File::create(&unfinished).doing(&format!("creating {}", unfinished.display()))?;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {bytes} {bytes_per_sec} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(broken)?;
        file.write_all(&chunk).doing("writing the export")?;
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    file.sync_all().doing("writing the export")?;
    rename(&unfinished, path)
}

fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::rename(from, to).doing(&format!("writing {}", to.display()))
}
