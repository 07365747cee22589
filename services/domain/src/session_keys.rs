//! The keys that tickets and certificates are signed with: made once, replaced with an overlap.
//!
//! No event holds a private key. What is signed with a key is believed from the moment the key is on record until it is
//! retired and its overlap is over.

use crate::decision::{Context, Draft, Refusal};
use crate::event::{Event, Resource};
use crate::events::sessions::{HostCertified, KeyPurpose, SigningKeyCreated, SigningKeyRetired};
use crate::time::Timestamp;

/// Longest time that a key is known before it signs, or believed after, in seconds: 90 days.
pub const MAX_OVERLAP: u64 = 90 * 86_400;

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its id, from which and the deployment's secret the key follows.
    pub id: String,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// The public key, as OpenSSH writes it.
    pub public_key: String,
    /// When it came to be.
    pub created_at: Timestamp,
    /// From when it signs.
    pub signs_from: Timestamp,
    /// Until when it is believed, once it is retired.
    pub trusted_until: Option<Timestamp>,
}

impl SigningKey {
    /// Whether what it signed is believed.
    pub fn is_trusted_at(&self, now: Timestamp) -> bool {
        self.trusted_until.is_none_or(|until| now < until)
    }

    /// Whether it may sign.
    pub fn may_sign_at(&self, now: Timestamp) -> bool {
        self.signs_from <= now && self.is_trusted_at(now)
    }

    fn resource(&self) -> Resource {
        Resource::new("signing-key", &self.id).named(self.purpose.as_str())
    }
}

/// A new key takes the place of those before it.
#[derive(Debug, Clone)]
pub struct ReplaceKey {
    /// Its id.
    pub id: String,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// The public key, as OpenSSH writes it.
    pub public_key: String,
    /// Seconds that it is known before it signs.
    pub lead: u64,
    /// Seconds that those before are believed after it signs.
    pub overlap: u64,
}

impl ReplaceKey {
    /// Decides; `keys` are all there are of this purpose.
    pub fn decide(self, keys: &[SigningKey], context: Context) -> Result<Vec<Event>, Refusal> {
        if self.lead > MAX_OVERLAP || self.overlap > MAX_OVERLAP {
            return Err(Refusal::invalid("overlap_seconds", format!("must be at most {MAX_OVERLAP}")));
        }
        let mut draft = Draft::new(context);
        let now = draft.context.now;
        let signs_from = later(now, self.lead);
        let payload = SigningKeyCreated { public_key: self.public_key, purpose: self.purpose, signs_from };
        let resource = Resource::new("signing-key", &self.id).named(self.purpose.as_str());
        let event = draft.event("session.key.created", resource, &payload);
        let created = draft.push(event);
        for key in keys.iter().filter(|key| key.purpose == self.purpose && key.trusted_until.is_none()) {
            let payload = SigningKeyRetired { purpose: key.purpose, trusted_until: later(signs_from, self.overlap) };
            let event = draft.event("session.key.retired", key.resource(), &payload);
            draft.entail(&created, event);
        }
        Ok(draft.events)
    }
}

/// A host has got a certificate.
pub fn certified(
    host: Resource,
    organization: Option<String>,
    certificate: &HostCertified,
    context: Context,
) -> Vec<Event> {
    let mut draft = Draft::new(context);
    let mut event = draft.event("session.host.certified", host, certificate);
    event.organization = organization;
    draft.push(event);
    draft.events
}

fn later(moment: Timestamp, seconds: u64) -> Timestamp {
    moment.saturating_add_micros(i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::tests::{context, told};

    #[test]
    fn a_new_key_takes_the_place_of_the_old_with_an_overlap() {
        let make = |lead, overlap| ReplaceKey {
            id: "new".into(),
            purpose: KeyPurpose::SshUser,
            public_key: "ssh-ed25519 AAAA".into(),
            lead,
            overlap,
        };
        let first = make(0, 0).decide(&[], context(7)).unwrap();
        assert_eq!(told(&first), ["session.key.created new"]);
        let key = |id: &str, purpose, trusted_until| SigningKey {
            id: id.into(),
            purpose,
            public_key: String::new(),
            created_at: Timestamp::EPOCH,
            signs_from: Timestamp::EPOCH,
            trusted_until,
        };
        let keys = [
            key("old", KeyPurpose::SshUser, None),
            key("gone", KeyPurpose::SshUser, Some(Timestamp::EPOCH)),
            key("other", KeyPurpose::Ticket, None),
        ];
        let events = make(10, 20).decide(&keys, context(1_000_000)).unwrap();
        assert_eq!(told(&events), ["session.key.created new", "session.key.retired old <- session.key.created"]);
        let new = SigningKey {
            signs_from: Timestamp::from_micros(11_000_000).unwrap(),
            ..key("new", KeyPurpose::SshUser, None)
        };
        assert_eq!(events[0].data["signs_from"], serde_json::json!(new.signs_from));
        let until = Timestamp::from_micros(31_000_000).unwrap();
        assert_eq!(events[1].data["trusted_until"], serde_json::json!(until));
        let old = key("old", KeyPurpose::SshUser, Some(until));
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).unwrap();
        assert!(!new.may_sign_at(at(10)) && new.is_trusted_at(at(10)) && new.may_sign_at(at(11)));
        assert!(old.may_sign_at(at(10)) && old.is_trusted_at(at(30)) && !old.is_trusted_at(at(31)));
        assert!(make(MAX_OVERLAP + 1, 0).decide(&[], context(1)).is_err());
    }
}
