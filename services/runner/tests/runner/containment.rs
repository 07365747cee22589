//! What templates may not do to the machine and to one another.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use chancery_runner::{Outcome, Transition};

use crate::archives::main_tf;
use crate::server::Heard;
use crate::world::{World, job, runs};

/// A template whose only resource runs a script.
fn script(command: &str) -> Vec<u8> {
    let quoted = serde_json::to_string(command).unwrap().replace("${", "$${").replace("%{", "%%{");
    main_tf(&format!(
        "resource \"terraform_data\" \"a\" {{\n  provisioner \"local-exec\" {{ command = {quoted} }}\n}}\n"
    ))
}

async fn run(world: &World, command: &str) -> Heard {
    let archive = script(command);
    world.build(job("start", Transition::Start, &archive), archive).await
}

fn assert_failed(heard: &Heard, reason: &str) {
    let end = heard.end();
    assert_eq!((end.outcome, end.applied, end.resources_remain), (Outcome::Failed, true, true), "{end:?}");
    assert!(end.error.as_deref().unwrap().contains(reason), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_script_leaves_running_is_gone_after_it() {
    let world = World::new();
    // In the background, in sessions of their own, and as orphans of orphans.
    let storm = "for i in $(seq 40); do (setsid sh -c 'sleep 86331 & sleep 86332' >/dev/null 2>&1 &); sleep 86333 >/dev/null 2>&1 & done";
    let heard = run(&world, storm).await;
    assert_eq!(heard.end().outcome, Outcome::Succeeded, "{:?}", heard.end());
    assert!(heard.text().contains("processes were still there after apply"), "{}", heard.text());
    assert!(!runs("sleep 8633"));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_processes_end_the_job() {
    let mut world = World::new();
    world.settings.limits.processes = 60;
    let heard = run(&world, "while true; do sleep 86341 & done").await;
    assert_failed(&heard, "more processes than this runner allows");
    assert!(!runs("sleep 86341"));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_long_a_time_ends_the_job() {
    let mut world = World::new();
    world.settings.limits.wall_clock = Duration::from_secs(8);
    // It does not even listen.
    world.settings.limits.grace = Duration::from_millis(500);
    let heard = run(&world, "trap '' INT TERM; while true; do sleep 0.1; done").await;
    assert_failed(&heard, "longer than this runner allows");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_memory_ends_the_job() {
    let mut world = World::new();
    world.settings.limits.memory_bytes = 600 << 20;
    // Doubles a text until it is stopped.
    let heard = run(&world, "x=0123456789abcdef; while true; do x=$x$x; done").await;
    assert_failed(&heard, "more memory than this runner allows");
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_output_is_cut_and_then_ended() {
    let mut world = World::new();
    world.settings.log_bytes = 20_000;
    world.settings.limits.output_bytes = 2 << 20;
    let heard = run(&world, "while true; do echo 0123456789012345678901234567890123456789; done").await;
    assert_failed(&heard, "more output than this runner allows");
    heard.assert_proven();
    let text = heard.text();
    assert!(text.len() < 25_000);
    assert_eq!(text.matches("the log is full").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_sees_nothing_of_the_runner_and_nothing_of_the_job_before() {
    let mut world = World::new();
    world.settings.environment = [("KUBECONFIG".to_owned(), "/etc/kube".to_owned())].into();
    let leave = world.sign("environment");
    let command = format!(
        "env > '{}'; umask >> '{}'; echo secret > \"$HOME/left\"; echo secret > \"$TMPDIR/left\"; pwd -P > '{}'",
        leave.display(),
        leave.display(),
        world.sign("where").display()
    );
    let heard = run(&world, &command).await;
    assert_eq!(heard.end().outcome, Outcome::Succeeded, "{:?}", heard.end());
    let environment = fs::read_to_string(&leave).unwrap();
    let allowed = [
        "CODER_",
        "TF_",
        "CHECKPOINT_DISABLE=",
        "HOME=",
        "TMPDIR=",
        "PATH=",
        "LANG=",
        "PWD=",
        "KUBECONFIG=",
        "SHLVL=",
        "_=",
        "OLDPWD=",
        "0077",
    ];
    for line in environment.lines() {
        assert!(allowed.iter().any(|prefix| line.starts_with(prefix)), "{line}");
    }
    assert!(environment.contains("CODER_WORKSPACE_OWNER=ada\n") && environment.contains("KUBECONFIG=/etc/kube\n"));
    assert!(environment.ends_with("0077\n"), "{environment}");

    let before = fs::read_to_string(world.sign("where")).unwrap();
    let before = before.trim().strip_suffix("/work").unwrap();
    let look = format!("test ! -e '{before}' && test -z \"$(ls -A \"$HOME\" | grep -v terraform.rc)\"");
    let archive = script(&look);
    let heard = world.build(job("next", Transition::Start, &archive), archive).await;
    assert_eq!(heard.end().outcome, Outcome::Succeeded, "{:?}", heard.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_may_run_as_somebody_else_who_sees_nothing_of_the_runners() {
    let mut world = World::new();
    // In the place of Terraform: it says who it is, and what it can read.
    let (binary, states) = (world.sign("terraform"), world.settings.data_directory.join("states"));
    let (version, look) = (r#"{"terraform_version":"1.9.0"}"#, format!("ls '{}'", states.display()));
    let script = format!("#!/bin/sh\ntest \"$1\" = version && echo '{version}' && exit\nid -u\n{look} 2>&1\nexit 3\n");
    fs::write(&binary, script).unwrap();
    for open in
        [binary.clone(), world.signs.path().to_owned(), world.settings.data_directory.parent().unwrap().to_owned()]
    {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755)).unwrap();
    }
    (world.settings.binaries, world.settings.run_as) = (vec![binary], Some((65_533, 65_533)));
    let heard = run(&world, "true").await;
    let (end, text) = (heard.end(), heard.text());
    assert_eq!((end.outcome, end.applied), (Outcome::Failed, false));
    if rustix::process::geteuid().is_root() {
        assert!(text.contains("\n65533\n") && text.contains("Permission denied"), "{text}");
        assert_eq!(end.error.as_deref(), Some("init failed with exit code 3"));
    } else {
        assert!(end.error.as_deref().unwrap().contains("directory cannot be made"), "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_has_a_control_group_of_its_own_where_the_runner_may_make_one() {
    let mut world = World::new();
    let roots = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(PathBuf::from);
    let root = roots.into_iter().find(|root| root.join("cgroup.procs").exists()).unwrap_or_default();
    let probe = root.join(format!("chancery-probe-{}", std::process::id()));
    let enter = format!("echo 0 > '{}/cgroup.procs'", probe.display());
    let allowed = fs::create_dir(&probe).is_ok()
        && Command::new("sh").args(["-c", &enter]).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    fs::remove_dir(&probe).ok();
    world.settings.cgroup = Some(root.clone());
    let heard = run(&world, "cat /proc/self/cgroup").await;
    assert_eq!(heard.end().outcome, Outcome::Succeeded, "{:?}", heard.end());
    let text = heard.text();
    let named = text.lines().find_map(|line| line.strip_prefix("0::/chancery-"));
    assert_eq!(named.is_some(), allowed, "{text}");
    assert!(named.is_none_or(|name| !root.join(format!("chancery-{name}")).exists()));
}
