//! Generated texts are what the code says. With `CHANCERY_WRITE_DOCS=1` in the environment they are written.

use std::path::{Path, PathBuf};

use super::policy;
use crate::builtin::foundation;
use crate::{generate_schema, role_table};

const BEGIN: &str = "<!-- Roles and permissions, generated. -->\n\n";
const END: &str = "\n<!-- The end of what is generated. -->\n";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Compares a file with what it should be, or makes it that.
fn agrees(path: &str, should_be: &str) {
    let path = repository(path);
    if std::env::var_os("CHANCERY_WRITE_DOCS").is_some() {
        std::fs::write(&path, should_be).unwrap();
    }
    let is = std::fs::read_to_string(&path).unwrap();
    assert_eq!(is, should_be, "write it anew: CHANCERY_WRITE_DOCS=1 cargo test -p chancery-policy documents");
}

#[test]
fn the_schema_has_the_actions_of_the_permissions() {
    agrees("schemas/policy/chancery.cedarschema", &generate_schema());
    foundation().unwrap();
}

#[test]
fn the_documentation_has_the_table_of_roles_and_permissions() {
    let path = "deploy/authorization.md";
    let text = std::fs::read_to_string(repository(path)).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    agrees(path, &format!("{before}{BEGIN}{}{END}{after}", role_table().unwrap()));
}

#[test]
fn the_documentations_policies_can_be_published() {
    let text = std::fs::read_to_string(repository("deploy/authorization.md")).unwrap();
    let examples: Vec<&str> = text.split("```cedar\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert!(examples.len() > 4);
    for (example, line) in examples.iter().zip(1..) {
        assert_eq!(policy(&format!("example-{line}"), example).check(), Ok(Vec::new()), "{example}");
    }
}
