//! `chancery tokens`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::TokensCommand;
use crate::client::Client;
use crate::failure::Failure;
use crate::terminal::{self, Output};

pub(crate) async fn run(command: &TokensCommand, client: &Client) -> Result<(), Failure> {
    match command {
        TokensCommand::Create { name, scopes, expires_at } => {
            let request = json!({"name": name, "scopes": scopes, "expires_at": expires_at});
            let made = client.post("/api/v1/tokens", &request).await?;
            eprintln!("chancery: this is the only time the token is shown");
            terminal::line(made.get("token").and_then(Value::as_str).unwrap_or_default());
            Ok(())
        }
        TokensCommand::List { output } => {
            let tokens = client.get("/api/v1/tokens", &[]).await?;
            let columns = ["id", "name", "scopes", "created_at", "expires_at", "revoked_at"].map(str::to_owned);
            let row =
                |token: &Value| columns.iter().map(|column| token.get(column).cloned().unwrap_or_default()).collect();
            let rows: Vec<Vec<Value>> = tokens.as_array().map(|all| all.iter().map(row).collect()).unwrap_or_default();
            terminal::rows(&columns, &rows, Output::or_default(*output));
            Ok(())
        }
        TokensCommand::Revoke { id } => {
            client.send(client.request(Method::DELETE, &format!("/api/v1/tokens/{id}"))).await?;
            terminal::line("revoked");
            Ok(())
        }
    }
}
