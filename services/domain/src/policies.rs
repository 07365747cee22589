//! Policies: every publication is the next version; texts are checked by who evaluates them.

use crate::decision::{self, Context, Draft, Refusal};
use crate::directory::PolicyVersion;
use crate::event::{Event, Resource};
use crate::events::Bare;
use crate::events::policy::PolicyPublished;

/// Longest text of a policy, in bytes: an event must hold it.
pub const MAX_TEXT: usize = 32_768;

/// A policy's next version.
#[derive(Debug, Clone)]
pub struct PublishPolicy {
    /// Id of the policy.
    pub id: String,
    /// Its Cedar text.
    pub text: String,
    /// Lower-case hex SHA-256 of the text.
    pub sha256: String,
}

impl PublishPolicy {
    /// Decides what changes: nothing if the text applies already. `latest` is the policy's last version, in effect or
    /// not.
    pub fn decide(self, latest: Option<&PolicyVersion>, context: Context) -> Result<Vec<Event>, Refusal> {
        decision::slug("id", &self.id)?;
        if self.text.trim().is_empty() || self.text.len() > MAX_TEXT {
            return Err(Refusal::invalid("text", format!("must have 1 to {MAX_TEXT} bytes")));
        }
        let mut draft = Draft::new(context);
        if latest.is_some_and(|latest| latest.withdrawn_at.is_none() && latest.sha256 == self.sha256) {
            return Ok(draft.events);
        }
        let version = latest.map_or(0, |latest| latest.version) + 1;
        let payload = PolicyPublished { sha256: self.sha256, text: Some(self.text), version };
        let event = draft.event("policy.published", Resource::new("policy", &self.id).named(&self.id), &payload);
        draft.push(event);
        Ok(draft.events)
    }
}

impl PolicyVersion {
    /// Decides whether the policy can stop applying.
    pub fn withdraw(&self, context: Context) -> Result<Vec<Event>, Refusal> {
        if self.withdrawn_at.is_some() {
            return Err(Refusal::Unknown("policy in effect"));
        }
        let mut draft = Draft::new(context);
        let event = draft.event("policy.withdrawn", Resource::new("policy", &self.id).named(&self.id), &Bare {});
        draft.push(event);
        Ok(draft.events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::tests::{context, told};
    use crate::time::Timestamp;

    fn publish(text: &str) -> PublishPolicy {
        PublishPolicy { id: "no-exports".into(), text: text.into(), sha256: text.into() }
    }

    #[test]
    fn versions_count_up_across_withdrawals() {
        let events = publish("a").decide(None, context(1)).unwrap();
        assert_eq!(
            (told(&events), &events[0].data["version"]),
            (vec!["policy.published no-exports".into()], &1.into())
        );
        let latest = PolicyVersion {
            id: "no-exports".into(),
            version: 4,
            text: "a".into(),
            sha256: "a".into(),
            published_at: Timestamp::EPOCH,
            withdrawn_at: None,
        };
        assert_eq!(publish("a").decide(Some(&latest), context(1)), Ok(vec![]));
        assert_eq!(publish("b").decide(Some(&latest), context(1)).unwrap()[0].data["version"], 5);
        assert_eq!(told(&latest.withdraw(context(1)).unwrap()), ["policy.withdrawn no-exports"]);
        let withdrawn = PolicyVersion { withdrawn_at: Some(Timestamp::EPOCH), ..latest };
        assert_eq!(publish("a").decide(Some(&withdrawn), context(1)).unwrap()[0].data["version"], 5);
        assert!(withdrawn.withdraw(context(1)).is_err());
    }

    #[test]
    fn a_policy_has_a_name_and_a_text() {
        assert!(matches!(publish(" ").decide(None, context(1)), Err(Refusal::Invalid { field: "text", .. })));
        let nameless = PublishPolicy { id: "No exports".into(), ..publish("a") };
        assert!(matches!(nameless.decide(None, context(1)), Err(Refusal::Invalid { field: "id", .. })));
    }
}
