//! Who could do what, and what a policy would have changed.

use super::{built_in, thing, with};
use crate::{
    Bearer, Context, MAX_CHANGES, Permission, PolicyRef, Principal, RecordedRequest, Resource, Scope, User, compare,
    who_can,
};

fn recorded(user: User, permission: Permission, resource: Resource, count: u64) -> RecordedRequest {
    RecordedRequest { principal: Principal::User(user), permission, resource, context: Context::default(), count }
}

#[test]
fn who_can_names_people_and_policies() {
    let read = Bearer { id: "t".to_owned(), scopes: [Scope::Read].into() };
    let principals = [
        Principal::User(User::new("ann").with_role("auditor")),
        Principal::User(User::new("bob").with_role_in("beta", "auditor")),
        Principal::User(User::new("cleo").with_role_in("acme", "owner").with_role_in("acme", "auditor")),
        Principal::Token(read),
    ];
    let policies = built_in();
    let resource = thing(Some("acme"));
    let holders = who_can(&policies, &principals, Permission::AuditRead, &resource, &Context::default());
    let named: Vec<(&str, Vec<&str>)> = holders
        .iter()
        .map(|holder| (holder.principal.id(), holder.policies.iter().map(|policy| &*policy.id).collect()))
        .collect();
    assert_eq!(
        named,
        [
            ("ann", vec!["builtin:auditor"]),
            ("cleo", vec!["builtin:auditor", "builtin:owner"]),
            ("t", vec!["builtin:scopes"])
        ]
    );
}

#[test]
fn a_comparison_counts_what_would_be_answered_otherwise() {
    let auditor = || User::new("ann").with_role("auditor");
    let new = with(
        "forbid (principal, action == Action::\"audit:export\", resource);\n\
         permit (principal, action == Action::\"groups:read\", resource);",
    );
    let requests = [
        recorded(auditor(), Permission::AuditExport, Resource::Deployment, 2),
        recorded(auditor(), Permission::AuditRead, Resource::Deployment, 10),
        recorded(User::new("bob"), Permission::GroupsRead, thing(Some("acme")), 1),
        recorded(auditor(), Permission::AuditExport, Resource::Deployment, 3),
        recorded(User::new("bob"), Permission::AuditExport, Resource::Deployment, 4),
    ];
    let comparison = compare(&built_in(), &new, requests.into_iter());
    assert_eq!((comparison.requests, comparison.newly_denied, comparison.newly_allowed), (20, 5, 1));
    let [denied, allowed] = comparison.changes.as_slice() else { panic!("{comparison:?}") };
    assert_eq!((denied.principal_id.as_str(), denied.count, denied.allowed), ("ann", 5, false));
    assert_eq!(denied.before, [PolicyRef::new("builtin:auditor", crate::BUILT_IN_VERSION)]);
    assert_eq!(denied.after, [PolicyRef::new("extra", 3)]);
    assert_eq!((allowed.resource.as_str(), allowed.count, allowed.allowed), ("group/g", 1, true));
    assert_eq!(allowed.before, []);
}

#[test]
fn a_long_comparison_lists_some_and_counts_the_rest() {
    let new = with("permit (principal, action, resource);");
    let number = MAX_CHANGES as u64 + 5;
    let requests = (0..number)
        .chain(0..1)
        .map(|n| recorded(User::new(n.to_string()), Permission::AuditRead, Resource::Deployment, 1));
    let comparison = compare(&built_in(), &new, requests);
    assert_eq!(comparison.changes.len(), MAX_CHANGES);
    assert_eq!((comparison.newly_allowed, comparison.unlisted), (number + 1, 5));
    assert_eq!((comparison.changes[0].principal_id.as_str(), comparison.changes[0].count), ("0", 2));
}

#[test]
fn requests_are_data() {
    let user = User::new("ann").with_role_in("acme", "auditor");
    let request = recorded(user, Permission::AuditRead, thing(Some("acme")), 1);
    let json = serde_json::to_value(&request).unwrap();
    assert_eq!(json["principal"]["grants"][0]["organization"], "acme");
    assert_eq!(
        json["resource"],
        serde_json::json!({"kind": "thing", "type": "group", "id": "g", "organization": "acme"})
    );
    assert_eq!(serde_json::from_value::<RecordedRequest>(json).unwrap(), request);
}
