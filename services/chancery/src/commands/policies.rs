//! `chancery policies`.

use std::io::Read;
use std::path::Path;

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::failure::{Doing, Failure};
use crate::terminal::{self, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum PoliciesCommand {
    /// List the published policies in force.
    #[command(after_help = "Example:\n  chancery policies list --output json")]
    List {
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Print the text of a policy's newest version.
    #[command(after_help = "Example:\n  chancery policies show no-exports > no-exports.cedar")]
    Show {
        /// Its id.
        id: String,
    },
    /// Publish the next version of a policy.
    #[command(after_help = "Example:\n  chancery policies publish no-exports no-exports.cedar")]
    Publish {
        /// Its id.
        id: String,
        /// File with its Cedar text; `-` is standard input.
        file: std::path::PathBuf,
    },
    /// Withdraw a policy.
    #[command(after_help = "Example:\n  chancery policies withdraw no-exports")]
    Withdraw {
        /// Its id.
        id: String,
    },
    /// Tell what a policy would have changed in the last 30 days. Nothing is published.
    #[command(after_help = "Example:\n  chancery policies simulate no-exports no-exports.cedar")]
    Simulate {
        /// Its id: it takes the place of the policy of that id.
        id: String,
        /// File with its Cedar text; `-` is standard input.
        file: std::path::PathBuf,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Browser-only mode: where nothing but browsers may connect.
    #[command(subcommand)]
    BrowserOnly(BrowserOnlyCommand),
    /// Tell who may do something, and by which policies.
    #[command(
        after_help = "Examples:\n  chancery policies who-can audit:read --organization acme\n  chancery policies who-can policies:write --at 41872"
    )]
    WhoCan {
        /// A permission.
        permission: String,
        /// In this organization; in the whole deployment without.
        #[arg(long)]
        organization: Option<String>,
        /// At this past position of the log; now without.
        #[arg(long)]
        at: Option<String>,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BrowserOnlyCommand {
    /// Print where it is on.
    #[command(after_help = "Example:\n  chancery policy browser-only show")]
    Show,
    /// Set where it is on. What is not named is off; open sessions that it forbids end at once.
    #[command(
        after_help = "Examples:\n  chancery policy browser-only set --deployment\n  chancery policy browser-only set --organization eng --except-role owner\n  chancery policy browser-only set"
    )]
    Set(BrowserOnlyArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct BrowserOnlyArguments {
    /// Everywhere.
    #[arg(long)]
    deployment: bool,
    /// In an organization, by name; may be given again, as all that follow.
    #[arg(long, value_name = "NAME")]
    organization: Vec<String>,
    /// In workspaces of a template, by id.
    #[arg(long, value_name = "ID")]
    template: Vec<String>,
    /// For members of a group, by id.
    #[arg(long, value_name = "ID")]
    group: Vec<String>,
    /// A kind of session that counts as browser; terminal, `web_ide` and jupyter without.
    #[arg(long, value_name = "KIND")]
    browser_kind: Vec<String>,
    /// A user who is exempt, by id.
    #[arg(long, value_name = "ID")]
    except_user: Vec<String>,
    /// A group whose members are exempt, by id.
    #[arg(long, value_name = "ID")]
    except_group: Vec<String>,
    /// A role whose holders are exempt where they hold it.
    #[arg(long, value_name = "ROLE")]
    except_role: Vec<String>,
}

async fn browser_only(command: &BrowserOnlyCommand, client: &Client) -> Result<(), Failure> {
    const PATH: &str = "/api/v1/browser-only";
    let shown = match command {
        BrowserOnlyCommand::Show => client.get(PATH, &[]).await?,
        BrowserOnlyCommand::Set(set) => {
            let kinds = Some(&set.browser_kind).filter(|kinds| !kinds.is_empty());
            let settings = json!({
                "deployment": set.deployment, "organizations": set.organization, "templates": set.template,
                "groups": set.group, "browser_kinds": kinds,
                "except": { "users": set.except_user, "groups": set.except_group, "roles": set.except_role },
            });
            let request = client.request(Method::PUT, PATH).json(&settings);
            client.send(request).await?.json().await.doing("reading the answer")?
        }
    };
    terminal::line(&serde_json::to_string_pretty(&shown).doing("printing")?);
    Ok(())
}

pub(crate) async fn run(command: &PoliciesCommand, client: &Client) -> Result<(), Failure> {
    match command {
        PoliciesCommand::List { output } => {
            let policies = client.get("/api/v1/policies", &[]).await?;
            print(&policies, "items", &["id", "version", "published_at", "text"], *output);
        }
        PoliciesCommand::Show { id } => {
            let policy = client.get(&path(id), &[]).await?;
            terminal::line(policy.pointer("/versions/0/text").and_then(Value::as_str).unwrap_or_default());
        }
        PoliciesCommand::Publish { id, file } => {
            let request = client.request(Method::PUT, &path(id)).json(&json!({"text": text(file)?}));
            let published: Value = client.send(request).await?.json().await.doing("reading the answer")?;
            for warning in published.get("warnings").and_then(Value::as_array).into_iter().flatten() {
                eprintln!("chancery: {}", warning.get("message").and_then(Value::as_str).unwrap_or_default());
            }
            terminal::line(&format!("version {}", published.get("version").unwrap_or(&Value::Null)));
        }
        PoliciesCommand::Withdraw { id } => {
            client.send(client.request(Method::DELETE, &path(id))).await?;
            terminal::line("withdrawn");
        }
        PoliciesCommand::Simulate { id, file, output } => {
            let question = json!({"policies": [{"id": id, "text": text(file)?}]});
            let answer = client.post("/api/v1/policy/simulate", &question).await?;
            let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
            eprintln!(
                "chancery: of {} requests {} would be denied and {} allowed that were not",
                number("requests"),
                number("newly_denied"),
                number("newly_allowed")
            );
            let columns = ["principal_kind", "principal_id", "permission", "resource", "allowed", "count", "after"];
            print(&answer, "changes", &columns, *output);
        }
        PoliciesCommand::BrowserOnly(command) => browser_only(command, client).await?,
        PoliciesCommand::WhoCan { permission, organization, at, output } => {
            let resource = organization.as_ref().map(|name| json!({"kind": "organization", "name": name}));
            let question = json!({"permission": permission, "resource": resource, "at": at});
            let answer = client.post("/api/v1/policy/simulate", &question).await?;
            print(&answer, "holders", &["kind", "id", "name", "policies"], *output);
        }
    }
    Ok(())
}

fn print(answer: &Value, list: &str, columns: &[&str], output: Option<Output>) {
    let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
    let row = |item: &Value| columns.iter().map(|column| item.get(column).cloned().unwrap_or_default()).collect();
    let rows: Vec<Vec<Value>> = answer.get(list).and_then(Value::as_array).into_iter().flatten().map(row).collect();
    terminal::rows(&columns, &rows, Output::or_default(output));
}

fn text(file: &Path) -> Result<String, Failure> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).doing("reading standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).doing(&format!("reading {}", file.display()))
}

fn path(id: &str) -> String {
    format!("/api/v1/policies/{id}")
}
