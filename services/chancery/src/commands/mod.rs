//! The commands, one file each.

mod audit;
pub(crate) mod builds;
mod config;
pub(crate) mod directory;
mod generate;
pub(crate) mod groups;
mod import;
mod login;
mod migrate;
pub(crate) mod organizations;
pub(crate) mod policies;
pub(crate) mod quota;
pub(crate) mod report;
mod runner;
pub(crate) mod runners;
pub(crate) mod sessions;
mod sign_ins;
pub(crate) mod ssh;
mod state;
pub(crate) mod templates;
mod tokens;
pub(crate) mod users;
pub(crate) mod watch;
pub(crate) mod workspaces;

use clap::CommandFactory;

use crate::cli::{Arguments, Command};
use crate::client::Client;
use crate::configuration::{self, Loaded};
use crate::failure::Failure;
use crate::{demo::Demo, schemas, serve};

/// Runs a command.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Arguments::command(), "chancery", &mut std::io::stdout());
            Ok(())
        }
        Command::Schemas(schemas) => schemas::run(schemas),
        Command::Generate(generate) => generate::run(generate),
        Command::Config(command) => config::run(command, &arguments),
        Command::Serve(serve) => {
            let terraform = || serve.demo_terraform.clone();
            let demo = serve.demo_users.map(|users| Demo { users, days: serve.demo_days, terraform: terraform() });
            serve::serve(load(&arguments)?.configuration(), demo).await
        }
        Command::Login(login) => login::login(login, &load(&arguments)?.configuration()).await,
        Command::Logout => login::logout(&load(&arguments)?.configuration()).await,
        Command::Import(import) => import::run(import, &client(&arguments)?).await,
        Command::Audit(command) => audit::run(command, &client(&arguments)?).await,
        Command::Tokens(command) => tokens::run(command, &client(&arguments)?).await,
        Command::Users(command) => users::run(command, &client(&arguments)?).await,
        Command::Groups(command) => groups::run(command, &client(&arguments)?).await,
        Command::Organizations(command) => organizations::run(command, &client(&arguments)?).await,
        Command::Workspaces(command) => workspaces::run(command, &client(&arguments)?).await,
        Command::Quota(command) => quota::run(command, &client(&arguments)?).await,
        Command::Sessions(command) => sessions::run(command, &client(&arguments)?).await,
        Command::Ssh(ssh) => ssh::run(ssh, &client(&arguments)?).await,
        Command::SshConfig(arguments) => ssh::configuration(arguments),
        Command::Watch(command) => watch::run(command, &client(&arguments)?).await,
        Command::Policies(command) => policies::run(command, &client(&arguments)?).await,
        Command::Templates(command) => templates::run(command, &client(&arguments)?).await,
        Command::Report(command) => report::run(command, &client(&arguments)?).await,
        Command::Runners(command) => runners::run(command, &client(&arguments)?).await,
        Command::Runner(runner) => runner::run(runner, &load(&arguments)?.configuration()).await,
        Command::Migrate(command) => migrate::run(command, &load(&arguments)?.configuration()).await,
        Command::State(command) => state::run(command, &arguments).await,
    }
}

/// The configuration with the flags of this call.
pub(crate) fn load(arguments: &Arguments) -> Result<Loaded, Failure> {
    let mut flags: Vec<(&str, String)> = Vec::new();
    let mut flag = |key: &'static str, value: Option<&String>| {
        if let Some(value) = value {
            flags.push((key, value.clone()));
        }
    };
    flag("client.server", arguments.server.as_ref());
    flag("client.token", arguments.token.as_ref());
    match &arguments.command {
        Command::Serve(serve) => {
            flag("server.address", serve.address.as_ref());
            flag("data.directory", serve.data_directory.as_ref());
            flag("node.roles", serve.roles.as_ref());
        }
        Command::State(crate::cli::StateCommand::Rebuild { data_directory }) => {
            flag("data.directory", data_directory.as_ref());
        }
        _ => {}
    }
    configuration::load(arguments.config.as_deref(), |name| std::env::var(name).ok(), &flags).map_err(|mistakes| {
        let lines: Vec<String> =
            mistakes.iter().map(|mistake| format!("{}: {}", mistake.place, mistake.reason)).collect();
        Failure::usage(format!("the configuration has mistakes:\n{}", lines.join("\n")))
    })
}

fn client(arguments: &Arguments) -> Result<Client, Failure> {
    Client::new(&load(arguments)?.configuration())
}

/// Prints the items of a list.
fn table(answer: &serde_json::Value, list: &str, columns: &[&str], output: Option<crate::terminal::Output>) {
    use crate::terminal::{self, Output};
    let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
    let row =
        |item: &serde_json::Value| columns.iter().map(|column| item.get(column).cloned().unwrap_or_default()).collect();
    let items = answer.get(list).and_then(serde_json::Value::as_array);
    let rows: Vec<Vec<serde_json::Value>> = items.into_iter().flatten().map(row).collect();
    terminal::rows(&columns, &rows, Output::or_default(output));
}
