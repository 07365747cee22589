//! `chancery runner`.

use chancery_runner::RunnerArguments;

use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::telemetry;

/// Runs a runner for the server that the configuration names.
pub(crate) async fn run(arguments: &RunnerArguments, configuration: &Configuration) -> Result<(), Failure> {
    telemetry::start(configuration);
    arguments.run(&configuration.client_server).await.map_err(Failure::failed)
}
