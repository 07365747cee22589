//! `chancery ssh` and `chancery ssh-config`: OpenSSH's client with a certificate of minutes.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde_json::Value;

use super::sessions;
use crate::client::Client;
use crate::failure::{Doing, Failure};
use crate::terminal;

/// The key alone opens nothing: offered, it would be on record as a sign-in that failed. The certificate is found beside
/// the key by its name; named by `CertificateFile`, ssh would want the key to be offered, too.
const CERTIFICATES: &str = "ssh-ed25519-cert-v01@openssh.com";

#[derive(Debug, Args)]
pub(crate) struct SshArguments {
    /// Workspace: its id, or the name of an own one.
    workspace: String,
    /// What runs there; a shell without.
    #[arg(trailing_var_arg = true)]
    command: Vec<String>,
    /// Host that it is reached at; its name without.
    #[arg(long)]
    host: Option<String>,
    /// Port that it is reached at.
    #[arg(long, default_value_t = 22)]
    port: u16,
    /// Account to sign in to.
    #[arg(long, short)]
    login: Option<String>,
    /// What for: ssh, `file_transfer`, `port_forward` or `desktop_ide`.
    #[arg(long, default_value = "ssh")]
    kind: String,
    /// An option for ssh, as in `ssh -o`; may be given again.
    #[arg(long, short, value_name = "NAME=VALUE")]
    option: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SshConfigArguments {
    /// Workspace, by its id.
    workspace: String,
    /// Host that it is reached at.
    #[arg(long)]
    host: String,
    /// Port that it is reached at.
    #[arg(long, default_value_t = 22)]
    port: u16,
    /// Account to sign in to.
    #[arg(long, short)]
    login: Option<String>,
    /// What for.
    #[arg(long, default_value = "desktop_ide")]
    kind: String,
    /// Where keys and certificates are kept.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Connects; the key and the certificate are gone afterwards. Ends as ssh ends.
pub(crate) async fn run(arguments: &SshArguments, client: &Client) -> Result<(), Failure> {
    let directory = tempfile::Builder::new().prefix("chancery-ssh").tempdir().doing("making a directory")?;
    let session = sessions::certificate(client, &arguments.workspace, &arguments.kind, directory.path()).await?;
    let alias = session.get("host_key_alias").and_then(Value::as_str).unwrap_or_default();
    let name = session.pointer("/workspace/name").and_then(Value::as_str).unwrap_or(&arguments.workspace);
    let file = |suffix: &str| directory.path().join(format!("{}{suffix}", arguments.workspace)).display().to_string();
    let mut ssh = Command::new("ssh");
    ssh.args(["-i", &file(""), "-p", &arguments.port.to_string()]);
    let options = [
        format!("UserKnownHostsFile={}", file("-hosts")),
        format!("HostKeyAlias={alias}"),
        "IdentitiesOnly=yes".to_owned(),
        format!("PubkeyAcceptedAlgorithms={CERTIFICATES}"),
        "ForwardAgent=no".to_owned(),
    ];
    // Of options that are given twice ssh takes the first.
    for option in arguments.option.iter().chain(&options) {
        ssh.args(["-o", option]);
    }
    if let Some(login) = &arguments.login {
        ssh.args(["-l", login]);
    }
    ssh.arg("--").arg(arguments.host.as_deref().unwrap_or(name)).args(&arguments.command);
    let ended = tokio::task::spawn_blocking(move || ssh.status()).await.doing("running ssh")?.doing("running ssh")?;
    drop(directory);
    if ended.success() {
        return Ok(());
    }
    std::process::exit(ended.code().unwrap_or(255));
}

/// Prints what makes `ssh chancery.WORKSPACE` work, also for what runs ssh itself.
pub(crate) fn configuration(arguments: &SshConfigArguments) -> Result<(), Failure> {
    let SshConfigArguments { workspace, host, port, login, kind, directory } = arguments;
    let plain =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:@".contains(&b));
    let all = [workspace.as_str(), host, kind].into_iter().chain(login.as_deref());
    if let Some(odd) = all.into_iter().find(|text| !plain(text)) {
        return Err(Failure::usage(format!("`{odd}` cannot stand in ssh's configuration")));
    }
    let directory = if let Some(directory) = directory {
        directory.clone()
    } else {
        let home = std::env::var_os("HOME").ok_or_else(|| Failure::usage("there is no $HOME: give --directory"))?;
        Path::new(&home).join(".ssh/chancery")
    };
    let shown = directory.display().to_string();
    if shown.contains(['"', '\n', '%', '\'']) {
        return Err(Failure::usage(format!("`{shown}` cannot stand in ssh's configuration")));
    }
    let user = login.as_ref().map(|login| format!("    User {login}\n")).unwrap_or_default();
    terminal::line(&format!(
        "Match originalhost chancery.{workspace} exec \"chancery sessions certificate {workspace} --kind {kind} --directory \
         '{shown}'\"\n    HostName {host}\n    Port {port}\n{user}    IdentityFile \"{shown}/{workspace}\"\n    \
         UserKnownHostsFile \"{shown}/{workspace}-hosts\"\n    HostKeyAlias workspace-{workspace}\n    IdentitiesOnly yes\n    \
         PubkeyAcceptedAlgorithms {CERTIFICATES}"
    ));
    Ok(())
}
