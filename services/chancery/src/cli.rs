//! The command line.

use std::path::PathBuf;

use chancery_runner::RunnerArguments;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::commands::groups::GroupsCommand;
use crate::commands::organizations::OrganizationsCommand;
use crate::commands::policies::PoliciesCommand;
use crate::commands::quota::QuotaCommand;
use crate::commands::report::ReportCommand;
use crate::commands::runners::RunnersCommand;
use crate::commands::sessions::SessionsCommand;
use crate::commands::ssh::{SshArguments, SshConfigArguments};
use crate::commands::templates::TemplatesCommand;
use crate::commands::users::UsersCommand;
use crate::commands::watch::WatchCommand;
use crate::commands::workspaces::WorkspacesCommand;
use crate::terminal::Output;

/// Audit and governance for remote-development platforms.
#[derive(Debug, Parser)]
#[command(
    name = "chancery",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not authorised, 4 not found, 5 server unavailable."
)]
pub(crate) struct Arguments {
    /// Configuration file; `$CHANCERY_CONFIG` or the platform's one without.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Server to talk to.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Token to present; better given as `$CHANCERY_CLIENT_TOKEN`.
    #[arg(long, global = true, value_name = "TOKEN", hide = true)]
    pub(crate) token: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    #[command(
        after_help = "Examples:\n  chancery serve\n  chancery serve --address 127.0.0.1:9000 --data-directory /srv/chancery\n  chancery serve --demo-users 200 --demo-days 30"
    )]
    Serve(ServeArguments),
    /// Write a generated company's events as CloudEvents, one per line.
    #[command(
        after_help = "Examples:\n  chancery generate --users 50 --days 7 > company.ndjson\n  chancery generate --users 500 --days 365 --events 1000000 | chancery import cloudevents -"
    )]
    Generate(GenerateArguments),
    /// Read another system's log into the audit trail.
    #[command(
        after_help = "Examples:\n  chancery import sshd /var/log/auth.log\n  journalctl -t sshd -o json | chancery import sshd -\n  chancery import cloudtrail trail.json --output json"
    )]
    Import(ImportArguments),
    /// Sign in, so that commands need no token.
    #[command(
        after_help = "Examples:\n  chancery login\n  chancery --server https://chancery.example.com login --provider company\n  chancery login --device"
    )]
    Login(LoginArguments),
    /// Sign out: the session of `login` ends.
    #[command(after_help = "Example:\n  chancery logout")]
    Logout,
    /// Ask the audit trail.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Create, list and revoke API tokens.
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Publish, withdraw and try out policies, and ask who may do what.
    #[command(subcommand, visible_alias = "policy")]
    Policies(PoliciesCommand),
    /// Reports: quota usage, access review, what is left over, what went wrong.
    #[command(subcommand)]
    Report(ReportCommand),
    /// List, make, change, suspend and remove users, and give them roles.
    #[command(subcommand)]
    Users(UsersCommand),
    /// List, make, change and remove groups, and choose their members.
    #[command(subcommand)]
    Groups(GroupsCommand),
    /// List, make and rename organizations.
    #[command(subcommand)]
    Organizations(OrganizationsCommand),
    /// Make, build, hand over and schedule workspaces.
    #[command(subcommand)]
    Workspaces(WorkspacesCommand),
    /// See what may be used and is, ask what would be, and set bounds.
    #[command(subcommand)]
    Quota(QuotaCommand),
    /// Make templates, push versions of them, and say who may use them.
    #[command(subcommand)]
    Templates(TemplatesCommand),
    /// Sessions into workspaces: list, end, ask for one; the authority of their certificates.
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Connect to a workspace with OpenSSH and a certificate of minutes.
    #[command(
        after_help = "Examples:\n  chancery ssh dev\n  chancery ssh dev --host dev.example.com --login coder -- uname -a"
    )]
    Ssh(SshArguments),
    /// Print the lines of ~/.ssh/config that make `ssh chancery.WORKSPACE` work.
    #[command(
        after_help = "Example:\n  chancery ssh-config 01934c2e --host dev.example.com --login coder >> ~/.ssh/config"
    )]
    SshConfig(SshConfigArguments),
    /// Follow another system's log and deliver it as it is written.
    #[command(subcommand)]
    Watch(WatchCommand),
    /// Current state, and rebuilding it from the log.
    #[command(subcommand)]
    State(StateCommand),
    /// Print, check or explain the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write or check the generated files of `schemas/`.
    #[command(after_help = "Examples:\n  chancery schemas --write schemas\n  chancery schemas --check schemas")]
    Schemas(SchemasArguments),
    /// List and revoke runners, and issue the keys that register them.
    #[command(subcommand)]
    Runners(RunnersCommand),
    /// Build workspaces for a server, here, with Terraform or `OpenTofu`.
    #[command(
        after_help = "Examples:\n  CHANCERY_RUNNER_KEY=… chancery --server https://chancery.example.com runner\n  chancery runner --key-file /etc/chancery/runner.key --data-directory /srv/runner --jobs 4"
    )]
    Runner(Box<RunnerArguments>),
    /// Move an installation.
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Print shell completions.
    #[command(after_help = "Example:\n  chancery completions bash > /etc/bash_completion.d/chancery")]
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Copy the whole log of an embedded installation, event for event, into the cluster that the configuration names,
    /// before any of its nodes is started. Run again, it goes on where it stopped.
    #[command(
        after_help = "Example:\n  chancery --config cluster.toml migrate embedded-to-cluster --from /var/lib/chancery --positions positions.csv"
    )]
    EmbeddedToCluster {
        /// Data directory of the embedded installation, which must be stopped.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Where to write which position became which, as CSV.
        #[arg(long, value_name = "FILE")]
        positions: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) address: Option<String>,
    /// Where data is kept.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_directory: Option<String>,
    /// What this node of a cluster does: gateway, projector, archiver, sealer, exporter, relay.
    #[arg(long, value_name = "ROLE,…")]
    pub(crate) roles: Option<String>,
    /// Fill an empty log with a company of so many people.
    #[arg(long, value_name = "N")]
    pub(crate) demo_users: Option<usize>,
    /// Over so many days.
    #[arg(long, value_name = "N", default_value_t = 30, requires = "demo_users")]
    pub(crate) demo_days: u32,
    /// Start a runner beside it, with this Terraform, that builds a workspace.
    #[arg(long, value_name = "FILE", requires = "demo_users")]
    pub(crate) demo_terraform: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArguments {
    /// People.
    #[arg(long, default_value_t = 100)]
    pub(crate) users: usize,
    /// Days.
    #[arg(long, default_value_t = 30)]
    pub(crate) days: u32,
    /// Equal seeds give equal companies.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// First day.
    #[arg(long, default_value = "2026-01-01")]
    pub(crate) start: String,
    /// Stop after so many events.
    #[arg(long)]
    pub(crate) events: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct LoginArguments {
    /// Identity provider to sign in with, where there are several.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// Sign in with the browser of another device.
    #[arg(long)]
    pub(crate) device: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// sshd, coder-audit, coder-connections, cloudtrail or cloudevents.
    pub(crate) format: String,
    /// File to read; `-` is standard input.
    pub(crate) file: PathBuf,
    /// Where records that cannot be read go; FILE.rejected without.
    #[arg(long, value_name = "FILE")]
    pub(crate) rejected: Option<PathBuf>,
    /// Time zone of times without one, such as Europe/Berlin.
    #[arg(long, default_value = "UTC")]
    pub(crate) time_zone: String,
    /// How the summary is printed: table or json.
    #[arg(long)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Search events.
    #[command(
        after_help = "Examples:\n  chancery audit search 'outcome:denied time:-7d'\n  chancery audit search 'actor:ada type:session.*' --all --output csv"
    )]
    Search(SearchArguments),
    /// Show one event.
    #[command(after_help = "Example:\n  chancery audit show 0197a0c2-6f00-7000-8000-0000000000aa")]
    Show {
        /// Event id.
        id: String,
    },
    /// Follow events as they are recorded.
    #[command(after_help = "Example:\n  chancery audit tail 'outcome:(failure,denied)'")]
    Tail {
        /// Filter.
        #[arg(default_value = "")]
        query: String,
        /// Id of the message after which to begin; 0 is the log's beginning.
        #[arg(long)]
        from: Option<String>,
    },
    /// Count events.
    #[command(
        after_help = "Examples:\n  chancery audit count\n  chancery audit count 'type:user.login.failed' --by ip --distinct username\n  chancery audit count --bucket day --by type"
    )]
    Count(CountArguments),
    /// Ask in SQL.
    #[command(
        after_help = "Example:\n  chancery audit sql \"SELECT actor_name, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC LIMIT 10\""
    )]
    Sql {
        /// One SELECT over the table `events`.
        query: String,
        /// Most rows.
        #[arg(long)]
        limit: Option<usize>,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Which addresses tried the most accounts, which accounts succeeded after failures, longest sessions.
    #[command(
        after_help = "Examples:\n  chancery audit sign-ins\n  chancery audit sign-ins --source 'sshd:*' --limit 5"
    )]
    SignIns(SignInsArguments),
    /// Export events.
    #[command(
        after_help = "Examples:\n  chancery audit export --format parquet --output-file events.parquet\n  chancery audit export 'time:2026-01' --format csv > january.csv"
    )]
    Export(ExportArguments),
}

#[derive(Debug, Args)]
pub(crate) struct SignInsArguments {
    /// Sources to look at; `*` and `?` stand for any text and any character.
    #[arg(long, default_value = "*")]
    pub(crate) source: String,
    /// Most rows of each answer.
    #[arg(long, default_value_t = 10)]
    pub(crate) limit: usize,
    /// How to print.
    #[arg(long)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArguments {
    /// Filter; every event without.
    #[arg(default_value = "")]
    pub(crate) query: String,
    /// Most events.
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
    /// Every matching event, page after page.
    #[arg(long)]
    pub(crate) all: bool,
    /// Oldest first.
    #[arg(long)]
    pub(crate) ascending: bool,
    /// Members to print, such as `occurred_at,actor.name,data.kind`.
    #[arg(long)]
    pub(crate) fields: Option<String>,
    /// How to print.
    #[arg(long)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Args)]
pub(crate) struct CountArguments {
    /// Filter; every event without.
    #[arg(default_value = "")]
    pub(crate) query: String,
    /// Fields to count by, comma-separated.
    #[arg(long)]
    pub(crate) by: Option<String>,
    /// Span of time to count by: minute, hour, day, week, month.
    #[arg(long)]
    pub(crate) bucket: Option<String>,
    /// Field whose different values are counted, too.
    #[arg(long)]
    pub(crate) distinct: Option<String>,
    /// Most rows.
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
    /// How to print.
    #[arg(long)]
    pub(crate) output: Option<Output>,
}

/// Export formats.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ExportFormat {
    Ndjson,
    Csv,
    Parquet,
    Arrow,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// Filter; every event without.
    #[arg(default_value = "")]
    pub(crate) query: String,
    /// File format.
    #[arg(long, value_enum, default_value = "ndjson")]
    pub(crate) format: ExportFormat,
    /// Columns, comma-separated.
    #[arg(long)]
    pub(crate) fields: Option<String>,
    /// File to write, complete or not at all; standard output without.
    #[arg(long, value_name = "FILE")]
    pub(crate) output_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// Make a token and print it, once.
    #[command(after_help = "Example:\n  chancery tokens create siem --scope read --expires-at 2027-01-01T00:00:00Z")]
    Create {
        /// What it is for.
        name: String,
        /// ingest, read or admin; may be repeated.
        #[arg(long = "scope", required = true)]
        scopes: Vec<String>,
        /// When it stops working, RFC 3339.
        #[arg(long)]
        expires_at: Option<String>,
    },
    /// List tokens.
    #[command(after_help = "Example:\n  chancery tokens list --output json")]
    List {
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Withdraw a token.
    #[command(after_help = "Example:\n  chancery tokens revoke k3v9w2m4p7qd")]
    Revoke {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Fold the whole log into fresh tables, compare them with the live ones, and put them in their place.
    /// The server must not be running.
    #[command(after_help = "Example:\n  chancery state rebuild --data-directory /srv/chancery")]
    Rebuild {
        /// Data directory.
        #[arg(long)]
        data_directory: Option<String>,
    },
    /// List users, groups, organizations, roles, templates, workspaces or sessions.
    #[command(after_help = "Example:\n  chancery state list workspaces --output csv")]
    List {
        /// users, groups, organizations, roles, templates, workspaces, sessions, consumers or dead-letters.
        kind: String,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the effective configuration, secrets masked, and where each value came from.
    #[command(after_help = "Example:\n  chancery config print --output json")]
    Print {
        /// table or json.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Check a configuration file and tell every mistake at once.
    #[command(after_help = "Example:\n  chancery config check /etc/chancery/chancery.toml")]
    Check {
        /// File; the one in effect without.
        file: Option<PathBuf>,
    },
    /// Print a commented configuration file with every setting.
    #[command(after_help = "Example:\n  chancery config example > chancery.toml")]
    Example,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SchemasArguments {
    /// Write the files into this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Option<PathBuf>,
    /// Compare this directory with what would be written.
    #[arg(long, value_name = "DIR")]
    pub(crate) check: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_an_example() {
        let command = Arguments::command();
        command.clone().debug_assert();
        let mut leaves = vec![command];
        let mut without = Vec::new();
        while let Some(command) = leaves.pop() {
            if command.has_subcommands() {
                leaves.extend(command.get_subcommands().filter(|inner| inner.get_name() != "help").cloned());
            } else {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                if !help.contains("Example") {
                    without.push(command.get_name().to_owned());
                }
            }
        }
        assert!(without.is_empty(), "no example: {without:?}");
    }
}
