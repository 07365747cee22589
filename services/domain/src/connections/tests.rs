//! Given, when, then.

use serde_json::json;

use super::*;
use crate::decision::tests::{context, told};
use crate::events::directory::MappedRole;
use crate::time::Timestamp;

fn settings(name: &str) -> Connection {
    Connection { name: name.into(), organizations: vec!["eng".into()], ..Connection::default() }
}

fn record(id: &str, name: &str) -> ConnectionRecord {
    ConnectionRecord {
        id: id.into(),
        settings: settings(name),
        deleted: false,
        version: 1,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

#[test]
fn a_connection_has_a_name_of_its_own_and_keeps_to_its_organizations() {
    let create = |settings| CreateConnection { id: "n".into(), settings }.decide(&[record("c", "Okta")], context(1));
    let events = create(settings("Entra")).unwrap();
    assert_eq!(told(&events), ["connection.created n"]);
    assert_eq!(events[0].data["deletion"], "suspend");
    assert_eq!(events[0].data["suspension"]["stop_workspaces"], true);
    assert!(matches!(create(settings("okta")), Err(Refusal::Taken { field: "name", .. })));
    assert!(matches!(create(settings("")), Err(Refusal::Invalid { field: "name", .. })));
    let mapped = |organization: Option<&str>| {
        let role = MappedRole { organization: organization.map(Into::into), role: "member".into() };
        Connection { group_mappings: vec![GroupMapping { group: "g".into(), roles: vec![role] }], ..settings("Entra") }
    };
    assert!(create(mapped(Some("eng"))).is_ok() && create(mapped(None)).is_ok());
    assert!(matches!(create(mapped(Some("sales"))), Err(Refusal::Invalid { field: "group_mappings", .. })));
}

#[test]
fn settings_change_by_what_differs() {
    let connection = record("c", "Okta");
    let update = |settings| UpdateConnection { settings }.decide(&connection, &[record("c", "Okta")], context(1));
    assert_eq!(update(settings("Okta")), Ok(vec![]));
    let events = update(Connection { dry_run: true, ..settings("Okta") }).unwrap();
    assert_eq!(told(&events), ["connection.updated c"]);
    assert_eq!((events[0].changes.len(), events[0].changes[0].path.as_str()), (1, "dry_run"));
    assert_eq!(told(&connection.delete(&[], context(1)).unwrap()), ["connection.deleted c"]);
    let gone = ConnectionRecord { deleted: true, ..connection };
    assert_eq!(gone.delete(&[], context(1)), Err(Refusal::Unknown("connection")));
}

#[test]
fn deletion_and_suspension_read_as_documented() {
    let read = |value| serde_json::from_value::<Connection>(value).unwrap();
    let connection = read(json!({"name": "n", "deletion": {"after_days": 30}, "suspension": {"end_sessions": false}}));
    assert_eq!(connection.deletion, crate::events::directory::Deletion::AfterDays(30));
    assert!(connection.suspension.revoke_tokens && !connection.suspension.end_sessions);
    assert_eq!(read(json!({"name": "n"})), Connection { name: "n".into(), ..Connection::default() });
}

#[test]
fn requests_without_effect_are_on_record() {
    let connection = record("c", "Okta");
    let resource = Resource::new("user", "u");
    let refused = |status| RequestRefused {
        detail: Some("no".into()),
        method: "PATCH".into(),
        path: "/Users/u".into(),
        scim_type: None,
        status,
    };
    let event = connection.refused(resource.clone(), &refused(403), context(1));
    assert_eq!(
        (event.outcome, event.stream.as_str(), event.reason.as_deref()),
        (Outcome::Denied, "user/u", Some("no"))
    );
    assert_eq!(connection.refused(resource.clone(), &refused(400), context(1)).outcome, Outcome::Failure);
    let unchanged =
        RequestUnchanged { method: "PUT".into(), path: "/Users/u".into(), reason: None, resource_type: None };
    assert_eq!(connection.unchanged(resource, &unchanged, context(1)).organization.as_deref(), Some("eng"));
    let conflict = DirectoryConflict {
        attribute: "userName".into(),
        other_connection: None,
        other_id: "x".into(),
        value: "ada".into(),
    };
    assert_eq!(told(&[connection.conflict(&conflict, context(1))]), ["directory.conflict.found c"]);
}

#[test]
fn resources_of_custom_types_come_change_and_go() {
    let put = |serial: &str| PutResource {
        resource_type: "Device".into(),
        id: "d".into(),
        attributes: json!({"serial": serial}).as_object().unwrap().clone(),
        connection: Some("c".into()),
        scim_event: None,
    };
    let events = put("1").decide(None, context(1)).unwrap();
    assert_eq!((told(&events), events[0].stream.as_str()), (vec!["directory.resource.created d".into()], "device/d"));
    let present = CustomResource {
        resource_type: "Device".into(),
        id: "d".into(),
        connection: Some("c".into()),
        attributes: put("1").attributes,
        deleted: false,
        version: 1,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    };
    assert_eq!(put("1").decide(Some(&present), context(1)), Ok(vec![]));
    assert_eq!(told(&put("2").decide(Some(&present), context(1)).unwrap()), ["directory.resource.updated d"]);
    assert_eq!(told(&present.delete(None, context(1)).unwrap()), ["directory.resource.deleted d"]);
    let gone = CustomResource { deleted: true, ..present };
    assert_eq!(put("2").decide(Some(&gone), context(1)), Err(Refusal::Unknown("resource")));
    assert_eq!(gone.delete(None, context(1)), Err(Refusal::Unknown("resource")));
}
