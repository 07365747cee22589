//! What `chancery templates` understands.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::terminal::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum TemplatesCommand {
    /// List the templates that you see.
    #[command(
        after_help = "Examples:\n  chancery templates list\n  chancery templates list --organization acme --output json"
    )]
    List {
        /// Only those of this organization.
        #[arg(long)]
        organization: Option<String>,
        /// Also those that are deleted.
        #[arg(long)]
        deleted: bool,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Show a template, or a version of it with its variables, as JSON.
    #[command(after_help = "Examples:\n  chancery templates show go\n  chancery templates show acme/go --version v3")]
    Show {
        /// Its id, name, or organization/name.
        template: String,
        /// Id or name of the version to show.
        #[arg(long)]
        version: Option<String>,
    },
    /// Make a template.
    #[command(
        after_help = "Example:\n  chancery templates create go --organization acme --display-name Go --set max_ttl_seconds=36000 --set two_person_promotion=true"
    )]
    Create {
        /// Its unique name in the organization.
        name: String,
        /// Organization it is in.
        #[arg(long)]
        organization: String,
        #[command(flatten)]
        attributes: Attributes,
    },
    /// Change a template. An empty text goes.
    #[command(
        after_help = "Example:\n  chancery templates edit go --description 'For gophers' --set daily_cost=20 --unset max_ttl_seconds"
    )]
    Edit {
        /// Its id, name, or organization/name.
        template: String,
        #[command(flatten)]
        attributes: Attributes,
        /// Takes a setting away; may be repeated.
        #[arg(long, value_name = "SETTING")]
        unset: Vec<String>,
        /// Only if it is still in this version.
        #[arg(long, value_name = "N")]
        if_version: Option<u64>,
    },
    /// Push the Terraform files of a directory as a version. The same files give the same digest, wherever and whenever.
    #[command(
        after_help = "Left out: .terraform, .git, *.tfstate and what .terraformignore says.\n\nExamples:\n  chancery templates push go templates/go --message 'Go 1.26'\n  chancery templates push go --name 2026-11 --promote"
    )]
    Push {
        /// Its id, name, or organization/name.
        template: String,
        /// Directory.
        #[arg(default_value = ".")]
        directory: PathBuf,
        /// Unique name of the version; the next of v1, v2, … without.
        #[arg(long)]
        name: Option<String>,
        /// Why it is pushed.
        #[arg(long)]
        message: Option<String>,
        /// Also make it the active version.
        #[arg(long)]
        promote: bool,
    },
    /// Write the files of a version into a directory that is empty or not there.
    #[command(after_help = "Example:\n  chancery templates pull go go-v3 --version v3")]
    Pull {
        /// Its id, name, or organization/name.
        template: String,
        /// Directory.
        directory: PathBuf,
        /// Id or name of the version; the active one without.
        #[arg(long)]
        version: Option<String>,
    },
    /// List the versions of a template, the newest first.
    #[command(after_help = "Example:\n  chancery templates versions go")]
    Versions {
        /// Its id, name, or organization/name.
        template: String,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Make a version the active one. Where that takes two people, the first asks and another promotes it, too.
    #[command(after_help = "Example:\n  chancery templates promote go v3 --reason 'tested in staging'")]
    Promote(VersionArguments),
    /// Take back a promotion that waits for a second person.
    #[command(after_help = "Example:\n  chancery templates withdraw go --reason 'v4 is coming'")]
    Withdraw(Reasoned),
    /// Put a version away: nothing new is built from it.
    #[command(after_help = "Example:\n  chancery templates archive go v1")]
    Archive(VersionArguments),
    /// Take a version out again that was put away.
    #[command(after_help = "Example:\n  chancery templates unarchive go v1")]
    Unarchive(VersionArguments),
    /// Say that a template should no longer be used, and what to use instead.
    #[command(after_help = "Example:\n  chancery templates deprecate go 'use go-2'")]
    Deprecate {
        /// Its id, name, or organization/name.
        template: String,
        /// What to use instead.
        message: String,
    },
    /// Say that a deprecated template may be used again.
    #[command(after_help = "Example:\n  chancery templates undeprecate go")]
    Undeprecate(Reasoned),
    /// Who may use and who may administer a template.
    #[command(subcommand)]
    Access(AccessCommand),
    /// Remove a template that no workspace is made from.
    #[command(after_help = "Example:\n  chancery templates delete go --reason 'nobody uses it'")]
    Delete(Reasoned),
}

#[derive(Debug, Args)]
pub(crate) struct Attributes {
    /// Name for people.
    #[arg(long)]
    pub(crate) display_name: Option<String>,
    /// What it offers.
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// A setting, such as `daily_cost=20` or `runner_tags.zone=eu`; may be repeated.
    #[arg(long, value_name = "SETTING=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VersionArguments {
    /// Id of the template, its name, or organization/name.
    pub(crate) template: String,
    /// Id or name of the version.
    pub(crate) version: String,
    /// For auditors.
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Reasoned {
    /// Id of the template, its name, or organization/name.
    pub(crate) template: String,
    /// For auditors.
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// List to whom a template is given.
    #[command(after_help = "Example:\n  chancery templates access list go")]
    List {
        /// Its id, name, or organization/name.
        template: String,
        /// How to print.
        #[arg(long)]
        output: Option<Output>,
    },
    /// Give a template to someone of its organization.
    #[command(
        after_help = "Examples:\n  chancery templates access grant go --everyone\n  chancery templates access grant go --group 0197a0c2-6f00-7000-8000-0000000000aa --permission admin --reason 'they maintain it'"
    )]
    Grant {
        /// Its id, name, or organization/name.
        template: String,
        #[command(flatten)]
        subject: SubjectArguments,
        /// What they may do.
        #[arg(long, value_enum, default_value = "use")]
        permission: Right,
        /// For auditors.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Take a template from someone.
    #[command(
        after_help = "Example:\n  chancery templates access revoke go --user 0197a0c2-6f00-7000-8000-0000000000aa"
    )]
    Revoke {
        /// Its id, name, or organization/name.
        template: String,
        #[command(flatten)]
        subject: SubjectArguments,
        /// For auditors.
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SubjectArguments {
    /// A user.
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<String>,
    /// The members of a group.
    #[arg(long, value_name = "ID")]
    pub(crate) group: Option<String>,
    /// Every member of the template's organization.
    #[arg(long)]
    pub(crate) everyone: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Right {
    /// See it and make workspaces from it.
    Use,
    /// Change it, too.
    Admin,
}

impl Right {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Admin => "admin",
        }
    }
}
