//! `chancery sessions`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chancery_ssh::{KeyPair, Seed};
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::failure::{Doing, Failure};
use crate::terminal::{self, Output};

/// How this program calls itself.
pub(super) const CLIENT: &str = concat!("chancery/", env!("CARGO_PKG_VERSION"));

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// List sessions: open, closed and denied.
    #[command(after_help = "Examples:\n  chancery sessions list --status open\n  chancery sessions list --output csv")]
    List {
        /// Only those that are `open`, `closed` or `denied`.
        #[arg(long)]
        status: Option<String>,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Print a session.
    #[command(after_help = "Example:\n  chancery sessions show 01934c2e-7d1f-7b0e-9c44-61f02b7ea913")]
    Show {
        /// Its id.
        id: String,
    },
    /// Ask to connect to a workspace; prints the ticket that its agent wants.
    #[command(after_help = "Example:\n  chancery sessions open dev --kind terminal")]
    Open {
        /// Its id, or the name of an own one.
        workspace: String,
        /// How: ssh, terminal, `web_ide`, `desktop_ide`, jupyter, rdp, vnc, `port_forward` or `file_transfer`.
        #[arg(long)]
        kind: String,
        /// Client software.
        #[arg(long)]
        client: Option<String>,
        /// File with the public key that an SSH certificate is wanted for.
        #[arg(long, value_name = "FILE")]
        public_key: Option<PathBuf>,
    },
    /// End a session.
    #[command(
        after_help = "Example:\n  chancery sessions close 01934c2e-7d1f-7b0e-9c44-61f02b7ea913 --reason \"laptop lost\""
    )]
    Close {
        /// Its id.
        id: String,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Write a key pair and an SSH certificate for a workspace, as `ssh-config` has ssh do it.
    #[command(
        after_help = "Example:\n  chancery sessions certificate dev --kind desktop_ide --directory ~/.ssh/chancery"
    )]
    Certificate {
        /// Its id, or the name of an own one.
        workspace: String,
        /// What for.
        #[arg(long, default_value = "desktop_ide")]
        kind: String,
        /// Where to write WORKSPACE, WORKSPACE-cert.pub and WORKSPACE-hosts.
        #[arg(long, value_name = "DIR")]
        directory: PathBuf,
    },
    /// Print the keys that sshd is to believe (`TrustedUserCAKeys`).
    #[command(
        after_help = "Examples:\n  chancery sessions authority > /etc/ssh/chancery-users.pub\n  chancery sessions authority --hosts >> ~/.ssh/known_hosts"
    )]
    Authority {
        /// The lines that ssh is to believe of hosts (`known_hosts`) instead.
        #[arg(long)]
        hosts: bool,
    },
    /// Fetch the list of certificates that were taken back (`RevokedKeys`). The file is replaced at once.
    #[command(after_help = "Example:\n  chancery sessions revocations /etc/ssh/chancery.krl")]
    Revocations {
        /// Where to write it.
        file: PathBuf,
    },
    /// Have a host's key certified; prints the certificate (`HostCertificate`).
    #[command(
        after_help = "Example:\n  chancery sessions certify-host /etc/ssh/ssh_host_ed25519_key.pub --workspace W > /etc/ssh/ssh_host_ed25519_key-cert.pub"
    )]
    CertifyHost {
        /// File with its public key.
        public_key: PathBuf,
        /// Id of the workspace that it is.
        #[arg(long)]
        workspace: Option<String>,
        /// A name that it answers to; may be given again.
        #[arg(long)]
        name: Vec<String>,
    },
    /// Put new keys in the place of those that tickets and certificates are signed with.
    #[command(after_help = "Example:\n  chancery sessions rotate-keys --lead-seconds 3600 --overlap-seconds 86400")]
    RotateKeys {
        /// What they sign: ticket, `ssh_user` or `ssh_host`; all of it without.
        #[arg(long)]
        purpose: Option<String>,
        /// Seconds that the new key is known before it signs.
        #[arg(long, default_value_t = 3600)]
        lead_seconds: u64,
        /// Seconds that what the old key signed is believed after that.
        #[arg(long, default_value_t = 86_400)]
        overlap_seconds: u64,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
}

pub(crate) async fn run(command: &SessionsCommand, client: &Client) -> Result<(), Failure> {
    match command {
        SessionsCommand::List { status, output } => list(client, status.as_deref(), *output).await,
        SessionsCommand::Show { id } => {
            let session = client.get(&path(id), &[]).await?;
            print(&session)
        }
        SessionsCommand::Open { workspace, kind, client: software, public_key } => {
            let key = public_key.as_deref().map(text).transpose()?;
            let software = software.as_deref().unwrap_or(CLIENT);
            print(&ask(client, workspace, kind, software, key.as_deref()).await?)
        }
        SessionsCommand::Close { id, reason } => {
            client.post(&format!("{}/close", path(id)), &json!({ "reason": reason })).await?;
            terminal::line("closed");
            Ok(())
        }
        SessionsCommand::Certificate { workspace, kind, directory } => {
            std::fs::create_dir_all(directory).doing(&format!("making {}", directory.display()))?;
            certificate(client, workspace, kind, directory).await.map(drop)
        }
        SessionsCommand::Authority { hosts } => {
            terminal::bytes(authority(client, *hosts).await?.as_bytes());
            Ok(())
        }
        SessionsCommand::Revocations { file } => {
            let response = client.send(client.request(Method::GET, "/api/v1/ssh/revocations")).await?;
            let list = response.bytes().await.doing("reading the list")?;
            let new = file.with_extension("new");
            let doing = format!("writing {}", file.display());
            std::fs::write(&new, &list).doing(&doing)?;
            std::fs::rename(&new, file).doing(&doing)
        }
        SessionsCommand::CertifyHost { public_key, workspace, name } => {
            let order = json!({ "public_key": text(public_key)?, "workspace": workspace, "names": name });
            let made = client.post("/api/v1/ssh/host-certificates", &order).await?;
            terminal::line(made.get("certificate").and_then(Value::as_str).unwrap_or_default());
            Ok(())
        }
        SessionsCommand::RotateKeys { purpose, lead_seconds, overlap_seconds, output } => {
            let order = json!({
                "purpose": purpose, "lead_seconds": lead_seconds, "overlap_seconds": overlap_seconds,
            });
            let keys = client.post("/api/v1/sessions/keys/rotate", &order).await?;
            let columns = ["id", "purpose", "signs_from", "trusted_until"];
            print_rows(keys.get("items").and_then(Value::as_array).into_iter().flatten(), &columns, *output);
            Ok(())
        }
    }
}

async fn list(client: &Client, status: Option<&str>, output: Option<Output>) -> Result<(), Failure> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let mut query = vec![("limit", "1000".to_owned())];
        query.extend(after.map(|after| ("after", after)));
        let page = client.get("/api/v1/sessions", &query).await?;
        let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let wanted =
            |session: &Value| status.is_none_or(|status| session.get("status").and_then(Value::as_str) == Some(status));
        all.extend(items.into_iter().filter(wanted));
        after = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    let columns = [
        "id",
        "kind",
        "status",
        "user_name",
        "workspace_name",
        "ip",
        "opened_at",
        "closed_at",
        "duration_ms",
        "reason",
    ];
    print_rows(all.iter(), &columns, output);
    Ok(())
}

fn print_rows<'a>(items: impl Iterator<Item = &'a Value>, columns: &[&str], output: Option<Output>) {
    let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
    let row = |item: &Value| columns.iter().map(|column| item.get(column).cloned().unwrap_or_default()).collect();
    let rows: Vec<Vec<Value>> = items.map(row).collect();
    terminal::rows(&columns, &rows, Output::or_default(output));
}

fn print(value: &Value) -> Result<(), Failure> {
    terminal::line(&serde_json::to_string_pretty(value).doing("printing")?);
    Ok(())
}

/// Asks to connect.
pub(super) async fn ask(
    client: &Client,
    workspace: &str,
    kind: &str,
    software: &str,
    key: Option<&str>,
) -> Result<Value, Failure> {
    let mut order = Map::from_iter([("kind".to_owned(), kind.into()), ("client".to_owned(), software.into())]);
    order.extend(key.map(|key| ("public_key".to_owned(), key.trim().into())));
    client.post(&format!("/api/v1/workspaces/{workspace}/sessions"), &Value::Object(order)).await
}

/// Asks to connect with a key that is made for it, and writes key, certificate and what is believed of hosts.
pub(super) async fn certificate(
    client: &Client,
    workspace: &str,
    kind: &str,
    directory: &Path,
) -> Result<Value, Failure> {
    let pair = KeyPair::new(&Seed::drawn(rand::random()), "chancery").doing("making a key")?;
    let session = ask(client, workspace, kind, CLIENT, Some(&pair.public_key)).await?;
    let certificate = session.get("certificate").and_then(Value::as_str);
    let certificate = certificate.ok_or_else(|| Failure::failed("the server made no certificate"))?;
    let hosts = authority(client, true).await?;
    write(&directory.join(workspace), &pair.private_key)?;
    write(&directory.join(format!("{workspace}-cert.pub")), &format!("{certificate}\n"))?;
    write(&directory.join(format!("{workspace}-hosts")), &hosts)?;
    Ok(session)
}

async fn authority(client: &Client, hosts: bool) -> Result<String, Failure> {
    let query = [("of", if hosts { "hosts" } else { "users" })];
    let response = client.send(client.request(Method::GET, "/api/v1/ssh/authority").query(&query)).await?;
    response.text().await.doing("reading the authority's keys")
}

/// Writes a file that its owner alone reads.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let doing = format!("writing {}", file.display());
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).doing(&doing),
        _ => {}
    }
    let mut made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).doing(&doing)?;
    made.write_all(text.as_bytes()).doing(&doing)
}

fn text(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).doing(&format!("reading {}", file.display()))
}

fn path(id: &str) -> String {
    format!("/api/v1/sessions/{id}")
}
