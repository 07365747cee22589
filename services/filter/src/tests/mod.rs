//! Tests of the language as a whole.

mod coder;
mod documentation;
mod mistakes;
mod properties;
mod semantics;

use chancery_domain::{Actor, Change, Event, Imported, Outcome, PolicyReference, Resource, Timestamp};
use serde_json::json;

use crate::{Context, Filter};

/// A Monday noon in Berlin, asked by Alice.
fn context() -> Context {
    Context { me: Some("Alice".to_owned()), ..Context::new(time("2026-03-30T10:00:00Z")) }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[track_caller]
fn parse(text: &str) -> Filter {
    Filter::parse(text, &context()).unwrap_or_else(|error| panic!("{}", error.render(text)))
}

/// An event with a value in every column.
fn event() -> Event {
    let actor = Actor {
        email: Some("Alice@Example.com".to_owned()),
        groups: vec!["Platform".to_owned(), "oncall".to_owned()],
        id: "u-1".to_owned(),
        ip: Some("10.1.2.3".parse().unwrap()),
        name: Some("alice".to_owned()),
        roles: vec!["owner".to_owned()],
        session: Some("s-9".to_owned()),
        user_agent: Some("Mozilla/5.0 (X11)".to_owned()),
        ..Actor::default()
    };
    let resource = Resource::new("workspace", "w-7").named("Dev Box").owned_by("bob");
    let mut event = Event::new(
        "workspace.build.failed",
        "e-1",
        "https://chancery.test",
        time("2026-03-28T23:59:59.999999Z"),
        actor,
        resource,
    );
    event.recorded_at = time("2026-03-29T00:00:01Z");
    event.stream_version = 12;
    event.outcome = Outcome::Failure;
    event.organization = Some("Acme".to_owned());
    event.reason = Some("quota*exceeded: 50% over".to_owned());
    event.correlation = Some("r-5".to_owned());
    event.policies = vec![PolicyReference { id: "quota".to_owned(), version: 3 }];
    event.imported = Some(Imported { format: "coder-audit".to_owned(), origin: None });
    event.changes = vec![
        Change::new("email", "old@example.com", "new@example.com"),
        Change::new("limits.cpu", 4, 8),
        Change { path: "profile".to_owned(), old: None, new: Some(json!({"city": "Berlin"})), secret: false },
    ];
    event.data = json!({
        "build_number": 3, "transition": "start", "cause": "autostart", "daily_cost": 12.5, "error": null, "ok": false,
        "tags": ["Blue", "red"], "steps": [{"name": "plan", "ms": 10}, {"name": "apply", "ms": 2000}],
        "peer": "2001:db8::5", "expires_at": "2026-06-01T00:00:00Z", "a.b": {"old": "x"}, "empty": ""
    });
    event.extensions.insert("traceparent".to_owned(), json!("00-abc"));
    event
}

#[track_caller]
fn assert_matches(filter: &str) {
    assert!(parse(filter).matches(&event(), 100), "does not match: {filter}");
}

#[track_caller]
fn assert_differs(filter: &str) {
    assert!(!parse(filter).matches(&event(), 100), "matches: {filter}");
}
