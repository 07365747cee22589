//! Given, when, then.

mod access;
mod lifecycle;
mod versions;

use super::*;
use crate::decision::Context;
use crate::decision::tests::context;
use crate::event::{Actor, ActorKind, Event};

fn template() -> TemplateRecord {
    TemplateRecord {
        id: "t".into(),
        name: "go".into(),
        display_name: Some("Go".into()),
        description: None,
        organization: Some("acme".into()),
        status: TemplateStatus::Active,
        deprecation: None,
        active_version: None,
        settings: TemplateSettings::default(),
        own: true,
        version: 3,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

/// Templates that nothing can be decided about, and why.
fn beyond_reach() -> [(TemplateRecord, Refusal); 2] {
    let deleted = TemplateRecord { status: TemplateStatus::Deleted, ..template() };
    let foreign = TemplateRecord { own: false, ..template() };
    let reason = "the template is another system's: it is changed there";
    [(deleted, Refusal::Unknown("template")), (foreign, Refusal::Conflict(reason.into()))]
}

/// A decision by this user.
fn by(user: &str) -> Context {
    let actor = Actor { id: user.into(), kind: ActorKind::User, ..Actor::default() };
    Context { actor, ..context(1) }
}

/// Paths with old and new value.
fn changes(event: &Event) -> Vec<String> {
    let text = |value: &Option<serde_json::Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
    event.changes.iter().map(|change| format!("{}: {} {}", change.path, text(&change.old), text(&change.new))).collect()
}
