//! `chancery users`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::commands::directory::{self, every, present, print, shown};
use crate::failure::Failure;
use crate::terminal::{self, Output};

/// What is shown of a user.
const COLUMNS: [&str; 8] =
    ["id", "username", "display_name", "email", "organization", "status", "connection", "created_at"];

#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// List users.
    #[command(
        after_help = "Examples:\n  chancery users list\n  chancery users list --query ada --status active --output csv"
    )]
    List {
        /// Text in the login name, full name or e-mail address.
        #[arg(long)]
        query: Option<String>,
        /// `active`, `suspended` or `deleted`.
        #[arg(long)]
        status: Option<String>,
        /// Home organization.
        #[arg(long)]
        organization: Option<String>,
        /// Most users; all without.
        #[arg(long)]
        limit: Option<usize>,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Show one user with its roles and groups.
    #[command(after_help = "Example:\n  chancery users show 0197a0c2-6f00-7abc-8000-000000000000")]
    Show {
        /// Its id.
        id: String,
    },
    /// Make a user whom no identity provider provisions, and print its id.
    #[command(after_help = "Example:\n  chancery users create ada --organization eng --email ada@example.com")]
    Create {
        /// Login name.
        username: String,
        /// Home organization.
        #[arg(long)]
        organization: Option<String>,
        /// E-mail address.
        #[arg(long)]
        email: Option<String>,
        /// Full name.
        #[arg(long)]
        display_name: Option<String>,
        /// A role from the start: `auditor`, or `eng/auditor` in an organization. May be repeated.
        #[arg(long = "role")]
        roles: Vec<String>,
    },
    /// Change a user whom no identity provider provisions.
    #[command(after_help = "Example:\n  chancery users update 0197a0c2-6f00-7abc-8000-000000000000 --organization ops")]
    Update {
        /// Its id.
        id: String,
        /// New home organization.
        #[arg(long)]
        organization: Option<String>,
        /// New main e-mail address.
        #[arg(long)]
        email: Option<String>,
        /// New full name.
        #[arg(long)]
        display_name: Option<String>,
    },
    /// Take a user's access: tokens and sessions end, workspaces stop.
    #[command(
        after_help = "Example:\n  chancery users suspend 0197a0c2-6f00-7abc-8000-000000000000 --reason 'on leave'"
    )]
    Suspend {
        /// Its id.
        id: String,
        /// For auditors.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Give a suspended user access back.
    #[command(after_help = "Example:\n  chancery users reactivate 0197a0c2-6f00-7abc-8000-000000000000")]
    Reactivate {
        /// Its id.
        id: String,
        /// For auditors.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Remove a user for good.
    #[command(after_help = "Example:\n  chancery users delete 0197a0c2-6f00-7abc-8000-000000000000")]
    Delete {
        /// Its id.
        id: String,
    },
    /// List, give and take roles of a user.
    #[command(subcommand)]
    Roles(RolesCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum RolesCommand {
    /// List the roles of a user.
    #[command(after_help = "Example:\n  chancery users roles list 0197a0c2-6f00-7abc-8000-000000000000")]
    List {
        /// The user's id.
        id: String,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Give a role.
    #[command(after_help = "Example:\n  chancery users roles add 0197a0c2-6f00-7abc-8000-000000000000 eng/auditor")]
    Add {
        /// The user's id.
        id: String,
        /// `auditor`, or `eng/auditor` in an organization.
        role: String,
    },
    /// Take a role.
    #[command(after_help = "Example:\n  chancery users roles remove 0197a0c2-6f00-7abc-8000-000000000000 eng/auditor")]
    Remove {
        /// The user's id.
        id: String,
        /// `auditor`, or `eng/auditor` in an organization.
        role: String,
    },
}

pub(crate) async fn run(command: &UsersCommand, client: &Client) -> Result<(), Failure> {
    match command {
        UsersCommand::List { query, status, organization, limit, output } => {
            let filters = present([("q", query), ("status", status), ("organization", organization)]);
            let users = every(client, "/api/v1/users", &filters, *limit).await?;
            print(&users, &COLUMNS, *output);
        }
        UsersCommand::Show { id } => shown(&client.get(&path(id), &[]).await?),
        UsersCommand::Create { username, organization, email, display_name, roles } => {
            let roles: Vec<Value> = roles.iter().map(|role| grant(role)).collect();
            let order = json!({
                "username": username, "organization": organization, "email": email, "display_name": display_name,
                "roles": roles,
            });
            directory::id(&client.post("/api/v1/users", &order).await?);
        }
        UsersCommand::Update { id, organization, email, display_name } => {
            let change = json!({"organization": organization, "email": email, "display_name": display_name});
            directory::change(client, Method::PATCH, &path(id), Some(&change)).await?;
            terminal::line("updated");
        }
        UsersCommand::Suspend { id, reason } => {
            client.post(&format!("{}/suspend", path(id)), &json!({"reason": reason})).await?;
            terminal::line("suspended");
        }
        UsersCommand::Reactivate { id, reason } => {
            client.post(&format!("{}/reactivate", path(id)), &json!({"reason": reason})).await?;
            terminal::line("reactivated");
        }
        UsersCommand::Delete { id } => {
            directory::change(client, Method::DELETE, &path(id), None).await?;
            terminal::line("deleted");
        }
        UsersCommand::Roles(command) => roles(command, client).await?,
    }
    Ok(())
}

async fn roles(command: &RolesCommand, client: &Client) -> Result<(), Failure> {
    match command {
        RolesCommand::List { id, output } => {
            let roles = client.get(&held(id), &[]).await?;
            print(directory::items(&roles), &["role", "organization", "by_group"], *output);
        }
        RolesCommand::Add { id, role } => {
            client.post(&held(id), &grant(role)).await?;
            terminal::line("given");
        }
        RolesCommand::Remove { id, role } => {
            directory::change(client, Method::DELETE, &held(id), Some(&grant(role))).await?;
            terminal::line("taken");
        }
    }
    Ok(())
}

/// A role as it is written on the command line.
fn grant(text: &str) -> Value {
    match text.split_once('/') {
        Some((organization, role)) => json!({"role": role, "organization": organization}),
        None => json!({"role": text}),
    }
}

fn path(id: &str) -> String {
    directory::path("users", id)
}

fn held(id: &str) -> String {
    format!("{}/roles", path(id))
}
