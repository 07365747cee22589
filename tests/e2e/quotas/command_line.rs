//! `chancery workspaces` and `chancery quota`.

use super::*;

fn run(office: &Office, arguments: &[&str]) -> (bool, String) {
    let output = office.server.run(arguments);
    let text = String::from_utf8(if output.status.success() { output.stdout } else { output.stderr }).unwrap();
    (output.status.success(), text.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_and_its_quota_on_the_command_line() {
    let office = Office::open(10).await;
    let ada = office.user("ada").await;
    let (made, id) = run(&office, &["workspaces", "create", "--template", "go", "--owner", &ada, "--no-start", "dev"]);
    assert!(made, "{id}");
    for (command, said) in [
        (vec!["workspaces", "start", &id], "build 1 waits for a runner"),
        (vec!["workspaces", "cancel", &id], "canceled"),
        (vec!["workspaces", "start", &id], "build 2 waits for a runner"),
    ] {
        assert_eq!(run(&office, &command), (true, said.to_owned()), "{command:?}");
    }
    assert!(office.carry_out(6).await);
    let (_, list) = run(&office, &["workspaces", "list", "--owner", &ada, "--output", "csv"]);
    assert!(list.ends_with(&format!("{id},dev,ada,acme,go,running,6")), "{list}");
    let (_, builds) = run(&office, &["workspaces", "builds", &id, "--output", "ndjson"]);
    assert_eq!(builds.lines().count(), 2, "{builds}");
    let schedule = ["workspaces", "schedule", &id, "--autostart", "0 8 * * 1-5", "--ttl", "3600"];
    assert!(run(&office, &schedule).1.contains("0 8 * * 1-5"));
    let (_, shown) = run(&office, &["workspaces", "show", &id]);
    assert!(shown.contains("\"stops_at\": \"2"), "{shown}");

    let (_, quota) = run(&office, &["quota", "show", "--organization", "acme", "--user", &ada]);
    assert!(quota.contains("\"consumed\": 6"), "{quota}");
    let check = ["quota", "check", "--template", "go", "--owner", &ada, "--cost", "5"];
    let (allowed, reason) = run(&office, &check);
    assert!(!allowed && reason.contains("the allowance is 10"), "{reason}");
    assert!(run(&office, &["quota", "allowance", "set", &office.group, "20"]).0);
    assert!(run(&office, &check).0);
    let cap = ["quota", "cap", "set", "--organization", "acme", "organization_credits", "9"];
    assert_eq!(run(&office, &cap), (true, "set".to_owned()));
    assert!(!run(&office, &check).0);
    let (_, caps) = run(&office, &["quota", "cap", "list", "--organization", "acme", "--output", "csv"]);
    assert_eq!(caps, "bounds,subject_id,limit\norganization_credits,,9");
    let budget = ["quota", "budget", "set", "--organization", "acme", "--period", "month", "--hard", "1000"];
    assert_eq!(run(&office, &budget), (true, "set".to_owned()));
    let (_, budgets) = run(&office, &["quota", "budget", "list", "--organization", "acme", "--output", "csv"]);
    assert!(budgets.contains("organization,,month,1000,"), "{budgets}");
    let (handed, said) = run(&office, &["workspaces", "transfer", &id, &office.user("bob").await]);
    assert!(handed, "{said}");
    assert_eq!(run(&office, &["workspaces", "stop", &id]).1, "build 3 waits for a runner");
}
