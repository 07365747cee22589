//! Python environments with other engines that read open tables.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Tests of one binary run side by side.
static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// The interpreter of an environment with DuckDB and the `deltalake` package.
pub fn python() -> PathBuf {
    environment("python", &["deltalake", "duckdb", "pyarrow", "pytz"])
}

/// The interpreter of an environment with Apache Spark and its Delta Lake connector.
pub fn pyspark() -> PathBuf {
    environment("pyspark", &["pyspark==4.0.1", "delta-spark==4.0.0"])
}

/// Made once beside the build.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
fn environment(name: &str, packages: &[&str]) -> PathBuf {
    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(name);
    let interpreter = environment.join("bin/python");
    let ready = environment.join("ready");
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if std::fs::read_to_string(&ready).is_ok_and(|installed| installed == packages.join(" ")) {
        return interpreter;
    }
    let run = |command: &mut Command| assert!(command.status().expect("python3 runs").success());
    run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
    run(Command::new(&interpreter).args(["-m", "pip", "install", "-q"]).args(packages));
    std::fs::write(ready, packages.join(" ")).expect("the environment can be written to");
    interpreter
}
