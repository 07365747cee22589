//! Jobs and reports as the server writes and reads them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::server::{Acquire, Job, Named, Owner, Planned, PlannedResource, StateBackend, Transition, Verdict};

/// A runner that is free.
#[derive(Serialize)]
pub(crate) struct WireAcquire<'a> {
    #[serde(flatten)]
    pub(crate) request: &'a Acquire,
    /// How long the server may hold back its answer.
    pub(crate) wait_seconds: u64,
}

/// A job.
#[derive(Deserialize)]
pub(crate) struct WireJob {
    id: String,
    organization: Option<String>,
    transition: Transition,
    build_number: u32,
    workspace: WireWorkspace,
    template: WireTemplate,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    owner: Option<Owner>,
    #[serde(default)]
    state: Option<StateBackend>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct WireWorkspace {
    id: String,
    name: String,
    owner: Option<String>,
    owner_id: Option<String>,
}

#[derive(Deserialize)]
struct WireTemplate {
    id: Option<String>,
    name: Option<String>,
    version: Option<String>,
    version_name: Option<String>,
    sha256: Option<String>,
}

impl WireJob {
    /// The job, with addresses on the server at this address: it says paths, because it does not know by which name it is
    /// reached.
    pub(crate) fn at(mut self, server: &str) -> Job {
        if let Some(state) = &mut self.state {
            let addresses = [Some(&mut state.address), state.lock_address.as_mut(), state.unlock_address.as_mut()];
            for address in addresses.into_iter().flatten().filter(|address| address.starts_with('/')) {
                address.insert_str(0, server);
            }
        }
        self.into()
    }
}

impl From<WireJob> for Job {
    fn from(job: WireJob) -> Self {
        let WireWorkspace { id, name, owner, owner_id } = job.workspace;
        let known = || Owner { id: owner_id.unwrap_or_default(), name: owner.unwrap_or_default(), ..Owner::default() };
        let named = |id: Option<String>, name: Option<String>| Named {
            id: id.unwrap_or_default(),
            name: name.unwrap_or_default(),
        };
        Self {
            id: job.id,
            organization: job.organization.unwrap_or_default(),
            workspace: Named { id, name },
            build_number: job.build_number,
            transition: job.transition,
            template: named(job.template.id, job.template.name),
            template_version: named(job.template.version, job.template.version_name),
            sha256: job.template.sha256.unwrap_or_default(),
            parameters: job.parameters,
            owner: job.owner.unwrap_or_else(known),
            state: job.state,
            secrets: job.secrets,
        }
    }
}

/// What a job's runner asks now and then.
#[derive(Deserialize)]
pub(crate) struct WireStanding {
    #[serde(default)]
    pub(crate) cancel_requested: bool,
}

/// What a plan comes to.
#[derive(Serialize)]
pub(crate) struct WirePlan<'a> {
    daily_cost: u32,
    unknown: &'a [String],
    resources: &'a [PlannedResource],
}

impl<'a> From<&'a Planned> for WirePlan<'a> {
    fn from(plan: &'a Planned) -> Self {
        Self { daily_cost: plan.daily_cost, unknown: &plan.unknown, resources: &plan.resources }
    }
}

/// Whether a plan may be applied.
#[derive(Deserialize)]
pub(crate) struct WireVerdict {
    answer: String,
    #[serde(default)]
    judgement: Value,
}

impl From<WireVerdict> for Verdict {
    fn from(verdict: WireVerdict) -> Self {
        let reason = verdict.judgement.get("reason").and_then(Value::as_str).map(str::to_owned);
        Self { accepted: verdict.answer == "accepted", reason }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_is_read_with_and_without_what_newer_servers_say() {
        let mut wire = json!({
            "id": "j", "organization": "research", "transition": "stop", "status": "running", "cancel_requested": false,
            "build_number": 3, "tags": {},
            "workspace": {"id": "w", "name": "engine", "owner": "ada", "owner_id": "u"},
            "template": {"id": "t", "name": "plain", "version": "v", "version_name": "v1", "sha256": "00"},
            "parameters": {"size": "small"},
        });
        let read = |wire: &Value| Job::from(serde_json::from_value::<WireJob>(wire.clone()).unwrap());
        let job = read(&wire);
        assert_eq!((job.owner.id.as_str(), job.owner.name.as_str(), job.transition), ("u", "ada", Transition::Stop));
        assert_eq!((job.template_version.id.as_str(), job.sha256.as_str()), ("v", "00"));
        wire["owner"] = json!({"id": "u", "name": "ada", "email": "ada@example.com", "groups": ["a"], "roles": []});
        wire["state"] =
            json!({"address": "/state", "lock_address": "https://y/lock", "username": "j", "password": "p"});
        let job = serde_json::from_value::<WireJob>(wire).unwrap().at("https://x");
        let state = job.state.unwrap();
        assert_eq!(
            (state.address.as_str(), state.lock_address.as_deref()),
            ("https://x/state", Some("https://y/lock"))
        );
        assert_eq!((job.owner.groups, state.unlock_address), (vec!["a".to_owned()], None));
    }

    #[test]
    fn a_verdict_is_read_with_its_reason() {
        let verdict = json!({"answer": "rejected", "judgement": {"allowed": false, "reason": "too much"}});
        let verdict = Verdict::from(serde_json::from_value::<WireVerdict>(verdict).unwrap());
        assert_eq!((verdict.accepted, verdict.reason.as_deref()), (false, Some("too much")));
    }
}
