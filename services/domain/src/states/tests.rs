use serde_json::json;

use super::*;
use crate::decision::tests::{context, told};
use crate::events::workspaces::Transition;
use crate::workspaces::WorkspaceStatus;

fn workspace() -> WorkspaceRecord {
    WorkspaceRecord {
        id: "w".into(),
        name: "dev".into(),
        owner_id: Some("u".into()),
        owner: Some("ada".into()),
        organization: Some("eng".into()),
        template_id: None,
        template_name: None,
        template_version: None,
        status: WorkspaceStatus::Starting,
        dormant: false,
        resources_remain: false,
        last_build: 2,
        daily_cost: 0,
        parameters: std::collections::BTreeMap::new(),
        own: true,
        version: 1,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

fn build(job: &str, status: BuildStatus) -> BuildRecord {
    BuildRecord {
        attempt: 1,
        workspace_id: "w".into(),
        number: 2,
        job_id: Some(job.into()),
        organization: None,
        transition: Transition::Start,
        status,
        cause: None,
        reason: None,
        requested_by: None,
        template_version: None,
        parameters: std::collections::BTreeMap::new(),
        tags: std::collections::BTreeMap::new(),
        runner_id: Some("r".into()),
        ran_before: false,
        cancel_requested: false,
        daily_cost: None,
        unknown: Vec::new(),
        applied: None,
        resources_remain: None,
        error: None,
        requested_at: None,
        queued_at: None,
        started_at: None,
        planned_at: None,
        finished_at: None,
    }
}

fn kept(serial: u64, lineage: &str) -> KeptState {
    let state = json!({"version": 4, "serial": serial, "lineage": lineage, "terraform_version": "1.9.5",
                       "resources": [{"instances": [{}, {}]}, {}]});
    let head = StateHead::read(state.to_string().as_bytes()).unwrap();
    KeptState { head, sha256: format!("{serial}{lineage}"), size: 1, blob: "b".into(), key_id: "k".into() }
}

fn version(serial: u64, lineage: &str, version: u64) -> StateVersion {
    let KeptState { head, sha256, size, blob, key_id } = kept(serial, lineage);
    StateVersion {
        version,
        serial,
        lineage: head.lineage,
        sha256,
        size,
        blob,
        key_id,
        resources: head.resources,
        terraform_version: head.terraform_version,
        job_id: None,
        build_number: None,
        restored_from: None,
        written_by: None,
        written_at: Timestamp::EPOCH,
    }
}

fn lock(id: &str, job: &str) -> LockRecord {
    LockRecord { id: id.into(), job_id: Some(job.into()), operation: None, who: None, locked_at: Timestamp::EPOCH }
}

#[test]
fn a_state_is_written_under_the_lock_of_its_job_on_top_of_the_last() {
    let applying = build("j", BuildStatus::Applying);
    let write =
        |build: &BuildRecord, state, last: Option<&StateVersion>, held: Option<&LockRecord>, id: Option<&str>| {
            let command = WriteState { state, lock: id.map(str::to_owned) };
            command.decide(&workspace(), build, last, held, context(1))
        };
    let mine = lock("l", "j");
    let first = write(&applying, kept(1, "x"), None, Some(&mine), Some("l")).unwrap();
    assert_eq!(told(&first), ["workspace.state.written w"]);
    assert_eq!((&first[0].data["version"], &first[0].data["resources"]), (&json!(1), &json!(2)));
    let last = version(1, "x", 1);
    let second = write(&applying, kept(3, "x"), Some(&last), Some(&mine), Some("l")).unwrap();
    assert_eq!((&second[0].data["version"], &second[0].data["serial"]), (&json!(2), &json!(3)));
    assert_eq!(write(&applying, kept(1, "x"), Some(&last), Some(&mine), Some("l")), Ok(Vec::new()), "told twice");
    let conflict = |outcome: Result<Vec<Event>, Refusal>| {
        assert!(matches!(outcome, Err(Refusal::Conflict(_))), "{outcome:?}");
    };
    conflict(write(&applying, kept(2, "y"), Some(&last), Some(&mine), Some("l")));
    conflict(write(&applying, kept(3, "x"), Some(&version(3, "x", 7).with("other")), Some(&mine), Some("l")));
    conflict(write(&applying, kept(2, "x"), Some(&last), None, Some("l")));
    conflict(write(&applying, kept(2, "x"), Some(&last), Some(&mine), None));
    conflict(write(&applying, kept(2, "x"), Some(&last), Some(&lock("l", "other")), Some("l")));
    // Given up, but nobody else is at it yet: what it has made is not lost.
    let failed = build("j", BuildStatus::Failed);
    assert!(write(&failed, kept(2, "x"), Some(&last), Some(&mine), Some("l")).is_ok());
    conflict(write(&failed, kept(2, "x"), Some(&last), None, Some("l")));
    for status in [BuildStatus::Queued, BuildStatus::Succeeded, BuildStatus::Rejected] {
        let outcome = write(&build("j", status), kept(2, "x"), Some(&last), Some(&mine), Some("l"));
        assert!(matches!(outcome, Err(Refusal::InState { .. })), "{outcome:?}");
    }
}

impl StateVersion {
    fn with(self, sha256: &str) -> Self {
        Self { sha256: sha256.into(), ..self }
    }
}

#[test]
fn a_lock_is_held_by_one_job_until_it_ends() {
    let plan = build("j", BuildStatus::Started);
    let take = |held: Option<&LockRecord>, holder: Option<&BuildRecord>, id: &str| {
        let command =
            LockState { id: id.into(), operation: Some("OperationTypePlan".into()), who: Some("a\nb".into()) };
        command.decide(&workspace(), &plan, held, holder, context(1)).unwrap()
    };
    let Locking::Locked(events) = take(None, None, "l") else { panic!("it is free") };
    assert_eq!(told(&events), ["workspace.state.locked w"]);
    assert_eq!(events[0].data, json!({"job_id": "j", "lock_id": "l", "operation": "OperationTypePlan"}));
    assert_eq!(take(Some(&lock("l", "j")), Some(&plan), "l"), Locking::Locked(Vec::new()), "asked twice");
    let Locking::Locked(events) = take(Some(&lock("l", "j")), Some(&plan), "m") else { panic!("it is its own") };
    assert_eq!(told(&events), ["workspace.state.lock.broken w", "workspace.state.locked w"]);
    let other = build("other", BuildStatus::Applying);
    assert_eq!(take(Some(&lock("l", "other")), Some(&other), "m"), Locking::Held(lock("l", "other")));
    // Its runner was lost, and its build has gone on as another job; or it has ended.
    let ended = build("other", BuildStatus::Failed);
    for holder in [None, Some(&ended)] {
        let Locking::Locked(events) = take(Some(&lock("l", "other")), holder, "m") else { panic!("it is over") };
        assert_eq!(told(&events), ["workspace.state.lock.broken w", "workspace.state.locked w"]);
    }
    let foreign = LockRecord { job_id: None, ..lock("l", "other") };
    assert_eq!(take(Some(&foreign), None, "m"), Locking::Held(foreign.clone()), "no job of ours has it");
}

#[test]
fn a_lock_is_given_back_or_broken() {
    let build = build("j", BuildStatus::Failed);
    let unlock = |held: Option<&LockRecord>, id: Option<&str>| {
        UnlockState { id: id.map(str::to_owned) }.decide(&workspace(), &build, held, context(1))
    };
    assert_eq!(told(&unlock(Some(&lock("l", "j")), Some("l")).unwrap()), ["workspace.state.unlocked w"]);
    assert_eq!(unlock(None, Some("l")), Ok(Vec::new()));
    assert!(unlock(Some(&lock("l", "other")), Some("l")).is_err() && unlock(Some(&lock("l", "j")), Some("m")).is_err());
    let break_ = |how: BreakLock, held: Option<&LockRecord>, holder: Option<&BuildRecord>| {
        how.decide(&workspace(), held, holder, context(1))
    };
    let held = lock("l", "j");
    assert_eq!(break_(BreakLock::Ended, Some(&held), Some(&build)).unwrap().len(), 1);
    let running = super::tests::build("j", BuildStatus::Applying);
    assert_eq!(break_(BreakLock::Ended, Some(&held), Some(&running)), Ok(Vec::new()));
    assert_eq!(break_(BreakLock::Ended, Some(&held), None).unwrap().len(), 1, "its build has gone on as another job");
    let asked = break_(BreakLock::Asked("it hangs".into()), Some(&held), Some(&running)).unwrap();
    assert_eq!(asked[0].reason.as_deref(), Some("it hangs"));
    assert!(break_(BreakLock::Asked(String::new()), Some(&held), None).is_err());
    assert!(break_(BreakLock::Asked("x".into()), None, None).is_err());
}

#[test]
fn a_restored_version_becomes_the_newest() {
    let restore = |serial, held: Option<&LockRecord>| {
        let command = RestoreState { state: kept(serial, "x"), version: 1, reason: "a bad apply".into() };
        command.decide(&workspace(), Some(&version(4, "x", 3)), held, context(1))
    };
    let events = restore(5, None).unwrap();
    assert_eq!(told(&events), ["workspace.state.restored w"]);
    assert_eq!((&events[0].data["version"], &events[0].data["restored_from"]), (&json!(4), &json!(1)));
    assert!(matches!(restore(4, None), Err(Refusal::Stale { .. })));
    assert!(matches!(restore(5, Some(&lock("l", "j"))), Err(Refusal::Conflict(_))));
}

#[test]
fn what_is_no_state_is_not_taken_for_one() {
    for bad in ["", "[]", "{}", r#"{"version":3,"serial":1}"#, r#"{"version":4,"serial":-1}"#] {
        assert!(StateHead::read(bad.as_bytes()).is_err(), "{bad}");
    }
    let long = json!({"version": 4, "serial": 1, "lineage": "x".repeat(200)}).to_string();
    assert!(StateHead::read(long.as_bytes()).is_err());
    let large = json!({"version": 4, "serial": u64::MAX}).to_string();
    assert!(StateHead::read(large.as_bytes()).is_err());
}
