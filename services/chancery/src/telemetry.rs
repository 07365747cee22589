//! Structured logs: text on a terminal, JSON otherwise, both on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::configuration::Configuration;

/// Starts logging.
pub(crate) fn start(configuration: &Configuration) {
    // Libraries only speak up when something is wrong.
    let own = ["chancery", "chancery_gateway", "chancery_lake", "chancery_log", "chancery_runner", "chancery_state"];
    let own: Vec<String> = own.iter().map(|target| format!("{target}={}", configuration.level)).collect();
    let filter = EnvFilter::new(format!("warn,{}", own.join(",")));
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
