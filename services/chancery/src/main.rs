//! `chancery`: the server and its command line in one binary.

mod cli;
mod client;
mod clock;
mod commands;
mod configuration;
mod demo;
mod failure;
mod schemas;
mod serve;
mod session;
mod telemetry;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A runner starts this binary again to contain a command: before there are threads, and without anything else.
    if let Some(contained) = chancery_runner::contain(std::env::args()) {
        return match contained {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure::Failure::failed(format!("containing a command: {error}")).report(),
        };
    }
    let arguments = cli::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::Failure::failed(format!("the runtime does not start: {error}")).report(),
    };
    match runtime.block_on(commands::run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
