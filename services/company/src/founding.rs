//! The first day, and who comes and goes after it.

use chancery_domain::{Change, Resource};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::day::{Day, MINUTE};
use crate::names::{EVERYONE, TEAMS, TEMPLATES};
use crate::people::{ORGANIZATION, Person, Template, administrator, runner, uuid};

/// Organization, teams, templates, runners and people, all before dawn.
pub(crate) fn found(
    day: &mut Day,
    random: &mut ChaCha8Rng,
    users: usize,
    people: &mut Vec<Person>,
    templates: &mut Vec<Template>,
) {
    let organization = Resource::new("organization", ORGANIZATION).named(ORGANIZATION);
    day.add(0, "organization.created", administrator(), organization, json!({"name": ORGANIZATION}));
    for (index, (name, allowance)) in TEAMS.iter().enumerate() {
        let at = MINUTE + i64::try_from(index).unwrap_or(0) * 1_000_000;
        day.add(
            at,
            "group.created",
            administrator(),
            group(index),
            json!({"name": name, "quota_allowance": allowance}),
        );
    }
    let everyone = json!({"name": "everyone", "everyone": true, "quota_allowance": EVERYONE});
    let group = Resource::new("group", "group-everyone").named("everyone");
    day.add(MINUTE + 30_000_000, "group.created", administrator(), group, everyone);
    for (index, (name, cost)) in TEMPLATES.iter().enumerate() {
        let template = Template { id: uuid(random), name, cost: *cost, version: uuid(random) };
        let resource = Resource::new("template", &template.id).named(*name);
        let at = 2 * MINUTE + i64::try_from(index).unwrap_or(0) * 10_000_000;
        day.add(at, "template.created", administrator(), resource.clone(), json!({"name": name}));
        let digest = format!("{:064x}", random.random::<u128>());
        let pushed = json!({"version_id": template.version, "version_name": "v1", "sha256": digest, "size_bytes": 4096, "message": "first version"});
        day.add(at + 1_000_000, "template.version.pushed", administrator(), resource.clone(), pushed);
        let promoted = json!({"version_id": template.version, "version_name": "v1"});
        day.add(at + 2_000_000, "template.version.promoted", administrator(), resource.clone(), promoted);
        let access =
            json!({"subject_kind": "group", "subject_id": "everyone", "subject_name": "everyone", "permission": "use"});
        day.add(at + 3_000_000, "template.access.granted", administrator(), resource, access);
        templates.push(template);
    }
    for number in 0..3 {
        let actor = runner(number);
        let resource = Resource::new("runner", &actor.id).named(actor.id.clone());
        let about = json!({"hostname": format!("build-{number}"), "tags": ["scope=organization"], "version": "1.0.0"});
        day.add(3 * MINUTE, "runner.registered", actor, resource, about);
    }
    for number in 0..users.max(2) {
        let at = 4 * MINUTE + i64::try_from(number).unwrap_or(0) * 100_000;
        hire(day, random, people, at);
    }
}

/// Now and then someone is hired, leaves, or is put into the wrong team and taken out again.
pub(crate) fn come_and_go(day: &mut Day, random: &mut ChaCha8Rng, people: &mut Vec<Person>) {
    for person in people.iter_mut() {
        person.works_today = person.active;
    }
    if day.is_weekend() {
        return;
    }
    let busy = people.len() >= 20;
    if busy && random.random_bool(0.3) {
        hire(day, random, people, 10 * MINUTE);
    }
    if busy && random.random_bool(0.2) {
        let index = random.random_range(0..people.len());
        leave(day, &mut people[index]);
    }
    if random.random_bool(0.2) {
        let person = &people[random.random_range(0..people.len())];
        let wrong = (person.team + 1) % TEAMS.len();
        let member = json!({"user_id": person.id, "user_name": person.name});
        day.add(15 * MINUTE, "group.member.added", administrator(), group(wrong), member.clone());
        day.add(21 * MINUTE, "group.member.removed", administrator(), group(wrong), member).reason =
            Some("added to the wrong team".to_owned());
    }
    if random.random_bool(0.05) {
        let settings = Resource::new("settings", "browser_only").named("browser_only");
        let hours = day.number() % 12 + 1;
        day.add(25 * MINUTE, "settings.changed", administrator(), settings, json!({"section": "sessions"})).changes =
            vec![Change::new("idle_hours", hours, hours + 1)];
    }
}

fn hire(day: &mut Day, random: &mut ChaCha8Rng, people: &mut Vec<Person>, at: i64) {
    let person = Person::new(random, people.len());
    let profile =
        json!({"username": person.name, "email": format!("{}@example.com", person.name), "roles": ["member"]});
    day.add(at, "user.created", administrator(), person.resource(), profile);
    let member = json!({"user_id": person.id, "user_name": person.name});
    day.add(at + 10_000, "group.member.added", administrator(), group(person.team), member);
    people.push(person);
}

fn leave(day: &mut Day, person: &mut Person) {
    if !person.active {
        return;
    }
    person.active = false;
    person.works_today = false;
    let member = json!({"user_id": person.id, "user_name": person.name});
    day.add(12 * MINUTE, "group.member.removed", administrator(), group(person.team), member).reason =
        Some("left the company".to_owned());
    day.add(12 * MINUTE + 1, "user.deleted", administrator(), person.resource(), json!({})).reason =
        Some("left the company".to_owned());
}

/// A team as a resource.
pub(crate) fn group(team: usize) -> Resource {
    let name = TEAMS[team % TEAMS.len()].0;
    Resource::new("group", format!("group-{name}")).named(name)
}
