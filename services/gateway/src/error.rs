//! The one error of the API and its one mapping to problem+json (RFC 9457).

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use chancery_domain::decision::Refusal;
use chancery_domain::tokens::TokenRefusal;
use chancery_domain::{PolicyReference, Timestamp};
use chancery_filter::FilterError;
use chancery_lake::LakeError;
use chancery_log::LogError;
use chancery_state::{CommandError, DecisionError, StateError};
use serde_json::{Map, Value, json};

/// Prefix of the problem types; each is documented at its address.
const PROBLEMS: &str = "https://chancery.dev/problems/";

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 400: something in the request is wrong; the members say what and where.
    #[error("{detail}")]
    BadRequest {
        /// What is wrong.
        detail: String,
        /// More members of the problem.
        members: Map<String, Value>,
    },
    /// 401: no credentials, or not valid ones.
    #[error("{0}")]
    Unauthenticated(String),
    /// 401: signed too long ago, or ahead of time.
    #[error("{detail}")]
    ClockSkew {
        /// What is wrong.
        detail: String,
        /// The time here.
        server_time: Timestamp,
    },
    /// 403: the credentials do not allow it.
    #[error("{0}")]
    Forbidden(String),
    /// 403: policies forbid it, and the decision is on record.
    #[error("{detail}")]
    Denied {
        /// Why.
        detail: String,
        /// The policies that determined it.
        policies: Vec<PolicyReference>,
    },
    /// 404: there is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// 405: not with this method.
    #[error("this resource answers {0}")]
    MethodNotAllowed(&'static str),
    /// 409: it contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// 412: it is not as the request expects any more.
    #[error("{0}")]
    PreconditionFailed(String),
    /// 413: too much at once.
    #[error("{0}")]
    TooLarge(String),
    /// 415: not a format that is understood.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// 422: understood, but it asks for more than it may.
    #[error("{0}")]
    Unprocessable(String),
    /// 429: slow down.
    #[error("the server is busy; try again in a moment")]
    Busy,
    /// 503: it cannot be done now and may work later.
    #[error("{0}")]
    Unavailable(String),
    /// 500: a defect.
    #[error("internal error")]
    Internal(String),
}

impl ApiError {
    /// A bad request without further members.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::BadRequest { detail: detail.into(), members: Map::new() }
    }

    const fn name(&self) -> (&'static str, &'static str) {
        match self {
            Self::BadRequest { .. } => ("bad-request", "The request cannot be understood"),
            Self::Unauthenticated(_) => ("unauthenticated", "Valid credentials are needed"),
            Self::ClockSkew { .. } => ("clock-skew", "The clocks of client and server differ"),
            Self::Forbidden(_) | Self::Denied { .. } => ("forbidden", "The credentials do not allow this"),
            Self::NotFound(_) => ("not-found", "There is no such resource"),
            Self::MethodNotAllowed(_) => ("method-not-allowed", "The resource does not answer this method"),
            Self::Conflict(_) => ("conflict", "It contradicts the current state"),
            Self::PreconditionFailed(_) => ("precondition-failed", "It has changed meanwhile"),
            Self::TooLarge(_) => ("too-large", "The request is too large"),
            Self::UnsupportedMediaType(_) => ("unsupported-media-type", "The format is not understood"),
            Self::Unprocessable(_) => ("unprocessable", "The request asks for too much"),
            Self::Busy => ("busy", "Too many requests"),
            Self::Unavailable(_) => ("unavailable", "The service cannot do this now"),
            Self::Internal(_) => ("internal", "Internal error"),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::BadRequest { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) | Self::ClockSkew { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::Denied { .. } => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::PreconditionFailed(_) => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Internal(cause) = self {
            tracing::error!(cause, "a request failed for an internal reason");
        }
        let (name, title) = self.name();
        let status = self.status_code();
        let mut problem = json!({
            "type": format!("{PROBLEMS}{name}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.to_string(),
        });
        if let (Self::BadRequest { members, .. }, Some(problem)) = (self, problem.as_object_mut()) {
            problem.extend(members.clone());
        }
        if let (Self::Denied { policies, .. }, Some(problem)) = (self, problem.as_object_mut()) {
            problem.insert("policies".to_owned(), json!(policies));
        }
        if let (Self::ClockSkew { server_time, .. }, Some(problem)) = (self, problem.as_object_mut()) {
            problem.insert("server_time".to_owned(), json!(server_time));
        }
        let mut response = HttpResponse::build(status);
        match self {
            Self::Unauthenticated(_) => drop(response.insert_header((WWW_AUTHENTICATE, "Bearer"))),
            Self::MethodNotAllowed(allowed) => drop(response.insert_header((ALLOW, *allowed))),
            Self::Busy => drop(response.insert_header((RETRY_AFTER, "1"))),
            Self::Unavailable(_) => drop(response.insert_header((RETRY_AFTER, "5"))),
            _ => {}
        }
        response.content_type("application/problem+json").body(problem.to_string())
    }
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Busy => Self::Busy,
            LogError::Full => Self::Unavailable("no space is left for the log; nothing was written".to_owned()),
            LogError::Closed => Self::Unavailable("the server is shutting down".to_owned()),
            LogError::Unavailable(cause) => {
                tracing::warn!(cause, "the log cannot be reached");
                Self::Unavailable("the log cannot be reached now; send again what was not acknowledged".to_owned())
            }
            LogError::Open(cause) | LogError::Storage(cause) => {
                tracing::error!(cause, "the log failed");
                Self::Unavailable("the log's storage failed; nothing was acknowledged".to_owned())
            }
        }
    }
}

impl From<LakeError> for ApiError {
    fn from(error: LakeError) -> Self {
        match error {
            LakeError::Invalid(reason) => Self::bad_request(reason),
            LakeError::TimedOut(_) | LakeError::Memory => Self::Unprocessable(error.to_string()),
            LakeError::Unavailable(_) => Self::Unavailable(error.to_string()),
            LakeError::Storage(cause) => {
                tracing::error!(cause, "the lake's storage failed");
                Self::Unavailable("the lake's files cannot be read now".to_owned())
            }
        }
    }
}

impl From<StateError> for ApiError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Behind => Self::Unavailable(error.to_string()),
            StateError::Log(error) => error.into(),
            StateError::Database(cause) => {
                tracing::error!(%cause, "the state database failed");
                Self::Unavailable("the state cannot be read now".to_owned())
            }
            other => {
                Self::Internal(format!("{other}: {:?}", std::error::Error::source(&other).map(ToString::to_string)))
            }
        }
    }
}

impl From<DecisionError> for ApiError {
    fn from(error: DecisionError) -> Self {
        match error {
            DecisionError::State(error) => error.into(),
            DecisionError::Log(error) => error.into(),
            DecisionError::Contended => Self::Conflict(error.to_string()),
            DecisionError::Event(error) => Self::Internal(error.to_string()),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(_) | Refusal::Foreign(_) => Self::NotFound(refusal.to_string()),
            Refusal::Token(TokenRefusal::Unknown) => Self::NotFound("there is no such token".to_owned()),
            Refusal::Token(TokenRefusal::Revoked) => Self::Conflict("the token is revoked already".to_owned()),
            Refusal::Token(TokenRefusal::Rotated)
            | Refusal::Taken { .. }
            | Refusal::Conflict(_)
            | Refusal::Contradicts(_)
            | Refusal::InState { .. } => Self::Conflict(refusal.to_string()),
            Refusal::Stale { .. } => Self::PreconditionFailed(refusal.to_string()),
            Refusal::Forbidden(_) => Self::Forbidden(refusal.to_string()),
            refusal => Self::bad_request(refusal.to_string()),
        }
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => refusal.into(),
            CommandError::Decision(error) => error.into(),
        }
    }
}

impl ApiError {
    /// A filter that cannot be read: where, why, and what may have been meant.
    pub(crate) fn filter(query: &str, error: &FilterError) -> Self {
        let members = json!({
            "position": error.position,
            "character": error.character,
            "length": error.length,
            "suggestions": error.suggestions,
            "rendered": error.render(query),
        });
        Self::BadRequest { detail: error.to_string(), members: members.as_object().cloned().unwrap_or_default() }
    }
}
