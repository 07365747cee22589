//! The same on the command line.

use super::*;

/// Runs a command that works; what it prints.
fn run(server: &Server, arguments: &[&str]) -> String {
    let output = server.run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn organizations_users_groups_and_members_are_ruled_from_the_command_line() {
    let server = Server::start().await;
    let run = |arguments: &[&str]| run(&server, arguments);
    let eng = run(&["organizations", "create", "eng", "--display-name", "Engineering"]);
    run(&["organizations", "update", "eng", "--display-name", "Engineering and Research"]);
    assert!(run(&["organizations", "list", "--output", "csv"]).contains("eng,Engineering and Research"));

    let ada = run(&["users", "create", "ada", "--organization", "eng", "--role", "eng/auditor"]);
    run(&["users", "update", &ada, "--email", "ada@example.com"]);
    run(&["users", "roles", "add", &ada, "member"]);
    run(&["users", "roles", "remove", &ada, "eng/auditor"]);
    let roles = run(&["users", "roles", "list", &ada, "--output", "ndjson"]);
    assert_eq!(roles.lines().count(), 1, "{roles}");
    run(&["users", "suspend", &ada, "--reason", "on leave"]);
    let listed = run(&["users", "list", "--query", "ada", "--status", "suspended", "--output", "ndjson"]);
    assert!(listed.contains("ada@example.com"), "{listed}");
    run(&["users", "reactivate", &ada]);

    let team = run(&["groups", "create", "team", "--organization", "eng", "--allowance", "3"]);
    run(&["groups", "update", &team, "--name", "squad"]);
    run(&["groups", "allowance", &team, "8"]);
    run(&["groups", "allowance", &eng, "2"]);
    run(&["groups", "members", "add", &team, &ada, "--reason", "why not", "--expires-at", "2999-01-01T00:00:00Z"]);
    assert!(run(&["groups", "members", "list", &team, "--output", "csv"]).contains("ada,2999-01-01"));
    let groups = run(&["groups", "list", "--output", "csv"]);
    assert!(groups.contains("squad,eng,8,1") && groups.contains("Everyone,eng,2"), "{groups}");
    run(&["groups", "members", "remove", &team, &ada]);
    assert!(run(&["groups", "show", &team]).contains("\"member_count\": 0"));
    run(&["groups", "delete", &team]);
    assert!(run(&["users", "show", &ada]).contains("\"active\""));
    run(&["users", "delete", &ada]);
    assert_eq!(run(&["policy", "list", "--output", "ndjson"]), "", "another name of `policies`");
    let missing = server.run(&["groups", "show", "nothing"]);
    assert_eq!(missing.status.code(), Some(4));
}
