//! Tools that no package of the system has.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::made_once;

/// The real Helm, built from its module.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
pub fn helm() -> PathBuf {
    let directory = made_once("tools", include_str!("../../.ci/tools"), |directory| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/tools");
        let made = Command::new("sh").arg(script).arg(directory).status().expect("sh runs");
        assert!(made.success(), "Helm was not built: it needs Go, or Python to install Go with");
    });
    directory.join("helm")
}
