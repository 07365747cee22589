//! Reading the body of a PATCH.

use serde_json::Value;

use super::PATCH_SCHEMA;
use crate::error::ScimError;
use crate::profile::Profile;

/// Most operations of one PATCH.
pub const MAX_OPERATIONS: usize = 1_000;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Adds values.
    Add,
    /// Removes values.
    Remove,
    /// Replaces values.
    Replace,
}

impl OperationKind {
    /// The operation as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What it does.
    pub kind: OperationKind,
    /// To what. Without a path, the value's members are what it is done to.
    pub path: Option<String>,
    /// With what.
    pub value: Option<Value>,
}

/// The operations of a PATCH, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchRequest {
    /// The operations.
    pub operations: Vec<Operation>,
}

impl PatchRequest {
    /// Reads a body. Names of its members are in any case, others than those of the RFC are ignored.
    pub fn parse(body: Value, profile: &Profile) -> Result<Self, ScimError> {
        let Value::Object(body) = body else { return Err(ScimError::syntax("the body is no JSON object")) };
        let (mut operations, mut is_patch) = (None, profile.optional_schemas);
        for (name, value) in body {
            if name.eq_ignore_ascii_case("Operations") {
                operations = Some(value);
            } else if name.eq_ignore_ascii_case("schemas") {
                let is_message = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(PATCH_SCHEMA));
                is_patch |= value.as_array().is_some_and(|urns| urns.iter().any(is_message));
            }
        }
        if !is_patch {
            return Err(ScimError::syntax(format!("`schemas` must contain `{PATCH_SCHEMA}`")));
        }
        let Some(Value::Array(operations)) = operations else {
            return Err(ScimError::syntax("`Operations` must be a list"));
        };
        if operations.is_empty() {
            return Err(ScimError::syntax("`Operations` is empty"));
        }
        if operations.len() > MAX_OPERATIONS {
            let detail = format!("a PATCH has at most {MAX_OPERATIONS} operations, this one has {}", operations.len());
            return Err(ScimError::too_large(detail));
        }
        let place = |(position, operation)| {
            Operation::parse(operation, profile)
                .map_err(|error: ScimError| error.within(&format!("operation {}", position + 1)))
        };
        Ok(Self { operations: operations.into_iter().enumerate().map(place).collect::<Result<_, _>>()? })
    }
}

impl Operation {
    fn parse(operation: Value, profile: &Profile) -> Result<Self, ScimError> {
        let Value::Object(members) = operation else { return Err(ScimError::syntax("an operation is an object")) };
        let (mut kind, mut path, mut value) = (None, None, None);
        for (name, member) in members {
            if name.eq_ignore_ascii_case("op") {
                kind = Some(read_kind(&member, profile)?);
            } else if name.eq_ignore_ascii_case("path") {
                path = read_path(member)?;
            } else if name.eq_ignore_ascii_case("value") {
                value = Some(member);
            }
        }
        let kind = kind.ok_or_else(|| ScimError::syntax("`op` is missing"))?;
        match (kind, &path, &value) {
            (OperationKind::Remove, None, _) => Err(ScimError::no_target("a `remove` needs a path")),
            (OperationKind::Add | OperationKind::Replace, _, None) => {
                Err(ScimError::value(format!("`{}` needs a value", kind.as_str())))
            }
            _ => Ok(Self { kind, path, value }),
        }
    }
}

fn read_kind(value: &Value, profile: &Profile) -> Result<OperationKind, ScimError> {
    [OperationKind::Add, OperationKind::Remove, OperationKind::Replace]
        .into_iter()
        .find(|kind| {
            value.as_str().is_some_and(|text| {
                text == kind.as_str() || profile.capitalised_operations && text.eq_ignore_ascii_case(kind.as_str())
            })
        })
        .ok_or_else(|| ScimError::syntax(format!("`op` must be add, remove or replace, found {value}")))
}

/// An empty path is none.
fn read_path(value: Value) -> Result<Option<String>, ScimError> {
    match value {
        Value::Null => Ok(None),
        Value::String(path) => Ok((!path.trim().is_empty()).then_some(path)),
        other => Err(ScimError::path(format!("`path` must be a text, found {other}"))),
    }
}
