//! What a template declares that the runner must know before Terraform reads it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hcl::{Body, Expression, Structure};
use serde_json::Value;

/// The largest file that is read.
const LARGEST: u64 = 8 << 20;

/// What the files in the root of a template declare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Declarations {
    /// Its variables.
    pub(crate) variables: BTreeSet<String>,
    /// Those whose values are secret.
    pub(crate) sensitive: BTreeSet<String>,
    /// Those that hold lists, maps and the like.
    pub(crate) composite: BTreeSet<String>,
    /// The versions of Terraform it works with.
    pub(crate) required_versions: Vec<String>,
    /// It is written for `OpenTofu`: it has files that only it reads.
    pub(crate) for_tofu: bool,
    /// Some file could not be read; Terraform will say why.
    pub(crate) incomplete: bool,
}

impl Declarations {
    /// Reads the files in a directory.
    pub(crate) fn read(directory: &Path) -> Self {
        let mut found = Self::default();
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let stem = name.strip_suffix(".json");
            let is_json = stem.is_some();
            let ending = stem.unwrap_or(&name).rsplit_once('.').map(|(_, ending)| ending);
            if !matches!(ending, Some("tf" | "tofu")) {
                continue;
            }
            found.for_tofu |= ending == Some("tofu");
            let small = entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST);
            let text = if small { fs::read_to_string(entry.path()).ok() } else { None };
            let read = text.and_then(|text| if is_json { found.json(&text) } else { found.hcl(&text) });
            found.incomplete |= read.is_none();
        }
        found
    }

    /// Whether the value of a variable must be kept from being read. Where a file is a riddle, every one must.
    pub(crate) fn is_sensitive(&self, variable: &str) -> bool {
        self.incomplete || self.sensitive.contains(variable)
    }

    fn hcl(&mut self, text: &str) -> Option<()> {
        let body: Body = hcl::parse(text).ok()?;
        for block in body.into_iter().filter_map(Structure::into_block) {
            let attribute = |name: &str| {
                let mut found = block.body.attributes().filter(|attribute| attribute.key() == name);
                found.next().map(|attribute| attribute.expr.clone())
            };
            match (block.identifier(), block.labels.first()) {
                ("variable", Some(name)) => {
                    let sensitive = attribute("sensitive");
                    let secret = sensitive.is_some_and(|value| value != Expression::Bool(false));
                    self.variable(name.as_str(), secret || attribute("ephemeral").is_some());
                    let kind = attribute("type").map(|kind| kind.to_string());
                    self.kind(name.as_str(), kind.as_deref());
                }
                ("terraform", _) => {
                    if let Some(Expression::String(version)) = attribute("required_version") {
                        self.required_versions.push(version);
                    }
                }
                _ => {}
            }
        }
        Some(())
    }

    fn json(&mut self, text: &str) -> Option<()> {
        let file: Value = serde_json::from_str(text).ok()?;
        for variables in one_or_many(file.get("variable")) {
            for (name, declared) in variables.as_object().into_iter().flatten() {
                let has = |attribute: &str| {
                    one_or_many(Some(declared))
                        .iter()
                        .any(|declared| declared.get(attribute).is_some_and(|value| *value != Value::Bool(false)))
                };
                self.variable(name, has("sensitive") || has("ephemeral"));
                let blocks = one_or_many(Some(declared));
                self.kind(name, blocks.iter().find_map(|block| block.get("type")?.as_str()));
            }
        }
        for terraform in one_or_many(file.get("terraform")) {
            let version = terraform.get("required_version").and_then(Value::as_str);
            self.required_versions.extend(version.map(str::to_owned));
        }
        Some(())
    }

    fn kind(&mut self, name: &str, kind: Option<&str>) {
        let plain = ["string", "number", "bool", "any"];
        if kind.is_some_and(|kind| !plain.contains(&kind.trim_matches(['$', '{', '}', ' ']))) {
            self.composite.insert(name.to_owned());
        }
    }

    fn variable(&mut self, name: &str, secret: bool) {
        self.variables.insert(name.to_owned());
        if secret {
            self.sensitive.insert(name.to_owned());
        }
    }
}

/// JSON of Terraform may have one block or a list of them in most places.
fn one_or_many(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(many)) => many.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(files: &[(&str, &str)]) -> Declarations {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        Declarations::read(directory.path())
    }

    #[test]
    fn variables_secrets_and_versions_are_found_in_both_syntaxes() {
        let hcl = r#"
            terraform {
              required_version = ">= 1.6"
              required_providers { docker = { source = "kreuzwerker/docker" } }
            }
            variable "size" { default = "small" }
            variable "token" {
              type      = string
              sensitive = true
            }
            variable "shown" { sensitive = false }
            variable "zones" { type = list(string) }
            resource "terraform_data" "x" { input = "${var.size}-${upper(var.token)}" }
        "#;
        let json = r#"{"terraform": [{"required_version": "< 2"}],
                       "variable": {"key": {"sensitive": true}, "other": [{"type": "string"}]}}"#;
        let declared = declared(&[("main.tf", hcl), ("more.tf.json", json), ("readme.md", "variable {")]);
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(&declared.variables), ["key", "other", "shown", "size", "token", "zones"]);
        assert_eq!(names(&declared.composite), ["zones"]);
        assert_eq!(names(&declared.sensitive), ["key", "token"]);
        let mut versions = declared.required_versions.clone();
        versions.sort();
        assert_eq!(versions, ["< 2", ">= 1.6"]);
        assert!(!declared.for_tofu && !declared.incomplete);
        assert!(declared.is_sensitive("token") && !declared.is_sensitive("size"));
    }

    #[test]
    fn where_a_file_is_a_riddle_everything_is_secret() {
        let declared = declared(&[("main.tf", "variable \"size\" {"), ("x.tofu", "")]);
        assert!(declared.incomplete && declared.for_tofu);
        assert!(declared.is_sensitive("size"));
    }
}
