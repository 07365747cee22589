//! The same on the command line.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

/// What a command prints; it succeeds.
fn run(server: &Server, arguments: &[&str]) -> String {
    let output = server.run(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn write(directory: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let file = directory.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }
}

#[tokio::test]
async fn a_template_lives_on_the_command_line() {
    let server = start().await;
    let set = ["--set", "max_ttl_seconds=3600", "--set", "runner_tags.zone=eu"];
    let id = run(&server, &[&["templates", "create", "go", "--organization", "acme"], &set[..]].concat());
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let source = [("main.tf", MAIN), ("modules/x/main.tf", "# x\n"), ("run.sh", "#!/bin/sh\n")];
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    write(&one, &source);
    write(&one, &[("terraform.tfstate", "secret"), (".terraform/p", "x"), (".git/config", "x")]);
    // The same files, made later and in another order, beside others that do not belong.
    for file in source.iter().rev() {
        write(&two, std::slice::from_ref(file));
    }
    let first = run(&server, &["templates", "push", "go", &at("one"), "--message", "one", "--promote"]);
    let second = run(&server, &["templates", "push", "acme/go", &at("two"), "--name", "again"]);
    let digest = |line: &str| line.split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(digest(&first), digest(&second), "{first} {second}");
    assert!(first.starts_with("v1 ") && first.ends_with("promoted") && second.starts_with("again "), "{first}");

    run(&server, &["templates", "pull", "go", &at("pulled")]);
    for (path, content) in source {
        assert_eq!(fs::read_to_string(directory.path().join("pulled").join(path)).unwrap(), content);
    }
    assert!(!directory.path().join("pulled/terraform.tfstate").exists());
    assert_eq!(server.run(&["templates", "pull", "go", &at("pulled")]).status.code(), Some(2));

    let shown: Value = serde_json::from_str(&run(&server, &["templates", "show", &id, "--version", "again"])).unwrap();
    assert_eq!(shown["contents"]["variables"][0]["name"], "region");
    run(&server, &["templates", "edit", "go", "--display-name", "Go", "--unset", "max_ttl_seconds"]);
    let shown: Value = serde_json::from_str(&run(&server, &["templates", "show", "go"])).unwrap();
    assert_eq!((&shown["display_name"], &shown["settings"]), (&json!("Go"), &json!({"runner_tags": {"zone": "eu"}})));
    let stale = server.run(&["templates", "edit", "go", "--description", "x", "--if-version", "1"]);
    assert_eq!(stale.status.code(), Some(1));

    run(&server, &["templates", "access", "grant", "go", "--everyone", "--reason", "for all"]);
    let access = run(&server, &["templates", "access", "list", "go", "--output", "csv"]);
    assert!(access.contains("everyone,acme,,use,"), "{access}");
    run(&server, &["templates", "access", "revoke", "go", "--everyone"]);
    assert_eq!(run(&server, &["templates", "access", "list", "go", "--output", "json"]), "[]");

    run(&server, &["templates", "promote", "go", "again"]);
    run(&server, &["templates", "archive", "go", "v1"]);
    let versions = run(&server, &["templates", "versions", "go", "--output", "csv"]);
    let rows: Vec<&str> = versions.lines().skip(1).collect();
    assert!(rows[0].starts_with("again,true,false,") && rows[1].starts_with("v1,false,true,one,"), "{versions}");
    run(&server, &["templates", "unarchive", "go", "v1"]);
    run(&server, &["templates", "deprecate", "go", "use rust"]);
    let list = run(&server, &["templates", "list", "--organization", "acme", "--output", "csv"]);
    assert!(list.contains("go,acme,Go,deprecated,use rust,"), "{list}");
    run(&server, &["templates", "undeprecate", "go"]);

    write(&one, &[("broken.tf", "a = 1\nb = \n")]);
    let broken = server.run(&["templates", "push", "go", &at("one")]);
    let said = String::from_utf8_lossy(&broken.stderr);
    assert!(broken.status.code() == Some(1) && said.contains("broken.tf:2:"), "{said}");
    run(&server, &["templates", "delete", "go", "--reason", "done"]);
    assert_eq!(server.run(&["templates", "show", "go"]).status.code(), Some(4));
}
