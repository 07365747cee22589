//! A person's day: sign in, start the workspace, work in sessions, stop it in the evening.

use chancery_domain::{Change, Resource};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::build::build;
use crate::day::{Day, MINUTE};
use crate::names::WORDS;
use crate::people::{Person, Template, Workspace, uuid};

/// Generates the day of the person at `index`, if it is a working day for them.
pub(crate) fn work(
    day: &mut Day,
    random: &mut ChaCha8Rng,
    people: &mut [Person],
    index: usize,
    templates: &[Template],
) {
    let rests = day.is_weekend() && random.random_bool(0.97);
    let Some(person) = people.get_mut(index) else { return };
    if rests || !person.works_today || random.random_bool(0.08) {
        return;
    }
    // Local eight to ten o'clock; every site's day fits into the UTC day.
    let mut at = (480 - person.offset + random.random_range(0..120)) * MINUTE + random.random_range(0..MINUTE);
    at = sign_in(day, random, person, at);
    if person.workspace.is_none() {
        at = create(day, random, person, at, templates);
    }
    // Some forget to stop their workspace in the evening: it runs through the night, or the weekend.
    if person.workspace.as_ref().is_none_or(|workspace| !workspace.running) {
        let request = uuid(random);
        let Some(started) = build(day, random, person, at, templates, "start", &request) else { return };
        at = started;
    }
    let evening = (1080 - person.offset + random.random_range(0..60)) * MINUTE;
    for _ in 0..random.random_range(2..6) {
        let pause = random.random_range(1..40) * MINUTE;
        at = session(day, random, person, at + pause, evening);
    }
    if random.random_bool(0.06) {
        return;
    }
    let request = uuid(random);
    build(day, random, person, at.max(evening), templates, "stop", &request);
}

fn sign_in(day: &mut Day, random: &mut ChaCha8Rng, person: &Person, mut at: i64) -> i64 {
    while random.random_bool(0.06) {
        let failed = json!({"method": "oidc", "target": "console", "unknown_user": false});
        day.add(at, "user.login.failed", person.actor(), person.resource(), failed).reason =
            Some("wrong password".to_owned());
        at += random.random_range(5..40) * 1_000_000;
    }
    day.add(
        at,
        "user.login.succeeded",
        person.actor(),
        person.resource(),
        json!({"method": "oidc", "target": "console"}),
    );
    at + random.random_range(20..300) * 1_000_000
}

fn create(day: &mut Day, random: &mut ChaCha8Rng, person: &mut Person, at: i64, templates: &[Template]) -> i64 {
    let template = random.random_range(0..templates.len());
    let word = WORDS[random.random_range(0..WORDS.len())];
    let workspace = Workspace {
        id: uuid(random),
        name: format!("{word}-{}", random.random_range(10..99)),
        template,
        builds: 0,
        running: false,
    };
    let payload = json!({"owner_id": person.id, "template_id": templates[template].id, "template_name": templates[template].name});
    day.add(at, "workspace.created", person.actor(), workspace.resource(&person.name), payload);
    person.workspace = Some(workspace);
    at + 2_000_000
}

/// A session, from its authorization to its end.
fn session(day: &mut Day, random: &mut ChaCha8Rng, person: &Person, at: i64, evening: i64) -> i64 {
    const KINDS: [(&str, &str, u32); 6] = [
        ("ssh", "OpenSSH_9.2", 30),
        ("desktop_ide", "desktop-ide/2026.3", 30),
        ("web_ide", "web-ide/4.9", 20),
        ("terminal", "console", 10),
        ("port_forward", "OpenSSH_9.2", 6),
        ("file_transfer", "scp", 4),
    ];
    let Some(workspace) = &person.workspace else { return at };
    if at >= evening {
        return at;
    }
    let mut draw = random.random_range(0..100);
    let (kind, client, _) = KINDS
        .iter()
        .find(|(.., share)| {
            let hit = draw < *share;
            draw = draw.saturating_sub(*share);
            hit
        })
        .copied()
        .unwrap_or(KINDS[0]);
    let id = uuid(random);
    let resource = Resource::new("session", &id).named(&workspace.name).owned_by(&person.name);
    let place = json!({"kind": kind, "client": client, "workspace_id": workspace.id, "workspace_name": workspace.name});
    day.add(at, "session.authorized", person.actor(), resource.clone(), place.clone());
    day.add(at + 50_000, "session.opened", person.actor(), resource.clone(), place);
    let length = random.random_range(2..150) * MINUTE;
    let end = (at + length).min(evening + 20 * MINUTE);
    let duration = (end - at - 50_000) / 1000;
    let closed = json!({
        "kind": kind, "workspace_id": workspace.id, "workspace_name": workspace.name, "duration_ms": duration,
        "bytes_in": random.random_range(1000..5_000_000), "bytes_out": random.random_range(10_000..90_000_000), "exit_code": 0
    });
    day.add(end, "session.closed", person.actor(), resource, closed);
    if random.random_bool(0.01) {
        let renamed = Change::new("autostop_minutes", 480, 600);
        let resource = workspace.resource(&person.name);
        let changed = json!({"section": "workspace"});
        day.add(end, "settings.changed", person.actor(), resource, changed).changes = vec![renamed];
    }
    end
}
