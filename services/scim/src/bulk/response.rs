//! The answer to a bulk request.

use serde_json::{Map, Value, json};

use super::BULK_RESPONSE_SCHEMA;
use super::plan::Step;
use crate::error::ScimError;

/// What became of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkResult {
    /// The HTTP status it would have alone.
    pub status: u16,
    /// The location of the resource. None where a POST failed.
    pub location: Option<String>,
    /// The version the resource is at now.
    pub version: Option<String>,
    /// The body; for an error its SCIM error.
    pub response: Option<Value>,
}

impl BulkResult {
    /// A failed operation on the resource at `location`.
    pub fn failed(error: &ScimError, location: Option<String>) -> Self {
        Self { status: error.status, location, version: None, response: Some(error.body()) }
    }
}

/// Gathers results in the order in which operations are carried out, and shows them in that of the request.
#[derive(Debug, Clone, Default)]
pub struct BulkResponse {
    results: Vec<(usize, Value)>,
    failed: Vec<usize>,
}

impl BulkResponse {
    /// An answer without results.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes what became of a step.
    pub fn record(&mut self, step: &Step, result: BulkResult) {
        if result.status >= 400 {
            self.failed.push(step.position);
        }
        let members = [
            ("method", Some(step.method.as_str().into())),
            ("bulkId", step.bulk_id.as_deref().map(Value::from)),
            ("location", result.location.map(Value::from)),
            ("version", result.version.map(Value::from)),
            ("status", Some(result.status.to_string().into())),
            ("response", result.response),
        ];
        let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        self.results.push((step.position, Value::Object(members.collect::<Map<_, _>>())));
    }

    /// The refusal of a step because one it refers to has failed, where one has.
    pub fn broken_reference(&self, step: &Step) -> Option<ScimError> {
        let failed = step.depends_on.iter().find(|position| self.failed.contains(position))?;
        Some(ScimError::new(409, format!("it refers to what operation {} was to make, which failed", failed + 1)))
    }

    /// Whether so many operations failed that the rest is left undone.
    pub fn is_over(&self, fail_on_errors: Option<usize>) -> bool {
        fail_on_errors.is_some_and(|limit| self.failed.len() >= limit)
    }

    /// The body. Operations left undone are not in it.
    pub fn body(mut self) -> Value {
        self.results.sort_by_key(|(position, _)| *position);
        let operations: Vec<Value> = self.results.into_iter().map(|(_, result)| result).collect();
        json!({"schemas": [BULK_RESPONSE_SCHEMA], "Operations": operations})
    }
}
