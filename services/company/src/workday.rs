//! A person's day: sign in, start the workspace, work in sessions, stop it in the evening.

use chancery_domain::{Change, Resource};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::day::{Day, MINUTE};
use crate::names::{TEAMS, WORDS};
use crate::people::{Person, Template, Workspace, runner, uuid};

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
    let request = uuid(random);
    let Some(started) = build(day, random, person, at, templates, "start", &request) else { return };
    at = started;
    let evening = (1080 - person.offset + random.random_range(0..60)) * MINUTE;
    for _ in 0..random.random_range(2..6) {
        let pause = random.random_range(1..40) * MINUTE;
        at = session(day, random, person, at + pause, evening);
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
    let workspace =
        Workspace { id: uuid(random), name: format!("{word}-{}", random.random_range(10..99)), template, builds: 0 };
    let payload = json!({"owner_id": person.id, "template_id": templates[template].id, "template_name": templates[template].name});
    day.add(at, "workspace.created", person.actor(), workspace.resource(&person.name), payload);
    person.workspace = Some(workspace);
    at + 2_000_000
}

/// A build from request to end. The time it ended, or nothing when the workspace is not there to work in.
fn build(
    day: &mut Day,
    random: &mut ChaCha8Rng,
    person: &mut Person,
    at: i64,
    templates: &[Template],
    transition: &str,
    request: &str,
) -> Option<i64> {
    let actor = person.actor();
    let workspace = person.workspace.as_mut()?;
    let template = templates.get(workspace.template)?;
    let starts = transition == "start";
    workspace.builds += 1;
    let resource = workspace.resource(&person.name);
    let job = uuid(random);
    let number = workspace.builds;
    let payload = |more: Value| {
        let mut payload =
            json!({"build_number": number, "transition": transition, "template_version": template.version});
        if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
            payload.extend(more);
        }
        payload
    };
    let step = |day: &mut Day, at: i64, kind: &str, actor, data| {
        let event = day.add(at, kind, actor, resource.clone(), data);
        event.correlation = Some(request.to_owned());
        transition.clone_into(&mut event.action);
    };
    let quota = Resource::new("quota", format!("engineering/{}", person.id)).owned_by(&person.name);
    let allowance = TEAMS[person.team].1;
    let entry = json!({"allowance": allowance, "consumed": 0, "cost": template.cost, "workspace_id": workspace.id, "build_number": number});

    step(day, at, "workspace.build.requested", actor.clone(), payload(json!({"cause": "initiator"})));
    let mut at = at + 300_000;
    if starts && template.cost > allowance {
        day.add(at, "quota.denied", actor.clone(), quota, entry).reason =
            Some("the build would exceed the allowance".to_owned());
        step(day, at + 1000, "workspace.build.rejected", actor, payload(json!({"error": "insufficient quota"})));
        // Tomorrow with something smaller.
        person.workspace = None;
        return None;
    }
    let worker = runner(random.random_range(0..3));
    step(day, at, "workspace.build.queued", actor.clone(), payload(json!({"job_id": job})));
    at += random.random_range(200..5000) * 1000;
    let job_resource = Resource::new("job", &job);
    let about = json!({"attempt": 1, "runner_id": worker.id, "workspace_id": workspace.id});
    day.add(at, "job.acquired", worker.clone(), job_resource.clone(), about.clone());
    step(day, at + 1000, "workspace.build.started", worker.clone(), payload(json!({"job_id": job})));
    at += random.random_range(4..20) * 1_000_000;
    let cost = if starts { template.cost } else { 0 };
    step(day, at, "workspace.build.planned", worker.clone(), payload(json!({"job_id": job, "daily_cost": cost})));
    let ledger = if starts { "quota.committed" } else { "quota.released" };
    day.add(at + 1000, ledger, actor, quota, entry);
    let duration = random.random_range(15..240) * 1000;
    at += duration * 1000;
    let failed = starts && random.random_bool(0.03);
    let done = if failed {
        json!({"job_id": job, "duration_ms": duration, "error": "Error: timeout while waiting for the pod"})
    } else {
        json!({"job_id": job, "duration_ms": duration, "daily_cost": cost})
    };
    day.add(at, if failed { "job.failed" } else { "job.completed" }, worker.clone(), job_resource, about);
    step(
        day,
        at + 1000,
        if failed { "workspace.build.failed" } else { "workspace.build.succeeded" },
        worker,
        payload(done),
    );
    (!failed).then_some(at + 1_000_000)
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
