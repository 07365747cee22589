//! `chancery-runner`: the isolated runner alone, for machines that need nothing else. `chancery runner` is the same.

use std::io::IsTerminal;
use std::process::ExitCode;

use chancery_runner::RunnerArguments;
use clap::Parser;
use tracing_subscriber::EnvFilter;

/// Builds workspaces with Terraform or Tofu, for a Chancery server that it reaches.
#[derive(Debug, Parser)]
#[command(
    name = "chancery-runner",
    version,
    after_help = "Example:\n  CHANCERY_RUNNER_KEY=… chancery-runner --server https://chancery.example.com --jobs 4"
)]
struct Arguments {
    /// Server to take jobs from.
    #[arg(long, value_name = "URL", env = "CHANCERY_SERVER")]
    server: String,
    #[command(flatten)]
    runner: RunnerArguments,
}

fn main() -> ExitCode {
    if let Some(contained) = chancery_runner::contain(std::env::args()) {
        return ended(contained.map_err(|error| error.to_string()));
    }
    let arguments = Arguments::parse();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_env("CHANCERY_LOG").unwrap_or_else(|_| EnvFilter::new("warn,chancery_runner=info")),
        )
        .with_writer(std::io::stderr)
        .with_target(false);
    let started = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    if let Err(error) = started {
        return ended(Err(error.to_string()));
    }
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => ended(runtime.block_on(arguments.runner.run(&arguments.server))),
        Err(error) => ended(Err(error.to_string())),
    }
}

fn ended(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chancery-runner: {error}");
            ExitCode::FAILURE
        }
    }
}
