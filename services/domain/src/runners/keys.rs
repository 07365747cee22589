//! Runner keys: what lets a runner register.

use std::collections::BTreeMap;

use super::{RunnerRecord, check_public_key, check_tags, lines};
use crate::decision::{self, Context, Draft, Refusal};
use crate::event::{Event, Resource};
use crate::events::Bare;
use crate::events::runners::{Runner, RunnerKey, RunnerKeyRotated, RunnerKeyUsed};
use crate::time::Timestamp;

const SECOND: i64 = 1_000_000;
/// Longest that a runner is accepted, in seconds: ten years.
const LONGEST: u64 = 10 * 366 * 86_400;

/// A runner key as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerKeyRecord {
    /// Its id, the part of `chr_<id>_<secret>` that may be shown.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Name of the organization whose builds its runners take.
    pub organization: String,
    /// Id of the user whose workspaces alone its runners build.
    pub owner_id: Option<String>,
    /// Tags of its runners.
    pub tags: BTreeMap<String, String>,
    /// It registers one runner only.
    pub one_time: bool,
    /// How long each of its runners is accepted.
    pub runner_seconds: Option<u64>,
    /// Lower-case hex SHA-256 of its secret.
    pub secret_sha256: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
    /// Id of its successor.
    pub replaced_by: Option<String>,
    /// When a runner was last registered with it.
    pub used_at: Option<Timestamp>,
}

impl RunnerKeyRecord {
    /// It as the resource of an event.
    pub fn resource(&self) -> Resource {
        Resource::new("runner-key", &self.id).named(&self.name)
    }

    /// Why it registers no runner at `now`.
    pub fn refusal(&self, now: Timestamp) -> Option<&'static str> {
        if self.revoked_at.is_some() {
            return Some("the runner key was revoked");
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Some("the runner key has expired");
        }
        (self.one_time && self.used_at.is_some()).then_some("the runner key was good for one runner, and has one")
    }

    /// Decides whether it can be withdrawn. Its runners go with it, each by a decision of its own.
    pub fn revoke(&self, reason: Option<String>, context: Context) -> Result<Vec<Event>, Refusal> {
        if self.revoked_at.is_some() {
            return Err(Refusal::conflict("the runner key is revoked already"));
        }
        let mut draft = Draft::new(context);
        let mut event = self.event(&mut draft, "runner.key.revoked", &Bare {});
        event.reason = reason;
        draft.push(event);
        Ok(draft.events)
    }

    fn event(&self, draft: &mut Draft, event_type: &str, data: &impl serde::Serialize) -> Event {
        let mut event = draft.event(event_type, self.resource(), data);
        event.organization = Some(self.organization.clone());
        event
    }
}

/// A runner key to be made; id and secret were drawn by the caller.
#[derive(Debug, Clone)]
pub struct CreateRunnerKey {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Name of the organization whose builds its runners take.
    pub organization: String,
    /// Id of the user whose workspaces alone its runners build.
    pub owner_id: Option<String>,
    /// Tags of its runners.
    pub tags: BTreeMap<String, String>,
    /// It registers one runner only.
    pub one_time: bool,
    /// How long each of its runners is accepted.
    pub runner_seconds: Option<u64>,
    /// Lower-case hex SHA-256 of its secret.
    pub secret_sha256: String,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

impl CreateRunnerKey {
    /// Decides whether it can be made.
    pub fn decide(self, context: Context) -> Result<Vec<Event>, Refusal> {
        let mut draft = Draft::new(context);
        self.check(draft.context.now)?;
        let event = self.event(None, &mut draft);
        draft.push(event);
        Ok(draft.events)
    }

    fn check(&self, now: Timestamp) -> Result<(), Refusal> {
        decision::name("name", &self.name, decision::MAX_NAME)?;
        check_tags(&self.tags)?;
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(Refusal::invalid("expires_at", "lies in the past"));
        }
        if self.runner_seconds.is_some_and(|seconds| !(60..=LONGEST).contains(&seconds)) {
            return Err(Refusal::invalid("runner_seconds", format!("must be 60 to {LONGEST}")));
        }
        Ok(())
    }

    fn event(self, replaces: Option<String>, draft: &mut Draft) -> Event {
        let resource = Resource::new("runner-key", &self.id).named(&self.name);
        let payload = RunnerKey {
            expires_at: self.expires_at,
            name: self.name,
            one_time: self.one_time,
            owner_id: self.owner_id,
            replaces,
            runner_seconds: self.runner_seconds,
            secret_sha256: Some(self.secret_sha256),
            tags: lines(&self.tags),
        };
        let mut event = draft.event("runner.key.created", resource, &payload);
        event.organization = Some(self.organization);
        event
    }
}

/// A successor for a runner key, for the same runners; id and secret were drawn by the caller.
#[derive(Debug, Clone)]
pub struct RotateRunnerKey {
    /// Id of the successor.
    pub id: String,
    /// Lower-case hex SHA-256 of its secret.
    pub secret_sha256: String,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// How long both work, in microseconds.
    pub overlap: i64,
}

impl RotateRunnerKey {
    /// Decides whether `old` can be rotated. Runners that it has registered stay.
    pub fn decide(self, old: &RunnerKeyRecord, context: Context) -> Result<Vec<Event>, Refusal> {
        let mut draft = Draft::new(context);
        let now = draft.context.now;
        if let Some(reason) = old.refusal(now) {
            return Err(Refusal::conflict(reason));
        }
        if old.replaced_by.is_some() {
            return Err(Refusal::conflict("the runner key was rotated already"));
        }
        let successor = CreateRunnerKey {
            id: self.id.clone(),
            name: old.name.clone(),
            organization: old.organization.clone(),
            owner_id: old.owner_id.clone(),
            tags: old.tags.clone(),
            one_time: old.one_time,
            runner_seconds: old.runner_seconds,
            secret_sha256: self.secret_sha256,
            expires_at: self.expires_at,
        };
        successor.check(now)?;
        let event = successor.event(Some(old.id.clone()), &mut draft);
        let created = draft.push(event);
        let end = now.saturating_add_micros(self.overlap.max(0));
        let expires_at = old.expires_at.map_or(end, |expiry| expiry.min(end));
        let event = old.event(&mut draft, "runner.key.rotated", &RunnerKeyRotated { expires_at, replaced_by: self.id });
        draft.entail(&created, event);
        Ok(draft.events)
    }
}

/// A runner that registers; its id was drawn by the caller.
#[derive(Debug, Clone)]
pub struct RegisterRunner {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The public half of its key pair, in base64.
    pub public_key: String,
    /// Where it runs.
    pub hostname: Option<String>,
    /// Its version.
    pub version: Option<String>,
}

impl RegisterRunner {
    /// Decides whether it may, with `key`; `present` is the runner that has this key pair already, which registers again
    /// when it did not hear the answer.
    pub fn decide(
        self,
        key: &RunnerKeyRecord,
        present: Option<&RunnerRecord>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        let mut draft = Draft::new(context);
        let now = draft.context.now;
        if let Some(present) = present {
            let again = present.key_id.as_deref() == Some(key.id.as_str()) && present.revoked_at.is_none();
            return if again { Ok(Vec::new()) } else { Err(Refusal::conflict("a runner has this key pair already")) };
        }
        if let Some(reason) = key.refusal(now) {
            return Err(Refusal::Forbidden(reason.to_owned()));
        }
        decision::name("name", &self.name, decision::MAX_NAME)?;
        for (field, text) in [("hostname", &self.hostname), ("version", &self.version)] {
            text.iter().try_for_each(|text| decision::name(field, text, 253))?;
        }
        check_public_key(&self.public_key)?;
        let micros = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND);
        let payload = Runner {
            expires_at: key.runner_seconds.map(|seconds| now.saturating_add_micros(micros(seconds))),
            hostname: self.hostname,
            key_id: Some(key.id.clone()),
            owner_id: key.owner_id.clone(),
            public_key: Some(self.public_key),
            tags: lines(&key.tags),
            version: self.version,
        };
        let resource = Resource::new("runner", &self.id).named(&self.name);
        let mut event = draft.event("runner.registered", resource, &payload);
        event.organization = Some(key.organization.clone());
        let registered = draft.push(event);
        let event = key.event(&mut draft, "runner.key.used", &RunnerKeyUsed { runner_id: self.id });
        draft.entail(&registered, event);
        Ok(draft.events)
    }
}
