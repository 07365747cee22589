//! The one error of the protocol, and how it looks on the wire (RFC 7644 section 3.12).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// URN of the error message.
pub const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The detail error keyword of a status (RFC 7644 table 9, RFC 9865 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ScimType {
    /// The filter cannot be read, or compares what cannot be compared.
    InvalidFilter,
    /// The filter yields more than the server is willing to return.
    TooMany,
    /// A value that must be unique is taken.
    Uniqueness,
    /// The attribute may not be changed in this way.
    Mutability,
    /// The body is not what the request's schema says.
    InvalidSyntax,
    /// The path of a PATCH operation names no attribute.
    InvalidPath,
    /// The path of a PATCH operation selects nothing.
    NoTarget,
    /// A value is missing or of the wrong type.
    InvalidValue,
    /// The version of the protocol is not supported.
    InvalidVers,
    /// The request would carry personal data in its URI.
    Sensitive,
    /// The cursor is none of this server's.
    InvalidCursor,
    /// The cursor is too old.
    ExpiredCursor,
    /// The page size cannot be used.
    InvalidCount,
}

impl ScimType {
    /// The keyword as it stands in a body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::Uniqueness => 409,
            Self::Sensitive => 403,
            _ => 400,
        }
    }
}

/// A refusal. The detail is one lower-case sentence without a full stop: it is what an administrator sees in the
/// console of the identity provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    /// The HTTP status.
    pub status: u16,
    /// The keyword, where there is one.
    pub scim_type: Option<ScimType>,
    /// What is wrong.
    pub detail: String,
}

impl ScimError {
    /// A refusal with a status alone.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into() }
    }

    /// A refusal with a keyword, under the status that belongs to it.
    pub fn of(scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self { status: scim_type.status(), scim_type: Some(scim_type), detail: detail.into() }
    }

    /// 404: there is no such resource.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, detail)
    }

    /// 409 `uniqueness`: the value of the attribute is taken.
    pub fn taken(attribute: &str, value: &str) -> Self {
        Self::of(ScimType::Uniqueness, format!("`{attribute}` `{value}` is taken"))
    }

    /// 412: the resource is not at the version the client expects.
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(412, detail)
    }

    /// 413: the request is larger than the server takes.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(413, detail)
    }

    pub(crate) fn filter(detail: impl Into<String>) -> Self {
        Self::of(ScimType::InvalidFilter, detail)
    }

    pub(crate) fn syntax(detail: impl Into<String>) -> Self {
        Self::of(ScimType::InvalidSyntax, detail)
    }

    pub(crate) fn value(detail: impl Into<String>) -> Self {
        Self::of(ScimType::InvalidValue, detail)
    }

    pub(crate) fn path(detail: impl Into<String>) -> Self {
        Self::of(ScimType::InvalidPath, detail)
    }

    pub(crate) fn mutability(detail: impl Into<String>) -> Self {
        Self::of(ScimType::Mutability, detail)
    }

    pub(crate) fn no_target(detail: impl Into<String>) -> Self {
        Self::of(ScimType::NoTarget, detail)
    }

    /// The same refusal, telling where it happened.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        self.detail = format!("{place}: {}", self.detail);
        self
    }

    /// The body of the answer. `status` is a string, as the RFC asks.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "schemas": [ERROR_SCHEMA],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let (Some(scim_type), Some(members)) = (self.scim_type, body.as_object_mut()) {
            members.insert("scimType".to_owned(), scim_type.as_str().into());
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_body_has_its_status_as_a_string() {
        let body = ScimError::taken("userName", "bob").body();
        assert_eq!(body["status"], "409");
        assert_eq!(body["scimType"], "uniqueness");
        assert_eq!(body["schemas"][0], ERROR_SCHEMA);
    }

    #[test]
    fn an_error_without_a_keyword_has_no_scim_type() {
        assert!(ScimError::not_found("no such user").body().get("scimType").is_none());
    }

    #[test]
    fn keywords_are_written_as_they_are_serialized() {
        for scim_type in [ScimType::InvalidFilter, ScimType::NoTarget, ScimType::ExpiredCursor, ScimType::InvalidVers] {
            assert_eq!(serde_json::to_value(scim_type).unwrap(), scim_type.as_str());
        }
    }
}
