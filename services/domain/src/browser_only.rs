//! Browser-only mode: a setting with its policy, and the end of the sessions that it forbids, all or nothing.

use serde_json::Value;

use crate::consequences;
use crate::decision::{Context, Draft, Refusal};
use crate::directory::PolicyVersion;
use crate::event::{Change, Event, Resource};
use crate::events::policy::SettingsChanged;
use crate::policies::PublishPolicy;
use crate::sessions::LiveSession;

/// Section of the settings.
const SECTION: &str = "browser_only";
/// Id of the policy.
const POLICY: &str = "browser-only";

/// Where browser-only mode is on, from now on.
#[derive(Debug, Clone)]
pub struct SetBrowserOnly<'a> {
    /// The setting as it is.
    pub old: Value,
    /// The setting as it will be.
    pub new: Value,
    /// Text of its policy; empty if it is on nowhere.
    pub text: String,
    /// Lower-case hex SHA-256 of the text.
    pub sha256: String,
    /// Sessions that it forbids, each with the reason.
    pub ending: &'a [(LiveSession, String)],
}

impl SetBrowserOnly<'_> {
    /// Decides what changes: nothing if it is so already. `latest` is the policy's last version, in effect or not.
    pub fn decide(self, latest: Option<&PolicyVersion>, context: Context) -> Result<Vec<Event>, Refusal> {
        let mut draft = Draft::new(context);
        let mut cause = None;
        if self.old != self.new {
            let payload = SettingsChanged { section: SECTION.to_owned(), value: Some(self.new.clone()) };
            let mut event =
                draft.event("settings.changed", Resource::new("settings", SECTION).named(SECTION), &payload);
            event.changes = changes(&self.old, &self.new);
            cause = Some(draft.push(event));
        }
        let in_effect = latest.filter(|latest| latest.withdrawn_at.is_none());
        let published = match (self.text.is_empty(), in_effect) {
            (true, None) => Vec::new(),
            (true, Some(latest)) => latest.withdraw(draft.context.clone())?,
            (false, _) => {
                let command = PublishPolicy { id: POLICY.to_owned(), text: self.text, sha256: self.sha256 };
                command.decide(latest, draft.context.clone())?
            }
        };
        for mut event in published {
            // The other decision drew its ids from a copy.
            event.id = draft.context.ids.draw();
            event.causation.clone_from(&cause);
            cause = Some(draft.push(event));
        }
        for (session, reason) in self.ending {
            consequences::end(&mut draft, cause.as_deref(), session, Some(reason));
        }
        Ok(draft.events)
    }
}

/// Member by member.
fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else { return Vec::new() };
    let differs = |(name, new): (&String, &Value)| {
        let old = before.get(name).cloned().unwrap_or_default();
        (old != *new).then(|| Change::new(name.clone(), old, new.clone()))
    };
    after.iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decision::tests::{context, told};
    use crate::events::sessions::SessionKind;
    use crate::time::Timestamp;

    fn session(open: bool) -> LiveSession {
        LiveSession {
            id: if open { "s" } else { "g" }.into(),
            kind: SessionKind::Ssh,
            user_id: "u".into(),
            user_name: None,
            workspace_id: None,
            workspace_name: None,
            organization: None,
            address: None,
            client: None,
            open,
            opened_at: None,
            granted: true,
        }
    }

    fn set(old: bool, new: bool, ending: &[(LiveSession, String)]) -> SetBrowserOnly<'_> {
        let text = if new { "forbid;" } else { "" };
        let (old, new) = (json!({"deployment": old}), json!({"deployment": new}));
        SetBrowserOnly { old, new, text: text.into(), sha256: "00".into(), ending }
    }

    #[test]
    fn turned_on_it_is_a_policy_and_ends_what_it_forbids() {
        let ending = [(session(true), "why".to_owned()), (session(false), "why".to_owned())];
        let events = set(false, true, &ending).decide(None, context(1)).unwrap();
        assert_eq!(
            told(&events),
            [
                "settings.changed browser_only",
                "policy.published browser-only <- settings.changed",
                "session.closed s <- policy.published",
                "session.revoked g <- policy.published",
            ]
        );
        assert_eq!(events[0].changes, [Change::new("deployment", false, true)]);
        let ids: std::collections::BTreeSet<&String> = events.iter().map(|event| &event.id).collect();
        assert_eq!(ids.len(), 4, "every event has an id of its own");
    }

    #[test]
    fn turned_off_the_policy_is_withdrawn_and_what_is_so_already_is_no_event() {
        let latest = PolicyVersion {
            id: POLICY.into(),
            version: 3,
            text: "forbid;".into(),
            sha256: "00".into(),
            published_at: Timestamp::EPOCH,
            withdrawn_at: None,
        };
        let events = set(true, false, &[]).decide(Some(&latest), context(1)).unwrap();
        assert_eq!(
            told(&events),
            ["settings.changed browser_only", "policy.withdrawn browser-only <- settings.changed"]
        );
        assert_eq!(set(true, true, &[]).decide(Some(&latest), context(1)), Ok(vec![]));
        assert_eq!(set(false, false, &[]).decide(None, context(1)), Ok(vec![]));
    }
}
