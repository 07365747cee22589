//! Generated histories of several workspaces of two users, their steps interleaved as they come: some are refused, none
//! breaks the ledger.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::fold::Folded;
use super::world::{World, failed};
use crate::event::Event;
use crate::events::quotas::QuotaEntry;
use crate::events::workspaces::Transition;
use crate::quotas::LedgerEntry;
use crate::workspaces::WorkspaceStatus;
use crate::workspaces::builds::{BrokenOff, BuildStatus, Ending};

#[derive(Debug, Clone, Copy)]
enum Step {
    Create(u8, bool),
    Request(u8, u8),
    Start(u8),
    Plan(u8, u32),
    Begin(u8),
    Succeed(u8),
    Fail(u8, bool, Option<bool>),
    EndCanceled(u8, bool),
    Cancel(u8),
    Lose(u8),
    Transfer(u8, bool),
    Allow(bool, u64),
    Suspend(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..5_u8;
    prop_oneof![
        2 => (id.clone(), any::<bool>()).prop_map(|(id, who)| Step::Create(id, who)),
        4 => (id.clone(), 0..3_u8).prop_map(|(id, transition)| Step::Request(id, transition)),
        8 => id.clone().prop_map(Step::Start),
        8 => (id.clone(), 0..12_u32).prop_map(|(id, cost)| Step::Plan(id, cost)),
        8 => id.clone().prop_map(Step::Begin),
        7 => id.clone().prop_map(Step::Succeed),
        3 => (id.clone(), any::<bool>(), any::<Option<bool>>()).prop_map(|(id, a, r)| Step::Fail(id, a, r)),
        2 => (id.clone(), any::<bool>()).prop_map(|(id, applied)| Step::EndCanceled(id, applied)),
        2 => id.clone().prop_map(Step::Cancel),
        2 => id.clone().prop_map(Step::Lose),
        2 => (id, any::<bool>()).prop_map(|(id, who)| Step::Transfer(id, who)),
        1 => (any::<bool>(), 0..40_u64).prop_map(|(who, allowance)| Step::Allow(who, allowance)),
        1 => any::<bool>().prop_map(Step::Suspend),
    ]
}

fn name(who: bool) -> &'static str {
    if who { "ada" } else { "bob" }
}

/// Takes a step; what is refused changes nothing.
fn take(world: &mut World, step: Step) {
    let id = |number: u8| format!("w{number}");
    let there = |world: &World, number: u8| world.folded.workspaces.contains_key(&id(number));
    let broken = |applied, resources_remain| BrokenOff { applied, resources_remain };
    let _refused = match step {
        Step::Create(number, who) if !there(world, number) => world.create(&id(number), name(who)).is_err(),
        Step::Allow(who, allowance) => world.allowances.insert(name(who).to_owned(), allowance).is_none(),
        Step::Suspend(who) => {
            let present = world.suspended.iter().position(|user| user == name(who));
            match present {
                Some(index) => drop(world.suspended.remove(index)),
                None => world.suspended.push(name(who).to_owned()),
            }
            false
        }
        Step::Create(number, _)
        | Step::Request(number, _)
        | Step::Start(number)
        | Step::Plan(number, _)
        | Step::Begin(number)
        | Step::Succeed(number)
        | Step::Fail(number, ..)
        | Step::EndCanceled(number, _)
        | Step::Cancel(number)
        | Step::Lose(number)
        | Step::Transfer(number, _)
            if !there(world, number) =>
        {
            true
        }
        Step::Create(..) => true,
        Step::Request(number, transition) => {
            let transition = [Transition::Start, Transition::Stop, Transition::Delete][usize::from(transition)];
            world.request(&id(number), transition).is_err()
        }
        Step::Start(number) => world.start(&id(number)).is_err(),
        Step::Plan(number, cost) => world.plan(&id(number), cost).is_err(),
        Step::Begin(number) => world.begin(&id(number)).is_err(),
        Step::Succeed(number) => world.finish(&id(number), Ending::Succeeded { cost: None }).is_err(),
        Step::Fail(number, applied, remain) => world.finish(&id(number), failed(applied, remain)).is_err(),
        Step::EndCanceled(number, applied) => {
            world.finish(&id(number), Ending::Canceled { broken: broken(applied, None) }).is_err()
        }
        Step::Cancel(number) => world.cancel(&id(number)).is_err(),
        Step::Lose(number) => world.requeue(&id(number)).is_err(),
        Step::Transfer(number, who) => world.transfer(&id(number), name(who)).is_err(),
    };
}

/// What holds between any two steps.
fn sound(before: &World, after: &World) {
    for (user, allowance) in &after.allowances {
        let (was, is) = (before.counted(user), after.counted(user));
        let grew = is > was && !after.events.iter().skip(before.events.len()).any(stops);
        assert!(!grew || is <= *allowance, "over-granted: {user} had {was}, has {is}, may {allowance}");
    }
    let ledger = &after.folded.ledger;
    for ((user, id), entry) in ledger {
        let workspace = &after.folded.workspaces[id];
        assert_eq!(workspace.owner_id.as_ref(), Some(user), "an entry of whoever had it before");
        assert_ne!(workspace.status, WorkspaceStatus::Deleted, "an entry of what is gone");
        let build = after.last(id).unwrap();
        let sets_aside = matches!(build.status, BuildStatus::Planned | BuildStatus::Applying);
        assert_eq!(entry.reserved.is_some(), sets_aside, "leaked: {entry:?} {build:?}");
        assert!(!sets_aside || entry.build_number == Some(build.number));
    }
    for id in after.folded.workspaces.keys() {
        let (was, is) = (of(before, id), of(after, id));
        let last = after.last(id);
        let ended =
            last.filter(|build| build.status.is_last() && before.last(id).is_some_and(|old| !old.status.is_last()));
        if let Some(build) = ended.filter(|build| build.status != BuildStatus::Succeeded) {
            let gone = after.workspace(id).status == WorkspaceStatus::Failed && !after.workspace(id).may_run();
            assert!(gone || is.committed >= was.committed, "freed by {build:?}: {was:?} {is:?}");
        }
    }
}

/// Whether it sets credits aside for a stop: that is always allowed, and counts as what it costs.
fn stops(event: &Event) -> bool {
    event.event_type == "quota.reserved" && event.data["transition"] != "start"
}

/// What a workspace takes, whoever has it.
fn of(world: &World, id: &str) -> LedgerEntry {
    world.folded.ledger.iter().find(|((_, other), _)| other == id).map(|(_, entry)| entry.clone()).unwrap_or_default()
}

/// Every reservation is settled once, and by its own build; one that is queued again gives back what it had set aside, and
/// begins anew.
fn settled_once(world: &World) {
    let requeued: BTreeSet<&str> = world
        .events
        .iter()
        .filter(|event| event.event_type == "workspace.build.requeued")
        .map(|event| event.id.as_str())
        .collect();
    let mut open: BTreeMap<(String, u32), bool> = BTreeMap::new();
    for event in world.events.iter().filter(|event| event.event_type.starts_with("quota.")) {
        let entry: QuotaEntry = serde_json::from_value(event.data.clone()).unwrap();
        let Some(number) = entry.build_number else { continue };
        let key = (entry.workspace_id.unwrap(), number);
        match event.event_type.as_str() {
            "quota.released" if event.causation.as_deref().is_some_and(|cause| requeued.contains(cause)) => {
                assert_eq!(open.remove(&key), Some(true), "given back without a reservation");
            }
            "quota.reserved" => assert_ne!(open.insert(key, true), Some(true), "reserved twice"),
            "quota.committed" | "quota.released" => {
                assert_ne!(open.insert(key, false), Some(false), "settled twice");
            }
            _ => {}
        }
    }
    for ((id, number), open) in open {
        let build = &world.folded.builds[&(id, number)];
        let sets_aside = matches!(build.status, BuildStatus::Planned | BuildStatus::Applying);
        assert_eq!(open, sets_aside, "{build:?}");
    }
}

/// Each job is acquired once and ends once, a build applies once, and whoever lost it takes no part any more.
fn applied_once(world: &World) {
    let mut acquired: BTreeMap<&str, u32> = BTreeMap::new();
    let mut ended: BTreeMap<&str, u32> = BTreeMap::new();
    let mut applied: BTreeMap<(&str, u64), u32> = BTreeMap::new();
    for event in &world.events {
        let id = event.resource.id.as_str();
        match event.event_type.as_str() {
            "job.acquired" => *acquired.entry(id).or_default() += 1,
            "job.completed" | "job.failed" | "job.expired" => *ended.entry(id).or_default() += 1,
            "workspace.build.apply-started" => {
                *applied.entry((id, event.data["build_number"].as_u64().unwrap())).or_default() += 1;
            }
            _ => {}
        }
    }
    for times in acquired.values().chain(ended.values()).chain(applied.values()) {
        assert_eq!(*times, 1);
    }
    for build in world.folded.builds.values().filter(|build| build.started_at.is_some()) {
        let job = build.job_id.as_deref().unwrap();
        assert_eq!(ended.contains_key(job), build.status.is_last(), "{build:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_history_breaks_the_ledger(steps in prop::collection::vec(step(), 1..150), allowance in 0..30_u64) {
        let mut world = World::new(allowance);
        for step in steps {
            let before = world.clone();
            take(&mut world, step);
            sound(&before, &world);
        }
        settled_once(&world);
        applied_once(&world);
        prop_assert_eq!(Folded::of(&world.events), world.folded, "what is folded again is the same");
    }
}
