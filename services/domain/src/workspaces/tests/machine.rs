//! What a workspace allows in which state, and the trail that a build leaves.

use std::collections::BTreeMap;

use super::world::{World, failed, version};
use crate::decision::Refusal;
use crate::events::templates::{TemplateContents, TemplateVariable};
use crate::events::workspaces::Transition;
use crate::templates::TemplateStatus;
use crate::time::Timestamp;
use crate::workspaces::WorkspaceStatus;
use crate::workspaces::builds::{BrokenOff, BuildRecord, BuildStatus, Ending, Lapse, Leases, RequestBuild};
use crate::workspaces::creation::parameters_fit;

fn in_state<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
    match result {
        Err(Refusal::InState { status, .. }) => status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_build_leaves_its_whole_trail() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    world.carry_out("a", 4);
    let told: Vec<&str> = world.events.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(
        told,
        [
            "workspace.created",
            "workspace.build.requested",
            "workspace.build.queued",
            "workspace.build.started",
            "job.acquired",
            "quota.reserved",
            "workspace.build.planned",
            "workspace.build.apply-started",
            "workspace.build.succeeded",
            "quota.committed",
            "job.completed",
        ]
    );
    assert!(world.events.iter().all(|event| event.organization.as_deref() == Some("eng")));
}

#[test]
fn one_build_at_a_time_and_each_step_once() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    assert_eq!(in_state(world.request("a", Transition::Stop)), "pending");
    assert_eq!(in_state(world.plan("a", 1)), "queued");
    assert_eq!(in_state(world.finish("a", Ending::Succeeded { cost: None })), "queued");
    world.start("a").unwrap();
    assert_eq!(in_state(world.start("a")), "started");
    assert_eq!(in_state(world.request("a", Transition::Start)), "starting");
    assert_eq!(in_state(world.begin("a")), "started");
    world.plan("a", 1).unwrap();
    assert_eq!(world.plan("a", 1).unwrap(), Vec::<String>::new(), "told again, its answer is the same");
    assert_eq!(in_state(world.plan("a", 2)), "planned");
    assert_eq!(in_state(world.start("a")), "planned");
    assert_eq!(in_state(world.finish("a", Ending::Succeeded { cost: None })), "planned", "nothing succeeds unbegun");
    world.begin("a").unwrap();
    assert_eq!(world.begin("a").unwrap(), Vec::<String>::new());
    world.finish("a", Ending::Succeeded { cost: None }).unwrap();
    assert_eq!(world.finish("a", Ending::Succeeded { cost: None }).unwrap(), Vec::<String>::new());
    assert_eq!(in_state(world.finish("a", failed(true, None))), "succeeded");
    assert_eq!(in_state(world.begin("a")), "succeeded");
    assert_eq!(in_state(world.cancel("a")), "succeeded");
    let same = RequestBuild {
        transition: Transition::Start,
        cause: "initiator",
        reason: None,
        template_version: None,
        parameters: None,
    };
    assert_eq!(in_state(world.order("a", same)), "running");
    world.build("a", Transition::Stop, 0);
    assert_eq!(in_state(world.request("a", Transition::Stop)), "stopped");
    world.build("a", Transition::Delete, 0);
    assert!(matches!(world.request("a", Transition::Start), Err(Refusal::Unknown("workspace"))));
}

#[test]
fn a_build_that_waits_ends_at_once_and_one_in_progress_is_told_to() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    world.carry_out("a", 4);
    world.request("a", Transition::Stop).unwrap();
    assert_eq!(world.cancel("a").unwrap(), ["workspace.build.canceled"]);
    assert_eq!((world.status("a"), world.counted("ada")), (WorkspaceStatus::Running, 4), "as it was before");
    world.request("a", Transition::Start).unwrap();
    world.start("a").unwrap();
    assert_eq!(world.cancel("a").unwrap(), ["workspace.build.cancel-requested"]);
    assert_eq!(world.cancel("a").unwrap(), Vec::<String>::new(), "once is enough");
    assert_eq!(in_state(world.plan("a", 5)), "canceling");
    assert_eq!(in_state(world.request("a", Transition::Stop)), "canceling");
    world.finish("a", Ending::Canceled { broken: BrokenOff::default() }).unwrap();
    assert_eq!((world.status("a"), world.counted("ada")), (WorkspaceStatus::Running, 4));
    world.request("a", Transition::Start).unwrap();
    world.start("a").unwrap();
    world.plan("a", 6).unwrap();
    world.begin("a").unwrap();
    world.cancel("a").unwrap();
    world.finish("a", Ending::Canceled { broken: BrokenOff::default() }).unwrap();
    assert_eq!((world.status("a"), world.counted("ada")), (WorkspaceStatus::Canceled, 6), "it may run");
}

#[test]
fn templates_say_what_is_built() {
    let mut world = World::new(10);
    world.template.status = TemplateStatus::Deprecated;
    world.template.deprecation = Some("use rust".into());
    assert!(matches!(world.create("a", "ada"), Err(Refusal::Forbidden(reason)) if reason.contains("use rust")));
    world.template.status = TemplateStatus::Active;
    world.template.settings.runner_tags = BTreeMap::from([("zone".to_owned(), "a".to_owned())]);
    world.create("a", "ada").unwrap();
    assert_eq!(world.last("a").unwrap().tags, world.template.settings.runner_tags);
    world.carry_out("a", 1);
    world.template.status = TemplateStatus::Deprecated;
    world.build("a", Transition::Stop, 0);
    world.build("a", Transition::Start, 1);
    world.template.settings.require_active_version = true;
    world.template.active_version = Some("w".into());
    let old = RequestBuild {
        transition: Transition::Start,
        cause: "initiator",
        reason: None,
        template_version: Some(version().id),
        parameters: Some(BTreeMap::new()),
    };
    assert!(matches!(world.order("a", old), Err(Refusal::Forbidden(_))));
}

#[test]
fn who_has_no_access_starts_nothing_and_is_stopped() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    world.carry_out("a", 1);
    world.suspended.push("ada".into());
    assert!(matches!(world.request("a", Transition::Start), Err(Refusal::Forbidden(_))));
    assert!(matches!(world.create("b", "ada"), Err(Refusal::Forbidden(_))));
    assert!(matches!(world.transfer("a", "ada"), Err(Refusal::Forbidden(_))));
    world.build("a", Transition::Stop, 0);
    assert_eq!(world.status("a"), WorkspaceStatus::Stopped);
}

#[test]
fn names_are_an_owners_own() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    assert!(matches!(world.create("a", "ada"), Err(Refusal::Taken { .. })));
    assert!(matches!(world.create("A", "ada"), Err(Refusal::Invalid { .. })));
    world.start("a").unwrap();
    world.finish("a", failed(false, None)).unwrap();
    world.build("a", Transition::Delete, 0);
    world.folded.workspaces.get_mut("a").unwrap().id = "gone".into();
    assert!(world.create("a", "ada").is_ok(), "a name is free once its workspace is gone");
}

#[test]
fn values_are_those_of_variables_and_never_secret() {
    let variable = |name: &str, has_default, sensitive| TemplateVariable {
        name: name.into(),
        has_default,
        sensitive,
        ..TemplateVariable::default()
    };
    let variables = vec![variable("step", true, false), variable("size", false, false), variable("key", true, true)];
    let contents = TemplateContents { variables, ..TemplateContents::default() };
    let fits = |named: &[&str]| {
        let parameters = named.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect();
        parameters_fit(&parameters, Some(&contents))
    };
    assert_eq!(fits(&["size"]), Ok(()));
    assert_eq!(fits(&["size", "step"]), Ok(()));
    for (named, reason) in [
        (vec!["step"], "lacks `size`"),
        (vec!["size", "cpu"], "no variable"),
        (vec!["size", "key"], "secret"),
        (vec!["size", "a b"], "no variable can have"),
    ] {
        let refused = fits(&named).unwrap_err().to_string();
        assert!(refused.contains(reason), "{named:?}: {refused}");
    }
    let mut world = World::new(10);
    world.contents = Some(contents);
    assert!(matches!(world.create("a", "ada"), Err(Refusal::Invalid { field: "parameters", .. })));
}

#[test]
fn a_lost_build_waits_again_as_another_job_unless_it_has_begun_to_apply() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    assert_eq!(in_state(world.requeue("a")), "queued");
    world.start("a").unwrap();
    world.plan("a", 6).unwrap();
    let before = world.last("a").unwrap();
    assert_eq!(world.counted("ada"), 6);
    assert_eq!(world.requeue("a").unwrap(), ["workspace.build.requeued", "quota.released", "job.expired"]);
    let after = world.last("a").unwrap();
    assert_eq!((world.counted("ada"), world.status("a")), (0, WorkspaceStatus::Pending));
    assert_eq!((after.status, after.attempt, after.runner_id.clone()), (BuildStatus::Queued, 2, None));
    assert_ne!(before.job_id, after.job_id, "whoever had it reports in vain");
    let expired = world.events.last().unwrap();
    assert_eq!((Some(&expired.resource.id), expired.data["attempt"].as_u64()), (before.job_id.as_ref(), Some(1)));
    world.start("a").unwrap();
    assert_eq!(world.events.last().unwrap().data["attempt"], 2);
    world.plan("a", 7).unwrap();
    world.begin("a").unwrap();
    assert_eq!(in_state(world.requeue("a")), "applying");
    world.finish("a", Ending::Succeeded { cost: None }).unwrap();
    assert_eq!((world.counted("ada"), world.status("a")), (7, WorkspaceStatus::Running));
}

#[test]
fn what_becomes_of_a_lost_build() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    world.start("a").unwrap();
    let leases = Leases { lease: 60_000_000, resume: 600_000_000, attempts: 2 };
    let lapse = |build: &BuildRecord, seconds: i64| {
        leases.lapse(build, Timestamp::EPOCH, Timestamp::from_micros(seconds * 1_000_000).unwrap())
    };
    let started = world.last("a").unwrap();
    assert_eq!(lapse(&started, 59), None);
    assert!(matches!(lapse(&started, 60), Some(Lapse::Requeue { .. })));
    let canceled = BuildRecord { cancel_requested: true, ..started.clone() };
    assert_eq!(lapse(&canceled, 60), Some(Lapse::Cancel));
    let again = BuildRecord { attempt: 2, ..started.clone() };
    assert!(matches!(lapse(&again, 60), Some(Lapse::GiveUp { reason }) if reason.contains("begun 2 times")));
    let applying = BuildRecord { status: BuildStatus::Applying, ..started.clone() };
    assert_eq!(lapse(&applying, 599), None);
    assert!(matches!(lapse(&applying, 600), Some(Lapse::GiveUp { reason }) if reason.contains("may still run")));
    for status in [BuildStatus::Queued, BuildStatus::Succeeded, BuildStatus::Failed] {
        assert_eq!(lapse(&BuildRecord { status, ..started.clone() }, 10_000), None);
    }
}
