//! Jobs that are canceled, killed, or left by a runner that dies.

use std::fs;
use std::process::Command;
use std::time::Duration;

use chancery_runner::{Outcome, Transition};

use crate::archives::main_tf;
use crate::world::{World, appears, job, runs};

/// A template that makes one resource, and then one that takes as long as the sleep of this name.
fn slow(world: &World, sleep: &str) -> Vec<u8> {
    let sign = world.sign("begun");
    main_tf(&format!(
        r#"resource "terraform_data" "first" {{ input = 1 }}
           resource "terraform_data" "second" {{
             depends_on = [terraform_data.first]
             provisioner "local-exec" {{ command = "touch '{}'; exec sleep {sleep}" }}
           }}"#,
        sign.display()
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_apply_ends_in_good_order_with_its_state() {
    let world = World::new();
    let archive = slow(&world, "86351");
    world.server.offer(job("start", Transition::Start, &archive), archive);
    let running = world.start().await;
    appears(&world.sign("begun")).await;
    world.server.cancel();
    let heard = world.until("start", |heard| !heard.finished.is_empty()).await;
    let end = heard.end();
    assert_eq!((end.outcome, end.applied, end.resources_remain), (Outcome::Canceled, true, true), "{end:?}");
    heard.assert_proven();
    assert_eq!(world.resources(), ["terraform_data.first", "terraform_data.second"]);
    assert!(!runs("sleep 86351"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_terraform_leaves_a_failure_and_the_state() {
    let world = World::new();
    let archive = slow(&world, "86352");
    world.server.offer(job("start", Transition::Start, &archive), archive);
    let running = world.start().await;
    appears(&world.sign("begun")).await;
    kill(&apply(&world).0);
    let heard = world.until("start", |heard| !heard.finished.is_empty()).await;
    let end = heard.end();
    assert_eq!((end.outcome, end.applied, end.resources_remain), (Outcome::Failed, true, true), "{end:?}");
    assert!(world.resources().contains(&"terraform_data.first".to_owned()));
    assert!(!runs("sleep 86352"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_supervisor_takes_its_command_along() {
    let world = World::new();
    let archive = slow(&world, "86353");
    world.server.offer(job("start", Transition::Start, &archive), archive);
    let running = world.start().await;
    appears(&world.sign("begun")).await;
    kill(&apply(&world).1);
    let heard = world.until("start", |heard| !heard.finished.is_empty()).await;
    let end = heard.end();
    assert_eq!((end.outcome, end.applied, end.resources_remain), (Outcome::Failed, true, true), "{end:?}");
    assert!(end.error.as_deref().unwrap().contains("supervisor"), "{end:?}");
    assert!(!runs("sleep 86353"));
    running.stop().await;
}

/// Process ids of the apply and of its supervisor.
fn apply(world: &World) -> (String, String) {
    let plan = world.settings.data_directory.join("jobs/start/tmp/plan").display().to_string();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if !String::from_utf8_lossy(&line).contains(&plan) {
            continue;
        }
        let status = fs::read_to_string(entry.path().join("status")).unwrap();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned();
        return (entry.file_name().into_string().unwrap(), parent);
    }
    panic!("no apply runs");
}

fn kill(process: &str) {
    assert!(Command::new("kill").args(["-KILL", process]).status().unwrap().success());
}

#[test]
fn a_runner_that_dies_during_an_apply_reports_it_at_its_next_start() {
    let world = World::new();
    let archive = slow(&world, "86354");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        world.server.offer(job("start", Transition::Start, &archive), archive.clone());
        world.start().await;
        appears(&world.sign("begun")).await;
    });
    // All that the runner had open is closed, as when its process is killed.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Its supervisor ends what it ran by itself.
        let gone = async {
            while runs("sleep 86354") || runs(&world.settings.data_directory.display().to_string()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), gone).await.unwrap();
        let running = world.start().await;
        let heard = world.until("start", |heard| !heard.finished.is_empty()).await;
        let end = heard.end();
        assert_eq!((end.outcome, end.applied, end.resources_remain), (Outcome::Failed, true, true), "{end:?}");
        assert!(world.resources().contains(&"terraform_data.first".to_owned()));
        running.stop().await;
        assert_eq!(fs::read_dir(world.settings.data_directory.join("jobs")).unwrap().count(), 0);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_cannot_be_delivered_is_delivered_at_the_next_start() {
    let world = World::new();
    let archive = main_tf("output \"x\" { value = 1 }");
    world.server.be_unreachable(true);
    world.server.offer(job("start", Transition::Start, &archive), archive);
    let running = world.start().await;
    world.until("start", |heard| heard.lines.iter().any(|line| line.text == "done")).await;
    running.stop().await;
    assert!(world.server.heard("start").finished.is_empty());
    world.server.be_unreachable(false);
    let running = world.start().await;
    let heard = world.until("start", |heard| !heard.finished.is_empty()).await;
    assert_eq!(heard.end().outcome, Outcome::Succeeded);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_drains_ends_its_job_and_takes_no_other() {
    let world = World::new();
    let (begun, sign) = (world.sign("begun"), world.sign("goes on"));
    let archive = main_tf(&format!(
        r#"resource "terraform_data" "a" {{
             provisioner "local-exec" {{ command = "touch '{}'; while ! test -e '{}'; do sleep 0.05; done" }}
           }}"#,
        begun.display(),
        sign.display()
    ));
    world.server.offer(job("start", Transition::Start, &archive), archive.clone());
    let running = world.start().await;
    appears(&begun).await;
    running.shutdown.drain.cancel();
    world.server.offer(job("next", Transition::Start, &archive), archive);
    fs::write(sign, "").unwrap();
    running.stop().await;
    assert_eq!(world.server.heard("start").end().outcome, Outcome::Succeeded);
    assert!(world.server.heard("next").planned.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_kept_stays_until_it_can() {
    let world = World::new();
    let sign = world.sign("begun");
    let go_on = world.sign("goes on");
    let archive = main_tf(&format!(
        r#"resource "terraform_data" "a" {{
             provisioner "local-exec" {{ command = "touch '{}'; while ! test -e '{}'; do sleep 0.05; done" }}
           }}"#,
        sign.display(),
        go_on.display()
    ));
    world.server.offer(job("start", Transition::Start, &archive), archive);
    let running = world.start().await;
    appears(&sign).await;
    // A directory is where the state is to be written.
    let obstacle = world.state().with_extension("unfinished");
    fs::create_dir(&obstacle).unwrap();
    fs::write(go_on, "").unwrap();
    let heard = world.until("start", |heard| !heard.finished.is_empty()).await;
    let end = heard.end();
    assert_eq!((end.outcome, end.applied, end.resources_remain), (Outcome::Failed, true, true));
    assert!(end.error.as_deref().unwrap().contains("the state cannot be kept"), "{end:?}");
    running.stop().await;
    assert!(!world.state().exists());

    fs::remove_dir(obstacle).unwrap();
    let running = world.start().await;
    appears(&world.state()).await;
    running.stop().await;
    assert_eq!(world.resources(), ["terraform_data.a"]);
    assert_eq!(fs::read_dir(world.settings.data_directory.join("jobs")).unwrap().count(), 0);
}
