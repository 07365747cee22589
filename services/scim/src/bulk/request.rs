//! Reading the body of a bulk request.

use std::collections::HashSet;

use serde_json::Value;

use super::BULK_REQUEST_SCHEMA;
use crate::error::ScimError;
use crate::profile::Profile;

/// Limits of a bulk request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkLimits {
    /// Most operations.
    pub max_operations: usize,
    /// Largest body, in bytes.
    pub max_payload_size: usize,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Makes a resource.
    Post,
    /// Replaces one.
    Put,
    /// Changes one.
    Patch,
    /// Deletes one.
    Delete,
}

impl Method {
    /// The method as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::Post, Self::Put, Self::Patch, Self::Delete];
        all.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text))
    }
}

/// One operation as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOperation {
    /// What it does.
    pub method: Method,
    /// The name under which others refer to what it makes.
    pub bulk_id: Option<String>,
    /// The version the resource must be at.
    pub version: Option<String>,
    /// The path of the endpoint or resource, such as `/Users`.
    pub path: String,
    /// The body.
    pub data: Option<Value>,
}

/// A bulk request.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRequest {
    /// After how many failed operations the rest is left undone. None: all are tried.
    pub fail_on_errors: Option<usize>,
    /// The operations, in the order of the request.
    pub operations: Vec<BulkOperation>,
}

impl BulkLimits {
    /// Refuses a body that is too large before it is read.
    pub fn check_payload(&self, bytes: usize) -> Result<(), ScimError> {
        if bytes <= self.max_payload_size { Ok(()) } else { Err(self.exceeded(&format!("a body of {bytes} bytes"))) }
    }

    fn exceeded(&self, what: &str) -> ScimError {
        ScimError::too_large(format!(
            "{what} exceeds the limits of a bulk request: maxOperations ({}) and maxPayloadSize ({} bytes)",
            self.max_operations, self.max_payload_size
        ))
    }
}

impl BulkRequest {
    /// Reads a body. Names of its members are in any case.
    pub fn parse(body: Value, limits: &BulkLimits, profile: &Profile) -> Result<Self, ScimError> {
        let Value::Object(body) = body else { return Err(ScimError::syntax("the body is no JSON object")) };
        let (mut fail_on_errors, mut operations, mut is_bulk) = (None, None, profile.optional_schemas);
        for (name, value) in body {
            match name.to_ascii_lowercase().as_str() {
                "failonerrors" => fail_on_errors = read_fail_on_errors(&value)?,
                "operations" => operations = Some(value),
                "schemas" => {
                    let urns = value.as_array().map(Vec::as_slice).unwrap_or_default();
                    is_bulk |= urns.iter().any(|urn| urn == BULK_REQUEST_SCHEMA);
                }
                _ => {}
            }
        }
        if !is_bulk {
            return Err(ScimError::syntax(format!("`schemas` must contain `{BULK_REQUEST_SCHEMA}`")));
        }
        let Some(Value::Array(operations)) = operations else {
            return Err(ScimError::syntax("`Operations` must be a list"));
        };
        if operations.is_empty() {
            return Err(ScimError::syntax("`Operations` is empty"));
        }
        if operations.len() > limits.max_operations {
            return Err(limits.exceeded(&format!("a request of {} operations", operations.len())));
        }
        let place = |(position, operation)| {
            BulkOperation::parse(operation)
                .map_err(|error: ScimError| error.within(&format!("operation {}", position + 1)))
        };
        let operations: Vec<BulkOperation> = operations.into_iter().enumerate().map(place).collect::<Result<_, _>>()?;
        let mut bulk_ids = HashSet::new();
        let twice =
            operations.iter().filter_map(|operation| operation.bulk_id.as_deref()).find(|id| !bulk_ids.insert(*id));
        if let Some(bulk_id) = twice {
            return Err(ScimError::value(format!("the bulkId `{bulk_id}` is given twice")));
        }
        Ok(Self { fail_on_errors, operations })
    }
}

impl BulkOperation {
    fn parse(operation: Value) -> Result<Self, ScimError> {
        let Value::Object(members) = operation else { return Err(ScimError::syntax("an operation is an object")) };
        let (mut method, mut bulk_id, mut version, mut path, mut data) = (None, None, None, None, None);
        for (name, value) in members {
            let text = |value: Value| match value {
                Value::String(text) => Ok(Some(text)),
                Value::Null => Ok(None),
                other => Err(ScimError::syntax(format!("`{name}` must be a text, found {other}"))),
            };
            match name.to_ascii_lowercase().as_str() {
                "method" => method = text(value)?,
                "bulkid" => bulk_id = text(value)?,
                "version" => version = text(value)?,
                "path" => path = text(value)?,
                "data" => data = Some(value).filter(|value| !value.is_null()),
                _ => {}
            }
        }
        let method = method.ok_or_else(|| ScimError::syntax("`method` is missing"))?;
        let method = Method::parse(&method)
            .ok_or_else(|| ScimError::syntax(format!("`{method}` is none of POST, PUT, PATCH and DELETE")))?;
        let path = path.ok_or_else(|| ScimError::syntax("`path` is missing"))?;
        if method == Method::Post && bulk_id.is_none() {
            return Err(ScimError::syntax("a POST needs a `bulkId`"));
        }
        if method != Method::Delete && data.is_none() {
            return Err(ScimError::syntax(format!("a {} needs `data`", method.as_str())));
        }
        Ok(Self { method, bulk_id, version, path, data })
    }
}

fn read_fail_on_errors(value: &Value) -> Result<Option<usize>, ScimError> {
    match value {
        Value::Null => Ok(None),
        value => match value.as_u64().and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0) {
            Some(count) => Ok(Some(count)),
            None => Err(ScimError::value(format!("`failOnErrors` must be a whole number above 0, found {value}"))),
        },
    }
}
