//! Generated texts are what the code says. With `CHANCERY_WRITE_DOCS=1` in the environment they are written.

use std::path::{Path, PathBuf};

use crate::builtin::foundation;
use crate::generate_schema;

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
