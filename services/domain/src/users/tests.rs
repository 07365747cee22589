//! Given, when, then.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::decision::tests::{context, told};
use crate::directory::OwnedWorkspace;
use crate::events::sessions::SessionKind;
use crate::events::tokens::TokenKind;
use crate::sessions::LiveSession;
use crate::tokens::{Scope, Token};

fn attributes(value: Value) -> Attributes {
    serde_json::from_value(value).unwrap()
}

fn ada(status: UserStatus) -> DirectoryUser {
    DirectoryUser {
        id: "u".into(),
        username: "Ada".into(),
        display_name: None,
        email: None,
        organization: Some("eng".into()),
        connection: Some("okta".into()),
        attributes: attributes(json!({"userName": "Ada", "active": status == UserStatus::Active})),
        status,
        removed: false,
        delete_at: None,
        own: true,
        version: 3,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

/// A working and a revoked token, an open and an allowed session, a running, a stopped and a dormant workspace.
fn possessions() -> Possessions {
    let token = |id: &str, revoked_at| Token {
        id: id.into(),
        name: "laptop".into(),
        secret_sha256: String::new(),
        scopes: BTreeSet::from([Scope::Read]),
        created_at: Timestamp::EPOCH,
        expires_at: None,
        revoked_at,
        kind: TokenKind::Session,
        owner: None,
        last_used_at: None,
        replaced_by: None,
    };
    let workspace = |id: &str, running, dormant| OwnedWorkspace {
        id: id.into(),
        name: id.into(),
        organization: Some("eng".into()),
        running,
        dormant,
        last_build: 4,
        ..OwnedWorkspace::default()
    };
    let session = |id: &str, open| LiveSession {
        id: id.into(),
        kind: SessionKind::Ssh,
        user_id: "u".into(),
        user_name: Some("Ada".into()),
        workspace_id: None,
        workspace_name: None,
        organization: None,
        address: None,
        client: None,
        open,
        opened_at: open.then_some(Timestamp::EPOCH),
        granted: true,
    };
    Possessions {
        tokens: vec![token("t1", None), token("t2", Some(Timestamp::EPOCH))],
        sessions: vec![session("s", true), session("s2", false)],
        workspaces: vec![workspace("w1", true, false), workspace("w2", false, false), workspace("w3", false, true)],
    }
}

fn update(value: Value) -> UpdateUser {
    UpdateUser { attributes: attributes(value), connection: None, suspension: Suspension::default(), scim_event: None }
}

#[test]
fn a_new_user_has_a_name_nobody_has_in_any_case() {
    let create = |name: &str| CreateUser {
        id: "n".into(),
        attributes: attributes(json!({"userName": name, "emails": [{"value": "a@example.com"}]})),
        connection: Some("entra".into()),
        organization: Some("eng".into()),
        roles: vec![MappedRole { organization: Some("eng".into()), role: "member".into() }],
        scim_event: None,
    };
    let events = create("ada").decide(&[], context(1)).unwrap();
    assert_eq!(told(&events), ["user.created n", "role.assigned n <- user.created"]);
    assert_eq!(events[0].data["email"], "a@example.com");
    assert_eq!(events[0].changes.len(), 2);
    assert_eq!(events[1].organization.as_deref(), Some("eng"));

    let taken = create("ADA").decide(&[ada(UserStatus::Suspended)], context(1)).unwrap_err();
    let Refusal::Taken { by, connection, .. } = taken else { panic!("{taken}") };
    assert_eq!((by.as_str(), connection.as_deref()), ("u", Some("okta")));
    assert!(create("ada").decide(&[ada(UserStatus::Deleted)], context(1)).is_ok());
    for bad in ["", " ", "a\u{7}", &"a".repeat(257)] {
        assert!(matches!(create(bad).decide(&[], context(1)), Err(Refusal::Invalid { field: "userName", .. })));
    }
}

#[test]
fn an_update_says_what_changed_or_nothing() {
    let user = ada(UserStatus::Active);
    let decide = |value| update(value).decide(&user, std::slice::from_ref(&user), &possessions(), context(1));
    assert_eq!(decide(json!({"userName": "Ada", "active": true})), Ok(vec![]));
    let events = decide(json!({"userName": "Ada", "active": true, "title": "Countess"})).unwrap();
    assert_eq!(told(&events), ["user.updated u"]);
    assert_eq!((events[0].changes.len(), events[0].changes[0].path.as_str()), (1, "title"));
    let adopt = UpdateUser { connection: Some("entra".into()), ..update(json!({"userName": "Ada", "active": true})) };
    assert_eq!(told(&adopt.decide(&user, &[], &possessions(), context(1)).unwrap()), ["user.updated u"]);
    let other = DirectoryUser { id: "x".into(), username: "grace".into(), ..user.clone() };
    let taken = update(json!({"userName": "Grace"})).decide(&user, &[other], &possessions(), context(1));
    assert!(matches!(taken, Err(Refusal::Taken { .. })));
    let gone = update(json!({"userName": "Ada"})).decide(&ada(UserStatus::Deleted), &[], &possessions(), context(1));
    assert_eq!(gone, Err(Refusal::Unknown("user")));
}

#[test]
fn a_suspension_takes_what_the_policy_says_and_names_its_cause() {
    let all = [
        "user.suspended u",
        "token.revoked t1 <- user.suspended",
        "session.closed s <- user.suspended",
        "session.revoked s2 <- user.suspended",
        "workspace.build.requested w1 <- user.suspended",
        "workspace.dormant w1 <- user.suspended",
        "workspace.dormant w2 <- user.suspended",
    ];
    let inactive = json!({"userName": "Ada", "active": false});
    let events = update(inactive.clone()).decide(&ada(UserStatus::Active), &[], &possessions(), context(5000)).unwrap();
    assert_eq!(told(&events), all);
    assert_eq!(events[2].data["duration_ms"], 5);
    assert_eq!((&events[4].data["build_number"], &events[4].data["transition"]), (&json!(5), &json!("stop")));
    let ids: BTreeSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids.len(), events.len());

    let suspension = Suspension { revoke_tokens: false, stop_workspaces: false, ..Suspension::default() };
    let command = SuspendUser { suspension, reason: Some("left".into()) };
    let events = command.clone().decide(&ada(UserStatus::Active), &possessions(), context(1)).unwrap();
    assert_eq!(
        told(&events),
        ["user.suspended u", "session.closed s <- user.suspended", "session.revoked s2 <- user.suspended"]
    );
    assert_eq!(events[0].reason.as_deref(), Some("left"));
    assert_eq!(command.decide(&ada(UserStatus::Suspended), &possessions(), context(1)), Ok(vec![]));
    assert_eq!(update(inactive).decide(&ada(UserStatus::Suspended), &[], &possessions(), context(1)), Ok(vec![]));
}

#[test]
fn a_reactivation_gives_access_back_and_nothing_else() {
    let active = json!({"userName": "Ada", "active": true});
    let decide = |user| update(active.clone()).decide(&user, &[], &possessions(), context(1)).unwrap();
    assert_eq!(told(&decide(ada(UserStatus::Suspended))), ["user.reactivated u"]);
    let removed = DirectoryUser { removed: true, ..ada(UserStatus::Suspended) };
    assert_eq!(told(&decide(removed)), ["user.updated u", "user.reactivated u"]);
    let command = ReactivateUser::default();
    assert_eq!(told(&command.clone().decide(&ada(UserStatus::Suspended), context(1)).unwrap()), ["user.reactivated u"]);
    assert_eq!(command.decide(&ada(UserStatus::Active), context(1)), Ok(vec![]));
}

#[test]
fn a_deletion_is_what_the_connection_makes_of_it() {
    let group = |id: &str, everyone| Membership { group_id: id.into(), name: "ops".into(), connection: None, everyone };
    let groups = [group("g", false), group("o", true)];
    let delete = |deletion, user: &DirectoryUser| {
        DeleteUser { deletion, ..DeleteUser::default() }.decide(user, &groups, &Possessions::default(), context(7))
    };
    let user = ada(UserStatus::Active);
    let events = delete(Deletion::Delete, &user).unwrap();
    assert_eq!(told(&events), ["user.deleted u", "group.member.removed g <- user.deleted"]);
    let events = delete(Deletion::Suspend, &user).unwrap();
    assert_eq!(told(&events), ["user.suspended u", "group.member.removed g <- user.suspended"]);
    assert_eq!(events[0].data, json!({"removed": true}));
    let events = delete(Deletion::AfterDays(2), &user).unwrap();
    assert_eq!(events[0].data["delete_at"], "1970-01-03T00:00:00.000007Z");

    let removed = DirectoryUser { removed: true, ..ada(UserStatus::Suspended) };
    assert_eq!(delete(Deletion::Suspend, &removed), Err(Refusal::Unknown("user")));
    assert_eq!(told(&delete(Deletion::Delete, &removed).unwrap())[0], "user.deleted u");
    assert_eq!(delete(Deletion::Delete, &ada(UserStatus::Deleted)), Err(Refusal::Unknown("user")));
}
