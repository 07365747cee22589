//! A build of a workspace, from request to end, with the entries of the quota ledger.

use chancery_domain::{Actor, Resource};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::day::Day;
use crate::names::{EVERYONE, TEAMS};
use crate::people::{ORGANIZATION, Person, Template, runner, uuid};

/// What the events of one build have in common.
struct Build<'a> {
    actor: Actor,
    resource: Resource,
    quota: Resource,
    user: &'a str,
    template: &'a Template,
    number: u32,
    transition: &'a str,
    request: &'a str,
    allowance: u32,
    /// Credits of the workspace before, which is the only one that somebody has.
    consumed: u32,
    cost: u32,
}

impl Build<'_> {
    /// A step of the build itself.
    fn step(&self, day: &mut Day, at: i64, event_type: &str, actor: Actor, more: Value) {
        let payload = json!({"build_number": self.number, "transition": self.transition, "template_version": self.template.version});
        let event = day.add(at, event_type, actor, self.resource.clone(), joined(payload, more));
        event.correlation = Some(self.request.to_owned());
        self.transition.clone_into(&mut event.action);
    }

    /// An entry of the ledger: what the workspace takes from then on, and the sums of the decision.
    fn entry(&self, day: &mut Day, at: i64, event_type: &str, more: Value) {
        let entry = json!({
            "allowance": self.allowance, "build_number": self.number, "consumed": self.consumed, "cost": self.cost,
            "enforced": true, "others": 0, "template_id": self.template.id, "template_name": self.template.name,
            "transition": self.transition, "user_id": self.user, "workspace_id": self.resource.id,
            "workspace_name": self.resource.name,
        });
        let event = day.add(at, event_type, self.actor.clone(), self.quota.clone(), joined(entry, more));
        event.correlation = Some(self.request.to_owned());
        if event_type == "quota.denied" {
            event.reason = Some("the build would exceed the allowance".to_owned());
        }
    }
}

/// A build from request to end. The time it ended, or nothing when the workspace is not there to work in.
pub(crate) fn build(
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
    let build = Build {
        resource: workspace.resource(&person.name),
        quota: Resource::new("quota", format!("{ORGANIZATION}/{}", person.id)).owned_by(&person.name),
        user: &person.id,
        template,
        number: workspace.builds,
        transition,
        request,
        allowance: TEAMS[person.team].1 + EVERYONE,
        consumed: if workspace.running { template.cost } else { 0 },
        cost: if starts { template.cost } else { 0 },
        actor,
    };
    build.step(day, at, "workspace.build.requested", build.actor.clone(), json!({"cause": "initiator"}));
    let at = at + 300_000;
    if build.cost > build.allowance {
        build.entry(day, at, "quota.denied", json!({"committed": build.consumed, "running": workspace.running}));
        let error = json!({"error": "insufficient quota"});
        build.step(day, at + 1000, "workspace.build.rejected", build.actor.clone(), error);
        // Tomorrow with something smaller.
        person.workspace = None;
        return None;
    }
    let (at, failed) = carry_out(day, random, &build, at);
    workspace.running = starts && !failed;
    (!failed).then_some(at + 1_000_000)
}

/// A runner takes the build; when it ended, and whether it went wrong. What failed to start runs nowhere, and what was set
/// aside for it comes back.
fn carry_out(day: &mut Day, random: &mut ChaCha8Rng, build: &Build<'_>, at: i64) -> (i64, bool) {
    let (job, worker) = (uuid(random), runner(random.random_range(0..3)));
    let starts = build.transition == "start";
    build.step(day, at, "workspace.build.queued", build.actor.clone(), json!({"job_id": job}));
    let at = at + random.random_range(200..5000) * 1000;
    let job_resource = Resource::new("job", &job);
    let about = json!({"attempt": 1, "runner_id": worker.id, "workspace_id": build.resource.id});
    day.add(at, "job.acquired", worker.clone(), job_resource.clone(), about.clone());
    build.step(day, at + 1000, "workspace.build.started", worker.clone(), json!({"job_id": job}));
    let at = at + random.random_range(4..20) * 1_000_000;
    let planned = json!({"job_id": job, "daily_cost": build.cost});
    build.step(day, at, "workspace.build.planned", worker.clone(), planned);
    if starts {
        let reserved = json!({"committed": build.consumed, "reserved": build.cost, "running": build.consumed > 0});
        build.entry(day, at + 1000, "quota.reserved", reserved);
    }
    let duration = random.random_range(15..240) * 1000;
    let at = at + duration * 1000;
    let failed = starts && random.random_bool(0.03);
    let done = if failed {
        json!({"job_id": job, "duration_ms": duration, "error": "Error: timeout while waiting for the pod"})
    } else {
        json!({"job_id": job, "duration_ms": duration, "daily_cost": build.cost})
    };
    day.add(at, if failed { "job.failed" } else { "job.completed" }, worker.clone(), job_resource, about);
    let outcome = if failed { "workspace.build.failed" } else { "workspace.build.succeeded" };
    build.step(day, at + 1000, outcome, worker, done);
    if starts && !failed {
        build.entry(day, at + 2000, "quota.committed", json!({"committed": build.cost, "running": true}));
    } else {
        let released = if starts { build.cost } else { build.consumed };
        let nothing = json!({"committed": 0, "running": false, "released": released});
        build.entry(day, at + 2000, "quota.released", nothing);
    }
    (at, failed)
}

fn joined(mut payload: Value, more: Value) -> Value {
    if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
        payload.extend(more);
    }
    payload
}
