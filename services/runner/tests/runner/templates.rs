//! The starter templates.

use std::fs;
use std::process::{Command, Output};

use crate::archives::{main_tf, starters};
use crate::terraform::terraform;

fn run(arguments: &[&str], directory: &std::path::Path) -> Output {
    let mut command = Command::new(terraform());
    command.args(arguments).current_dir(directory).env("TF_CLI_CONFIG_FILE", "/dev/null");
    command.output().unwrap()
}

#[test]
fn they_are_formatted_and_parse_and_declare_what_they_get() {
    let formatted = run(&["fmt", "-check", "-recursive", "-diff"], &starters());
    assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stdout));
    let mut names: Vec<_> =
        fs::read_dir(starters()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["docker", "kubernetes", "plain", "vm"]);
    for name in names {
        let text = fs::read_to_string(starters().join(&name).join("main.tf")).unwrap();
        let files = chancery_terraform::read(
            &main_tf(&text),
            chancery_terraform::Packing::Tar,
            &chancery_runner::ArchiveLimits::default(),
        );
        let contents = chancery_terraform::describe(&files.unwrap()).unwrap();
        assert!(contents.variables.iter().any(|variable| variable.name == "chancery_transition"), "{name}");
        assert_eq!(contents.providers.is_empty(), name == "plain", "{name}");
        assert!(text.contains("output \"chancery\""), "{name}");
    }
}

#[test]
fn the_plain_one_is_valid() {
    let directory = tempfile::tempdir().unwrap();
    fs::copy(starters().join("plain/main.tf"), directory.path().join("main.tf")).unwrap();
    for arguments in [["init", "-backend=false"].as_slice(), &["validate", "-no-color"]] {
        let output = run(arguments, directory.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
