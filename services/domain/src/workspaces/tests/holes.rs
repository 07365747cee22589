//! Where other systems give capacity away, lock people out or lose track: each case by name.

use super::world::{World, failed};
use crate::events::quotas::{CapKind, QuotaEntry, UnknownCosts};
use crate::events::workspaces::{Build, Transition};
use crate::quotas::{CapFact, Facts};
use crate::workspaces::WorkspaceStatus;
use crate::workspaces::builds::{Ending, MOST_COST};

fn entry(world: &World, event_type: &str) -> QuotaEntry {
    let event = world.events.iter().rev().find(|event| event.event_type == event_type).unwrap();
    serde_json::from_value(event.data.clone()).unwrap()
}

fn build(world: &World, event_type: &str) -> Build {
    let event = world.events.iter().rev().find(|event| event.event_type == event_type).unwrap();
    serde_json::from_value(event.data.clone()).unwrap()
}

#[test]
fn a_rejected_build_frees_no_capacity() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    world.carry_out("a", 8);
    assert_eq!(world.counted("ada"), 8);
    world.request("a", Transition::Start).unwrap();
    world.start("a").unwrap();
    let told = world.plan("a", 11).unwrap();
    assert_eq!(told, ["quota.denied", "workspace.build.rejected", "job.failed"]);
    assert_eq!((world.counted("ada"), world.status("a")), (8, WorkspaceStatus::Running));
    world.create("b", "ada").unwrap();
    world.start("b").unwrap();
    assert_eq!(world.plan("b", 3).unwrap()[0], "quota.denied", "what runs still counts");
    let denied = entry(&world, "quota.denied");
    assert_eq!((denied.allowance, denied.consumed, denied.others, denied.cost), (10, 8, Some(8), 3));
    assert_eq!(world.status("b"), WorkspaceStatus::Stopped, "it never had anything");
}

#[test]
fn a_failed_build_keeps_what_may_still_run() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    world.carry_out("a", 4);
    world.request("a", Transition::Start).unwrap();
    world.start("a").unwrap();
    world.plan("a", 9).unwrap();
    assert_eq!(world.counted("ada"), 9, "set aside while it is in progress");
    world.begin("a").unwrap();
    world.finish("a", failed(true, None)).unwrap();
    assert_eq!(world.counted("ada"), 9, "both may run: the larger one counts");
    world.build("a", Transition::Stop, 1);
    assert_eq!(world.counted("ada"), 1, "a stop that worked leaves what it costs");
    world.request("a", Transition::Start).unwrap();
    world.start("a").unwrap();
    world.plan("a", 9).unwrap();
    world.finish("a", failed(false, None)).unwrap();
    assert_eq!(world.counted("ada"), 1, "nothing was changed: what was set aside came back, no more");
}

#[test]
fn failed_tells_whether_anything_still_runs() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    world.start("a").unwrap();
    world.plan("a", 5).unwrap();
    world.finish("a", failed(false, None)).unwrap();
    let (never, workspace) = (build(&world, "workspace.build.failed"), world.workspace("a"));
    assert_eq!((never.applied, never.resources_remain), (Some(false), Some(false)));
    assert_eq!((workspace.status, workspace.resources_remain), (WorkspaceStatus::Failed, false));
    for (said, remain, counted) in [(None, true, 5), (Some(true), true, 5), (Some(false), false, 0)] {
        world.request("a", Transition::Start).unwrap();
        world.start("a").unwrap();
        world.plan("a", 5).unwrap();
        world.begin("a").unwrap();
        world.finish("a", failed(true, said)).unwrap();
        assert_eq!(build(&world, "workspace.build.failed").resources_remain, Some(remain));
        assert_eq!((world.workspace("a").resources_remain, world.counted("ada")), (remain, counted), "{said:?}");
    }
    world.build("a", Transition::Start, 5);
    world.request("a", Transition::Start).unwrap();
    world.start("a").unwrap();
    world.finish("a", failed(false, None)).unwrap();
    assert_eq!(build(&world, "workspace.build.failed").resources_remain, Some(true), "what ran before runs on");
}

#[test]
fn an_over_budget_user_can_stop() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    world.carry_out("a", 10);
    world.allowances.insert("ada".into(), 3);
    world.request("a", Transition::Stop).unwrap();
    world.start("a").unwrap();
    assert_eq!(world.plan("a", 10).unwrap()[0], "quota.reserved", "even if it costs the same");
    world.begin("a").unwrap();
    world.finish("a", Ending::Succeeded { cost: None }).unwrap();
    world.build("a", Transition::Start, 9);
    assert_eq!(world.status("a"), WorkspaceStatus::Running, "shrinking is allowed, too");
    world.build("a", Transition::Delete, 0);
    assert_eq!((world.counted("ada"), world.status("a")), (0, WorkspaceStatus::Deleted));
}

#[test]
fn unknown_costs_are_said_and_are_not_zero() {
    let mut facts = Facts { enforced: false, ..Facts::default() };
    let unknown = ["aws_instance.a".to_owned()];
    let judged = facts.judge(Transition::Start, 0, &unknown);
    assert_eq!((judged.allowed, judged.unknown.as_slice()), (true, unknown.as_slice()));
    facts.unknown_costs = UnknownCosts::Refuse;
    let judged = facts.judge(Transition::Start, 0, &unknown);
    assert!(!judged.allowed && judged.reason.unwrap().contains("aws_instance.a"));
    assert!(facts.judge(Transition::Stop, 0, &unknown).allowed, "stopping is always allowed");
    assert!(facts.judge(Transition::Start, 0, &[]).allowed);
}

#[test]
fn reaped_builds_are_on_record() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    world.start("a").unwrap();
    world.plan("a", 5).unwrap();
    world.begin("a").unwrap();
    let lost = Ending::Failed {
        broken: crate::workspaces::builds::BrokenOff::default(),
        error: Some("lost".into()),
        expired: true,
    };
    let told = world.finish("a", lost).unwrap();
    assert_eq!(told, ["workspace.build.failed", "quota.committed", "job.expired"]);
    let failed = build(&world, "workspace.build.failed");
    assert_eq!((failed.error.as_deref(), failed.resources_remain), (Some("lost"), Some(true)));
    assert_eq!(world.counted("ada"), 5);
    assert!(world.finish("a", Ending::Succeeded { cost: None }).is_err(), "it is over, whatever its runner says later");
}

#[test]
fn sums_do_not_wrap() {
    let facts = |others: Vec<u64>| Facts {
        enforced: true,
        allowances: vec![crate::events::quotas::AllowanceShare {
            allowance: u64::MAX,
            group_id: "g".into(),
            group_name: None,
        }],
        others,
        ..Facts::default()
    };
    let judged = facts(vec![u64::MAX, u64::MAX]).judge(Transition::Start, 1, &[]);
    assert!(!judged.allowed, "a sum beyond every number is beyond every allowance");
    assert_eq!(judged.others, u64::MAX);
    assert!(facts(vec![u64::MAX - 1]).judge(Transition::Start, 1, &[]).allowed);
    let mut world = World::new(u64::MAX);
    world.create("a", "ada").unwrap();
    world.start("a").unwrap();
    assert!(world.plan("a", MOST_COST + 1).is_err());
    assert_eq!(world.plan("a", MOST_COST).unwrap()[0], "quota.reserved", "and what is told fits into JSON");
}

#[test]
fn a_deletion_releases_once() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    world.carry_out("a", 8);
    world.build("a", Transition::Delete, 0);
    let released = |world: &World| world.events.iter().filter(|event| event.event_type == "quota.released").count();
    assert_eq!((released(&world), entry(&world, "quota.released").released), (1, Some(8)));
    assert!(world.request("a", Transition::Delete).is_err());
    assert_eq!(world.finish("a", Ending::Succeeded { cost: None }).unwrap(), Vec::<String>::new(), "told again");
    assert_eq!(released(&world), 1);
    assert_eq!(world.events.iter().filter(|event| event.event_type == "workspace.deleted").count(), 1);
}

#[test]
fn a_handover_moves_what_counts_in_one_decision() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    world.carry_out("a", 8);
    world.allowances.insert("bob".into(), 7);
    assert_eq!(world.transfer("a", "bob").unwrap(), ["quota.denied"]);
    assert_eq!((world.counted("ada"), world.counted("bob")), (8, 0));
    world.allowances.insert("bob".into(), 8);
    assert_eq!(world.transfer("a", "bob").unwrap(), ["workspace.transferred", "quota.released", "quota.committed"]);
    assert_eq!((world.counted("ada"), world.counted("bob"), world.owner("a").as_str()), (0, 8, "bob"));
    world.request("a", Transition::Stop).unwrap();
    assert!(world.transfer("a", "ada").is_err(), "not while a build is in progress");
}

#[test]
fn caps_bound_beside_the_allowance() {
    let mut world = World::new(100);
    let cap = |bounds, limit, others| CapFact { bounds, subject_id: None, limit, others };
    world.caps = vec![cap(CapKind::OrganizationCredits, 20, 15)];
    world.create("a", "ada").unwrap();
    world.start("a").unwrap();
    assert_eq!(world.plan("a", 6).unwrap()[0], "quota.denied");
    let looked_at = &entry(&world, "quota.denied").caps[0];
    assert_eq!((looked_at.consumed, looked_at.limit, looked_at.within), (15, 20, false));
    world.caps = vec![cap(CapKind::TemplateWorkspaces, 3, 3)];
    assert_eq!(world.create("b", "ada").unwrap(), ["quota.denied"]);
    world.caps = vec![cap(CapKind::TemplateWorkspaces, 3, 2)];
    assert_eq!(world.create("b", "ada").unwrap()[0], "workspace.created");
    world.caps = vec![cap(CapKind::TemplateWorkspacesPerUser, 1, 1)];
    world.build("a", Transition::Start, 1);
    assert_eq!(world.transfer("a", "bob").unwrap(), ["quota.denied"], "bob has one already");
}
