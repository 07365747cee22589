//! Why a request of an identity provider has no effect, and how that is said in SCIM.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use chancery_domain::decision::Refusal;
use chancery_log::LogError;
use chancery_scim::{ScimError, ScimType};
use chancery_state::{DecisionError, StateError};

use super::answer::error_response;
use crate::error::ApiError;

/// Why a request has no effect.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is not what the protocol allows.
    Scim(ScimError),
    /// The resource does not answer this method.
    Method(String),
    /// The domain refuses it.
    Refused(Refusal),
    /// It could not be done.
    Api(ApiError),
}

impl From<ScimError> for Failure {
    fn from(error: ScimError) -> Self {
        Self::Scim(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::Api(error.into())
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Api(error.into())
    }
}

impl From<DecisionError> for Failure {
    fn from(error: DecisionError) -> Self {
        match error {
            DecisionError::Event(chancery_evidence::EvidenceError::TooLarge(_)) => {
                Self::Scim(ScimError::too_large("the resource is larger than an event can be, 64 KiB"))
            }
            error => Self::Api(error.into()),
        }
    }
}

impl Failure {
    /// What the client is told.
    pub(crate) fn error(&self) -> ScimError {
        match self {
            Self::Scim(error) => error.clone(),
            Self::Method(allowed) => ScimError::new(405, format!("this resource answers {allowed}")),
            Self::Refused(Refusal::Unknown(what) | Refusal::Foreign(what)) => {
                ScimError::not_found(format!("there is no such {what}"))
            }
            Self::Refused(refusal @ Refusal::Taken { .. }) => ScimError::of(ScimType::Uniqueness, refusal.to_string()),
            Self::Refused(refusal) => ScimError::of(ScimType::InvalidValue, refusal.to_string()),
            Self::Api(error) => ScimError::new(error.status_code().as_u16(), error.to_string()),
        }
    }

    /// Whether it lies with the server, not with the request.
    pub(crate) fn is_ours(&self) -> bool {
        let status = self.error().status;
        status >= 500 || status == 429
    }

    /// The answer.
    pub(crate) fn response(&self) -> HttpResponse {
        let error = self.error();
        if let Self::Api(ApiError::Internal(cause)) = self {
            tracing::error!(cause, "a request of an identity provider failed for an internal reason");
        }
        let mut response = error_response(&error);
        match self {
            Self::Method(allowed) => {
                if let Ok(value) = allowed.parse() {
                    response.headers_mut().insert(ALLOW, value);
                }
            }
            Self::Api(ApiError::Busy | ApiError::Unavailable(_)) => {
                response.headers_mut().insert(RETRY_AFTER, actix_web::http::header::HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// The status of an error, as a status.
pub(super) fn status(error: &ScimError) -> StatusCode {
    StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
