//! One night: passwords are tried on many people, one fits, and it is used until somebody notices.

use std::net::IpAddr;

use chancery_domain::{Actor, Outcome, Resource};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::day::{Day, MINUTE};
use crate::people::{Person, Template, administrator, uuid};

/// Where the attempts come from.
const ADDRESSES: [[u8; 4]; 2] = [[203, 0, 113, 66], [203, 0, 113, 67]];

/// The night of the intruder. The victim is without access for the rest of the day.
pub(crate) fn strike(day: &mut Day, random: &mut ChaCha8Rng, people: &mut [Person], templates: &[Template]) {
    let Some(victim) = people.iter().position(|person| person.works_today && person.workspace.is_some()) else {
        return;
    };
    let mut at = 60 * MINUTE;
    for (index, person) in people.iter().enumerate().filter(|(_, person)| person.active) {
        for _ in 0..2 {
            let address = ADDRESSES[index % ADDRESSES.len()];
            day.add(at, "user.login.failed", seen_from(person, address), person.resource(), attempt()).reason =
                Some("wrong password".to_owned());
            at += random.random_range(50..400) * 1000;
        }
    }
    let person = &mut people[victim];
    let actor = seen_from(person, ADDRESSES[0]);
    day.add(
        at,
        "user.login.succeeded",
        actor.clone(),
        person.resource(),
        json!({"method": "password", "target": "console"}),
    );
    if let Some(workspace) = &person.workspace {
        for (kind, minutes) in [("ssh", 4), ("file_transfer", 9)] {
            let id = uuid(random);
            let resource = Resource::new("session", &id).named(&workspace.name).owned_by(&person.name);
            let place = json!({"kind": kind, "client": "libssh2_1.11", "workspace_id": workspace.id, "workspace_name": workspace.name});
            let begun = at + minutes * MINUTE;
            day.add(begun, "session.opened", actor.clone(), resource.clone(), place);
            let closed = json!({"kind": kind, "workspace_id": workspace.id, "workspace_name": workspace.name,
                "duration_ms": 240_000, "bytes_in": 4096, "bytes_out": 42_000_000_000_u64});
            day.add(begun + 4 * MINUTE, "session.closed", actor.clone(), resource, closed);
        }
        let refused = Resource::new("session", uuid(random)).named("payments-prod");
        day.add(
            at + 15 * MINUTE,
            "session.denied",
            actor.clone(),
            refused,
            json!({"kind": "ssh", "workspace_name": "payments-prod"}),
        )
        .reason = Some("not a member of payments".to_owned());
    }
    if let Some(template) = templates.first() {
        let resource = Resource::new("template", &template.id).named(template.name);
        let access = json!({"subject_kind": "user", "subject_id": person.id, "permission": "admin"});
        let event = day.add(at + 17 * MINUTE, "template.access.revoked", actor, resource, access);
        event.outcome = Outcome::Denied;
        event.reason = Some("template administration needs the role template-admin".to_owned());
    }
    let noticed = at + 40 * MINUTE;
    day.add(noticed, "user.suspended", administrator(), person.resource(), json!({})).reason =
        Some("sign-in from an unknown network after many failures; 42 GB left the workspace".to_owned());
    day.add(1439 * MINUTE, "user.reactivated", administrator(), person.resource(), json!({})).reason =
        Some("password and keys replaced".to_owned());
    person.works_today = false;
}

fn seen_from(person: &Person, address: [u8; 4]) -> Actor {
    Actor { ip: Some(IpAddr::from(address)), user_agent: Some("python-requests/2.31".to_owned()), ..person.actor() }
}

fn attempt() -> serde_json::Value {
    json!({"method": "password", "target": "console", "unknown_user": false})
}
