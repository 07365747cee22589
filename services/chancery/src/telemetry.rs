//! Structured logs: text on a terminal, JSON otherwise, both on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::configuration::Configuration;

/// Starts logging.
pub(crate) fn start(configuration: &Configuration) {
    let quiet =
        "sqlx=warn,deltalake=warn,delta_kernel=error,datafusion=warn,fjall=warn,lsm_tree=warn,actix=warn,hyper=warn";
    let filter = EnvFilter::new(format!("{},{quiet}", configuration.level));
    let text = match configuration.format.as_str() {
        "text" => true,
        "json" => false,
        _ => std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = if text { builder.try_init() } else { builder.json().flatten_event(true).try_init() };
    if let Err(error) = started {
        eprintln!("chancery: logging does not start: {error}");
    }
}
