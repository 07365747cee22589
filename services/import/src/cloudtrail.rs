//! AWS `CloudTrail` records.

use chancery_domain::{Actor, ActorKind, Event, Outcome, Resource, Timestamp};
use serde_json::{Value, json};

use crate::{Format, Parsed, shape};

/// Request parameters that name what a request is about, the more telling first.
const SUBJECTS: [&str; 28] = [
    "bucketName",
    "instanceId",
    "functionName",
    "secretId",
    "keyId",
    "roleName",
    "roleArn",
    "userName",
    "groupName",
    "policyArn",
    "policyName",
    "dBInstanceIdentifier",
    "dBSnapshotIdentifier",
    "snapshotId",
    "imageId",
    "volumeId",
    "groupId",
    "vpcId",
    "subnetId",
    "trailName",
    "logGroupName",
    "tableName",
    "queueUrl",
    "topicArn",
    "stackName",
    "clusterName",
    "resourceArn",
    "name",
];

/// Reads one record.
pub(crate) fn record(text: &str) -> Result<Parsed, String> {
    let record: Value = serde_json::from_str(text).map_err(|error| format!("is not valid JSON: {error}"))?;
    if record.get("eventName").is_none() && record.get("digestS3Object").is_some() {
        return Ok(Parsed::Ignored("a digest file: it says nothing about what happened"));
    }
    let required = |name: &str| member(&record, name).ok_or_else(|| format!("has no `{name}`"));
    let occurred_at: Timestamp = required("eventTime")?.parse().map_err(|error| format!("`eventTime` {error}"))?;
    let action = required("eventName")?;
    let service = service(required("eventSource")?);
    let account = member(&record, "recipientAccountId").or_else(|| path(&record, &["userIdentity", "accountId"]));
    let region = member(&record, "awsRegion").unwrap_or("global");
    let source = format!("aws:cloudtrail:{}/{}", shape::id(account.unwrap_or("unknown")), shape::id(region));
    let id = match member(&record, "eventID") {
        Some(id) => shape::id(id),
        // The oldest record versions have none; the record itself is as good.
        None => shape::sha256(record.to_string().as_bytes()),
    };
    let outcome = outcome(&record);
    let event_type = event_type(&service, action, outcome);
    let mut event = Event::new(&event_type, id, source, occurred_at, actor(&record), resource(&record, &service));
    if !event_type.starts_with("user.") {
        verb(&record, action).clone_into(&mut event.action);
    }
    event.outcome = outcome;
    event.correlation = member(&record, "requestID").map(shape::id);
    event.reason = member(&record, "errorMessage").or_else(|| member(&record, "errorCode")).map(shape::name);
    event.data = data(record, &event_type);
    shape::finish(event, Format::CloudTrail, text.len(), shrink).map(|event| Parsed::Imported(vec![event]))
}

fn member<'a>(record: &'a Value, name: &str) -> Option<&'a str> {
    record.get(name)?.as_str().filter(|text| !text.is_empty())
}

fn path<'a>(record: &'a Value, names: &[&str]) -> Option<&'a str> {
    names.iter().try_fold(record, |value, name| value.get(name))?.as_str().filter(|text| !text.is_empty())
}

/// `iam` of `iam.amazonaws.com`.
fn service(event_source: &str) -> String {
    let host = event_source.strip_suffix(".amazonaws.com").unwrap_or(event_source);
    shape::type_segment(&host.replace('.', "-"))
}

fn event_type(service: &str, action: &str, outcome: Outcome) -> String {
    match (service, action, outcome) {
        ("signin", "ConsoleLogin", Outcome::Success) => "user.login.succeeded".to_owned(),
        ("signin", "ConsoleLogin", _) => "user.login.failed".to_owned(),
        _ => format!("aws.{service}.{}", shape::type_segment(action)),
    }
}

fn outcome(record: &Value) -> Outcome {
    let Some(code) = member(record, "errorCode") else {
        // A console sign-in tells its result in the response only.
        return match path(record, &["responseElements", "ConsoleLogin"]) {
            Some("Failure") => Outcome::Failure,
            _ => Outcome::Success,
        };
    };
    let denied = ["AccessDenied", "Unauthorized", "Forbidden", "NotAuthorized", "OptInRequired"];
    if denied.iter().any(|mark| code.contains(mark)) { Outcome::Denied } else { Outcome::Failure }
}

/// The class of an action: `read`, `create`, `delete` or `write`.
fn verb(record: &Value, action: &str) -> &'static str {
    let read_only = match record.get("readOnly") {
        Some(Value::Bool(read_only)) => *read_only,
        Some(Value::String(text)) => text == "true",
        _ => starts(action, &["Get", "List", "Describe", "Head", "Lookup"]),
    };
    if read_only {
        "read"
    } else if starts(action, &["Create", "Run", "Allocate", "Register", "Import", "Issue", "Request"]) {
        "create"
    } else if starts(action, &["Delete", "Terminate", "Remove", "Deregister", "Release", "Purge", "Destroy"]) {
        "delete"
    } else {
        "write"
    }
}

fn starts(action: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| action.starts_with(prefix))
}

fn actor(record: &Value) -> Actor {
    let identity = |name: &str| path(record, &["userIdentity", name]);
    let kind = identity("type").unwrap_or("Unknown");
    let arn = identity("arn");
    let session_name = arn.filter(|_| kind == "AssumedRole").and_then(|arn| arn.rsplit('/').next());
    let invoked_by = identity("invokedBy");
    let name = match kind {
        "Root" => Some("root"),
        "AWSService" => invoked_by,
        _ => identity("userName").or(session_name),
    };
    let id = arn.or_else(|| identity("principalId")).or(invoked_by).or(name).or_else(|| identity("accountId"));
    let issuer = path(record, &["userIdentity", "sessionContext", "sessionIssuer", "userName"]);
    Actor {
        id: shape::id(id.unwrap_or(kind)),
        ip: member(record, "sourceIPAddress").and_then(shape::ip),
        kind: actor_kind(kind, arn, session_name),
        name: name.map(shape::name),
        roles: issuer.map(shape::name).into_iter().collect(),
        session: identity("accessKeyId").map(shape::name),
        user_agent: member(record, "userAgent").map(shape::name),
        ..Actor::default()
    }
}

/// People come as IAM users, as root, and with their name as the session of a role.
fn actor_kind(kind: &str, arn: Option<&str>, session_name: Option<&str>) -> ActorKind {
    match kind {
        "AWSService" | "AWSAccount" => ActorKind::Service,
        "AssumedRole" => {
            let single_sign_on = arn.is_some_and(|arn| arn.contains(":assumed-role/AWSReservedSSO_"));
            let person = single_sign_on || session_name.is_some_and(|name| name.contains('@'));
            if person { ActorKind::User } else { ActorKind::Service }
        }
        _ => ActorKind::User,
    }
}

/// The first resource the record lists, else what its parameters name, else the service itself.
fn resource(record: &Value, service: &str) -> Resource {
    let listed = record.get("resources").and_then(|list| list.get(0));
    if let Some(arn) = listed.and_then(|first| member(first, "ARN").or_else(|| member(first, "ARNPrefix"))) {
        let kind = listed
            .and_then(|first| member(first, "type"))
            .map_or_else(|| format!("aws.{service}"), |kind| kind.to_ascii_lowercase().replace("::", "."));
        let name = arn.rsplit(['/', ':']).next().unwrap_or(arn);
        return Resource::new(shape::id(&kind), shape::id(arn)).named(shape::name(name));
    }
    let parameters = record.get("requestParameters");
    let named = SUBJECTS.iter().find_map(|key| Some((*key, member(parameters?, key)?)));
    match named {
        Some((key, id)) => {
            let name = id.rsplit(['/', ':']).next().unwrap_or(id);
            let thing = key.strip_suffix("Name").or_else(|| key.strip_suffix("Id")).unwrap_or(key);
            let kind = format!("aws.{service}.{}", thing.to_ascii_lowercase());
            Resource::new(kind, shape::id(id)).named(shape::name(name))
        }
        None => Resource::new("aws.service", service),
    }
}

/// The whole record; for sign-ins beside what their type requires.
fn data(record: Value, event_type: &str) -> Value {
    if !event_type.starts_with("user.login.") {
        return shape::bounded(record);
    }
    let unknown_user = path(&record, &["userIdentity", "userName"]) == Some("HIDDEN_DUE_TO_SECURITY_REASONS");
    let mut data = json!({
        "method": "console",
        "mfa": path(&record, &["additionalEventData", "MFAUsed"]) == Some("Yes"),
        "target": "aws",
        "record": shape::bounded(record),
    });
    if event_type == "user.login.failed" {
        data["unknown_user"] = unknown_user.into();
    }
    data
}

/// Drops the largest parts of a record, the least telling first.
fn shrink(event: &mut Event, step: usize) -> bool {
    let signing_in = event.data.get("record").is_some();
    let record = if signing_in { &mut event.data["record"] } else { &mut event.data };
    let part = match step {
        0 => record.get_mut("responseElements"),
        1 => record.get_mut("requestParameters"),
        2 => Some(record),
        _ => return false,
    };
    if let Some(part) = part {
        *part = shape::truncated(part);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(record: &Value) -> Event {
        match super::record(&record.to_string()).unwrap() {
            Parsed::Imported(mut events) => events.remove(0),
            other => panic!("{other:?}"),
        }
    }

    fn create_user() -> Value {
        json!({
            "eventVersion": "1.08", "eventID": "e-1", "eventTime": "2026-01-31T09:00:00Z", "awsRegion": "eu-central-1",
            "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "readOnly": false,
            "recipientAccountId": "111122223333", "sourceIPAddress": "192.0.2.7", "requestID": "r-1",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ada", "userName": "ada"},
            "requestParameters": {"userName": "eve"}, "responseElements": {"size": 9_007_199_254_740_993_u64}
        })
    }

    #[test]
    fn a_call_names_who_did_what_to_what() {
        let event = event(&create_user());
        assert_eq!(event.event_type, "aws.iam.CreateUser");
        assert_eq!((event.action.as_str(), event.outcome), ("create", Outcome::Success));
        assert_eq!(event.actor.name.as_deref(), Some("ada"));
        assert_eq!(event.actor.ip, "192.0.2.7".parse().ok());
        assert_eq!(event.source, "aws:cloudtrail:111122223333/eu-central-1");
        assert_eq!(event.stream, "aws.iam.user/eve");
        assert_eq!(event.data["responseElements"]["size"], "9007199254740993", "beyond what canonical JSON keeps");
    }

    #[test]
    fn refusals_and_failures_differ() {
        let mut record = create_user();
        record["errorCode"] = json!("AccessDenied");
        record["errorMessage"] = json!("not you");
        assert_eq!(event(&record).outcome, Outcome::Denied);
        assert_eq!(event(&record).reason.as_deref(), Some("not you"));
        record["errorCode"] = json!("NoSuchEntityException");
        assert_eq!(event(&record).outcome, Outcome::Failure);
    }

    #[test]
    fn a_failed_console_sign_in_is_a_failed_login() {
        let mut record = create_user();
        record["eventSource"] = json!("signin.amazonaws.com");
        record["eventName"] = json!("ConsoleLogin");
        record["responseElements"] = json!({"ConsoleLogin": "Failure"});
        let event = event(&record);
        assert_eq!(event.event_type, "user.login.failed");
        assert_eq!(event.data["method"], "console");
        assert_eq!(event.action, "login");
    }

    #[test]
    fn a_huge_record_loses_its_largest_parts_with_a_note() {
        let mut record = create_user();
        record["responseElements"] = json!({"text": "x".repeat(70_000)});
        let event = event(&record);
        assert_eq!(event.data["responseElements"]["truncated"], true);
        assert_eq!(event.data["requestParameters"]["userName"], "eve");
    }
}
