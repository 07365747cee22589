//! A Python environment with the packages that read open tables.

use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: [&str; 4] = ["deltalake", "duckdb", "pyarrow", "pytz"];

/// The interpreter, made once beside the build.
///
/// # Panics
/// When Python or the package index is out of reach.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
pub fn python() -> PathBuf {
    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python");
    let interpreter = environment.join("bin/python");
    let ready = environment.join("ready");
    if std::fs::read_to_string(&ready).is_ok_and(|packages| packages == PACKAGES.join(" ")) {
        return interpreter;
    }
    let run = |command: &mut Command| assert!(command.status().expect("python3 runs").success());
    run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
    run(Command::new(&interpreter).args(["-m", "pip", "install", "-q"]).args(PACKAGES));
    std::fs::write(ready, PACKAGES.join(" ")).expect("the environment can be written to");
    interpreter
}
