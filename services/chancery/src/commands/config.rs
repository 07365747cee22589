//! `chancery config`.

use std::path::PathBuf;

use serde_json::json;

use super::load;
use crate::cli::{Arguments, ConfigCommand};
use crate::configuration::check_file;
use crate::configuration::settings::{Kind, SETTINGS, platform_directory};
use crate::failure::Failure;
use crate::terminal::{self, Output};

pub(crate) fn run(command: &ConfigCommand, arguments: &Arguments) -> Result<(), Failure> {
    match command {
        ConfigCommand::Print { output } => {
            let columns = ["setting", "value", "from"].map(str::to_owned);
            let rows: Vec<_> = load(arguments)?
                .shown()
                .into_iter()
                .map(|(setting, value, origin)| vec![json!(setting.key), json!(value), json!(origin)])
                .collect();
            terminal::rows(&columns, &rows, output.unwrap_or(Output::Table));
            Ok(())
        }
        ConfigCommand::Check { file } => check(file.clone().or_else(|| arguments.config.clone())),
        ConfigCommand::Example => {
            example();
            Ok(())
        }
    }
}

fn check(file: Option<PathBuf>) -> Result<(), Failure> {
    let file = file.unwrap_or_else(|| PathBuf::from(platform_directory(true)).join("chancery.toml"));
    let mistakes = check_file(&file);
    if mistakes.is_empty() {
        terminal::line(&format!("{} has no mistakes", file.display()));
        return Ok(());
    }
    let lines: Vec<String> = mistakes.iter().map(|mistake| format!("{}: {}", mistake.place, mistake.reason)).collect();
    Err(Failure::failed(format!("{} mistakes:\n{}", lines.len(), lines.join("\n"))))
}

fn example() {
    let mut section = "";
    for setting in &SETTINGS {
        let Some((name, key)) = setting.key.split_once('.') else { continue };
        if name != section {
            terminal::line(&format!("{}[{name}]", if section.is_empty() { "" } else { "\n" }));
            section = name;
        }
        let value = match setting.kind {
            Kind::Integer(..) => setting.default.to_owned(),
            _ => format!("\"{}\"", setting.default),
        };
        terminal::line(&format!("# {} ({})\n# {key} = {value}", setting.description, setting.variable()));
    }
}
