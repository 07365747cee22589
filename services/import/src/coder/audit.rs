//! From Coder's (resource type, action) to the catalogue's types.
//!
//! What has no counterpart keeps its own name, `coder.<resource_type>.<action>`. That includes
//! * everything that failed, except sign-ins and builds: "user created" must not be said of a user that was not;
//! * API keys and template versions: Coder's audit log lacks what the catalogue requires of them (digests).
//!   Keys of another system must never look like tokens of this one.

use chancery_domain::{Actor, ActorKind, Change, Event, Outcome, Resource};
use serde_json::{Map, Value, json};

use super::SOURCE;
use super::record::AuditRecord;
use crate::{Format, Parsed, shape};

/// Reads an element of `audit_logs` or a log line.
pub(crate) fn audit(text: &str) -> Result<Parsed, String> {
    let json: Value = serde_json::from_str(text).map_err(|error| format!("is not valid JSON: {error}"))?;
    if json.get("audit_logs").is_some_and(Value::is_null) {
        return Ok(Parsed::Ignored("an empty page"));
    }
    let record = match (json.get("msg").and_then(Value::as_str), json.get("fields")) {
        (Some("audit_log"), Some(fields)) => AuditRecord::read(fields)?,
        (Some(_), _) => return Ok(Parsed::Ignored("a log line that is no audit record")),
        _ => AuditRecord::read(&json)?,
    };
    let mut facts = facts(&record);
    if facts.is_empty() {
        facts.push(foreign(&record));
    }
    let finished = facts.into_iter().enumerate().map(|(index, fact)| {
        let event = event(&record, fact, index);
        shape::finish(event, Format::CoderAudit, text.len(), shrink)
    });
    finished.collect::<Result<Vec<_>, _>>().map(Parsed::Imported)
}

/// What a record says in terms of the catalogue.
struct Fact {
    event_type: String,
    resource: Resource,
    payload: Value,
}

impl Fact {
    fn new(event_type: &str, resource: Resource, payload: Value) -> Self {
        Self { event_type: event_type.to_owned(), resource, payload }
    }
}

fn event(record: &AuditRecord, fact: Fact, index: usize) -> Event {
    let id = if index == 0 { record.id.clone() } else { format!("{}:{}", record.id, index + 1) };
    let mut event = Event::new(&fact.event_type, id, SOURCE, record.time, actor(record), fact.resource);
    event.outcome = outcome(record.status_code);
    event.organization.clone_from(&record.organization);
    event.correlation.clone_from(&record.request_id);
    event.changes.clone_from(&record.changes);
    let mut data = Map::new();
    if let Value::Object(payload) = fact.payload {
        data.extend(payload.into_iter().filter(|(_, value)| !value.is_null()));
    }
    let coder = json!({
        "action": record.action,
        "additional_fields": record.fields,
        "resource_id": record.resource_id,
        "resource_type": record.resource_type,
        "status_code": record.status_code,
    });
    data.insert("coder".to_owned(), shape::bounded(coder));
    event.data = Value::Object(data);
    event
}

fn outcome(status_code: u64) -> Outcome {
    match status_code {
        401 | 403 => Outcome::Denied,
        400.. => Outcome::Failure,
        _ => Outcome::Success,
    }
}

fn actor(record: &AuditRecord) -> Actor {
    let automatic = record.field("automatic_actor");
    let kind = match (record.field("automatic_subsystem").as_deref(), &automatic, &record.user_id) {
        (Some("scim"), ..) => ActorKind::Idp,
        (_, Some(_), _) | (_, _, None) => ActorKind::System,
        _ => ActorKind::User,
    };
    let name = record.username.clone().or_else(|| automatic.clone());
    Actor {
        id: record.user_id.clone().or(automatic).unwrap_or_else(|| "unknown".to_owned()),
        email: record.email.clone(),
        ip: record.ip,
        kind,
        name,
        user_agent: record.user_agent.clone(),
        ..Actor::default()
    }
}

fn foreign(record: &AuditRecord) -> Fact {
    let event_type = format!("coder.{}.{}", record.resource_type, record.action);
    Fact::new(&event_type, resource(record, &record.resource_type), Value::Null)
}

fn resource(record: &AuditRecord, kind: &str) -> Resource {
    let id = record.resource_id.clone().unwrap_or_else(|| shape::id(&record.target));
    let resource = Resource::new(kind, id);
    if record.target.is_empty() { resource } else { resource.named(&record.target) }
}

/// The facts of the catalogue in a record; none when it has no counterpart.
fn facts(record: &AuditRecord) -> Vec<Fact> {
    let succeeded = record.status_code < 400;
    let one =
        |event_type: &str, kind: &str, payload: Value| vec![Fact::new(event_type, resource(record, kind), payload)];
    match (record.resource_type.as_str(), record.action.as_str()) {
        (_, "login") => sign_in(record, succeeded),
        ("workspace_build", _) => build(record, succeeded).into_iter().collect(),
        _ if !succeeded => Vec::new(),
        // The resource id of an API key is the id of its user.
        (_, "logout") => vec![Fact::new("user.logout", user_of_key(record), Value::Null)],
        ("user", "create") => {
            let payload = json!({ "username": record.target, "email": record.new_text("email"), "display_name": record.new_text("name") });
            one("user.created", "user", payload)
        }
        ("user", "write") => user_written(record),
        ("user", "delete") => one("user.deleted", "user", Value::Null),
        ("group", "create") => one("group.created", "group", group(record, Some(&record.target))),
        ("group", "write") => group_written(record),
        ("group", "delete") => one("group.deleted", "group", Value::Null),
        ("organization", "create") => one("organization.created", "organization", organization(record)),
        ("organization", "write") => one("organization.updated", "organization", organization(record)),
        ("organization_member", "write") => roles(record, "roles", record.organization.as_deref()),
        ("template", "create") => one("template.created", "template", template(record, Some(&record.target))),
        ("template", "write") => template_written(record),
        ("template", "delete") => one("template.deleted", "template", Value::Null),
        ("workspace", "create") => {
            let payload =
                json!({ "owner_id": record.new_text("owner_id"), "template_id": record.new_text("template_id") });
            one("workspace.created", "workspace", payload)
        }
        ("workspace", "write") if record.new_text("dormant_at").is_some() => {
            one("workspace.dormant", "workspace", Value::Null)
        }
        ("workspace", "delete") => one("workspace.deleted", "workspace", Value::Null),
        (section, "write") if section.contains("settings") => {
            // Settings get a random resource id with every write.
            vec![Fact::new("settings.changed", Resource::new("settings", section), json!({ "section": section }))]
        }
        _ => Vec::new(),
    }
}

fn user_of_key(record: &AuditRecord) -> Resource {
    let id = record.resource_id.as_ref().or(record.user_id.as_ref());
    let resource = Resource::new("user", id.map_or("unknown", String::as_str));
    match record.username.as_ref() {
        Some(name) => resource.named(name),
        None => resource,
    }
}

fn sign_in(record: &AuditRecord, succeeded: bool) -> Vec<Fact> {
    let event_type = if succeeded { "user.login.succeeded" } else { "user.login.failed" };
    let method = record.new_text("login_type").unwrap_or_else(|| "unknown".to_owned());
    vec![Fact::new(event_type, user_of_key(record), json!({ "method": method, "target": "coder" }))]
}

fn user_written(record: &AuditRecord) -> Vec<Fact> {
    let user = |event_type: &str, payload: Value| Fact::new(event_type, resource(record, "user"), payload);
    let mut facts = roles(record, "rbac_roles", None);
    let old_status = record.change("status").and_then(|change| change.old.as_ref()?.as_str());
    match (old_status, record.new_text("status").as_deref()) {
        (_, Some("suspended")) => facts.push(user("user.suspended", Value::Null)),
        (Some("suspended"), Some("active")) => facts.push(user("user.reactivated", Value::Null)),
        _ => {}
    }
    let [username, email, display_name] = ["username", "email", "name"].map(|field| record.new_text(field));
    if facts.is_empty() || username.is_some() || email.is_some() || display_name.is_some() {
        let payload = json!({ "username": username, "email": email, "display_name": display_name });
        facts.push(user("user.updated", payload));
    }
    facts
}

/// Roles given and taken, one fact each.
fn roles(record: &AuditRecord, field: &str, organization: Option<&str>) -> Vec<Fact> {
    let Some(change) = record.change(field) else { return Vec::new() };
    let fact = |event_type: &str, role: String| {
        Fact::new(event_type, resource(record, "user"), json!({ "role": role, "organization": organization }))
    };
    let (gone, come) = difference(change, |role| role.as_str().or_else(|| role.get("name")?.as_str()));
    let revoked = gone.into_iter().map(|role| fact("role.revoked", role));
    revoked.chain(come.into_iter().map(|role| fact("role.assigned", role))).collect()
}

fn group(record: &AuditRecord, name: Option<&str>) -> Value {
    let allowance = record.change("quota_allowance").and_then(|change| change.new.as_ref()?.as_u64());
    json!({
        "name": name.map(str::to_owned).or_else(|| record.new_text("name")),
        "display_name": record.new_text("display_name"),
        "quota_allowance": allowance.and_then(|allowance| u32::try_from(allowance).ok()),
    })
}

fn group_written(record: &AuditRecord) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(members) = record.change("members") {
        let user_id = |member: &'_ Value| -> Option<String> {
            member.as_str().or_else(|| member.get("user_id")?.as_str()).map(str::to_owned)
        };
        let names = user_names(members, user_id);
        let mut fact = |event_type: &str, id: String| {
            let payload = json!({ "user_name": names.get(&id), "user_id": id });
            facts.push(Fact::new(event_type, resource(record, "group"), payload));
        };
        let (gone, come) = difference(members, |member| member.as_str().or_else(|| member.get("user_id")?.as_str()));
        for id in gone {
            fact("group.member.removed", id);
        }
        for id in come {
            fact("group.member.added", id);
        }
    }
    if facts.is_empty() || record.changes.iter().any(|change| change.path != "members") {
        facts.push(Fact::new("group.updated", resource(record, "group"), group(record, None)));
    }
    facts
}

/// Login names of the members on either side of a change, by user id.
fn user_names(change: &Change, user_id: impl Fn(&Value) -> Option<String>) -> Map<String, Value> {
    let sides = [&change.old, &change.new].into_iter().flatten().filter_map(Value::as_array).flatten();
    sides.filter_map(|member| Some((user_id(member)?, member.get("username")?.clone()))).collect()
}

/// What is only in the old list, and what is only in the new one.
fn difference(change: &Change, name: impl Fn(&Value) -> Option<&str>) -> (Vec<String>, Vec<String>) {
    let list = |side: &Option<Value>| -> Vec<String> {
        let items = side.as_ref().and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| name(item).map(str::to_owned)).collect()
    };
    let (old, new) = (list(&change.old), list(&change.new));
    let gone = old.iter().filter(|item| !new.contains(item)).cloned().collect();
    let come = new.iter().filter(|item| !old.contains(item)).cloned().collect();
    (gone, come)
}

fn organization(record: &AuditRecord) -> Value {
    let name = record.new_text("name").unwrap_or_else(|| record.target.clone());
    json!({ "name": name, "display_name": record.new_text("display_name") })
}

fn template(record: &AuditRecord, name: Option<&str>) -> Value {
    json!({
        "name": name.map(str::to_owned).or_else(|| record.new_text("name")),
        "display_name": record.new_text("display_name"),
        "description": record.new_text("description"),
    })
}

fn template_written(record: &AuditRecord) -> Vec<Fact> {
    let fact = |event_type: &str, payload: Value| Fact::new(event_type, resource(record, "template"), payload);
    let mut facts = Vec::new();
    if let Some(version) = record.new_text("active_version_id") {
        facts.push(fact("template.version.promoted", json!({ "version_id": version })));
    }
    if let Some(message) = record.new_text("deprecated") {
        facts.push(fact("template.deprecated", json!({ "message": message })));
    }
    let others = record.changes.iter().any(|c| !matches!(c.path.as_str(), "active_version_id" | "deprecated"));
    if facts.is_empty() || others {
        facts.push(fact("template.updated", template(record, None)));
    }
    facts
}

/// A build is about its workspace, which older records name but do not identify.
fn build(record: &AuditRecord, succeeded: bool) -> Option<Fact> {
    if !matches!(record.action.as_str(), "start" | "stop" | "delete") {
        return None;
    }
    let build_number: u32 = record.field("build_number")?.parse().ok()?;
    let name = record.field("workspace_name");
    let owner = record.field("workspace_owner");
    let id = record
        .field("workspace_id")
        .filter(|id| id != super::NIL)
        .or_else(|| Some(shape::id(&format!("{}/{}", owner.as_deref().unwrap_or("unknown"), name.as_deref()?))))?;
    let mut resource = Resource::new("workspace", id);
    resource.name = name;
    resource.owner = owner;
    let event_type = if succeeded { "workspace.build.succeeded" } else { "workspace.build.failed" };
    let payload = json!({
        "build_number": build_number,
        "cause": record.field("build_reason"),
        "template_version": record.new_text("template_version_id"),
        "transition": record.action,
    });
    Some(Fact::new(event_type, resource, payload))
}

/// Drops the values of the changes, then Coder's additional fields.
fn shrink(event: &mut Event, step: usize) -> bool {
    match step {
        0 => {
            for value in event.changes.iter_mut().flat_map(|change| [&mut change.old, &mut change.new]).flatten() {
                *value = shape::truncated(value);
            }
        }
        1 => event.data["coder"]["additional_fields"] = shape::truncated(&event.data["coder"]["additional_fields"]),
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(record: &Value) -> Vec<Event> {
        match audit(&record.to_string()).unwrap() {
            Parsed::Imported(events) => events,
            other => panic!("{other:?}"),
        }
    }

    fn page_record(resource_type: &str, action: &str, diff: &Value) -> Value {
        json!({
            "id": "a-1", "request_id": "r-1", "time": "2026-01-31T09:00:00.123456Z", "ip": "192.0.2.1",
            "organization": {"id": "o-1", "name": "acme"}, "user_agent": "curl", "resource_type": resource_type,
            "resource_id": "x-1", "resource_target": "thing", "action": action, "diff": diff, "status_code": 200,
            "additional_fields": {}, "user": {"id": "u-1", "username": "ada", "email": "ada@acme.example"}
        })
    }

    fn types(record: &Value) -> Vec<String> {
        events(record).into_iter().map(|event| event.event_type).collect()
    }

    #[test]
    fn a_change_of_roles_and_status_becomes_facts_of_their_own() {
        let diff = json!({
            "rbac_roles": {"old": ["auditor"], "new": ["owner"], "secret": false},
            "status": {"old": "active", "new": "suspended", "secret": false},
            "hashed_password": {"old": "", "new": "", "secret": true}
        });
        let events = events(&page_record("user", "write", &diff));
        let types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
        assert_eq!(types, ["role.revoked", "role.assigned", "user.suspended"]);
        assert_eq!(events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["a-1", "a-1:2", "a-1:3"]);
        let secret = events[0].changes.iter().find(|change| change.path == "hashed_password").unwrap();
        assert!(secret.secret && secret.old.is_none() && secret.new.is_none());
    }

    #[test]
    fn members_are_compared() {
        let diff = json!({"members": {"old": [{"user_id": "u-2", "username": "bob"}],
                                      "new": [{"user_id": "u-3", "username": "eve"}]}});
        let events = events(&page_record("group", "write", &diff));
        assert_eq!(events[0].event_type, "group.member.removed");
        assert_eq!((&events[1].data["user_id"], &events[1].data["user_name"]), (&json!("u-3"), &json!("eve")));
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn what_failed_keeps_its_own_name_and_api_keys_never_look_like_tokens() {
        let mut record = page_record("user", "create", &json!({}));
        assert_eq!(types(&record), ["user.created"]);
        record["status_code"] = json!(403);
        assert_eq!(types(&record), ["coder.user.create"]);
        assert_eq!(events(&record)[0].outcome, Outcome::Denied);
        assert_eq!(types(&page_record("api_key", "create", &json!({}))), ["coder.api_key.create"]);
        assert_eq!(types(&page_record("api_key", "login", &json!({}))), ["user.login.succeeded"]);
        assert_eq!(types(&page_record("health_settings", "write", &json!({}))), ["settings.changed"]);
        assert_eq!(
            types(&page_record("template", "write", &json!({"active_version_id": {"old": "", "new": "v-2"}}))),
            ["template.version.promoted"]
        );
    }

    #[test]
    fn a_log_line_says_the_same_as_a_page() {
        let line = json!({
            "ts": "2026-01-31T09:00:00Z", "level": "INFO", "msg": "audit_log", "logger_names": ["coderd"],
            "fields": {
                "ID": "a-9", "Time": "2026-01-31T09:00:00Z", "UserID": "u-1", "OrganizationID": super::super::NIL,
                "Ip": "{IPNet:{IP:192.0.2.9 Mask:ffffffff} Valid:true}", "UserAgent": "{String: Valid:false}",
                "ResourceType": "workspace_build", "ResourceID": "b-1", "ResourceTarget": "", "Action": "stop",
                "Diff": {}, "StatusCode": 200, "RequestID": "r-2",
                "AdditionalFields": {"workspace_name": "dev", "build_number": "9", "build_reason": "autostop",
                                     "workspace_id": "w-1", "workspace_owner": "ada"},
                "actor": {"id": "u-1", "email": "ada@acme.example", "username": "ada"}
            }
        });
        let event = &events(&line)[0];
        assert_eq!((event.event_type.as_str(), event.stream.as_str()), ("workspace.build.succeeded", "workspace/w-1"));
        assert_eq!((&event.data["build_number"], &event.data["transition"]), (&json!(9), &json!("stop")));
        assert_eq!(event.actor.ip, "192.0.2.9".parse().ok());
        assert_eq!((event.actor.name.as_deref(), &event.actor.user_agent), (Some("ada"), &None));
        assert!(matches!(audit(r#"{"msg":"started","fields":{}}"#), Ok(Parsed::Ignored(_))));
    }
}
