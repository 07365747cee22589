//! The rules that a template's workspaces live by: what they may be, and what changes.

use serde_json::{Value, json};

use super::TemplateSettings;
use crate::attributes::{self, Attributes};
use crate::decision::{self, Refusal};
use crate::event::Change;

/// Longest span: ten years.
const MAX_SECONDS: u32 = 315_360_000;
/// Highest daily cost.
const MAX_COST: u32 = 1_000_000_000;
/// Most tags that a runner must have.
const MAX_TAGS: usize = 50;
/// Longest name and value of a tag.
const MAX_TAG: usize = 100;

impl TemplateSettings {
    /// Whether they make sense.
    pub fn check(&self) -> Result<(), Refusal> {
        let invalid = |reason: String| Err(Refusal::invalid("settings", reason));
        for (name, seconds) in [
            ("default_ttl_seconds", self.default_ttl_seconds),
            ("dormant_after_seconds", self.dormant_after_seconds),
            ("dormant_deletion_seconds", self.dormant_deletion_seconds),
            ("failure_ttl_seconds", self.failure_ttl_seconds),
            ("max_ttl_seconds", self.max_ttl_seconds),
        ] {
            if seconds.is_some_and(|seconds| !(1..=MAX_SECONDS).contains(&seconds)) {
                return invalid(format!("`{name}` must be 1 to {MAX_SECONDS}; leave it out for never"));
            }
        }
        if let (Some(default), Some(most)) = (self.default_ttl_seconds, self.max_ttl_seconds)
            && default > most
        {
            return invalid("`default_ttl_seconds` is longer than `max_ttl_seconds` allows".to_owned());
        }
        if self.daily_cost.is_some_and(|cost| cost > MAX_COST) {
            return invalid(format!("`daily_cost` must be at most {MAX_COST}"));
        }
        if self.runner_tags.len() > MAX_TAGS {
            return invalid(format!("`runner_tags` has at most {MAX_TAGS}"));
        }
        for (tag, value) in &self.runner_tags {
            decision::name("settings.runner_tags", tag, MAX_TAG)?;
            decision::name("settings.runner_tags", value, MAX_TAG)?;
        }
        Ok(())
    }

    /// The same with what a merge patch (RFC 7396) says of them.
    pub fn patched(&self, patch: &Value) -> Result<Self, Refusal> {
        if !patch.is_object() {
            return Err(Refusal::invalid("settings", "must be an object"));
        }
        let mut settings = json!(self);
        merge(&mut settings, patch);
        serde_json::from_value(settings).map_err(|error| Refusal::invalid("settings", error.to_string()))
    }
}

/// What an update changes, field by field.
pub(super) fn changes(
    old: (Option<&str>, Option<&str>, &TemplateSettings),
    new: (Option<&str>, Option<&str>, &TemplateSettings),
) -> Vec<Change> {
    attributes::changes(&object(old), &object(new))
}

fn object((display_name, description, settings): (Option<&str>, Option<&str>, &TemplateSettings)) -> Attributes {
    let mut object = Attributes::new();
    for (name, text) in [("display_name", display_name), ("description", description)] {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            object.insert(name.to_owned(), text.into());
        }
    }
    object.insert("settings".to_owned(), json!(settings));
    object
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
