//! What the service can do: `/ServiceProviderConfig`, `/ResourceTypes`, `/Schemas` (RFC 7644, 4). Readable by anyone.

use chancery_scim::schema::{Limits, discovery_list, service_provider_config};
use chancery_scim::ScimError;
use serde_json::Value;

use super::answer::Answer;
use super::cursor;
use super::failure::Failure;
use crate::gateway::Gateway;

/// Most operations of a bulk request.
pub(super) const BULK_OPERATIONS: usize = 1000;
/// Most resources of a page.
pub(super) const MOST: usize = 1000;
/// Resources of a page that does not say how many.
pub(super) const USUAL: usize = 100;

/// Answers a discovery request.
pub(super) fn answer(gateway: &Gateway, base: &str, path: &[String], query: &str) -> Result<Answer, Failure> {
    let filtered = url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name.eq_ignore_ascii_case("filter"));
    if filtered {
        return Err(ScimError::status(403, "what the service can do cannot be filtered").into());
    }
    let registry = &gateway.scim;
    let (all, id): (Vec<Value>, Option<&String>) = match path {
        [only] if only.eq_ignore_ascii_case("ServiceProviderConfig") => {
            return Ok(Answer::ok(service_provider_config(&limits(gateway), base, None).to_string()));
        }
        [kind, rest @ ..] if kind.eq_ignore_ascii_case("Schemas") && rest.len() < 2 => {
            (registry.schema_documents(base), rest.first())
        }
        [kind, rest @ ..] if kind.eq_ignore_ascii_case("ResourceTypes") && rest.len() < 2 => {
            (registry.resource_type_documents(base), rest.first())
        }
        _ => return Err(ScimError::status(404, "nothing is served here").into()),
    };
    let Some(id) = id else { return Ok(Answer::ok(discovery_list(all).to_string())) };
    let is = |document: &&Value| {
        document.get("id").and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(id))
    };
    let found = all.iter().find(is).ok_or_else(|| ScimError::status(404, format!("there is no `{id}`")))?;
    Ok(Answer::ok(found.to_string()))
}

fn limits(gateway: &Gateway) -> Limits {
    Limits {
        bulk_operations: BULK_OPERATIONS,
        bulk_payload_bytes: gateway.settings.max_scim_body_bytes,
        max_results: MOST,
        default_page_size: USUAL,
        max_page_size: MOST,
        cursor_timeout_seconds: cursor::LIFETIME.unsigned_abs(),
    }
}
