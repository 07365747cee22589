//! Given, when, then.

use std::collections::BTreeMap;

use super::*;
use crate::decision::tests::{context, told};

fn workspace(status: WorkspaceStatus) -> WorkspaceRecord {
    WorkspaceRecord {
        id: "w".into(),
        name: "dev".into(),
        owner_id: Some("u".into()),
        owner: Some("ada".into()),
        organization: Some("eng".into()),
        template_id: None,
        template_name: None,
        template_version: None,
        status,
        dormant: false,
        resources_remain: false,
        last_build: 1,
        daily_cost: 0,
        parameters: BTreeMap::new(),
        own: true,
        version: 1,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

fn ask(refusal: Option<&str>) -> AuthorizeSession {
    AuthorizeSession {
        id: "s".into(),
        kind: SessionKind::Ssh,
        client: Some("chancery".into()),
        certificate: Some(SessionCertificate {
            authority: "k".into(),
            fingerprint: "SHA256:x".into(),
            force_command: None,
            principals: vec!["workspace-w".into()],
            serial: "7".into(),
            source_address: None,
        }),
        expires_at: Timestamp::from_micros(300).unwrap(),
        refusal: refusal.map(str::to_owned),
    }
}

fn grant() -> SessionGrant {
    SessionGrant {
        id: "s".into(),
        kind: SessionKind::Terminal,
        user_id: "u".into(),
        user_name: Some("ada".into()),
        workspace_id: "w".into(),
        workspace_name: Some("dev".into()),
        organization: Some("eng".into()),
        address: Some("192.0.2.1".into()),
        client: None,
        authorized_at: Timestamp::EPOCH,
        expires_at: Timestamp::from_micros(300).unwrap(),
        revoked_at: None,
    }
}

fn live(open: bool) -> LiveSession {
    LiveSession {
        id: "s".into(),
        kind: SessionKind::Ssh,
        user_id: "u".into(),
        user_name: Some("ada".into()),
        workspace_id: Some("w".into()),
        workspace_name: Some("dev".into()),
        organization: Some("eng".into()),
        address: None,
        client: None,
        open,
        opened_at: open.then_some(Timestamp::EPOCH),
        granted: true,
    }
}

#[test]
fn what_is_refused_has_neither_certificate_nor_end() {
    let (allowed, refusal) = ask(None).decide(&workspace(WorkspaceStatus::Running), context(1)).unwrap();
    assert_eq!((allowed.event_type.as_str(), refusal), ("session.authorized", None));
    assert_eq!(
        (allowed.data["certificate"]["serial"].as_str(), allowed.organization.as_deref()),
        (Some("7"), Some("eng"))
    );
    for (status, reason) in [
        (WorkspaceStatus::Running, Some("forbidden")),
        (WorkspaceStatus::Stopped, None),
        (WorkspaceStatus::Stopping, None),
        (WorkspaceStatus::Deleted, None),
    ] {
        let (denied, refusal) = ask(reason).decide(&workspace(status), context(1)).unwrap();
        assert_eq!((denied.event_type.as_str(), denied.outcome), ("session.denied", crate::Outcome::Denied));
        assert!(refusal.is_some() && denied.reason == refusal, "{status:?}");
        assert!(denied.data.get("certificate").is_none() && denied.data.get("expires_at").is_none());
    }
    let long = AuthorizeSession { client: Some("c".repeat(MAX_CLIENT + 1)), ..ask(None) };
    assert!(long.decide(&workspace(WorkspaceStatus::Running), context(1)).is_err());
}

#[test]
fn a_session_opens_once_in_time_and_in_the_name_of_its_person() {
    let begin = || BeginSession { host: Some("h".into()) };
    let events = begin().decide(&grant(), None, context(299)).unwrap();
    assert_eq!(told(&events), ["session.opened s"]);
    assert_eq!((events[0].actor.id.as_str(), events[0].data["agent"].as_str()), ("u", Some("idp")));
    assert_eq!(begin().decide(&grant(), Some(SessionStatus::Open), context(1)), Ok(vec![]));
    assert!(begin().decide(&grant(), Some(SessionStatus::Closed), context(1)).is_err());
    assert!(begin().decide(&grant(), None, context(300)).is_err());
    let taken = SessionGrant { revoked_at: Some(Timestamp::EPOCH), ..grant() };
    assert!(begin().decide(&taken, None, context(1)).is_err());
}

#[test]
fn an_end_says_how_long_it_was() {
    let finish = FinishSession { bytes_in: Some(1), exit_code: Some(3), ..FinishSession::default() };
    let events = finish.decide(&live(true), context(7_000)).unwrap();
    assert_eq!(told(&events), ["session.closed s"]);
    let data = &events[0].data;
    assert_eq!((&data["duration_ms"], &data["bytes_in"], &data["exit_code"]), (&7.into(), &1.into(), &3.into()));
    assert_eq!(data["user_id"], "u");
}

#[test]
fn what_may_not_go_on_ends_and_what_might_come_does_not() {
    let sessions = [(live(true), "why".to_owned()), (live(false), "why".to_owned())];
    let events = EndSessions { sessions: &sessions, cause: Some("e") }.decide(context(9));
    assert_eq!(
        events.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>(),
        ["session.closed", "session.revoked"]
    );
    for event in &events {
        assert_eq!((event.causation.as_deref(), event.reason.as_deref()), (Some("e"), Some("why")));
        assert_eq!(event.data["user_id"], "u");
    }
}
