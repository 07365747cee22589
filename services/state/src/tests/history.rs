//! What identity providers and administrators do, as steps of a random history.

use chancery_domain::attributes::Attributes;
use serde_json::{Value, json};

/// How many kinds of step there are.
pub(super) const STEPS: usize = 36;

/// A step: type, resource kind, payload.
pub(super) fn step(kind: usize, id: u8, other: u8, number: u32) -> (&'static str, &'static str, Value) {
    let connection = format!("c{}", other % 2);
    let (user, named) =
        (user_attributes(id, other), json!({"displayName": format!("Group{other}"), "externalId": "x"}));
    match kind {
        0 => ("user.created", "user", json!({"username": "u", "attributes": user, "connection": connection})),
        1 => ("user.updated", "user", json!({"attributes": user})),
        2 => ("user.updated", "user", json!({"attributes": user, "connection": connection})),
        3 => ("user.suspended", "user", json!({"removed": true, "delete_at": "2027-01-01T00:00:00Z"})),
        4 => ("user.reactivated", "user", json!({"scim_event": "urn:ietf:params:scim:event:prov:activate"})),
        5 => (
            "group.created",
            "group",
            json!({"name": "g", "attributes": named, "connection": connection, "everyone": other == 0}),
        ),
        6 => ("group.updated", "group", json!({"attributes": named})),
        7 => (
            "group.member.added",
            "group",
            json!({"user_id": format!("{other}"), "member_kind": "group", "expires_at": rotation(number), "by_attribute": id == 0}),
        ),
        8 => ("role.assigned", "user", json!({"role": format!("role{other}"), "by_group": true})),
        9 => ("role.assigned", "user", json!({"role": format!("role{other}"), "organization": "eng"})),
        10 => ("role.revoked", "user", json!({"role": format!("role{other}"), "organization": "eng"})),
        11 => ("role.defined", "role", json!({"name": format!("{id}"), "permissions": [format!("p{other}")]})),
        12 => ("role.withdrawn", "role", json!({})),
        13 => (
            "token.created",
            "token",
            json!({"name": "t", "scopes": ["scim"], "secret_sha256": "00", "kind": "scim",
                   "owner": {"kind": "connection", "id": connection}}),
        ),
        14 => ("token.used", "token", json!({})),
        15 => ("token.rotated", "token", json!({"expires_at": rotation(number), "replaced_by": format!("{other}")})),
        16 => ("token.revoked", "token", json!({})),
        17 => ("connection.created", "connection", json!({"name": format!("c{id}"), "profile": {"vendor": "okta"}})),
        18 => ("connection.updated", "connection", json!({"name": format!("d{other}"), "dry_run": true})),
        19 => ("connection.deleted", "connection", json!({})),
        20 => ("directory.resource.created", "device", device(other)),
        21 => ("directory.resource.updated", "device", device(other)),
        22 => ("directory.resource.deleted", "device", json!({"resource_type": "Device"})),
        23 => ("policy.published", "policy", json!({"sha256": "00", "text": "permit;", "version": number})),
        24 => ("policy.withdrawn", "policy", json!({})),
        25 => (
            "session.authorized",
            "session",
            json!({"kind": "ssh", "workspace_id": format!("{other}"), "expires_at": rotation(number),
                   "certificate": {"authority": "1", "fingerprint": "x", "principals": ["p"], "serial": "7"}}),
        ),
        26 => ("session.revoked", "session", json!({"kind": "ssh"})),
        27 => ("session.opened", "session", json!({"kind": "ssh", "serial": format!("{}", 5 + u32::from(other))})),
        28 => (
            "session.key.created",
            "signing-key",
            json!({"purpose": "ssh_user", "public_key": format!("k{other}"), "signs_from": rotation(number)}),
        ),
        29 => ("session.key.retired", "signing-key", json!({"purpose": "ssh_user", "trusted_until": rotation(number)})),
        30 => ("settings.changed", "settings", json!({"section": format!("s{id}"), "value": {"a": other}})),
        31 => ("workspace.state.written", "workspace", version(other, number)),
        32 => ("workspace.state.locked", "workspace", json!({"lock_id": format!("l{other}"), "job_id": "j"})),
        33 => ("workspace.state.unlocked", "workspace", json!({"lock_id": format!("l{other}")})),
        34 => (
            "workspace.build.log-closed",
            "workspace",
            json!({"build_number": 1, "transition": "start", "resources": [], "log": {"kept": number, "digest": "00"}}),
        ),
        _ => ("directory.request.unchanged", "user", json!({"method": "PUT", "path": "/Users/1"})),
    }
}

/// Attributes of a user; `other` says whether it is active and has an address.
fn user_attributes(id: u8, other: u8) -> Attributes {
    let mut user =
        json!({"userName": format!("User{id}"), "externalId": format!("e{other}"), "active": other.is_multiple_of(2)});
    if other > 1 {
        let other_one = format!("Other{other}@Example.com");
        user["emails"] = json!([{"value": format!("Mail{other}@Example.com"), "primary": true}, {"value": other_one}]);
    }
    serde_json::from_value(user).unwrap()
}

fn version(other: u8, number: u32) -> Value {
    json!({"blob": "b", "key_id": "k", "serial": number, "sha256": "00", "size": 7, "version": other})
}

fn device(other: u8) -> Value {
    json!({"resource_type": "Device", "attributes": {"displayName": format!("Box {other}")}, "connection": "c0"})
}

fn rotation(number: u32) -> String {
    format!("2027-01-01T00:00:{:02}Z", number % 60)
}
