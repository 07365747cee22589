//! `chancery quota`.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::failure::{Doing, Failure};
use crate::terminal::{self, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum QuotaCommand {
    /// Print what a user may use in an organization, and uses.
    #[command(
        after_help = "Examples:\n  chancery quota show --organization acme\n  chancery quota show --organization acme --user 0197a0c2-6f00-7000-8000-000000000001"
    )]
    Show {
        /// The organization.
        #[arg(long)]
        organization: String,
        /// User id; yourself without.
        #[arg(long, default_value = "me")]
        user: String,
    },
    /// Tell whether a start would be within the quota. Nothing changes.
    #[command(
        after_help = "Examples:\n  chancery quota check --template go --cost 40\n  chancery quota check --workspace WORKSPACE --cost 80"
    )]
    Check {
        /// Id of a workspace.
        #[arg(long, conflicts_with = "template", required_unless_present = "template")]
        workspace: Option<String>,
        /// Id or name of a template that one would be made from.
        #[arg(long)]
        template: Option<String>,
        /// User id of who would have it; yourself without.
        #[arg(long)]
        owner: Option<String>,
        /// Credits per day; what the template declares, without.
        #[arg(long)]
        cost: Option<u32>,
    },
    /// Allowances of groups.
    #[command(subcommand)]
    Allowance(AllowanceCommand),
    /// Bounds beside the allowances.
    #[command(subcommand)]
    Cap(CapCommand),
    /// Budgets over time.
    #[command(subcommand)]
    Budget(BudgetCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AllowanceCommand {
    /// Set the credits per day that each member of a group gets.
    #[command(after_help = "Example:\n  chancery quota allowance set GROUP 100")]
    Set {
        /// Id of the group.
        group: String,
        /// Credits per day.
        allowance: u32,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CapCommand {
    /// List the caps of an organization.
    List {
        /// The organization.
        #[arg(long)]
        organization: String,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Set a cap, or lift it without a limit.
    #[command(
        after_help = "Examples:\n  chancery quota cap set --organization acme organization_credits 5000\n  chancery quota cap set --organization acme group_credits --subject GROUP 800\n  chancery quota cap set --organization acme template_workspaces_per_user --subject TEMPLATE 2"
    )]
    Set {
        /// The organization.
        #[arg(long)]
        organization: String,
        /// `organization_credits`, `group_credits`, `template_workspaces` or `template_workspaces_per_user`.
        bounds: String,
        /// Id of the group or template.
        #[arg(long)]
        subject: Option<String>,
        /// Most credits per day, or most workspaces.
        limit: Option<u64>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BudgetCommand {
    /// List the budgets of an organization, and what is used of them.
    List {
        /// The organization.
        #[arg(long)]
        organization: String,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Set a budget, or lift it without credit-hours.
    #[command(
        after_help = "Examples:\n  chancery quota budget set --organization acme --period month 100000\n  chancery quota budget set --organization acme --group GROUP --period day --hard 2400"
    )]
    Set(BudgetArguments),
}

#[derive(Debug, Args)]
pub(crate) struct BudgetArguments {
    /// The organization.
    #[arg(long)]
    organization: String,
    /// User id of whose budget it is.
    #[arg(long, conflicts_with = "group")]
    user: Option<String>,
    /// Id of the group whose budget it is; the organization's without either.
    #[arg(long)]
    group: Option<String>,
    /// `day` or `month`.
    #[arg(long)]
    period: String,
    /// Let nothing start once it is used up, and stop what runs.
    #[arg(long)]
    hard: bool,
    /// Credit-hours of the period.
    credit_hours: Option<u64>,
}

pub(crate) async fn run(command: &QuotaCommand, client: &Client) -> Result<(), Failure> {
    match command {
        QuotaCommand::Show { organization, user } => {
            print(&client.get(&format!("/api/v1/organizations/{organization}/members/{user}/quota"), &[]).await?)
        }
        QuotaCommand::Check { workspace, template, owner, cost } => {
            let request = json!({"workspace": workspace, "template": template, "owner": owner, "cost": cost});
            let judged = client.post("/api/v1/quota/check", &request).await?;
            print(&judged)?;
            match judged.get("reason").and_then(Value::as_str) {
                Some(reason) => Err(Failure::failed(reason.to_owned())),
                None => Ok(()),
            }
        }
        QuotaCommand::Allowance(AllowanceCommand::Set { group, allowance }) => {
            let request = client.request(Method::PATCH, &format!("/api/v1/groups/{group}"));
            client.send(request.json(&json!({ "quota_allowance": allowance }))).await?;
            terminal::line("set");
            Ok(())
        }
        QuotaCommand::Cap(CapCommand::List { organization, output }) => {
            let caps = client.get(&format!("/api/v1/organizations/{organization}/quota-caps"), &[]).await?;
            super::table(&caps, "items", &["bounds", "subject_id", "limit"], *output);
            Ok(())
        }
        QuotaCommand::Cap(CapCommand::Set { organization, bounds, subject, limit }) => {
            let cap = json!({"bounds": bounds, "subject_id": subject, "limit": limit});
            put(client, &format!("/api/v1/organizations/{organization}/quota-caps"), &cap).await
        }
        QuotaCommand::Budget(BudgetCommand::List { organization, output }) => {
            let budgets = client.get(&format!("/api/v1/organizations/{organization}/quota-budgets"), &[]).await?;
            let columns = ["subject_kind", "subject_id", "period", "credit_hours", "used_thousandths", "hard", "spent"];
            super::table(&budgets, "items", &columns, *output);
            Ok(())
        }
        QuotaCommand::Budget(BudgetCommand::Set(set)) => {
            let kind = match (&set.user, &set.group) {
                (Some(_), _) => "user",
                (None, Some(_)) => "group",
                (None, None) => "organization",
            };
            let budget = json!({
                "subject_kind": kind, "subject_id": set.user.as_ref().or(set.group.as_ref()), "period": set.period,
                "credit_hours": set.credit_hours, "hard": set.hard,
            });
            put(client, &format!("/api/v1/organizations/{}/quota-budgets", set.organization), &budget).await
        }
    }
}

async fn put(client: &Client, path: &str, body: &Value) -> Result<(), Failure> {
    client.send(client.request(Method::PUT, path).json(body)).await?;
    terminal::line("set");
    Ok(())
}

fn print(value: &Value) -> Result<(), Failure> {
    terminal::line(&serde_json::to_string_pretty(value).doing("printing")?);
    Ok(())
}
