//! What the service can do: `/ServiceProviderConfig`, `/ResourceTypes`, `/Schemas` (RFC 7644, 4). Readable by anyone.

use chancery_scim::bulk::BulkLimits;
use chancery_scim::discovery::{AuthenticationScheme, ServiceProviderConfig, resource_types, schemas};
use chancery_scim::{ListResponse, ScimError};
use serde_json::{Value, json};

use super::answer::Answer;
use super::cursor;
use super::failure::Failure;
use crate::gateway::Gateway;

/// Most resources of a page.
pub(super) const MOST: usize = 1000;
/// Resources of a page that does not say how many.
pub(super) const USUAL: usize = 100;

/// Limits of a bulk request.
pub(super) fn bulk_limits(gateway: &Gateway) -> BulkLimits {
    BulkLimits { max_operations: 1000, max_payload_size: gateway.settings.max_scim_body_bytes }
}

/// Answers a discovery request.
pub(super) fn answer(gateway: &Gateway, base: &str, path: &[String], query: &str) -> Result<Answer, Failure> {
    let filtered = url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name.eq_ignore_ascii_case("filter"));
    if filtered {
        return Err(ScimError::new(403, "what the service can do cannot be filtered").into());
    }
    let registry = &gateway.scim;
    let (all, id): (Vec<Value>, Option<&String>) = match path {
        [only] if only.eq_ignore_ascii_case("ServiceProviderConfig") => {
            return Ok(Answer::ok(config(gateway).render(base).to_string()));
        }
        [kind, rest @ ..] if kind.eq_ignore_ascii_case("Schemas") && rest.len() < 2 => {
            (schemas(registry, base), rest.first())
        }
        [kind, rest @ ..] if kind.eq_ignore_ascii_case("ResourceTypes") && rest.len() < 2 => {
            (resource_types(registry, base), rest.first())
        }
        _ => return Err(ScimError::not_found("nothing is served here").into()),
    };
    let Some(id) = id else { return Ok(Answer::ok(json!(ListResponse::index(all.len(), 1, all)).to_string())) };
    let is = |document: &&Value| {
        document.get("id").and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(id))
    };
    let found = all.iter().find(is).ok_or_else(|| ScimError::not_found(format!("there is no `{id}`")))?;
    Ok(Answer::ok(found.to_string()))
}

fn config(gateway: &Gateway) -> ServiceProviderConfig {
    let limits = bulk_limits(gateway);
    ServiceProviderConfig {
        max_operations: limits.max_operations,
        max_payload_size: limits.max_payload_size,
        max_results: MOST,
        default_page_size: USUAL,
        cursor_timeout: Some(cursor::LIFETIME),
        change_password: false,
        authentication_schemes: vec![AuthenticationScheme::bearer_token()],
        documentation_uri: None,
        // No security event tokens are delivered: the URIs are on the events of the log.
        event_uris: Vec::new(),
    }
}
