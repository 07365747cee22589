//! Runners and the keys that register them: who takes builds, of which organization, and until when.
//!
//! A runner makes its own key pair; the server knows the public half alone. A runner key lets it register, once or again
//! and again, and says which organization and tags its runners have.
//!
//! INVARIANT: a runner is of its key's organization, with its key's tags, for good; one that was revoked never comes back.

mod keys;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use keys::{CreateRunnerKey, RegisterRunner, RotateRunnerKey, RunnerKeyRecord};

use crate::decision::{Context, Draft, Refusal};
use crate::event::{Event, Outcome, Resource};
use crate::events::Bare;
use crate::events::runners::{Runner, RunnerIdentity, RunnerRefused};
use crate::time::Timestamp;

/// Most tags of a runner.
pub const MOST_TAGS: usize = 50;
/// Length of a public key in base64: 32 bytes.
const PUBLIC_KEY: usize = 44;

/// Where a runner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnerStatus {
    /// It has registered, and asked for nothing yet.
    Registered,
    /// It asks for jobs, or has some.
    Connected,
    /// It was not heard of for a while.
    Lost,
    /// It may not do anything any more.
    Revoked,
}

impl RunnerStatus {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Connected => "connected",
            Self::Lost => "lost",
            Self::Revoked => "revoked",
        }
    }

    /// Looks a status up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Registered, Self::Connected, Self::Lost, Self::Revoked];
        all.into_iter().find(|status| status.as_str() == name)
    }
}

/// A runner as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerRecord {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Name of its organization.
    pub organization: String,
    /// Id of the user whose workspaces alone it builds.
    pub owner_id: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The public half of its key pair, in base64.
    pub public_key: String,
    /// Id of the runner key that it was registered with.
    pub key_id: Option<String>,
    /// Where it runs.
    pub hostname: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Where it is.
    pub status: RunnerStatus,
    /// When it registered.
    pub registered_at: Timestamp,
    /// When it is no longer accepted.
    pub expires_at: Option<Timestamp>,
    /// When it last connected.
    pub connected_at: Option<Timestamp>,
    /// When it was lost.
    pub lost_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl RunnerRecord {
    /// It as the resource of an event.
    pub fn resource(&self) -> Resource {
        Resource::new("runner", &self.id).named(&self.name)
    }

    /// Why it is not accepted at `now`.
    pub fn refusal(&self, now: Timestamp) -> Option<&'static str> {
        if self.revoked_at.is_some() {
            return Some("the runner was revoked");
        }
        self.expires_at.is_some_and(|at| at <= now).then_some("the time of the runner is over")
    }

    /// Whether a job may go to it, as far as tags and owner say: one without tags only to a runner without, any other to one
    /// that has all its tags.
    pub fn suits(&self, tags: &BTreeMap<String, String>, owner: Option<&str>) -> bool {
        self.owner_id.as_deref().is_none_or(|own| owner == Some(own)) && suits(&self.tags, tags)
    }

    fn event(&self, draft: &mut Draft, event_type: &str, data: &impl serde::Serialize) -> Event {
        let mut event = draft.event(event_type, self.resource(), data);
        event.organization = Some(self.organization.clone());
        event
    }

    fn exists(&self) -> Result<(), Refusal> {
        if self.revoked_at.is_some() { Err(Refusal::conflict("the runner is revoked already")) } else { Ok(()) }
    }

    /// Decides that it may not do anything any more; `cause` is the event that entails it.
    pub fn revoke(&self, reason: Option<String>, cause: Option<&str>, context: Context) -> Result<Vec<Event>, Refusal> {
        self.exists()?;
        let mut draft = Draft::new(context);
        let mut event = self.event(&mut draft, "runner.revoked", &Bare {});
        event.reason = reason;
        event.causation = cause.map(str::to_owned);
        draft.push(event);
        Ok(draft.events)
    }

    /// Decides whether it may sign with another key pair from now on.
    pub fn rotate(&self, public_key: &str, context: Context) -> Result<Vec<Event>, Refusal> {
        self.exists()?;
        check_public_key(public_key)?;
        let mut draft = Draft::new(context);
        if self.public_key != public_key {
            let payload = RunnerIdentity { public_key: public_key.to_owned() };
            let event = self.event(&mut draft, "runner.identity.rotated", &payload);
            draft.push(event);
        }
        Ok(draft.events)
    }

    /// Records that it is there, if it was not.
    pub fn connect(&self, version: Option<String>, context: Context) -> Vec<Event> {
        let there = self.status == RunnerStatus::Connected && (version.is_none() || version == self.version);
        if self.revoked_at.is_some() || there {
            return Vec::new();
        }
        let mut draft = Draft::new(context);
        let payload = Runner {
            hostname: self.hostname.clone(),
            tags: lines(&self.tags),
            version: version.or_else(|| self.version.clone()),
            ..Runner::default()
        };
        let event = self.event(&mut draft, "runner.connected", &payload);
        draft.push(event);
        draft.events
    }

    /// Records that it was not heard of, if it was there.
    pub fn lose(&self, reason: String, context: Context) -> Vec<Event> {
        if self.status != RunnerStatus::Connected {
            return Vec::new();
        }
        let mut draft = Draft::new(context);
        let mut event = self.event(&mut draft, "runner.lost", &Bare {});
        event.reason = Some(reason);
        draft.push(event);
        draft.events
    }

    /// Records that it, or someone with its key or its requests, was stopped.
    pub fn refused(&self, reason: String, request: &RunnerRefused, context: Context) -> Event {
        let mut draft = Draft::new(context);
        let mut event = self.event(&mut draft, "runner.refused", request);
        event.outcome = Outcome::Denied;
        event.reason = Some(reason);
        event
    }
}

/// Whether a job with these tags may go to a runner with those: one without only to a runner without, any other to one that
/// has all of them.
pub fn suits(runner: &BTreeMap<String, String>, job: &BTreeMap<String, String>) -> bool {
    if job.is_empty() {
        return runner.is_empty();
    }
    job.iter().all(|(name, value)| runner.get(name) == Some(value))
}

/// Tags as events have them: `name=value`.
pub fn lines(tags: &BTreeMap<String, String>) -> Vec<String> {
    tags.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// Tags of an event.
pub fn tags(lines: &[String]) -> BTreeMap<String, String> {
    let pair = |line: &String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    lines.iter().filter_map(pair).collect()
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let clean = |text: &str| text.chars().all(|character| !character.is_control());
    let fits = |name: &str, value: &str| {
        (1..=128).contains(&name.len()) && !name.contains('=') && value.len() <= 256 && clean(name) && clean(value)
    };
    if tags.len() > MOST_TAGS || !tags.iter().all(|(name, value)| fits(name, value)) {
        return Err(Refusal::invalid("tags", format!("has at most {MOST_TAGS} short tags, no `=` in their names")));
    }
    Ok(())
}

fn check_public_key(key: &str) -> Result<(), Refusal> {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    if key.len() == PUBLIC_KEY && key.bytes().all(base64) {
        return Ok(());
    }
    Err(Refusal::invalid("public_key", "must be the 32 bytes of an Ed25519 public key in base64"))
}
