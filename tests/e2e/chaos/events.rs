//! What clients write. The number of an event is in its id, and grows along every stream of a writer.

use serde_json::{Value, json};

/// Where all of it comes from.
pub(super) const SOURCE: &str = "/chaos";
/// The streams that probes write to: many at once, in no order.
pub(super) const PROBED: &str = "probe/";

/// Users of a writer of sign-ins.
const USERS: u64 = 5;
/// Users of a group.
const MEMBERS: u64 = 4;
/// What happens to each user.
const STEPS: u64 = 7;

/// The nth of a writer's sign-ins.
pub(super) fn login(writer: &str, n: u64) -> Value {
    event(writer, n, "user.login.succeeded", &format!("user/{writer}-{}", n % USERS), &json!({"method": "oidc"}))
}

/// The nth of a writer's changes to users and groups: one user after the other comes, is changed, and goes.
pub(super) fn change(writer: &str, n: u64) -> Value {
    let number = n / STEPS;
    let user = format!("{writer}-{number}");
    let group = format!("{writer}-{}", number / MEMBERS);
    let member = json!({"user_id": user, "user_name": user});
    let (event_type, kind, details) = match n % STEPS {
        0 => ("user.created", "user", json!({"username": user, "roles": ["member"]})),
        1 if number.is_multiple_of(MEMBERS) => ("group.created", "group", json!({"name": group, "quota_allowance": 4})),
        1 => ("group.updated", "group", json!({"quota_allowance": number % 90})),
        2 => ("group.member.added", "group", member),
        3 => ("user.updated", "user", json!({"email": format!("{user}@example.com")})),
        4 => ("user.suspended", "user", json!({})),
        5 => ("user.reactivated", "user", json!({})),
        _ if number.is_multiple_of(2) => ("group.member.removed", "group", member),
        _ => ("user.updated", "user", json!({"display_name": format!("User {number}")})),
    };
    let id = if kind == "user" { user } else { group };
    event(writer, n, event_type, &format!("{kind}/{id}"), &details)
}

/// The nth event of a probe.
pub(super) fn probe(name: &str, n: u64) -> Value {
    event(name, n, "com.example.probe", &format!("{PROBED}{name}"), &json!({}))
}

fn event(writer: &str, n: u64, event_type: &str, subject: &str, details: &Value) -> Value {
    json!({
        "specversion": "1.0",
        "id": format!("{writer}-{n}"),
        "source": SOURCE,
        "type": event_type,
        // One that a repetition has, too.
        "time": format!("2026-03-01T{:02}:{:02}:{:02}Z", n / 3600 % 24, n / 60 % 60, n % 60),
        "subject": subject,
        "data": {"actor": {"id": writer, "kind": "service"}, "details": details}
    })
}
