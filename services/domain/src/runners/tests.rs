use std::collections::BTreeMap;

use super::{
    CreateRunnerKey, RegisterRunner, RotateRunnerKey, RunnerKeyRecord, RunnerRecord, RunnerStatus, suits, tags,
};
use crate::decision::Refusal;
use crate::decision::tests::{context, told};
use crate::event::Event;
use crate::events::runners::{Runner, RunnerKey};
use crate::time::Timestamp;

const PUBLIC_KEY: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn create() -> CreateRunnerKey {
    CreateRunnerKey {
        id: "key".into(),
        name: "lab".into(),
        organization: "acme".into(),
        owner_id: None,
        tags: pairs(&[("zone", "lab")]),
        one_time: false,
        runner_seconds: None,
        secret_sha256: "00".into(),
        expires_at: None,
    }
}

fn key() -> RunnerKeyRecord {
    RunnerKeyRecord {
        id: "key".into(),
        name: "lab".into(),
        organization: "acme".into(),
        owner_id: None,
        tags: pairs(&[("zone", "lab")]),
        one_time: false,
        runner_seconds: Some(3600),
        secret_sha256: "00".into(),
        created_at: Timestamp::EPOCH,
        expires_at: None,
        revoked_at: None,
        replaced_by: None,
        used_at: None,
    }
}

fn register() -> RegisterRunner {
    RegisterRunner {
        id: "runner".into(),
        name: "lab-1".into(),
        public_key: PUBLIC_KEY.into(),
        hostname: Some("lab-1.example.com".into()),
        version: Some("0.1.0".into()),
    }
}

fn runner() -> RunnerRecord {
    RunnerRecord {
        id: "runner".into(),
        name: "lab-1".into(),
        organization: "acme".into(),
        owner_id: None,
        tags: pairs(&[("zone", "lab")]),
        public_key: PUBLIC_KEY.into(),
        key_id: Some("key".into()),
        hostname: None,
        version: None,
        status: RunnerStatus::Registered,
        registered_at: Timestamp::EPOCH,
        expires_at: None,
        connected_at: None,
        lost_at: None,
        revoked_at: None,
    }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

#[test]
fn a_key_registers_runners_with_its_tags_and_organization() {
    let events = create().decide(context(5)).unwrap();
    assert_eq!(told(&events), ["runner.key.created key"]);
    let made: RunnerKey = serde_json::from_value(events[0].data.clone()).unwrap();
    assert_eq!((made.tags, made.secret_sha256.as_deref()), (vec!["zone=lab".to_owned()], Some("00")));
    let events = register().decide(&key(), None, context(5)).unwrap();
    assert_eq!(told(&events), ["runner.registered runner", "runner.key.used key <- runner.registered"]);
    let made: Runner = serde_json::from_value(events[0].data.clone()).unwrap();
    assert_eq!((tags(&made.tags), made.expires_at), (key().tags, Some(at(3_600_000_005))));
    assert!(events.iter().all(|event: &Event| event.organization.as_deref() == Some("acme")));
}

#[test]
fn keys_that_do_not_work_register_nobody() {
    let refused = |key: RunnerKeyRecord| match register().decide(&key, None, context(5)) {
        Err(Refusal::Forbidden(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert!(refused(RunnerKeyRecord { revoked_at: Some(at(1)), ..key() }).contains("revoked"));
    assert!(refused(RunnerKeyRecord { expires_at: Some(at(5)), ..key() }).contains("expired"));
    assert!(refused(RunnerKeyRecord { one_time: true, used_at: Some(at(1)), ..key() }).contains("one runner"));
    let bad = RegisterRunner { public_key: "short".into(), ..register() };
    assert!(matches!(bad.decide(&key(), None, context(5)), Err(Refusal::Invalid { field: "public_key", .. })));
}

#[test]
fn a_runner_that_did_not_hear_the_answer_registers_again_and_nobody_else_does_with_its_key_pair() {
    let spent = RunnerKeyRecord { one_time: true, used_at: Some(at(1)), ..key() };
    assert_eq!(register().decide(&spent, Some(&runner()), context(5)).unwrap(), Vec::new());
    let other = RunnerKeyRecord { id: "other".into(), ..key() };
    assert!(matches!(register().decide(&other, Some(&runner()), context(5)), Err(Refusal::Conflict(_))));
    let gone = RunnerRecord { revoked_at: Some(at(1)), ..runner() };
    assert!(matches!(register().decide(&key(), Some(&gone), context(5)), Err(Refusal::Conflict(_))));
}

#[test]
fn a_rotated_key_ends_after_the_overlap_and_never_later_than_before() {
    let rotate = || RotateRunnerKey { id: "next".into(), secret_sha256: "11".into(), expires_at: None, overlap: 10 };
    let events = rotate().decide(&key(), context(5)).unwrap();
    assert_eq!(told(&events), ["runner.key.created next", "runner.key.rotated key <- runner.key.created"]);
    assert_eq!(events[1].data["expires_at"], serde_json::json!(at(15)));
    let events = rotate().decide(&RunnerKeyRecord { expires_at: Some(at(9)), ..key() }, context(5)).unwrap();
    assert_eq!(events[1].data["expires_at"], serde_json::json!(at(9)));
    for key in [
        RunnerKeyRecord { replaced_by: Some("x".into()), ..key() },
        RunnerKeyRecord { revoked_at: Some(at(1)), ..key() },
    ] {
        assert!(matches!(rotate().decide(&key, context(5)), Err(Refusal::Conflict(_))));
    }
}

#[test]
fn runners_come_go_and_are_revoked_once() {
    let events = runner().connect(Some("0.1.0".into()), context(5));
    assert_eq!(told(&events), ["runner.connected runner"]);
    let there = RunnerRecord { status: RunnerStatus::Connected, version: Some("0.1.0".into()), ..runner() };
    assert!(there.connect(Some("0.1.0".into()), context(5)).is_empty());
    assert_eq!(told(&there.lose("silence".into(), context(5))), ["runner.lost runner"]);
    assert!(runner().lose("silence".into(), context(5)).is_empty());
    assert_eq!(told(&there.revoke(None, None, context(5)).unwrap()), ["runner.revoked runner"]);
    let gone = RunnerRecord { revoked_at: Some(at(1)), status: RunnerStatus::Revoked, ..runner() };
    assert!(matches!(gone.revoke(None, None, context(5)), Err(Refusal::Conflict(_))));
    assert!(matches!(gone.rotate(PUBLIC_KEY, context(5)), Err(Refusal::Conflict(_))));
    assert!(gone.connect(None, context(5)).is_empty());
    assert!(gone.refusal(at(5)).is_some() && runner().refusal(at(5)).is_none());
    assert!(RunnerRecord { expires_at: Some(at(5)), ..runner() }.refusal(at(5)).is_some());
}

#[test]
fn tags_match_as_coder_defines_them() {
    let (none, lab, both) = (pairs(&[]), pairs(&[("zone", "lab")]), pairs(&[("zone", "lab"), ("gpu", "yes")]));
    assert!(suits(&none, &none) && suits(&lab, &lab) && suits(&both, &lab));
    assert!(!suits(&lab, &none) && !suits(&none, &lab) && !suits(&lab, &both));
    assert!(!suits(&pairs(&[("zone", "hall")]), &lab));
    let own = RunnerRecord { owner_id: Some("ada".into()), ..runner() };
    assert!(own.suits(&lab, Some("ada")) && !own.suits(&lab, Some("bob")) && !own.suits(&lab, None));
}

#[test]
fn tags_of_a_key_are_bounded() {
    for bad in [pairs(&[("a=b", "c")]), pairs(&[("", "c")]), pairs(&[("a", "b\n")])] {
        let command = CreateRunnerKey { tags: bad, ..create() };
        assert!(matches!(command.decide(context(5)), Err(Refusal::Invalid { field: "tags", .. })));
    }
    let command = CreateRunnerKey { expires_at: Some(at(5)), ..create() };
    assert!(matches!(command.decide(context(5)), Err(Refusal::Invalid { field: "expires_at", .. })));
    let command = CreateRunnerKey { runner_seconds: Some(1), ..create() };
    assert!(matches!(command.decide(context(5)), Err(Refusal::Invalid { field: "runner_seconds", .. })));
}
