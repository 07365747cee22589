//! What `deploy/` holds is asked of the tools it is for: Helm, Kubernetes' schemas, Docker Compose, HAProxy, systemd.

mod chart;
mod compose;
mod proxy;
mod units;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use chancery_tests::binary;

/// A file of `deploy/`.
fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path)
}

/// Runs a command with something to read, and expects it to end well.
fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let output = ask(command, input);
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {complained}\n{said}");
    output.stdout
}

/// Runs a command with something to read.
fn ask(command: &mut Command, input: &[u8]) -> Output {
    use std::io::Write;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // A command that reads nothing may have closed its input.
    child.stdin.take().unwrap().write_all(input).ok();
    child.wait_with_output().unwrap()
}

/// The variables of all settings there are, and the one that names the configuration file.
fn settings() -> BTreeSet<String> {
    let example = run(Command::new(binary()).args(["config", "example"]), b"");
    let mut settings = variables(&String::from_utf8(example).unwrap());
    assert!(settings.len() > 20, "{settings:?}");
    settings.insert("CHANCERY_CONFIG".to_owned());
    settings
}

/// Every `CHANCERY_…` in a text.
fn variables(text: &str) -> BTreeSet<String> {
    let name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c| !name(c));
    words.filter(|word| word.starts_with("CHANCERY_")).map(str::to_owned).collect()
}

/// Fails where a text names variables that are no settings.
fn expect_settings(place: &str, text: &str) {
    let used = variables(text);
    let unknown: Vec<_> = used.difference(&settings()).cloned().collect();
    assert!(unknown.is_empty(), "{place} sets what is no setting: {unknown:?}");
}

#[test]
fn every_variable_that_the_pages_name_is_a_setting() {
    for page in ["cluster.md", "sizing.md", "kafka.md", "docker/Dockerfile"] {
        expect_settings(page, &std::fs::read_to_string(deploy(page)).unwrap());
    }
}
