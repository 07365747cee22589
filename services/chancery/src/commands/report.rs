//! `chancery report`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use crate::client::Client;
use crate::failure::{Doing, Failure};
use crate::terminal::{self, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// List the reports, with what can be asked of them.
    #[command(after_help = "Example:\n  chancery report list")]
    List {
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// What was used of quotas: allowance, peak, credit-hours, cost, denials, idle hours, forecast.
    #[command(
        after_help = "Examples:\n  chancery report quota-usage --period 2026-03 --by group\n  chancery report quota-usage --period 2026-03 --price 0.42 --currency EUR --output-file march.xlsx\n  chancery report quota-usage --period 2026-03 --price 0.42 --currency EUR --format focus-csv --output-file march.csv"
    )]
    QuotaUsage(UsageArguments),
    /// Who may use what, and how they got it.
    #[command(
        after_help = "Examples:\n  chancery report access-review --organization acme\n  chancery report access-review --at 2026-01-01 --permission audit:export --output csv"
    )]
    AccessReview(ReviewArguments),
    /// Workspaces whose owner is suspended, deleted or not known.
    #[command(after_help = "Example:\n  chancery report orphaned-workspaces --output-file orphans.xlsx")]
    OrphanedWorkspaces(ReportArguments),
    /// Active users who have not signed in for a number of days.
    #[command(after_help = "Example:\n  chancery report dormant-users --days 60")]
    DormantUsers(DormantArguments),
    /// What was done that only few may do.
    #[command(after_help = "Example:\n  chancery report privileged-actions --period 2026-03 --output csv")]
    PrivilegedActions(ActionArguments),
    /// Attempts to sign in that failed.
    #[command(after_help = "Example:\n  chancery report failed-sign-ins --from 2026-03-01 --by address")]
    FailedSignIns(SignInArguments),
}

/// What can be asked of every report.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// Only this organization.
    #[arg(long)]
    organization: Option<String>,
    /// At this position of the log, as an earlier report named it; now without.
    #[arg(long, conflicts_with = "at")]
    position: Option<String>,
    /// As it was known at this date or time.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// How to print.
    #[arg(long)]
    output: Option<Output>,
    /// File to write, complete or not at all: xlsx, parquet, csv or json, as its name says.
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// What the file is written as, whatever its name.
    #[arg(long, requires = "output_file")]
    format: Option<String>,
}

/// A period.
#[derive(Debug, Args)]
pub(crate) struct PeriodArguments {
    /// A month such as 2026-03, a day or a year, UTC; this month without.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    period: Option<String>,
    /// First day or moment.
    #[arg(long)]
    from: Option<String>,
    /// The day or moment after the last.
    #[arg(long)]
    to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct UsageArguments {
    /// user, group, template or organization.
    #[arg(long, default_value = "user")]
    by: String,
    #[command(flatten)]
    period: PeriodArguments,
    /// What a credit costs per day; that of the server's configuration without.
    #[arg(long, requires = "currency")]
    price: Option<String>,
    /// Its currency, such as EUR.
    #[arg(long, requires = "price")]
    currency: Option<String>,
    /// How finely FOCUS divides time: month or day.
    #[arg(long)]
    granularity: Option<String>,
    #[command(flatten)]
    report: ReportArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ReviewArguments {
    /// Only this user, by id.
    #[arg(long)]
    user: Option<String>,
    /// Only ways to this permission.
    #[arg(long)]
    permission: Option<String>,
    #[command(flatten)]
    report: ReportArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DormantArguments {
    /// Days without a sign-in.
    #[arg(long, default_value_t = 90)]
    days: u32,
    #[command(flatten)]
    report: ReportArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ActionArguments {
    #[command(flatten)]
    period: PeriodArguments,
    /// Only this actor, by id.
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    report: ReportArguments,
}

#[derive(Debug, Args)]
pub(crate) struct SignInArguments {
    /// account, address or account-address.
    #[arg(long, default_value = "account-address")]
    by: String,
    #[command(flatten)]
    period: PeriodArguments,
    #[command(flatten)]
    report: ReportArguments,
}

type Parameters = Vec<(&'static str, String)>;

impl PeriodArguments {
    fn parameters(&self) -> Parameters {
        given(&[("period", &self.period), ("from", &self.from), ("to", &self.to)])
    }
}

pub(crate) async fn run(command: &ReportCommand, client: &Client) -> Result<(), Failure> {
    let (name, parameters, report) = match command {
        ReportCommand::List { output } => return list(client, *output).await,
        ReportCommand::QuotaUsage(it) => {
            let mut parameters = it.period.parameters();
            parameters.push(("by", it.by.clone()));
            let further = [("price", &it.price), ("currency", &it.currency), ("granularity", &it.granularity)];
            parameters.extend(given(&further));
            ("quota-usage", parameters, &it.report)
        }
        ReportCommand::AccessReview(it) => {
            ("access-review", given(&[("user", &it.user), ("permission", &it.permission)]), &it.report)
        }
        ReportCommand::OrphanedWorkspaces(it) => ("orphaned-workspaces", Parameters::new(), it),
        ReportCommand::DormantUsers(it) => ("dormant-users", vec![("days", it.days.to_string())], &it.report),
        ReportCommand::PrivilegedActions(it) => {
            let mut parameters = it.period.parameters();
            parameters.extend(given(&[("user", &it.user)]));
            ("privileged-actions", parameters, &it.report)
        }
        ReportCommand::FailedSignIns(it) => {
            let mut parameters = it.period.parameters();
            parameters.push(("by", it.by.clone()));
            ("failed-sign-ins", parameters, &it.report)
        }
    };
    ask(name, parameters, report, client).await
}

fn given(parameters: &[(&'static str, &Option<String>)]) -> Parameters {
    parameters.iter().filter_map(|(name, value)| Some((*name, (*value).clone()?))).collect()
}

async fn list(client: &Client, output: Option<Output>) -> Result<(), Failure> {
    let answer = client.get("/api/v1/reports", &[]).await?;
    let columns = ["name", "description", "permission", "parameters", "formats"].map(str::to_owned);
    let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let joined = |value: Option<&Value>| match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ").into(),
        other => other.cloned().unwrap_or_default(),
    };
    let row = |item: &Value| columns.iter().map(|column| joined(item.get(column))).collect();
    terminal::rows(&columns, &items.iter().map(row).collect::<Vec<_>>(), Output::or_default(output));
    Ok(())
}

async fn ask(name: &str, mut parameters: Parameters, report: &ReportArguments, client: &Client) -> Result<(), Failure> {
    let path = format!("/api/v1/reports/{name}");
    let always = [("organization", &report.organization), ("position", &report.position), ("at", &report.at)];
    parameters.extend(given(&always));
    if let Some(file) = &report.output_file {
        let format = match (&report.format, file.extension().and_then(|extension| extension.to_str())) {
            (Some(format), _) => format.clone(),
            (None, Some(extension @ ("xlsx" | "parquet" | "csv" | "json"))) => extension.to_owned(),
            _ => return Err(Failure::usage("name the file .xlsx, .parquet, .csv or .json, or say `--format`")),
        };
        parameters.push(("format", format));
        let response = client.send(client.request(Method::GET, &path).query(&parameters)).await?;
        let bytes = response.bytes().await.map_err(|error| Failure::unavailable(error.to_string()))?;
        return write(file, &bytes);
    }
    let output = Output::or_default(report.output);
    if output == Output::Csv {
        parameters.push(("format", "csv".to_owned()));
        let response = client.send(client.request(Method::GET, &path).query(&parameters)).await?;
        let bytes = response.bytes().await.map_err(|error| Failure::unavailable(error.to_string()))?;
        terminal::bytes(&bytes);
        return Ok(());
    }
    let answer = client.get(&path, &parameters).await?;
    if output == Output::Json {
        terminal::line(&answer.to_string());
        return Ok(());
    }
    print(&answer, output);
    Ok(())
}

/// The rows, and for people the totals and what has to be said.
fn print(answer: &Value, output: Output) {
    let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let columns: Vec<String> = list("columns").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let row = |row: &Value| -> Vec<Value> {
        columns.iter().map(|column| row.get(column).cloned().unwrap_or_default()).collect()
    };
    let mut rows: Vec<Vec<Value>> = list("rows").iter().map(row).collect();
    if output == Output::Table {
        rows.extend(answer.get("totals").filter(|totals| totals.is_object()).map(row));
    }
    // What no row says takes no room on the screen.
    let kept: Vec<usize> = (0..columns.len())
        .filter(|index| output != Output::Table || rows.iter().any(|row| row.get(*index) != Some(&Value::Null)))
        .collect();
    let pick = |row: &[Value]| kept.iter().filter_map(|index| row.get(*index).cloned()).collect::<Vec<_>>();
    let shown: Vec<String> = kept.iter().filter_map(|index| columns.get(*index).cloned()).collect();
    terminal::rows(&shown, &rows.iter().map(|row| pick(row)).collect::<Vec<_>>(), output);
    if output == Output::Table {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        for note in list("notes").iter().filter_map(Value::as_str) {
            eprintln!("chancery: {note}");
        }
        eprintln!("chancery: at position {}, as of {}", text("position"), text("as_of"));
    }
}

/// Writes a file under another name until it is complete.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, bytes).doing(&format!("creating {}", unfinished.display()))?;
    std::fs::rename(&unfinished, path).doing(&format!("writing {}", path.display()))
}
