//! What a push would change, as a report: nothing is appended.

use std::collections::BTreeMap;

use chancery_domain::Event;
use chancery_domain::directory::ConnectionRecord;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::answer::Preconditions;
use super::change::{self, Change, Wish};
use super::failure::Failure;
use super::push::Push;
use crate::error::ApiError;

/// Most operations of a dry run.
const MOST: usize = 1000;

/// What an identity provider would send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DryRun {
    /// Its requests, each judged on the state as it is now.
    operations: Vec<Operation>,
}

/// A request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Operation {
    /// `POST`, `PUT`, `PATCH` or `DELETE`.
    method: String,
    /// Path below the base, such as `/Users`.
    path: String,
    /// What would be sent.
    #[serde(default)]
    body: Value,
}

/// Tells what operations of a connection would change, each on the state as it is.
pub(crate) async fn dry_run(
    gateway: std::sync::Arc<crate::gateway::Gateway>,
    caller: crate::middleware::Caller,
    connection: ConnectionRecord,
    run: DryRun,
) -> Result<Value, ApiError> {
    if run.operations.len() > MOST {
        return Err(ApiError::TooLarge(format!("a dry run has at most {MOST} operations")));
    }
    let push = Push::of(gateway, caller, connection, "/scim/v2".to_owned()).map_err(|failure| api_error(&failure))?;
    let mut items = Vec::with_capacity(run.operations.len());
    let mut totals: BTreeMap<String, u64> = BTreeMap::new();
    for operation in run.operations {
        let (method, path) = (operation.method.clone(), operation.path.clone());
        let item = match plan(&push, operation).await {
            Ok(events) => {
                for event in &events {
                    *totals.entry(event.event_type.clone()).or_default() += 1;
                }
                json!({ "method": method, "path": path, "outcome": if events.is_empty() { "unchanged" } else { "changed" },
                    "events": events.iter().map(shown).collect::<Vec<_>>() })
            }
            Err(failure) if failure.is_ours() => return Err(api_error(&failure)),
            Err(failure) => {
                json!({ "method": method, "path": path, "outcome": "refused", "error": failure.error().body() })
            }
        };
        items.push(item);
    }
    Ok(json!({ "items": items, "totals": totals }))
}

async fn plan(push: &Push, operation: Operation) -> Result<Vec<Event>, Failure> {
    let path = operation.path.trim_start_matches("/scim/v2");
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let endpoint = format!("/{}", segments.next().unwrap_or_default());
    let (id, resource_type) = (segments.next(), push.resource_type(&endpoint)?);
    let change = match (operation.method.to_ascii_uppercase().as_str(), id) {
        ("POST", None) => Change::Create(operation.body),
        ("PUT", Some(_)) => Change::Replace(operation.body),
        ("PATCH", Some(_)) => Change::Patch(operation.body),
        ("DELETE", Some(_)) => Change::Delete,
        (method, _) => {
            let detail = format!("`{method} {path}` changes nothing");
            return Err(chancery_scim::ScimError::new(405, detail).into());
        }
    };
    let id = id.map_or_else(change::new_id, str::to_owned);
    let wish = Wish { resource_type, id, change, preconditions: Preconditions::default() };
    Ok(change::plan(push, &wish).await?.events)
}

fn shown(event: &Event) -> Value {
    json!({ "type": event.event_type, "resource": event.resource, "changes": event.changes, "data": event.data })
}

/// In a few words.
pub(super) fn summary(events: &[Event]) -> String {
    if events.is_empty() {
        return "nothing would change".to_owned();
    }
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for event in events {
        *counts.entry(&event.event_type).or_default() += 1;
    }
    let parts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} × {name}")).collect();
    format!("it would be {}", parts.join(", "))
}

fn api_error(failure: &Failure) -> ApiError {
    match failure {
        Failure::Api(ApiError::Busy) => ApiError::Busy,
        Failure::Api(ApiError::Unavailable(reason)) => ApiError::Unavailable(reason.clone()),
        failure => ApiError::Internal(failure.error().detail),
    }
}
