//! Builds that go as they should, and those that are refused.

use std::fs;
use std::sync::Arc;

use chancery_runner::{Outcome, StateBackend, Transition, Verdict};
use serde_json::json;

use crate::archives::{main_tf, of, plain};
use crate::world::{World, job};

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_started_stopped_and_deleted() {
    let world = World::new();
    let archive = plain();
    let mut start = job("start", Transition::Start, &archive);
    let password = "correct-horse-battery";
    start.parameters = [("size", "medium"), ("disk_gib", "25"), ("password", password)]
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .into();
    let parameters = start.parameters.clone();
    let heard = world.build(start, archive.clone()).await;
    heard.assert_proven();
    let planned = heard.planned.as_ref().unwrap();
    let costs: Vec<(&str, u32)> = planned.resources.iter().map(|one| (one.address.as_str(), one.daily_cost)).collect();
    assert_eq!(planned.daily_cost, 28);
    assert_eq!(costs, [("terraform_data.home", 3), ("terraform_data.machine[0]", 25)]);
    assert!(planned.unknown.is_empty());
    let end = heard.end();
    assert_eq!((end.outcome, end.applied, end.resources_remain), (Outcome::Succeeded, true, true), "{end:?}");
    assert_eq!((end.daily_cost, end.resources.len()), (Some(28), 2));
    assert_eq!(end.outputs["address"].value, Some(json!("engine.ada.example.com")));
    assert!(end.outputs["login"].sensitive && end.outputs["login"].value.is_none());
    assert!(heard.text().contains("starting ada-engine (medium)"), "{}", heard.text());
    assert!(!format!("{heard:?}").contains(password));

    let mut stop = job("stop", Transition::Stop, &archive);
    (stop.build_number, stop.parameters) = (2, parameters.clone());
    let heard = world.build(stop, archive.clone()).await;
    assert!(heard.text().contains("stopping ada-engine"), "{}", heard.text());
    let end = heard.end();
    assert_eq!((end.outcome, end.daily_cost, end.resources_remain), (Outcome::Succeeded, Some(3), true));
    assert_eq!(world.resources(), ["terraform_data.home"]);

    let mut delete = job("delete", Transition::Delete, &archive);
    (delete.build_number, delete.parameters) = (3, parameters);
    let heard = world.build(delete, archive).await;
    let end = heard.end();
    assert_eq!((end.outcome, end.daily_cost, end.resources_remain), (Outcome::Succeeded, Some(0), false), "{end:?}");
    assert!(world.resources().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_plan_applies_nothing() {
    let world = World::new();
    let archive = plain();
    world.server.judge(|plan| Verdict {
        accepted: plan.daily_cost <= 10,
        reason: Some(format!("{} credits are more than are left", plan.daily_cost)),
    });
    let heard = world.build(job("start", Transition::Start, &archive), archive).await;
    let end = heard.end();
    assert_eq!((end.outcome, end.applied, end.resources_remain), (Outcome::Failed, false, false));
    assert_eq!(end.error.as_deref(), Some("11 credits are more than are left"));
    assert_eq!(heard.applying, 0);
    assert!(!world.state().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_changed_after_it_was_judged_is_not_applied() {
    let world = World::new();
    let archive = plain();
    let jobs = world.settings.data_directory.join("jobs");
    world.server.judge(move |_| {
        let plan = jobs.join("start/tmp/plan");
        let mut bytes = fs::read(&plan).unwrap();
        bytes.push(0);
        fs::write(plan, bytes).unwrap();
        Verdict { accepted: true, reason: None }
    });
    let heard = world.build(job("start", Transition::Start, &archive), archive).await;
    let end = heard.end();
    assert_eq!((end.outcome, end.applied), (Outcome::Failed, false));
    assert!(end.error.as_deref().unwrap().contains("changed after it was judged"));
    assert_eq!(heard.applying, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn costs_that_only_the_apply_tells_are_unknown_and_then_known() {
    let world = World::new();
    let archive = main_tf(
        r#"resource "terraform_data" "a" { input = 7 }
           output "chancery_daily_cost" { value = terraform_data.a.output }"#,
    );
    let heard = world.build(job("start", Transition::Start, &archive), archive).await;
    let planned = heard.planned.as_ref().unwrap();
    assert_eq!((planned.daily_cost, planned.unknown.clone()), (0, vec!["output.chancery_daily_cost".to_owned()]));
    assert_eq!(heard.end().daily_cost, Some(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_count_whatever_files_of_values_the_template_has() {
    let world = World::new();
    let archive = of(&[
        (
            "main.tf",
            r#"variable "size" {}
               variable "zones" { type = list(string) }
               output "seen" { value = "${var.size} ${join("+", var.zones)}" }"#,
        ),
        ("terraform.tfvars", "size = \"of a file\""),
        ("more.auto.tfvars", "size = \"of a file\""),
    ]);
    let mut start = job("start", Transition::Start, &archive);
    start.parameters = [("size", "mine"), ("zones", "[\"a\", \"b\"]"), ("undeclared", "x")]
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .into();
    let heard = world.build(start, archive).await;
    assert_eq!(heard.end().outputs["seen"].value, Some(json!("mine a+b")), "{:?}", heard.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_a_template_is_told_with_its_place() {
    let world = World::new();
    let archive = main_tf("resource \"terraform_data\" \"a\" {\n  input = var.nothing\n}\n");
    let heard = world.build(job("start", Transition::Start, &archive), archive).await;
    let end = heard.end();
    assert_eq!((end.outcome, end.applied), (Outcome::Failed, false));
    let error = end.error.as_deref().unwrap();
    assert!(
        error.starts_with("plan: Error: Reference to undeclared input variable") && error.contains("main.tf line 2"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_decides_neither_about_its_state_nor_about_its_binary() {
    let world = World::new();
    let archive = main_tf(
        r#"terraform {
             backend "local" { path = "/tmp/elsewhere.tfstate" }
           }
           resource "terraform_data" "a" {}"#,
    );
    let heard = world.build(job("start", Transition::Start, &archive), archive).await;
    assert_eq!(heard.end().outcome, Outcome::Succeeded, "{:?}", heard.end());
    assert_eq!(world.resources(), ["terraform_data.a"]);

    let archive = of(&[("main.tf", ""), ("é_override.tf", "terraform { backend \"local\" {} }")]);
    let heard = world.build(job("rival", Transition::Start, &archive), archive).await;
    assert!(heard.end().error.as_deref().unwrap().contains("decide about its state"), "{:?}", heard.end());

    let archive = main_tf("terraform { required_version = \"< 0.12\" }");
    let heard = world.build(job("old", Transition::Start, &archive), archive).await;
    assert!(heard.end().error.as_deref().unwrap().contains("the template requires < 0.12; this runner has terraform"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_another_digest_or_with_tricks_is_not_used() {
    let world = World::new();
    let other = job("other", Transition::Start, b"another");
    let heard = world.build(other, plain()).await;
    assert!(heard.end().error.as_deref().unwrap().contains("its digest is another"));

    for (id, path, kind) in [("up", "../../escaped", b'0'), ("link", "main.tf", b'2'), ("root", "/tmp/escaped", b'0')] {
        let archive = hostile(path, kind);
        let heard = world.build(job(id, Transition::Start, &archive), archive).await;
        let end = heard.end();
        assert_eq!((end.outcome, end.applied), (Outcome::Failed, false));
        assert!(end.error.as_deref().unwrap().contains("archive is refused"), "{end:?}");
    }
    assert!(!world.settings.data_directory.join("escaped").exists());
}

/// An archive of one entry, whatever it is.
fn hostile(path: &str, kind: u8) -> Vec<u8> {
    let mut header = vec![0_u8; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(b"00000000000");
    header[156] = kind;
    header[157..168].copy_from_slice(b"/etc/passwd");
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header.extend_from_slice(&[0; 1024]);
    header
}

#[tokio::test(flavor = "multi_thread")]
async fn one_workspace_is_built_by_one_job_at_a_time() {
    let mut world = World::new();
    world.settings.jobs = 2;
    let sign = world.sign("goes on");
    let slow = main_tf(&format!(
        r#"resource "terraform_data" "a" {{
             provisioner "local-exec" {{ command = "while ! test -e '{}'; do sleep 0.05; done" }}
           }}"#,
        sign.display()
    ));
    world.server.offer(job("first", Transition::Start, &slow), slow);
    let running = world.start().await;
    world.until("first", |heard| heard.applying == 1).await;
    let archive = plain();
    // The same again is ignored, another job of the same workspace is refused.
    world.server.offer(job("first", Transition::Start, &archive), archive.clone());
    world.server.offer(job("second", Transition::Start, &archive), archive);
    let heard = world.until("second", |heard| !heard.finished.is_empty()).await;
    assert!(heard.end().error.as_deref().unwrap().contains("another build of this workspace"));
    fs::write(sign, "").unwrap();
    let heard = world.until("first", |heard| !heard.finished.is_empty()).await;
    assert_eq!(heard.end().outcome, Outcome::Succeeded);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_the_server_keeps_is_asked_for_with_the_jobs_own_secret() {
    let world = World::new();
    let requests = Arc::new(std::sync::Mutex::new(Vec::new()));
    let address = refusing_backend(Arc::clone(&requests));
    let archive = plain();
    let mut start = job("start", Transition::Start, &archive);
    start.state = Some(StateBackend {
        address: format!("{address}/state"),
        lock_address: Some(format!("{address}/lock")),
        unlock_address: Some(format!("{address}/lock")),
        username: "start".to_owned(),
        password: "minted-for-this-job".to_owned(),
    });
    let heard = world.build(start, archive).await;
    assert_eq!((heard.end().outcome, heard.applying), (Outcome::Failed, 0));
    assert!(!world.state().exists());
    let requests = requests.lock().unwrap().join("\n");
    // `start:minted-for-this-job`
    assert!(requests.contains("Basic c3RhcnQ6bWludGVkLWZvci10aGlzLWpvYg=="), "{requests}");
    assert!(!format!("{heard:?}").contains("minted-for-this-job"));
}

/// Somewhere to connect to, where every request is noted and refused.
fn refusing_backend(requests: Arc<std::sync::Mutex<Vec<String>>>) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut buffer) = (stream.unwrap(), [0; 8192]);
            let length = stream.read(&mut buffer).unwrap_or(0);
            requests.lock().unwrap().push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok();
        }
    });
    address
}
