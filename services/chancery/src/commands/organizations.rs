//! `chancery organizations`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use crate::client::Client;
use crate::commands::directory::{self, items, print};
use crate::failure::Failure;
use crate::terminal::{self, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum OrganizationsCommand {
    /// List organizations.
    #[command(after_help = "Example:\n  chancery organizations list")]
    List {
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Make an organization, and print its id, which is that of its group of everyone, too.
    #[command(after_help = "Example:\n  chancery organizations create eng --display-name Engineering")]
    Create {
        /// Its unique name, which stays.
        name: String,
        /// Name for people.
        #[arg(long)]
        display_name: Option<String>,
    },
    /// Give an organization another name for people.
    #[command(after_help = "Example:\n  chancery organizations update eng --display-name 'Engineering and Research'")]
    Update {
        /// Its name.
        name: String,
        /// Name for people.
        #[arg(long)]
        display_name: String,
    },
}

pub(crate) async fn run(command: &OrganizationsCommand, client: &Client) -> Result<(), Failure> {
    match command {
        OrganizationsCommand::List { output } => {
            let organizations = client.get("/api/v1/organizations", &[]).await?;
            print(items(&organizations), &["id", "name", "display_name", "created_at"], *output);
        }
        OrganizationsCommand::Create { name, display_name } => {
            let order = json!({"name": name, "display_name": display_name});
            directory::id(&client.post("/api/v1/organizations", &order).await?);
        }
        OrganizationsCommand::Update { name, display_name } => {
            let change = json!({"display_name": display_name});
            directory::change(client, Method::PATCH, &directory::path("organizations", name), Some(&change)).await?;
            terminal::line("updated");
        }
    }
    Ok(())
}
