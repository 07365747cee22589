//! What the runner writes for Terraform to read.

use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::server::StateBackend;

/// Where providers come from, instead of their registries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirror {
    /// A directory with providers, laid out as `terraform providers mirror` does.
    pub directory: Option<PathBuf>,
    /// A server with the protocol of network mirrors.
    pub network: Option<String>,
    /// Which providers come from there, such as `registry.terraform.io/*/*`; all without.
    pub include: Vec<String>,
    /// The others still come from their registries.
    pub direct: bool,
}

/// The configuration of Terraform's command line: no telemetry, and where providers come from.
pub(crate) fn cli_configuration(mirror: &Mirror) -> String {
    let mut text = "disable_checkpoint = true\n".to_owned();
    if mirror.directory.is_none() && mirror.network.is_none() {
        return text;
    }
    let list = |patterns: &[String]| {
        let quoted: Vec<String> = patterns.iter().map(|pattern| quote(pattern)).collect();
        format!("[{}]", quoted.join(", "))
    };
    let include =
        if mirror.include.is_empty() { String::new() } else { format!("    include = {}\n", list(&mirror.include)) };
    text.push_str("provider_installation {\n");
    if let Some(directory) = &mirror.directory {
        let path = quote(&directory.display().to_string());
        write!(text, "  filesystem_mirror {{\n    path = {path}\n{include}  }}\n").ok();
    }
    if let Some(network) = &mirror.network {
        write!(text, "  network_mirror {{\n    url = {}\n{include}  }}\n", quote(network)).ok();
    }
    if mirror.direct {
        let exclude = if mirror.include.is_empty() {
            String::new()
        } else {
            format!("    exclude = {}\n", list(&mirror.include))
        };
        write!(text, "  direct {{\n{exclude}  }}\n").ok();
    }
    text.push_str("}\n");
    text
}

/// A string of HCL.
fn quote(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{");
    format!("\"{escaped}\"")
}

/// A file that makes any template keep its state where the runner says, whatever it says itself. Address and
/// credentials come by the environment.
pub(crate) fn backend_override(state: Option<&StateBackend>) -> Value {
    let backend = if state.is_some() { json!({"http": {}}) } else { json!({"local": {}}) };
    json!({"terraform": {"backend": backend}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_written_as_blocks_that_parse() {
        assert_eq!(cli_configuration(&Mirror::default()), "disable_checkpoint = true\n");
        let mirror = Mirror {
            directory: Some(PathBuf::from("/srv/pro\"viders")),
            network: Some("https://mirror.example.com/".to_owned()),
            include: vec!["registry.terraform.io/*/*".to_owned()],
            direct: true,
        };
        let text = cli_configuration(&mirror);
        let body = hcl::parse(&text).unwrap();
        let installation = body.blocks().next().unwrap();
        let names: Vec<&str> = installation.body.blocks().map(hcl::Block::identifier).collect();
        assert_eq!(names, ["filesystem_mirror", "network_mirror", "direct"]);
        assert!(text.contains(r#"exclude = ["registry.terraform.io/*/*"]"#), "{text}");
    }
}
