//! `chancery groups`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use crate::client::Client;
use crate::commands::directory::{self, every, present, print, shown};
use crate::failure::Failure;
use crate::terminal::{self, Output};

/// What is shown of a group.
const COLUMNS: [&str; 7] = ["id", "name", "organization", "quota_allowance", "members", "connection", "everyone"];

#[derive(Debug, Subcommand)]
pub(crate) enum GroupsCommand {
    /// List groups.
    #[command(after_help = "Example:\n  chancery groups list --output json")]
    List {
        /// Most groups; all without.
        #[arg(long)]
        limit: Option<usize>,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Show one group with the first of its members.
    #[command(after_help = "Example:\n  chancery groups show 0197a0c2-6f00-7abc-8000-000000000000")]
    Show {
        /// Its id.
        id: String,
    },
    /// Make a group that no identity provider provisions, and print its id.
    #[command(after_help = "Example:\n  chancery groups create researchers --organization eng --allowance 40")]
    Create {
        /// Its name, unique in its organization.
        name: String,
        /// Organization it belongs to.
        #[arg(long)]
        organization: String,
        /// Name for people.
        #[arg(long)]
        display_name: Option<String>,
        /// Daily credits that each member gets.
        #[arg(long)]
        allowance: Option<u32>,
    },
    /// Rename a group.
    #[command(after_help = "Example:\n  chancery groups update 0197a0c2-6f00-7abc-8000-000000000000 --name research")]
    Update {
        /// Its id.
        id: String,
        /// New name.
        #[arg(long)]
        name: Option<String>,
        /// New name for people.
        #[arg(long)]
        display_name: Option<String>,
    },
    /// Remove a group, and its members from it.
    #[command(after_help = "Example:\n  chancery groups delete 0197a0c2-6f00-7abc-8000-000000000000")]
    Delete {
        /// Its id.
        id: String,
    },
    /// Set how many credits a day each member gets. An organization's id is that of its group of everyone.
    #[command(after_help = "Example:\n  chancery groups allowance 0197a0c2-6f00-7abc-8000-000000000000 40")]
    Allowance {
        /// Id of the group.
        id: String,
        /// Daily credits.
        credits: u32,
    },
    /// List, add and remove members.
    #[command(subcommand)]
    Members(MembersCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum MembersCommand {
    /// List the members of a group.
    #[command(
        after_help = "Example:\n  chancery groups members list 0197a0c2-6f00-7abc-8000-000000000000 --output csv"
    )]
    List {
        /// Id of the group.
        id: String,
        /// Most members; all without.
        #[arg(long)]
        limit: Option<usize>,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Take a user into a group.
    #[command(
        after_help = "Example:\n  chancery groups members add GROUP USER --reason 'ticket 4711' --expires-at 2027-01-31T00:00:00Z"
    )]
    Add {
        /// Id of the group.
        id: String,
        /// Id of the user.
        user: String,
        /// For auditors.
        #[arg(long)]
        reason: Option<String>,
        /// When the membership ends by itself, RFC 3339.
        #[arg(long)]
        expires_at: Option<String>,
    },
    /// Put a user out of a group.
    #[command(after_help = "Example:\n  chancery groups members remove GROUP USER --reason 'left the team'")]
    Remove {
        /// Id of the group.
        id: String,
        /// Id of the user.
        user: String,
        /// For auditors.
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(crate) async fn run(command: &GroupsCommand, client: &Client) -> Result<(), Failure> {
    match command {
        GroupsCommand::List { limit, output } => {
            print(&every(client, "/api/v1/groups", &present([]), *limit).await?, &COLUMNS, *output);
        }
        GroupsCommand::Show { id } => shown(&client.get(&path(id), &[]).await?),
        GroupsCommand::Create { name, organization, display_name, allowance } => {
            let order = json!({
                "name": name, "organization": organization, "display_name": display_name,
                "quota_allowance": allowance,
            });
            directory::id(&client.post("/api/v1/groups", &order).await?);
        }
        GroupsCommand::Update { id, name, display_name } => {
            let change = json!({"name": name, "display_name": display_name});
            directory::change(client, Method::PATCH, &path(id), Some(&change)).await?;
            terminal::line("updated");
        }
        GroupsCommand::Delete { id } => {
            directory::change(client, Method::DELETE, &path(id), None).await?;
            terminal::line("deleted");
        }
        GroupsCommand::Allowance { id, credits } => {
            let change = json!({"quota_allowance": credits});
            directory::change(client, Method::PATCH, &path(id), Some(&change)).await?;
            terminal::line("set");
        }
        GroupsCommand::Members(command) => members(command, client).await?,
    }
    Ok(())
}

async fn members(command: &MembersCommand, client: &Client) -> Result<(), Failure> {
    match command {
        MembersCommand::List { id, limit, output } => {
            let members = every(client, &format!("{}/members", path(id)), &present([]), *limit).await?;
            print(&members, &["id", "kind", "name", "expires_at"], *output);
        }
        MembersCommand::Add { id, user, reason, expires_at } => {
            let membership = json!({"reason": reason, "expires_at": expires_at});
            directory::change(client, Method::PUT, &member(id, user), Some(&membership)).await?;
            terminal::line("added");
        }
        MembersCommand::Remove { id, user, reason } => {
            directory::change(client, Method::DELETE, &member(id, user), Some(&json!({"reason": reason}))).await?;
            terminal::line("removed");
        }
    }
    Ok(())
}

fn path(id: &str) -> String {
    directory::path("groups", id)
}

fn member(group: &str, user: &str) -> String {
    format!("{}/{}", directory::path("groups", group), directory::path("members", user).trim_start_matches("/api/v1/"))
}
